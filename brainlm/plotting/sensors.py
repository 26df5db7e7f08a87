"""MEG and EEG figures: scores over time and over the head."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.data.target_table import over_time, positions_of, targets_of_scores
from brainlm.plotting._style import (
    COLOURS,
    COLUMN,
    PAGE,
    REFERENCE_COLOURS,
    interval,
    only_first_column,
    page_size,
    panels,
    shared_legend,
)
from brainlm.plotting.changes import colour_of, colour_scale

if TYPE_CHECKING:
    import pandas as pd
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from brainlm.data.recording import Recording
    from brainlm.results.bundle import Bundle

ALPHA = 0.05  # of the p values that are marked
MOST_HEADS = 6
STEP = 0.045  # between rows of squares, of the height of the axes


def plot_time_course(
    values: np.ndarray,
    targets: pd.DataFrame,
    ax: Axes,
    *,
    label: str,
    colour: str = "#0072B2",
    ratio: float = 0.0,
) -> Axes:
    """Draw the mean over channels of a score over time, and its 95 % interval over units.

    Parameters
    ----------
    values : array of shape (n_units, n_targets)
        Scores of subjects or folds.
    targets : DataFrame
        With channels and times, see `brainlm.data.target_table.over_time`.
    ax : Axes
    label : str
        Of the line.
    colour : str
    ratio : float
        n_test / n_train where the units are folds, see `brainlm.stats.paired.fold_difference`.
    """
    channels, times, curves = over_time(np.atleast_2d(values), targets)
    mean, half = interval(np.nanmean(curves, axis=1), ratio)
    ax.plot(1000 * times, mean, color=colour, label=label)
    ax.fill_between(1000 * times, mean - half, mean + half, color=colour, alpha=0.2, lw=0)
    ax.axhline(0, color="0.6", lw=0.8, zorder=0)
    ax.set(
        xlabel="time after word onset, ms", ylabel=f"held-out r (mean of {len(channels)} channels)"
    )
    return ax


def draw_time_course(scores: xarray.Dataset, ax: Axes) -> Axes:
    """Draw the score of each space over time; squares mark bins with a channel above chance.

    Parameters
    ----------
    scores : xarray.Dataset
        Of one analysis of epochs.
    ax : Axes
    """
    unit = "subject" if "subject" in scores["score"].dims else "fold"
    ratio = float(scores.attrs.get("test_ratio", 0.0)) if unit == "fold" else 0.0
    targets = targets_of_scores(scores)
    for row, (name, colour) in enumerate(_colours(scores)):
        own = scores.sel(space=name)
        values = own["score"].transpose(unit, "target").values
        plot_time_course(values, targets, ax, label=name, colour=colour, ratio=ratio)
        if "p" in scores:
            _, times, p = over_time(own["p"].values, targets)
            found = 1000 * times[np.nanmin(p, axis=0) <= ALPHA]
            height = np.full(len(found), 0.98 - STEP * row)
            ax.plot(found, height, "s", ms=4, color=colour, transform=ax.get_xaxis_transform())
    if "p" in scores:  # room for the squares above the curves
        ax.plot([], [], "s", ms=4, color="0.3", label=f"a channel above chance, p ≤ {ALPHA}")
        low, high = ax.get_ylim()
        ax.set_ylim(low, low + (high - low) / (1 - STEP * scores.sizes["space"]))
    return ax


def time_course(bundle: Bundle) -> Figure:
    """Draw the score of each space over time; squares mark bins with a channel above chance."""
    import matplotlib.pyplot as plt

    scores = scores_over_time(bundle)
    figure, ax = plt.subplots(figsize=page_size(5, 3.6))
    draw_time_course(scores, ax)
    unit = "subject" if "subject" in scores["score"].dims else "fold"
    ax.set_title(f"{scores.attrs['title']} ({scores.sizes[unit]} {unit}s)", loc="left")
    shared_legend(figure, ax)
    return figure


def added_effects(bundle: Bundle) -> Figure:
    """Draw what single predictors add over time: to the controls, and to each other."""
    effects = bundle.arrays["added"]
    beyond = np.array([" beyond " in name for name in effects["space"].values.tolist()])
    shown = [each for each in (~beyond, beyond) if each.any()]
    figure, axes = panels(len(shown), 4.2, 3.4, sharey=True)
    titles = ("beyond length and frequency", "beyond each other, too")
    for ax, rows, title in zip(axes, shown, titles, strict=False):
        draw_time_course(effects.isel(space=rows), ax)
        n_channels = len(np.unique(effects["channel"].values))
        ax.set_ylabel(f"gain in held-out r ({n_channels} channels)")
        ax.set_title(title, loc="left")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), frameon=False)
    only_first_column(axes)
    return figure


def scores_over_time(bundle: Bundle) -> xarray.Dataset:
    """Return the scores of epochs by the first analysis of a bundle."""
    scores = bundle.arrays.get("scores")
    if scores is None or not {"channel", "time"} <= set(scores.coords):
        raise ValueError(
            f"{bundle.folder}: has no scores of epochs (channels at times), as "
            "`brainlm run encode_epochs` saves them"
        )
    return scores.isel(analysis=0)


def _colours(scores: xarray.Dataset) -> list[tuple[str, str]]:
    """Spaces with a colour each: those of their kind, references one after the other."""
    references = iter(REFERENCE_COLOURS * scores.sizes["space"])
    return [
        (str(name), colour_of(name, COLOURS[kind] if kind in COLOURS else next(references)))
        for name, kind in zip(scores["space"].values, scores["kind"].values.tolist(), strict=True)
    ]


def plot_topographies(
    values: np.ndarray, recording: Recording, times: Sequence[float] | None = None
) -> Figure:
    """Draw scores over the head at some times.

    Parameters
    ----------
    values : array of shape (n_targets,)
        Score of each target of ``recording``.
    recording : Recording
        Of epochs; its ``positions`` are those of the channels.
    times : sequence of float, optional
        Seconds; the nearest time points are drawn. Default: four, evenly spread.
    """
    import matplotlib.pyplot as plt

    if recording.positions is None:
        raise ValueError("recording: its channels have no positions, so there is no head to draw")
    channels, known, curves = over_time(values, recording.targets)
    wanted = np.linspace(known[0], known[-1], 4) if times is None else np.asarray(times, float)
    columns = np.unique([int(np.abs(known - time).argmin()) for time in wanted])
    info = _layout(channels, recording.targets, recording.modality)
    figure = plt.figure(figsize=page_size(2 * len(columns) + 0.8, 2.4))
    _heads(figure, [("", curves, None)], known, columns, info)
    return figure


def topographies(bundle: Bundle) -> Figure:
    """Draw the score over the head, a row per space; dots are channels above chance.

    The times are evenly spread; the nearest of them gives way to the peak of the first space.
    """
    import matplotlib.pyplot as plt

    scores = scores_over_time(bundle)
    n_times = min(MOST_HEADS, len(np.unique(scores["time"])))
    n_rows = scores.sizes["space"]
    if PAGE.get() < COLUMN:
        n_times = min(n_times, 3)
    size = (2 * n_times + 0.8, 2.4) if n_rows == 1 else (1.2 * n_times + 1.6, 1.3 * n_rows + 0.3)
    figure = plt.figure(figsize=page_size(*size))
    draw_topographies(scores, figure, most=n_times)
    return figure


def draw_topographies(
    scores: xarray.Dataset, figure: Figure | SubFigure, *, most: int = MOST_HEADS
) -> None:
    """Draw the score over the head into a figure, a row per space, a column per time.

    Parameters
    ----------
    scores : xarray.Dataset
        Of one analysis of epochs, see `scores_over_time`.
    figure : Figure or SubFigure
    most : int
        Times. They are evenly spread, but for one that is the peak of the first space.
    """
    targets = targets_of_scores(scores)
    if positions_of(targets) is None:
        raise ValueError("scores: their channels have no positions, so there is no head to draw")
    unit = "subject" if "subject" in scores["score"].dims else "fold"
    mean = scores["score"].mean(unit).transpose("space", "target").values
    channels, known, curves = over_time(mean, targets)
    above = [None] * len(curves)
    if "p" in scores:
        above = list(
            over_time(scores["p"].transpose("space", "target").values, targets)[2] <= ALPHA
        )
    columns = np.unique(np.linspace(0, len(known) - 1, min(most, len(known))).astype(int))
    peak = int(np.nanmax(curves[0], axis=0).argmax())
    columns[np.abs(columns - peak).argmin()] = peak
    info = _layout(channels, targets, scores.attrs["modality"])
    names = [str(name) for name in scores["space"].values]
    _heads(figure, list(zip(names, curves, above, strict=True)), known, columns, info)


def _heads(
    figure: Figure | SubFigure,
    rows: Sequence[tuple[str, np.ndarray, np.ndarray | None]],
    times: np.ndarray,
    columns: np.ndarray,
    info: Any,
) -> None:
    """Draw heads on one scale: a row for each (name, curves, channels to mark), a column a time."""
    import mne

    shown = np.stack([curves[:, columns] for _, curves, _ in rows])
    scale = colour_scale(float(np.nanmin(shown)), float(np.nanmax(shown)))
    n = len(columns)
    axes = figure.subplots(len(rows), n, squeeze=False)
    drawn: Any = None
    for line, (name, curves, above) in zip(axes, rows, strict=True):
        for ax, column in zip(line, columns, strict=True):
            drawn, _ = mne.viz.plot_topomap(
                curves[:, column],
                info,
                axes=ax,
                show=False,
                vlim=(scale.low, scale.high),
                cmap=scale.colours,
                mask=None if above is None else above[:, column],
                mask_params={"markersize": 3, "markerfacecolor": "black"},
            )
        if name:
            line[0].set_ylabel(textwrap.fill(name, 12), fontsize=8)
    for ax, column in zip(axes[0], columns, strict=True):
        ax.set_title(f"{1000 * times[column]:.0f} ms")
    marks = "" if all(above is None for _, _, above in rows) else f"; dots: p ≤ {ALPHA}"
    label = f"held-out r ({len(info['chs'])} channels{marks})"
    figure.colorbar(drawn, ax=axes, label=label, shrink=0.8)


def _layout(channels: Sequence[str], targets: pd.DataFrame, modality: str) -> Any:
    """Return the description of channels that mne draws a head from."""
    import mne

    first = targets.drop_duplicates("channel").set_index("channel").loc[list(channels)]
    places = positions_of(first)
    assert places is not None
    if len(np.unique(places.round(5), axis=0)) < len(places):
        raise ValueError(
            f"positions: {len(places)} channels share positions, as planar gradiometers do: "
            "take magnetometers or EEG to draw heads"
        )
    kind = "mag" if modality == "meg" else "eeg"
    info = mne.create_info(list(channels), 100.0, kind)
    if kind == "eeg":
        montage = mne.channels.make_dig_montage(
            dict(zip(channels, places, strict=True)), coord_frame="head"
        )
        info.set_montage(montage)
        return info
    for channel, position in zip(info["chs"], places, strict=True):
        channel["loc"][:3] = position
    return info
