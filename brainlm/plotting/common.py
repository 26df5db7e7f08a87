"""What the figures share: colours, panels, intervals of the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "REFERENCE_COLOURS", "interval", "panels", "shared_legend"]

# Okabe & Ito's palette: told apart with every kind of colour vision.
COLOURS = {
    "layer": "#0072B2",
    "combined": "#D55E00",
    "with empty": "#5D3A9B",
    "random": "#8C8C8C",
    "ceiling": "#555555",
}
REFERENCE_COLOURS = ("#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000")


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and half-width of its 95 % interval (t) over the first axis (the units)."""
    from scipy.stats import t

    n = len(values)
    half = t.ppf(0.975, n - 1) * values.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else 0.0
    return values.mean(axis=0), np.broadcast_to(half, values.shape[1:])


def panels(n: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    """Return a figure of ``n`` panels side by side, each of that size in inches, and its axes."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, n, figsize=(width * n, height), squeeze=False)
    return figure, list(axes[0])


def shared_legend(figure: Figure, ax: Axes) -> None:
    """Put the legend of ``ax`` below all panels."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
