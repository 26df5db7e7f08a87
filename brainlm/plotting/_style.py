"""Common style of the figures: colours, panels, intervals of the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.stats.paired import fold_half_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Okabe & Ito's palette: told apart with every kind of colour vision.
COLOURS = {
    "layer": "#0072B2",
    "combined": "#D55E00",
    "with empty": "#5D3A9B",
    "untrained": "#56B4E9",
    "random": "#8C8C8C",
    "ceiling": "#555555",
}
MODEL_COLOURS = ("#0072B2", "#D55E00", "#5D3A9B", "#009E73", "#E69F00", "#CC79A7", "#56B4E9")
REFERENCE_COLOURS = ("#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000")


def interval(values: np.ndarray, ratio: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Mean and half-width of its 95 % interval (t) over the first axis (the units).

    ``ratio`` is n_test / n_train where the units are folds, see
    `brainlm.stats.paired.fold_difference`.
    """
    half = fold_half_width(values, ratio) if len(values) > 1 else 0.0
    return values.mean(axis=0), np.broadcast_to(half, values.shape[1:])


def panels(n: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    """Return a figure of ``n`` panels side by side, each of that size in inches, and its axes."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, n, figsize=(width * n, height), squeeze=False)
    return figure, list(axes[0])


def grid(n: int, columns: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    """Return a figure of ``n`` panels in rows of ``columns``, and its axes."""
    import matplotlib.pyplot as plt

    rows = -(-n // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False
    )
    for ax in axes.flat[n:]:
        ax.set_axis_off()
    return figure, list(axes.flat[:n])


def plot_heat_map(
    values: np.ndarray, rows: list[str], columns: list[str], ax: Axes, *, label: str | None
) -> Axes:
    """Draw values as colours with their numbers; NaN stays white.

    Parameters
    ----------
    values : array of shape (n_rows, n_columns)
    rows, columns : list of str
    ax : matplotlib.axes.Axes
    label : str, optional
        Of the colour bar; None: no colour bar.
    """
    limit = float(np.nanmax(np.abs(values))) or 1.0
    image = ax.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    for i, j in np.argwhere(np.isfinite(values)):
        colour = "white" if abs(values[i, j]) > 0.6 * limit else "black"
        ax.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=7, color=colour)
    ax.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
    ax.set_yticks(range(len(rows)), rows)
    ax.spines[:].set_visible(False)
    if label is not None:
        ax.figure.colorbar(image, ax=ax, label=label, shrink=0.8)
    return ax


def shared_legend(figure: Figure | SubFigure, ax: Axes) -> None:
    """Put the legend of ``ax`` below all panels."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
