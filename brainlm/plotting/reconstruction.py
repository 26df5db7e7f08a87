"""Reconstructed texts: scores with their nulls, gains against signal, text over time."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.plotting._style import (
    COLOURS,
    COLUMN,
    PAGE,
    REFERENCE_COLOURS,
    page_size,
    panels,
    share_limits,
    shared_legend,
)
from brainlm.plotting.changes import colour_of
from brainlm.plotting.forest import plot_grouped_forest
from brainlm.plotting.text_columns import LINE, plot_text_timeline, timeline_lines

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from brainlm.results.bundle import Bundle

LETTER = 0.0605  # inches: width of a letter of 7 points
SHOWN = ("bleu-1", "meteor", "meteor-reduced", "bertscore", "identification")
GUIDES = {
    "Tang": COLOURS["layer"],
    "MapGuide": REFERENCE_COLOURS[0],
    "BrainLLM": COLOURS["combined"],
}


def _by_level(scores: xarray.Dataset) -> xarray.Dataset:
    """Return scores with a dimension ``snr``, real data as a single level without a number."""
    return scores if "snr" in scores.dims else scores.expand_dims(snr=[np.nan])


def shown_metrics(scores: xarray.Dataset) -> list[str]:
    """Return the metrics to draw that have a score."""
    there = [m for m in SHOWN if m in scores["metric"].values]
    return [m for m in there if np.isfinite(scores["score"].sel(metric=m)).any()]


def plot_conditions(scores: xarray.Dataset, metric: str, ax: Axes) -> Axes:
    """Draw each condition's score with its interval over the band of the random null.

    Draws of a control share a row. The band is where one more random reconstruction lies, 95 %.

    Parameters
    ----------
    scores : xarray.Dataset
        Of one text, see `brainlm.decoding.story_scores`; or means over several,
        `brainlm.decoding.replication.summarise`.
    metric : str
    ax : matplotlib.axes.Axes
    """
    from brainlm.decoding.controls import condition_kind

    each = scores.sel(metric=metric)
    names = [str(name) for name in each["condition"].values]
    centre, reach = (float(each[name][0]) for name in ("null_mean", "null_half"))
    label = "95 % of random reconstructions"
    ax.axvspan(
        centre - reach, centre + reach, color=COLOURS["random"], alpha=0.35, lw=0, label=label
    )
    ax.axvline(centre, color=COLOURS["random"], lw=1)
    rows = list(dict.fromkeys(map(condition_kind, names)))
    for name in names:
        kind = condition_kind(name).rpartition(": ")[2]
        default = {"brain": COLOURS["layer"], "ceiling": COLOURS["ceiling"]}.get(kind, "black")
        colour = colour_of(condition_kind(name), colour_of(kind, default))
        at = each.sel(condition=name)
        ax.errorbar(
            float(at["score"]),
            rows.index(condition_kind(name)),
            xerr=float(at["half"]),
            fmt="o",
            ms=4,
            color=colour,
        )
    ax.set_yticks(range(len(rows)), rows)
    ax.invert_yaxis()
    ax.set_xlabel(metric)
    return ax


def plot_gain(scores: xarray.Dataset, metric: str, ax: Axes) -> Axes:
    """Draw the chance-corrected gain of every condition against the signal-to-noise ratio."""
    chosen = [c for c in map(str, scores["condition"].values) if c.endswith(("brain", "input"))]
    x = np.arange(scores.sizes["snr"])
    for condition in chosen:
        label, _, kind = condition.partition(": ")
        each = scores.sel(metric=metric, condition=condition)
        colour = colour_of(label, GUIDES.get(label, COLOURS["combined"]))
        style = {"brain": "o-", "permuted brain": "x:", "noise input": "+:"}[kind]
        ax.errorbar(
            x,
            each["gain"],
            yerr=each["half"] if kind == "brain" else None,
            fmt=style,
            ms=4,
            color=colour,
            label=condition,
        )
    ax.axhline(0, color="black", lw=0.8, ls=":")
    ax.set_xticks(x, [f"{value:g}" for value in scores["snr"].values])
    ax.set_xlabel("signal-to-noise ratio (variances)")
    ax.set_ylabel(f"gain in {metric} over the null")
    return ax


def plot_mapping_gain(scores: xarray.Dataset, metric: str, ax: Axes) -> Axes:
    """Draw the gain of both brain-guided decoders against the accuracy of the mapping."""
    known = scores["condition"].values.tolist()
    for label, colour in GUIDES.items():
        if f"{label}: brain" not in known:
            continue
        gain = scores["gain"].sel(condition=f"{label}: brain", metric=metric)
        colour = colour_of(label, colour)
        ax.plot(scores["mapping_r"], gain, "o", ms=4, color=colour, label=f"{label}: brain")
    ax.axhline(0, color="black", lw=0.8, ls=":")
    ax.set_xlabel("mapping accuracy (r over dimensions)")
    ax.set_ylabel(f"gain in {metric}")
    return ax


def plot_over_controls(scores: xarray.Dataset, ax: Axes) -> Axes:
    """Draw the score of the brain minus that of each control, with the interval of the bundle.

    Parameters
    ----------
    scores : xarray.Dataset
        With ``over``, see `brainlm.decoding.controls`. A row per metric, a colour per control;
        filled points have q <= .05.
    ax : matplotlib.axes.Axes
    """
    names = {"over": "gain", "over_low": "low", "over_high": "high", "over_q": "q"}
    found = scores[list(names)].rename(names).sel(metric=shown_metrics(scores))
    table = found.to_dataframe().reset_index()
    table["row"] = table["metric"]
    if found.sizes["brain"] > 1:
        table["row"] = table["brain"].str.removesuffix(": brain") + ": " + table["metric"]
    plot_grouped_forest(table, ax, row="row", group="control", q="q")
    ax.set_xlabel("brain minus control")
    return ax


def shown_level(bundle: Bundle) -> xarray.Dataset:
    """Return the scores of a bundle at the highest signal, or those of real data."""
    scores = _by_level(bundle.arrays["scores"])
    at = 0 if np.isnan(scores["snr"].values).any() else int(scores["snr"].values.argmax())
    return scores.isel(snr=at)


def _warn(figure: Figure, scores: xarray.Dataset) -> None:
    """Write above the panels what a reader has to know before any gain."""
    from brainlm.decoding.controls import cautions

    title = [scores.attrs["title"]]
    for line in cautions(scores):
        title += textwrap.wrap(line, 150)
    figure.suptitle("\n".join(title), fontsize=10 if len(title) == 1 else 7)


def draw_conditions(scores: xarray.Dataset, metrics: list[str], figure: Figure | SubFigure) -> None:
    """Draw the conditions in several metrics side by side, with one legend below.

    Parameters
    ----------
    scores : xarray.Dataset
        See `plot_conditions`.
    metrics : list of str
    figure : Figure or SubFigure
    """
    axes = figure.subplots(1, len(metrics), squeeze=False)[0]
    for ax, metric in zip(axes, metrics, strict=True):
        plot_conditions(scores, metric, ax)
        if ax is not axes[0]:
            ax.set_yticklabels([])
    shared_legend(figure, axes[0])


def reconstruction_scores(bundle: Bundle) -> Figure:
    """Draw the conditions in each metric, at the highest signal."""
    import matplotlib.pyplot as plt

    level = shown_level(bundle)
    metrics = shown_metrics(level)
    figure = plt.figure(figsize=page_size(3.4 * len(metrics), 4.0))
    draw_conditions(level, metrics, figure)
    _warn(figure, bundle.arrays["scores"])
    return figure


def reconstruction_gain(bundle: Bundle) -> Figure:
    """Draw gains against the signal, and the gain against the accuracy of the mapping."""
    scores = _by_level(bundle.arrays["scores"]).sortby("snr")
    metrics = shown_metrics(scores)[:2]
    figure, axes = panels(len(metrics) + 1, 3.8, 4.6)
    for ax, metric in zip(axes, metrics, strict=False):
        plot_gain(scores, metric, ax)
    shared_legend(figure, axes[0])
    plot_mapping_gain(scores, metrics[0], axes[-1])
    share_limits([axes[0], axes[-1]], "y")
    _warn(figure, scores)
    return figure


def reconstruction_text(bundle: Bundle) -> Figure:
    """Write the text of the first two brain-guided conditions beside the reference.

    Of several texts the first.
    """
    import matplotlib.pyplot as plt

    level = bundle.arrays.get("example", bundle.arrays["scores"])
    chosen = [c for c in map(str, level["condition"].values) if c.endswith(": brain")][:2]
    narrow = PAGE.get() < COLUMN  # half as much text in a line
    options: dict[str, Any] = {"seconds": LINE / 2} if narrow else {}
    rows = timeline_lines(level, chosen[0], **options)
    figure, axes = plt.subplots(
        len(chosen), 1, figsize=page_size(9, (1.9 + 0.5 * rows) * len(chosen)), squeeze=False
    )
    options["characters"] = int(figure.get_figwidth() / LETTER)
    for ax, condition in zip(axes[:, 0], chosen, strict=True):
        plot_text_timeline(level, condition, shown_metrics(level)[0], ax, **options)
    return figure
