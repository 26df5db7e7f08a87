"""MATLAB files, up to v7 and v7.3 (HDF5), as plain arrays, texts and dicts.

Nothing in them is run: MATLAB objects and functions stay opaque and are refused where used.
"""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.compute.lazy_arrays import check_hdf5
from brainlm.compute.memory import check_memory, check_unpacked
from brainlm.errors import CorruptDataError, reading, unknown_name
from brainlm.storage.downloads import check_content

# Types of the elements of a file (version 5).
MATRIX, COMPRESSED = 14, 15
NUMBERS = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13})
TEXTS = frozenset({1, 2, 4, 16, 17, 18})
ANYTHING = ELEMENTS = NUMBERS | TEXTS | {MATRIX, COMPRESSED}
# Classes of matrices.
CELL, STRUCT, OBJECT, CHAR, SPARSE, FUNCTION, OPAQUE = 1, 2, 3, 4, 5, 16, 17


def read_mat(path: Path | str) -> dict[str, Any]:
    """Read the variables of a ``.mat`` file.

    Returns
    -------
    dict of str to object
        Matrices as arrays (with MATLAB's own shape; vectors are 1-D), texts as str, cell arrays as
        lists, structs as dicts, struct arrays as lists of dicts.

    Raises
    ------
    DataMissingError, CorruptDataError
        The file is missing, broken, or no MATLAB file.
    MemoryError
        It unpacks to, or declares, more than there is memory for.
    """
    path = check_content(path)
    with open(path, "rb") as file:
        head = file.read(1024)
    with reading(path, "MATLAB file"):
        if head.startswith((b"MATLAB 7.3", b"\x89HDF")):
            return _read_new(path)
        return _read_old(path)


def _read_old(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    _check_tags(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # scipy only warns about a variable that is broken
        content = loadmat(path, simplify_cells=True)
    return {name: _plain(value) for name, value in content.items() if not name.startswith("__")}


def _check_tags(path: Path) -> None:
    """Raise unless types and lengths of all elements fit: scipy would crash on some that do not."""
    content = path.read_bytes()
    if 0 in content[:4] or content[126:128] not in (b"IM", b"MI"):
        return  # version 4, or no header: scipy sees to it
    _walk(path, content, 128, len(content), "<" if content[126:128] == b"IM" else ">", 0)


def _walk(path: Path, content: bytes, place: int, end: int, order: str, depth: int) -> None:
    """Check the elements from ``place`` to ``end``; in a matrix (depth > 0) as its class says."""
    if depth > 20:
        raise ValueError("matrices within matrices without end")
    allowed = _types_of_matrix(content, place, end, order) if depth else repeat(ELEMENTS)
    while place < end:
        kind, n_bytes, data = _tag(content, place, end, order)
        small = data == place + 4
        place = data + (4 if small else n_bytes)
        if kind != COMPRESSED and not small:
            place += -n_bytes % 8
        if kind not in next(allowed, ()) or data + n_bytes > end or (small and kind == MATRIX):
            raise ValueError(f"an element of type {kind} and {n_bytes} bytes at byte {data}")
        if kind == COMPRESSED:
            packed = content[data : data + n_bytes]
            check_unpacked(path, n_bytes, _inflated(packed))
            unpacked = zlib.decompress(packed)
            _walk(path, unpacked, 0, len(unpacked), order, 0)
        elif kind == MATRIX and n_bytes:
            _walk(path, content, data, data + n_bytes, order, depth + 1)
    if depth and next(allowed, ANYTHING) != ANYTHING:
        raise ValueError(f"a matrix that lacks a part of its content, at byte {end}")


def _types_of_matrix(content: bytes, place: int, end: int, order: str) -> Iterator[frozenset[int]]:
    """Yield the types that each element of a matrix may have: flags, sizes, name, content.

    scipy reads the content as class and sizes say, and crashes where they are not there.
    """
    kind, n_bytes, data = _tag(content, place, end, order)
    if (kind, n_bytes) != (6, 8) or data + n_bytes > end:
        raise ValueError(f"a matrix without its class at byte {data}")
    flags = struct.unpack_from(f"{order}I", content, data)[0]
    sort, is_complex = flags % 256, bool(flags & 0x800)
    if not 1 <= sort < 18:
        raise ValueError(f"a matrix of an unknown class at byte {data}")
    yield frozenset({6})
    if sort == OPAQUE:
        yield from repeat(ANYTHING)
    n_entries = _size_of(content, data + 8, end, order)
    yield frozenset({5})
    yield frozenset({1})
    if sort == FUNCTION:
        yield from repeat(ANYTHING)
    if sort == CELL:
        yield from repeat(frozenset({MATRIX}), n_entries)
    elif sort in (STRUCT, OBJECT):
        yield from [frozenset({1})] * (sort == OBJECT)
        yield frozenset({5})
        yield frozenset({1})
        yield from repeat(ANYTHING)  # a matrix per field and entry; scipy counts them
    elif sort == CHAR:
        yield TEXTS
    else:
        yield from [frozenset({5})] * (2 * (sort == SPARSE))
        yield from [NUMBERS] * (1 + is_complex)


def _size_of(content: bytes, place: int, end: int, order: str) -> int:
    """Return the number of entries that the sizes of a matrix say."""
    kind, n_bytes, data = _tag(content, place, end, order)
    if kind != 5 or n_bytes < 8 or n_bytes % 4 or data + n_bytes > end:
        raise ValueError(f"a matrix without its sizes at byte {data}")
    sizes = struct.unpack_from(f"{order}{n_bytes // 4}i", content, data)
    if min(sizes) < 0:
        raise ValueError(f"a matrix of sizes {sizes} at byte {data}")
    return math.prod(sizes)


def _inflated(packed: bytes) -> Iterator[bytes]:
    """The unpacked content in pieces of a megabyte."""
    unpacker = zlib.decompressobj()
    while packed and not unpacker.eof:
        yield unpacker.decompress(packed, 1 << 20)
        packed = unpacker.unconsumed_tail


def _tag(content: bytes, place: int, end: int, order: str) -> tuple[int, int, int]:
    """Return type, number of bytes and place of an element; a small one is all in its tag."""
    if place + 8 > end:
        raise ValueError(f"cut off at byte {place}")
    kind, n_bytes = struct.unpack_from(f"{order}II", content, place)
    if kind >> 16:
        if kind >> 16 > 4:
            raise ValueError(f"a small element of {kind >> 16} bytes at byte {place}")
        return kind & 0xFFFF, kind >> 16, place + 4
    return kind, n_bytes, place + 8


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [_plain(entry) for entry in value.ravel()]
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value


def _read_new(path: Path) -> dict[str, Any]:
    import h5py

    with h5py.File(path, "r") as file:
        return {
            name: _decode(path, file, file[name], 0) for name in file if not name.startswith("#")
        }


def _decode(path: Path, file: Any, entry: Any, depth: int) -> Any:
    import h5py

    if depth > 10:
        raise ValueError("cells within cells without end")
    if isinstance(entry, h5py.Group):
        return {name: _decode(path, file, entry[name], depth + 1) for name in entry}
    kind = entry.attrs.get("MATLAB_class", b"").decode()
    if entry.attrs.get("MATLAB_empty", 0):
        return "" if kind == "char" else []
    if entry.dtype == object:  # a cell array: references to its entries
        return [
            _decode(path, file, file[reference], depth + 1) for reference in entry[()].T.ravel()
        ]
    check_hdf5(path, entry)
    check_memory(2 * entry.nbytes, f"{path}, {entry.name}", "keep it in HDF5 and read a part")
    values = entry[()].T  # MATLAB stores columns first
    if kind == "char":
        return values.astype(np.uint16).ravel(order="C").tobytes().decode("utf-16-le")
    return values.squeeze() if 1 in values.shape else values


def variable_shape(path: Path, name: str) -> tuple[int, ...]:
    """Return MATLAB's shape of a variable without reading its values.

    Raises
    ------
    DataMissingError, CorruptDataError
        As in `read_mat`; also when there is no such variable.
    """
    import h5py
    from scipy.io import whosmat

    check_content(path)
    with reading(path, "MATLAB file"):
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                shapes = {key: getattr(file[key], "shape", ())[::-1] for key in file}
        else:
            shapes = {key: shape for key, shape, _ in whosmat(path)}
    if name not in shapes:
        raise CorruptDataError(f"{path}: {unknown_name('variable', name, shapes)}")
    return tuple(int(n) for n in shapes[name])


def find(content: dict[str, Any], name: str, path: Path) -> Any:
    """Return a variable, or a field in it (``"info.word"``, for each entry of a struct array)."""
    value: Any = content
    for part in name.split("."):
        if isinstance(value, list) and value and all(isinstance(x, dict) for x in value):
            value = [entry.get(part) for entry in value]
            continue
        if not isinstance(value, dict) or part not in value:
            choices = value if isinstance(value, dict) else []
            raise CorruptDataError(f"{path}: {unknown_name('variable', name, choices)}")
        value = value[part]
    return value
