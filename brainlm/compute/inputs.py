"""Validation of features and targets on any device, common to the estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import validate_data

from brainlm._validation import check_targets, same_length
from brainlm.compute.backend import (
    beside,
    column_means,
    double,
    eps,
    host,
    is_single,
    is_tensor,
    like,
    namespace,
    place,
    spread,
)
from brainlm.compute.lazy_arrays import column_blocks
from brainlm.compute.streams import column_stream, resident

FEATURES: dict[str, Any] = {"dtype": [np.float64, np.float32], "ensure_min_samples": 2}


class Encoder(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Base of the estimators: validation of X and Y, their device, the form of predictions."""

    device: str | None

    def _validated(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Return features where the arithmetic is done, and targets there or on the host."""
        if is_tensor(X) or is_tensor(y):
            X, y = checked_tensors(self, X, y)
        else:
            X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, **FEATURES)
        self._check_scale(X)
        self._one_target = y.ndim == 1
        self._given = X[:0]
        X, Y = place(X, self.device), y.reshape(len(y), -1)
        Y = like(Y, X) if is_tensor(X) == is_tensor(Y) else resident(Y, X)
        self._mean = checked_means(Y, X)
        return X, Y

    def _features(self, X: Any) -> Any:
        """Return further features, validated, where the arithmetic is done."""
        X = checked_tensors(self, X)[0] if is_tensor(X) else validate_data(self, X, **FEATURES)
        self._check_scale(X)
        return place(X, self.device)

    def _check_scale(self, X: Any) -> None:
        """Raise for features whose squares vanish or overflow: every score would be 0."""
        scaled = bool(getattr(self, "standardize", True))  # in double precision
        least, most = (1e-140, 1e140) if scaled or not is_single(X) else (1e-16, 1e16)
        top = float(double(spread(X)).max())
        fix = "rescale X (another unit)" + ("" if scaled else ", or pass standardize=True")
        if top > most or 0 < top < least:
            kind = "single" if is_single(X) and not scaled else "double"
            raise ValueError(
                f"X varies by {top:.0e} at most, and the squares of such numbers do not fit into "
                f"{kind} precision: {fix}"
            )
        penalty = 0.0 if scaled else self._least_penalty()
        if 0 < len(X) * X.shape[1] * top**2 < eps(X) * penalty:  # bounds the eigenvalues of X'X
            raise ValueError(
                f"X varies by {top:.0e} at most, so that the smallest penalty, {penalty:g}, leaves "
                f"nothing of it: {fix}, or give smaller alphas"
            )

    def _least_penalty(self) -> float:
        """Return the smallest penalty on unscaled features; 0 where there is none."""
        return 0.0

    def _new_samples(self, X: Any, ref: Any) -> Any:
        if is_tensor(X):
            X = checked_tensors(self, X, reset=False)[0]
        else:
            X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return like(X, ref) if is_tensor(X) or is_tensor(ref) else X

    def _shaped(self, Y: Any, X: Any) -> Any:
        """Return a prediction as what the samples ``X`` came as."""
        Y = Y.ravel() if self._one_target else Y
        return like(Y, X, keep_dtype=True) if is_tensor(X) else host(Y)


def checked_tensors(
    estimator: BaseEstimator, X: Any, y: Any = None, *, reset: bool = True
) -> tuple[Any, Any]:
    """Return X and y, at least one of them a tensor; raise where they cannot be used.

    Parameters
    ----------
    estimator : scikit-learn estimator
        Gets, or has, ``n_features_in_``.
    X : array of shape (n_samples, n_features)
    y : array of shape (n_samples, n_targets) or (n_samples,), optional
    reset : bool
        The number of features is that of ``X`` from now on.
    """
    if not is_tensor(X):
        raise ValueError(
            f"X is a {type(X).__name__} and y a tensor on {y.device}: give both as tensors, or as "
            "arrays and say device="
        )
    torch = namespace(X)
    for name, A in (("X", X), ("y", y)):
        if is_tensor(A) and A.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"{name} is {A.dtype}: convert it to float32 or float64")
    least = 2 if reset else 1
    if X.ndim != 2 or len(X) < least or X.shape[1] < 1:
        raise ValueError(
            f"X must be (n_samples, n_features) of {least} samples or more, got {tuple(X.shape)}"
        )
    if not bool(torch.isfinite(X).all()):
        raise ValueError("X holds NaN or infinity: drop those rows or columns first")
    if reset:
        estimator.n_features_in_ = X.shape[1]
    elif X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input"
        )
    if y is not None:
        if y.ndim not in (1, 2):
            raise ValueError(f"y must be (n_samples, n_targets), got shape {tuple(y.shape)}")
        same_length({"rows of X": len(X), "rows of y": len(y)})
        y = y.detach() if is_tensor(y) else y
    return X.detach(), y


def checked_means(Y: Any, X: Any, names: Any = None) -> Any:
    """Return the means of the targets; raise where one is not finite, or constant.

    Parameters
    ----------
    Y : array of shape (n_samples, n_targets)
    X : array
        Says where to compute.
    names : sequence of str, optional
        Of the targets, for the error.
    """
    if not is_tensor(X):
        check_targets(Y, names)
        return column_means(Y)
    means = []
    for columns, block in column_stream(Y, column_blocks(Y.shape[1], 8 * Y.shape[0]), X):
        mean = double(block).mean(axis=0)
        means.append(like(mean, beside(Y, X)))
        if not bool((namespace(X).isfinite(mean) & (spread(block) != 0)).all()):
            check_targets(host(block), None if names is None else names[columns])
    return namespace(means[0]).concatenate(means)
