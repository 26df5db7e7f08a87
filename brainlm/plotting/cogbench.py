"""Scores of CogBench by layer, with what they are to be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.plotting._style import (
    COLOURS,
    COLUMN,
    LEAST_HEIGHT,
    PAGE,
    REFERENCE_COLOURS,
    page_size,
)
from brainlm.plotting.changes import colour_of
from brainlm.plotting.studies import table_frame

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from brainlm.results.bundle import Bundle

COGBENCH_METRICS = {
    "official": "official score",
    "r": "held-out r",
    "beyond": "r beyond controls",
    "pairwise": "2v2 accuracy",
}
BROKEN = "ChineseBERT-base"


def plot_cogbench(
    table: pandas.DataFrame, metric: str, ax: Axes, *, published: pandas.DataFrame | None = None
) -> Axes:
    """Draw a score of one task against the layer, its baselines as lines across.

    Parameters
    ----------
    table : DataFrame
        Rows of one task, with the columns ``kind``, ``layer`` and the scores.
    metric : str
        One of ``COGBENCH_METRICS``.
    ax : matplotlib.axes.Axes
    published : DataFrame, optional
        Published official scores of this task (``model``, ``score``): ticks at the right; the one
        of a model that is at chance in tests of grammar is a cross.
    """
    from matplotlib.ticker import MaxNLocator

    layers = table[table["kind"] == "layer"].sort_values("layer")
    last = float(layers["layer"].max())
    blue: dict[str, Any] = {"ms": 2.5, "lw": 1, "color": colour_of("model", COLOURS["layer"])}
    ax.plot(layers["layer"], layers[metric], "o-", label="model", **blue)
    if metric == "official" and layers["undipped"].notna().all():
        label = "model, sensors chosen in training"
        ax.plot(layers["layer"], layers["undipped"], "o:", mfc="white", label=label, **blue)
    twins = table[table["kind"] == "untrained"].groupby("layer")[metric].mean()
    if len(twins):
        colour = colour_of("untrained", COLOURS["untrained"])
        ax.plot(twins.index, twins, "s--", ms=2, lw=1, color=colour, label="untrained")
    for kind, label, colour, dashes in (
        ("random", "random vectors", COLOURS["random"], "-"),
        ("controls", "controls", REFERENCE_COLOURS[1], "-"),
        ("null", "mean pattern", "black", "--"),
    ):
        own = table[table["kind"] == kind]
        if len(own) and (metric == "official" or kind != "null"):
            ax.axhline(
                own[metric].mean(), color=colour_of(label, colour), ls=dashes, lw=1, label=label
            )
    if metric == "official" and published is not None and len(published):
        _draw_published(published, last, ax)
    if metric != "official":
        ax.axhline(0.5 if metric == "pairwise" else 0.0, color="black", lw=0.5)
    ax.set_xlabel("layer")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return ax


def _draw_published(published: pandas.DataFrame, last: float, ax: Axes) -> None:
    """Ticks at the right of the last layer."""
    place = last + 0.12 * max(last, 1.0)
    broken = (published["model"] == BROKEN).to_numpy()
    score = published["score"].to_numpy()
    style: dict[str, Any] = {"ls": "", "color": "#555555"}
    ax.plot(np.full((~broken).sum(), place), score[~broken], "_", ms=6, label="published", **style)
    label = "published, at chance in grammar"
    ax.plot(np.full(broken.sum(), place), score[broken], "x", ms=4, mew=1, label=label, **style)


def draw_cogbench(
    table: pandas.DataFrame,
    published: pandas.DataFrame,
    metric: str,
    part: Figure | SubFigure,
    *,
    columns: int = 4,
    legend: bool = False,
) -> Sequence[Axes]:
    """Draw one score of every task, a pair of axes each.

    Parameters
    ----------
    table, published : DataFrame
        ``table`` and ``published`` of the bundle.
    metric : str
    part : Figure or SubFigure
    columns : int
        Axes side by side.
    legend : bool
        Whether to put one legend of all axes below them.
    """
    tasks = list(dict.fromkeys(table["task"]))
    columns = min(columns, len(tasks))
    axes = part.subplots(-(-len(tasks) // columns), columns, squeeze=False)
    for ax in axes.flat[len(tasks) :]:
        ax.set_axis_off()
    for i, (ax, task) in enumerate(zip(axes.flat, tasks, strict=False)):
        own = published[published["task"] == task]
        plot_cogbench(table[table["task"] == task], metric, ax, published=own)
        ax.set_title(task, loc="left")
        ax.set_ylabel(COGBENCH_METRICS[metric] if i % columns == 0 else "")
    if legend:
        found: dict[str, Any] = {}
        for ax in axes.flat:
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                found.setdefault(label, handle)
        part.legend(found.values(), found, loc="outside lower center", ncols=columns)
    return list(axes.flat)


def cogbench(bundle: Bundle) -> Figure:
    """Draw all scores of all tasks by layer: a row per score, a column per task."""
    import matplotlib.pyplot as plt

    table, published = table_frame(bundle, "table"), table_frame(bundle, "published")
    n = table["task"].nunique()
    width, height = page_size(2.4 * n + 0.6, 9.0)
    if PAGE.get() < COLUMN:  # two columns of tasks
        n, height = min(n, 2), height * 2 * LEAST_HEIGHT
    figure = plt.figure(figsize=(width, height))
    # The first row has the legend.
    shares = [1.5 if n == 2 else 1.2, *[1] * (len(COGBENCH_METRICS) - 1)]
    rows = figure.subfigures(len(shares), 1, squeeze=False, height_ratios=shares)[:, 0]
    for row, metric in zip(rows, COGBENCH_METRICS, strict=True):
        draw_cogbench(table, published, metric, row, columns=n, legend=metric == "official")
    return figure
