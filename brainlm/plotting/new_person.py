"""Decoding of a new person by minutes of own data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainlm.plotting._style import MODEL_COLOURS, panels
from brainlm.plotting.changes import colour_of

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

NAMES = {
    "own": "own decoder",
    "others": "others', not aligned",
    "procrustes": "others', Procrustes",
    "srm": "others', shared response",
    "ridge": "others', ridge",
}
MARKERS = "osD^v"


def plot_new_person(scores: xarray.Dataset, ax: Axes) -> Axes:
    """Draw identification accuracy against minutes of own data, a line per method.

    Intervals (95 %) are over people; the dotted line is chance.

    Parameters
    ----------
    scores : xarray.Dataset
        ``accuracy``, ``low`` and ``high`` over ``decoder`` and ``minutes``.
    ax : matplotlib.axes.Axes
    """
    minutes = scores["minutes"].values
    methods = [str(name) for name in scores["decoder"].values]
    for i, name in enumerate(methods):
        own, label = scores.sel(decoder=name), NAMES[name]
        default = MODEL_COLOURS[i % len(MODEL_COLOURS)]
        colour = colour_of(label, colour_of(name, default))
        shifted = minutes * 1.04 ** (i - (len(methods) - 1) / 2)
        ax.plot(shifted, own["accuracy"], lw=1, color=colour)
        ax.vlines(shifted, own["low"], own["high"], color=colour, lw=0.8)
        marker = MARKERS[i % len(MARKERS)]
        ax.plot(shifted, own["accuracy"], marker, ms=3, color=colour, label=label)
    ax.axhline(0.5, color="black", lw=0.8, ls=":")
    ax.set_xscale("log")
    ax.set_xticks(minutes, [f"{m:g}" for m in minutes])
    ax.minorticks_off()
    ax.set_xlabel("minutes of the new person's data")
    return ax


def new_person(bundle: Bundle) -> Figure:
    """Draw the accuracy for a new person, a panel per signal-to-noise ratio."""
    scores = bundle.arrays["scores"]
    figure, axes = panels(scores.sizes["snr"], 3.6, 3.2, sharey=True)
    for ax, snr in zip(axes, scores["snr"].values, strict=True):
        plot_new_person(scores.sel(snr=snr), ax)
        ax.set_title(f"signal-to-noise ratio {snr:g}", loc="left")
    axes[0].set_ylabel("pairwise accuracy")
    columns = 3 if figure.get_figwidth() > 4 else 2
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=columns)
    return figure
