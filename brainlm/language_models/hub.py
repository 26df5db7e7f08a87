"""Models on the Hugging Face hub: usual names, files that are wanted, sizes."""

from __future__ import annotations

from typing import Any

HUB_FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]

# Names under which the hub kept models before organisations had pages, and who has them now.
USUAL = {
    "gpt2": "openai-community",
    "gpt2-medium": "openai-community",
    "gpt2-large": "openai-community",
    "gpt2-xl": "openai-community",
    "distilgpt2": "distilbert",
    "bert-base-uncased": "google-bert",
    "bert-base-cased": "google-bert",
    "bert-large-uncased": "google-bert",
    "bert-base-chinese": "google-bert",
    "bert-base-multilingual-cased": "google-bert",
    "distilbert-base-uncased": "distilbert",
    "roberta-base": "FacebookAI",
    "roberta-large": "FacebookAI",
    "xlm-roberta-base": "FacebookAI",
    "xlm-roberta-large": "FacebookAI",
    "t5-small": "google-t5",
    "t5-base": "google-t5",
}


def on_hub(name: str) -> str:
    """Return the hub id of a usual short name (``"gpt2"``), with its revision; others unchanged."""
    short, at, revision = name.partition("@")
    return f"{USUAL[short]}/{short}{at}{revision}" if short in USUAL else name


def hub_size(name: str) -> int | None:
    """Return the bytes that a download from the hub would take; None where it does not say.

    Parameters
    ----------
    name : str
        ``"org/model"`` or ``"org/model@revision"``.
    """
    from huggingface_hub import snapshot_download

    repository, wanted = wanted_files(on_hub(name), allow_pickles=False)
    try:
        files = snapshot_download(repository, **wanted, dry_run=True)
    except (OSError, ValueError):
        return None  # the download itself says why
    sizes = [each.file_size for each in files if each.will_download]
    return None if None in sizes else sum(sizes)


def wanted_files(name: str, allow_pickles: bool) -> tuple[str, dict[str, Any]]:
    """Return a repository, and the revision and files of it that are wanted."""
    repository, _, revision = name.partition("@")
    pickles = ["pytorch_model*.bin"] if allow_pickles else []
    return repository, {
        "revision": revision or None,
        "allow_patterns": [*HUB_FILES, *pickles],
        "ignore_patterns": ["*/*", "consolidated*"],
    }
