"""Ridge regression of few targets on many samples, from sums over blocks of samples.

With D = [1, X, Y] of some samples, D'D holds their number, sums and products. Those of disjoint
samples add up, so one pass over X and Y serves all outer and inner folds of a nested
cross-validation: samples that lie on the same side of every fold form a block, and a training or
test set is the sum of its blocks. Means, scales and squared errors follow from the sums::

    Cxx = sum x x' - n m m'                              (about the mean m of the samples)
    ||y - X w||^2 = sum y^2 - 2 w' sum x y + w' (sum x x') w

Sums are in double precision and about the mean of all samples. What is left of them after centring
must be more than their rounding (``TrainingSums.holds``); otherwise the direct way is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlm.compute.backend import (
    at,
    double,
    empty,
    eps,
    full,
    host,
    is_accelerator,
    is_tensor,
    like,
    namespace,
    spread,
)
from brainlm.compute.products import neighbours
from brainlm.compute.threads import map_alone
from brainlm.encoding._ridge.solve import RidgeFit, Standardizer

ROWS = 2048  # samples in double precision at a time
IN_CACHE = 1 << 20  # bytes of them that stay in the cache of a processor
LEFT = 1e-6  # of sums of squares after centring, below which their rounding counts
RESOLVED = 1e-10  # smallest penalty as a share of the largest eigenvalue before centring
ALONE = 64  # features from which a decomposition has a thread to itself
COLUMNS = 512  # weights whose errors are computed together


@dataclass(frozen=True)
class SideSums:
    """Sums and products of the samples of training and test sets.

    Attributes
    ----------
    X : array of shape (0, n_features)
        Says precision and device.
    origin : array of shape (n_features + n_targets,)
        Subtracted from [X, Y]; near their means, exactly the value of columns that are constant.
    constant : array of bool, shape (n_features + n_targets,)
    products : array of shape (n_sides, q, q)
        D'D with D = [1, X, Y] about the origin, q = 1 + n_features + n_targets.
    """

    X: Any
    origin: Any
    constant: Any
    products: Any

    @classmethod
    def of(cls, X: Any, Y: Any, member: np.ndarray, blocks: Sequence[np.ndarray]) -> SideSums:
        """Pass the samples once, block by block; sides are sums of blocks, nothing is subtracted.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        Y : array of shape (n_samples, n_targets)
            Both finite.
        member, blocks
            Of ``common_blocks``.
        """
        xp = namespace(X)
        constant = xp.concatenate([_constant(A) for A in (X, Y)])
        origin = xp.concatenate([_middle(A) for A in (X, Y)])
        origin = xp.where(constant, xp.concatenate([double(X[0]), double(Y[0])]), origin)
        p, q = X.shape[1], 1 + len(origin)
        products = full((len(blocks), q, q), 0, X, in_double=True)
        n_rows = ROWS if is_accelerator(X) else max(64, min(ROWS, IN_CACHE // (8 * q)))
        buffer = full((n_rows, q), 1, X, in_double=True)
        for total, block in zip(products, blocks, strict=True):
            for start in range(0, len(block), n_rows):
                own = block[start : start + n_rows]
                rows, D = at(neighbours(own), X), buffer[: len(own)]
                xp.subtract(X[rows], origin[:p], out=D[:, 1 : 1 + p])
                xp.subtract(Y[rows], origin[p:], out=D[:, 1 + p :])
                total += D.T @ D
        sides = like(member, products) @ products.reshape(len(blocks), -1)
        return cls(X[:0], origin, constant, sides.reshape(-1, q, q))


def _constant(A: Any) -> Any:
    """Which columns never change; most change within the first rows."""
    found = spread(A[:ROWS]) == 0
    if found.any():
        found[found] = spread(A[:, found]) == 0
    return found


def _middle(A: Any) -> Any:
    """About the mean of each column: any value near it will do."""
    return double(full((len(A),), 1 / len(A), A) @ A)


def centred(products: Any, mean: Any) -> Any:
    """Return the sums of products about ``mean``, (q - 1, q - 1), from D'D."""
    n, total = products[0, 0], products[0, 1:]
    left = namespace(mean).stack([mean, total])
    right = namespace(mean).stack([total - n * mean, mean])
    return products[1:, 1:] - left.T @ right


@dataclass(frozen=True)
class Decomposed:
    """Weights of a training set for any penalty: Cxx = U diag(l) U'.

    Attributes
    ----------
    eigenvalues : array of shape (n_features,)
    U : array of shape (n_features, n_features)
    right : array of shape (n_features, n_targets)
        U' Cxy.
    """

    eigenvalues: Any
    U: Any
    right: Any

    @classmethod
    def of(cls, C: Any, n_features: int) -> Decomposed:
        """Decompose sums of products of features and targets about their means."""
        p = n_features
        eigenvalues, U = namespace(C).linalg.eigh(C[:p, :p])
        return cls(eigenvalues.clip(0), U, U.T @ C[:p, p:])

    def weights(self, alphas: Any, targets: slice = slice(None)) -> Any:
        """Return weights of targets, (n_features, n_alphas, n_targets).

        Parameters
        ----------
        alphas : array of shape (n_alphas, n_targets) or (n_alphas, 1)
        targets : slice
        """
        shrunken = self.right[:, None, targets] / (self.eigenvalues[:, None, None] + alphas)
        return (self.U @ shrunken.reshape(len(self.U), -1)).reshape(shrunken.shape)


@dataclass(frozen=True)
class InnerFold:
    """An inner fold: weights from its training set, sums over its test set about that mean.

    Attributes
    ----------
    fit : Decomposed
    n_test : float
    xx, xy : array of shape (n_features, n_features), (n_features, n_targets)
    yy, uncentred : array of shape (n_targets,)
        Squares about the training mean, and what they were subtracted from.
    """

    fit: Decomposed
    n_test: Any
    xx: Any
    xy: Any
    yy: Any
    uncentred: Any

    @classmethod
    def of(cls, train: Any, test: Any, units: Any, n_features: int) -> InnerFold:
        """Centre and scale the D'D of training and test set."""
        p, n, mean = n_features, test[0, 0], train[0, 1:] / train[0, 0]
        C, T = centred(train, mean) * units, centred(test, mean) * units
        uncentred = test.diagonal()[1 + p :] + n * mean[p:] ** 2
        return cls(Decomposed.of(C, p), n, T[:p, :p], T[:p, p:], T.diagonal()[p:], uncentred)

    def errors(self, alphas: Any) -> Any:
        """Return the mean squared error of every penalty and target, (n_alphas, n_targets)."""
        found = empty((len(alphas), len(self.yy)), self.yy)
        step = max(1, COLUMNS // len(alphas))
        for start in range(0, len(self.yy), step):
            own = slice(start, start + step)
            W = self.fit.weights(alphas[:, None], own)
            explained = (self.xx @ W.reshape(len(W), -1)).reshape(W.shape)
            explained -= 2 * self.xy[:, None, own]
            found[:, own] = self.yy[own] + (W * explained).sum(0)
        return found.clip(0) / self.n_test


@dataclass(frozen=True)
class TrainingSums:
    """A training set with its inner folds: the curve of any penalties, and the weights.

    The equations are those of ``brainlm.encoding._ridge.search.solve_ridge_cv``.

    Attributes
    ----------
    fit : RidgeFit
        For new samples; it holds none of the training set.
    mean, scale : array of shape (n_features + n_targets,)
        Mean about the origin of the sums; scale, 1 for targets.
    whole : Decomposed
    folds : list of InnerFold
    left : float
        Smallest share of a sum of squares that is left of it after centring.
    """

    fit: RidgeFit
    mean: Any
    scale: Any
    whole: Decomposed
    folds: list[InnerFold]
    left: float

    @classmethod
    def of(
        cls,
        sums: SideSums,
        first: int,
        n_folds: int,
        *,
        standardize: bool = True,
        weight: Any = None,
    ) -> TrainingSums:
        """Centre, scale and decompose.

        Parameters
        ----------
        sums : SideSums
        first : int
            Place of the training set in its sides. Those of the inner folds follow, then their
            test sets.
        n_folds : int
        standardize : bool
        weight : array of shape (n_features,), optional
            Multiplies the scaled features, 0 or more.
        """
        p, (whole, *inner) = sums.X.shape[1], sums.products[first : first + 1 + 2 * n_folds]
        n, mean = whole[0, 0], whole[0, 1:] / whole[0, 0]
        C = centred(whole, mean)
        left = _smallest(C.diagonal(), whole.diagonal()[1:], varying=~sums.constant)
        scale = _scale(sums, mean, C.diagonal() / n, standardize)
        if weight is not None:
            with np.errstate(divide="ignore"):  # a feature without weight has an infinite scale
                scale[:p] /= like(weight, scale)
        units = 1 / (scale[:, None] * scale)
        pairs = zip(inner[:n_folds], inner[n_folds:], strict=True)
        several = map_alone if p >= ALONE and not is_tensor(whole) else map
        folds = list(several(lambda pair: InnerFold.of(pair[0], pair[1], units, p), pairs))
        total = sum(fold.yy / fold.n_test for fold in folds)
        left = min(left, _smallest(total, sum(fold.uncentred / fold.n_test for fold in folds)))
        (own,) = several(lambda products: Decomposed.of(products, p), [C * units])
        shift = n * ((mean / scale)[:p] ** 2).sum()
        standardizer = Standardizer(
            like(sums.origin[:p] + mean[:p], sums.X), like(scale[:p], sums.X)
        )
        largest = float(own.eigenvalues[-1] + shift)
        fit = RidgeFit(sums.X, standardizer, True, (C * units)[:p, :p], largest)
        return cls(fit, mean, scale, own, folds, left)

    def holds(self, smallest_alpha: float) -> bool:
        """Return whether rounding leaves scores of more than eight digits."""
        return self.left >= LEFT and smallest_alpha >= RESOLVED * self.fit.largest

    def curve(self, alphas: np.ndarray) -> np.ndarray:
        """Return the cross-validated R2 of every penalty, (n_alphas, n_targets)."""
        grid = like(np.asarray(alphas), self.whole.right)
        error = sum(fold.errors(grid) for fold in self.folds)
        return host(1 - error / sum(fold.yy / fold.n_test for fold in self.folds))

    def weights(self, alphas: np.ndarray) -> Any:
        """Return the weights at a penalty per target, (n_features, n_targets)."""
        found = self.whole.weights(like(np.asarray(alphas)[None], self.whole.right))
        return like(found[:, 0], self.fit.X)


def _smallest(squares: Any, before: Any, varying: Any = slice(None)) -> float:
    """Smallest share that is left; 0 where it is not a number."""
    share = host(squares[varying] / before[varying])
    return float(np.nan_to_num(share, nan=0.0).min(initial=1.0))


def _scale(sums: SideSums, mean: Any, variance: Any, standardize: bool) -> Any:
    """Scale of features and targets, as in ``Standardizer.learn``; that of targets is 1."""
    p, xp = sums.X.shape[1], namespace(mean)
    scale = xp.ones_like(mean)
    if standardize:
        deviation = variance[:p].clip(0) ** 0.5
        flat = deviation <= 2 * eps(sums.X) * abs(sums.origin[:p] + mean[:p])
        scale[:p] = xp.where(flat | sums.constant[:p], 1, deviation)
    return scale


def common_blocks(sides: Sequence[np.ndarray], n_samples: int) -> tuple[np.ndarray, list]:
    """Cut the samples into blocks that lie on every side as a whole or not at all.

    Parameters
    ----------
    sides : sequence of array of int
        Training and test sets: row numbers, each once.
    n_samples : int

    Returns
    -------
    member : array of bool, shape (n_sides, n_blocks)
    rows : list of array of int
        Of each block, rising. Samples that are on no side are in no block.
    """
    inside = np.zeros((len(sides), n_samples), dtype=bool)
    for row, side in zip(inside, sides, strict=True):
        row[side] = True
    edges = np.flatnonzero((inside[:, 1:] != inside[:, :-1]).any(axis=0)) + 1
    starts = np.r_[0, edges]
    packed = np.packbits(inside[:, starts], axis=0).T
    _, first, label = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    labels = np.repeat(label.ravel(), np.diff(np.r_[starts, n_samples]))
    order = np.argsort(labels, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(labels))[:-1])
    member = inside[:, starts[first]]
    used = member.any(axis=0)
    return member[:, used], [rows[k] for k in np.flatnonzero(used)]
