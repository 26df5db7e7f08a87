"""Pickles read with an allow-list: plain containers, text, numbers and numeric numpy arrays.

A pickle is a program. Here nothing that it names is called: arrays are rebuilt by this module's
own code from their checked shape, dtype and bytes, and every other global is refused by name.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.errors import CorruptDataError
from brainlm.storage.downloads import check_content

OPCODES = frozenset(
    [
        "PROTO",
        "FRAME",
        "STOP",
        "MARK",
        "POP",
        "POP_MARK",
        "DUP",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "INT",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG",
        "LONG1",
        "LONG4",
        "FLOAT",
        "BINFLOAT",
        "STRING",
        "BINSTRING",
        "SHORT_BINSTRING",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
        "UNICODE",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE8",
        "EMPTY_LIST",
        "APPEND",
        "APPENDS",
        "LIST",
        "EMPTY_TUPLE",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "EMPTY_DICT",
        "DICT",
        "SETITEM",
        "SETITEMS",
        "GET",
        "BINGET",
        "LONG_BINGET",
        "PUT",
        "BINPUT",
        "LONG_BINPUT",
        "MEMOIZE",
        "GLOBAL",
        "STACK_GLOBAL",
        "REDUCE",
        "BUILD",
    ]
)
# Booleans, numbers, bytes and text; no objects, no records, no dates.
NUMERIC = re.compile(r"[?biufcSU][0-9]*")


def read_pickle(path: Path | str) -> Any:
    """Read a pickle of dicts, lists, tuples, text, numbers and numeric numpy arrays.

    Raises
    ------
    DataMissingError
        There is no such file.
    CorruptDataError
        The pickle is broken, or names anything but the parts of a numpy array; the message says
        what. Nothing it names has been run.
    """
    path = Path(path)
    content = check_content(path).read_bytes()
    try:
        _check_opcodes(content)
        return _plain(_Unpickler(io.BytesIO(content)).load())
    except Exception as error:  # a broken pickle can raise nearly anything
        raise CorruptDataError(
            f"{path}: not a pickle of plain containers and numeric arrays ({error}); "
            "fetch it again, and do not load it with pickle unless you trust its author"
        ) from error


def _check_opcodes(content: bytes) -> None:
    for opcode, argument, position in pickletools.genops(content):
        if opcode.name not in OPCODES:
            raise ValueError(f"opcode {opcode.name} at byte {position} is not allowed")
        # The memo is an array up to this index: a huge one would exhaust the memory.
        if opcode.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > len(content):
            raise ValueError(f"memo index {argument} at byte {position} is too large")


class _DType:
    """Stands for numpy.dtype while a pickle is read."""

    def __init__(self, code: str, *_: object) -> None:
        if not NUMERIC.fullmatch(code):
            raise ValueError(f"dtype {code!r} is not numeric")
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise ValueError(f"byte order {state[1]!r} is unknown")
        self.order = state[1]


class _NDArray:
    """Stands for the class numpy.ndarray while a pickle is read."""


class _Array:
    """Stands for an array while a pickle is read; takes over its shape, dtype and bytes."""

    def __init__(self, *_: object) -> None:
        self.array = np.empty(0)

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, is_fortran, raw = state
        if not isinstance(dtype, _DType) or not isinstance(raw, bytes):
            raise ValueError("an array without a numeric dtype or without its bytes")
        kind = np.dtype(dtype.order + dtype.code)
        if any(type(n) is not int or n < 0 for n in shape):
            raise ValueError(f"an array of shape {shape}")
        if math.prod(shape) * kind.itemsize != len(raw):
            raise ValueError(f"{len(raw)} bytes for an array of shape {shape} and dtype {kind}")
        flat = np.frombuffer(raw, dtype=kind)
        self.array = flat.reshape(shape, order="F" if is_fortran else "C")


STAND_INS = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _NDArray,
    ("numpy", "dtype"): _DType,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in STAND_INS:
            raise ValueError(f"it names {module}.{name}, which is not allowed")
        return STAND_INS[module, name]


def _plain(value: Any) -> Any:
    """Return ``value`` with the arrays in place of their stand-ins."""
    if isinstance(value, _Array):
        return value.array
    if isinstance(value, dict):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(entry) for entry in value)
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    raise ValueError(f"it holds a bare {type(value).__name__}")
