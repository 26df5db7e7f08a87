"""Paired differences between two models; the units decide the test.

- Units that are independent samples (subjects who each saw other items, data sets): sign flips.
- Folds of one data set: they share most of their training samples, and subjects who heard one story
  share its stimulus noise. Average over the subjects, then use the corrected resampled t test. The
  answer then holds for new stimuli and these subjects.
- Random embeddings of the same shape: two embeddings without any meaning differ, too, because a few
  frequent words happen to lie close together or far apart. A difference that says something about
  meaning is larger than theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_EXACT = 14  # units: 16,384 sign patterns


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
        Mean difference and its interval.
    p : float
        Two-sided.
    n_units : int
        Subjects, blocks of samples, or folds.
    test : str
        "exact sign flips", "sign flips" or "corrected resampled t".
    """

    mean: float
    low: float
    high: float
    p: float
    n_units: int
    test: str


def paired_difference(
    a: np.ndarray, b: np.ndarray, *, n_flips: int = 10_000, level: float = 0.95, seed: int = 0
) -> Difference:
    """Test whether A differs from B over independent paired units.

    Under the null each unit's difference is as likely as its negative, so signs are flipped::

        p = (1 + #{|mean of flipped| >= |mean|}) / (1 + n_flips)

    With 14 units or fewer all 2^n patterns are tried and p is their exact share (the observed
    pattern is one of them).

    Folds of a cross-validation are not independent, and neither are subjects who heard the same
    story: use `fold_difference` for those.

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
    difference = _differences(a, b)
    n, mean = len(difference), difference.mean()
    # Two patterns that are each other's sums in another order may differ in the last bit.
    least = abs(mean) * (1 - 1e-12)
    if n <= MOST_EXACT:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        p = float(np.mean(np.abs(signs @ difference / n) >= least))
    else:
        signs = np.random.default_rng(seed).choice((-1, 1), size=(n_flips, n))
        p = float((1 + (np.abs(signs @ difference / n) >= least).sum()) / (1 + n_flips))
    half = _half_width(difference.std(ddof=1) / np.sqrt(n), n, level)
    test = "exact sign flips" if n <= MOST_EXACT else "sign flips"
    return Difference(float(mean), float(mean - half), float(mean + half), p, n, test)


def fold_difference(
    a: np.ndarray, b: np.ndarray, ratio: float, *, level: float = 0.95
) -> Difference:
    """Test whether A differs from B over the folds of one cross-validation.

    Training sets of different folds overlap, so their scores are correlated and the usual variance
    of a mean, ``s^2 / n_folds``, is too small. The corrected resampled t test uses::

        t = mean / sqrt((1 / n_folds + n_test / n_train) * s^2),   n_folds - 1 degrees of freedom

    With subjects who heard or read the same stimuli, average over subjects first: their stimulus
    noise is shared, and it is the stimuli that the answer must hold for.

    Parameters
    ----------
    a, b : array of shape (n_folds,)
        Scores of both models in each test fold.
    ratio : float
        ``n_test / n_train``, averaged over folds.
    level : float
        Of the interval.

    References
    ----------
    Nadeau & Bengio 2003, Machine Learning 52:239, doi 10.1023/A:1024068626366.
    """
    from scipy.stats import t

    if not ratio > 0:
        raise ValueError(f"ratio must be n_test / n_train, above 0, got {ratio}")
    difference = _differences(a, b)
    n, mean = len(difference), difference.mean()
    error = np.sqrt((1 / n + ratio) * difference.var(ddof=1))
    half = fold_half_width(difference, ratio, level=level)
    p = float(2 * t.sf(abs(mean) / error, n - 1)) if error > 0 else float(mean == 0)
    return Difference(
        float(mean), float(mean - half), float(mean + half), p, n, "corrected resampled t"
    )


def fold_half_width(
    values: np.ndarray, ratio: float, axis: int = 0, level: float = 0.95
) -> np.ndarray:
    """Return the half-width of the interval of a mean over folds; see `fold_difference`.

    Parameters
    ----------
    values : array with the folds along ``axis``
    ratio : float
        ``n_test / n_train``.
    axis : int
    level : float
    """
    values = np.asarray(values, dtype=float)
    n = values.shape[axis]
    return _half_width(np.sqrt((1 / n + ratio) * values.var(axis=axis, ddof=1)), n, level)


def null_difference_p(observed: float, null_a: np.ndarray, null_b: np.ndarray) -> float:
    """Return the two-sided p value of a difference against that of null responses.

    Both models are scored on the same null responses (for a time series: shifted in a circle by one
    and the same shift for all subjects), which breaks the tie of stimulus and response and keeps
    everything else::

        p = 2 (1 + min(#{null >= observed}, #{null <= observed})) / (1 + n_permutations)

    Parameters
    ----------
    observed : float
        Score of A minus score of B.
    null_a, null_b : array of shape (n_permutations,)
        Scores on the null responses, in the same order for both.
    """
    null = np.asarray(null_a, dtype=float) - np.asarray(null_b, dtype=float)
    if null.ndim != 1 or len(null) == 0 or not np.isfinite([*null, observed]).all():
        raise ValueError("give finite null scores of both models on the same null responses")
    tail = min((null >= observed).sum(), (null <= observed).sum())
    return float(min(1.0, 2 * (1 + tail) / (1 + len(null))))


def random_difference_p(observed: float, random_a: np.ndarray, random_b: np.ndarray) -> float:
    """Return the two-sided p value of a difference against that of two random embeddings.

    A frequent word has one vector, so a score rests on few effective words, and two embeddings
    without meaning differ by more than the folds of a text tell. The observed difference is
    compared with one more draw of that difference (both means and variances estimated)::

        t = (observed - (m_a - m_b)) / sqrt((s_a^2 + s_b^2) (1 + 1 / n))

    with Welch's degrees of freedom; ours.

    Parameters
    ----------
    observed : float
        Score of A minus score of B.
    random_a, random_b : array of shape (n_draws,)
        Scores of embeddings without meaning in place of A, and of B. They are treated as
        independent; where both come from the same permutations, the test is careful. To test a
        score rather than a difference, give ``np.zeros(n_draws)`` as B.
    """
    from scipy.stats import t

    a, b = np.asarray(random_a, dtype=float), np.asarray(random_b, dtype=float)
    if min(len(a), len(b)) < 3 or not np.isfinite([*a, *b, observed]).all():
        raise ValueError(
            f"give three or more finite scores of random embeddings for each model, got {len(a)} "
            f"and {len(b)}"
        )
    parts = np.array([x.var(ddof=1) * (1 + 1 / len(x)) for x in (a, b)])
    if parts.sum() == 0:
        return float(observed == a.mean() - b.mean())
    freedom = parts.sum() ** 2 / (parts**2 / [len(a) - 1, len(b) - 1]).sum()
    value = (observed - (a.mean() - b.mean())) / np.sqrt(parts.sum())
    return float(2 * t.sf(abs(value), freedom))


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


def _differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"a and b must be paired, one value per unit; got {a.shape}, {b.shape}")
    difference = a - b
    if len(difference) < 3 or not np.isfinite(difference).all():
        raise ValueError(
            f"a paired test needs three or more finite pairs, got {len(difference)} units, "
            f"{int((~np.isfinite(difference)).sum())} of them not finite: leave those out in both"
        )
    return difference


def _half_width(error: Any, n_units: int, level: float) -> Any:
    from scipy.stats import t

    return t.ppf((1 + level) / 2, n_units - 1) * error
