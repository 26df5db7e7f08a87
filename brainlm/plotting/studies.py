"""Figures of the comparison studies.

A table is an ``xarray.Dataset`` over ``row``: ``table`` with a row per data set, representation and
method (`brainlm.comparison.table`), and the smaller ones that each analysis names.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from brainlm.plotting._style import (
    COLOURS,
    MODEL_COLOURS,
    REFERENCE_COLOURS,
    only_first_column,
    panels,
    share_limits,
)
from brainlm.plotting.changes import arranged, colour_of
from brainlm.plotting.forest import plot_forest
from brainlm.plotting.heat_map import plot_heat_map

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

LEVEL_COLOURS = {
    "word": REFERENCE_COLOURS[0],
    "sentence": REFERENCE_COLOURS[1],
    "discourse": REFERENCE_COLOURS[2],
}


def table_frame(bundle: Bundle, name: str) -> pandas.DataFrame:
    """Return a table of a bundle as a data frame."""
    return bundle.arrays[name].to_dataframe().reset_index(drop=True)


def _order(table: pandas.DataFrame) -> list[str]:
    """Data sets by level, then modality, unless the reader has an order."""
    level = table["level"].map({"word": 0, "sentence": 1, "discourse": 2})
    ordered = table.assign(place=level).sort_values(
        ["place", "modality", "language"], kind="stable"
    )
    return arranged(dict.fromkeys(ordered["dataset"]))


def _names(table: pandas.DataFrame) -> dict[str, str]:
    first = table.drop_duplicates("dataset").set_index("dataset")
    return {d: f"{d} ({row.modality}, {row.level})" for d, row in first.iterrows()}


def best_scores(table: pandas.DataFrame) -> pandas.DataFrame:
    """Return the best score of each representation (columns) on each data set (rows).

    The last column is that of random embeddings or permuted norms, where there are any.
    """
    if "features" in table:  # of the survey: one model by its vectors and by its surprisal
        second = table["features"] == "predictability"
        table = table.assign(model=table["model"] + np.where(second, " (surprisal)", ""))
    random = table["family"] == "random"
    empty = "random, best layer" if (table["layer"] >= 0).any() else "permuted norms"
    column = table["model"].where(~random, empty)
    order = [*dict.fromkeys(column[~random]), *dict.fromkeys(column[random])]
    best = table.groupby(["dataset", column.rename("column")])["score"].max().unstack()
    return best.reindex(index=_order(table), columns=order)


def plot_best_scores(
    table: pandas.DataFrame, ax: Axes, *, about: bool = True, bar: bool = True
) -> Axes:
    """Draw the best score of each representation on each data set, and of random embeddings.

    Parameters
    ----------
    table : DataFrame
        See `brainlm.comparison.table`.
    ax : matplotlib.axes.Axes
    about : bool
        Write the modality and the level behind the name of a data set.
    bar : bool
        Draw a colour bar.
    """
    best, names = best_scores(table), _names(table)
    rows = [names[dataset] if about else str(dataset) for dataset in best.index]
    columns = [textwrap.fill(str(name), 18) for name in best.columns]
    label = f"{table['method'].iloc[0]}, held-out r" if bar else None
    return plot_heat_map(best.to_numpy(), rows, columns, ax, label=label)


def model_by_dataset(bundle: Bundle) -> Figure:
    """Draw the best score of each representation on each data set, and of random embeddings."""
    table = table_frame(bundle, "table")
    n_rows, n_columns = best_scores(table).shape
    figure, (ax,) = panels(1, 2.6 + 0.8 * n_columns, 1.6 + 0.32 * n_rows)
    plot_best_scores(table, ax)
    layered = (table["layer"] >= 0).any()
    ax.set_title(f"{'Best layer of each' if layered else 'Each'} representation", loc="left")
    return figure


def context_gains(bundle: Bundle) -> Figure:
    """Draw the gain of every model over static vectors with its interval, a panel per model."""
    gains = table_frame(bundle, "gains")
    models = list(dict.fromkeys(gains["model"]))
    order = _order(gains)
    figure, axes = panels(len(models), 3.6, 0.9 + 0.26 * len(order))
    for ax, model in zip(axes, models, strict=True):
        own = gains[gains["model"] == model].set_index("dataset")
        own = own.loc[[d for d in order if d in own.index]].reset_index()
        colours = [colour_of(level, LEVEL_COLOURS[level]) for level in own["level"]]
        plot_forest(own, "gain", list(own["dataset"]), colours, ax)
        ax.set_title(model, loc="left")
        ax.set_xlabel("r minus r of static vectors")
    share_limits(axes, "x")
    for level, colour in LEVEL_COLOURS.items():
        if level in set(gains["level"]):
            shown = colour_of(level, colour)
            axes[0].plot([], [], "o-", ms=4, lw=1.2, color=shown, label=level)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def paired_bars(bundle: Bundle) -> Figure:
    """Draw the score of each representation as bars, a panel per data set, with pairwise tests.

    Whiskers are the intervals of the bundle, the dashed line is the score of the controls. A
    bracket joins two bars whose difference has q <= .05 over all pairs of the figure
    (Benjamini-Hochberg). Pairs of features in full dimension, where the bundle has others, too.
    """
    from brainlm.stats.permutation import fdr

    table, pairs = table_frame(bundle, "table"), table_frame(bundle, "pairs")
    if "version" in pairs:
        pairs = pairs[pairs["version"] == "full"]
    pairs = pairs[pairs["p"].notna()]
    pairs = pairs.assign(q=fdr(pairs["p"].to_numpy()))
    tested = set(pairs["first"]) | set(pairs["second"])
    order = [d for d in _order(table) if d in set(pairs["dataset"])]
    names = _names(table)
    spaces = sorted(tested)
    colours = {
        space: colour_of(space, MODEL_COLOURS[i % len(MODEL_COLOURS)])
        for i, space in enumerate(spaces)
    }
    figure, axes = panels(len(order), 3.4, 2.9, columns=min(3, len(order)))
    for ax, dataset in zip(axes, order, strict=True):
        own = table[(table["dataset"] == dataset) & table["space"].isin(tested)]
        own = own.reset_index(drop=True)
        error = np.abs(own[["low", "high"]].to_numpy().T - own["score"].to_numpy())
        bars = [colours[space] for space in own["space"]]
        ax.bar(own["space"], own["score"], yerr=error, color=bars, error_kw={"lw": 0.8})
        place = {space: i for i, space in enumerate(own["space"])}
        here = pairs[(pairs["dataset"] == dataset) & (pairs["q"] <= 0.05)]
        joined = [
            sorted((place[a], place[b]))
            for a, b in zip(here["first"], here["second"], strict=True)
            if a in place and b in place
        ]
        low, high = min(0.0, float(own["low"].min())), float(own["high"].max())
        step = 0.08 * (high - low)
        for level, (i, j) in enumerate(sorted(joined, key=lambda pair: pair[1] - pair[0]), start=1):
            y = high + level * step
            ax.plot([i, i, j, j], [y - step / 4, y, y, y - step / 4], color="black", lw=0.8)
        ax.axhline(0, color="black", lw=0.5)
        control = table[(table["dataset"] == dataset) & (table["family"] == "controls")]
        for score in control["score"]:
            ax.axhline(score, color=COLOURS["ceiling"], ls="--", lw=1)
        ax.tick_params(axis="x", rotation=30)
        first = own.iloc[0]
        about = f"{first['n_items']} items, {first['n_units']} {first['unit']}s"
        ax.set_title(f"{names[dataset]}\n{about}", loc="left", fontsize=8)
        ax.set_ylabel(f"held-out {first['metric']}")
    if table["metric"].nunique() == 1:
        share_limits(axes, "y")
        only_first_column(axes, ticks=False)
    figure.suptitle(
        "brackets: difference with q <= .05 over all pairs; dashed: controls (length, frequency, "
        "position, word rate of a story)",
        fontsize=8,
    )
    return figure


def coverage(bundle: Bundle) -> Figure:
    """Draw how many items, targets and subjects of each data set were compared."""
    table = table_frame(bundle, "table")
    order, names = _order(table), _names(table)
    first = table.drop_duplicates("dataset").set_index("dataset").loc[order]
    counts = {"n_items": "items", "n_targets": "targets", "n_subjects": "subjects"}
    figure, axes = panels(len(counts), 2.6, 1.2 + 0.3 * len(order))
    for ax, (column, label) in zip(axes, counts.items(), strict=True):
        ax.barh(range(len(order)), first[column], color=COLOURS["layer"])
        for y, n in enumerate(first[column]):
            ax.annotate(
                f"{n:.0f}", (n, y), (2, 0), textcoords="offset points", va="center", fontsize=7
            )
        ax.set_xscale("log")
        ax.set_xlim(0.8, 5 * float(first[column].max()))
        ax.set_yticks(range(len(order)), [names[d] for d in order] if ax is axes[0] else [])
        ax.invert_yaxis()
        ax.set_xlabel(label)
    return figure


def plot_winners(shares: pandas.DataFrame, ax: Axes, *, about: bool = True) -> Axes:
    """Draw for each data set the share of targets that each representation predicts best.

    Parameters
    ----------
    shares : DataFrame
        With the columns ``dataset``, ``space``, ``share``.
    ax : matplotlib.axes.Axes
    about : bool
        Write the modality and the level behind the name of a data set.
    """
    order, names = _order(shares), _names(shares)
    left = np.zeros(len(order))
    for i, space in enumerate(dict.fromkeys(shares["space"])):
        own = shares[shares["space"] == space].set_index("dataset")["share"]
        values = own.reindex(order).fillna(0).to_numpy()
        colour = colour_of(space, MODEL_COLOURS[i % len(MODEL_COLOURS)])
        hatch = "" if i < len(MODEL_COLOURS) else "//"
        ax.barh(range(len(order)), values, left=left, color=colour, hatch=hatch, label=space)
        left += values
    ax.set_yticks(range(len(order)), [names[d] if about else d for d in order])
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of targets that the representation predicts best")
    return ax


def winners(bundle: Bundle) -> Figure:
    """Draw for each data set the share of targets that each representation predicts best."""
    shares = table_frame(bundle, "winners")
    figure, (ax,) = panels(1, 7.0, 1.4 + 0.34 * shares["dataset"].nunique())
    plot_winners(shares, ax)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def plot_unique_variance(
    parts: pandas.DataFrame, value: str, ax: Axes, *, about: bool = True
) -> Axes:
    """Draw R2 of each space on each data set, with 95 % intervals over targets.

    Parameters
    ----------
    parts : DataFrame
        With the columns ``dataset``, ``space``, ``alone``, ``unique`` and their half-widths.
    value : {"alone", "unique"}
        R2 of the space alone, or the part that only it explains.
    ax : matplotlib.axes.Axes
    about : bool
        Write the modality and the level behind the name of a data set.
    """
    order, names = _order(parts), _names(parts)
    spaces = list(dict.fromkeys(parts["space"]))
    width = 0.8 / len(spaces)
    for i, space in enumerate(spaces):
        own = parts[parts["space"] == space].set_index("dataset").reindex(order)
        ax.barh(
            np.arange(len(order)) - 0.4 + width * (i + 0.5),
            own[value],
            width,
            xerr=own[f"{value}_half"].to_numpy(),
            color=colour_of(space, MODEL_COLOURS[i % len(MODEL_COLOURS)]),
            label=space,
            error_kw={"lw": 0.7},
        )
    ax.axvline(0, color="black", lw=0.5)
    ax.set_yticks(range(len(order)), [names[d] if about else d for d in order])
    ax.invert_yaxis()
    ax.set_xlabel("held-out R2 (mean of targets)")
    return ax


def unique_variance(bundle: Bundle) -> Figure:
    """Draw R2 of each space alone and the part that only it explains, per data set."""
    parts = table_frame(bundle, "partition")
    figure, axes = panels(2, 4.4, 1.5 + 0.4 * parts["dataset"].nunique())
    for ax, value in zip(axes, ("alone", "unique"), strict=True):
        plot_unique_variance(parts, value, ax)
        ax.set_title(value, loc="left")
    share_limits(axes, "x")
    only_first_column(axes)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def plot_critical_difference(
    models: list[str], mean: np.ndarray, critical: float, ax: Axes, spread: np.ndarray | None = None
) -> Axes:
    """Draw mean ranks on a line; bars join models that do not differ (Demsar 2006).

    Parameters
    ----------
    models : list of str
    mean : array of shape (n_models,)
        Mean ranks, 1 = best.
    critical : float
        Critical difference of mean ranks.
    ax : matplotlib.axes.Axes
    spread : array of shape (n_models, 2), optional
        Interval of each mean rank.
    """
    order = np.argsort(mean, kind="stable")
    place = np.arange(len(order))[::-1]
    for y, k in zip(place, order, strict=True):
        if spread is not None:
            ax.plot(spread[k], [y, y], color=COLOURS["random"], lw=1)
        ax.plot(mean[k], y, "o", ms=5, color=COLOURS["layer"])
    groups: list[tuple[int, int]] = []
    for i, k in enumerate(order):
        last = max(j for j, other in enumerate(order) if mean[other] - mean[k] <= critical)
        if last > i and (not groups or last > groups[-1][1]):
            groups.append((i, last))
    for n, (i, j) in enumerate(groups):
        x = float(mean.max() if spread is None else spread.max()) + 0.2 * (n + 1)
        ax.plot([x, x], [place[i] + 0.25, place[j] - 0.25], color="black", lw=2.5)
    ax.set_yticks(place, [models[k] for k in order])
    ax.set_xlabel("mean rank (1 = best)")
    return ax


def plot_ranks(ranks: pandas.DataFrame, ax: Axes) -> Axes:
    """Draw the mean ranks of models with the critical difference of the bundle.

    Parameters
    ----------
    ranks : DataFrame
        Of one kind of features, see `brainlm.comparison.model_ranks`.
    ax : matplotlib.axes.Axes
    """
    return plot_critical_difference(
        list(ranks["model"]),
        ranks["mean_rank"].to_numpy(),
        float(ranks["critical_difference"].iloc[0]),
        ax,
        ranks[["low", "high"]].to_numpy(),
    )


def critical_difference(bundle: Bundle) -> Figure:
    """Draw the mean ranks of the families with the critical difference, a panel per feature."""
    ranks = table_frame(bundle, "ranks")
    kinds = list(dict.fromkeys(ranks["features"]))
    figure, axes = panels(len(kinds), 4.6, 1.6 + 0.28 * int(ranks.groupby("features").size().max()))
    for ax, kind in zip(axes, kinds, strict=True):
        own = ranks[ranks["features"] == kind]
        first = own.iloc[0]
        plot_ranks(own, ax)
        ax.set_title(
            f"{kind}: {int(first['n_materials'])} materials, Friedman p = {first['p']:.2g}\n"
            f"bars join models within the critical difference {first['critical_difference']:.2f}",
            loc="left",
            fontsize=8,
        )
    share_limits(axes, "x")
    return figure
