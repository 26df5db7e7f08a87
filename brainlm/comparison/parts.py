"""Parts of a study: each is saved when it is finished, so an interrupted run resumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from brainlm._progress import bar
from brainlm.storage.store import PartStore

if TYPE_CHECKING:
    import xarray


def run_parts(
    jobs: Sequence[tuple[str, Mapping[str, Any], Callable[[], xarray.Dataset]]],
    store: PartStore,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[dict[str, xarray.Dataset], dict[str, float]]:
    """Compute the parts of a study that are not on disk yet.

    Parameters
    ----------
    jobs : sequence of (name, key, compute)
        ``key`` holds everything that the part depends on: hashes of the data, revision of the
        model, settings.
    store : PartStore
    say : callable
        Told one line per part.

    Returns
    -------
    parts : dict of str to xarray.Dataset
        By name, in the order of the jobs.
    seconds : dict of str to float
        Of each part; 0 where it was kept.
    """
    parts, seconds = {}, {}
    for number, (name, key, compute) in enumerate(bar(jobs, "parts"), 1):
        if name in parts:
            raise ValueError(f"two jobs are called {name!r}")
        start = perf_counter()
        key = {**key, "part": name}  # two data sets may be columns of one file
        part = store.load(key)
        if part is not None:
            parts[name], seconds[name] = part, 0.0
            say(f"[{number}/{len(jobs)}] {name}: kept from an earlier run")
            continue
        parts[name] = compute()
        store.save(key, parts[name])
        seconds[name] = perf_counter() - start
        say(f"[{number}/{len(jobs)}] {name}: {seconds[name]:.0f} s")
    return parts, seconds
