"""Arrays larger than memory: opened lazily and read in blocks of columns.

Arrays, memory maps, HDF5 data sets and Zarr arrays all do; a NIfTI run becomes a memory map through
``brainlm.from_image``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlm._validation import bad_targets, is_mapped
from brainlm.compute.memory import check_declared
from brainlm.errors import CorruptDataError, DataMissingError, reading, unknown_name

READ_BYTES = 1 << 27  # of targets read at a time


def on_disk(Y: Any) -> bool:
    """Return whether targets are not a plain array in memory."""
    return not isinstance(Y, np.ndarray) or is_mapped(Y)


def column_blocks(n_targets: int, n_bytes: int, at_most: int = READ_BYTES) -> Iterator[slice]:
    """Yield slices that cover the targets in blocks of at most ``at_most`` bytes.

    Parameters
    ----------
    n_targets : int
    n_bytes : int
        Of one target.
    at_most : int
    """
    step = max(1, at_most // max(n_bytes, 1))
    for start in range(0, n_targets, step):
        yield slice(start, min(start + step, n_targets))


class TargetView:
    """Some rows and columns of targets, read when they are asked for.

    ``view[:, a:b]`` is an array in memory, ``view.shape`` its whole shape. Neighbouring columns are
    read ahead together, because storage gives many columns at almost the price of one.

    Parameters
    ----------
    Y : array-like of shape (n_samples, n_targets)
    rows : array of int, optional
        Samples in use. Default: all.
    columns : array of int, optional
        Targets in use, rising. Default: all.
    at_most : int
        Bytes to read ahead.
    """

    def __init__(
        self,
        Y: Any,
        rows: np.ndarray | None = None,
        columns: np.ndarray | None = None,
        *,
        at_most: int = READ_BYTES,
    ) -> None:
        self.source = Y
        self.rows = rows
        self.columns = columns
        n_rows = Y.shape[0] if rows is None else len(rows)
        n_columns = Y.shape[1] if columns is None else len(columns)
        self.shape = (n_rows, n_columns)
        self.dtype = np.dtype(Y.dtype)
        self.step = max(1, at_most // max(1, Y.shape[0] * self.dtype.itemsize))
        self._read = (0, np.empty((n_rows, 0), dtype=self.dtype))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        every, block = key
        start, stop, step = block.indices(self.shape[1])
        if every != slice(None) or step != 1:
            raise IndexError(f"targets are read as [:, a:b], got {key!r}")
        first, held = self._read
        if not first <= start <= stop <= first + held.shape[1]:
            held = self._columns(start, min(max(stop, start + self.step), self.shape[1]))
            self._read = first, held = start, held
        return held[:, start - first : stop - first]

    def _columns(self, start: int, stop: int) -> np.ndarray:
        if self.columns is None:
            block = np.asarray(self.source[:, start:stop])
        else:  # one unbroken read: storage is slow at picking
            own = self.columns[start:stop]
            block = np.asarray(self.source[:, own[0] : own[-1] + 1])[:, own - own[0]]
        return block if self.rows is None else block[self.rows]


def bad_columns(Y: Any, folds: Sequence[tuple[np.ndarray, np.ndarray]] = ()) -> np.ndarray:
    """Return which targets hold NaN or infinity, or never change, bool (n_targets,).

    Parameters
    ----------
    Y : array-like of shape (n_samples, n_targets)
        Read in blocks.
    folds : sequence of (train, test)
        Targets must change in each of these sets of rows as well.
    """
    bad = np.zeros(Y.shape[1], dtype=bool)
    for block in column_blocks(Y.shape[1], Y.shape[0] * np.dtype(Y.dtype).itemsize):
        values = np.asarray(Y[:, block])
        bad[block] = bad_targets(values)
        for rows in (rows for fold in folds for rows in fold):
            bad[block] |= np.ptp(values[rows], axis=0) == 0
    return bad


HDF5 = (".h5", ".hf5", ".hdf5", ".nc")


def open_stored(place: str) -> Any:
    """Open an array lazily, without reading it into memory.

    Parameters
    ----------
    place : str
        ``file.npy``, ``file.h5:name``, ``folder.zarr`` or ``folder.zarr:name``.

    Returns
    -------
    array-like
        With ``shape``, ``dtype`` and slices.
    """
    file, name = split_place(place)
    path = Path(file)
    if not path.exists():
        raise DataMissingError(f"{path}: no such file (of {place!r})")
    with reading(path, "array"):
        if path.suffix == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False)
        found = _open_hdf5(path, name) if path.suffix in HDF5 else _open_zarr(path, name)
        if not hasattr(found, "shape"):
            raise CorruptDataError(f"{place}: is a group, not an array; add ':name'")
        if not found.shape:  # None where HDF5 has an "empty" data set
            raise CorruptDataError(f"{place}: holds a single value or none, not an array")
        return found


def read_stored(place: str, rows: Any = ..., columns: slice | None = None) -> np.ndarray:
    """Read an array, or a block of it, into memory.

    Parameters
    ----------
    place : str
        As in `open_stored`.
    rows : slice, optional
    columns : slice, optional
        Default: all.

    Raises
    ------
    CorruptDataError
        What was asked for cannot be read, or is declared but not stored in the file.
    """
    stored = open_stored(place)
    path = Path(split_place(place)[0])
    with reading(path, "array"):
        check_hdf5(path, stored)
        return np.asarray(stored[rows] if columns is None else stored[rows, columns])


def split_place(place: str) -> tuple[str, str]:
    """Return file and name of the array in it (empty where there is none)."""
    for suffix in (*HDF5, ".zarr"):
        file, found, name = place.rpartition(f"{suffix}:")
        if found:
            return file + suffix, name
    if Path(place).suffix not in (".npy", ".zarr", *HDF5):
        raise CorruptDataError(
            f"{place}: arrays are read from .npy, .zarr and {', '.join(HDF5)} (file.h5:name)"
        )
    return place, ""


def _open_hdf5(path: Path, name: str) -> Any:
    import h5py

    file = h5py.File(path, "r")
    if not name and len(file) == 1:
        name = next(iter(file))
    if not name:
        raise CorruptDataError(f"{path}: name one of its arrays {list(file)}: {path.name}:NAME")
    if name not in file:
        raise unknown_name(f"array of {path}", name, file)
    found = file[name]
    _refuse_links(found, f"{path}:{name}", path)
    return found


def check_hdf5(path: Path, found: Any) -> None:
    """Raise where a data set of an HDF5 file declares far more than the file can hold.

    HDF5 allocates what is declared, and the declared length of each text, before it reads.
    """
    if path.suffix in (".npy", ".zarr"):
        return
    import h5py

    if not isinstance(found, h5py.Dataset) or not found.shape:
        return
    check_declared(path, found.nbytes, found.id.get_storage_size())
    start = found.id.get_offset()  # None unless the values are in one piece
    text = h5py.check_string_dtype(found.dtype)
    ragged = h5py.check_vlen_dtype(found.dtype) is not None or (text and text.length is None)
    if not ragged or start is None:
        return
    with open(path, "rb") as file:
        file.seek(start)
        entries = np.frombuffer(file.read(16 * found.size), dtype="<u4")  # length, then where
    if int(entries[::4].sum(dtype=np.int64)) > path.stat().st_size:
        raise CorruptDataError(f"{path}: {found.name} declares texts longer than the file")


def _refuse_links(found: Any, place: str, path: Path) -> None:
    """Raise for an array whose values are in another file: a change there would go unseen."""
    elsewhere = not os.path.samefile(found.file.filename, path)
    if elsewhere or getattr(found, "is_virtual", False) or getattr(found, "external", None):
        raise CorruptDataError(
            f"{place}: is a link to another file, whose changes brainlm would not see: name that "
            "file, or copy the array into this one (h5copy, h5repack)"
        )


def _open_zarr(path: Path, name: str) -> Any:
    try:
        import zarr
    except ImportError:
        raise DataMissingError(
            f"{path}: Zarr is not installed: pip install 'brainlm[cluster]'"
        ) from None
    found: Any = zarr.open(str(path), mode="r")
    if not name:
        return found
    if name not in found:
        raise unknown_name(f"array of {path}", name, sorted(found.keys()))
    return found[name]
