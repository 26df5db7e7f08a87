"""Figures of the comparison studies.

A table is an ``xarray.Dataset`` over ``row``: ``table`` with a row per data set, representation and
method (`brainlm.comparison.table`), and the smaller ones that each analysis names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.plotting._style import COLOURS, REFERENCE_COLOURS, grid, panels, plot_heat_map

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

__all__ = [
    "context_gains",
    "coverage",
    "critical_difference",
    "layers_by_modality",
    "model_by_dataset",
    "paired_bars",
    "plot_critical_difference",
    "plot_forest",
    "reading_gains",
    "unique_variance",
    "winners",
]

LEVEL_COLOURS = {
    "word": REFERENCE_COLOURS[0],
    "sentence": REFERENCE_COLOURS[1],
    "discourse": REFERENCE_COLOURS[2],
}
MODEL_COLOURS = ("#0072B2", "#D55E00", "#5D3A9B", "#009E73", "#E69F00", "#CC79A7", "#56B4E9")


def _frame(bundle: Bundle, name: str) -> pandas.DataFrame:
    return bundle.arrays[name].to_dataframe().reset_index(drop=True)


def plot_forest(
    table: pandas.DataFrame, value: str, names: list[str], colours: list[str], ax: Axes
) -> Axes:
    """Draw values with intervals (columns ``low``, ``high``) as points on lines, one per row.

    Parameters
    ----------
    table : DataFrame
    value : str
        Column of the points.
    names, colours : list of str
        Of each row.
    ax : matplotlib.axes.Axes
    """
    place = np.arange(len(table))[::-1]
    for y, row, colour in zip(place, table.itertuples(), colours, strict=True):
        ax.plot([row.low, row.high], [y, y], color=colour, lw=1.2)
        ax.plot(getattr(row, value), y, "o", ms=4, color=colour)
    ax.axvline(0, color="black", lw=0.5)
    ax.set_yticks(place, names)
    ax.set_ylim(-0.7, len(table) - 0.3)
    return ax


def _order(table: pandas.DataFrame) -> list[str]:
    """Data sets by level, then modality."""
    level = table["level"].map({"word": 0, "sentence": 1, "discourse": 2})
    ordered = table.assign(place=level).sort_values(
        ["place", "modality", "language"], kind="stable"
    )
    return list(dict.fromkeys(ordered["dataset"]))


def _names(table: pandas.DataFrame) -> dict[str, str]:
    first = table.drop_duplicates("dataset").set_index("dataset")
    return {d: f"{d} ({row.modality}, {row.level})" for d, row in first.iterrows()}


def model_by_dataset(bundle: Bundle) -> Figure:
    """Draw the best score of each representation on each data set, and of random embeddings."""
    table = _frame(bundle, "table")
    if "features" in table:  # of the survey: one model by its vectors and by its surprisal
        second = table["features"] == "predictability"
        table.loc[second, "model"] = table.loc[second, "model"] + " (surprisal)"
    random = table["family"] == "random"
    models = list(dict.fromkeys(table.loc[~random, "model"]))
    order, names = _order(table), _names(table)
    cells: dict[str, Any] = {}
    for model in models:
        own = table[(table["model"] == model) & ~random]
        cells[model] = own.groupby("dataset")["score"].max().reindex(order)
    layered = bool((table["layer"] >= 0).any())
    if random.any():
        empty = "random, best layer" if layered else "permuted norms"
        cells[empty] = table[random].groupby("dataset")["score"].max().reindex(order)
    values = np.array([column.to_numpy() for column in cells.values()]).T
    width, height = 2.6 + 0.8 * len(cells), 1.6 + 0.32 * len(order)
    figure, (ax,) = panels(1, width, height)
    method = table["method"].iloc[0]
    plot_heat_map(values, [names[d] for d in order], list(cells), ax, label=f"{method}, held-out r")
    ax.set_title(f"{'Best layer of each' if layered else 'Each'} representation", loc="left")
    return figure


def layers_by_modality(bundle: Bundle) -> Figure:
    """Draw score against depth for every model: a panel per modality, a line per data set."""
    table = _frame(bundle, "table")
    layered = table[table["layer"] >= 0]
    modalities = list(dict.fromkeys(layered["modality"]))
    models = list(dict.fromkeys(layered["model"]))
    figure, axes = panels(len(modalities), 3.4, 3.6)
    styles = ("o-", "s--", "^-.", "v:", "D-", "P--", "X-.")
    for ax, modality in zip(axes, modalities, strict=True):
        here = layered[layered["modality"] == modality]
        sets = list(dict.fromkeys(here["dataset"]))
        for (dataset, model), rows in here.groupby(["dataset", "model"], sort=False):
            colour = MODEL_COLOURS[models.index(model) % len(MODEL_COLOURS)]
            style = styles[sets.index(dataset) % len(styles)]
            for family, own in rows.sort_values("depth").groupby(rows["family"] == "random"):
                if family:
                    ax.plot(own["depth"], own["score"], "-", lw=0.6, color=COLOURS["random"])
                else:
                    ax.plot(own["depth"], own["score"], style, ms=2.5, lw=1, color=colour)
        for i, dataset in enumerate(sets):
            ax.plot([], [], styles[i % len(styles)], ms=2.5, lw=1, color="black", label=dataset)
        ax.axhline(0, color="black", lw=0.5)
        ax.set_title(modality, loc="left")
        ax.set_xlabel("depth (0 = input, 1 = last layer)")
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.3 * (high - low))  # room for the legend
        ax.legend(fontsize=6, loc="upper left", ncols=2)
    axes[0].set_ylabel(f"{table['method'].iloc[0]}, held-out r")
    for i, model in enumerate(models):
        axes[0].plot([], [], lw=2, color=MODEL_COLOURS[i % len(MODEL_COLOURS)], label=model)
    axes[0].plot([], [], lw=0.6, color=COLOURS["random"], label="random, same geometry")
    handles, labels = axes[0].get_legend_handles_labels()
    keep = [i for i, label in enumerate(labels) if label in models or label.startswith("random,")]
    figure.legend(
        [handles[i] for i in keep], [labels[i] for i in keep], loc="outside lower center", ncols=4
    )
    sets = list(dict.fromkeys(layered.loc[layered["modality"] == modalities[0], "dataset"]))
    shown = [i for i, label in enumerate(labels) if label in sets]
    own = [handles[i] for i in shown], [labels[i] for i in shown]
    axes[0].legend(*own, fontsize=6, loc="upper left", ncols=2)
    return figure


def context_gains(bundle: Bundle) -> Figure:
    """Draw the gain of every model over static vectors with its interval, a panel per model."""
    gains = _frame(bundle, "gains")
    models = list(dict.fromkeys(gains["model"]))
    order = _order(gains)
    figure, axes = panels(len(models), 3.6, 0.9 + 0.26 * len(order))
    for ax, model in zip(axes, models, strict=True):
        own = gains[gains["model"] == model].set_index("dataset")
        own = own.loc[[d for d in order if d in own.index]].reset_index()
        colours = [LEVEL_COLOURS[level] for level in own["level"]]
        plot_forest(own, "gain", list(own["dataset"]), colours, ax)
        ax.set_title(model, loc="left")
        ax.set_xlabel("r minus r of static vectors")
    for level, colour in LEVEL_COLOURS.items():
        axes[0].plot([], [], "o-", ms=4, lw=1.2, color=colour, label=level)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def paired_bars(bundle: Bundle) -> Figure:
    """Draw the score of each representation as bars, a panel per data set, with pairwise tests.

    Whiskers are the intervals of the bundle, the dashed line is the score of the controls. A
    bracket joins two bars whose difference has q <= .05 over all pairs of the figure
    (Benjamini-Hochberg). Pairs of features in full dimension, where the bundle has others, too.
    """
    from brainlm.stats.permutation import fdr

    table, pairs = _frame(bundle, "table"), _frame(bundle, "pairs")
    if "version" in pairs:
        pairs = pairs[pairs["version"] == "full"]
    pairs = pairs[pairs["p"].notna()]
    pairs = pairs.assign(q=fdr(pairs["p"].to_numpy()))
    tested = set(pairs["first"]) | set(pairs["second"])
    order = [d for d in _order(table) if d in set(pairs["dataset"])]
    names = _names(table)
    columns = min(3, len(order))
    figure, axes = grid(len(order), columns, 3.4, 2.9)
    for ax, dataset in zip(axes, order, strict=True):
        own = table[(table["dataset"] == dataset) & table["space"].isin(tested)]
        own = own.reset_index(drop=True)
        error = np.abs(own[["low", "high"]].to_numpy().T - own["score"].to_numpy())
        colours = [MODEL_COLOURS[i % len(MODEL_COLOURS)] for i in range(len(own))]
        ax.bar(own["space"], own["score"], yerr=error, color=colours, error_kw={"lw": 0.8})
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
    figure.suptitle(
        "brackets: difference with q <= .05 over all pairs; dashed: controls (length, frequency, "
        "position, word rate of a story)",
        fontsize=8,
    )
    return figure


def coverage(bundle: Bundle) -> Figure:
    """Draw how many items, targets and subjects of each data set were compared."""
    table = _frame(bundle, "table")
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


def winners(bundle: Bundle) -> Figure:
    """Draw for each data set the share of targets that each representation predicts best."""
    shares = _frame(bundle, "winners")
    order, names = _order(shares), _names(shares)
    spaces = list(dict.fromkeys(shares["space"]))
    figure, (ax,) = panels(1, 7.0, 1.4 + 0.34 * len(order))
    left = np.zeros(len(order))
    for i, space in enumerate(spaces):
        own = shares[shares["space"] == space].set_index("dataset")["share"]
        values = own.reindex(order).fillna(0).to_numpy()
        colour = MODEL_COLOURS[i % len(MODEL_COLOURS)]
        hatch = "" if i < len(MODEL_COLOURS) else "//"
        ax.barh(range(len(order)), values, left=left, color=colour, hatch=hatch, label=space)
        left += values
    ax.set_yticks(range(len(order)), [names[d] for d in order])
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of targets that the representation predicts best")
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def unique_variance(bundle: Bundle) -> Figure:
    """Draw R2 of each space alone and the part that only it explains, per data set."""
    parts = _frame(bundle, "partition")
    order = _order(parts)
    names = _names(parts)
    spaces = list(dict.fromkeys(parts["space"]))
    figure, axes = panels(2, 4.4, 1.5 + 0.4 * len(order))
    width = 0.8 / len(spaces)
    for ax, value, title in zip(axes, ("alone", "unique"), ("alone", "unique"), strict=True):
        for i, space in enumerate(spaces):
            own = parts[parts["space"] == space].set_index("dataset").reindex(order)
            y = np.arange(len(order)) - 0.4 + width * (i + 0.5)
            error = own[f"{value}_half"].to_numpy()
            ax.barh(
                y,
                own[value],
                width,
                xerr=error,
                color=MODEL_COLOURS[i],
                label=space,
                error_kw={"lw": 0.7},
            )
        ax.axvline(0, color="black", lw=0.5)
        ax.set_yticks(range(len(order)), [names[d] for d in order] if value == "alone" else [])
        ax.invert_yaxis()
        ax.set_xlabel("held-out R2 (mean of targets)")
        ax.set_title(title, loc="left")
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


def critical_difference(bundle: Bundle) -> Figure:
    """Draw the mean ranks of the families with the critical difference, a panel per feature."""
    ranks = _frame(bundle, "ranks")
    kinds = list(dict.fromkeys(ranks["features"]))
    figure, axes = panels(len(kinds), 4.6, 1.6 + 0.28 * int(ranks.groupby("features").size().max()))
    for ax, kind in zip(axes, kinds, strict=True):
        own = ranks[ranks["features"] == kind]
        first = own.iloc[0]
        plot_critical_difference(
            list(own["model"]),
            own["mean_rank"].to_numpy(),
            float(first["critical_difference"]),
            ax,
            own[["low", "high"]].to_numpy(),
        )
        ax.set_title(
            f"{kind}: {int(first['n_materials'])} materials, Friedman p = {first['p']:.2g}\n"
            f"bars join models within the critical difference {first['critical_difference']:.2f}",
            loc="left",
            fontsize=8,
        )
    return figure


def reading_gains(bundle: Bundle) -> Figure:
    """Draw the gain of held-out log-likelihood from surprisal, per measure and model."""
    gains = _frame(bundle, "gains")
    gains = gains[gains["effect"] == gains["effect"].iloc[0]]  # the word's own, without spill-over
    models = list(dict.fromkeys(gains["model"]))
    label = gains["dataset"] + ": " + gains["measure"]
    rows = list(dict.fromkeys(label))
    figure, axes = panels(len(models), 3.8, 0.9 + 0.24 * len(rows))
    for ax, model in zip(axes, models, strict=True):
        own = gains[gains["model"] == model].reset_index(drop=True)
        names = list(own["dataset"] + ": " + own["measure"])
        colours = [COLOURS["layer"] if p <= 0.05 else COLOURS["random"] for p in own["q"]]
        plot_forest(own, "gain", names, colours, ax)
        ax.set_xlabel("nats per word, held out (blue: q <= .05)")
        ax.set_title(model, loc="left")
    return figure
