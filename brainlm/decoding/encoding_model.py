"""The encoding model behind the likelihood: weights, best voxels and the noise between voxels.

Published (Tang et al. 2023, code): ridge from delayed features to voxels, the best voxels by
cross-validated fit, residual covariance of held-out stories, each divided by its mean variance,
averaged and shrunk to the identity. Ours: the covariance is kept as the residuals R themselves
(``C = R' R``), so that what is solved is of the size of samples or targets, whichever are fewer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from brainlm._validation import check_finite, same_length
from brainlm.compute.backend import (
    at,
    cholesky,
    host,
    is_tensor,
    like,
    namespace,
    place,
    shift,
    solve,
)
from brainlm.encoding._ridge.solve import fit_ridge
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import Groups, LeaveOneRunOut

N_FOLDS = 10  # at most, of whole runs, for the choice of penalties and targets


@dataclass(frozen=True, eq=False)
class EncodingModel:
    """Linear responses with Gaussian noise: ``y ~ N(x @ weights + intercept, S)``.

    ``S = (1 - shrinkage) R' R + shrinkage I``, R the scaled residuals.

    Attributes
    ----------
    weights : array of shape (n_delays * n_features, n_targets)
    intercept : array of shape (n_targets,)
    residuals : array of shape (n_samples, n_targets)
        R: residuals of held-out runs, scaled so that ``R' R`` has a mean diagonal of 1.
    shrinkage : float
    delays : tuple of int
    r2 : array of shape (n_targets,)
        Cross-validated R2 inside the training runs (biased upwards by the choice of alpha).
    """

    weights: Any
    intercept: Any
    residuals: Any
    shrinkage: float
    delays: tuple[int, ...]
    r2: np.ndarray

    def __post_init__(self) -> None:
        if not 0 < self.shrinkage <= 1:
            raise ValueError(f"shrinkage must be in (0, 1], got {self.shrinkage}")

    def on(self, device: str) -> EncodingModel:
        """Return the model on a device; its likelihood is then computed there.

        Parameters
        ----------
        device : str
            As in `brainlm.RidgeEncoder`.
        """
        arrays = (self.weights, self.intercept, self.residuals)
        W, intercept, R = (place(A, device, "model") for A in arrays)
        return replace(self, weights=W, intercept=intercept, residuals=R)

    @cached_property
    def _precise_weights(self) -> Any:
        """``W S^-1``, (n_delays * n_features, n_targets); the same for all responses.

        With more targets than samples by Woodbury's identity, k = shrinkage / (1 - shrinkage)::

            S^-1 = (I - R' (k I + R R')^-1 R) / shrinkage
        """
        W, shrinkage = self.weights, self.shrinkage
        R = like(self.residuals, W)
        if shrinkage == 1:
            return W
        by_targets = len(R) > R.shape[1]
        inner = shift(R.T @ R if by_targets else R @ R.T, shrinkage / (1 - shrinkage))
        factor = cholesky(inner)
        if by_targets:
            return solve(factor, W.T).T / (1 - shrinkage)
        return (W - solve(factor, R @ W.T).T @ R) / shrinkage

    def products(self, Y: Any) -> tuple[Any, Any]:
        """Return ``W S^-1 W'`` and ``(y - intercept) S^-1 W'`` for samples ``Y``.

        Parameters
        ----------
        Y : array of shape (n_samples, n_targets)

        Returns
        -------
        G : array of shape (n_delays * n_features, n_delays * n_features)
        b : array of shape (n_samples, n_delays * n_features)
            Where the model is.
        """
        check_finite(host(Y), "responses")
        same_length({"targets of the responses": Y.shape[1], "of the model": len(self.intercept)})
        WP = self._precise_weights
        G = WP @ self.weights.T
        Y = like(Y, WP) if is_tensor(WP) else host(Y)
        return (G + G.T) / 2, (Y - self.intercept) @ WP.T


def fit_encoding_model(
    X: Any,
    Y: Any,
    runs: np.ndarray,
    *,
    delays: tuple[int, ...],
    shrinkage: float = 2 / 3,
    alphas: np.ndarray | None = None,
    device: str | None = None,
) -> EncodingModel:
    """Fit weights on all runs and the noise on each run left out.

    Parameters
    ----------
    X : array of shape (n_samples, n_delays * n_features)
        Rows of the text, delayed.
    Y : array of shape (n_samples, n_targets)
    runs : array of shape (n_samples,)
        At least two runs (stories): noise is that of a run the weights have not seen.
    delays : tuple of int
        Which were applied, in samples.
    shrinkage : float
        Weight of the identity; published: 2/3.
    alphas : array, optional
        See `brainlm.RidgeEncoder`.
    device : str, optional
        As there; the model stays on it.
    """
    if len(set(runs.tolist())) < 2:
        raise ValueError("the noise needs at least two runs: one to be left out of the fit")
    X = place(X, device)
    Y = like(Y, X) if is_tensor(X) else Y
    encoder = RidgeEncoder(alphas, cv=_folds(runs), warn_edge=False).fit(X, Y)
    folds = list(LeaveOneRunOut(runs).split(X))
    parts = []
    for train, test in ((at(rows, X) for rows in fold) for fold in folds):
        fit = fit_ridge(X[train], smallest_alpha=float(encoder.alpha_.min()))
        mean = Y[train].mean(axis=0)
        residual = Y[test] - mean
        residual -= fit.project(X[test]) @ fit.weights(Y[train], encoder.alpha_)
        residual -= residual.mean(axis=0)
        variance = float((residual**2).sum(axis=0).mean())
        parts.append(residual / (variance * len(folds)) ** 0.5)
    return EncodingModel(
        like(encoder.coef_.T, X),
        encoder.intercept_,
        namespace(X).concatenate(parts),
        shrinkage,
        tuple(delays),
        encoder.cv_r2_,
    )


def choose_targets(
    X: np.ndarray, Y: Any, runs: np.ndarray, n_targets: int, alphas: np.ndarray | None = None
) -> np.ndarray:
    """Return the targets of the highest cross-validated R2, in rising order of their number.

    Parameters
    ----------
    X : array of shape (n_samples, n_delays * n_features)
    Y : array of shape (n_samples, n_targets)
        Or anything of that ``shape`` that gives columns as ``Y[:, a:b]``: they pass by in blocks.
    runs : array of shape (n_samples,)
    n_targets : int
        Most to keep.
    alphas : array, optional
        See `brainlm.RidgeEncoder`.
    """
    if n_targets >= Y.shape[1]:
        return np.arange(Y.shape[1])
    encoder = RidgeEncoder(alphas, cv=_folds(runs), warn_edge=False)
    encoder.choose(X, Y)
    return best_targets(encoder.cv_r2_, n_targets)


def _folds(runs: np.ndarray) -> Any:
    """Leave whole runs out, several at once where there are many."""
    return LeaveOneRunOut(runs) if len(set(runs.tolist())) <= N_FOLDS else Groups(runs, N_FOLDS)


def best_targets(r2: np.ndarray, n_targets: int) -> np.ndarray:
    """Return the targets of the highest cross-validated R2, in rising order of their number."""
    if n_targets < 1:
        raise ValueError(f"n_targets must be at least 1, got {n_targets}")
    return np.sort(np.argsort(-r2, kind="stable")[:n_targets])
