"""Arrays in files, opened where they lie: .npy, HDF5 and Zarr, nothing of them read yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError, unknown_name

__all__ = ["open_stored", "split_place"]

HDF5 = (".h5", ".hf5", ".hdf5", ".nc")


def open_stored(place: str) -> Any:
    """Open an array where it lies; nothing of it is read yet.

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
    try:
        if path.suffix == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False)
        found = _open_hdf5(path, name) if path.suffix in HDF5 else _open_zarr(path, name)
    except (CorruptDataError, DataMissingError, UnknownNameError):
        raise
    except (ValueError, OSError) as error:
        raise CorruptDataError(f"{path}: cannot be read ({error})") from error
    if not hasattr(found, "shape"):
        raise CorruptDataError(f"{place}: is a group, not an array; add ':name'")
    return found


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
    return file[name]


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
