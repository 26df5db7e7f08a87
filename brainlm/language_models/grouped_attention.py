"""Attention of few new tokens to a cache, on the processor.

torch's kernels for the processor are made for long texts. With the few tokens of a candidate word
behind some dozens of earlier ones, two products of matrices take a third to a tenth of the time.
Heads that share keys and values are rows of one product, so neither is copied for each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

NAME = "brainlm_grouped"


@contextmanager
def grouped_attention(network: Any) -> Iterator[None]:
    """Let a network on the processor use it, where it would use torch's.

    Parameters
    ----------
    network : transformers.PreTrainedModel
        Masks must be given as numbers to add, (n_texts, 1, n_new, n_seen).
    """
    config = network.config
    if network.device.type != "cpu" or config._attn_implementation != "sdpa":
        yield
        return
    _register()
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = "sdpa"


@cache
def _register() -> None:
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Any, None]:
    """Return softmax(scaling q k' + mask) v, summed in single precision.

    Parameters
    ----------
    module : torch.nn.Module
        The layer; not used.
    query : tensor of shape (n_texts, n_heads, n_new, n_dimensions)
    key, value : tensor of shape (n_texts, n_groups, n_seen, n_dimensions)
        Each group serves ``n_heads / n_groups`` heads that follow each other.
    attention_mask : tensor of shape (n_texts, 1, n_new, n_seen)
    scaling : float, optional
        Default: one over the root of ``n_dimensions``.
    **others
        What some networks add (a bias by position, a cap); torch's attention then does it.

    Returns
    -------
    tensor of shape (n_texts, n_new, n_heads, n_dimensions), None
    """
    unusual = {"softcap", "position_bias", "s_aux"} & {
        k for k, v in others.items() if v is not None
    }
    if attention_mask is None or not attention_mask.is_floating_point() or unusual:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        given = {"scaling": scaling, **others}
        return sdpa_attention_forward(module, query, key, value, attention_mask, **given)
    (n, heads, new, d), (groups, seen) = query.shape, key.shape[1:3]
    q = query.reshape(n * groups, -1, d).float() * (d**-0.5 if scaling is None else scaling)
    k, v = (each.reshape(n * groups, seen, -1).float() for each in (key, value))
    scores = (q @ k.transpose(1, 2)).view(n, groups, heads // groups, new, seen)
    scores += attention_mask[:, :, None]
    weights = scores.softmax(-1).view(n * groups, -1, seen)
    found = (weights @ v).view(n, heads, new, -1).transpose(1, 2)
    return found.to(query.dtype).contiguous(), None
