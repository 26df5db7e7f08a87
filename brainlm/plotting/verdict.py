"""Verdict of an encoding study: gains of the model beyond each reference."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from brainlm.plotting._style import COLOURS
from brainlm.plotting.forest import plot_forest
from brainlm.plotting.studies import table_frame

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

MARKS = {"more": COLOURS["layer"], "less": COLOURS["combined"], "undecided": COLOURS["random"]}
WORDS = {"added to": "beyond", "instead of": "against"}
LINE = 88  # characters of the sentence in a line


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
    plot_forest(table, "gain", names, [MARKS[found] for found in table["verdict"]], ax)
    ax.set_xlabel("gain of the model in held-out r")
    return ax


def verdict(bundle: Bundle) -> Figure:
    """Draw the verdict of a bundle below the sentence that states it."""
    import matplotlib.pyplot as plt

    found = bundle.arrays["verdict"]
    table = table_frame(bundle, "verdict")
    sentence = textwrap.fill(str(found.attrs["sentence"]), LINE)
    n_lines = sentence.count("\n") + 1
    figure, ax = plt.subplots(figsize=(6.2, 1.0 + 0.45 * len(table) + 0.16 * n_lines))
    plot_verdict(table, ax)
    figure.suptitle(sentence, fontsize=8, ha="left", x=0.02)
    return figure
