"""Forest plots: points with intervals, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.plotting._style import MODEL_COLOURS
from brainlm.plotting.changes import arranged, colour_of

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

MARKERS = "osD^vPX"


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


def plot_grouped_forest(
    table: pandas.DataFrame,
    ax: Axes,
    *,
    row: str,
    group: str,
    columns: Sequence[str] = ("gain", "low", "high"),
    q: str = "",
) -> Axes:
    """Draw values with intervals, a line per row and, side by side in it, a colour per group.

    Parameters
    ----------
    table : DataFrame
    ax : matplotlib.axes.Axes
    row, group : str
        Columns that name the rows and the groups (such as models).
    columns : sequence of str
        Columns of the value and of both ends of its interval.
    q : str
        Column of q values: points with q > .05 are hollow. Default: all are filled.
    """
    rows, groups = (arranged(dict.fromkeys(table[name])) for name in (row, group))
    step = min(0.3, 0.7 / len(groups))
    for g, name in enumerate(groups):
        own = table[table[group] == name]
        colour = colour_of(name, MODEL_COLOURS[g % len(MODEL_COLOURS)])
        marker = MARKERS[g % len(MARKERS)]
        y = np.array([rows.index(each) for each in own[row]]) + step * (g - (len(groups) - 1) / 2)
        value, low, high = (own[each].to_numpy(dtype=float) for each in columns)
        ax.hlines(y, low, high, color=colour, lw=1)
        found = own[q].to_numpy() <= 0.05 if q else np.ones(len(own), dtype=bool)
        style: dict[str, Any] = {"ls": "", "marker": marker, "ms": 3, "mec": colour, "mew": 0.8}
        ax.plot(value[~found], y[~found], mfc="white", **style)
        ax.plot(value[found], y[found], mfc=colour, **style)
        ax.plot([], [], color=colour, marker=marker, ms=3, lw=1, label=name)
    ax.axvline(0, color="black", lw=0.5)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    return ax
