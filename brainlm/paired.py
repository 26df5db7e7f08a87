"""Two models on the same units: paired tests, intervals of the difference, bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainlm.errors import unknown_name

__all__ = ["Difference", "Interval", "block_means", "bootstrap_mean", "paired_difference"]

MOST_EXACT = 14  # units: 16,384 sign patterns
OVER = ("subjects", "items", "both")


@dataclass(frozen=True)
class Interval:
    """A mean and its interval.

    Attributes
    ----------
    mean, low, high : float
    level : float
        Such as .95.
    """

    mean: float
    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True)
class Difference:
    """Model A minus model B over paired units.

    Attributes
    ----------
    mean, low, high : float
        Mean difference and its interval (t over units).
    p : float
        Two-sided sign-flip test.
    n_units : int
        Subjects, or blocks of samples.
    exact : bool
        Whether all sign patterns were tried.
    """

    mean: float
    low: float
    high: float
    p: float
    n_units: int
    exact: bool


def paired_difference(
    a: np.ndarray, b: np.ndarray, *, n_flips: int = 10_000, level: float = 0.95, seed: int = 0
) -> Difference:
    """Test whether A differs from B over paired units (subjects, or blocks).

    Under the null each unit's difference is as likely as its negative, so signs are flipped::

        p = (1 + #{|mean of flipped| >= |mean|}) / (1 + n_flips)

    With 14 units or fewer all 2^n patterns are tried and p is their exact share (the observed
    pattern is one of them).

    Parameters
    ----------
    a, b : array of shape (n_units,)
        Scores of both models, averaged over targets.
    n_flips : int
        Random patterns where there are too many units.
    level : float
        Of the interval, ``mean -+ t * sd / sqrt(n_units)``.
    seed : int

    Raises
    ------
    ValueError
        Other shapes, values that are not finite, or fewer than three units.

    References
    ----------
    Fisher 1935, The Design of Experiments; Phipson & Smyth 2010, Stat Appl Genet Mol Biol 9:39.
    """
    from scipy.stats import t

    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"a and b must be paired, one value per unit; got {a.shape}, {b.shape}")
    difference = a - b
    n = len(difference)
    if n < 3 or not np.isfinite(difference).all():
        raise ValueError(
            f"paired_difference needs three or more finite pairs, got {n} units, "
            f"{int((~np.isfinite(difference)).sum())} of them not finite: leave those out in both"
        )
    mean = difference.mean()
    # Two patterns that are each other's sums in another order may differ in the last bit.
    least = abs(mean) * (1 - 1e-12)
    if n <= MOST_EXACT:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        p = float(np.mean(np.abs(signs @ difference / n) >= least))
    else:
        signs = np.random.default_rng(seed).choice((-1, 1), size=(n_flips, n))
        p = float((1 + (np.abs(signs @ difference / n) >= least).sum()) / (1 + n_flips))
    half = t.ppf((1 + level) / 2, n - 1) * difference.std(ddof=1) / np.sqrt(n)
    return Difference(float(mean), float(mean - half), float(mean + half), p, n, n <= MOST_EXACT)


def block_means(values: np.ndarray, block: int, runs: np.ndarray | None = None) -> np.ndarray:
    """Average values over blocks of neighbouring samples, inside runs.

    Neighbouring samples are not independent, blocks longer than the data's memory nearly are: of a
    loss per sample of two models this makes the units of ``paired_difference``.

    Parameters
    ----------
    values : array of shape (n_samples, ...)
    block : int
        Samples in a block, or a little more: each run is cut into equal parts.
    runs : array of shape (n_samples,), optional

    Returns
    -------
    array of shape (n_blocks, ...)
    """
    values = np.asarray(values, dtype=float)
    labels = np.zeros(len(values)) if runs is None else np.asarray(runs)
    if len(labels) != len(values):
        raise ValueError(f"runs has {len(labels)} entries for {len(values)} samples")
    if not 1 <= block <= len(values):
        raise ValueError(f"block must lie between 1 and {len(values)} samples, got {block}")
    means = []
    for run in dict.fromkeys(labels.tolist()):
        rows = np.flatnonzero(labels == run)
        for part in np.array_split(rows, max(1, len(rows) // block)):
            means.append(values[part].mean(axis=0))
    return np.array(means)


def bootstrap_mean(
    values: np.ndarray,
    *,
    over: str = "subjects",
    n_draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the mean of scores and its percentile bootstrap interval.

    Parameters
    ----------
    values : array of shape (n_subjects, n_items)
    over : {"subjects", "items", "both"}
        What is drawn again with replacement: rows (another group of people), columns (other
        stimuli), or both independently (the pigeonhole bootstrap, which is a little wide).
    n_draws : int
    level : float
    seed : int

    References
    ----------
    Efron & Tibshirani 1993; Owen 2007, Ann Appl Stat 1:386 (both factors).
    """
    values = np.asarray(values, dtype=float)
    if over not in OVER:
        raise unknown_name("over", over, OVER)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(
            f"values must be finite, of shape (n_subjects, n_items), got shape {values.shape}"
        )
    drawn = {"subjects": (0,), "items": (1,), "both": (0, 1)}[over]
    short = [axis for axis in drawn if values.shape[axis] < 2]
    if short:
        raise ValueError(
            f"over={over!r} draws from {values.shape[short[0]]} {('subjects', 'items')[short[0]]}: "
            "at least two are needed"
        )
    rng = np.random.default_rng(seed)
    weights = [
        rng.multinomial(n, np.full(n, 1 / n), size=n_draws) / n
        if axis in drawn
        else np.full((n_draws, n), 1 / n)
        for axis, n in enumerate(values.shape)
    ]
    means = np.einsum("di,ij,dj->d", weights[0], values, weights[1], optimize=True)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high), level)
