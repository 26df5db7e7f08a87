"""Reconstructed texts: scores with their nulls, gains against signal, text over time."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from brainlm.plotting._style import COLOURS, REFERENCE_COLOURS, panels, shared_legend
from brainlm.plotting.glyphs import fonts_for

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

__all__ = [
    "plot_conditions",
    "plot_gain",
    "plot_text_timeline",
    "reconstruction_gain",
    "reconstruction_scores",
    "reconstruction_text",
]

SHOWN = ("bleu-1", "meteor", "meteor-reduced", "bertscore", "identification")
LINE = 10.0  # seconds of text in a line


def _by_level(scores: xarray.Dataset) -> xarray.Dataset:
    """Return scores with a dimension ``snr``, real data as a single level without a number."""
    return scores if "snr" in scores.dims else scores.expand_dims(snr=[np.nan])


def _metrics(scores: xarray.Dataset) -> list[str]:
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
        colour = {"brain": COLOURS["layer"], "ceiling": COLOURS["ceiling"]}.get(kind, "black")
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
        colour = REFERENCE_COLOURS[0] if label == "MapGuide" else COLOURS["layer"]
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


def plot_text_timeline(scores: xarray.Dataset, condition: str, metric: str, ax: Axes) -> Axes:
    """Write reference and reconstruction line by line, the windowed score drawn beneath."""
    times = scores["reference_middle"].values
    reference_text = str(scores["reference_text"].values)
    reference = reference_text.split(" ")
    words = str(scores["text"].sel(condition=condition).values).split(" ")
    middle = scores["middle"].values[: len(words)]
    starts = scores["window"].values
    curve = scores["window_score"].sel(condition=condition, metric=metric).values
    null = np.nanmean(scores["null_score"].sel(metric=metric).values, axis=0)
    first = float(middle[0])
    fonts = fonts_for("".join(words) + reference_text) or ["monospace"]
    n_lines = int(min(4, (middle[-1] - first) // LINE))
    top = max(1e-6, float(np.nanmax([curve, null]))) * 1.1
    for line in range(n_lines):
        start, y = first + line * LINE, -line * 3.2
        for text, at, height, colour in (
            (reference, times, 0.9, "black"),
            (words, middle, 0.05, COLOURS["layer"]),
        ):
            said = [w for w, t in zip(text, at, strict=True) if start <= t < start + LINE]
            shown = textwrap.fill(" ".join(said), 110, max_lines=2)
            ax.text(0, y + height, shown, color=colour, fontsize=7, va="bottom", family=fonts)
        inside = (starts >= start) & (starts < start + LINE)
        x = starts[inside] - start
        ax.fill_between(
            x, y - 1, y - 1 + null[inside] / top, color=COLOURS["random"], alpha=0.5, lw=0
        )
        ax.plot(x, y - 1 + curve[inside] / top, color=COLOURS["layer"], lw=1.2)
        ax.text(-0.3, y + 1.2, f"{start:.0f} s", fontsize=7, ha="right")
    ax.set_xlim(-1, LINE)
    ax.set_ylim(-3.2 * n_lines + 1.6, 2.2)
    ax.axis("off")
    title = (
        f"{condition}: reference (black), reconstruction (blue), {metric} of the 20 s that follow"
    )
    ax.set_title(f"{title} (grey: mean of the null, {top / 1.1:.2f} at most)", fontsize=8)
    return ax


def _best_level(bundle: Bundle) -> xarray.Dataset:
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


def reconstruction_scores(bundle: Bundle) -> Figure:
    """Draw the conditions in each metric, at the highest signal."""
    level = _best_level(bundle)
    metrics = _metrics(level)
    figure, axes = panels(len(metrics), 3.4, 4.0)
    for ax, metric in zip(axes, metrics, strict=True):
        plot_conditions(level, metric, ax)
        if ax is not axes[0]:
            ax.set_yticklabels([])
    shared_legend(figure, axes[0])
    _warn(figure, bundle.arrays["scores"])
    return figure


def reconstruction_gain(bundle: Bundle) -> Figure:
    """Draw gains against the signal, and the gain against the accuracy of the mapping."""
    scores = _by_level(bundle.arrays["scores"]).sortby("snr")
    metrics = _metrics(scores)[:2]
    figure, axes = panels(len(metrics) + 1, 3.8, 3.6)
    for ax, metric in zip(axes, metrics, strict=False):
        plot_gain(scores, metric, ax)
    shared_legend(figure, axes[0])
    for label, colour in (("Tang", COLOURS["layer"]), ("MapGuide", REFERENCE_COLOURS[0])):
        gain = scores["gain"].sel(condition=f"{label}: brain", metric=metrics[0])
        axes[-1].plot(scores["mapping_r"], gain, "o", color=colour)
    axes[-1].axhline(0, color="black", lw=0.8, ls=":")
    axes[-1].set_xlabel("mapping accuracy (r over dimensions)")
    axes[-1].set_ylabel(f"gain in {metrics[0]}")
    _warn(figure, scores)
    return figure


def reconstruction_text(bundle: Bundle) -> Figure:
    """Write the text of the first two brain-guided conditions beside the reference.

    Of several texts the first.
    """
    import matplotlib.pyplot as plt

    level = bundle.arrays.get("example", bundle.arrays["scores"])
    chosen = [c for c in map(str, level["condition"].values) if c.endswith(": brain")][:2]
    figure, axes = plt.subplots(len(chosen), 1, figsize=(8.5, 5.2 * len(chosen)), squeeze=False)
    for ax, condition in zip(axes[:, 0], chosen, strict=True):
        plot_text_timeline(level, condition, _metrics(level)[0], ax)
    return figure
