"""Check free memory before a large array is allocated."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from brainlm.errors import CorruptDataError

MOST_COMPRESSED = 1032  # deflate cannot do better
SLACK = 1 << 26  # bytes; files of constant values that are not even stored
# Limit, use, and cached files of a control group: version 2 names no controller, version 1 does.
GROUP_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def available_memory() -> int:
    """Return the memory that this process can still take, in bytes.

    The least of what is free on the machine, in the control group of the process or one above it
    (a container, a job of SLURM), and under the limit of its address space (``ulimit -v``).
    """
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found = next(int(row.split()[1]) for row in lines if row.startswith("MemAvailable")) * 1024
    except (OSError, StopIteration, ValueError):
        pass  # no Linux: all of the machine's memory
    return max(0, min([found, *_left_in_groups(), *_left_of_address_space()]))


def _left_in_groups(
    top: Path = Path("/sys/fs/cgroup"), listing: Path = Path("/proc/self/cgroup")
) -> Iterator[int]:
    """Yield the memory left in the control groups of this process and in those above them.

    Cached files that the system can drop at once count as free.
    """
    try:
        lines = listing.read_text().splitlines()
    except OSError:
        return  # no Linux
    for line in lines:
        _, kinds, own = line.split(":", 2)
        if kinds not in GROUP_FILES:
            continue
        limit, taken, dropped = GROUP_FILES[kinds]
        hierarchy = top / kinds
        folder = hierarchy / own.strip("/")
        for each in (folder, *folder.parents):
            if not each.is_relative_to(hierarchy):
                break
            try:
                rows = dict(row.split() for row in (each / "memory.stat").read_text().splitlines())
                held = int((each / taken).read_text()) - int(rows[dropped])
                yield int((each / limit).read_text()) - held
            except (OSError, ValueError, KeyError):
                continue  # no limit, or a group that a container does not show


def _left_of_address_space() -> Iterator[int]:
    """Yield the address space left under RLIMIT_AS, where it is set."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            taken = int(Path("/proc/self/statm").read_text().split()[0])
            yield limit - taken * resource.getpagesize()
    except (ImportError, OSError):
        return  # Windows has none, macOS does not count it


def check_memory(n_bytes: int, what: str, advice: str) -> None:
    """Raise MemoryError when ``n_bytes`` for ``what`` are not free.

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
            f"{what} needs {n_bytes / 1e9:.1f} GB of memory, {there / 1e9:.1f} GB are free: "
            f"{advice}"
        )


def check_declared(path: Path, n_bytes: int, stored: int | None = None) -> None:
    """Raise when a file declares more values than its bytes can hold, however well compressed.

    Parameters
    ----------
    path : path
    n_bytes : int
        What its header declares.
    stored : int, optional
        Bytes that hold the values. Default: those of the file.
    """
    stored = path.stat().st_size if stored is None else stored
    if n_bytes > MOST_COMPRESSED * stored + SLACK:
        raise CorruptDataError(
            f"{path}: its header declares {n_bytes} bytes, which {stored} stored bytes cannot "
            "hold: the header is broken, or the file is cut off; fetch it again"
        )


def check_unpacked(path: Path, packed: int, pieces: Iterable[bytes], copies: int = 3) -> None:
    """Raise MemoryError when the unpacked content of a file does not fit in memory.

    The pieces are counted and dropped, so a file that swells is refused before it is held. One that
    is small beside the memory cannot swell enough and is not unpacked for this.

    Parameters
    ----------
    path : path
    packed : int
        Bytes that are unpacked.
    pieces : iterable of bytes
        What they unpack to, little by little.
    copies : int
        How often the reader holds the content.
    """
    room = available_memory() // copies
    if packed * MOST_COMPRESSED <= room:
        return
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > room:
            raise MemoryError(
                f"{path}: {packed} bytes unpack to more than {room / 1e9:.1f} GB, of which "
                f"{copies} do not fit into memory: the file is broken or hostile, or needs a "
                "larger machine"
            )


def parse_bytes(size: int | str) -> int:
    """Return a size in bytes given as a number or as text such as ``"4GB"`` or ``"512MiB"``."""
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        found = int(TypeAdapter(ByteSize).validate_python(size))
    except ValidationError:
        raise ValueError(
            f"{size!r} is not a size in bytes: give a number, or text like '4GB'"
        ) from None
    if found <= 0:
        raise ValueError(f"a size in bytes must be positive, got {size!r}")
    return found
