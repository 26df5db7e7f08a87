"""Gains of language models in many languages, and their means over languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from brainlm.plotting._style import only_first_column, panels, share_limits
from brainlm.plotting.changes import arranged_rows
from brainlm.plotting.forest import plot_grouped_forest
from brainlm.plotting.studies import table_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

TITLES = {"beyond": "beyond controls", "over_random": "over random vectors"}


def plot_language_gains(table: pd.DataFrame, summary: pd.DataFrame, measure: str, ax: Axes) -> Axes:
    """Draw a gain of each data set with its interval over folds, and the mean over languages.

    Parameters
    ----------
    table, summary : DataFrame
        Of `brainlm run encode_languages`: ``table`` and ``over_languages``. Filled points have
        q <= .05 (of means p <= .05).
    measure : {"beyond", "over_random"}
    ax : matplotlib.axes.Axes
    """
    columns = [measure, f"{measure}_low", f"{measure}_high", f"{measure}_q"]
    each = table[["model", *columns]].set_axis(["model", "gain", "low", "high", "q"], axis=1)
    each.insert(0, "row", table["language"] + ": " + table["dataset"])
    named = each.assign(language=table["language"], dataset=table["dataset"])
    each = arranged_rows(named.sort_values("row", kind="stable"))[list(each)]
    mean = summary[summary["measure"] == measure].rename(columns={"p": "q"})
    mean = mean.assign(row="mean over languages")[list(each)]
    shown = pd.concat([each, mean], ignore_index=True)
    plot_grouped_forest(shown, ax, row="row", group="model", q="q")
    ax.set_title(TITLES[measure], loc="left")
    ax.set_xlabel("gain in r (filled: q <= .05)")
    return ax


def language_gains(bundle: Bundle) -> Figure:
    """Draw what each model adds in every language: to controls, and over random vectors."""
    table, summary = (table_frame(bundle, name) for name in ("table", "over_languages"))
    figure, axes = panels(len(TITLES), 3.2, 1.6 + 0.26 * (table["dataset"].nunique() + 1))
    for ax, measure in zip(axes, TITLES, strict=True):
        plot_language_gains(table, summary, measure, ax)
    share_limits(axes, "x")
    only_first_column(axes)
    names = axes[0].get_legend_handles_labels()
    figure.legend(*names, loc="outside lower right", ncols=len(names[0]))
    return figure
