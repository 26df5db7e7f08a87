"""Ridge regression of targets that may not fit into memory: one fold, in blocks.

The feature side (Gram matrix, factorisations, one prediction operator per penalty) is made once per
fold; the targets pass by twice, for the choice of their penalties and for their scores. Weights are
never formed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from brainlm.compute.backend import (
    at,
    column_means,
    empty,
    host,
    is_accelerator,
    is_tensor,
    itemsize,
    like,
    place,
)
from brainlm.compute.lazy_arrays import READ_BYTES, TargetView, column_blocks
from brainlm.compute.streams import column_stream, free_memory

BLOCKS_AT_ONCE = 6  # copies of a block of targets alive at one time
SMALLEST_READ = 1 << 22


class FoldResult(NamedTuple):
    """Scores of one test fold, the chosen penalties and, where asked for, the predictions."""

    values: np.ndarray
    alpha: np.ndarray
    predictions: np.ndarray | None


def read_size(fixed: int, max_memory: int | None, X: Any = None) -> int:
    """Return how many bytes of targets to read at a time.

    Parameters
    ----------
    fixed : int
        Bytes taken whatever the targets.
    max_memory : int, optional
        Default: what is left where ``X`` lies, the machine or the card.
    X : array, optional
        Features of a fold, where the arithmetic is done.

    Raises
    ------
    MemoryError
        When the features alone take more.
    """
    limit = free_memory(X) if max_memory is None or is_accelerator(X) else max_memory
    limit = limit if max_memory is None else min(limit, max_memory)
    left = (limit - fixed) // BLOCKS_AT_ONCE
    if left < SMALLEST_READ:
        least = fixed + BLOCKS_AT_ONCE * SMALLEST_READ
        name = "memory left" if max_memory is None else "max_memory"
        raise MemoryError(
            f"{name} is {limit / 1e9:.2f} GB; this ridge regression needs {least / 1e9:.2f} GB for "
            "its features and operators, whatever the number of targets: give more, use float32, "
            "fewer samples or fewer alphas"
        )
    return min(READ_BYTES, left)


def stream_fold(
    ridge: Any,
    X: tuple[np.ndarray, np.ndarray],
    Y: Any,
    rows: tuple[np.ndarray, np.ndarray],
    score: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    at_most: int = READ_BYTES,
    keep_predictions: bool = False,
) -> FoldResult:
    """Choose penalties on the training samples, predict the test samples and score them.

    The same numbers as ``RidgeEncoder.fit`` and ``predict``, to rounding.

    Parameters
    ----------
    ridge : RidgeEncoder
        Unfitted; gets ``alphas_``, ``alpha_``, ``cv_curve_`` and ``cv_r2_``, no weights.
    X : pair of array
        Features of the training and of the test samples.
    Y : array-like of shape (n_samples, n_targets)
        Gives columns as ``Y[:, a:b]``.
    rows : pair of array of int
        Training and test samples.
    score : callable
        ``score(predicted, truth)``, (n_test, n_block) each, returns (n_block,).
    at_most : int
        Bytes of targets to read at a time.
    keep_predictions : bool
    """
    X_train, X_test = (place(side, ridge.device) for side in X)
    train, test = (at(side, X_train) for side in rows)
    view = Y[train] if is_tensor(Y) else TargetView(Y, rows[0], at_most=at_most)
    fit = ridge.choose(X_train, view)
    A = fit.project(X_test)
    operators = {alpha: fit.operator(A, alpha) for alpha in np.unique(ridge.alpha_).tolist()}
    values = np.empty(Y.shape[1])
    kept = np.empty((len(test), Y.shape[1]), dtype=host(A[:0]).dtype) if keep_predictions else None
    size = max(A.itemsize, itemsize(Y))
    blocks = column_blocks(Y.shape[1], Y.shape[0] * size, at_most)
    for block, both in column_stream(Y, blocks, A, keep_dtype=True):
        R = like(both[train], A)
        mean = column_means(R)
        R -= mean
        if fit.primal:
            R = fit.X.T @ R
        predicted = empty((len(test), R.shape[1]), A)
        for alpha, operator in operators.items():
            own = at(np.flatnonzero(ridge.alpha_[block] == alpha), A)
            predicted[:, own] = operator @ R[:, own]
        predicted += mean
        values[block] = host(score(predicted, both[test]))
        if kept is not None:
            kept[:, block] = host(predicted)
    return FoldResult(values, ridge.alpha_, kept)
