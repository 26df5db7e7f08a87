"""Banded ridge regression: several feature spaces jointly, each with its own penalty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from brainlm._validation import as_labels
from brainlm.compute.backend import at, beside, empty, host, is_tensor, like, namespace
from brainlm.compute.inputs import Encoder
from brainlm.compute.streams import affine
from brainlm.encoding._ridge.gradient import descend
from brainlm.encoding._ridge.search import cv_curves, is_exact, solve_ridge_cv, spaces_at_once
from brainlm.encoding._ridge.solve import Standardizer, fit_ridge
from brainlm.encoding._ridge.sums import TrainingSums
from brainlm.encoding._ridge.together import side_sums
from brainlm.encoding.ridge import RidgeEncoder


def band_numbers(bands: Any, n_features: int) -> tuple[list[str], np.ndarray]:
    """Return the names of the bands and the number of the band of each feature.

    Parameters
    ----------
    bands : sequence, shape (n_features,) or (n_bands,), or None
        As in `BandedRidgeEncoder`; None is one band.
    n_features : int
    """
    bands = [n_features] if bands is None else list(bands)
    if all(isinstance(band, int | np.integer) for band in bands):
        if min(bands) < 1 or sum(bands) != n_features:
            raise ValueError(
                f"bands {bands} must be sizes that add up to {n_features} features of X, got "
                f"{sum(bands)}; or give the name of each feature's band"
            )
        return [str(number) for number in range(len(bands))], np.repeat(range(len(bands)), bands)
    labels = as_labels(bands, "bands")
    if len(labels) != n_features:
        raise ValueError(f"bands names {len(labels)} features, X has {n_features}")
    names = list(dict.fromkeys(labels.tolist()))
    return names, np.array([names.index(label) for label in labels])


class BandedRidgeEncoder(Encoder):
    """Ridge regression with one penalty per band (feature space) and target.

    For each target v, with the features X_b of band b z-scored::

        minimise ||y_v - sum_b X_b w_b - c||^2 + sum_b alpha_bv ||w_b||^2
        alpha_bv = alpha_v * p_b / (p * g_bv),    g_bv >= 0,  sum_b g_bv = 1

    where p_b is the number of features of band b, p that of all, and g_bv the share of the prior
    variance that the band gets. Shares are drawn at random (equal shares first, then each band
    alone, then Dirichlet draws); for each draw alpha_v is chosen on the grid, and every target
    keeps the draw and the alpha with the best cross-validated R2. With one draw and bands of one
    size this is ``RidgeEncoder``.

    Parameters
    ----------
    bands : sequence, shape (n_features,) or (n_bands,)
        Name of the band of each feature (strings), or the sizes of consecutive bands (ints).
    n_draws : int
        Shares to try, at least 1. The time is that of as many ridge regressions; the targets pass
        once for several draws, and with many samples and few targets the data once for all.
    concentration : sequence of float
        Of the Dirichlet draws, used in turn: 1 is uniform over shares, less prefers few bands.
    seed : int
    n_steps : int
        Steps of gradient descent on the cross-validated error that start from the best draw (0:
        none). Needs himalaya (``pip install 'brainlm[gradient]'``) and ``alpha_per="target"``; each
        target then has shares of its own, so that the last fit costs a factorisation per target.
        A target keeps the best draw where the steps do not improve its cross-validated R2.
    alphas, cv, alpha_per, groups, search, warn_edge, device
        As in ``RidgeEncoder``; ``n_steps`` are made on the processor only.

    Attributes
    ----------
    bands_ : list of str
        Names, in the order of first appearance.
    shares_ : array of shape (n_bands, n_targets)
        g of the equation.
    alpha_ : array of shape (n_targets,)
    cv_r2_ : array of shape (n_targets,)
        Cross-validated R2 of the choice (biased upwards by it).
    intercept_ : array of shape (n_targets,)

    References
    ----------
    Nunez-Elizalde, Huth & Gallant 2019, NeuroImage 197:482; random search as in Dupre la Tour,
    Eickenberg, Nunez-Elizalde & Gallant 2022, NeuroImage 264:119728.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sound, meaning = rng.standard_normal((2, 200, 5))
    >>> Y = sound @ rng.standard_normal((5, 3)) + 2 * rng.standard_normal((200, 3))
    >>> encoder = brainlm.BandedRidgeEncoder(np.repeat(["sound", "meaning"], 5))
    >>> X = np.hstack([sound, meaning])
    >>> sound_share, meaning_share = encoder.fit(X[:150], Y[:150]).split_scores(X[150:], Y[150:])
    >>> bool(sound_share.mean() > 0.3 > 0.1 > meaning_share.mean())
    True
    """

    def __init__(  # noqa: PLR0913
        self,
        bands: Any = None,
        *,
        n_draws: int = 50,
        concentration: Any = (0.1, 1.0),
        seed: int = 0,
        n_steps: int = 0,
        alphas: Any = None,
        cv: Any = None,
        alpha_per: str = "target",
        search: str = "fast",
        warn_edge: bool = True,
        device: str | None = None,
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.alpha_per = alpha_per
        self.search = search
        self.warn_edge = warn_edge
        self.device = device
        self.bands = bands
        self.n_draws = n_draws
        self.concentration = concentration
        self.seed = seed
        self.n_steps = n_steps

    def _ridge(self) -> RidgeEncoder:
        """The regression whose grid, inner folds and choice of penalty are used for each draw."""
        return RidgeEncoder(
            self.alphas,
            cv=self.cv,
            alpha_per=self.alpha_per,
            search=self.search,
            warn_edge=self.warn_edge,
            device=self.device,
        )

    def fit_layers(self, layers: Sequence[Any], y: Any) -> list[BandedRidgeEncoder]:
        """Fit a clone to the features of each layer, one after the other."""
        return [clone(self).fit(X, y) for X in layers]

    @property
    def diagnostics_(self) -> dict[str, np.ndarray]:
        """Chosen penalty and its cross-validated R2, by target, for `brainlm.cross_validate`."""
        return {"alpha": self.alpha_, "cv_r2": self.cv_r2_}

    def fit(self, X: Any, y: Any) -> BandedRidgeEncoder:
        """Choose shares and penalties in inner folds, then fit on all samples.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        y : array of shape (n_samples, n_targets) or (n_samples,)
        """
        if self.n_steps and (self.device is not None or is_tensor(X)):
            raise ValueError(
                f"n_steps={self.n_steps} is computed with numpy only: leave device out and give "
                "arrays, or set n_steps=0"
            )
        X, Y = self._validated(X, y)
        ridge = self._ridge()
        self.alphas_ = alphas = ridge.checked_alphas()
        self.bands_, self._band = band_numbers(self.bands, X.shape[1])
        self._standardizer = Standardizer.learn(X, scale=True)
        Z = self._standardizer.apply(X)
        folds, n_targets = ridge.folds(X), Y.shape[1]
        draws = self._draws()
        self.cv_r2_ = np.full(n_targets, -np.inf)
        self.alpha_ = np.empty(n_targets)
        kept = np.zeros(n_targets, dtype=int)
        for number, curve in enumerate(self._curves(X, Z, Y, folds, draws)):
            best = ridge.best(curve)
            r2 = curve[best, np.arange(n_targets)]
            better = r2 > self.cv_r2_ if number else np.ones(n_targets, dtype=bool)
            kept[better], self.alpha_[better] = number, alphas[best[better]]
            self.cv_r2_[better] = r2[better]
        self.shares_ = draws[kept].T
        moved = np.zeros(n_targets, dtype=bool)
        if self.n_steps:
            moved = self._descend(Z, Y, folds)
        self._W = empty((X.shape[1], n_targets), beside(Y, X))
        for number in np.unique(kept[~moved]):
            own = np.flatnonzero((kept == number) & ~moved)
            self._W[:, at(own, self._W)] = self._fitted(Z, Y, draws[number], own)
        for target in np.flatnonzero(moved):
            own = np.array([target])
            self._W[:, own] = self._fitted(Z, Y, self.shares_[:, target], own)
        ridge.warn_at_edge(self.alpha_, alphas, self.cv_r2_)
        return self

    def predict(self, X: Any) -> Any:
        """Predict the targets, shape (n_samples, n_targets), or (n_samples,) for a 1-D ``y``."""
        check_is_fitted(self)
        Z = self._standardizer.apply(self._new_samples(X, self._standardizer.mean))
        return self._shaped(affine(Z, self._W, self._mean), X)

    def predict_bands(self, X: Any) -> Any:
        """Return the part of each band in the prediction, (n_bands, n_samples, n_targets).

        Their sum and the mean of the training targets are ``predict(X)``.
        """
        check_is_fitted(self)
        Z = self._standardizer.apply(self._new_samples(X, self._standardizer.mean))
        columns = [np.flatnonzero(self._band == b) for b in range(len(self.bands_))]
        parts = [affine(Z[:, at(own, Z)], self._W[at(own, self._W)], 0) for own in columns]
        found = namespace(parts[0]).stack(parts)
        return like(found, X, keep_dtype=True) if is_tensor(X) else host(found)

    def split_scores(self, X: Any, y: Any) -> np.ndarray:
        """Return the share of each band in R2, (n_bands, n_targets): the product measure.

        ::

            R2_b = sum_t p_b (2 (y - m) - p) / sum_t (y - m)^2,    p = sum_b p_b

        with y and the parts p_b about their means m over these samples. They add up to the R2 of
        the joint prediction for centred data. A band that hurts gets a negative share.

        References
        ----------
        Dupre la Tour et al. 2022, NeuroImage 264:119728 (product measure of split R2).
        """
        check_is_fitted(self)
        parts = self.predict_bands(X)
        parts = parts - parts.mean(axis=1, keepdims=True)
        truth = like(y, parts).reshape(parts.shape[1], -1)
        truth = truth - truth.mean(axis=0)
        own = (parts * (2 * truth - parts.sum(axis=0))).sum(axis=1)
        return host(own / (truth**2).sum(axis=0))

    @property
    def intercept_(self) -> Any:
        """Prediction at X = 0, shape (n_targets,)."""
        check_is_fitted(self)
        zero = self._standardizer.apply(0 * self._standardizer.mean[None])
        return like(affine(zero, self._W, self._mean)[0], self._given)

    @property
    def coef_(self) -> Any:
        """Weights in the units of X, shape (n_targets, n_features)."""
        check_is_fitted(self)
        scale = like(self._standardizer.scale, self._W)
        return like((self._W / scale[:, None]).T, self._given)

    def _descend(self, Z: np.ndarray, Y: np.ndarray, folds: list) -> np.ndarray:
        """Improve shares and penalties by gradient descent; return which targets moved."""
        if self.alpha_per != "target":
            raise ValueError(f"n_steps needs alpha_per='target', got {self.alpha_per!r}")
        columns = [np.flatnonzero(self._band == b) for b in range(len(self.bands_))]
        shares, alpha = descend(
            [Z[:, own] for own in columns],
            Y,
            folds,
            self.shares_,
            self.alpha_,
            n_steps=int(self.n_steps),
            seed=self.seed,
        )
        r2 = np.empty(Y.shape[1])
        for v in range(Y.shape[1]):  # by our own measure, the same as that of the draws
            scaled = self._scaled(Z, shares[:, v])
            one = np.array([alpha[v]])
            r2[v] = solve_ridge_cv(scaled, Y[:, [v]], folds, one, standardize=False)[0, 0]
        moved = r2 > self.cv_r2_
        self.shares_[:, moved], self.alpha_[moved] = shares[:, moved], alpha[moved]
        self.cv_r2_[moved] = r2[moved]
        return moved

    def _draws(self) -> np.ndarray:
        """Return shares to try, (n_draws, n_bands)."""
        n_bands, n_draws = len(self.bands_), int(self.n_draws)
        if n_draws < 1:
            raise ValueError(f"n_draws must be at least 1, got {self.n_draws}")
        rng = np.random.default_rng(self.seed)
        levels = [float(level) for level in self.concentration]
        rows = [np.full(n_bands, 1 / n_bands)]
        if n_bands > 1:
            rows += list(np.eye(n_bands))
            rows += [
                rng.dirichlet(np.full(n_bands, levels[i % len(levels)])) for i in range(n_draws)
            ]
        return np.array(rows[:n_draws])

    def _curves(
        self, X: Any, Z: Any, Y: Any, folds: list, draws: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Yield the curve of each draw, (n_alphas, n_targets); several share the targets."""
        alphas, sides = self.alphas_, None
        if is_exact(X.shape[1], folds, len(alphas), Y.shape[1], self.search):
            sides = side_sums(X, Y, [(np.arange(len(X)), folds)], len(alphas))
        if sides is None:
            step = spaces_at_once(X, X.shape[1], len(alphas), self.search)
            for start in range(0, len(draws), step):
                yield from self._searched(Z, Y, folds, draws[start : start + step])
            return
        for shares in draws:
            sums = TrainingSums.of(sides, 0, len(folds), weight=self._weight(shares))
            if sums.holds(float(alphas[0])):
                yield sums.curve(alphas)
            else:
                yield from self._searched(Z, Y, folds, shares[None])

    def _searched(self, Z: Any, Y: Any, folds: list, draws: np.ndarray) -> list[np.ndarray]:
        """Return the curves of some draws in one pass over the targets."""
        alphas = self.alphas_
        fits = [
            fit_ridge(self._scaled(Z, shares), standardize=False, smallest_alpha=float(alphas[0]))
            for shares in draws
        ]
        return cv_curves(fits, Y, folds, alphas, search=self.search)

    def _weight(self, shares: np.ndarray) -> np.ndarray:
        """Return what multiplies each feature, (n_features,), for shares of the prior variance."""
        factor: np.ndarray = np.sqrt(shares * len(self._band) / np.bincount(self._band))
        return factor[self._band]

    def _scaled(self, Z: Any, shares: np.ndarray) -> Any:
        """Give each band its share of the prior variance."""
        return Z * like(self._weight(shares), Z)

    def _fitted(self, Z: Any, Y: Any, shares: np.ndarray, own: np.ndarray) -> Any:
        """Weights of the standardised features for the targets ``own``, (n_features, n_own)."""
        scaled = self._scaled(Z, shares)
        alphas = self.alpha_[own]
        fit = fit_ridge(scaled, standardize=False, smallest_alpha=float(alphas.min()))
        centred = Y[:, at(own, Y)] - self._mean[at(own, Y)]
        weights = fit.weights(centred, alphas)
        primal = weights if fit.primal else affine(fit.X.T, weights, 0)
        return self._scaled(primal.T, shares).T
