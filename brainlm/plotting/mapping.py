"""Reconstructions under one changed factor at a time, and the mapping against the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from brainlm.plotting._style import (
    COLOURS,
    REFERENCE_COLOURS,
    only_first_column,
    panels,
    shared_legend,
)
from brainlm.plotting.changes import colour_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

NULL = "95 % of random reconstructions"
NAMES = {
    "snr": "signal-to-noise ratio",
    "lm_weight": "weight of the language model",
    "width": "beam",
    "extensions": "extensions of the best hypothesis",
    "n_targets": "voxels",
    "minutes": "minutes of training",
    "n_inputs": "dimensions of the brain",
    "n_components": "dimensions of the embedding",
    "contrast": "weight of the contrastive term",
    "masking": "share of masked inputs",
}


def _table(bundle: Bundle) -> pd.DataFrame:
    return bundle.arrays["table"].to_dataframe().reset_index(drop=True)


def _label(factor: str, value: str) -> str:
    return "all" if factor == "minutes" and float(value) == 0 else value.removesuffix(".0")


def plot_factor(table: pd.DataFrame, factor: str, metric: str, ax: Axes) -> Axes:
    """Draw the gain at each value of a factor, with the interval over windows.

    The band is what one more random reconstruction reaches: its 95 % prediction interval.

    Parameters
    ----------
    table : pandas.DataFrame
        See `brainlm.decoding.ablation.ablation_table`.
    factor, metric : str
    ax : matplotlib.axes.Axes
    """
    rows = table[(table["factor"] == factor) & (table["metric"] == metric)]
    x = np.arange(len(rows))
    reach = rows["null_half"].to_numpy(dtype=float)
    ax.fill_between(
        x, -reach, reach, color=colour_of(NULL, COLOURS["random"]), alpha=0.35, lw=0, label=NULL
    )
    ax.axhline(0, color="black", lw=0.8, ls=":")
    bars = ", 95 % over blocks of windows" if rows["half"].notna().any() else ""  # short text
    ax.errorbar(
        x,
        rows["gain"],
        yerr=rows["half"],
        fmt="o",
        ms=4,
        color=colour_of("brain", COLOURS["layer"]),
        label=f"brain{bars}",
    )
    ax.set_xticks(x, [_label(factor, value) for value in rows["value"]])
    ax.set_xlim(-0.3, len(rows) - 0.7)
    ax.tick_params(axis="x", rotation=20 if rows["value"].str.len().max() > 6 else 0)
    ax.set_xlabel(NAMES.get(factor, factor))
    return ax


def plot_mapping_and_text(table: pd.DataFrame, metric: str, ax: Axes) -> Axes:
    """Draw gain against mapping accuracy: a colour per mapper, a marker per level of noise."""
    rows = table[(table["factor"] == "grid") & (table["metric"] == metric)]
    markers = dict(zip(sorted(rows["snr"].unique()), "ovs^D*P", strict=False))
    for colour, (mapper, mine) in zip(
        REFERENCE_COLOURS, rows.groupby("mapper", sort=False), strict=False
    ):
        colour = colour_of(mapper, colour)
        for snr, points in mine.groupby("snr"):
            ax.plot(
                points["mapping_r"],
                points["gain"],
                markers[snr],
                color=colour,
                ms=6,
                label=f"{mapper}, SNR {snr:g}",
            )
    ax.axhline(0, color="black", lw=0.8, ls=":")
    r = np.corrcoef(rows["mapping_r"], rows["gain"])[0, 1]
    ax.set_title(f"{metric}: r = {r:.2f} over {len(rows)} decoders", fontsize=9)
    ax.set_xlabel("mapping accuracy (r over dimensions)")
    ax.set_ylabel(f"gain in {metric} over the null")
    return ax


def ablations(bundle: Bundle) -> Figure:
    """Draw every factor: rows of panels, the same scale in all."""
    table = _table(bundle)
    metric = str(table["metric"].iloc[0])
    factors = [name for name in table["factor"].unique() if name != "grid"]
    figure, axes = panels(len(factors), 2.8, 2.8, columns=4, sharey=True)
    for ax, factor in zip(axes, factors, strict=True):
        plot_factor(table, factor, metric, ax)
        ax.set_ylabel(f"gain in {metric}")
    only_first_column(axes)
    shared_legend(figure, axes[0])
    figure.suptitle(bundle.arrays["table"].attrs["title"], fontsize=10)
    return figure


def mapping_and_text(bundle: Bundle) -> Figure:
    """Draw the gain against the accuracy of the mapping, a panel per metric."""
    table = _table(bundle)
    metrics = list(table["metric"].unique())
    figure, axes = panels(len(metrics), 4, 4.4)
    for ax, metric in zip(axes, metrics, strict=True):
        plot_mapping_and_text(table, metric, ax)
    shared_legend(figure, axes[0])
    figure.suptitle(bundle.arrays["table"].attrs["title"], fontsize=10)
    return figure
