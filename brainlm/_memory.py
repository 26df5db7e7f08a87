"""How much memory there is, asked before something large is made."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_memory", "check_memory"]


def available_memory() -> int:
    """Return the bytes that this process can still take: the machine's, or its control group's."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found = next(int(row.split()[1]) for row in lines if row.startswith("MemAvailable")) * 1024
    except (OSError, StopIteration, ValueError):
        pass  # no Linux: all of the machine's memory
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        if limit != "max":
            found = min(found, max(int(limit) - used, 0))
    except (OSError, ValueError):
        pass  # no limit
    return found


def check_memory(n_bytes: int, what: str, advice: str) -> None:
    """Raise MemoryError when ``n_bytes`` for ``what`` are not there.

    Parameters
    ----------
    n_bytes : int
        Bytes needed.
    what, advice : str
        What they are for, and what to do instead.
    """
    there = available_memory()
    if n_bytes > there:
        raise MemoryError(
            f"{what} needs {n_bytes / 1e9:.1f} GB of memory, {there / 1e9:.1f} GB are there: "
            f"{advice}"
        )
