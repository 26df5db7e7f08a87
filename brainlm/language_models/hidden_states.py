"""Hidden states at the positions of words, into memory or directly to disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm._progress import bar
from brainlm.compute.memory import check_memory
from brainlm.language_models.sites import Site, blocks_of, points_of, recorded
from brainlm.language_models.windows import Batch, Windows
from brainlm.storage.store import cached_arrays, content_key, unbroken

if TYPE_CHECKING:
    from brainlm.language_models.model import LanguageModel

BATCH_TOKENS = 4096  # padded tokens per forward pass where batch_size is not given
CODE_VERSION = 2  # raise it when the same request would give other values


def hidden_states(
    model: LanguageModel, windows: Windows, layers: Sequence[Any], progress: bool = False
) -> tuple[np.ndarray, ...]:
    """Return the pooled hidden states of each layer or site, (n_rows, n_features), float32.

    In memory, or mapped from disk where the model has a cache: see ``brainlm.storage.store``.
    Sites of another width than the residual take a pass through the network of their own.

    Raises
    ------
    MemoryError
        They do not fit into memory and there is no cache; said before anything is computed.
    ValueError
        They are not finite.
    """
    widths = [_width(model, layer) for layer in layers]
    found: dict[Any, np.ndarray] = {}
    for width in dict.fromkeys(widths):
        own = [layer for layer, size in zip(layers, widths, strict=True) if size == width]
        found |= zip(own, _states_of_width(model, windows, own, width, progress), strict=True)
    return tuple(found[layer] for layer in layers)


def _width(model: LanguageModel, layer: Any) -> int:
    """Number of features of a layer, or of a site inside a block."""
    if not isinstance(layer, Site) or layer.name not in ("z", "head"):
        return model.n_features
    module, _ = points_of(blocks_of(model.network)[layer.layer - 1]).get("z", (None, ""))
    if module is None:
        return model.n_features  # the pass through the network says what there is
    # A linear layer has (out, in) weights, the convolution of GPT-2 (in, out).
    size = int(getattr(module, "in_features", 0) or module.weight.shape[0])
    return size // int(model.config.num_attention_heads) if layer.name == "head" else size


def _states_of_width(
    model: LanguageModel, windows: Windows, layers: Sequence[Any], width: int, progress: bool
) -> tuple[np.ndarray, ...]:
    """Pooled states of layers and sites that have ``width`` features."""
    batches = list(windows.batches(BATCH_TOKENS, model.batch_size))
    desc, n = f"embed with {model.name}", len(batches)
    steps = bar(None, desc, progress=progress, inner=not progress, total=n)

    def compute(step: int) -> tuple[np.ndarray, Iterator[np.ndarray]]:
        steps.update()
        return batches[step].rows, _finite(model, _forward(model, batches[step], layers), layers)

    with steps:
        if model.cache is not None:
            return _from_cache(model, windows, layers, width, len(batches), compute)
        shape = (len(layers), windows.n_rows, width)
        check_memory(
            4 * int(np.prod(shape)),
            f"{shape[0]} layers x {shape[1]} rows x {shape[2]} features",
            "choose fewer layers, or give the model a cache (LanguageModel(..., cache=True)), "
            "which streams them to disk",
        )
        values = np.empty(shape, dtype=np.float32)
        for step in range(len(batches)):
            rows, found = compute(step)
            runs = list(unbroken(rows))
            for layer, pooled in zip(values, found, strict=True):
                for first, last in runs:
                    layer[rows[first] : rows[last - 1] + 1] = pooled[first:last]
    return tuple(values)


def _from_cache(
    model: LanguageModel,
    windows: Windows,
    layers: Sequence[Any],
    width: int,
    n_steps: int,
    compute: Any,
) -> tuple[np.ndarray, ...]:
    import transformers

    # The inputs stand for text, tokenizer, context and pooling: whatever changes one changes them.
    contents = {
        "revision": model.revision,
        "config": _settings(model.config),
        "dtype": model.dtype,
        "layers": [layer if isinstance(layer, int) else str(layer) for layer in layers],
        "code": [CODE_VERSION, transformers.__version__],
    }
    key = content_key(
        {
            **contents,
            "inputs": windows.inputs,
            "row": windows.row,
            "window": windows.window,
            "position": windows.position,
        }
    )
    assert model.cache is not None
    return cached_arrays(
        model.cache,
        key,
        names=[f"layer {layer}" for layer in layers],
        shape=(windows.n_rows, width),
        n_steps=n_steps,
        compute=compute,
        plan=f"{model.device}, batch_size {model.batch_size}, {BATCH_TOKENS} tokens",
        record={"model": model.name, "device": model.device, **contents},
    )


def _settings(config: Any) -> str:
    """Return what in a configuration can change hidden states."""
    settings = config.to_dict()
    for name in ("transformers_version", "dtype", "_name_or_path", "architectures"):
        settings.pop(name, None)
    return json.dumps(settings, sort_keys=True, default=str)


def _finite(
    model: LanguageModel, values: Iterable[np.ndarray], layers: Sequence[Any]
) -> Iterator[np.ndarray]:
    for layer, pooled in zip(layers, values, strict=True):
        # One pass without a mask in the usual case: a sum is finite only if every entry is.
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(pooled.sum()) or np.isfinite(pooled).all()
        if not finite:
            raise ValueError(
                f"layer {layer} of {model.name} is not finite in {model.dtype}: use "
                "dtype='bfloat16' or 'float32'"
            )
        yield pooled


def _forward(model: LanguageModel, batch: Batch, layers: Sequence[Any]) -> Iterator[np.ndarray]:
    """Run the network over a batch; return pooled states of each layer, (n_rows, n_features)."""
    import torch

    ids, mask = (
        torch.from_numpy(a).to(model.device)
        for a in batch.padded(model.tokenizer.pad_token_id or 0)
    )
    sites = [layer for layer in layers if isinstance(layer, Site)]
    with torch.inference_mode(), recorded(model.network, sites) as states:
        whole = model.network(
            input_ids=ids,
            attention_mask=mask.long(),
            output_hidden_states=len(sites) < len(layers),
            **({"use_cache": False} if model.causal else {}),
        ).hidden_states
    states |= dict(enumerate(whole or ()))
    order = np.argsort(batch.unit, kind="stable")  # places of one row side by side
    place, unit = (torch.from_numpy(a[order]).to(model.device) for a in (batch.place, batch.unit))
    count = torch.bincount(unit)[:, None]  # of places per row

    # A layer at a time: memory for all of them at once would cost more time than the pooling.
    def pool(layer: Any) -> np.ndarray:
        flat = states[layer].flatten(0, 1)  # (n_inputs * width, n_features)
        found = flat[place].float()  # (n_places, n_features)
        if len(found) > len(count):
            found = torch.zeros_like(found[: len(count)]).index_add_(0, unit, found) / count
        return found.cpu().numpy()

    return map(pool, layers)
