"""Stored golden numbers: one ``.npz`` per case, and the comparison with fresh ones.

An array of up to `LARGEST` values is stored under its own name. A larger one is stored as three
arrays whose names end in a bar and a word:

- ``NAME|shape``
- ``NAME|totals``: number of NaN, sum, sum of absolute values, sum of squares, largest absolute
  value, and the sum weighted by position from 0 to 1. Text has a SHA-256 under ``NAME|sha256`` in
  its place.
- ``NAME|values``: `SAMPLED` evenly spaced values. Absent for cases that keep no values, because
  their arrays are data that may not be copied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from golden.cases import Arrays

__all__ = [
    "EXACT_ENOUGH",
    "OTHER_MACHINE",
    "Comparison",
    "compare",
    "lines_of",
    "load",
    "save",
    "summarise",
]

LARGEST = 2000
SAMPLED = 500
EXACT_ENOUGH = (1e-10, 1e-5)  # of float64 and float32, relative to the largest absolute value
OTHER_MACHINE = (1e-6, 1e-3)
SHAPE, TOTALS, DIGEST, VALUES = "|shape", "|totals", "|sha256", "|values"


@dataclass
class Comparison:
    """Differences between stored and fresh arrays.

    Attributes
    ----------
    n_arrays : int
    deviation : float
        Largest relative deviation of all floating-point arrays.
    moved : list of str
        One line per array that moved.
    missing, new : list of str
        Names that are only stored, and only fresh.
    """

    n_arrays: int = 0
    deviation: float = 0.0
    moved: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether nothing moved and no array came or went."""
        return not (self.moved or self.missing or self.new)


def summarise(arrays: Arrays, *, values: bool = True) -> Arrays:
    """Return the arrays as they are stored; without ``values``, as shapes and totals only."""
    stored: Arrays = {}
    for name, array in arrays.items():
        if "|" in name:
            raise ValueError(f"{name!r}: the bar is kept for parts of large arrays")
        if values and array.size <= LARGEST:
            stored[name] = array
            continue
        flat = array.ravel()
        stored[name + SHAPE] = np.array(array.shape, dtype=int)
        if values:
            places = np.linspace(0, array.size - 1, SAMPLED).round().astype(int)
            stored[name + VALUES] = flat[places]
        if array.dtype.kind == "U":
            text = hashlib.sha256("\0".join(flat.tolist()).encode()).hexdigest()
            stored[name + DIGEST] = np.array(text)
        else:
            stored[name + TOTALS] = _totals(flat)
    return stored


def _totals(flat: np.ndarray) -> np.ndarray:
    values = flat.astype(float)
    missing = np.isnan(values)
    known, place = values[~missing], np.linspace(0, 1, len(values))[~missing]
    size = np.abs(known)
    squares, largest = np.square(known).sum(), size.max(initial=0.0)
    return np.array([missing.sum(), known.sum(), size.sum(), squares, largest, known @ place])


def save(path: Path, arrays: Arrays, *, values: bool = True) -> None:
    """Write the arrays of a case."""
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **summarise(arrays, values=values))


def load(path: Path) -> Arrays:
    """Read what `save` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def compare(
    old: Arrays,
    fresh: Arrays,
    tolerances: tuple[float, float] = EXACT_ENOUGH,
    skip: tuple[str, ...] = (),
    *,
    values: bool = True,
) -> Comparison:
    """Compare stored arrays with fresh ones.

    Parameters
    ----------
    old : dict of array
        As `load` returns them.
    fresh : dict of array
        As a case returns them.
    tolerances : (float, float)
        Of float64 and float32, relative to the largest absolute value of the array.
    skip : tuple of str
        Beginnings of names that are not compared.
    values : bool
        Whether values were stored, or totals only.
    """
    now = summarise(fresh, values=values)
    found = Comparison(n_arrays=len(fresh))
    names = [name for name in old if not name.startswith(skip)] if skip else list(old)
    found.missing = [name for name in names if name not in now]
    found.new = [name for name in now if name not in old and not (skip and name.startswith(skip))]
    for name in names:
        if name not in now:
            continue
        deviation, line = _difference(name, old, now, tolerances)
        found.deviation = max(found.deviation, deviation)
        if line:
            found.moved.append(f"{name} {line}")
    return found


def _difference(
    name: str, old: Arrays, now: Arrays, tolerances: tuple[float, float]
) -> tuple[float, str]:
    """Return the relative deviation of one array and a line if that is too large."""
    a, b = old[name], now[name]
    if a.shape != b.shape:
        return np.inf, f"shape: old {a.shape}, new {b.shape}"
    if a.dtype.kind != b.dtype.kind:
        return np.inf, f"type: old {a.dtype}, new {b.dtype}"
    if a.dtype.kind not in "fc" or name.endswith(SHAPE):
        unequal = np.flatnonzero((a != b).ravel())
        return (np.inf, _line(a, b, unequal[0])) if len(unequal) else (0.0, "")
    stem = name.rsplit("|", 1)[0]
    values = old.get(stem + VALUES, a)  # totals are as precise as their array
    limit = tolerances[1] if min(values.dtype.itemsize, b.dtype.itemsize) == 4 else tolerances[0]
    limit = 1e-12 if values.dtype.kind in "biu" else limit  # totals of integers are rounded, too
    deviation = _deviations(a, b, _scale(name, stem, old))
    worst = int(deviation.argmax()) if deviation.size else 0
    largest = float(deviation.max(initial=0.0))
    return largest, _line(a, b, worst) if largest > limit else ""


def _scale(name: str, stem: str, old: Arrays) -> np.ndarray | float:
    """Return what deviations are relative to: the largest value, or the total without signs."""
    if name.endswith(TOTALS):
        _, _, size, squares, largest, _ = old[name]
        scale = np.array([1.0, size, size, squares, largest, size])
        return np.where(scale > 0, scale, 1.0)
    if name.endswith(VALUES):
        return float(old[stem + TOTALS][4]) or 1.0
    values = np.abs(old[name][np.isfinite(old[name])])
    return float(values.max(initial=0.0)) or 1.0


def _deviations(a: np.ndarray, b: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    """Return relative deviations, flat; 0 where both are NaN or the same infinity."""
    with np.errstate(invalid="ignore"):
        deviation = np.abs(a.astype(complex if a.dtype.kind == "c" else float) - b) / scale
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.where(same, 0.0, np.where(np.isnan(deviation), np.inf, deviation)).ravel()


def _line(a: np.ndarray, b: np.ndarray, place: int) -> str:
    where = tuple(int(i) for i in np.unravel_index(place, a.shape)) if a.shape else ()
    return f"at {where}: old {a.ravel()[place]!r}, new {b.ravel()[place]!r}"


def lines_of(found: Comparison, most: int = 3) -> Iterator[str]:
    """Yield the lines that describe a difference."""
    for line in found.moved[:most]:
        yield f"    {line}"
    if len(found.moved) > most:
        yield f"    and {len(found.moved) - most} more arrays that moved"
    for title, names in (("missing", found.missing), ("new", found.new)):
        if names:
            yield f"    {title}: {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}"
