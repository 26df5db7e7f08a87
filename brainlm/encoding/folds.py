"""Given folds, as row numbers or masks, and their validation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlm.encoding.splits import ContiguousBlocks, Fold, Groups, LeaveOneRunOut


@dataclass(frozen=True, eq=False)
class Folds:
    """Given folds; inner folds are the encoder's own.

    Parameters
    ----------
    folds : sequence of (train, test)
        Row numbers, or masks of the rows.
    """

    folds: Sequence[Any]

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return len(self.folds)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:
        """Yield (train, test) row numbers of each fold."""
        yield from checked_folds(self.folds, len(X), "folds")

    def __repr__(self) -> str:
        return f"Folds({len(self.folds)} given ones)"


def as_split(split: Any, name: str = "split") -> Any:
    """Return a split: a number of contiguous blocks, a split or scikit-learn's, or given folds.

    Parameters
    ----------
    split : int, split, or sequence of (train, test)
    name : str
        Of the argument, for messages.
    """
    if isinstance(split, int | np.integer) and not isinstance(split, bool):
        return ContiguousBlocks(int(split))
    if hasattr(split, "split") and not isinstance(split, str):
        return split
    if isinstance(split, Iterable) and not isinstance(split, str):
        return Folds(list(split))
    raise ValueError(
        f"{name} must be a number of contiguous blocks, a split such as "
        f"ContiguousBlocks(5, gap=4), or a list of (train, test) row numbers; got {split!r}"
    )


def leaves_one_out(split: Any) -> bool:
    """Return whether a split is scikit-learn's ``LeaveOneOut``, without importing it."""
    kind = type(split)
    return kind.__name__ == "LeaveOneOut" and kind.__module__.startswith("sklearn.")


def counts_rows(split: Any) -> bool:
    """Return whether a split follows from the number of samples alone, whatever their values."""
    ours = ContiguousBlocks, Groups, LeaveOneRunOut, Folds
    return split is None or isinstance(split, (int, np.integer, *ours))


def checked_folds(folds: Iterable[Any], n_samples: int, name: str) -> list[Fold]:
    """Return folds as row numbers; raise where one is invalid, or a sample is on both sides.

    Parameters
    ----------
    folds : iterable of (train, test)
        Row numbers, or masks of the rows.
    n_samples : int
    name : str
        Of the argument, for messages.
    """
    checked = []
    for k, fold in enumerate(folds):
        if not isinstance(fold, tuple | list) or len(fold) != 2:
            raise ValueError(
                f"{name}: fold {k} is not a pair (train, test) of row numbers: {fold!r}"
            )
        sides = []
        for rows, side in zip(map(np.asarray, fold), ("train", "test"), strict=True):
            if rows.dtype == bool and rows.shape == (n_samples,):
                rows = np.flatnonzero(rows)
            if rows.ndim != 1 or rows.dtype.kind not in "iu" or not len(rows):
                raise ValueError(
                    f"{name}: {side} of fold {k} must be row numbers or a mask of {n_samples} "
                    f"rows, got {rows.dtype} of shape {rows.shape}"
                )
            if rows.min() < 0 or rows.max() >= n_samples:
                raise ValueError(
                    f"{name}: {side} of fold {k} has rows from {rows.min()} to {rows.max()}, there "
                    f"are {n_samples} samples"
                )
            sides.append(rows)
        trains = np.zeros(n_samples, dtype=bool)
        trains[sides[0]] = True
        both = np.unique(sides[1][trains[sides[1]]])
        if len(both):
            raise ValueError(
                f"{name}: {len(both)} samples are on both sides of fold {k} (the first: row "
                f"{both[0]}): a sample that trains cannot test"
            )
        checked.append((sides[0], sides[1]))
    if not checked:
        raise ValueError(f"{name} is empty: give at least one fold")
    return checked
