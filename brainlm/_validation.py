"""Validation of arguments: errors name the argument, the value and the fix."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np


def freeze(array: np.ndarray) -> np.ndarray:
    """Return a read-only array; the caller's own array stays writable and untouched."""
    frozen = array.copy() if array.flags.writeable else array
    frozen.flags.writeable = False
    return frozen


def is_mapped(array: np.ndarray) -> bool:
    """Return whether an array is a read-only view of a file on disk (a memory map)."""
    return mapped_file(array) is not None


def mapped_file(array: np.ndarray) -> Path | None:
    """Return the file that a read-only memory map is a view of; None for other arrays."""
    base: Any = array
    while base is not None and not isinstance(base, np.memmap):
        base = getattr(base, "base", None)
    return None if base is None or array.flags.writeable else Path(str(base.filename))


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, NaT or pandas' NA."""
    return value is None or type(value).__name__ == "NAType" or bool(value != value)


def named_subject(subject: Any, choices: Iterable[Any]) -> Any:
    """Return a subject as the data name it: "sub-01" and "01" are the same one.

    A subject who is not among the choices is returned unchanged, for the error of the caller.
    """
    names = list(choices)
    if subject in names or not isinstance(subject, str):
        return subject
    bare = subject.removeprefix("sub-")
    return next((name for name in (bare, f"sub-{bare}") if name in names), subject)


def as_labels(values: Any, name: str) -> np.ndarray:
    """Return ``values`` as a read-only 1-D array of non-empty strings."""
    array = np.asarray(values, dtype=object)  # as text, numpy would write NaN as the word "nan"
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}")
    missing = [i for i, value in enumerate(array.tolist()) if is_missing(value)]
    if missing:
        raise ValueError(
            f"{name}[{missing[0]}] is missing ({array[missing[0]]!r}, {len(missing)} in all): drop "
            "these rows; if they hold words such as 'null', 'nan' or 'NA', read the file with "
            "pandas.read_csv(..., keep_default_na=False)"
        )
    labels = np.array([str(value) for value in array.tolist()], dtype=object)
    empty = [i for i, label in enumerate(labels) if not label.strip()]
    if empty:
        raise ValueError(
            f"{name}[{empty[0]}] is empty ({len(empty)} empty in all): drop these rows or name them"
        )
    return freeze(labels)


def check_whole(value: Any, name: str, least: int, unit: str = "") -> None:
    """Raise unless a value is a whole number from ``least`` on; 2.7 and True are not."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        of_unit = f" of {unit}" if unit else ""
        raise ValueError(f"{name} must be a whole number{of_unit} from {least} on, got {value!r}")


def same_length(lengths: dict[str, int]) -> None:
    """Raise unless every named length is the same."""
    if len(set(lengths.values())) > 1:
        listing = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise ValueError(f"lengths differ ({listing}): give one entry per row in each")


def check_finite(array: np.ndarray, name: str) -> None:
    """Raise when ``array`` holds NaN or infinity, saying how many and where the first one is."""
    if not np.issubdtype(array.dtype, np.number):
        raise ValueError(f"{name} must be numeric, got dtype {array.dtype}")
    # One pass without a mask in the usual case: a sum is finite only if every entry is. (One that
    # overflows is looked at entry by entry below.)
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum(dtype=np.float64 if array.itemsize < 4 else None)):
            return
    bad = np.argwhere(~np.isfinite(array))
    if len(bad) == 0:
        return
    first = tuple(int(i) for i in bad[0])
    raise ValueError(
        f"{name} has {len(bad)} of {array.size} values that are NaN or infinite "
        f"(the first at {list(first)}): drop those rows or columns first, and report it"
    )


def check_blocks(labels: np.ndarray, name: str) -> None:
    """Raise when a label recurs after another one has begun (a run or sentence cut in two)."""
    starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
    seen: set[str] = set()
    for start in starts:
        label = str(labels[start])
        if label in seen:
            raise ValueError(
                f"{name} {label!r} begins again at row {start}: sort the rows so that each "
                f"{name} is one block"
            )
        seen.add(label)


def bad_targets(Y: np.ndarray) -> np.ndarray:
    """Return which targets have no score, bool (n_targets,): a value not finite, or constant."""
    bad = ~np.isfinite(Y).all(axis=0)
    bad[~bad] = np.ptp(Y[:, ~bad], axis=0) == 0
    return bad


def check_targets(Y: np.ndarray, names: Any = None) -> None:
    """Raise when targets are NaN or constant: no score can be computed for them.

    Parameters
    ----------
    Y : array of shape (n_samples, n_targets)
    names : sequence of str, optional
        Target names for the message; column numbers otherwise.
    """
    check_finite(Y, "Y")
    constant = np.flatnonzero(np.ptp(Y, axis=0) == 0) if len(Y) else np.array([], dtype=int)
    if len(constant):
        shown = [str(names[i]) if names is not None else str(i) for i in constant[:5]]
        zero = int((Y[0, constant] == 0).sum())
        raise ValueError(
            f"Y: {len(constant)} of {Y.shape[1]} targets are constant ({zero} of them all zero; "
            f"the first: {', '.join(shown)}): no score exists for them. Drop them with "
            "Recording.select_targets, or mask them first"
        )
