"""Stacked regression: several feature spaces predict by themselves, weighted for each target."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from brainlm.compute.backend import host
from brainlm.compute.inputs import Encoder
from brainlm.encoding.banded import band_numbers
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.folds import as_split
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.errors import unknown_name

WEIGHTS = ("stacked", "best", "mean")
HELD = 1 << 27  # held-out predictions in memory at a time, as numbers


class StackedEncoder(Encoder):
    """Ridge regressions of several feature spaces, averaged with weights learned for each target.

    Each space k (a layer, a model, a set of controls) is a band of the features. It is fitted
    separately by ridge regression, with prediction p_kv of target v::

        prediction_v = sum_k w_kv p_kv,    w_kv >= 0,    sum_k w_kv = 1
        w_v = argmin sum_t (y_tv - sum_k w_k q_ktv)^2

    q are the predictions of the training samples from inner folds, in which neither the
    regressions nor their penalties have seen the sample. Weights of one space alone cannot be
    beaten on these by more than noise, so a target that one space explains gets that space.

    Parameters
    ----------
    bands : sequence, shape (n_features,) or (n_bands,)
        Name of the space of each feature (strings), or the sizes of consecutive spaces (ints).
    encoder : estimator, optional
        Fitted to each space. Default: ``RidgeEncoder()``.
    cv : int or split, optional
        Inner folds. None (default): five contiguous blocks when fitted alone, and folds of the
        outer kind inside `brainlm.cross_validate`.
    weights : {"stacked", "best", "mean"}
        Those of the equation; 1 for the space with the smallest held-out error of each target, as
        a comparison; or the same for all spaces.

    Attributes
    ----------
    bands_ : list of str
        Names of the spaces.
    weights_ : array of shape (n_bands, n_targets)
    encoders_ : list of estimator
        One per space, fitted to all samples.

    Notes
    -----
    A space costs ``n_inner + 1`` regressions, each of which chooses its penalties in folds of its
    own. The gain of stacking is the difference of two cross-validations on the same folds::

        stacked = cross_validate(StackedEncoder(sizes), X, Y, split)
        best = cross_validate(StackedEncoder(sizes, weights="best"), X, Y, split)

    References
    ----------
    Breiman 1996, Machine Learning 24:49, doi 10.1007/BF00117832; Lin, Naselaris, Kay & Wehbe 2024,
    Neural Computation 36:935, for encoding models.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((300, 8))
    >>> y = X[:, :3] @ [1.0, 2.0, 3.0] + rng.standard_normal(300)
    >>> StackedEncoder([3, 5]).fit(X, y).weights_.round(1).ravel().tolist()
    [1.0, 0.0]
    """

    device = None

    def __init__(
        self, bands: Any = None, *, encoder: Any = None, cv: Any = None, weights: str = "stacked"
    ) -> None:
        self.bands = bands
        self.encoder = encoder
        self.cv = cv
        self.weights = weights

    def fit(self, X: Any, y: Any) -> StackedEncoder:
        """Fit every space, and learn the weights from held-out predictions.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        y : array of shape (n_samples, n_targets) or (n_samples,)
        """
        if self.weights not in WEIGHTS:
            raise unknown_name("weights", self.weights, WEIGHTS)
        X, Y = self._validated(X, y)
        X, Y = host(X), host(Y)
        self.bands_, self._band = band_numbers(self.bands, X.shape[1])
        spaces = [X[:, self._band == number] for number in range(len(self.bands_))]
        encoder = RidgeEncoder() if self.encoder is None else self.encoder
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AlphaEdgeWarning)
            self.weights_ = self._learned(encoder, spaces, Y)
            self.encoders_ = [clone(encoder).fit(space, Y) for space in spaces]
        return self

    def _learned(self, encoder: Any, spaces: list[np.ndarray], Y: np.ndarray) -> np.ndarray:
        """Weights, (n_bands, n_targets)."""
        weights = np.full((len(spaces), Y.shape[1]), 1 / len(spaces))
        if self.weights == "mean" or len(spaces) == 1:
            return weights
        split = as_split(5 if self.cv is None else self.cv, "cv")
        encoder = _inside(encoder, self.cv)
        step = max(1, HELD // (len(spaces) * len(Y)))
        for start in range(0, Y.shape[1], step):
            own = Y[:, start : start + step]
            errors = np.array([_held_out_errors(encoder, space, own, split) for space in spaces])
            products = np.einsum("ktv,ltv->vkl", errors, errors, optimize=True)
            found = _best(products) if self.weights == "best" else convex_weights(products)
            weights[:, start : start + step] = found.T
        return weights

    def predict(self, X: Any) -> Any:
        """Predict targets, (n_samples, n_targets), or (n_samples,) if fitted to such."""
        check_is_fitted(self)
        rows = host(self._new_samples(X, self.weights_))
        predicted = np.zeros((len(rows), self.weights_.shape[1]))
        for number, (weight, encoder) in enumerate(zip(self.weights_, self.encoders_, strict=True)):
            part = encoder.predict(rows[:, self._band == number])
            predicted += weight * part.reshape(len(rows), -1)
        return self._shaped(predicted, X)


def _inside(encoder: Any, folds: Any) -> Any:
    """The encoder with folds of a smaller training set in place of those it shares with stacking.

    `brainlm.cross_validate` gives both the folds of the whole training set.
    """
    fresh = clone(encoder)
    own = {name: value for name, value in encoder.get_params().items() if name.endswith("cv")}
    shared = [name for name, value in own.items() if value is not None and value is folds]
    return fresh.set_params(**dict.fromkeys(shared))


def _held_out_errors(encoder: Any, X: np.ndarray, Y: np.ndarray, split: Any) -> np.ndarray:
    """Data minus held-out prediction of the samples that a fold tests, (n_tested, n_targets)."""
    found = cross_validate(encoder, X, Y, split, keep_predictions=True)
    tested = np.unique(np.concatenate([test for _, test in split.split(X)]))
    return (Y - found.predictions)[tested]


def _best(products: np.ndarray) -> np.ndarray:
    """1 for the space with the smallest error of each target, (n_targets, n_spaces)."""
    squared = np.diagonal(products, axis1=1, axis2=2)
    return np.eye(squared.shape[1])[squared.argmin(axis=1)]


def convex_weights(products: np.ndarray) -> np.ndarray:
    """Return the non-negative weights with sum 1 that give the smallest squared error.

    ::

        w = argmin w' E w    subject to    w >= 0, sum(w) = 1

    Solved as non-negative least squares: with E = L L', u = argmin ||L' u - L^-1 1||^2 over u >= 0
    has ``(E u)_k = 1`` where u_k > 0 and ``>= 1`` elsewhere, so w = u / sum(u) meets the optimality
    conditions of the problem above.

    Parameters
    ----------
    products : array of shape (n_targets, n_spaces, n_spaces)
        E of each target: sums over samples of products of the errors of two spaces.

    Returns
    -------
    array of shape (n_targets, n_spaces)
    """
    n_spaces = products.shape[1]
    weights = np.empty(products.shape[:2])
    for target, E in enumerate(products):
        scale = np.trace(E)
        if scale == 0:  # all predict without any error
            weights[target] = 1 / n_spaces
            continue
        # Spaces that predict alike leave E singular; this much shares their weight equally.
        L = np.linalg.cholesky(E / scale + 1e-9 * np.eye(n_spaces))
        u, _ = nnls(L.T, np.linalg.solve(L, np.ones(n_spaces)))
        weights[target] = u / u.sum()
    return weights
