"""Assemble recordings larger than memory from blocks of samples.

Below a limit the array is in memory. Above it, it is written once into brainlm's cache and mapped
from there, so that opening it again costs megabytes of memory: the first time in a process it is
read through and compared with its checksum. In the file the samples of a target lie side
by side, because encoding takes a block of targets over all samples: reading such a block costs that
block.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock

from brainlm._validation import check_finite, mapped_file
from brainlm.errors import CorruptDataError
from brainlm.storage.downloads import cache_folder
from brainlm.storage.whole_files import (
    check_writable,
    checksum,
    read_checked,
    sync_folder,
    write_checked,
)

LARGEST_IN_MEMORY = 1 << 28  # bytes


def stack_blocks(
    blocks: Iterable[np.ndarray], shape: tuple[int, int], sources: Sequence[Path], options: Any
) -> np.ndarray:
    """Return blocks of rows as one read-only float32 array of the given shape.

    Parameters
    ----------
    blocks : iterable of array of shape (n_rows, n_columns)
        Only consumed when the result is not in the cache already.
    shape : pair of int
        Of the result.
    sources : sequence of path
        Files that the blocks come from; with ``options`` they name the cached file.
    options : object
        Whatever else decides about the values; its ``repr`` is used.

    Returns
    -------
    array of shape (n_samples, n_targets)
        In memory, or a memory map if it takes more than ``LARGEST_IN_MEMORY`` bytes.

    Raises
    ------
    CorruptDataError
        The blocks have more or fewer rows than the shape says, another width, or (where they are
        mapped, so that nobody looks at all of them later) values that are not finite.
    """
    if int(np.prod(shape, dtype=object)) * 4 <= LARGEST_IN_MEMORY:
        array = np.empty(shape, dtype=np.float32)
        for row, block in _checked(blocks, shape, sources):
            array[row : row + len(block)] = block
        array.flags.writeable = False
        return array
    state = [(str(path.absolute()), _state(path)) for path in sources]
    key = hashlib.sha256(repr(("by target", state, shape, options)).encode()).hexdigest()[:32]
    path = cache_folder() / "series" / f"{key}.npy"
    if not _whole(path, shape):
        check_writable(path.parent, "set BRAINLM_CACHE to a folder of your own")
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not _whole(path, shape):  # another process may have written it meanwhile
                _write(path, blocks, shape, sources)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _state(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is written or replaced, even under its old date."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _whole(path: Path, shape: tuple[int, int]) -> bool:
    """Return whether a written array is there with its ranges, and right; else remove it."""
    if not path.exists():
        return False
    if (str(path), _state(path)) in _seen:
        return True
    record = read_checked(_range_file(path))
    n_bytes = 4 * shape[0] * shape[1]
    if record is None or path.stat().st_size < n_bytes or not record.startswith(_stamp(path)):
        warnings.warn(f"{path}: damaged, written again", UserWarning, stacklevel=2)
        path.unlink(missing_ok=True)
        return False
    _seen.add((str(path), _state(path)))
    return True


_seen: set[tuple[str, tuple[int, ...]]] = set()  # arrays that were read through in this process


def _stamp(path: Path) -> bytes:
    return checksum(path).encode() + b"\n"


def _write(
    path: Path, blocks: Iterable[np.ndarray], shape: tuple[int, int], sources: Sequence[Path]
) -> None:
    """Write the blocks target by target, and beside them the smallest and largest values."""
    part = path.with_suffix(".part")
    for left in path.parent.glob(f".{_range_file(path).name}-*.tmp"):
        left.unlink()  # of a process that was killed: the caller holds the lock
    lowest, highest = np.full(shape[1], np.inf), np.full(shape[1], -np.inf)
    try:
        with open(part, "wb", buffering=0) as file:  # not mapped: dirty pages are memory, too
            header = {"descr": "<f4", "fortran_order": True, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            start = file.tell()
            for row, block in _gathered(_checked(blocks, shape, sources), shape):
                _check_values(block, row, sources)
                np.minimum(lowest, block.min(axis=0), out=lowest)
                np.maximum(highest, block.max(axis=0), out=highest)
                _write_columns(file, block, start + 4 * row, 4 * shape[0])
            os.fsync(file.fileno())
        ranges = BytesIO()
        np.save(ranges, np.stack([lowest, highest]))
        write_checked(_range_file(path), _stamp(part) + ranges.getvalue())
        os.replace(part, path)
        sync_folder(path.parent)
        _seen.add((str(path), _state(path)))
    finally:
        part.unlink(missing_ok=True)


def _range_file(path: Path) -> Path:
    return path.with_suffix(".range")


def _check_values(block: np.ndarray, row: int, sources: Sequence[Path]) -> None:
    try:
        check_finite(block, f"rows {row} to {row + len(block) - 1}")
    except ValueError as error:
        raise CorruptDataError(f"{sources[0]}: {error}") from error


def _gathered(
    blocks: Iterable[tuple[int, np.ndarray]], shape: tuple[int, int]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (row, block) in blocks as large as may be in memory: fewer, longer writes."""
    n_rows = max(1, min(shape[0], LARGEST_IN_MEMORY // (4 * shape[1])))
    held = np.empty((n_rows, shape[1]), dtype="<f4")
    first, filled = 0, 0
    for _, block in blocks:
        done = 0
        while done < len(block):
            taken = min(n_rows - filled, len(block) - done)
            held[filled : filled + taken] = block[done : done + taken]
            filled, done = filled + taken, done + taken
            if filled == n_rows:
                yield first, held
                first, filled = first + filled, 0
    if filled:
        yield first, held[:filled]


def _write_columns(file: BinaryIO, block: np.ndarray, place: int, stride: int) -> None:
    for start in range(0, block.shape[1], 4096):  # transposed in parts: a whole copy is memory
        for i, column in enumerate(np.ascontiguousarray(block[:, start : start + 4096].T), start):
            file.seek(place + i * stride)
            file.write(column.data)


def constant_columns(array: np.ndarray) -> np.ndarray | None:
    """Return which columns of a mapped array never change, without reading them.

    None where that is not known: the array is not one that `stack_blocks` mapped, whole.
    """
    path = mapped_file(array)
    record = None if path is None else read_checked(_range_file(path))
    if record is None:
        return None
    ranges = BytesIO(record.partition(b"\n")[2])
    lowest, highest = np.load(ranges, allow_pickle=False)
    return None if len(lowest) != array.shape[1] else np.flatnonzero(~(highest > lowest))


def _checked(
    blocks: Iterable[np.ndarray], shape: tuple[int, int], sources: Sequence[Path]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (row, block); raise unless the blocks fill the shape exactly and fit into float32."""
    row, lost = 0, _Rounding(shape[1])
    for block in blocks:
        if block.shape[1:] != shape[1:] or row + len(block) > shape[0]:
            raise CorruptDataError(
                f"{sources[0]}: a block of shape {block.shape} at row {row} does not fit into "
                f"{shape}"
            )
        if block.dtype.kind == "c":
            raise CorruptDataError(f"{sources[0]}: complex values; save their magnitude")
        lost.add(block)
        yield row, block
        row += len(block)
    if row != shape[0]:
        raise CorruptDataError(f"{sources[0]}: {row} samples, its header says {shape[0]}")
    if bad := lost.columns():
        raise CorruptDataError(
            f"{sources[0]}: {len(bad)} of {shape[1]} targets vary by less than single precision "
            f"resolves around their mean (the first: column {bad[0]}): subtract the mean of each"
        )


class _Rounding:
    """What rounding to float32 takes from each column of double or long integer values."""

    def __init__(self, n_columns: int) -> None:
        self.error = np.zeros(n_columns)
        self.lowest = np.full(n_columns, np.inf)
        self.highest = np.full(n_columns, -np.inf)

    def add(self, block: np.ndarray) -> None:
        if len(block) == 0 or np.can_cast(block.dtype, np.float32):
            return
        low, high = block.min(axis=0), block.max(axis=0)
        np.minimum(self.lowest, low, out=self.lowest)
        np.maximum(self.highest, high, out=self.highest)
        size = np.maximum(np.abs(low), np.abs(high))
        np.maximum(self.error, size * np.finfo(np.float32).eps / 2, out=self.error)

    def columns(self) -> list[int]:
        """Return the columns that lose more than a hundredth of their range."""
        spread = self.highest - self.lowest
        return np.flatnonzero((spread > 0) & (self.error > 0.01 * spread)).tolist()
