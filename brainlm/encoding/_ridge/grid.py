"""Choice of penalties on a grid that is widened where the best are at its edge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

WIDENINGS = 3

SIGNAL = 0.01  # cross-validated score: targets of noise reach some thousandths


@dataclass(frozen=True)
class Choice:
    """The penalties chosen.

    Attributes
    ----------
    alphas : array of shape (n_alphas,)
        The grid that was tried.
    curve : array of shape (n_alphas, n_targets)
    best : array of int, shape (n_targets,)
        Rows of the curve.
    exact : bool
        Whether every value of the curve was computed.
    """

    alphas: np.ndarray
    curve: np.ndarray
    best: np.ndarray
    exact: bool


def choose_on_grid(
    alphas: np.ndarray,
    curve: np.ndarray,
    curve_of: Callable[[np.ndarray], np.ndarray],
    best_of: Callable[[np.ndarray], np.ndarray],
    is_exact: Callable[[np.ndarray], bool],
    *,
    widen: bool = False,
) -> Choice:
    """Choose the best penalty of each target.

    Parameters
    ----------
    alphas : array of shape (n_alphas,)
        Positive, rising.
    curve : array of shape (n_alphas, n_targets)
        ``curve_of(alphas)``.
    curve_of, best_of, is_exact : callable
        Curve of a grid, rows of the best of a curve, and whether the curve of a grid is exact.
    widen : bool
        Add two decades in half-decade steps on a side where a target with a value above 0 chose the
        edge, up to three times.
    """
    whole, best = is_exact(alphas), best_of(curve)
    for _ in range(WIDENINGS if widen else 0):
        # Only where the edge predicts something: without signal it is chosen whatever it is.
        useful = best[curve[best, np.arange(len(best))] > 0]
        steps = 10.0 ** (np.arange(1, 5) / 2)
        sides = [alphas[0] / steps[::-1]] if (useful == 0).any() else []
        sides += [alphas[-1] * steps] if (useful == len(alphas) - 1).any() else []
        if not sides:
            break
        added = np.concatenate(sides)
        whole &= is_exact(added)
        order = np.argsort(np.r_[alphas, added])
        alphas = np.r_[alphas, added][order]
        curve = np.vstack([curve, curve_of(added)])[order]
        best = best_of(curve)
    return Choice(alphas, curve, best, whole)


def edge_message(low: int, high: int, n: int, alphas: np.ndarray, *, signal: bool) -> str:
    """Return how many choices are on the edge of the grid, as a sentence."""
    found = (
        f"{low} of {n} alphas are on the lower edge of the grid ({alphas[0]:g}) and {high} on the "
        f"upper edge ({alphas[-1]:g})"
    )
    if signal:
        return f"{found}, of targets with a cross-validated score above {SIGNAL}: widen alphas"
    return f"{found}; targets without any signal go to the upper edge whatever it is"
