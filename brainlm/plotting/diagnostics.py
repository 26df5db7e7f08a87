"""Diagnostics of ridge encoding: the chosen penalties on their grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from brainlm.plotting._style import COLOURS, REFERENCE_COLOURS, page_size
from brainlm.plotting.changes import colour_of

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle


def plot_alphas(scores: xarray.Dataset, analysis: str, ax: Axes) -> Axes:
    """Draw the share of targets and folds that chose each penalty, one line per kind of space.

    A heap on the last value is expected where nothing is predicted; a heap on the first, or on the
    last with scores above 0, says that the grid is too narrow.

    Parameters
    ----------
    scores : xarray.Dataset
        With ``alpha`` (analysis, space, fold, column).
    analysis : str
    ax : Axes
    """
    alpha = scores["alpha"].sel(analysis=analysis).values  # (space, fold, column)
    kinds = scores["kind"].values
    grid = np.unique(alpha[np.isfinite(alpha)])
    for number, kind in enumerate(dict.fromkeys(kinds.tolist())):
        own = alpha[kinds == kind]
        own = own[np.isfinite(own)]
        if not len(own):
            continue
        share = [np.mean(own == value) for value in grid]
        default = COLOURS.get(kind, REFERENCE_COLOURS[number % len(REFERENCE_COLOURS)])
        colour = colour_of(kind, default)
        n = int((kinds == kind).sum())
        label = f"{kind} ({n} space{'s' * (n != 1)})"
        ax.plot(grid, share, marker="o", ms=3, color=colour, label=label)
    ax.set(
        xscale="log",
        ylim=(0, None),
        xlabel="chosen alpha",
        ylabel=f"share of choices\n({alpha.shape[2]} targets x {alpha.shape[1]} folds)",
    )
    ax.legend()
    return ax


def alphas(bundle: Bundle) -> Figure:
    """Penalties chosen in a bundle, by the first analysis that has any."""
    import matplotlib.pyplot as plt

    scores = bundle.arrays["scores"]
    if "alpha" not in scores:
        raise ValueError(f"{bundle.folder}: its scores have no penalties (alpha)")
    chosen = scores["alpha"].notnull().any([d for d in scores["alpha"].dims if d != "analysis"])
    names = scores["analysis"].values[chosen.values]
    if not len(names):
        raise ValueError(f"{bundle.folder}: none of its analyses chose a penalty")
    figure, ax = plt.subplots(figsize=page_size(4.6, 3))
    plot_alphas(scores, str(names[0]), ax)
    ax.set_title(f"{scores.attrs.get('title', '')}\n{names[0]}", fontsize=9)
    return figure
