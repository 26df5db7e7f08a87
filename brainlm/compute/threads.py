"""Many small problems of linear algebra: in parallel, with one thread each.

A decomposition of a few hundred columns is too small for several threads. They wait for each other
at every step, and where other programs use the processor a decomposition takes ten times longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_lock = Lock()
_inside: list[Any] = []  # the limit, while at least one caller needs it, and how many do


def map_alone(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return ``function`` of each item, with one thread of the BLAS each, several at a time.

    Parameters
    ----------
    function : callable
        Of arrays of numpy; what it shares with others it only reads.
    items : iterable
    """
    with _one_thread_each() as n_threads:
        if n_threads == 1:
            return [function(item) for item in items]
        with ThreadPoolExecutor(n_threads) as pool:
            return list(pool.map(function, items))


@contextmanager
def _one_thread_each() -> Iterator[int]:
    """Limit the BLAS of the process until the last caller has left; yield its usual threads."""
    with _lock:
        if not _inside:
            _inside.extend([_blas().limit(limits=1, user_api="blas"), 0])
        _inside[1] += 1
        usual = _inside[0].get_original_num_threads()["blas"]
    try:
        yield usual or 1
    finally:
        with _lock:
            _inside[1] -= 1
            if not _inside[1]:
                _inside[0].restore_original_limits()
                _inside.clear()


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
