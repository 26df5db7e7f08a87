"""Reconstructions against nulls: windows over time, gains, and a t test for few null texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from brainlm._validation import same_length


@dataclass(frozen=True)
class Window:
    """Windows over a story: published, 20 s every 1 s (Tang et al. 2023)."""

    length: float = 20.0
    step: float = 1.0

    def starts(self, first: float, last: float) -> np.ndarray:
        """Return the starts of all windows inside ``[first, last]`` seconds."""
        if last - first < self.length:
            raise ValueError(
                f"the text lasts {last - first:.1f} s, less than a window of {self.length:g} s"
            )
        return np.arange(first, last - self.length + 1e-9, self.step)


def cut_windows(
    words: Sequence[str], times: np.ndarray, starts: np.ndarray, length: float
) -> list[list[str]]:
    """Return the words with a time in ``[start, start + length)``, window by window."""
    same_length({"words": len(words), "times": len(times)})
    first = np.searchsorted(times, starts, side="left")
    last = np.searchsorted(times, starts + length, side="left")
    return [list(words[a:b]) for a, b in zip(first, last, strict=True)]


def identify_windows(similarity: np.ndarray, starts: np.ndarray, length: float) -> np.ndarray:
    """Rank of each window's own reference among distractors, 1 best, 0 worst. Chance .5.

    Distractors are the windows that do not overlap the own one.

    Parameters
    ----------
    similarity : array of shape (n_windows, n_windows)
        ``[i, j]``: reconstruction i with reference j.
    starts : array of shape (n_windows,)
    length : float
        Of a window, in seconds.
    """
    apart = np.abs(starts[:, None] - starts) >= length
    if not apart.any(axis=1).all():
        raise ValueError("a window overlaps all others: no distractor is left; use a longer text")
    own = np.diag(similarity)[:, None]
    below = (similarity < own) + 0.5 * (similarity == own)
    return (below * apart).sum(axis=1) / apart.sum(axis=1)


def null_z(observed: np.ndarray, null: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Test scores against a few null reconstructions: z and one-sided p.

    Mean and standard deviation of ``n`` nulls are estimates, so the score is compared with what one
    more null reconstruction would score::

        t = (observed - mean) / (sd * sqrt(1 + 1 / n)),  n - 1 degrees of freedom

    ``p`` is the upper tail of that t, and ``z`` the normal deviate of the same ``p``: z > 3 is
    p < .00135, whatever ``n`` is. (Dividing by the standard deviation alone gives more than 3 to
    2.6 % of null reconstructions where there are 5 nulls.)

    Parameters
    ----------
    observed : array of shape (...)
    null : array of shape (n_null, ...)
        At least two.

    Returns
    -------
    z, p : array of shape (...)
        NaN where all nulls score the same: their spread is unknown.

    Notes
    -----
    The t assumes nulls that are normally distributed. Published (Tang et al. 2023) is the z by the
    standard deviation; the t is our own choice.

    References
    ----------
    Hahn 1969, J Am Stat Assoc 64:878 (prediction intervals).
    """
    observed, null = np.asarray(observed, dtype=float), np.asarray(null, dtype=float)
    n = len(null)
    if n < 2 or null.shape[1:] != observed.shape:
        raise ValueError(
            f"null must have shape (n_null >= 2, *{observed.shape}), got {null.shape}: decode more "
            "null reconstructions"
        )
    spread = _spread(null)
    deviate = (observed - null.mean(axis=0)) / (spread * np.sqrt(1 + 1 / n))
    # Both tails are computed as small numbers: 1 - p would lose the digits of the other.
    z = np.sign(deviate) * norm.isf(t.sf(np.abs(deviate), n - 1))
    return z, t.sf(deviate, n - 1)


def null_half_width(null: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Return the half-width of a two-sided prediction interval of one more null reconstruction.

    ``t * sd * sqrt(1 + 1 / n)`` with n - 1 degrees of freedom, around the mean of ``n``.

    Parameters
    ----------
    null : array of shape (n_null, ...)
    level : float

    Returns
    -------
    array of shape (...)
    """
    n = len(null)
    return np.asarray(t.ppf((1 + level) / 2, n - 1) * _spread(null) * np.sqrt(1 + 1 / n))


def _spread(null: np.ndarray) -> np.ndarray:
    """Return the standard deviation over nulls; NaN where they are all the same."""
    return np.where(np.ptp(null, axis=0) > 0, null.std(axis=0, ddof=1), np.nan)


def compare_to_null(observed: np.ndarray, null: np.ndarray, block: int = 20) -> dict[str, float]:
    """Compare windowed scores with those of null reconstructions.

    Parameters
    ----------
    observed : array of shape (n_windows,)
    null : array of shape (n_null, n_windows)
        At least two.
    block : int
        Windows that overlap, for the interval of the mean: it is taken over blocks of so many.

    Returns
    -------
    dict
        ``score`` (mean over windows), ``half`` (half-width of its 95 % interval, t over blocks; NaN
        where the windows fill less than three blocks, too short a text for an interval),
        ``null`` and ``null_half`` (mean of the nulls and `null_half_width` around it), ``gain``
        (chance-corrected: score - null), ``z`` and ``p`` (`null_z` of the means over windows),
        ``z_window`` (median over windows of `null_z` against the nulls of that window) and
        ``share`` (of windows with z > 3; .00135 is expected of a null reconstruction). A window
        whose nulls all score the same has no z and counts as not above 3.
    """
    if null.ndim != 2 or len(null) < 2 or null.shape[1] != len(observed):
        raise ValueError(f"null must be (n_null >= 2, {len(observed)}), got {null.shape}")
    kept = np.isfinite(observed) & np.isfinite(null).all(axis=0)
    if not kept.any():
        raise ValueError("no window has a score: the references are empty")
    observed, null = observed[kept], null[:, kept]
    means, score = null.mean(axis=1), observed.mean()
    z, p = null_z(score, means)
    by_window, _ = null_z(observed, null)
    n = len(observed) // block
    blocks = [part.mean() for part in np.array_split(observed, max(1, n))]
    half = t.ppf(0.975, n - 1) * np.std(blocks, ddof=1) / np.sqrt(n) if n > 2 else np.nan
    known = by_window[np.isfinite(by_window)]
    return {
        "score": float(score),
        "half": float(half),
        "null": float(means.mean()),
        "null_half": float(null_half_width(means)),
        "gain": float(score - means.mean()),
        "z": float(z),
        "z_window": float(np.median(known)) if len(known) else np.nan,
        "share": float(np.mean(by_window > 3)),
        "p": float(p),
    }
