"""Run a network up to one of its layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from brainlm.language_models import LanguageModel


class _Reached(Exception):  # noqa: N818  (it is no error)
    """The layer that was asked for is reached: the layers above are not needed."""

    def __init__(self, states: Any) -> None:
        super().__init__("reached")
        self.states = states


def layer_stack(model: LanguageModel) -> Any:
    """Return the list of layers of the network with its head, found by its length."""
    from torch.nn import ModuleList

    model.headed  # noqa: B018  (loads the head before the body is used by itself)
    for module in model.network.modules():
        if isinstance(module, ModuleList) and len(module) == model.n_layers:
            return module
    raise ValueError(f"{model.name}: its layers were not found, so decoding cannot read them")


def states_at(stack: Any, layer: int | None, forward: Callable[[], Any]) -> Any:
    """Return the output of ``layer`` (1 to all) in a forward pass, which stops there.

    Parameters
    ----------
    stack : torch.nn.ModuleList
    layer : int or None
        None, and the last layer: the last hidden state, after the final normalisation.
    forward : callable
        Runs the network; returns its last hidden state.
    """
    if layer is None or layer == len(stack):
        return forward()
    with _until(stack[layer - 1]):
        try:
            return forward()
        except _Reached as reached:
            return reached.states


@contextmanager
def _until(module: Any) -> Iterator[None]:
    def stop(_module: Any, _arguments: Any, output: Any) -> None:
        raise _Reached(output[0] if isinstance(output, tuple) else output)

    hook = module.register_forward_hook(stop)
    try:
        yield
    finally:
        hook.remove()
