"""Figures, drawn from result bundles only.

One function draws one thing: data in, ``ax`` in and out. ``FIGURES`` maps the names that bundles
list to functions that draw a whole figure from a bundle, so every figure can be drawn again
without computing anything.

The scores of a bundle are an ``xarray.Dataset`` with

- ``score`` over the dimensions ``analysis``, ``space``, ``target`` and one of ``subject`` and
  ``fold`` (the *units* whose spread is shown);
- the coordinates ``kind`` (``brainlm.comparison.KINDS``) and ``layer`` of each space (-1 where
  there is none);
- optionally ``ceiling`` over ``subject`` and ``target``;
- the attributes ``label`` (of the score axis) and ``title``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.errors import unknown_name
from brainlm.scores import held_out_choice

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.bundle import Bundle

__all__ = [
    "FIGURES",
    "draw",
    "plot_accuracy_curve",
    "plot_layer_curve",
    "plot_null",
    "plot_scatter",
    "plot_target_bars",
    "save_figures",
]

# Okabe & Ito's palette: told apart with every kind of colour vision.
COLOURS = {
    "layer": "#0072B2",
    "combined": "#D55E00",
    "with empty": "#5D3A9B",
    "random": "#8C8C8C",
    "ceiling": "#555555",
}
REFERENCE_COLOURS = ("#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000")
STYLE = Path(__file__).with_name("brainlm.mplstyle")


def _unit(scores: xarray.Dataset) -> str:
    return "subject" if "subject" in scores["score"].dims else "fold"


def _interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and half-width of its 95 % interval (t) over the first axis (the units)."""
    from scipy.stats import t

    n = len(values)
    half = t.ppf(0.975, n - 1) * values.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else 0.0
    return values.mean(axis=0), np.broadcast_to(half, values.shape[1:])


def _by_unit(scores: xarray.Dataset, analysis: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Layer numbers and scores (n_units, n_layers, n_targets) of the spaces of one kind."""
    chosen = scores.sel(analysis=analysis).isel(space=np.flatnonzero(scores["kind"] == kind))
    order = np.argsort(chosen["layer"].values, kind="stable")
    chosen = chosen.isel(space=order)
    values = chosen["score"].transpose(_unit(scores), "space", "target").values
    return chosen["layer"].values, values


def plot_layer_curve(scores: xarray.Dataset, analysis: str, ax: Axes) -> Axes:
    """Draw score against layer, averaged over targets, with its references.

    Layers, layers combined with controls and the random embeddings of each layer are curves;
    every other space is a horizontal line. Bands are 95 % intervals of the mean over units.

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
        "random": "random, same geometry",
    }
    for kind, label in labels.items():
        layers, values = _by_unit(scores, analysis, kind)
        if len(layers) == 0:
            continue
        mean, half = _interval(values.mean(axis=2))
        plain = kind in ("random", "with empty")
        style = {"linestyle": "--", "linewidth": 1} if plain else {"marker": "o"}
        ax.plot(layers, mean, color=COLOURS[kind], markersize=3, label=label, **style)
        if kind != "with empty":  # one band fewer to look through
            ax.fill_between(layers, mean - half, mean + half, color=COLOURS[kind], alpha=0.2, lw=0)
    references = scores.isel(space=np.flatnonzero(scores["kind"] == "reference"))
    for i, space in enumerate(references["space"].values):
        value = float(scores["score"].sel(analysis=analysis, space=space).mean())
        if np.isnan(value):
            continue  # not every analysis has a score for every space
        ax.axhline(
            value,
            color=REFERENCE_COLOURS[i % len(REFERENCE_COLOURS)],
            lw=1.2,
            ls=(0, (4, 1 + i)),
            label=space,
        )
    if "ceiling" in scores:
        middle, width = map(float, _interval(scores["ceiling"].mean("target").values))
        ax.axhline(middle, color=COLOURS["ceiling"], lw=1, ls=":", label="noise ceiling (others)")
        ax.axhspan(middle - width, middle + width, color=COLOURS["ceiling"], alpha=0.12, lw=0)
    ax.axhline(0, color="black", lw=0.5)
    ax.set_xlabel("layer (0 = input embeddings)")
    ax.set_ylabel(scores.attrs["label"])
    ax.set_title(str(analysis), loc="left")
    return ax


def plot_target_bars(scores: xarray.Dataset, analysis: str, ax: Axes) -> Axes:
    """Draw the score of each target as bars: held-out best layer, then the references.

    The layer of each unit is the best one over the other units. Whiskers are 95 % intervals of
    the mean over units; a dash over the bars is the noise ceiling.

    Parameters
    ----------
    scores : xarray.Dataset
    analysis : str
    ax : matplotlib.axes.Axes
    """
    bars: list[tuple[str, np.ndarray, str]] = []
    for kind, label in (("layer", "best layer"), ("combined", "best layer + controls")):
        layers, values = _by_unit(scores, analysis, kind)
        if len(layers):
            bars.append((f"{label} (held out)", held_out_choice(values)[1], COLOURS[kind]))
    reference = scores.isel(space=np.flatnonzero(scores["kind"] == "reference"))
    for i, space in enumerate(reference["space"].values):
        at_space = scores["score"].sel(analysis=analysis, space=space)
        values = at_space.transpose(_unit(scores), "target").values
        if not np.isnan(values).any():
            bars.append((space, values, REFERENCE_COLOURS[i % len(REFERENCE_COLOURS)]))
    targets = scores["target"].values
    width = 0.8 / len(bars)
    for i, (label, values, colour) in enumerate(bars):
        mean, half = _interval(values)
        x = np.arange(len(targets)) - 0.4 + width * (i + 0.5)
        ax.bar(x, mean, width, yerr=half, color=colour, label=label, error_kw={"lw": 0.8})
    if "ceiling" in scores:
        ceiling = scores["ceiling"].mean("subject").values
        middle = np.arange(len(targets))
        ax.hlines(
            ceiling,
            middle - 0.4,
            middle + 0.4,
            color=COLOURS["ceiling"],
            ls=":",
            label="noise ceiling",
        )
    ax.axhline(0, color="black", lw=0.5)
    ax.set_xticks(range(len(targets)), targets, rotation=30 if len(targets) > 4 else 0, ha="right")
    ax.set_ylabel(scores.attrs["label"])
    ax.set_title(str(analysis), loc="left")
    return ax


def plot_scatter(x: np.ndarray, y: np.ndarray, ax: Axes, *, labels: tuple[str, str]) -> Axes:
    """Draw two sets of paired values (such as two RDMs) as a density of hexagons."""
    image = ax.hexbin(x, y, gridsize=40, bins="log", cmap="viridis", mincnt=1, linewidths=0)
    ax.figure.colorbar(image, ax=ax, label="pairs (log scale)")
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    return ax


def plot_null(observed: float, null: np.ndarray, ax: Axes, *, label: str, chance: float) -> Axes:
    """Draw a permutation null as a histogram with the observed score and the chance level."""
    ax.hist(null, bins=20, color=COLOURS["random"], label=f"permuted (n = {len(null)})")
    ax.axvline(observed, color=COLOURS["layer"], lw=2, label=f"observed {observed:.3f}")
    ax.axvline(chance, color="black", lw=0.8, ls=":", label=f"chance {chance:g}")
    ax.set_xlabel(label)
    ax.set_ylabel("permutations")
    return ax


def _panels(n: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, n, figsize=(width * n, height), squeeze=False)
    return figure, list(axes[0])


def _shared_legend(figure: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))


def _sample_text(scores: xarray.Dataset) -> str:
    unit = _unit(scores)
    n_samples = scores.attrs["n_samples"]
    return (
        f"n = {scores.sizes[unit]} {unit}s, {n_samples} samples, {scores.sizes['target']} targets"
    )


def _each_method(bundle: Bundle, plot: Callable, width: float) -> Figure:
    scores = bundle.arrays["scores"]
    figure, axes = _panels(scores.sizes["analysis"], width, 3.6)
    for ax, analysis in zip(axes, scores["analysis"].values, strict=True):
        plot(scores, analysis, ax)
    _shared_legend(figure, axes[0])
    figure.suptitle(f"{scores.attrs['title']} ({_sample_text(scores)})", fontsize=10)
    return figure


def _layer_curve(bundle: Bundle) -> Figure:
    return _each_method(bundle, plot_layer_curve, 4.4)


def _target_bars(bundle: Bundle) -> Figure:
    return _each_method(bundle, plot_target_bars, 6.0)


def _similarity_and_rsa(bundle: Bundle) -> Figure:
    """Per language: similarity encoding (both forms) and RSA against layer."""
    tables = [bundle.arrays[name] for name in ("english", "chinese")]
    figure, axes = _panels(2 * len(tables), 3.8, 3.6)
    for i, scores in enumerate(tables):
        encoding, rsa = axes[2 * i : 2 * i + 2]
        _plot_layer_lines(scores["score"].mean("attribute"), encoding)
        encoding.set_ylabel("r, mean of attributes")
        encoding.set_title(scores.attrs["title"], loc="left", fontsize=9)
        _plot_layer_lines(scores["rho"].expand_dims(analysis=["RSA"]), rsa)
        rsa.set_ylabel("Spearman rho of RDMs")
        rsa.set_title("RSA", loc="left", fontsize=9)
    _shared_legend(figure, axes[0])
    return figure


def _plot_layer_lines(values: xarray.DataArray, ax: Axes) -> None:
    """One line per analysis for layers and for random embeddings, dashes for static vectors."""
    from matplotlib.ticker import MaxNLocator

    for i, analysis in enumerate(values["analysis"].values):
        colour, each = (COLOURS["layer"], COLOURS["combined"])[i], values.sel(analysis=analysis)
        for kind, style in (("layer", "o-"), ("random", ":")):
            curve = each.isel(space=np.flatnonzero(values["kind"] == kind)).sortby("layer")
            label = str(analysis) if kind == "layer" else f"random embeddings, {analysis}"
            ax.plot(curve["layer"], curve, style, ms=3, lw=1.2, color=colour, label=label)
        static = float(each.sel(space="static vectors"))
        ax.axhline(static, color=colour, lw=1, ls="--", label=f"static vectors, {analysis}")
    ax.axhline(0, color="black", lw=0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("layer (0 = input embeddings)")


def _rdm_pair(bundle: Bundle) -> Figure:
    rdms = bundle.arrays["rdms"]
    figure, (ax,) = _panels(1, 4.6, 3.8)
    plot_scatter(
        rdms["first"].values, rdms["second"].values, ax, labels=tuple(rdms.attrs["labels"])
    )
    ax.set_title(rdms.attrs["title"], fontsize=10)
    return figure


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
    ax.plot(x, layers[name].values, "o-", ms=3, color=COLOURS["layer"], label="layers")
    low, high = np.quantile(null, [0.025, 0.975], axis=1)
    label = f"permuted passages, 95 % range (n = {null.shape[1]})"
    ax.fill_between(x, low, high, color=COLOURS["random"], alpha=0.4, lw=0, label=label)
    references = chosen.isel(space=np.flatnonzero(chosen["kind"] == "reference"))
    for i, space in enumerate(references["space"].values):
        value = float(references[name].sel(space=space))
        ax.axhline(
            value, color=REFERENCE_COLOURS[i % len(REFERENCE_COLOURS)], ls="--", lw=1.2, label=space
        )
    ax.axhline(0.5, color="black", lw=0.8, ls=":", label="chance")
    ax.set_xlabel("layer (0 = input embeddings)")
    ax.set_ylabel(ACCURACIES[name])
    ax.set_title(str(analysis), loc="left")
    return ax


def _decoding_curve(bundle: Bundle) -> Figure:
    scores = bundle.arrays["scores"]
    cases = [(each, name) for each in scores["analysis"].values for name in ACCURACIES]
    figure, axes = _panels(len(cases), 3.8, 3.4)
    for ax, (analysis, name) in zip(axes, cases, strict=True):
        plot_accuracy_curve(scores, analysis, name, ax)
    _shared_legend(figure, axes[0])
    figure.suptitle(scores.attrs["title"], fontsize=10)
    return figure


def _decoding_null(bundle: Bundle) -> Figure:
    scores = bundle.arrays["scores"]
    cases = [(each, name) for each in scores["analysis"].values for name in ACCURACIES]
    figure, axes = _panels(len(cases), 3.6, 3.4)
    deepest = scores.isel(space=int(scores["layer"].values.argmax()))
    for ax, (analysis, name) in zip(axes, cases, strict=True):
        each = deepest.sel(analysis=analysis)
        null = each[f"{name}_null"].values
        plot_null(float(each[name]), null, ax, label=ACCURACIES[name], chance=0.5)
        ax.set_title(str(analysis), loc="left")
        ax.legend(loc="upper center", fontsize=7)
    space = str(deepest["space"].values)
    figure.suptitle(f"{scores.attrs['title']}: {space}", fontsize=10)
    return figure


FIGURES: dict[str, Callable[[Bundle], Figure]] = {
    "layer_curve": _layer_curve,
    "target_bars": _target_bars,
    "similarity_and_rsa": _similarity_and_rsa,
    "rdm_pair": _rdm_pair,
    "decoding_curve": _decoding_curve,
    "decoding_null": _decoding_null,
}


def draw(bundle: Bundle, name: str) -> Figure:
    """Return the named figure of a bundle, drawn in brainlm's style.

    Parameters
    ----------
    bundle : Bundle
    name : str
        One of ``FIGURES``.
    """
    import matplotlib.pyplot as plt

    if name not in FIGURES:
        raise unknown_name("figure", name, FIGURES)
    with plt.style.context(STYLE):
        figure = FIGURES[name](bundle)
        figure.draw_without_rendering()  # lays it out while the style holds
    return figure


def save_figures(
    bundle: Bundle, folder: Path | None = None, names: Sequence[str] | None = None
) -> list[Path]:
    """Draw figures of a bundle, each as PNG and PDF; return their paths.

    Parameters
    ----------
    bundle : Bundle
    folder : Path, optional
        Where to; default: into the bundle.
    names : sequence of str, optional
        Which; default: all that the bundle lists.
    """
    import matplotlib.pyplot as plt

    folder = bundle.folder if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in bundle.record["figures"] if names is None else names:
        figure = draw(bundle, name)
        with plt.style.context(STYLE):
            for suffix in ("png", "pdf"):
                path = folder / f"{name}.{suffix}"
                figure.savefig(path)
                written.append(path)
        plt.close(figure)
    return written
