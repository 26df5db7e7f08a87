"""Verdict of an encoding study: gains of the model beyond each reference."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from brainlm.plotting._style import (
    CHARACTER,
    COLOURS,
    only_first_column,
    page_size,
    panels,
    share_limits,
)
from brainlm.plotting.changes import colour_of
from brainlm.plotting.forest import plot_forest, plot_grouped_forest
from brainlm.plotting.studies import table_frame

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

MARKS = {"more": COLOURS["layer"], "less": COLOURS["combined"], "undecided": COLOURS["random"]}
WORDS = {"added to": "beyond", "instead of": "against"}
WIDTH = 7.5  # inches, at text of 9 points


def plot_verdict(table: pandas.DataFrame, ax: Axes) -> Axes:
    """Draw the gain of a model beyond each reference, with its 95 % interval over folds.

    Blue: more than the reference (q <= .05); orange: less; grey: undecided.

    Parameters
    ----------
    table : DataFrame
        From `brainlm.comparison.verdict.verdict`.
    ax : matplotlib.axes.Axes
    """
    names = [
        f"{WORDS[row.comparison]} {row.reference}\n(r = {row.other:.3f})"
        for row in table.itertuples()
    ]
    plot_forest(
        table, "gain", names, [colour_of(found, MARKS[found]) for found in table["verdict"]], ax
    )
    ax.set_xlabel("gain of the model in held-out r")
    return ax


def plot_study_verdict(table: pandas.DataFrame, axes: Sequence[Axes]) -> None:
    """Draw the gain of each model on each data set, a panel per reference.

    Filled points: q <= .05.

    Parameters
    ----------
    table : DataFrame
        From `brainlm.comparison.study_verdict.study_verdict`.
    axes : sequence of matplotlib.axes.Axes
        One per reference.
    """
    for ax, (reference, own) in zip(axes, table.groupby("reference", sort=False), strict=True):
        plot_grouped_forest(own, ax, row="dataset", group="source", q="q")
        ax.set_title(f"{WORDS[own['comparison'].iloc[0]]}\n{textwrap.fill(reference, 18)}")
        ax.set_xlabel("gain in held-out r")


def verdict(bundle: Bundle) -> Figure:
    """Draw the verdict of a bundle below the sentence that states it."""
    import matplotlib.pyplot as plt

    found = bundle.arrays["verdict"]
    table = table_frame(bundle, "verdict")
    sentence = str(found.attrs["sentence"])
    if "dataset" in table:
        return _of_study(table)
    width, _ = page_size(WIDTH, 1.0)
    n_lines = len(textwrap.wrap(sentence, int(width / CHARACTER)))
    height = 0.6 + 0.36 * len(table) + 0.14 * n_lines  # inches, at the size of print
    figure, ax = plt.subplots(figsize=(width, height))
    plot_verdict(table, ax)
    figure.suptitle(sentence, ha="left", x=0.02)
    return figure


def _of_study(table: pandas.DataFrame) -> Figure:
    """Draw the verdict of a study, a panel per reference; the data sets are named at the left."""
    n_sets, n_models = table["dataset"].nunique(), table["source"].nunique()
    height = 1.5 + n_sets * max(0.22, 0.09 * n_models)  # inches
    figure, axes = panels(table["reference"].nunique(), 1.9, height)
    plot_study_verdict(table, axes)
    share_limits(axes, "x")
    only_first_column(axes)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
