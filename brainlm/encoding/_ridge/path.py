"""Ridge regressions of many penalties on the same features, by one decomposition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class RidgePath:
    """Ridge regressions of many penalties on the same features, by one decomposition.

    With X = U S V' (of the centred features where there is an intercept)::

        w = V S / (S^2 + alpha) U' Y

    Attributes
    ----------
    U, S, Vt : array
        Singular value decomposition of the training features.
    mean : array of shape (n_features,)
        What is subtracted from features; 0 without an intercept.
    intercept : bool
    """

    U: np.ndarray
    S: np.ndarray
    Vt: np.ndarray
    mean: np.ndarray
    intercept: bool

    @classmethod
    def of(cls, X: np.ndarray, *, intercept: bool) -> RidgePath:
        """Decompose training features, (n_train, n_features)."""
        X = np.asarray(X, dtype=float)
        mean = X.mean(axis=0) if intercept else np.zeros(X.shape[1])
        U, S, Vt = np.linalg.svd(X - mean, full_matrices=False)
        return cls(U, S, Vt, mean, intercept)

    def predict(
        self, Y: np.ndarray, X_new: np.ndarray, alphas: Sequence[float] | np.ndarray
    ) -> Iterator[np.ndarray]:
        """Yield the predictions for new features by each penalty, (n_new, n_targets)."""
        shift = Y.mean(axis=0) if self.intercept else 0.0
        seen = (np.asarray(X_new, dtype=float) - self.mean) @ self.Vt.T
        turned = self.U.T @ (Y - shift)
        for alpha in alphas:
            yield (seen * (self.S / (self.S**2 + alpha))) @ turned + shift
