"""Long recordings without long memory: blocks of samples go into an array, or into a file.

Below a limit the array is in memory. Above it, it is written once into brainlm's cache and mapped
from there, so that opening costs megabytes and reading some targets costs those targets.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.downloads import cache_folder
from brainlm.errors import CorruptDataError

__all__ = ["LARGEST_IN_MEMORY", "read_masked", "stack_blocks"]

LARGEST_IN_MEMORY = 1 << 28  # bytes
BLOCK = 1 << 26  # bytes of an image that are read at a time


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
        The blocks have more or fewer rows than the shape says, or another width.
    """
    if int(np.prod(shape, dtype=object)) * 4 <= LARGEST_IN_MEMORY:
        array = np.empty(shape, dtype=np.float32)
        _fill(array, blocks, sources)
        array.flags.writeable = False
        return array
    state = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in sources]
    key = hashlib.sha256(repr((state, shape, options)).encode()).hexdigest()[:32]
    path = cache_folder() / "series" / f"{key}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            target = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=shape)
            _fill(target, blocks, sources)
            target.flush()
            del target
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _fill(array: np.ndarray, blocks: Iterable[np.ndarray], sources: Sequence[Path]) -> None:
    row = 0
    for block in blocks:
        stop = row + len(block)
        if block.shape[1:] != array.shape[1:] or stop > len(array):
            raise CorruptDataError(
                f"{sources[0]}: a block of shape {block.shape} at row {row} does not fit into "
                f"{array.shape}"
            )
        array[row:stop] = block
        row = stop
    if row != len(array):
        raise CorruptDataError(f"{sources[0]}: {row} samples, its header says {len(array)}")


def read_masked(image: Any, mask: np.ndarray, labels: np.ndarray | None = None) -> Any:
    """Yield blocks of volumes of a 4-D image, as rows over the voxels of a mask.

    Parameters
    ----------
    image : nibabel image of shape (n_x, n_y, n_z, n_volumes)
        Only slices of its ``dataobj`` are read.
    mask : bool array of shape (n_x, n_y, n_z)
    labels : array of shape (n_voxels,), optional
        Region number of each voxel of the mask; the rows then are means of regions, in rising
        order of the numbers.
    """
    n_bytes = int(np.prod(image.shape[:3])) * 8
    step = max(1, BLOCK // n_bytes)
    regions = None if labels is None else np.unique(labels)
    for start in range(0, image.shape[3], step):
        block = np.asanyarray(image.dataobj[..., start : start + step])[mask].T
        if regions is not None:
            block = np.column_stack([block[:, labels == region].mean(axis=1) for region in regions])
        yield block
