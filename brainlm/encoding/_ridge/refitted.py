"""Scores of ridge regressions refitted to permuted responses, from sums over blocks of samples.

At a given penalty the features enter a fold through three matrices only: Cxx of its training
samples, decomposed once, Cxx of its test samples, and the products with the responses. The last are
sums over blocks of samples (``brainlm.encoding._ridge.sums``), so one product of the features with
a permuted response serves all folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlm.compute.backend import (
    as_rows,
    at,
    double,
    empty,
    full,
    has_double,
    largest,
    like,
    namespace,
    row_dots,
    squares,
)
from brainlm.compute.products import operand, product
from brainlm.compute.streams import block_bytes, free_memory
from brainlm.data.scores import fisher_z
from brainlm.encoding._ridge.solve import is_primal
from brainlm.encoding._ridge.sums import SideSums, TrainingSums, centred, common_blocks

AT_ONCE = 1024  # permuted responses, as rows
MOST_BLOCKS = 500
FLAT = 1e-13  # share of squares below which a variance is rounding

Fold = tuple[np.ndarray, np.ndarray]


def refitted_scores(
    X: Any,
    Y: Any,
    folds: Sequence[Fold],
    alphas: np.ndarray,
    orders: np.ndarray,
    *,
    standardize: bool = True,
) -> Any:
    """Return the mean Fisher z of permuted responses over the folds, or None.

    For the fold with training mean m, scale s, U diag(l) U' = Cxx of the training samples, and test
    samples about their own mean::

        w = U (U' Cxy / (l + alpha)),    r = w' Txy / sqrt(w' Txx w  Tyy)

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    Y : array of shape (n_samples, n_targets)
    folds : sequence of (train, test)
    alphas : array of shape (n_folds, n_targets)
    orders : array of int, shape (n_permutations, n_samples)
        Rows of Y.
    standardize : bool

    Returns
    -------
    array of shape (n_permutations, n_targets) or None
        None where there are not far more samples than features, or the sums are not exact enough
        (``TrainingSums.holds``). NaN where a target is constant in a test fold.
    """
    if not has_double(X) or not all(is_primal(len(train), X.shape[1]) for train, _ in folds):
        return None
    sides = [side for train, test in folds for side in (train, train, test)]
    member, blocks = common_blocks(sides, len(X))
    if len(blocks) > MOST_BLOCKS or any(len(np.unique(side)) < len(side) for side in sides):
        return None
    sums = SideSums.of(X, X[:, :0], member, blocks)
    fixed = [_Fold.of(sums, 3 * k, standardize=standardize) for k in range(len(folds))]
    if not all(one.fit.holds(float(own.min())) for one, own in zip(fixed, alphas, strict=True)):
        return None
    passes = _Products.of(X, sums, member, blocks)
    z = full((len(orders), Y.shape[1]), 0, X, in_double=False)
    for start in range(0, Y.shape[1], AT_ONCE):
        part = slice(start, min(start + AT_ONCE, Y.shape[1]))
        Yt = _units(as_rows(like(Y[:, part], X)))
        step = max(1, passes.at_once(X) // len(Yt))
        for first in range(0, len(orders), step):
            some = orders[first : first + step]
            found = passes.scores(Yt, some, fixed, alphas[:, part])
            z[first : first + len(some), part] = like(found, z)
    return z


def _units(Yt: Any) -> Any:
    """Centre and scale targets, which changes no r; squares of tesla would be 1e-26."""
    Yt = Yt - Yt.mean(axis=1, keepdims=True)
    size = largest(Yt, 1)
    return Yt / namespace(Yt).where(size > 0, size, 1)


@dataclass(frozen=True)
class _Fold:
    """The features of a fold.

    Attributes
    ----------
    fit : TrainingSums
    n_train, n_test : float
    test_mean : array of shape (n_features,)
        About the origin of the sums.
    xx : array of shape (n_features, n_features)
        Of the test samples about their mean, scaled as the training samples.
    uncentred : array of shape (n_features,)
        Squares of the test samples about the origin, scaled.
    """

    fit: TrainingSums
    n_train: Any
    n_test: Any
    test_mean: Any
    xx: Any
    uncentred: Any

    @classmethod
    def of(cls, sums: SideSums, first: int, *, standardize: bool) -> _Fold:
        """Take the sides: the training set twice, the test set."""
        fit = TrainingSums.of(sums, first, 1, standardize=standardize)
        train, test = sums.products[first], sums.products[first + 2]
        mean = test[0, 1:] / test[0, 0]
        xx = centred(test, mean) / (fit.scale[:, None] * fit.scale)
        uncentred = test.diagonal()[1:] / fit.scale**2
        return cls(fit, train[0, 0], test[0, 0], mean, xx, uncentred)

    def correlations(self, train: tuple, test: tuple, alphas: Any) -> Any:
        """Return Pearson's r on the test samples, (n_rows,).

        Parameters
        ----------
        train, test : tuple of array
            Sums of y, y^2 (n_rows,) and x y (n_rows, n_features) about the origin.
        alphas : array of shape (n_rows, 1)
        """
        xp, own, (mean, scale) = namespace(alphas), self.fit.whole, (self.fit.mean, self.fit.scale)
        (y, yy, xy), (there, squared, cross) = train, test
        W = ((xy - y[:, None] * mean) / scale) @ own.U
        W = (W / (own.eigenvalues + alphas)) @ own.U.T
        variance = row_dots(W @ self.xx, W)
        covariance = row_dots((cross - there[:, None] * self.test_mean) / scale, W)
        left, trained = squared - there**2 / self.n_test, yy - y**2 / self.n_train
        # A constant response trains nothing; what it leaves is rounding, as of a flat prediction.
        nothing = (trained <= FLAT * yy) | (variance <= FLAT * (W**2 @ self.uncentred))
        with np.errstate(divide="ignore", invalid="ignore"):
            r = (covariance / (variance.clip(0) * left.clip(0)) ** 0.5).clip(-1, 1)
        return xp.where(left <= FLAT * squared, np.nan, xp.where(nothing, 0.0, r))


@dataclass(frozen=True)
class _Products:
    """Products of features and permuted responses, block by block of samples.

    Attributes
    ----------
    member : array of shape (n_sides, n_blocks)
    order : array of int
        The samples, block after block.
    cuts : list of slice
        Of the blocks.
    factors : list of array
        Features of each block about the origin, laid out for ``product``.
    n_features : int
    """

    member: Any
    order: np.ndarray
    cuts: list[slice]
    factors: list[Any]
    n_features: int

    @classmethod
    def of(
        cls, X: Any, sums: SideSums, member: np.ndarray, blocks: Sequence[np.ndarray]
    ) -> _Products:
        """Lay out the features of each block."""
        stops = np.cumsum([len(rows) for rows in blocks]).tolist()
        cuts = [slice(a, b) for a, b in zip([0, *stops], stops, strict=False)]
        factors = [operand(as_rows(like(double(X[at(b, X)]) - sums.origin, X))) for b in blocks]
        member = like(member, sums.products)
        return cls(member, np.concatenate(blocks), cuts, factors, X.shape[1])

    def at_once(self, X: Any) -> int:
        """Return how many permuted responses fit."""
        each = len(X) * X.itemsize + 8 * X.shape[1] * (len(self.member) + len(self.factors))
        room = block_bytes(X, min(AT_ONCE * each, free_memory(X) // 4))
        return max(1, min(AT_ONCE, room // each))

    def scores(
        self, Yt: Any, orders: np.ndarray, folds: Sequence[_Fold], alphas: np.ndarray
    ) -> Any:
        """Return the mean z, (n_orders, n_targets), of targets ``Yt`` (n_targets, n_samples)."""
        rows = Yt[:, at(orders[:, self.order], Yt)].reshape(-1, len(self.order))
        y, yy, xy = self._over_sides(rows)
        z = full((len(rows),), 0, xy)
        for k, (fold, own) in enumerate(zip(folds, alphas, strict=True)):
            penalties = like(np.repeat(own, len(orders))[:, None], xy)
            train, test = ((y[side], yy[side], xy[side]) for side in (3 * k, 3 * k + 2))
            z += fisher_z(fold.correlations(train, test, penalties))
        return (z / len(folds)).reshape(len(Yt), len(orders)).T

    def _over_sides(self, rows: Any) -> tuple[Any, Any, Any]:
        """Sums of y, y^2 and x y over every side, in double precision."""
        n_blocks, n_rows = len(self.cuts), len(rows)
        found = empty((n_blocks, n_rows, 2 + self.n_features), rows, in_double=True)
        for values, cut, factor in zip(found, self.cuts, self.factors, strict=True):
            own = rows[:, cut]
            values[:, 0], values[:, 1] = double(own).sum(1), squares(double(own))
            values[:, 2:] = product(own, factor)
        sides = (self.member @ found.reshape(n_blocks, -1)).reshape(-1, *found.shape[1:])
        return sides[..., 0], sides[..., 1], sides[..., 2:]
