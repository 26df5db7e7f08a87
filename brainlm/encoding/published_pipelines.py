"""Published encoding pipelines as encoders: their grids, folds and rules.

In brainlm alpha multiplies ||w||^2. Two of the pipelines square theirs first, so their grids appear
here squared. Each preset says what is published (read in the authors' public code) and what is our
choice; use the defaults of ``RidgeEncoder`` unless a publication is to be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks


@dataclass(frozen=True)
class RandomChunks:
    """Repeatedly hold out random chunks of neighbouring samples (the Huth lab's bootstrap).

    The samples are cut into chunks of equal length; a rest at the end that makes no chunk always
    trains. Chunks that are held out have neighbours in training, without a gap, so scores of the
    inner folds are optimistic on slow data; they only choose the penalty.

    Parameters
    ----------
    n_splits : int
        How often.
    chunk : int
        Samples in a chunk.
    share : float
        Of the samples to hold out.
    seed : int
    """

    n_splits: int = 50
    chunk: int = 40
    share: float = 0.2
    seed: int = 0

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return how often samples are held out."""
        return self.n_splits

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (train, test) row numbers."""
        n_chunks = len(X) // self.chunk
        held_out = int(self.share * len(X) / self.chunk)
        if not 0 < held_out < n_chunks:
            raise ValueError(
                f"{len(X)} samples make {n_chunks} chunks of {self.chunk}, of which {held_out} "
                "would be held out: choose a smaller chunk or another share"
            )
        rng = np.random.default_rng(self.seed)
        rows = np.arange(n_chunks * self.chunk).reshape(n_chunks, self.chunk)
        for _ in range(self.n_splits):
            test = np.sort(rows[rng.choice(n_chunks, held_out, replace=False)].ravel())
            yield np.setdiff1d(np.arange(len(X)), test), test


def huth_encoder(
    *, n_bootstraps: int = 50, chunk: int = 40, single_alpha: bool = False, seed: int = 0
) -> RidgeEncoder:
    """Bootstrap ridge of the Huth lab.

    Published (code): singular values are shrunk by s / (s^2 + a^2) with a in logspace(1, 3, 10), so
    alpha = a^2; a is chosen per voxel (or one for all) by the mean correlation over 50 random sets
    of 40-sample chunks, 20 % of the samples held out; features and responses are z-scored.
    Features are resampled with Lanczos windows, delayed by 1 to 4 samples of 2 s, and stories lose
    10 samples at the start and 5 at the end (``trim_runs``). The test story is not among the
    training stories. These are samples as published: at another sampling interval the delays of
    the same seconds are ``brainlm.delays_between(interval)``.
    Ours: z-scoring is learned inside each training set.

    Parameters
    ----------
    n_bootstraps, chunk : int
    single_alpha : bool
        One alpha for all voxels.
    seed : int
        Of the chunks.
    """
    return RidgeEncoder(
        np.logspace(1, 3, 10) ** 2,
        cv=RandomChunks(n_bootstraps, chunk, seed=seed),
        alpha_per="all" if single_alpha else "target",
        criterion="r",
    )


def discourse_encoder() -> RidgeEncoder:
    """Voxelwise ridge of the MulCogBench group for stories.

    Published (code): penalty a^2 with a in logspace(-3, 3, 10), nested 5 x 5 contiguous folds, one
    alpha per outer fold for all voxels, features scaled by one mean and standard deviation per
    story (``scale_runs``), word embeddings at word ends seen through SPM's haemodynamic response
    (``align(method="hrf")``), of which the first 19 samples of 0.71 s are left out. The released
    responses lack these samples, so with the clock of the card nothing more is trimmed.
    Ours: alpha is the best on average by R2. Outer folds: ``ContiguousBlocks(5)``; the published
    ones have no gap, we advise one of the length of the response.
    """
    return RidgeEncoder(
        np.logspace(-3, 3, 10) ** 2, cv=ContiguousBlocks(5), alpha_per="all", standardize=False
    )


def word_encoder() -> RidgeEncoder:
    """Ridge of the MulCogBench group for single words.

    Published (code): penalty alpha in logspace(-4, 4, 10), 5 outer and 5 inner contiguous folds,
    one alpha for the model, embeddings standardised word by word (``scale_items``). Its published
    score, the mean of the best 10 % of trialwise correlations, saturates where a mean pattern is
    shared; report voxelwise r beside it.
    Ours: alpha is the best on average by R2.
    """
    return RidgeEncoder(
        np.logspace(-4, 4, 10), cv=ContiguousBlocks(5), alpha_per="all", standardize=False
    )


def meg_bin_encoder(bins: Any) -> RidgeEncoder:
    """Ridge per time bin of the MulCogBench group for MEG.

    Published (code): 100-ms bins after word onset (``from_epochs(bin_width=0.1)``), one ridge
    regression per bin. The published choice of sensors uses the same data that are scored; here
    ``Scores.mean_of_best`` chooses them inside the training folds. Ours: the grid (that of
    ``word_encoder``), and one alpha for the sensors of a bin.

    Parameters
    ----------
    bins : sequence, shape (n_targets,)
        Bin of each target (sensor x bin).
    """
    return RidgeEncoder(
        np.logspace(-4, 4, 10), cv=ContiguousBlocks(5), alpha_per="group", groups=list(bins)
    )


def scale_runs(X: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Return (X - m) / s with one mean and standard deviation of all entries per run.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    runs : array of shape (n_samples,)
    """
    scaled = np.empty_like(X, dtype=np.result_type(X, np.float32))
    for run in dict.fromkeys(np.asarray(runs).tolist()):
        rows = np.asarray(runs) == run
        spread = X[rows].std()
        if spread == 0:
            raise ValueError(f"run {run!r}: all features have one value, so there is no scale")
        scaled[rows] = (X[rows] - X[rows].mean()) / spread
    return scaled


def scale_items(X: np.ndarray) -> np.ndarray:
    """Return the embeddings standardised item by item, over features.

    Parameters
    ----------
    X : array of shape (n_items, n_features)
    """
    spread = X.std(axis=1, keepdims=True)
    if (spread == 0).any():
        first = int(np.argmin(spread[:, 0]))
        raise ValueError(f"X: row {first} has the same value in every feature: it has no scale")
    return (X - X.mean(axis=1, keepdims=True)) / spread


def trim_runs(runs: np.ndarray, first: int, last: int = 0) -> np.ndarray:
    """Return the rows that remain after trimming the start and the end of each run.

    Parameters
    ----------
    runs : array of shape (n_samples,)
    first, last : int
        Samples to leave out at the start and at the end.
    """
    runs = np.asarray(runs)
    kept = []
    for run in dict.fromkeys(runs.tolist()):
        rows = np.flatnonzero(runs == run)
        if first + last >= len(rows):
            raise ValueError(f"run {run!r} has {len(rows)} samples; {first} + {last} would go")
        kept.append(rows[first : len(rows) - last])
    return np.concatenate(kept)
