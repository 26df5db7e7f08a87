"""MEG and EEG: scores over the head and over time, through mne."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.temporal import time_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.recording import Recording

__all__ = ["plot_time_course", "topographies"]


def plot_time_course(
    values: np.ndarray, targets: Sequence[str], ax: Axes, *, label: str, colour: str = "#0072B2"
) -> Axes:
    """Draw the mean over channels of a score over time, and its 95 % interval over units.

    Parameters
    ----------
    values : array of shape (n_units, n_targets)
        Scores of subjects or folds.
    targets : sequence of str
        "channel@100ms"; see ``brainlm.temporal.time_curves``.
    ax : Axes
    label : str
        Of the line.
    colour : str
    """
    from brainlm.plotting.common import interval

    channels, times, curves = time_curves(np.atleast_2d(values), targets)
    mean, half = interval(np.nanmean(curves, axis=1))
    ax.plot(1000 * times, mean, color=colour, label=label)
    ax.fill_between(1000 * times, mean - half, mean + half, color=colour, alpha=0.2, lw=0)
    ax.axhline(0, color="0.6", lw=0.8, zorder=0)
    ax.set(
        xlabel="time after word onset, ms",
        ylabel=f"held-out r (mean of {len(channels)} channels)",
    )
    return ax


def topographies(
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
    import mne

    if recording.positions is None:
        raise ValueError("recording: its channels have no positions, so there is no head to draw")
    channels, known, curves = time_curves(values, recording.targets)
    wanted = np.linspace(known[0], known[-1], 4) if times is None else np.asarray(times, float)
    columns = np.unique([int(np.abs(known - time).argmin()) for time in wanted])
    first = [next(i for i, t in enumerate(recording.targets) if t.startswith(f"{c}@"))
             for c in channels]  # fmt: skip
    info = _layout(channels, recording.positions[first], recording.modality)
    limit = float(np.nanmax(np.abs(curves[:, columns])))
    figure, axes = plt.subplots(1, len(columns), figsize=(2 * len(columns) + 0.8, 2.4))
    drawn: Any = None
    for ax, column in zip(np.atleast_1d(axes), columns, strict=True):
        drawn, _ = mne.viz.plot_topomap(
            curves[:, column], info, axes=ax, show=False, vlim=(-limit, limit), cmap="RdBu_r"
        )
        ax.set_title(f"{1000 * known[column]:.0f} ms")
    figure.colorbar(drawn, ax=axes, label=f"held-out r ({len(channels)} channels)", shrink=0.8)
    return figure


def _layout(channels: Sequence[str], positions: np.ndarray, modality: str) -> Any:
    import mne

    kind = "mag" if modality == "meg" else "eeg"
    info = mne.create_info(list(channels), 100.0, kind)
    if kind == "eeg":
        montage = mne.channels.make_dig_montage(
            dict(zip(channels, positions, strict=True)), coord_frame="head"
        )
        info.set_montage(montage)
        return info
    for channel, position in zip(info["chs"], positions, strict=True):
        channel["loc"][:3] = position
    return info
