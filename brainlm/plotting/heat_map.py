"""Heat maps with their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from brainlm.plotting.changes import colour_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_heat_map(
    values: np.ndarray,
    rows: list[str],
    columns: list[str],
    ax: Axes,
    *,
    label: str | None,
    ends: tuple[float, float] | None = None,
) -> Axes:
    """Draw values as colours with their numbers; NaN is a dash on white.

    Colours are signed where a value is below 0, else they begin with white at 0.

    Parameters
    ----------
    values : array of shape (n_rows, n_columns)
    rows, columns : list of str
    ax : matplotlib.axes.Axes
    label : str, optional
        Of the colour bar; None: no colour bar.
    ends : (float, float), optional
        Least and greatest value of all panels on the same scale. Default: of ``values``.
    """
    if ends is None:
        ends = float(np.nanmin(values)), float(np.nanmax(values))
    scale = colour_scale(*ends)
    image = ax.imshow(values, **scale.options, aspect="auto")
    for i, j in np.ndindex(values.shape):
        known = np.isfinite(values[i, j])
        colour = "white" if known and scale.is_dark(float(values[i, j])) else "black"
        text = f"{values[i, j]:.2f}" if known else "–"
        ax.text(j, i, text, ha="center", va="center", fontsize=7, color=colour)
    ax.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
    ax.set_yticks(range(len(rows)), rows)
    ax.spines[:].set_visible(False)
    if label is not None:
        ax.figure.colorbar(image, ax=ax, label=label)
    return ax
