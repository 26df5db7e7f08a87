"""Solve ridge regression for many targets: arrays in, arrays out.

For features X (n_samples, n_features) and targets Y (n_samples, n_targets), both centred on the
training samples, every target v has its own penalty::

    w_v = argmin ||y_v - X w||^2 + alpha_v ||w||^2

alpha multiplies ||w||^2 itself, as in scikit-learn and himalaya (not alpha squared). With far fewer
features than samples the normal equations are those of X'X (primal form); otherwise those of XX'
(kernel form). The choice of the penalty in inner folds is implemented in
``brainlm.encoding._ridge.search``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from brainlm.compute.backend import (
    as_rows,
    at,
    beside,
    cast,
    cholesky,
    double,
    eigh,
    eigvalsh,
    empty,
    eps,
    is_accelerator,
    is_single,
    is_tensor,
    like,
    namespace,
    shift,
    solve,
    spread,
    std,
    svd,
)
from brainlm.compute.lazy_arrays import column_blocks
from brainlm.compute.products import operand, product
from brainlm.compute.streams import ACCELERATOR_BLOCK, block_bytes, column_stream, free_memory

# Half-decade steps. Wide enough for z-scored features from 30 samples to 100,000.
DEFAULT_ALPHAS = np.logspace(-2, 7, 19)

# Below this share of the largest eigenvalue a penalty drowns in the rounding of single precision
# (of the Gram matrix, of its factors), and below the last one in that of double precision, too.
SINGLE = 1e-4
SINGLE_GRAM = 1e-5
POWER_STEPS = 10
SINGLE_EIGENVALUE = 3e-8  # resolved by an eigendecomposition in single precision
DOUBLE = 1e-11

PRIMAL = 0.4  # features per sample up to which the primal form is the faster
STANDARDIZE_BYTES = 1 << 24  # of features in double precision at a time
AT_ONCE = 1024  # targets whose weights are made together


@dataclass(frozen=True)
class Standardizer:
    """Mean and scale of each feature, learned on training samples.

    A feature that never changes in the training samples, or in the last digit of its precision
    only, carries no information there; its scale is 1, so that it becomes 0 for them. Sums are
    formed in double precision: in single precision rounding gives a constant a deviation.
    """

    mean: Any
    scale: Any

    @classmethod
    def learn(cls, X: Any, scale: bool) -> Standardizer:
        """Learn from the training samples ``X``; ``scale=False`` centres only."""
        xp, n_features = namespace(X), X.shape[1]
        if not is_tensor(X):
            X = X.astype(np.result_type(X.dtype, np.float32), copy=False)
        mean, deviation = (empty((n_features,), X, in_double=True) for _ in range(2))
        room = block_bytes(X, STANDARDIZE_BYTES)
        for block in column_blocks(n_features, 8 * len(X), room):
            values = double(X[:, block])
            mean[block] = values.mean(axis=0)
            deviation[block] = std(values)
        # A sum of equal numbers is rounded, too.
        constant = spread(X) == 0
        mean = xp.where(constant, X[0], mean)
        if not scale:
            return cls(like(mean, X), like(xp.ones_like(mean), X))
        flat = constant | (deviation <= 2 * eps(X) * xp.abs(mean))
        return cls(like(mean, X), like(xp.where(flat, 1, deviation), X))

    def apply(self, X: Any) -> Any:
        """Return (X - mean) / scale."""
        Z = X - self.mean
        Z /= self.scale
        return Z


@dataclass(frozen=True)
class RidgeFit:
    """The training side of a ridge regression: any penalty, any target.

    Attributes
    ----------
    X : array of shape (n_samples, n_features)
        Standardised training features.
    standardizer : Standardizer
    primal : bool
        ``is_primal``: q = n_features, otherwise q = n_samples.
    gram : array of shape (q, q)
        X'X or XX', in double precision where the smallest penalty asks for it.
    largest : float
        Its largest eigenvalue.
    smallest_alpha : float
        The smallest penalty that it is made for.
    """

    X: Any
    standardizer: Standardizer
    primal: bool
    gram: Any
    largest: float
    smallest_alpha: float = 0.0

    @property
    def usual(self) -> float:
        """The average eigenvalue of the Gram matrix."""
        return float(self.gram.trace()) / len(self.gram)

    @cached_property
    def decomposition(self) -> tuple[Any, Any]:
        """Eigenvalues and eigenvectors of the Gram matrix, computed at first use.

        In single precision where that resolves the smallest penalty. In the kernel form the
        constant, of eigenvalue 0, is given the average eigenvalue; centred targets have no part in
        it.
        """
        single = is_single(self.X) and self.smallest_alpha >= SINGLE_EIGENVALUE * self.largest
        gram = cast(self.gram, in_double=not single)
        if not self.primal:
            gram = gram + self.usual / len(gram)
        eigenvalues, U = eigh(gram)
        return eigenvalues.clip(0), U

    def eigenvalues(self) -> Any:
        """Eigenvalues of the Gram matrix, in the precision of X; see ``decomposition``."""
        if "decomposition" in self.__dict__:
            return self.decomposition[0]
        gram = cast(self.gram, in_double=not is_single(self.X))
        if not self.primal:
            gram = gram + self.usual / len(gram)
        return eigvalsh(gram).clip(0)

    def project(self, X: Any) -> Any:
        """Return the factor of the weights for new samples ``X``, (n_new, q)."""
        Z = self.standardizer.apply(X)
        return Z if self.primal else Z @ self.X.T

    def weights(self, Y: Any, alphas: np.ndarray) -> Any:
        """Return primal weights (n_features, n_targets), or dual ones (n_samples, n_targets).

        Parameters
        ----------
        Y : array of shape (n_samples, n_targets)
            Training targets; their means are taken off. On the host they pass in blocks, and the
            weights are on the host, too.
        alphas : array of shape (n_targets,)
            Targets of one penalty share one factorisation.
        """
        X, n_targets = self.X, len(alphas)
        W = empty((len(self.gram), n_targets), beside(Y, X))
        per_target = 4 * (len(W) + len(X)) * X.itemsize
        left = np.ones(n_targets, dtype=bool)
        if "decomposition" in self.__dict__:  # of use where its precision resolves the penalty
            left = alphas < SINGLE * self.largest
            eigenvalues, U = self.decomposition
            basis, back = operand(U.T), operand(U)
            blocks = column_blocks(n_targets, per_target, block_bytes(X, AT_ONCE * per_target))
            useful = [block for block in blocks if not left[block].all()]
            for block, targets in column_stream(Y, useful, X):
                shrunken = product(like(self._rows(targets), U), basis)
                shrunken /= eigenvalues + like(alphas[block, None], U)
                W[:, block] = like(product(shrunken, back), W).T
        solver: Callable[[float], Any] = self._solver
        n_bytes = 8 * len(W) ** 2 * len(np.unique(alphas))
        if is_accelerator(X) and n_bytes < free_memory(X) // 4:
            solver = cache(solver)  # of all penalties, for several blocks
        at_most = n_targets * per_target if is_tensor(Y) else ACCELERATOR_BLOCK
        whole = block_bytes(X, n_targets * per_target, at_most=at_most)
        blocks = column_blocks(n_targets, per_target, whole)
        for block, targets in column_stream(Y, [b for b in blocks if left[b].any()], X):
            for alpha in np.unique(alphas[block][left[block]]).tolist():
                own = np.flatnonzero(alphas[block] == alpha)
                found = solver(alpha)(targets[:, at(own, X)])
                W[:, at(own + block.start, W)] = like(found, W)
        return W

    def _rows(self, Y: Any) -> Any:
        """Return what the inverse is multiplied with, a row for each target, (n_targets, q)."""
        Yt = as_rows(Y)
        Yt = Yt - Yt.mean(axis=1, keepdims=True)
        return Yt @ self.X if self.primal else Yt

    def _solver(self, alpha: float) -> Callable[[Any], Any]:
        """Return what makes weights of targets at one penalty, in the precision it asks for."""
        if self._extreme(alpha):  # the Gram matrix itself has lost what alpha decides about
            U, s, Vt = self._svd()

            def by_svd(Y: Any) -> Any:
                inner = (U.T @ like(Y - Y.mean(axis=0), U)) / (s**2 + alpha)[:, None]
                return Vt.T @ (s[:, None] * inner) if self.primal else U @ inner

            return by_svd
        factor = cholesky(shifted := self.shifted(alpha))
        return lambda Y: solve(factor, like(self._rows(Y).T, shifted))

    def _svd(self) -> tuple[Any, Any, Any]:
        """X = U diag(s) V' without the directions that are rounding errors, as the constant is."""
        U, s, Vt = svd(double(self.X))
        kept = s > eps(self.X) * (s[0] if len(s) else 0)  # falling
        return U[:, kept], s[kept], Vt[kept]

    def operator(self, A: Any, alpha: float) -> Any:
        """Return A (gram + alpha I)^-1: from training targets to predictions.

        Parameters
        ----------
        A : array of shape (n_new, q)
            ``project(X)`` of new samples.
        alpha : float

        Returns
        -------
        array of shape (n_new, q)
            Multiplies centred training targets (kernel form), or ``X.T`` of them (primal form).
        """
        if self._extreme(alpha):
            U, s, Vt = self._svd()
            basis = Vt.T if self.primal else U
            return like(((like(A, U) @ basis) / (s**2 + alpha)) @ basis.T, self.X)
        shifted = self.shifted(alpha)
        return like(solve(cholesky(shifted), like(A.T, shifted)).T, self.X)

    def shifted(self, alpha: float) -> Any:
        """Return a copy of gram + alpha I in the precision that alpha asks for."""
        in_double = not is_single(self.X) or alpha < SINGLE * self.largest
        return shift(cast(self.gram, in_double=in_double), alpha)

    def _extreme(self, alpha: float) -> bool:
        return alpha < DOUBLE * self.largest


def is_primal(n_samples: int, n_features: int) -> bool:
    """Return whether the primal form is the cheaper one.

    Not up to as many features as samples: its folds have a decomposition each, those of the kernel
    form share one (times in ``benchmarks/README.md``).
    """
    return n_features < PRIMAL * n_samples


def fit_ridge(X: Any, *, standardize: bool = True, smallest_alpha: float = 0.0) -> RidgeFit:
    """Prepare a training set.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Training features, float32 or float64; the arithmetic is done in that precision, except
        that penalties too small for float32 are worked with in float64.
    standardize : bool
        Divide each feature by its standard deviation as well as centring it.
    smallest_alpha : float
        The smallest penalty that will be asked for.
    """
    standardizer = Standardizer.learn(X, standardize)
    Z = standardizer.apply(X)
    primal = is_primal(*Z.shape)
    largest = largest_squared_singular_value(Z)
    small = smallest_alpha < SINGLE_GRAM * largest and is_single(Z)
    exact = double(Z) if small else Z
    gram = exact.T @ exact if primal else exact @ exact.T
    if not primal:  # rounding leaves means of 1e-8 in Z, which a small penalty would blow up
        gram -= gram.mean(axis=0)
        gram -= gram.mean(axis=1, keepdims=True)
    return RidgeFit(Z, standardizer, primal, gram, largest, smallest_alpha)


def largest_squared_singular_value(Z: Any) -> float:
    """Return the largest eigenvalue of Z'Z, nearly (power method)."""
    start = np.random.default_rng(0).standard_normal(size=(Z.shape[1],))
    vector, size = like(start, Z), 0.0
    for _ in range(POWER_STEPS):
        vector = Z.T @ (Z @ vector)
        top = float(abs(vector).max())  # a large one has a square beyond single precision
        if top == 0:
            return 0.0
        vector /= top
        size = top * float(namespace(Z).linalg.norm(vector))
        vector *= top / size
    return size


def edge_counts(chosen: np.ndarray, alphas: np.ndarray) -> tuple[int, int]:
    """Return how many chosen alphas are the smallest and how many the largest of the grid."""
    return int((chosen == alphas[0]).sum()), int((chosen == alphas[-1]).sum())
