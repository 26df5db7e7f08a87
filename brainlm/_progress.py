"""Progress on standard error: bars where they are asked for, and of all that a command does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from threading import Timer
from typing import Any

from brainlm._log import say

SHOWN: ContextVar[bool] = ContextVar("progress", default=False)
DELAY = 2.0  # seconds after which a bar inside another step, or the line of a step, appears


@contextmanager
def shown_progress() -> Iterator[None]:
    """Show the bars of everything that is computed inside."""
    token = SHOWN.set(True)
    try:
        yield
    finally:
        SHOWN.reset(token)


def bar(
    items: Iterable[Any] | None = None,
    desc: str = "",
    *,
    progress: bool = False,
    inner: bool = False,
    **options: Any,
) -> Any:
    """Return a bar of tqdm over ``items``.

    Parameters
    ----------
    items : iterable, optional
        Default: none; the bar is moved by its ``update``.
    desc : str
    progress : bool
        Whether it was asked for; inside a command every bar is.
    inner : bool
        It belongs to a step of another bar: it appears after some seconds and goes when it is done.
    **options
        Of tqdm.
    """
    from tqdm import tqdm

    asked = progress or SHOWN.get()
    options |= {"delay": DELAY, "leave": False} if inner else {}
    return tqdm(items, desc=desc, disable=not asked, **options)


@contextmanager
def step(desc: str) -> Iterator[None]:
    """Print the name of a long step of a command that has no parts for a bar."""
    if not SHOWN.get():
        yield
        return
    timer = Timer(DELAY, copy_context().run, [say, f"{desc} ..."])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
