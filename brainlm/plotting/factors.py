"""Scores against context, size and perplexity of language models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from brainlm.plotting._style import MODEL_COLOURS, only_first_column, panels, share_limits
from brainlm.plotting.changes import colour_of
from brainlm.plotting.depth import STYLES
from brainlm.plotting.studies import table_frame

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

LABELS = {
    "context": "context (words)",
    "parameters": "parameters (millions)",
    "bits_per_byte": "bits per byte",
}
BASE = {"context": 2, "parameters": 10}
UNIT = {"parameters": 1e6}


def plot_factor_scores(
    table: pandas.DataFrame, factor: str, models: list[str], sets: list[str], ax: Axes
) -> Axes:
    """Draw score against one factor: a line style per data set, a colour per model.

    Lines join the contexts of a model; for size and bits per byte, the models of a data set.

    Parameters
    ----------
    table : DataFrame
        Rows with ``dataset``, ``model``, ``score``, ``low``, ``high`` and the factor.
    factor : {"context", "parameters", "bits_per_byte"}
    models, sets : list of str
        Their order is that of colours and of line styles.
    ax : matplotlib.axes.Axes
    """
    joined = ["dataset", "model"] if factor == "context" else ["dataset"]
    for _, own in table[np.isfinite(table[factor].astype(float))].groupby(joined, sort=False):
        own = own.sort_values(factor)
        style = STYLES[sets.index(own["dataset"].iloc[0]) % len(STYLES)]
        one = own["model"].nunique() == 1 and factor == "context"
        colour = _colour(models, own["model"].iloc[0]) if one else "0.6"
        ax.plot(own[factor] / UNIT.get(factor, 1), own["score"], style[1:], lw=1, color=colour)
        for row in own.itertuples():
            of_model = _colour(models, row.model)
            x = getattr(row, factor) / UNIT.get(factor, 1)
            ax.plot([x, x], [row.low, row.high], lw=0.8, color=of_model)
            ax.plot(x, row.score, style[0], ms=3, color=of_model)
    ax.axhline(0, color="black", lw=0.5)
    if factor in BASE:
        ax.set_xscale("log", base=BASE[factor])
        levels = np.unique(table[factor] / UNIT.get(factor, 1))
        ax.set_xticks(levels, [f"{level:.0f}" for level in levels])
        ax.minorticks_off()
    ax.set_xlabel(LABELS[factor])
    return ax


def _colour(models: list[str], model: str) -> str:
    return colour_of(model, MODEL_COLOURS[models.index(model) % len(MODEL_COLOURS)])


def context_and_size(bundle: Bundle) -> Figure:
    """Draw scores against context, parameters and bits per byte, the latter two at the longest.

    The first pooling is drawn; isolated words have no context and no part in the first panel.
    """
    table = table_frame(bundle, "table")
    table = table[table["pooling"] == table["pooling"].iloc[0]]
    models, sets = (list(dict.fromkeys(table[name])) for name in ("model", "dataset"))
    longest = table["context"] == table.groupby("dataset")["context"].transform("max")
    figure, axes = panels(3, 2.5, 2.8)
    for ax, factor in zip(axes, LABELS, strict=True):
        shown = table[table["level"] != "word"] if factor == "context" else table[longest]
        plot_factor_scores(shown, factor, models, sets, ax)
    axes[0].set_ylabel("held-out r")
    share_limits(axes, "y")
    only_first_column(axes)
    for model in models:
        axes[0].plot([], [], lw=2, color=_colour(models, model), label=model)
    for i, dataset in enumerate(sets):
        axes[0].plot([], [], STYLES[i % len(STYLES)], ms=3, lw=1, color="black", label=dataset)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
