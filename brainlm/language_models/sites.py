"""Sites inside a transformer block: attention, its heads, the feed-forward part, the residual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from brainlm.errors import UnknownNameError, unknown_name

SITES = ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post", "z", "head")
Point = tuple[Any, str]  # a module, and "input" or "output"


@dataclass(frozen=True)
class Site:
    """A place in the block that computes a layer.

    Attributes
    ----------
    layer : int
        From 1; the block reads layer ``layer - 1``.
    name : str
        One of `SITES`: the residual before the block, what attention adds to it, the residual
        between, what the feed-forward part adds, the residual after; z, the mixed values of all
        attention heads before they are projected; or one head of z.
    head : int
        From 0; -1 where the name is not "head".
    """

    layer: int
    name: str
    head: int = -1

    def __str__(self) -> str:
        return f"{self.layer}.{self.name}" + (f".{self.head}" if self.head >= 0 else "")


def parse_sites(text: str, n_layers: int, n_heads: int) -> list[Site]:
    """Return the sites that a text names.

    Parameters
    ----------
    text : str
        ``"4.attn_out"``, ``"4.head.3"``; without a layer that site of every layer
        (``"mlp_out"``), and without a head all heads (``"4.head"``, ``"head"``).
    n_layers, n_heads : int

    Raises
    ------
    UnknownNameError
        Another name, layer or head; the message lists those there are.
    """
    first, _, rest = text.partition(".")
    layers = [int(first)] if first.isdecimal() else range(1, n_layers + 1)
    name, _, head = (rest if first.isdecimal() else text).partition(".")
    if name not in SITES:
        known = ["all", *range(n_layers + 1), *SITES, "4.attn_out", "4.head.0"]
        raise unknown_name("layer or site", text, known)
    if not all(1 <= layer <= n_layers for layer in layers):
        raise UnknownNameError(f"site {text!r}: blocks compute layers 1 to {n_layers}")
    if name != "head":
        if head:
            raise UnknownNameError(f"site {text!r}: only 'head' takes a number after its name")
        return [Site(layer, name) for layer in layers]
    if head and (not head.isdecimal() or int(head) >= n_heads):
        raise UnknownNameError(f"site {text!r}: heads are numbered from 0 to {n_heads - 1}")
    heads = [int(head)] if head else range(n_heads)
    return [Site(layer, name, number) for layer in layers for number in heads]


@contextmanager
def recorded(network: Any, sites: Sequence[Site]) -> Iterator[dict[Any, Any]]:
    """Record activations at sites during a forward pass, (n_inputs, width, n_features) each.

    Parameters
    ----------
    network : torch module
        Without a language-modelling head.
    sites : sequence of Site

    Raises
    ------
    UnknownNameError
        The architecture has no such site; the message lists those it has.
    """
    found: dict[Any, Any] = {}
    if not sites:
        yield found
        return
    blocks = blocks_of(network)
    n_heads = int(network.config.get_text_config().num_attention_heads)
    with ExitStack() as hooks:
        for site in sites:
            points = points_of(blocks[site.layer - 1])
            name = "z" if site.name == "head" else site.name
            if name not in points:
                raise unknown_name(f"site of {type(network).__name__}", str(site), points)
            module, side = points[name]

            def keep(value: Any, site: Site = site) -> None:
                value = value[0] if isinstance(value, tuple) else value
                if site.head >= 0:
                    size = value.shape[-1] // n_heads
                    value = value[..., site.head * size : (site.head + 1) * size]
                found[site] = value.detach().clone()  # a later module may write into it

            hooks.callback(_hook(module, side, keep).remove)
        yield found


def _hook(module: Any, side: str, keep: Any) -> Any:
    """Register a hook that keeps the input or the output of a module."""
    if side == "output":
        return module.register_forward_hook(lambda m, given, made: keep(made))

    def before(m: Any, given: tuple, named: dict) -> None:
        keep(given[0] if given else named["hidden_states"])

    return module.register_forward_pre_hook(before, with_kwargs=True)


def blocks_of(network: Any) -> Any:
    """Return the list of transformer blocks of a network."""
    for path in ("layers", "h", "encoder.layer", "transformer.layer", "encoder.layers"):
        found = network
        for name in path.split("."):
            found = getattr(found, name, None)
        if found is not None:
            return found
    raise UnknownNameError(
        f"sites inside the blocks of {type(network).__name__} are not known to brainlm: use layers "
        "by number"
    )


def points_of(block: Any) -> dict[str, Point]:
    """Return the sites of a block: module, and which side of it is read.

    Blocks are told apart by the names of their parts, which a family of architectures shares.
    """
    ends = {"resid_pre": (block, "input"), "resid_post": (block, "output")}
    if hasattr(block, "self_attn") and hasattr(block, "mlp"):  # Llama, Qwen, Gemma, Mistral, OLMo
        return ends | _llama_points(block)
    if hasattr(block, "attn") and hasattr(block, "ln_2"):  # GPT-2
        return ends | {
            "attn_out": (block.attn, "output"),
            "z": (block.attn.c_proj, "input"),
            "resid_mid": (block.ln_2, "input"),
            "mlp_out": (block.mlp, "output"),
        }
    if hasattr(block, "attention") and hasattr(block.attention, "dense"):  # GPT-NeoX, Pythia
        points = {
            "attn_out": (block.attention, "output"),
            "z": (block.attention.dense, "input"),
            "mlp_out": (block.mlp, "output"),
        }
        parallel = getattr(block, "use_parallel_residual", True)
        between = {} if parallel else {"resid_mid": (block.post_attention_layernorm, "input")}
        return ends | points | between
    if hasattr(block, "attention") and hasattr(block.attention, "output"):  # BERT, RoBERTa
        return ends | {
            "attn_out": (block.attention.output.dense, "output"),
            "z": (block.attention.output.dense, "input"),
            "resid_mid": (block.attention.output, "output"),
            "mlp_out": (block.output.dense, "output"),
        }
    return ends


def _llama_points(block: Any) -> dict[str, Point]:
    """Sites of a block with ``self_attn`` and ``mlp``; some normalise what is added."""
    z = {"z": (block.self_attn.o_proj, "input")} if hasattr(block.self_attn, "o_proj") else {}
    if hasattr(block, "post_feedforward_layernorm"):  # Gemma 2 and 3, OLMo 2
        before = getattr(block, "pre_feedforward_layernorm", block.mlp)
        return {
            "attn_out": (block.post_attention_layernorm, "output"),
            "resid_mid": (before, "input"),
            "mlp_out": (block.post_feedforward_layernorm, "output"),
            **z,
        }
    return {
        "attn_out": (block.self_attn, "output"),
        "resid_mid": (block.post_attention_layernorm, "input"),
        "mlp_out": (block.mlp, "output"),
        **z,
    }
