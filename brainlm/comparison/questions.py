"""What a comparison is asked: gain of context by level, layer depth by modality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau, spearmanr

from brainlm.paired import Difference, paired_difference
from brainlm.scores import held_out_choice

__all__ = [
    "LEVELS",
    "LayerProfile",
    "context_gain",
    "curve_agreement",
    "depth_difference",
    "layer_profile",
    "trend_over_levels",
]

LEVELS = ("word", "sentence", "discourse")


@dataclass(frozen=True, eq=False)
class LayerProfile:
    """How a score depends on the depth of the layer.

    Attributes
    ----------
    best_depth, low, high : float
        Depth (0 = input, 1 = last layer) of the best mean score, and its 95 % bootstrap interval
        over units.
    slope : Difference
        Least-squares slope of the score over depth, over units, tested against 0: above 0, deep
        layers are better.
    slopes : array of shape (n_units,)
    """

    best_depth: float
    low: float
    high: float
    slope: Difference
    slopes: np.ndarray


def context_gain(layers: np.ndarray, static: np.ndarray) -> Difference:
    """Score of a model's layers minus that of static vectors, over units.

    The layer of each unit is the best one over the other units, so the gain is not biased by the
    choice.

    Parameters
    ----------
    layers : array of shape (n_units, n_layers)
    static : array of shape (n_units,)
    """
    held_out = held_out_choice(np.asarray(layers)[:, :, None])[1][:, 0]
    return paired_difference(held_out, np.asarray(static))


def trend_over_levels(
    gains: np.ndarray, levels: list[str], *, n_permutations: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Does the gain grow from words to sentences to discourse, over data sets?

    Parameters
    ----------
    gains : array of shape (n_datasets,)
    levels : sequence of str
        Level of each.

    Returns
    -------
    rho : float
        Spearman correlation of the gain with the level (0, 1, 2).
    p : float
        One-sided, the levels permuted over data sets; the smallest that few data sets can give is
        large.
    """
    place = np.array([LEVELS.index(level) for level in levels], dtype=float)
    gains = np.asarray(gains, dtype=float)
    if len(gains) != len(place) or len(gains) < 3 or np.ptp(place) == 0:
        raise ValueError(
            f"a trend needs three or more data sets of at least two levels, got {len(gains)} gains "
            f"and levels {levels}"
        )
    rho = float(spearmanr(place, gains).statistic)
    rng = np.random.default_rng(seed)
    null = np.array(
        [spearmanr(rng.permutation(place), gains).statistic for _ in range(n_permutations)]
    )
    return rho, float((1 + (null >= rho - 1e-12).sum()) / (1 + len(null)))


def layer_profile(
    scores: np.ndarray,
    depths: np.ndarray,
    chance: np.ndarray | None = None,
    *,
    n_draws: int = 2000,
    seed: int = 0,
) -> LayerProfile:
    """Return which depth is best, and whether the score rises or falls with depth.

    Parameters
    ----------
    scores : array of shape (n_units, n_layers)
        Of subjects, or folds.
    depths : array of shape (n_layers,)
        Layer / last layer. The input embeddings (depth 0) are left out: they know no context.
    chance : array of shape (n_layers,), optional
        Mean score of null responses, which is subtracted. Cross-validated scores of slow noise lie
        a little below 0, the more so the slower the features; deep layers are slower, so that
        without it many subjects make a slope out of nothing.
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
            f"a layer profile needs two layers above the input and three units, got "
            f"{int(inside.sum())} and {len(scores)}"
        )
    scores, depths = scores[:, inside], depths[inside]
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(scores), size=(n_draws, len(scores)))
    best = depths[scores[drawn].mean(axis=1).argmax(axis=1)]
    low, high = np.quantile(best, [0.025, 0.975])
    centred = depths - depths.mean()
    slopes = scores @ centred / (centred @ centred)
    return LayerProfile(
        float(depths[scores.mean(axis=0).argmax()]), float(low), float(high),
        paired_difference(slopes, np.zeros(len(slopes))), slopes,
    )  # fmt: skip


def curve_agreement(first: np.ndarray, second: np.ndarray, null: np.ndarray) -> tuple[float, float]:
    """Return Kendall's tau of two curves over the same representations, and its p value.

    Layers of one network resemble each other, so the curves of noise agree by chance far more
    often than shuffled layers do. The null is therefore the agreement of the first curve with
    those of null responses of the second data set, made by the whole analysis.

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


def depth_difference(
    first: LayerProfile, second: LayerProfile, *, n_permutations: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Return how much more the first data set's scores rise with depth, and its p value.

    Slopes are divided by their pooled standard deviation, units change sides under the null
    (two-sided).
    """
    a, b = first.slopes, second.slopes
    pooled = np.sqrt(
        (a.var(ddof=1) * (len(a) - 1) + b.var(ddof=1) * (len(b) - 1)) / (len(a) + len(b) - 2)
    )
    together, observed = np.r_[a, b], a.mean() - b.mean()
    rng = np.random.default_rng(seed)
    null = np.empty(n_permutations)
    for i in range(n_permutations):
        mixed = rng.permutation(together)
        null[i] = mixed[: len(a)].mean() - mixed[len(a) :].mean()
    p = (1 + (np.abs(null) >= abs(observed) * (1 - 1e-12)).sum()) / (1 + n_permutations)
    return float(observed / pooled) if pooled > 0 else 0.0, float(p)
