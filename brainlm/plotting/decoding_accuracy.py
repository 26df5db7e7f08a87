"""Decoding accuracy against layers, and permutation nulls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from brainlm.plotting._style import (
    COLOURS,
    REFERENCE_COLOURS,
    panels,
    share_limits,
    shared_legend,
    whole_numbers,
)
from brainlm.plotting.changes import colour_of

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle


def plot_null(observed: float, null: np.ndarray, ax: Axes, *, label: str, chance: float) -> Axes:
    """Draw a permutation null as a histogram with the observed score and the chance level."""
    ax.hist(null, bins=20, color=COLOURS["random"], label=f"permuted (n = {len(null)})")
    ax.axvline(observed, color=COLOURS["layer"], lw=2, label=f"observed {observed:.3f}")
    ax.axvline(chance, color="black", lw=0.8, ls=":", label=f"chance {chance:g}")
    ax.set_xlabel(label)
    ax.set_ylabel("permutations")
    return ax


ACCURACIES = {"pairwise": "2v2 accuracy", "rank": "rank accuracy"}


def plot_accuracy_curve(scores: xarray.Dataset, analysis: str, name: str, ax: Axes) -> Axes:
    """Draw decoding accuracy against layer with the range of the permutation null.

    Parameters
    ----------
    scores : xarray.Dataset
        ``name`` and ``name + "_null"`` over ``analysis``, ``space`` (and ``permutation``).
    analysis : str
    name : {"pairwise", "rank"}
    ax : matplotlib.axes.Axes
    """
    chosen = scores.sel(analysis=analysis)
    layers = chosen.isel(space=np.flatnonzero(chosen["kind"] == "layer"))
    x, null = (
        layers["layer"].values,
        layers[f"{name}_null"].transpose("space", "permutation").values,
    )
    ax.plot(
        x,
        layers[name].values,
        "o-",
        ms=3,
        color=colour_of("layers", COLOURS["layer"]),
        label="layers",
    )
    low, high = np.quantile(null, [0.025, 0.975], axis=1)
    label = f"permuted passages, 95 % range (n = {null.shape[1]})"
    ax.fill_between(x, low, high, color=COLOURS["random"], alpha=0.4, lw=0, label=label)
    references = chosen.isel(space=np.flatnonzero(chosen["kind"] == "reference"))
    for i, space in enumerate(references["space"].values):
        value = float(references[name].sel(space=space))
        colour = colour_of(space, REFERENCE_COLOURS[i % len(REFERENCE_COLOURS)])
        ax.axhline(value, color=colour, ls="--", lw=1.2, label=space)
    ax.axhline(0.5, color="black", lw=0.8, ls=":", label="chance")
    whole_numbers(ax)
    ax.set_xlabel("layer (0 = input embeddings)")
    ax.set_ylabel(ACCURACIES[name])
    ax.set_title(str(analysis), loc="left")
    return ax


def decoding_curve(bundle: Bundle) -> Figure:
    """Draw both accuracies against layer, for each analysis."""
    scores = bundle.arrays["scores"]
    cases = [(each, name) for each in scores["analysis"].values for name in ACCURACIES]
    figure, axes = panels(len(cases), 3.8, 3.4)
    for ax, (analysis, name) in zip(axes, cases, strict=True):
        plot_accuracy_curve(scores, analysis, name, ax)
    share_limits(axes, "y")
    shared_legend(figure, axes[0])
    figure.suptitle(scores.attrs["title"], fontsize=10)
    return figure


def decoding_null(bundle: Bundle) -> Figure:
    """Draw the deepest layer against its permutations, for each analysis."""
    scores = bundle.arrays["scores"]
    cases = [(each, name) for each in scores["analysis"].values for name in ACCURACIES]
    figure, axes = panels(len(cases), 3.6, 3.4)
    deepest = scores.isel(space=int(scores["layer"].values.argmax()))
    for ax, (analysis, name) in zip(axes, cases, strict=True):
        each = deepest.sel(analysis=analysis)
        null = each[f"{name}_null"].values
        plot_null(float(each[name]), null, ax, label=ACCURACIES[name], chance=0.5)
        ax.set_title(str(analysis), loc="left")
        ax.legend(loc="upper center", fontsize=7)
    share_limits(axes, "x")
    space = str(deepest["space"].values)
    figure.suptitle(f"{scores.attrs['title']}: {space}", fontsize=10)
    return figure
