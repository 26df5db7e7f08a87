"""Summary of opened data: facts as text, and words above the response over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.plotting.glyphs import fonts_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_WORDS = 60  # written above the response; more cannot be read


def describe(stimulus: Stimulus | None, recording: Recording | None) -> str:
    """Return a few lines about a stimulus and a recording: sizes, runs, clocks, repairs.

    Parameters
    ----------
    stimulus : Stimulus, optional
    recording : Recording, optional
    """
    lines = []
    if stimulus is not None:
        lines += [repr(stimulus), f"  begins   {' '.join(stimulus.words[:12])} ..."]
    if recording is not None:
        lines += [repr(recording), f"  targets  {', '.join(recording.target_names[:8])} ..."]
        lines += [f"  note     {note}" for note in recording.notes]
    if recording is not None and recording.times is not None:
        lines.append("  run: recorded seconds, words in them, outside of them")
        for run in recording.runs:
            times = recording.times[recording.run == run]
            step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
            line = f"    {run}: {times[0]:.2f} to {times[-1] + step:.2f} s every {step:.4g} s"
            if stimulus is not None and stimulus.timed:
                onset = stimulus.onset[stimulus.run == run]
                n_inside = int(((onset >= times[0]) & (onset < times[-1] + step)).sum())
                line += f", {n_inside} words, {len(onset) - n_inside} outside"
            lines.append(line)
    elif recording is not None and stimulus is not None:
        n_items = len(set(recording.items))
        n_silent = len(set(stimulus.item)) - n_items
        lines.append(f"  items: {n_items} with a response, {n_silent} without")
    return "\n".join(lines)


def plot_recording(
    stimulus: Stimulus,
    recording: Recording,
    ax: Axes,
    *,
    targets: Sequence[str] | None = None,
    run: str | None = None,
    seconds: tuple[float, float] | None = None,
) -> Axes:
    """Draw words on the time line above the response of a few targets.

    A clock that is off, a gap or a missing run is seen at a glance: ticks are word onsets, a grey
    band is recorded time.

    Parameters
    ----------
    stimulus : Stimulus
        Words with times.
    recording : Recording
        A time series.
    ax : matplotlib axes
    targets : sequence of str, optional
        Default: the first three.
    run : str, optional
        Default: the first one of the recording.
    seconds : pair of float, optional
        Part of the run. Default: all of it.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    ValueError
        When the words or the responses have no times.
    UnknownNameError
        There is no such target.
    """
    if not stimulus.timed or recording.times is None:
        raise ValueError("plot_recording needs words with times and a time series")
    run = recording.runs[0] if run is None else run
    chosen = recording.select_targets(
        list(recording.target_names[:3]) if targets is None else targets
    )
    rows = recording.run == run
    if not rows.any():
        raise ValueError(f"run {run!r} is not in the recording; runs: {recording.runs}")
    times, data = chosen.times[rows], np.asarray(chosen.data[rows], dtype=float)
    words = np.flatnonzero(stimulus.run == run)
    ends = [*times[[0, -1]], *stimulus.onset[words]]
    first, last = seconds or (min(ends), max(ends))
    spread = np.nanstd(data, axis=0)
    scaled = (data - np.nanmean(data, axis=0)) / np.where(spread > 0, spread, 1)
    levels = -5.0 * np.arange(chosen.n_targets)  # standard deviations between the lines
    ax.axvspan(times[0], times[-1], color="0.93", zorder=0)
    for line, level, name in zip(scaled.T, levels, chosen.target_names, strict=True):
        ax.plot(times, line + level, linewidth=0.8, label=str(name))
    shown = words[(stimulus.onset[words] >= first) & (stimulus.onset[words] <= last)]
    top = 5.0
    ax.vlines(stimulus.onset[shown], top - 0.7, top, color="0.3", linewidth=0.5)
    if len(shown) <= MOST_WORDS:
        fonts = fonts_for("".join(stimulus.words[shown]))
        for i in shown:
            ax.text(
                stimulus.onset[i],
                top + 0.2,
                stimulus.words[i],
                rotation=90,
                fontsize=6,
                fontfamily=fonts or None,
            )
    ax.set(xlim=(first, last), xlabel="Seconds in the run", yticks=levels, title=f"run {run}")
    ax.set_yticklabels([str(name) for name in chosen.target_names])
    return ax
