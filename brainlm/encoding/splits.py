"""Splits into training and test samples: disjoint by construction, never shuffled.

Neighbouring samples of a recording resemble each other, and so do inflected forms of one word.
Every split here therefore cuts between runs, blocks or groups, and every one can make the inner
folds of a training set by the same rule (``within``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sklearn.model_selection import PredefinedSplit

from brainlm._validation import as_labels, check_blocks, check_whole, same_length
from brainlm.data.recording import PARTS
from brainlm.errors import unknown_name

Fold = tuple[np.ndarray, np.ndarray]


class GapWarning(UserWarning):
    """Blocks of a time series without a gap: neighbouring samples are on both sides of a fold."""


class Split(Protocol):
    """Interface of a split for encoders and ``cross_validate``."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:
        """Yield (train, test) row numbers, scikit-learn's interface."""

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""

    def within(self, train: np.ndarray) -> Split:
        """Return the split of the same kind on the rows ``train`` only."""


@dataclass(frozen=True, eq=False)
class ContiguousBlocks:
    """K contiguous test blocks, with a gap around each that belongs to neither side.

    The samples are cut into ``n_splits`` blocks of equal length (to within one). The training set
    of a fold leaves out the block and ``gap`` samples on both sides of it. With delays of up to d
    samples a gap of d keeps every response that a test sample's stimulus touches out of training.

    Parameters
    ----------
    n_splits : int
        Number of blocks, at least 2.
    gap : int
        Samples dropped on each side of the test block, within the same run.
    runs : sequence of str, shape (n_samples,), optional
        Runs of the samples. The gap does not reach into another run: samples of different runs
        are not neighbours.
    positions : sequence of int, shape (n_samples,), optional
        Place of each sample in the recording, when some are left out; the gap is counted in it.

    Examples
    --------
    >>> split = brainlm.ContiguousBlocks(5, gap=4)
    >>> [(len(train), len(test)) for train, test in split.split(np.zeros(100))]
    [(76, 20), (72, 20), (72, 20), (72, 20), (76, 20)]
    """

    n_splits: int = 5
    gap: int = 0
    runs: Any = None
    positions: Any = None

    def __post_init__(self) -> None:
        check_whole(self.n_splits, "n_splits", 2)
        check_whole(self.gap, "gap", 0, "samples")
        if self.runs is not None:
            check_blocks(as_labels(self.runs, "runs"), "run")

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return ``n_splits``."""
        return self.n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:
        """Yield (train, test) row numbers of each fold."""
        n_samples = len(X)
        runs = self._aligned("runs", np.zeros(n_samples, dtype=int))
        positions = self._aligned("positions", np.arange(n_samples))
        if n_samples < 2 * self.n_splits:
            raise ValueError(
                f"{n_samples} samples are too few for {self.n_splits} contiguous blocks: "
                "use fewer blocks (n_splits) or more samples"
            )
        for test in np.array_split(np.arange(n_samples), self.n_splits):
            keep = np.ones(n_samples, dtype=bool)
            keep[test] = False
            for run in _in_order(runs[test]):
                inside = test[runs[test] == run]
                low = positions[inside[0]] - self.gap
                high = positions[inside[-1]] + self.gap
                keep &= ~((runs == run) & (positions >= low) & (positions <= high))
            train = np.flatnonzero(keep)
            if len(train) == 0:
                raise ValueError(
                    f"the gap of {self.gap} leaves no training samples among {n_samples}: "
                    "use a smaller gap or longer recordings"
                )
            yield train, test

    def within(self, train: np.ndarray) -> ContiguousBlocks:
        """Return the same number of blocks and the same gap on the rows ``train``."""
        runs = None if self.runs is None else np.asarray(self.runs)[train]
        positions = train if self.positions is None else np.asarray(self.positions)[train]
        return ContiguousBlocks(self.n_splits, self.gap, runs, positions)

    def _aligned(self, name: str, default: np.ndarray) -> np.ndarray:
        value = getattr(self, name)
        if value is None:
            return default
        if len(value) != len(default):
            raise ValueError(f"{name} has {len(value)} entries for {len(default)} samples")
        return np.asarray(value)

    def __repr__(self) -> str:
        return f"ContiguousBlocks(n_splits={self.n_splits}, gap={self.gap})"


def _in_order(labels: np.ndarray) -> list[Any]:
    """Return the labels in order of first appearance; each comes in few blocks."""
    begins = np.r_[True, labels[1:] != labels[:-1]]
    return list(dict.fromkeys(labels[begins].tolist()))


@dataclass(frozen=True, eq=False)
class Groups:
    """Leave whole groups out: K folds of groups, no group on both sides.

    Groups are dealt in their order of first appearance, so neighbouring groups share a fold, and
    folds are as equal in size as contiguous cuts between groups allow.

    Parameters
    ----------
    groups : sequence, shape (n_samples,)
        Group of each sample (passage, topic, word family, story ...).
    n_splits : int, optional
        Number of folds. Default: one per group.
    interleave : bool
        Deal the groups like cards instead: group i goes to fold ``i % n_splits``, so neighbouring
        groups are in different folds. Only where neighbours are not alike.

    Examples
    --------
    >>> passages = np.repeat(["a", "b", "c", "d"], 10)
    >>> folds = brainlm.Groups(passages, 2).split(passages)
    >>> [np.unique(passages[test]).tolist() for _, test in folds]
    [['a', 'b'], ['c', 'd']]
    """

    groups: Any
    n_splits: int | None = None
    interleave: bool = False

    def __post_init__(self) -> None:
        labels = as_labels(self.groups, "groups")
        object.__setattr__(self, "groups", labels)
        n_groups = len(set(labels))
        if n_groups < 2:
            raise ValueError("groups holds a single group: nothing can be left out")
        if self.n_splits is not None:
            check_whole(self.n_splits, "n_splits", 2)
        if self.n_splits is not None and not 2 <= self.n_splits <= n_groups:
            raise ValueError(f"n_splits must lie between 2 and {n_groups}, got {self.n_splits}")

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return self.n_splits or len(set(self.groups))

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:
        """Yield (train, test) row numbers of each fold."""
        if len(X) != len(self.groups):
            raise ValueError(f"groups has {len(self.groups)} entries for {len(X)} samples")
        order: dict[str, int] = {}
        number = np.array([order.setdefault(label, len(order)) for label in self.groups])
        sizes = np.bincount(number)
        middle = (np.cumsum(sizes) - sizes / 2) / sizes.sum()  # where each group's middle lies
        n_splits = self.get_n_splits()
        fold_of_group = np.minimum((middle * n_splits).astype(int), n_splits - 1)
        if self.n_splits is None or self.interleave:
            fold_of_group = np.arange(len(sizes)) % n_splits
        elif len(set(fold_of_group)) < n_splits:  # a huge group swallowed a fold
            fold_of_group = np.arange(len(sizes)) * n_splits // len(sizes)
        fold = fold_of_group[number]
        for k in range(n_splits):
            yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)

    def within(self, train: np.ndarray) -> Groups:
        """Return as many folds of the groups in ``train``, fewer where few are left."""
        left = self.groups[train]
        n_splits = None if self.n_splits is None else min(self.n_splits, len(set(left)))
        return Groups(left, n_splits, self.interleave)

    def __repr__(self) -> str:
        return f"Groups({len(set(self.groups))} groups, n_splits={self.get_n_splits()})"


@dataclass(frozen=True, eq=False)
class LeaveOneRunOut:
    """One fold per run: train on the other runs, test on this one.

    Parameters
    ----------
    runs : sequence of str, shape (n_samples,)
        Run of each sample. At least two runs.
    inner_gap : int
        Gap of the inner folds where a single run is left to train on: those are contiguous blocks.

    Examples
    --------
    >>> runs = np.repeat(["1", "2", "3"], 50)
    >>> [(len(train), len(test)) for train, test in brainlm.LeaveOneRunOut(runs).split(runs)]
    [(100, 50), (100, 50), (100, 50)]
    """

    runs: Any
    inner_gap: int = 5

    def __post_init__(self) -> None:
        labels = as_labels(self.runs, "runs")
        object.__setattr__(self, "runs", labels)
        check_blocks(labels, "run")
        if len(set(labels)) < 2:
            raise ValueError(
                f"there is one run ({labels[0]!r}): leave-one-run-out needs two or more; "
                "use ContiguousBlocks with a gap instead"
            )

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of runs."""
        return len(set(self.runs))

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:
        """Yield (train, test) row numbers of each fold."""
        yield from Groups(self.runs).split(X)

    def within(self, train: np.ndarray) -> Split:
        """Return leave-one-run-out on the runs of ``train``, or blocks where one run is left."""
        left = self.runs[train]
        if len(set(left)) < 2:
            return ContiguousBlocks(5, self.inner_gap, left, train)
        return LeaveOneRunOut(left, self.inner_gap)

    def __repr__(self) -> str:
        return f"LeaveOneRunOut({len(set(self.runs))} runs)"


@dataclass(frozen=True, eq=False)
class FixedSplit:
    """The one fold that the authors of a data set fixed: train, dev and test samples.

    Tested are the "test" samples, or the "dev" samples where no test samples are out yet. In the
    first case the dev samples belong to the training set of the fold, and ``within`` chooses
    penalties on them (scikit-learn's ``PredefinedSplit``); the encoder is then refitted on train
    and dev together. In the second case nothing but the train samples is left to choose on:
    ``within`` makes up to five folds of whole runs, or contiguous blocks.

    Parameters
    ----------
    parts : sequence of str, shape (n_samples,)
        "train", "dev" or "test", such as `brainlm.Recording.part`.
    runs : sequence of str, shape (n_samples,), optional
        Of a time series, for the inner folds.

    Examples
    --------
    >>> FixedSplit(["train"] * 4 + ["dev"] * 2)
    FixedSplit(4 train, 2 dev; tested: dev)
    """

    parts: Any
    runs: Any = None

    def __post_init__(self) -> None:
        if self.parts is None:
            raise ValueError(
                "parts is None: the data set has no fixed train, dev and test; use ContiguousBlocks"
            )
        labels = as_labels(self.parts, "parts")
        for label in dict.fromkeys(labels):
            if label not in PARTS:
                raise unknown_name("part", label, PARTS)
        object.__setattr__(self, "parts", labels)
        if self.runs is not None:
            same_length({"parts": len(labels), "runs": len(self.runs)})
            object.__setattr__(self, "runs", as_labels(self.runs, "runs"))
        if "train" not in labels or len(set(labels)) < 2:
            raise ValueError(
                f"parts are {', '.join(dict.fromkeys(labels))}: a fixed split needs train samples, "
                "and dev or test samples"
            )

    @property
    def tested(self) -> str:
        """The part that is tested: "test", or "dev" where there is no test."""
        return "test" if "test" in self.parts else "dev"

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return 1."""
        return 1

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:
        """Yield the (train, test) row numbers of the one fold."""
        if len(X) != len(self.parts):
            raise ValueError(f"parts has {len(self.parts)} entries for {len(X)} samples")
        yield np.flatnonzero(self.parts != self.tested), np.flatnonzero(self.parts == self.tested)

    def within(self, train: np.ndarray) -> Any:
        """Return the dev samples as the one inner fold, or folds of the train samples."""
        dev = self.parts[train] == "dev"
        if dev.any() and not dev.all():
            return PredefinedSplit(np.where(dev, 0, -1))
        if self.runs is None:
            return ContiguousBlocks(5)
        left = self.runs[train]
        n_runs = len(set(left))
        if n_runs < 2:
            return ContiguousBlocks(5, 5, left, train)
        return Groups(left, min(5, n_runs))

    def __repr__(self) -> str:
        counts = [f"{(self.parts == p).sum()} {p}" for p in PARTS if p in self.parts]
        return f"FixedSplit({', '.join(counts)}; tested: {self.tested})"
