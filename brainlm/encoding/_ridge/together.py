"""Ridge regressions of training sets of the same samples, fitted in one pass over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from brainlm.compute.backend import at, beside, has_double, like
from brainlm.compute.inputs import checked_means
from brainlm.compute.streams import free_memory
from brainlm.encoding._ridge.cost import inner_operations, sums_bytes, sums_operations
from brainlm.encoding._ridge.grid import choose_on_grid
from brainlm.encoding._ridge.search import is_exact
from brainlm.encoding._ridge.solve import is_primal
from brainlm.encoding._ridge.sums import SideSums, TrainingSums, common_blocks
from brainlm.encoding.folds import counts_rows

MEMBERS = 1 << 28  # sides times samples, beyond which no common blocks are looked for

TrainingSet = tuple[np.ndarray, Sequence[tuple[np.ndarray, np.ndarray]]]


def fit_from_sums(encoders: Sequence[Any], X: Any, Y: Any, trains: Sequence[np.ndarray]) -> bool:
    """Fit encoders to training sets of the same samples, if sums over blocks are the faster way.

    Parameters
    ----------
    encoders : sequence of RidgeEncoder
        Alike but for ``cv``; the first has validated X and Y.
    X : array of shape (n_samples, n_features)
    Y : array of shape (n_samples, n_targets)
    trains : sequence of array of int
        Training samples of each encoder.

    Returns
    -------
    bool
        False where the direct way is faster, or the sums are not exact enough.
    """
    first, (n_features, n_targets) = encoders[0], (X.shape[1], Y.shape[1])
    if first.criterion != "r2" or first.leaves_one_out:
        return False
    alphas, sets = first.checked_alphas(), []
    for each, train in zip(encoders, trains, strict=True):
        folds = each.folds(X[: len(train)] if counts_rows(each.cv) else X[at(train, X)])
        if not is_exact(n_features, folds, len(alphas), n_targets, first.search):
            return False
        sets.append((train, [(train[own], train[left]) for own, left in folds]))
    sides, start = side_sums(X, Y, sets, len(alphas)), 0
    if sides is None:
        return False
    for each, (train, folds) in zip(encoders, sets, strict=True):
        sums = TrainingSums.of(sides, start, len(folds), standardize=first.standardize)
        start += 1 + 2 * len(folds)
        if not sums.holds(first.smallest_alpha()):
            return False
        curve = sums.curve(alphas)
        each._keep(
            choose_on_grid(alphas, curve, sums.curve, each.best, lambda _: True, widen=each.widen)
        )
        each.n_features_in_, each._given = n_features, first._given
        each._one_target, each._mean = first._one_target, checked_means(Y[at(train, Y)], X)
        each._fit, each._weights = sums.fit, like(sums.weights(each.alpha_), beside(Y, X))
        each.warn_at_edge(each.alpha_, each.alphas_, each.cv_r2_)
    return True


def side_sums(X: Any, Y: Any, sets: Sequence[TrainingSet], n_alphas: int) -> SideSums | None:
    """Return the sums of all training and test sets, or None where the direct way is faster.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    Y : array of shape (n_samples, n_targets)
        Both finite.
    sets : sequence of (train, folds)
        Row numbers of the training set and of its inner folds, in X. Its sides are the training
        set, those of its folds and then their test sets.
    n_alphas : int
    """
    sides = [
        side
        for train, folds in sets
        for side in (train, *(fold[0] for fold in folds), *(fold[1] for fold in folds))
    ]
    if not has_double(X) or len(sides) * len(X) > MEMBERS:
        return None
    member, blocks = common_blocks(sides, len(X))
    sizes = np.array([len(block) for block in blocks])
    if (member @ sizes != [len(side) for side in sides]).any():
        return None  # a row that counts twice
    inner = [fold for _, folds in sets for fold in folds]
    shape = X.shape[1], Y.shape[1], n_alphas
    if not all(is_primal(len(train), X.shape[1]) for train, _ in inner):
        return None
    most = max(len(folds) for _, folds in sets)
    if sums_bytes(len(blocks) + len(sides), most, *shape[:2]) > free_memory(X) // 4:
        return None
    if sums_operations(len(X), len(sides), len(blocks), len(inner), *shape) > sum(
        inner_operations(len(train), len(test), *shape) for train, test in inner
    ):
        return None
    return SideSums.of(X, like(Y, X, keep_dtype=True), member, blocks)
