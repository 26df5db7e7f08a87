"""Load a tokenizer and a network with transformers, and refuse unsuitable ones."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brainlm.compute.products import multiplies_half
from brainlm.errors import CorruptDataError, reading, unknown_name
from brainlm.io.files import read_json
from brainlm.language_models.sources import ModelFiles

MOST_LAYERS = 1000  # transformers builds as many as are declared, before it looks for weights
FEWEST_TOKENS = 8  # that any model reads at a time
SPEECH = ("wav2vec2", "hubert", "wavlm", "whisper")  # families of models that listen
DTYPES = ("float32", "bfloat16", "float16")


def dtype_on(device: str, dtype: str) -> str:
    """Return the precision; of "auto", bfloat16 where the device has it, else float32."""
    if dtype == "auto":
        return "bfloat16" if multiplies_half(device) else "float32"
    if dtype not in DTYPES:
        raise unknown_name("dtype", dtype, ("auto", *DTYPES))
    return dtype


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers' progress bars and load reports, and restore both afterwards."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def kind_of(config: Any) -> str:
    """Return the kind of model that a configuration describes.

    ``"causal"``; ``"masked"`` (every token sees both sides); or ``"encoder"`` for an
    encoder-decoder model, of which the encoder is read: every token sees both sides, too.
    """
    from transformers.models.auto import modeling_auto as auto

    if getattr(config, "is_encoder_decoder", False):
        return "encoder"
    decoder = getattr(config, "is_decoder", False)
    both_sides = getattr(config, "use_bidirectional_attention", False)
    if both_sides or (config.model_type in auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES and not decoder):
        return "masked"
    if config.model_type in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return "causal"
    raise ValueError(f"{config.model_type!r} is neither a causal nor a masked language model")


@contextmanager
def _reading_model(folder: Path, what: str) -> Iterator[None]:
    """Name the broken file of a model folder in whatever transformers raises about it."""
    try:
        with reading(folder, what), quiet_transformers():
            yield
    except CorruptDataError:
        _check_files(folder)
        raise


def _check_files(folder: Path) -> None:
    """Raise where a file of a model folder cannot be parsed, with the name of the file.

    Raises
    ------
    CorruptDataError
        A JSON file is no JSON, or the header of a safetensors file does not fit its content.
    """
    from safetensors import safe_open

    for path in sorted(folder.glob("*.json")):
        read_json(path)
    for path in sorted(folder.glob("*.safetensors")):
        with reading(path, "safetensors file"), safe_open(path, "np") as opened:
            opened.keys()


def load_config(folder: Path) -> Any:
    """Return the configuration of the network of a model folder that reads text.

    Raises
    ------
    CorruptDataError
        It is broken, or its sizes are not positive whole numbers.
    """
    from transformers import AutoConfig

    path = folder / "config.json"
    with _reading_model(folder, "model (config.json)"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False).get_text_config()
        for name in ("num_hidden_layers", "hidden_size", "vocab_size"):
            size = getattr(config, name, None)
            most = MOST_LAYERS if name == "num_hidden_layers" else 1 << 31
            if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= most:
                raise CorruptDataError(f"{path}: {name} is {size!r}, no number of a network")
        return config


def load_tokenizer(folder: Path) -> Any:
    """Return the fast tokenizer of a model folder.

    Raises
    ------
    CorruptDataError
        Its files are broken.
    ValueError
        The tokenizer is a slow one: it cannot say which characters a token covers.
    """
    from transformers import AutoTokenizer

    with _reading_model(folder, "model (tokenizer.json, tokenizer_config.json)"):
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        most = getattr(tokenizer, "model_max_length", FEWEST_TOKENS)
        if not most >= FEWEST_TOKENS:
            path = folder / "tokenizer_config.json"
            raise CorruptDataError(f"{path}: model_max_length is {most!r}, too few for a sentence")
    if not tokenizer.is_fast:
        raise ValueError(
            f"{type(tokenizer).__name__} of {folder} is a slow tokenizer without character "
            "offsets, so tokens cannot be matched to words; use a model with a tokenizer.json"
        )
    return tokenizer


def load_network(source: ModelFiles, *, device: str, dtype: str, head: str = "AutoModel") -> Any:
    """Return the network of a model folder, in evaluation mode.

    Parameters
    ----------
    source : ModelFiles
        Its folder has config.json and weights; an untrained twin has random ones instead.
    device, dtype : str
        Where it runs, and the precision of its weights, given explicitly because transformers
        would take the precision that the file happens to have.
    head : str
        Name of the transformers class: ``"AutoModel"`` stops at the last hidden state.

    Raises
    ------
    CorruptDataError
        The folder lacks weights of the network (transformers would draw them at random), or a
        pickle holds more than tensors.
    """
    import torch
    import transformers

    if dtype not in DTYPES:
        raise unknown_name("dtype", dtype, DTYPES)
    if source.untrained is not None:
        return _ready(_untrained(source.folder, source.untrained, dtype, head), device)
    folder = source.folder
    with _reading_model(folder, "model (config.json, weights)"):
        try:
            network, report = getattr(transformers, head).from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                local_files_only=True,
                trust_remote_code=False,
                # A folder that has only a pickle was let through because the user allowed it.
                use_safetensors=any(folder.glob("*.safetensors")),
                weights_only=True,
                output_loading_info=True,
            )
        except pickle.UnpicklingError as error:
            raise CorruptDataError(
                f"{folder}: pytorch_model*.bin holds other things than tensors, which could run "
                "code, or is broken; it was not opened"
            ) from error
    # A pooler sits on top of the last layer: no hidden state depends on it.
    missing = [name for name in report["missing_keys"] if not name.startswith("pooler.")]
    if missing and head != "AutoModel" and not _of_body(network, missing):
        raise CorruptDataError(
            f"{folder}: the model was published without a language-modelling head "
            f"({missing[0]} is missing), so it predicts no words; use another model"
        )
    if missing or report["mismatched_keys"]:
        raise CorruptDataError(
            f"{folder}: the weights lack or misfit {len(missing) + len(report['mismatched_keys'])} "
            f"tensors of the network ({[*missing, *report['mismatched_keys']][:3]})"
        )
    return _ready(network, device)


def _ready(network: Any, device: str) -> Any:
    if network.config.is_encoder_decoder:
        network = network.get_encoder()
    return network.eval().requires_grad_(False).to(device)


def _untrained(folder: Path, seed: int, dtype: str, head: str) -> Any:
    """Return a network with the weights that its own initialisation draws.

    They are drawn in single precision, and always together with those of the head, so that the body
    is the same with and without one.
    """
    import torch
    import transformers

    heads = {"causal": "AutoModelForCausalLM", "masked": "AutoModelForMaskedLM"}
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
    reads = config.model_type not in SPEECH
    whole = heads.get(kind_of(load_config(folder)), "AutoModel") if reads else "AutoModel"
    with torch.random.fork_rng(), _reading_model(folder, "model (config.json)"):
        torch.manual_seed(seed)
        network = getattr(transformers, whole).from_config(config, dtype=torch.float32)
    network = network.to(getattr(torch, dtype))
    return network.base_model if head == "AutoModel" else network


def _of_body(network: Any, names: list[str]) -> list[str]:
    """Return which weights belong to the network below the head."""
    return [name for name in names if name.startswith(f"{network.base_model_prefix}.")]
