"""Reconstructions against nulls: windows over time, gains, z, p and q in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t

from brainlm._checks import same_length
from brainlm.statistics import fdr, permutation_p

__all__ = ["Window", "compare_to_null", "cut_windows", "identify_windows", "score_table"]


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
    """Return the words whose time lies in ``[start, start + length)``, window by window."""
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
        ``null``, ``gain`` (chance-corrected: score - null), ``z`` (gain over the standard deviation
        of the null means), ``z_window`` (median over windows of z against the null of that window),
        ``share`` (of windows with z > 3) and ``p`` ((1 + exceed) / (1 + n)).
    """
    if null.ndim != 2 or len(null) < 2 or null.shape[1] != len(observed):
        raise ValueError(f"null must be (n_null >= 2, {len(observed)}), got {null.shape}")
    kept = np.isfinite(observed) & np.isfinite(null).all(axis=0)
    if not kept.any():
        raise ValueError("no window has a score: the references are empty")
    observed, null = observed[kept], null[:, kept]
    means = null.mean(axis=1)
    spread = null.std(axis=0, ddof=1)
    z = (observed - null.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    n = len(observed) // block
    blocks = [part.mean() for part in np.array_split(observed, max(1, n))]
    half = t.ppf(0.975, n - 1) * np.std(blocks, ddof=1) / np.sqrt(n) if n > 2 else np.nan
    score = float(observed.mean())
    return {
        "score": score,
        "half": float(half),
        "null": float(means.mean()),
        "gain": score - float(means.mean()),
        "z": (score - float(means.mean())) / float(max(means.std(ddof=1), 1e-12)),
        "z_window": float(np.median(z)),
        "share": float(np.mean(z > 3)),
        "p": float(permutation_p(np.array(score), means)),
    }


def score_table(
    scores: Mapping[str, Mapping[str, np.ndarray]], null: Mapping[str, np.ndarray], block: int = 20
) -> pd.DataFrame:
    """Return one row per condition and metric; q over all rows of the table.

    Parameters
    ----------
    scores : mapping of condition to mapping of metric to array of shape (n_windows,)
    null : mapping of metric to array of shape (n_null, n_windows)
    block : int
        See `compare_to_null`.
    """
    rows = [
        {"condition": condition, "metric": metric, **compare_to_null(values, null[metric], block)}
        for condition, by_metric in scores.items()
        for metric, values in by_metric.items()
    ]
    table = pd.DataFrame(rows)
    table["q"] = fdr(table["p"].to_numpy())
    return table
