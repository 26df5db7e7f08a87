"""Ridge regression for many targets: arrays in, arrays out.

For features X (n_samples, n_features) and targets Y (n_samples, n_targets), both centred on the
training samples, every target v has its own penalty::

    w_v = argmin ||y_v - X w||^2 + alpha_v ||w||^2

alpha multiplies ||w||^2 itself, as in scikit-learn and himalaya (not alpha squared). One symmetric
eigendecomposition per training set serves all alphas and all targets: of X'X (primal form) where
there are fewer features than samples, of XX' (kernel form) otherwise. In both forms the prediction
for new samples is ``A @ (B / (eigenvalues + alpha))`` with A from the new samples and B from Y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

__all__ = [
    "DEFAULT_ALPHAS",
    "RidgeFit",
    "Standardizer",
    "edge_counts",
    "fit_ridge",
    "solve_ridge_cv",
]

# Half-decade steps. Wide enough for z-scored features from 30 samples to 100,000.
DEFAULT_ALPHAS = np.logspace(-2, 7, 19)

# Columns (targets x alphas) predicted at a time: a block of weights or predictions stays small
# beside the data, and the products stay large enough for BLAS.
BLOCK_COLUMNS = 4096


@dataclass(frozen=True)
class Standardizer:
    """Mean and scale of each feature, learned on training samples.

    A feature that never changes in the training samples carries no information there; its scale
    is 1, so that it becomes 0 for them.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def learn(cls, X: np.ndarray, scale: bool) -> Standardizer:
        """Learn from the training samples ``X``; ``scale=False`` centres only."""
        mean = X.mean(axis=0)
        if not scale:
            return cls(mean, np.ones_like(mean))
        deviation = X.std(axis=0)
        # Rounding leaves a constant column with a deviation of about 1e-16 times its size.
        tiny = deviation <= 10 * np.finfo(X.dtype).eps * np.abs(mean)
        return cls(mean, np.where(tiny, 1.0, deviation).astype(X.dtype))

    def apply(self, X: np.ndarray) -> np.ndarray:
        """Return (X - mean) / scale."""
        return (X - self.mean) / self.scale


@dataclass(frozen=True)
class RidgeFit:
    """A factorised training set: every alpha and every target is cheap from here.

    Attributes
    ----------
    eigenvalues : array of shape (k,)
        Of X'X or XX', not negative.
    vectors : array of shape (n_features, k) or (n_samples, k)
    X : array of shape (n_samples, n_features)
        Standardised training features.
    standardizer : Standardizer
    primal : bool
    """

    eigenvalues: np.ndarray
    vectors: np.ndarray
    X: np.ndarray
    standardizer: Standardizer
    primal: bool

    def project_targets(self, Y: np.ndarray) -> np.ndarray:
        """Return B (k, n_targets) of the centred training targets ``Y``."""
        return self.vectors.T @ (self.X.T @ Y if self.primal else Y)

    def project_samples(self, X: np.ndarray) -> np.ndarray:
        """Return A (n_new, k) of new samples ``X`` in the units of the caller."""
        Z = self.standardizer.apply(X)
        return (Z if self.primal else Z @ self.X.T) @ self.vectors

    def weights(self, B: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        """Return primal weights (n_features, n_targets), or dual ones (n_samples, n_targets).

        Parameters
        ----------
        B : array of shape (k, n_targets)
        alphas : array of shape (n_targets,)
        """
        return self.vectors @ (B / (self.eigenvalues[:, None] + alphas))


def fit_ridge(X: np.ndarray, *, standardize: bool = True) -> RidgeFit:
    """Factorise a training set.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Training features, float32 or float64; the arithmetic is done in that precision.
    standardize : bool
        Divide each feature by its standard deviation as well as centring it.
    """
    standardizer = Standardizer.learn(X, standardize)
    Z = standardizer.apply(X)
    n_samples, n_features = Z.shape
    primal = n_features <= n_samples
    gram = Z.T @ Z if primal else Z @ Z.T
    eigenvalues, vectors = linalg.eigh(gram, overwrite_a=True, check_finite=False, driver="evd")
    return RidgeFit(np.maximum(eigenvalues, 0), vectors, Z, standardizer, primal)


def solve_ridge_cv(
    X: np.ndarray,
    Y: np.ndarray,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    alphas: np.ndarray = DEFAULT_ALPHAS,
    *,
    standardize: bool = True,
) -> np.ndarray:
    """Return the cross-validated R2 of every alpha for every target.

    For target v and alpha a::

        R2[a, v] = 1 - mean_f MSE_f(a, v) / mean_f MSE_f(training mean, v)

    where f runs over the folds, and mean, scale and weights are learned on the training samples of
    each fold. The best alpha of a target does not depend on the denominator.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    Y : array of shape (n_samples, n_targets)
    folds : sequence of (train, test)
        Row numbers; contiguous or by run for time series.
    alphas : array of shape (n_alphas,)
        Positive, rising.
    standardize : bool
        z-score the features inside each training fold.

    Returns
    -------
    array of shape (n_alphas, n_targets)
    """
    n_targets = Y.shape[1]
    error = np.zeros((len(alphas), n_targets))
    baseline = np.zeros(n_targets)
    penalties = np.asarray(alphas, dtype=X.dtype)
    step = max(1, BLOCK_COLUMNS // len(alphas))
    for train, test in folds:
        fit = fit_ridge(X[train], standardize=standardize)
        A = fit.project_samples(X[test])  # (n_test, k)
        mean = Y[train].mean(axis=0)
        for start in range(0, n_targets, step):
            block = slice(start, start + step)
            B = fit.project_targets(Y[train, block] - mean[block])  # (k, n_block)
            truth = Y[test, block] - mean[block]
            baseline[block] += np.square(truth).mean(axis=0)
            shrunken = B[:, None] / (fit.eigenvalues[:, None] + penalties)[:, :, None]
            shape = (len(test), len(alphas), B.shape[1])  # (n_test, n_alphas, n_block)
            residual = (A @ shrunken.reshape(len(B), -1)).reshape(shape)
            residual -= truth[:, None]
            error[:, block] += np.square(residual, out=residual).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 - error / baseline


def edge_counts(chosen: np.ndarray, alphas: np.ndarray) -> tuple[int, int]:
    """Return how many chosen alphas are the smallest and how many the largest of the grid."""
    return int((chosen == alphas[0]).sum()), int((chosen == alphas[-1]).sum())
