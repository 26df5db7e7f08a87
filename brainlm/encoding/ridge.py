"""Ridge encoding: a scikit-learn estimator over the solvers of ``brainlm.encoding._ridge``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from brainlm._validation import as_labels, same_length
from brainlm.compute.backend import host, is_single, is_tensor, like, place
from brainlm.compute.inputs import Encoder
from brainlm.compute.streams import affine
from brainlm.encoding._ridge.correlation import correlation_curve
from brainlm.encoding._ridge.cost import fold_bytes
from brainlm.encoding._ridge.grid import SIGNAL, WIDENINGS, Choice, choose_on_grid, edge_message
from brainlm.encoding._ridge.leave_one_out import leave_one_out_curve
from brainlm.encoding._ridge.search import cv_curves, is_exact, spaces_at_once
from brainlm.encoding._ridge.solve import DEFAULT_ALPHAS, DOUBLE, RidgeFit, edge_counts, fit_ridge
from brainlm.encoding._ridge.streaming import FoldResult, stream_fold
from brainlm.encoding._ridge.together import fit_from_sums
from brainlm.encoding.folds import as_split, checked_folds, leaves_one_out
from brainlm.errors import unknown_name


class AlphaEdgeWarning(UserWarning):
    """Targets with signal chose the first or last alpha: the best one may lie outside the grid."""


class RidgeEncoder(Encoder):
    """Ridge regression with one penalty per target, chosen in inner folds.

    With m and s the mean and standard deviation (divisor n) of each feature over the n training
    samples, and Z the rows ``z = (x - m) / s``, for each target v::

        w_v = argmin ||y_v - mean(y_v) - Z w||^2 + alpha_v ||w||^2
        prediction(x) = mean(y_v) + z w_v

    alpha_v is the value a of the grid with the largest::

        R2[a, v] = 1 - sum_f MSE_f(a, v) / sum_f MSE_f(mean, v)

    over inner folds f, where MSE_f is the mean squared error on the test samples of f, of the
    regression with penalty a and of the mean of y_v over the training samples of f. In f, targets
    and features are centred on its own training samples. The scale s stays that of all n samples,
    so that a is the same penalty in the folds and in the fit that follows. The test samples of f
    therefore have a part in s, never in m or in a weight; outer test samples have a part in nothing
    (``brainlm.encoding._ridge.search.solve_ridge_cv``).

    Parameters
    ----------
    alphas : array of shape (n_alphas,), optional
        Penalties to try; they multiply ||w||^2 (as in scikit-learn). Default: 19 values from
        1e-2 to 1e7, ``brainlm.encoding._ridge.solve.DEFAULT_ALPHAS``.
    cv : int, split or iterable of (train, test), optional
        Inner folds. An int is that many contiguous blocks. None (default): five contiguous blocks
        when fitted alone, and folds of the outer kind (same gap, same groups, by run) inside
        ``cross_validate``. scikit-learn's ``LeaveOneOut()`` is computed in closed form.
    alpha_per : {"target", "group", "all"}
        One alpha for each target, or the one that is best on average over the targets of a group
        or over all.
    groups : sequence, shape (n_targets,), optional
        Group of each target, such as its region; needed for ``alpha_per="group"`` only.
    standardize : bool
        z-score the features on the training samples (True) or centre them only.
    search : {"fast", "exact"}
        How the best alpha is found in large problems: from the predictions of a few alphas
        (default; nearly the best cross-validated R2, see
        ``brainlm.encoding._ridge.search.solve_ridge_cv`` for what was measured on which data), or
        with every alpha's predictions made in full precision.
    criterion : {"r2", "r"}
        What the best alpha maximises over the inner folds: R2, or the mean correlation, as some
        publications do (``brainlm.encoding.published_pipelines``; slower, and ``search`` does not
        matter).
    widen : bool
        Add two decades in half-decade steps on a side of the grid where a target with a
        cross-validated R2 above 0 chose the edge, and look again, up to three times.
    warn_edge : bool
        Warn when targets with a cross-validated score above .01 choose the first or the last alpha.
        Targets without signal choose the last one whatever it is.
    device : str, optional
        Where to compute: "cuda", "cuda:1", "mps"; "cpu" is torch on the processor. None (default):
        where the features are, which is numpy for arrays. X and y may be numpy arrays or torch
        tensors; predictions come back as the samples came, weights as the features of ``fit``,
        and penalties and scores always as numpy arrays. Targets in the memory of the host reach
        the device in blocks (`docs/guide.md`). TF32 and bfloat16 serve the fast search only.

    Attributes
    ----------
    alphas_ : array of shape (n_alphas,)
        The grid that was tried, widened where asked for.
    alpha_ : array of shape (n_targets,)
        Chosen penalties.
    cv_r2_ : array of shape (n_targets,)
        Cross-validated R2 (or r, by ``criterion``) over the inner folds at the chosen alpha, biased
        upwards by the choice; to about .03 where the search was fast.
    cv_curve_ : array of shape (n_alphas, n_targets) or None
        That of each alpha; None where a fast search did not compute it (small problems and
        ``search="exact"`` do).
    intercept_ : array of shape (n_targets,)

    Raises
    ------
    ValueError
        For NaN, infinite or constant targets, alphas that are not positive and rising, or too few
        samples for the folds.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 5))
    >>> Y = X @ rng.standard_normal((5, 2)) + 2 * rng.standard_normal((100, 2))
    >>> encoder = brainlm.RidgeEncoder().fit(X[:80], Y[:80])
    >>> encoder.predict(X[80:]).shape
    (20, 2)
    """

    def __init__(
        self,
        alphas: Any = None,
        *,
        cv: Any = None,
        alpha_per: str = "target",
        groups: Any = None,
        standardize: bool = True,
        search: str = "fast",
        criterion: str = "r2",
        widen: bool = False,
        warn_edge: bool = True,
        device: str | None = None,
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.alpha_per = alpha_per
        self.groups = groups
        self.standardize = standardize
        self.search = search
        self.criterion = criterion
        self.widen = widen
        self.warn_edge = warn_edge
        self.device = device

    def _least_penalty(self) -> float:
        return self.smallest_alpha()

    def fit(self, X: Any, y: Any) -> RidgeEncoder:
        """Choose the penalties in inner folds, then fit on all samples.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        y : array of shape (n_samples, n_targets) or (n_samples,)
        """
        X, Y = self._validated(X, y)
        if fit_from_sums([self], X, Y, [np.arange(len(X))]):
            return self
        return self._finish(X, Y, self.choose(X, Y))

    @staticmethod
    def fit_together(
        encoders: Sequence[RidgeEncoder], X: Any, y: Any, trains: Sequence[np.ndarray]
    ) -> bool:
        """Fit each encoder to some of the samples, all in one pass over them.

        ``each.fit(X[train], y[train])``, to rounding, for problems of many samples and few targets
        (``brainlm.encoding._ridge.sums``). `brainlm.cross_validate` fits its outer folds by it.

        Parameters
        ----------
        encoders : sequence of RidgeEncoder
            Alike but for ``cv``.
        X : array of shape (n_samples, n_features)
        y : array of shape (n_samples, n_targets)
        trains : sequence of array of int
            Training samples of each encoder.

        Returns
        -------
        bool
            False where that is no faster, or less exact: no encoder is fitted then.
        """
        if any(type(each).fit is not RidgeEncoder.fit for each in encoders):
            return False  # a subclass that fits in its own way
        X, Y = encoders[0]._validated(X, y)
        return fit_from_sums(encoders, X, Y, trains)

    def fit_layers(self, layers: Sequence[Any], y: Any) -> list[RidgeEncoder]:
        """Fit a clone to the features of each layer, against the same targets.

        ``[clone(encoder).fit(X, y) for X in layers]``, to rounding: the targets are checked,
        transposed, centred and cut into folds once for several layers instead of once for each.

        Parameters
        ----------
        layers : sequence of array of shape (n_samples, n_features)
            Of any widths.
        y : array of shape (n_samples, n_targets) or (n_samples,)

        Returns
        -------
        list of RidgeEncoder
            In the order of the layers, each with its weights; the caller's object stays unfitted.
        """
        if not len(layers):
            raise ValueError("layers is empty: give the features of one layer or more")
        same_length({f"rows of layer {k}": len(X) for k, X in enumerate(layers)})
        if any(map(is_tensor, layers)):
            common = None
        else:
            common = np.result_type(*(getattr(X, "dtype", float) for X in layers))
        encoders = [clone(self) for _ in layers]
        first, *others = encoders
        X, Y = first._validated(layers[0] if common is None else np.asarray(layers[0], common), y)
        Xs = [X]
        for each, other in zip(others, layers[1:], strict=True):
            Xs.append(each._features(other if common is None else np.asarray(other, common)))
            each._one_target, each._mean, each._given = first._one_target, first._mean, first._given
        every = list(zip(encoders, Xs, strict=True))
        rows = np.arange(len(X))
        every = [(each, X) for each, X in every if not fit_from_sums([each], X, Y, [rows])]
        alphas, folds = self.checked_alphas(), [] if self.leaves_one_out else self.folds(X)
        widest = max((X.shape[1] for _, X in every), default=1)
        together = spaces_at_once(X, widest, len(alphas), self.search)
        for start in range(0, len(every), together):
            part = every[start : start + together]
            fits = [each.prepare(X) for each, X in part]
            curves: list[Any] = [None] * len(part)
            if folds and self.criterion == "r2":  # others have their own way through the targets
                curves = cv_curves(fits, Y, folds, alphas, search=self.search)
            for (each, X), fit, curve in zip(part, fits, curves, strict=True):
                each._finish(X, Y, each.choose(X, Y, fit=fit, curve=curve))
        return encoders

    def _finish(self, X: np.ndarray, Y: np.ndarray, fit: RidgeFit) -> RidgeEncoder:
        """Form the weights at the penalties chosen."""
        self._fit, self._weights = fit, fit.weights(Y, self.alpha_)
        self.warn_at_edge(self.alpha_, self.alphas_, self.cv_r2_)
        return self

    def prepare(self, X: Any) -> RidgeFit:
        """Return the feature side of the regression, valid for every penalty of the grid."""
        X = place(X, self.device)
        return fit_ridge(X, standardize=self.standardize, smallest_alpha=self.smallest_alpha())

    def smallest_alpha(self) -> float:
        """Return the smallest penalty that the grid can come to."""
        smallest = float(self.checked_alphas()[0])
        return smallest / 100**WIDENINGS if self.widen else smallest

    def choose(
        self, X: np.ndarray, Y: Any, *, fit: RidgeFit | None = None, curve: np.ndarray | None = None
    ) -> RidgeFit:
        """Choose the penalties only; weights are not formed.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        Y : array of shape (n_samples, n_targets)
            Or anything of that ``shape`` that gives columns as ``Y[:, a:b]``; not checked.
        fit : RidgeFit, optional
            ``prepare(X)``, where it is there already.
        curve : array of shape (n_alphas, n_targets), optional
            Of the grid, where it is there already.

        Returns
        -------
        RidgeFit
            The feature side of the regression.
        """
        X = place(X, self.device)
        alphas, n_targets = self.checked_alphas(), Y.shape[1]
        prepared = self.prepare(X) if fit is None else fit
        one_out = self.leaves_one_out and self.smallest_alpha() >= DOUBLE * prepared.largest
        folds = [] if one_out else self.folds(X)

        if self.criterion not in ("r2", "r"):
            raise unknown_name("criterion", self.criterion, ("r2", "r"))

        def curve_of(grid: np.ndarray) -> np.ndarray:
            if self.criterion == "r":
                return correlation_curve(X, Y, folds, grid, standardize=self.standardize)
            if one_out:
                return leave_one_out_curve(prepared, Y, grid)
            return cv_curves([prepared], Y, folds, grid, search=self.search)[0]

        def exact(grid: np.ndarray) -> bool:
            n_features = X.shape[1]
            return (
                one_out
                or self.criterion == "r"
                or is_exact(n_features, folds, len(grid), n_targets, self.search)
            )

        curve = curve_of(alphas) if curve is None else curve
        self._keep(choose_on_grid(alphas, curve, curve_of, self.best, exact, widen=self.widen))
        return prepared

    def _keep(self, choice: Choice) -> None:
        self.alphas_, self.alpha_ = choice.alphas, choice.alphas[choice.best]
        self.cv_curve_ = choice.curve if choice.exact else None
        self.cv_r2_ = choice.curve[choice.best, np.arange(len(choice.best))]

    def predict(self, X: Any) -> Any:
        """Predict the targets, shape (n_samples, n_targets), or (n_samples,) for a 1-D ``y``."""
        check_is_fitted(self)
        Z = self._new_samples(X, self._fit.X)
        return self._shaped(affine(self._fit.project(Z), self._weights, self._mean), X)

    @property
    def intercept_(self) -> Any:
        """Prediction at X = 0, shape (n_targets,); computed when asked for."""
        check_is_fitted(self)
        zero = self._fit.project(0 * self._fit.standardizer.mean[None])
        return like(affine(zero, self._weights, self._mean)[0], self._given)

    @property
    def coef_(self) -> Any:
        """Weights in the units of X, shape (n_targets, n_features); computed when asked for."""
        check_is_fitted(self)
        fit, W = self._fit, self._weights
        primal = W if fit.primal else affine(fit.X.T, W, 0)
        scale = fit.standardizer.scale if is_tensor(primal) else host(fit.standardizer.scale)
        return like((primal / scale[:, None]).T, self._given)

    def coef_per_delay(self, n_delays: int) -> np.ndarray:
        """Return the weights of features delayed by ``brainlm.delay`` or ``align``, by delay.

        Parameters
        ----------
        n_delays : int

        Returns
        -------
        array of shape (n_delays, n_targets, n_features / n_delays)
        """
        n_features = self.coef_.shape[1]
        if n_delays < 1 or n_features % n_delays:
            raise ValueError(
                f"n_delays={n_delays}: {n_features} features are not that many delayed copies"
            )
        return np.stack(np.split(self.coef_, n_delays, axis=1))

    def checked_alphas(self) -> np.ndarray:
        """Return the grid to start from; raise unless its values are positive and rising."""
        alphas = np.atleast_1d(np.asarray(DEFAULT_ALPHAS if self.alphas is None else self.alphas))
        if alphas.ndim != 1 or not len(alphas) or not np.all(alphas > 0):
            raise ValueError(f"alphas must be a row of positive numbers, got {self.alphas!r}")
        if (np.diff(alphas) <= 0).any():
            raise ValueError(f"alphas must rise, got {self.alphas!r}: sort them")
        return alphas.astype(float)

    @property
    def leaves_one_out(self) -> bool:
        """Whether the inner folds are single samples, for which there is a closed form."""
        return self.criterion == "r2" and leaves_one_out(self.cv)

    def folds(self, X: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the inner folds."""
        cv = as_split(5 if self.cv is None else self.cv, "cv")
        return checked_folds(cv.split(X), len(X), "cv")

    def best(self, curve: np.ndarray) -> np.ndarray:
        """Return the best penalty of each target (or group), as rows of a curve over the grid."""
        n_targets = curve.shape[1]
        if self.alpha_per == "target":
            return np.argmax(curve, axis=0)
        if self.alpha_per == "all":
            return np.full(n_targets, np.argmax(curve.mean(axis=1)))
        if self.alpha_per != "group":
            raise unknown_name("alpha_per", self.alpha_per, ("target", "group", "all"))
        if self.groups is None or len(self.groups) != n_targets:
            got = "None" if self.groups is None else f"{len(self.groups)} entries"
            raise ValueError(
                f"groups must name the group of each of {n_targets} targets for "
                f"alpha_per='group', got {got}"
            )
        best = np.empty(n_targets, dtype=int)
        labels = as_labels(self.groups, "groups")
        for label in set(labels):
            best[labels == label] = np.argmax(curve[:, labels == label].mean(axis=1))
        return best

    def warn_at_edge(self, chosen: np.ndarray, alphas: np.ndarray, score: np.ndarray) -> None:
        """Warn where targets that are predicted in inner folds chose the first or last alpha."""
        predicted = chosen[np.asarray(score) > SIGNAL]
        low, high = edge_counts(predicted, alphas)
        if self.warn_edge and len(alphas) > 1 and low + high:
            warnings.warn(
                edge_message(low, high, len(predicted), alphas, signal=True), AlphaEdgeWarning, 3
            )

    @property
    def diagnostics_(self) -> dict[str, np.ndarray]:
        """Chosen penalty and its cross-validated R2, by target, for `brainlm.cross_validate`."""
        return {"alpha": self.alpha_, "cv_r2": self.cv_r2_}

    def fold_bytes(self, n_train: int, n_test: int, X: Any) -> int:
        """Return the memory of a fold for its features, whatever the targets; see `fit_fold`."""
        size = 4 if is_single(X) else 8
        return fold_bytes(n_train, n_test, X.shape[1], len(self.checked_alphas()), size)

    def fit_fold(self, *fold: Any, **options: Any) -> FoldResult:
        """Fit, predict and score one fold with the targets in blocks: they need not fit in memory.

        Parameters and result as in ``brainlm.encoding._ridge.streaming.stream_fold``, without
        ``ridge``. An encoder of your own with this method and ``fold_bytes`` is given large targets
        as they are stored, too.
        """
        return stream_fold(self, *fold, **options)
