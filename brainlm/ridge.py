"""Ridge regression for many targets: arrays in, arrays out.

For features X (n_samples, n_features) and targets Y (n_samples, n_targets), both centred on the
training samples, every target v has its own penalty::

    w_v = argmin ||y_v - X w||^2 + alpha_v ||w||^2

alpha multiplies ||w||^2 itself, as in scikit-learn and himalaya (not alpha squared). With far fewer
features than samples the normal equations are those of X'X (primal form); otherwise those of XX'
(kernel form). How the penalty is chosen in inner folds is the room of ``brainlm.ridge_cv``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg

from brainlm._products import operand, product
from brainlm.targets import column_blocks

__all__ = [
    "DEFAULT_ALPHAS",
    "RidgeFit",
    "Standardizer",
    "edge_counts",
    "fit_ridge",
]

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

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def learn(cls, X: np.ndarray, scale: bool) -> Standardizer:
        """Learn from the training samples ``X``; ``scale=False`` centres only."""
        dtype = np.result_type(X.dtype, np.float32)
        mean, deviation = np.empty((2, X.shape[1]))
        for block in column_blocks(X.shape[1], 8 * len(X), STANDARDIZE_BYTES):
            values = X[:, block].astype(np.float64)
            mean[block] = values.mean(axis=0)
            deviation[block] = values.std(axis=0)
        # A sum of equal numbers is rounded, too.
        constant = np.ptp(X, axis=0) == 0
        mean[constant] = X[0, constant]
        if not scale:
            return cls(mean.astype(dtype), np.ones_like(mean, dtype=dtype))
        flat = constant | (deviation <= 2 * np.finfo(dtype).eps * np.abs(mean))
        return cls(mean.astype(dtype), np.where(flat, 1, deviation).astype(dtype))

    def apply(self, X: np.ndarray) -> np.ndarray:
        """Return (X - mean) / scale."""
        return (X - self.mean) / self.scale


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

    X: np.ndarray
    standardizer: Standardizer
    primal: bool
    gram: np.ndarray
    largest: float
    smallest_alpha: float = 0.0

    @property
    def usual(self) -> float:
        """The average eigenvalue of the Gram matrix."""
        return float(np.trace(self.gram)) / len(self.gram)

    @cached_property
    def decomposition(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues and eigenvectors of the Gram matrix, kept once they were asked for.

        In single precision where that resolves the smallest penalty. In the kernel form the
        constant, of eigenvalue 0, is given the average eigenvalue; centred targets have no part in
        it.
        """
        single = self.X.dtype == np.float32
        single &= self.smallest_alpha >= SINGLE_EIGENVALUE * self.largest
        gram: np.ndarray = self.gram.astype(np.float32 if single else np.float64)
        if not self.primal:
            gram = gram + self.usual / len(gram)
        eigenvalues, U = linalg.eigh(gram, overwrite_a=True, check_finite=False, driver="evd")
        return np.maximum(eigenvalues, 0), U

    def eigenvalues(self) -> np.ndarray:
        """Eigenvalues of the Gram matrix, in the precision of X; see ``decomposition``."""
        if "decomposition" in self.__dict__:
            return self.decomposition[0]
        gram: np.ndarray = self.gram.astype(self.X.dtype)
        if not self.primal:
            gram = gram + self.usual / len(gram)
        return np.maximum(linalg.eigvalsh(gram, overwrite_a=True, check_finite=False), 0)

    def project(self, X: np.ndarray) -> np.ndarray:
        """Return what multiplies the weights for new samples ``X``, (n_new, q)."""
        Z = self.standardizer.apply(X)
        return Z if self.primal else Z @ self.X.T

    def weights(self, Y: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        """Return primal weights (n_features, n_targets), or dual ones (n_samples, n_targets).

        Parameters
        ----------
        Y : array of shape (n_samples, n_targets)
            Training targets; their means are taken off.
        alphas : array of shape (n_targets,)
            Targets of one penalty share one factorisation.
        """
        W = np.empty((len(self.gram), len(alphas)), dtype=self.X.dtype)
        left = np.ones(len(alphas), dtype=bool)
        if "decomposition" in self.__dict__:  # of use where its precision resolves the penalty
            left = alphas < SINGLE * self.largest
            eigenvalues, U = self.decomposition
            basis, back = operand(U.T), operand(U)
            for start in range(0, len(alphas), AT_ONCE):
                block = slice(start, start + AT_ONCE)
                if left[block].all():
                    continue
                rows = self._rows(Y[:, block]).astype(U.dtype, copy=False)
                shrunken = product(rows, basis)
                shrunken /= eigenvalues + alphas[block, None].astype(U.dtype)
                W[:, block] = product(shrunken, back).T
        for alpha in np.unique(alphas[left]):
            own = np.flatnonzero(alphas == alpha)
            W[:, own] = self._solve(float(alpha), Y[:, own])
        return W

    def _rows(self, Y: np.ndarray) -> np.ndarray:
        """Return what the inverse is multiplied with, a row for each target, (n_targets, q)."""
        Yt = np.ascontiguousarray(Y.T)
        Yt = Yt - Yt.mean(axis=1, keepdims=True)
        return Yt @ self.X if self.primal else Yt

    def _solve(self, alpha: float, Y: np.ndarray) -> np.ndarray:
        """Return the weights at one penalty, in the precision that it asks for."""
        if self._extreme(alpha):  # the Gram matrix itself has lost what alpha decides about
            U, s, Vt = linalg.svd(self.X.astype(np.float64), full_matrices=False)
            inner = (U.T @ (Y - Y.mean(axis=0))) / (s**2 + alpha)[:, None]
            return Vt.T @ (s[:, None] * inner) if self.primal else U @ inner
        shifted = self.shifted(alpha)
        factor = linalg.cho_factor(shifted, overwrite_a=True, check_finite=False)
        right = self._rows(Y).T.astype(shifted.dtype, copy=False)
        return linalg.cho_solve(factor, right, check_finite=False)

    def operator(self, A: np.ndarray, alpha: float) -> np.ndarray:
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
            U, s, Vt = linalg.svd(self.X.astype(np.float64), full_matrices=False)
            basis = Vt.T if self.primal else U
            return (((A @ basis) / (s**2 + alpha)) @ basis.T).astype(self.X.dtype)
        shifted = self.shifted(alpha)
        factor = linalg.cho_factor(shifted, overwrite_a=True, check_finite=False)
        solved = linalg.cho_solve(factor, A.T.astype(shifted.dtype), check_finite=False)
        return solved.T.astype(self.X.dtype)

    def shifted(self, alpha: float) -> np.ndarray:
        """Return a copy of gram + alpha I in the precision that alpha asks for."""
        double = self.X.dtype == np.float64 or alpha < SINGLE * self.largest
        shifted: np.ndarray = self.gram.astype(np.float64 if double else np.float32)
        shifted.flat[:: len(shifted) + 1] += alpha
        return shifted

    def _extreme(self, alpha: float) -> bool:
        return alpha < DOUBLE * self.largest


def is_primal(n_samples: int, n_features: int) -> bool:
    """Return whether the primal form is the cheaper one.

    Not up to as many features as samples: its folds have a decomposition each, those of the kernel
    form share one (times in ``benchmarks/README.md``).
    """
    return n_features < PRIMAL * n_samples


def fit_ridge(X: np.ndarray, *, standardize: bool = True, smallest_alpha: float = 0.0) -> RidgeFit:
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
    small = smallest_alpha < SINGLE_GRAM * largest and Z.dtype == np.float32
    exact = Z.astype(np.float64) if small else Z
    gram = exact.T @ exact if primal else exact @ exact.T
    if not primal:  # rounding leaves means of 1e-8 in Z, which a small penalty would blow up
        gram -= gram.mean(axis=0)
        gram -= gram.mean(axis=1, keepdims=True)
    return RidgeFit(Z, standardizer, primal, gram, largest, smallest_alpha)


def largest_squared_singular_value(Z: np.ndarray) -> float:
    """Return the largest eigenvalue of Z'Z, nearly (power method)."""
    start = np.random.default_rng(0).standard_normal(size=(Z.shape[1],))
    vector: np.ndarray = start.astype(Z.dtype)
    size = 0.0
    for _ in range(POWER_STEPS):
        vector = Z.T @ (Z @ vector)
        size = float(np.linalg.norm(vector))
        if size == 0:
            return 0.0
        vector /= size
    return size


def edge_counts(chosen: np.ndarray, alphas: np.ndarray) -> tuple[int, int]:
    """Return how many chosen alphas are the smallest and how many the largest of the grid."""
    return int((chosen == alphas[0]).sum()), int((chosen == alphas[-1]).sum())
