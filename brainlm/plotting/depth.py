"""Scores of the studies against the depth of a layer, and the depth that predicts best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainlm.plotting._style import COLOURS, MODEL_COLOURS, only_first_column, panels, share_limits
from brainlm.plotting.changes import colour_of
from brainlm.plotting.studies import table_frame

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

STYLES = ("o-", "s--", "^-.", "v:", "D-", "P--", "X-.", "<:", ">-", "*--", "p-.")
RANDOM = "random, same geometry"


def plot_depth_curves(table: pandas.DataFrame, models: list[str], ax: Axes) -> Axes:
    """Draw score against depth: a colour per model, a line style per data set, grey for random.

    Parameters
    ----------
    table : DataFrame
        Rows of layers, with the columns ``dataset``, ``model``, ``family``, ``depth``, ``score``.
    models : list of str
        Their order is that of the colours.
    ax : matplotlib.axes.Axes
        Its legend has the models, the random embeddings, then the data sets.
    """
    sets, grey = list(dict.fromkeys(table["dataset"])), colour_of(RANDOM, COLOURS["random"])
    for (dataset, model), rows in table.groupby(["dataset", "model"], sort=False):
        colour = colour_of(model, MODEL_COLOURS[models.index(model) % len(MODEL_COLOURS)])
        style = STYLES[sets.index(dataset) % len(STYLES)]
        for family, own in rows.sort_values("depth").groupby(rows["family"] == "random"):
            if family:
                ax.plot(own["depth"], own["score"], "-", lw=0.6, color=grey)
            else:
                ax.plot(own["depth"], own["score"], style, ms=2.5, lw=1, color=colour)
    for i, model in enumerate(models):
        colour = colour_of(model, MODEL_COLOURS[i % len(MODEL_COLOURS)])
        ax.plot([], [], lw=2, color=colour, label=model)
    ax.plot([], [], lw=0.6, color=grey, label=RANDOM)
    for i, dataset in enumerate(sets):
        ax.plot([], [], STYLES[i % len(STYLES)], ms=2.5, lw=1, color="black", label=dataset)
    ax.axhline(0, color="black", lw=0.5)
    ax.set_xlabel("depth (0 = input, 1 = last layer)")
    return ax


def plot_best_depths(profiles: pandas.DataFrame, names: list[str], ax: Axes) -> Axes:
    """Draw the depth of the best layer with its interval; a cross is the planted depth, if any.

    Parameters
    ----------
    profiles : DataFrame
        With the columns ``best_depth``, ``depth_low``, ``depth_high`` and ``modality``; of
        simulations also ``planted_depth``.
    names : list of str
        Of each row.
    ax : matplotlib.axes.Axes
    """
    modalities = list(dict.fromkeys(profiles["modality"]))
    colours = {
        modality: colour_of(modality, MODEL_COLOURS[i % len(MODEL_COLOURS)])
        for i, modality in enumerate(modalities)
    }
    for y, row in enumerate(profiles.itertuples()):
        colour = colours[row.modality]
        ax.hlines(y, row.depth_low, row.depth_high, color=colour, lw=1)
        ax.plot(row.best_depth, y, "o", ms=3, color=colour)
    if "planted_depth" in profiles:
        place = range(len(profiles))
        ax.plot(profiles["planted_depth"], place, "kx", ms=4, mew=0.8, label="planted")
    for modality, colour in colours.items():
        ax.plot([], [], "o-", ms=3, lw=1, color=colour, label=modality)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(-0.03, 1.03)
    ax.set_xlabel("depth of the best layer")
    return ax


def layers_by_modality(bundle: Bundle) -> Figure:
    """Draw score against depth for every model: a panel per modality, a line per data set."""
    return _layers_by(table_frame(bundle, "table"), "modality")


def layers_by_level(bundle: Bundle) -> Figure:
    """Draw score against depth for every model: a panel per level, a line per data set."""
    return _layers_by(table_frame(bundle, "layers"), "level")


def _layers_by(table: pandas.DataFrame, column: str) -> Figure:
    from matplotlib.transforms import ScaledTranslation

    layered = table[table["layer"] >= 0]
    kinds = list(dict.fromkeys(layered[column]))
    models = list(dict.fromkeys(layered["model"]))
    most = max(len(group["dataset"].unique()) for _, group in layered.groupby(column))
    figure, axes = panels(len(kinds), 4, 3.6 + 0.2 * most)  # the names of the data sets are below
    for ax, kind in zip(axes, kinds, strict=True):
        plot_depth_curves(layered[layered[column] == kind], models, ax)
        ax.set_title(kind, loc="left")
        handles, labels = ax.get_legend_handles_labels()
        first = len(models) + 1
        below = ax.transAxes + ScaledTranslation(0, -0.45, figure.dpi_scale_trans)
        ax.legend(
            handles[first:],
            labels[first:],
            loc="upper left",
            bbox_to_anchor=(0, 0),
            bbox_transform=below,
        )
    share_limits(axes, "y")
    only_first_column(axes)
    methods = layered["method"].unique()
    axes[0].set_ylabel(f"{methods[0]}, held-out r" if len(methods) == 1 else "held-out r")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles[:first], labels[:first], loc="outside lower center", ncols=4)
    return figure
