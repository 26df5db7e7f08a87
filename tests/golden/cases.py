"""Registry of golden cases: functions that return named arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["CASES", "Arrays", "Case", "MissingInputError", "arrays", "register"]

Arrays = dict[str, np.ndarray]


class MissingInputError(Exception):
    """A case lacks its data set, its model or a package."""


@dataclass(frozen=True)
class Case:
    """A named computation.

    Attributes
    ----------
    name : str
        "area.function"; also the name of the stored file.
    part : str
        "core", "data" or "analyses".
    compute : callable
        Returns the arrays, or raises `MissingInputError`.
    tolerance : float
        Of arrays in double precision, relative to their largest absolute value.
    single : bool
        Whether single precision is used inside, so that on other processors the results in double
        precision are as precise as single ones.
    values : bool
        Whether values may be stored; False stores shapes and totals of data that others own.
    local : tuple of str
        Beginnings of names of arrays that are compared on the recording machine only, such as
        singular vectors, whose signs differ between processors.
    """

    name: str
    part: str
    compute: Callable[[], Arrays]
    tolerance: float = 1e-10
    single: bool = False
    values: bool = True
    local: tuple[str, ...] = ()


CASES: dict[str, Case] = {}
Function = Callable[[], Arrays]


def register(area: str) -> Callable[..., Any]:
    """Return a decorator that adds a function of the core to `CASES` as "area.function".

    It is used as ``@case``, or with options of `Case` as ``@case(single=True)``.
    """

    def add(function: Function | None = None, **options: Any) -> Any:
        if function is None:
            return lambda given: add(given, **options)
        add_case(Case(f"{area}.{function.__name__}", "core", function, **options))
        return function

    return add


def add_case(case: Case) -> None:
    """Add a case under a name that is not taken."""
    if case.name in CASES:
        raise ValueError(f"two cases are called {case.name!r}")
    CASES[case.name] = case


def arrays(**named: Any) -> Arrays:
    """Return named values as one flat dict of arrays.

    Tables give an array per column, xarray data sets one per variable and coordinate, mappings,
    lists, tuples and frozen data classes one per entry, joined by dots.
    """
    flat: Arrays = {}
    for name, value in named.items():
        _add(flat, name, value)
    return flat


def _add(flat: Arrays, name: str, value: Any) -> None:
    parts = _parts(value)
    if parts is not None:
        for key, part in parts.items():
            _add(flat, f"{name}.{key}", part)
    elif value is not None:
        flat[name] = _plain(value)


def _parts(value: Any) -> Mapping[Any, Any] | None:
    """Return the named parts of a container, or None for an array or a scalar."""
    if isinstance(value, Mapping):
        return dict(getattr(value, "variables", value))
    if hasattr(value, "iloc"):  # pandas
        index = {"index": value.index.to_numpy()}
        if value.ndim == 1:
            return index | {"values": value.to_numpy()}
        return index | {str(column): value[column].to_numpy() for column in value.columns}
    if isinstance(value, list | tuple) and any(_is_nested(part) for part in value):
        return dict(enumerate(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return None


def _is_nested(value: Any) -> bool:
    parts = isinstance(value, Mapping) or hasattr(value, "iloc")
    return parts or dataclasses.is_dataclass(value) or np.ndim(value) > 0


def _plain(value: Any) -> np.ndarray:
    """Return an array of numbers or of text."""
    if hasattr(value, "toarray"):  # scipy.sparse
        value = value.toarray()
    array = np.asarray(value)
    if array.dtype == object or array.dtype.kind == "T":
        flat = array.ravel().tolist()
        if all(isinstance(each, int | float | type(None)) for each in flat):
            return np.array([np.nan if v is None else v for v in flat], float).reshape(array.shape)
        if not all(isinstance(each, str | int | float | type(None)) for each in flat):
            raise TypeError(f"neither numbers nor text: {flat[0]!r:.80}")
        array = np.array([str(each) for each in flat], dtype=str).reshape(array.shape)
    if array.dtype.kind not in "biufcU":
        raise TypeError(f"no array of numbers or text: {array.dtype}")
    return array
