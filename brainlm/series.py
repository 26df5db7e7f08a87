"""Long recordings without long memory: blocks of samples go into an array, or into a file.

Below a limit the array is in memory. Above it, it is written once into brainlm's cache and mapped
from there, so that opening costs megabytes. Samples lie one after the other in the file: reading
some samples costs those, reading some targets passes once through the file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
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
        for row, block in _checked(blocks, shape, sources):
            array[row : row + len(block)] = block
        array.flags.writeable = False
        return array
    state = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in sources]
    key = hashlib.sha256(repr((state, shape, options)).encode()).hexdigest()[:32]
    path = cache_folder() / "series" / f"{key}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            with open(part, "wb") as file:  # written and not mapped: dirty pages are memory, too
                np.lib.format.write_array_header_1_0(file, header)
                for _, block in _checked(blocks, shape, sources):
                    file.write(np.ascontiguousarray(block, dtype="<f4").data)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _checked(
    blocks: Iterable[np.ndarray], shape: tuple[int, int], sources: Sequence[Path]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (row, block); raise unless the blocks fill the shape exactly."""
    row = 0
    for block in blocks:
        if block.shape[1:] != shape[1:] or row + len(block) > shape[0]:
            raise CorruptDataError(
                f"{sources[0]}: a block of shape {block.shape} at row {row} does not fit into "
                f"{shape}"
            )
        yield row, block
        row += len(block)
    if row != shape[0]:
        raise CorruptDataError(f"{sources[0]}: {row} samples, its header says {shape[0]}")


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
