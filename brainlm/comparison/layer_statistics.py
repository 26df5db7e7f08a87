"""Statistics over layers: differences of scores, gain of context, and preferred depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau, t, ttest_ind

from brainlm.data.scores import held_out_choice
from brainlm.stats.paired import Difference, fold_difference, null_difference_p, random_difference_p

Pair = tuple[np.ndarray, np.ndarray]
CLEAR = 3.0  # standard errors above 0 from which a mean score has a relative curve


@dataclass(frozen=True)
class Contrast:
    """One score minus another, tested against two accidents: of stimuli and of embeddings.

    Attributes
    ----------
    mean, low, high : float
        Difference and its interval over folds: for new stimuli and these subjects.
    p_stimuli : float
        Against null responses where they were given (time series), else over folds.
    p_random : float
        Against the difference of two random embeddings; NaN without any.
    """

    mean: float
    low: float
    high: float
    p_stimuli: float
    p_random: float = np.nan

    @property
    def p(self) -> float:
        """The larger p value: a difference that either accident explains is not a finding."""
        return float(np.nanmax([self.p_stimuli, self.p_random]))

    def row(self, mean: str = "gain", prefix: str = "") -> dict[str, float]:
        """Return the columns of a table; ``mean`` names the first, ``prefix`` starts every name."""
        values = {mean: self.mean, "low": self.low, "high": self.high, "p": self.p}
        values |= {"p_stimuli": self.p_stimuli, "p_random": self.p_random}
        return {f"{prefix}{name}": value for name, value in values.items()}


def compare_folds(
    a: np.ndarray,
    b: np.ndarray,
    ratio: float,
    *,
    null: Pair | None = None,
    random: Pair | None = None,
) -> Contrast:
    """Compare two representations on one data set.

    Parameters
    ----------
    a, b : array of shape (n_folds,)
        Scores averaged over targets and subjects.
    ratio : float
        n_test / n_train.
    null : pair of array of shape (n_permutations,), optional
        Scores of A and of B on the same null responses, one shift for all subjects. For time
        series, where few long blocks are folds.
    random : pair of array of shape (n_draws,), optional
        Scores of A and of B without meaning.
    """
    found = fold_difference(a, b, ratio)
    p = found.p if null is None else null_difference_p(found.mean, *null)
    p_random = np.nan if random is None else random_difference_p(found.mean, *random)
    return Contrast(found.mean, found.low, found.high, p, p_random)


@dataclass(frozen=True, eq=False)
class LayerProfile:
    """How a score depends on the depth of the layer.

    Attributes
    ----------
    best_depth, low, high : float
        Depth (0 = input, 1 = last layer) of the layer that is best in all folds but one, averaged
        over the fold that is left out; its smallest and its largest value.
    slope : Difference
        Least-squares slope of the score over depth, tested against 0 over folds: above 0, deep
        layers are better.
    p : float
        The larger of ``slope.p`` and the p value of the slope against those of a model without
        meaning.
    relative, relative_error : float
        Slope divided by the mean score of the layers, and its standard error; NaN where that mean
        does not lie three standard errors above 0. Scores of data sets with other noise differ by a
        factor, which this takes out.
    n_folds : int
    """

    best_depth: float
    low: float
    high: float
    slope: Difference
    p: float
    relative: float
    relative_error: float
    n_folds: int


def context_gain(
    layers: np.ndarray,
    other: np.ndarray,
    ratio: float,
    *,
    null: Pair | None = None,
    random: Pair | None = None,
) -> Contrast:
    """Score of a model's layers minus that of another representation.

    The layer of each fold is the best one over the other folds, so the gain is not biased by the
    choice; of null responses the same layers are taken.

    Parameters
    ----------
    layers : array of shape (n_folds, n_layers)
    other : array of shape (n_folds,)
    ratio : float
        n_test / n_train.
    null : pair of array, optional
        Shapes (n_permutations, n_layers) and (n_permutations,).
    random : pair of array, optional
        Scores of a model without meaning, (n_draws, n_folds, n_layers), whose layers are chosen in
        the same way, and of the other representation without meaning, (n_draws,).
    """
    chosen, held_out = held_out_choice(np.asarray(layers)[:, :, None])
    if random is not None:
        random = (best_layer(random[0]), random[1])
    if null is not None:
        null = (np.asarray(null[0])[:, chosen].mean(axis=1), null[1])
    return compare_folds(held_out[:, 0], np.asarray(other), ratio, null=null, random=random)


def best_layer(scores: np.ndarray) -> np.ndarray:
    """Return the mean score of each draw at layers chosen on the other folds, (n_draws,).

    Parameters
    ----------
    scores : array of shape (n_draws, n_folds, n_layers)
    """
    return np.array([held_out_choice(each[:, :, None])[1].mean() for each in scores])


def layer_profile(
    scores: np.ndarray,
    depths: np.ndarray,
    ratio: float,
    *,
    chance: np.ndarray | None = None,
    random: np.ndarray | None = None,
) -> LayerProfile:
    """Return which depth is best, and whether the score rises or falls with depth.

    Parameters
    ----------
    scores : array of shape (n_folds, n_layers)
        Averaged over targets and subjects.
    depths : array of shape (n_layers,)
        Layer / last layer. The input embeddings (depth 0) are left out: they have no context.
    ratio : float
        n_test / n_train.
    chance : array of shape (n_layers,), optional
        Mean score of null responses, which is subtracted. Cross-validated scores of slow noise lie
        a little below 0, the more so the slower the features; deep layers are slower.
    random : array of shape (n_draws, n_layers), optional
        Scores of a model without meaning.
    """
    scores, depths = np.asarray(scores, dtype=float), np.asarray(depths, dtype=float)
    if chance is not None:
        chance = np.asarray(chance, dtype=float)
        if chance.shape != depths.shape or not np.isfinite(chance).all():
            raise ValueError(
                f"chance must be finite, one per layer ({len(depths)}), got {chance.shape}"
            )
        scores = scores - chance
    if scores.ndim != 2 or scores.shape[1] != len(depths):
        raise ValueError(f"scores has shape {scores.shape} for {len(depths)} layers")
    inside = depths > 0
    if inside.sum() < 2 or len(scores) < 3:
        raise ValueError(
            f"a layer profile needs two layers above the input and three folds, got "
            f"{int(inside.sum())} and {len(scores)}"
        )
    scores, depths = scores[:, inside], depths[inside]
    best = depths[held_out_choice(scores[:, :, None])[0]]
    centred = depths - depths.mean()
    weights = centred / (centred @ centred)
    slopes = scores @ weights
    slope, level = fold_difference(slopes, 0 * slopes, ratio), scores.mean(axis=1)
    p = slope.p
    if random is not None:
        drawn = np.asarray(random)[:, inside] @ weights
        p = max(p, random_difference_p(slope.mean, drawn, 0 * drawn))

    def error(values: np.ndarray) -> float:
        return float(np.sqrt((1 / len(values) + ratio) * values.var(ddof=1)))

    relative, relative_error = np.nan, np.nan
    if level.mean() > CLEAR * error(level):
        relative = slope.mean / level.mean()
        relative_error = error(slopes - relative * level) / level.mean()  # of a ratio, linearised
    return LayerProfile(
        float(best.mean()),
        float(best.min()),
        float(best.max()),
        slope,
        p,
        float(relative),
        float(relative_error),
        len(scores),
    )


def curve_agreement(first: np.ndarray, second: np.ndarray, null: np.ndarray) -> tuple[float, float]:
    """Return Kendall's tau of two curves over the same representations, and its p value.

    Layers of one network resemble each other, so the curves of noise agree by chance far more
    often than shuffled layers do. The null is therefore the agreement of the first curve with
    those of null responses of the second data set, made by the whole analysis. A small p says that
    the second curve is no noise; of one network and two languages it says no more.

    Parameters
    ----------
    first, second : array of shape (n_spaces,)
    null : array of shape (n_permutations, n_spaces)
        Scores of null responses of the second data set, the same responses for all spaces.
    """
    first, second, null = (np.asarray(a, dtype=float) for a in (first, second, null))
    if first.shape != second.shape or null.shape[1:] != first.shape or len(first) < 3:
        raise ValueError(
            f"give three or more paired scores and their null, got shapes {first.shape}, "
            f"{second.shape}, {null.shape}"
        )
    tau = kendalltau(first, second).statistic
    by_chance = np.array([kendalltau(first, each).statistic for each in null])
    p = (1 + (by_chance >= tau - 1e-12).sum()) / (1 + len(null))
    return float(tau), float(p)


def depth_difference(first: LayerProfile, second: LayerProfile) -> tuple[float, float]:
    """Return how much more the first data set's curve rises with depth, and its p value.

    Curves are relative to the mean score of their data set, so that two data sets whose curves
    differ by a factor do not differ. Two-sided, Welch's t on the errors over folds::

        t = (a - b) / sqrt(se_a^2 + se_b^2)

    Both are NaN where a data set has no clear mean score (see `LayerProfile`).
    """
    parts = np.array([first.relative_error**2, second.relative_error**2])
    difference = first.relative - second.relative
    if not np.isfinite([difference, *parts]).all() or parts.sum() == 0:
        return np.nan, np.nan
    freedom = parts.sum() ** 2 / (parts**2 / [first.n_folds - 1, second.n_folds - 1]).sum()
    p = 2 * t.sf(abs(difference) / np.sqrt(parts.sum()), freedom)
    return float(difference), float(p)


def modality_difference(
    first: list[LayerProfile], second: list[LayerProfile]
) -> tuple[float, float]:
    """Return how much more curves of one modality rise with depth than those of another, and p.

    The data sets are the units: Welch's t test of their relative slopes, two-sided. Both are NaN
    where a modality has fewer than two data sets with a clear mean score.
    """
    a, b = (
        np.array([profile.relative for profile in each if np.isfinite(profile.relative)])
        for each in (first, second)
    )
    if min(len(a), len(b)) < 2:
        return np.nan, np.nan
    found = ttest_ind(a, b, equal_var=False)
    return float(a.mean() - b.mean()), float(found.pvalue)
