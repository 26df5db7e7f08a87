"""Scores against layers and by target."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from brainlm.data.scores import held_out_choice
from brainlm.plotting._style import (
    COLOURS,
    REFERENCE_COLOURS,
    interval,
    only_first_column,
    panels,
    share_limits,
    shared_legend,
    whole_numbers,
)
from brainlm.plotting.changes import arranged, colour_of
from brainlm.plotting.heat_map import plot_heat_map

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle


def _by_unit(scores: xarray.Dataset) -> tuple[xarray.DataArray, str, float]:
    """Scores by fold, else by the units there are; the unit, and n_test / n_train of the folds."""
    found = scores["fold_score" if "fold_score" in scores else "score"]
    unit = "fold" if "fold" in found.dims else "subject"
    return found, unit, float(scores.attrs.get("test_ratio", 0.0))


def _by_kind(scores: xarray.Dataset, analysis: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Places on the axis and scores (n_units, n_layers, n_targets) of the spaces of one kind.

    A place is the number of the layer, or where sites inside blocks were encoded the number of the
    site (see `_sites`). Several untrained twins are averaged.
    """
    found, unit, _ = _by_unit(scores)
    chosen = found.sel(analysis=analysis).isel(space=np.flatnonzero(scores["kind"] == kind))
    values = chosen.transpose(unit, "space", "target").values
    sites = _sites(scores)
    numbers = np.arange(values.shape[1]) % len(sites) if sites else chosen["layer"].values
    layers = np.unique(numbers)
    means = [values[:, numbers == layer].mean(axis=1) for layer in layers]
    return layers, np.stack(means, axis=1) if means else values


def _sites(scores: xarray.Dataset) -> list[str]:
    """Names of the layers where several have one number, as sites inside a block do; else none."""
    layers = scores["space"].values[scores["kind"].values == "layer"].tolist()
    numbers = scores["layer"].values[scores["kind"].values == "layer"]
    if len(np.unique(numbers)) == len(numbers):
        return []
    return [str(name).removeprefix("layer ") for name in layers]


def plot_layer_curve(scores: xarray.Dataset, analysis: str, ax: Axes) -> Axes:
    """Draw score against layer, averaged over targets, with its references.

    Layers, layers combined with controls, untrained twins and the random embeddings of each layer
    are curves; every other space is a horizontal line. Bands are 95 % intervals of the mean over
    folds (`brainlm.stats.paired.fold_difference`); the ceiling has one over subjects.

    Parameters
    ----------
    scores : xarray.Dataset
        Scores of a bundle (see the head of this module).
    analysis : str
        Which of ``scores.analysis``.
    ax : matplotlib.axes.Axes
    """
    labels = {
        "layer": "layers",
        "combined": "layers + controls",
        "with empty": "layers + empty baseline",
        "untrained": "untrained twin",
        "random": "random, same geometry",
    }
    ratio = _by_unit(scores)[2]
    for kind, label in labels.items():
        layers, values = _by_kind(scores, analysis, kind)
        if len(layers) == 0:
            continue
        mean, half = interval(values.mean(axis=2), ratio)
        plain = kind in ("random", "untrained", "with empty")
        style = {"linestyle": "--", "linewidth": 1} if plain else {"marker": "o"}
        colour = colour_of(label, COLOURS[kind])
        ax.plot(layers, mean, color=colour, markersize=3, label=label, **style)
        if kind != "with empty":  # one band fewer to look through
            ax.fill_between(layers, mean - half, mean + half, color=colour, alpha=0.2, lw=0)
    references = scores.isel(space=np.flatnonzero(scores["kind"] == "reference"))
    for i, space in enumerate(references["space"].values):
        value = float(scores["score"].sel(analysis=analysis, space=space).mean())
        if np.isnan(value):
            continue  # not every analysis has a score for every space
        ax.axhline(
            value,
            color=colour_of(space, REFERENCE_COLOURS[i % len(REFERENCE_COLOURS)]),
            lw=1.2,
            ls=(0, (4, 1 + i)),
            label=space,
        )
    if "ceiling" in scores:
        middle, width = map(float, interval(scores["ceiling"].mean("target").values))
        label = "noise ceiling (others)"
        grey = colour_of(label, COLOURS["ceiling"])
        ax.axhline(middle, color=grey, lw=1, ls=":", label=label)
        ax.axhspan(middle - width, middle + width, color=grey, alpha=0.12, lw=0)
    ax.axhline(0, color="black", lw=0.5)
    if sites := _sites(scores):
        ax.set_xticks(range(len(sites)), sites, rotation=40, ha="right")
    else:
        whole_numbers(ax)
    ax.set_xlabel("site" if sites else "layer (0 = input embeddings)")
    ax.set_ylabel(scores.attrs["label"])
    ax.set_title(str(analysis), loc="left")
    return ax


def plot_target_bars(scores: xarray.Dataset, analysis: str, ax: Axes) -> Axes:
    """Draw the score of each target as bars: held-out best layer, then the references.

    The layer of each fold is the best one over the other folds. Whiskers are 95 % intervals of
    the mean over folds; a dash over the bars is the noise ceiling.

    Parameters
    ----------
    scores : xarray.Dataset
    analysis : str
    ax : matplotlib.axes.Axes
    """
    bars: list[tuple[str, np.ndarray, str]] = []
    found, unit, ratio = _by_unit(scores)
    for kind, label in (("layer", "best layer"), ("combined", "best layer + controls")):
        layers, values = _by_kind(scores, analysis, kind)
        if len(layers):
            name = f"{label} (held out)"
            bars.append((name, held_out_choice(values)[1], colour_of(name, COLOURS[kind])))
    reference = scores.isel(space=np.flatnonzero(scores["kind"] == "reference"))
    for i, space in enumerate(reference["space"].values):
        values = found.sel(analysis=analysis, space=space).transpose(unit, "target").values
        if not np.isnan(values).any():
            default = REFERENCE_COLOURS[i % len(REFERENCE_COLOURS)]
            bars.append((space, values, colour_of(space, default)))
    targets = scores["target"].values
    width = 0.8 / len(bars)
    for i, (label, values, colour) in enumerate(arranged(bars, lambda bar: bar[0])):
        mean, half = interval(values, ratio)
        x = np.arange(len(targets)) - 0.4 + width * (i + 0.5)
        ax.bar(x, mean, width, yerr=half, color=colour, label=label, error_kw={"lw": 0.8})
    if "ceiling" in scores:
        ceiling = scores["ceiling"].mean("subject").values
        middle = np.arange(len(targets))
        ax.hlines(
            ceiling,
            middle - 0.4,
            middle + 0.4,
            color=colour_of("noise ceiling", COLOURS["ceiling"]),
            ls=":",
            label="noise ceiling",
        )
    ax.axhline(0, color="black", lw=0.5)
    ax.set_xticks(range(len(targets)), targets, rotation=30 if len(targets) > 4 else 0, ha="right")
    ax.set_ylabel(scores.attrs["label"])
    ax.set_title(str(analysis), loc="left")
    return ax


def target_heat_map(bundle: Bundle) -> Figure:
    """Draw the mean score of each target (rating, measure, region) for each layer and reference."""
    scores = bundle.arrays["scores"]
    kept = np.isin(scores["kind"].values, ["layer", "reference"])
    shown = scores.isel(space=kept)
    found, unit, _ = _by_unit(shown)
    height, width = 1.8 + 0.28 * shown.sizes["target"], 2.2 + 0.45 * shown.sizes["space"]
    figure, axes = panels(shown.sizes["analysis"], width, height)
    means = found.mean(unit)
    ends = float(means.min()), float(means.max())  # one scale for all panels
    for ax, analysis in zip(axes, shown["analysis"].values, strict=True):
        values = means.sel(analysis=analysis)
        plot_heat_map(
            values.transpose("target", "space").values,
            [str(t) for t in shown["target"].values],
            [str(s) for s in shown["space"].values],
            ax,
            label=str(scores.attrs["label"]),
            ends=ends,
        )
        ax.set_title(f"{analysis}: mean of {shown.sizes[unit]} {unit}s", loc="left", fontsize=9)
    return figure


def _sample_text(scores: xarray.Dataset) -> str:
    units = [f"{scores.sizes[d]} {d}s, " for d in ("subject", "fold") if d in scores.dims]
    n_samples, n_targets = scores.attrs["n_samples"], scores.sizes["target"]
    return f"{''.join(units)}{n_samples} samples, {n_targets} targets"


def _each_method(bundle: Bundle, plot: Callable, width: float) -> Figure:
    scores = bundle.arrays["scores"]
    figure, axes = panels(scores.sizes["analysis"], width, 3.6)
    for ax, analysis in zip(axes, scores["analysis"].values, strict=True):
        plot(scores, analysis, ax)
    share_limits(axes, "y")
    only_first_column(axes)
    shared_legend(figure, axes[0])
    figure.suptitle(f"{scores.attrs['title']} ({_sample_text(scores)})", fontsize=10)
    return figure


def layer_curve(bundle: Bundle) -> Figure:
    """Draw the layer curve of each analysis."""
    return _each_method(bundle, plot_layer_curve, 4.4)


def target_bars(bundle: Bundle) -> Figure:
    """Draw the bars of each analysis."""
    return _each_method(bundle, plot_target_bars, 6.0)
