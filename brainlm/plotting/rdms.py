"""Figures of similarity encoding and RSA by layer, and of pairs of RDMs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from brainlm.plotting._style import COLOURS, panels, share_limits, shared_legend
from brainlm.plotting.changes import colour_of

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle


def plot_scatter(x: np.ndarray, y: np.ndarray, ax: Axes, *, labels: tuple[str, str]) -> Axes:
    """Draw two sets of paired values (such as two RDMs) as a density of hexagons."""
    image = ax.hexbin(x, y, gridsize=40, bins="log", cmap="viridis", mincnt=1, linewidths=0)
    ax.figure.colorbar(image, ax=ax, label="pairs (log scale)")
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    return ax


def similarity_and_rsa(bundle: Bundle) -> Figure:
    """Per language: similarity encoding (both forms) and RSA against layer."""
    tables = [bundle.arrays[name] for name in ("english", "chinese")]
    figure, axes = panels(2 * len(tables), 3.8, 3.6)
    for i, scores in enumerate(tables):
        encoding, rsa = axes[2 * i : 2 * i + 2]
        _plot_layer_lines(scores["score"].mean("attribute"), encoding)
        encoding.set_ylabel("r, mean of attributes")
        encoding.set_title(scores.attrs["title"], loc="left", fontsize=9)
        _plot_layer_lines(scores["rho"].expand_dims(analysis=["RSA"]), rsa)
        rsa.set_ylabel("Spearman rho of RDMs")
        rsa.set_title("RSA", loc="left", fontsize=9)
    share_limits(axes[::2], "y")
    share_limits(axes[1::2], "y")
    shared_legend(figure, axes[0])
    return figure


def _plot_layer_lines(values: xarray.DataArray, ax: Axes) -> None:
    """One line per analysis for layers and for random embeddings, dashes for static vectors."""
    from matplotlib.ticker import MaxNLocator

    for i, analysis in enumerate(values["analysis"].values):
        colour = colour_of(analysis, (COLOURS["layer"], COLOURS["combined"])[i % 2])
        each = values.sel(analysis=analysis)
        for kind, style in (("layer", "o-"), ("random", ":")):
            curve = each.isel(space=np.flatnonzero(values["kind"] == kind)).sortby("layer")
            label = str(analysis) if kind == "layer" else f"random embeddings, {analysis}"
            ax.plot(curve["layer"], curve, style, ms=3, lw=1.2, color=colour, label=label)
        static = float(each.sel(space="static vectors"))
        ax.axhline(static, color=colour, lw=1, ls="--", label=f"static vectors, {analysis}")
    ax.axhline(0, color="black", lw=0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("layer (0 = input embeddings)")


def rdm_pair(bundle: Bundle) -> Figure:
    """Draw the distances of two RDMs against each other."""
    rdms = bundle.arrays["rdms"]
    figure, (ax,) = panels(1, 4.6, 3.8)
    plot_scatter(
        rdms["first"].values, rdms["second"].values, ax, labels=tuple(rdms.attrs["labels"])
    )
    ax.set_title(rdms.attrs["title"], fontsize=10)
    return figure
