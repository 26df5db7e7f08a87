"""Scores: held-out performance per target, and how it was computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm._html import html_card
from brainlm._validation import same_length
from brainlm.compute.backend import (
    column_norms,
    double,
    eps,
    host,
    is_tensor,
    largest,
    namespace,
    row_norms,
    spread,
)
from brainlm.data.target_table import target_coordinates, target_table

if TYPE_CHECKING:
    import pandas
    import xarray

CORRELATIONS = ("r", "spearman")  # averaged through Fisher's z
FEWEST_OBSERVED = 10  # samples of a correlation with missing values
CACHED = 1 << 16  # numbers worked on at a time: they stay in the cache of the processor


def pearson(A: Any, B: Any) -> Any:
    """Pearson correlation of each column of ``A`` with the same column of ``B``.

    Parameters
    ----------
    A, B : array of shape (n_samples, n_targets)

    Returns
    -------
    array of shape (n_targets,)
        In [-1, 1]. A column of ``A`` (the prediction) without any variation predicts nothing and
        scores 0; a constant column of ``B`` (the data) has no score and gives NaN.
    """
    if A.shape != B.shape or A.ndim != 2:
        raise ValueError(f"A and B must be 2-D and equal in shape, got {A.shape} and {B.shape}")
    unit_A, flat_A = _unit_columns(A)
    unit_B, flat_B = _unit_columns(B)
    xp, r = namespace(A), (unit_A * unit_B).sum(axis=0).clip(-1, 1)
    return xp.where(flat_B, np.nan, xp.where(flat_A, 0.0, r))


def observed_pearson(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Pearson correlation of each column of ``A`` with that of ``B``, missing values left out.

    Parameters
    ----------
    A, B : array of shape (n_samples, n_targets)
        NaN where a value is missing.

    Returns
    -------
    array of shape (n_targets,)
        NaN where fewer than ten samples have both values: a correlation over them is noise.
    """
    here = np.isfinite(A) & np.isfinite(B)
    count = here.sum(axis=0)
    a, b = (np.where(here, values, 0.0) for values in (A, B))
    a, b = (np.where(here, v - v.sum(axis=0) / np.maximum(count, 1), 0.0) for v in (a, b))
    return np.where(count >= FEWEST_OBSERVED, pearson(a, b), np.nan)  # zeros add to no sum


def r_squared(predicted: Any, truth: Any, *, center: bool = True) -> Any:
    """Share of the variance of each column of ``truth`` that ``predicted`` explains.

    ::

        R2_v = 1 - sum_t (y_tv - p_tv)^2 / sum_t (y_tv - mean_t y_tv)^2

    With ``center``, p is first moved to the mean of y over the same samples. A slow series has
    another mean in each block, which no model of its fast part can know; without centring, features
    that predict nothing score far below 0 there. Centring is our choice. It is what correlations
    do, so that R2 <= r^2, and what ``BandedRidgeEncoder.split_scores`` adds up to.

    Parameters
    ----------
    predicted, truth : array of shape (n_samples, n_targets)
    center : bool
        False: scikit-learn's ``r2_score`` of each column.

    Returns
    -------
    array of shape (n_targets,)
        At most 1. A constant prediction scores 0 if centred; constant data have no score (NaN).
    """
    xp, truth = namespace(truth), double(truth)
    mean = truth.mean(axis=0)
    residual = truth - predicted
    if center:
        residual -= residual.mean(axis=0)
    total = xp.square(truth - mean).sum(axis=0)
    flat = spread(truth) == 0
    return xp.where(flat, np.nan, 1 - xp.square(residual).sum(axis=0) / xp.where(flat, 1, total))


def _unit_columns(A: Any) -> tuple[Any, Any]:
    """Centred columns of length 1, and which columns vary by no more than rounding errors."""
    xp, size = namespace(A), largest(A, 0)
    # Scaling first keeps tesla (1e-13) and large counts alike inside the range of squares.
    scaled = A / double(xp.where(size > 0, size, 1))
    scaled = scaled - scaled.mean(axis=0)
    length = column_norms(scaled)
    flat = length <= 10 * eps(A) * len(A) ** 0.5
    return scaled / xp.where(flat, 1, length), flat


def fisher_mean(r: np.ndarray, axis: int | tuple[int, ...] | None = 0) -> np.ndarray:
    """Average correlations through Fisher's z: tanh(mean(arctanh(r))); over all with axis None.

    Correlations of exactly 1 or -1 are moved inwards by 1e-12 first.
    """
    return np.tanh(np.mean(fisher_z(r), axis=axis))


def fisher_z(r: Any) -> Any:
    """Return arctanh(r), correlations of exactly 1 or -1 moved inwards by 1e-12."""
    limit, xp = 1 - 1e-12, namespace(r)
    return xp.arctanh(xp.clip(r, -limit, limit))


@dataclass(frozen=True, eq=False)
class Scores:
    """Held-out scores of one feature space for the targets of one recording.

    Parameters
    ----------
    values : array of shape (n_folds, n_targets)
        Score of each test fold, computed inside the fold.
    metric : {"r", "spearman", "r2", "r2_score"} or the name of another
        As in `brainlm.cross_validate`.
    targets : sequence of str, or DataFrame with n_targets rows
        Names, or a table as in `brainlm.Recording`.
    encoder, split, features : str
        What was fitted, how the samples were divided, and on which feature space.
    n_test, n_train : sequence of int, shape (n_folds,)
        Samples in each test fold, and those that its model was fitted on.
    alphas : array of shape (n_folds, n_targets), optional
        Penalty chosen in the inner folds of each outer fold.
    predictions : array of shape (n_samples, n_targets), optional
        Out-of-fold predictions. Do not correlate them over folds: each fold has its own mean.
    notes : tuple of str
        Warnings and exclusions on the way.
    inner : array of shape (n_folds, n_targets), optional
        ``cv_r2_`` of the encoder of each outer training set, 1 - sum MSE / sum MSE of the mean over
        its inner folds (`brainlm.RidgeEncoder`), whatever the ``metric``. Nothing in it has
        seen the test samples, so targets and feature spaces may be chosen by it.
    diagnostics : mapping of str to array of shape (n_folds, n_targets)
        Other entries of ``diagnostics_`` of the encoders.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 5))
    >>> Y = X @ rng.standard_normal((5, 2)) + 2 * rng.standard_normal((100, 2))
    >>> split = brainlm.ContiguousBlocks(5)
    >>> scores = brainlm.cross_validate(brainlm.RidgeEncoder(), X, Y, split, targets=["IFG", "MTG"])
    >>> scores.values.shape, scores.mean.round(1).tolist()
    ((5, 2), [0.8, 0.5])
    """

    values: Any
    metric: str
    targets: Any
    encoder: str
    split: str
    features: str = "X"
    n_test: Any = ()
    alphas: Any = None
    predictions: Any = None
    notes: tuple[str, ...] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)
    inner: Any = None
    n_train: Any = ()
    diagnostics: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=float)
        targets = target_table(self.targets)
        same_length({"columns of values": values.shape[1], "targets": len(targets)})
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "targets", targets)

    @property
    def target_names(self) -> np.ndarray:
        """Names of the targets, (n_targets,)."""
        return self.targets["name"].to_numpy()

    @property
    def mean(self) -> np.ndarray:
        """Score per target over folds, (n_targets,): tanh(mean(arctanh(r))), plain mean of R2.

        Averages over targets, as in ``repr``, are plain means of these.
        """
        return fisher_mean(self.values) if self.metric in CORRELATIONS else self.values.mean(axis=0)

    @property
    def test_ratio(self) -> float:
        """``n_test / n_train``, which `brainlm.stats.paired.fold_difference` corrects for."""
        if len(self.n_train) == 0:
            raise ValueError("these scores have no n_train: score with cross_validate")
        return float(np.mean(self.n_test) / np.mean(self.n_train))

    def mean_of_best(self, n: int) -> np.ndarray:
        """Return the held-out score of each fold, averaged over the targets that are best inside.

        In each outer fold the ``n`` targets with the highest ``inner`` score are averaged (Fisher z
        for r), so that the choice never sees the samples that are scored.

        Parameters
        ----------
        n : int
            How many targets, such as sensors or voxels.

        Returns
        -------
        array of shape (n_folds,)
        """
        if self.inner is None:
            raise ValueError(
                "these scores have no inner scores to choose targets by: use a RidgeEncoder"
            )
        known = int(np.isfinite(self.inner).all(axis=0).sum())
        if not 1 <= n <= known:
            raise ValueError(f"n must lie between 1 and {known} targets with a score, got {n}")
        order = np.argsort(np.where(np.isfinite(self.inner), -self.inner, np.inf), axis=1)[:, :n]
        best = np.take_along_axis(self.values, order, axis=1)
        return fisher_mean(best, axis=1) if self.metric in CORRELATIONS else best.mean(axis=1)

    def to_xarray(self) -> xarray.Dataset:
        """Return the scores as a labelled data set with dimensions fold and target."""
        import xarray

        data: dict[str, Any] = {
            "score": (("fold", "target"), self.values),
            "n_test": ("fold", np.asarray(self.n_test, dtype=int)),
        }
        if self.alphas is not None:
            data["alpha"] = (("fold", "target"), self.alphas)
        attributes = {"metric": self.metric, "encoder": self.encoder, "split": self.split}
        return xarray.Dataset(
            data, coords=target_coordinates(self.targets), attrs=attributes
        ).assign_attrs(features=self.features, notes="\n".join(self.notes))

    def to_frame(self) -> pandas.DataFrame:
        """Return a row per target: its table, its mean score, and the score of each fold."""
        folds = {f"fold {k}": values for k, values in enumerate(self.values)}
        return self.targets.assign(**{f"mean {self.metric}": self.mean, **folds})

    def plot(self, ax: Any = None, n: int = 20) -> Any:
        """Draw the best targets as bars with the spread over folds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Default: the current one.
        n : int
            Targets at most.

        Returns
        -------
        matplotlib.axes.Axes
        """
        import matplotlib.pyplot as plt

        ax = plt.gca() if ax is None else ax
        order = np.argsort(-np.nan_to_num(self.mean, nan=-np.inf))[:n][::-1]
        spread = self.values[:, order].std(axis=0)
        ax.barh([str(name) for name in self.target_names[order]], self.mean[order], xerr=spread)
        ax.axvline(0, color="black", lw=0.5)
        ax.set_xlabel(f"held-out {self.metric} of {self.features} (bars: sd over folds)")
        return ax

    def _repr_html_(self) -> str:
        mean = self.mean
        order = [int(i) for i in np.argsort(-np.nan_to_num(mean, nan=-np.inf))]
        facts = {
            "encoder": self.encoder,
            "split": self.split,
            "targets": len(mean),
            "folds": len(self.values),
            f"mean {self.metric}": float(np.nanmean(mean)),
            "above 0": f"{np.nanmean(mean > 0):.0%} of targets",
        }
        rows = [(str(self.target_names[i]), float(mean[i])) for i in order[:5]]
        return html_card(
            f"Scores: {self.features}", facts, ["best targets", self.metric], rows, self.notes
        )

    def __repr__(self) -> str:
        mean = self.mean
        return (
            f"Scores({self.features!r}, {self.metric} {np.nanmean(mean):.3f} on average, "
            f"{np.nanmax(mean):.3f} at best, {len(mean)} targets, {self.split})"
        )


def held_out_choice(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Score of each unit at the alternative that is best on average over the *other* units.

    Choosing the best layer and reporting its score on the same data is biased upwards; here the
    layer of a subject (or fold) is chosen without that subject (or fold).

    Parameters
    ----------
    score : array of shape (n_units, n_alternatives, n_targets)

    Returns
    -------
    chosen : array of int, shape (n_units,)
        Alternative of each unit, the same for all targets.
    held_out : array of shape (n_units, n_targets)
    """
    score = np.asarray(score, dtype=float)
    if score.ndim != 3 or len(score) < 2:
        raise ValueError(
            f"score must have shape (n_units, n_alternatives, n_targets), two units or more; "
            f"got {score.shape}"
        )
    per_unit = score.mean(axis=2)
    others = (per_unit.sum(axis=0) - per_unit) / (len(score) - 1)
    chosen = others.argmax(axis=1)
    return chosen, score[np.arange(len(score)), chosen]


def standardize_rows(X: Any, name: str = "X", *, shift: Any = 0.0, scale: Any = 1.0) -> Any:
    """Return each row with mean 0 and length 1, so that products of rows are correlations.

    Parameters
    ----------
    X : array of shape (n_items, n_features)
    name : str
        Of ``X``, for the error.
    shift, scale : array of shape (n_features,), optional
        ``(X - shift) / scale`` is standardised.

    Raises
    ------
    ValueError
        With a single column, or where a row is constant: it has no correlation with anything.
    """
    if X.shape[1] < 2:
        raise ValueError(
            f"{name} has a single feature (n_features = 1): items cannot be correlated over one "
            "value; use ridge encoding for this feature space"
        )
    step = len(X) if is_tensor(X) else max(1, CACHED // X.shape[1])
    blocks = [
        _standardized((X[start : start + step] - shift) / scale)
        for start in range(0, max(len(X), 1), max(step, 1))
    ]
    flat = np.concatenate([host(flat) for _, flat in blocks]).nonzero()[0]
    if len(flat):
        raise ValueError(
            f"{name}: {len(flat)} rows have no variation over features (the first: row {flat[0]}), "
            "so no similarity exists for them: leave these items out"
        )
    found = [rows for rows, _ in blocks]
    return found[0] if len(found) == 1 else np.concatenate(found)


def _standardized(X: Any) -> tuple[Any, Any]:
    """Rows of mean 0 and length 1, and which of them are flat."""
    scale = largest(X, 1) * X.shape[1] ** 0.5
    Z = X - X.mean(axis=1, keepdims=True)
    length = row_norms(Z)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Z / length, (length <= 10 * eps(Z) * scale)[:, 0]
