"""Align the frames of sounds with a recording: resampled and delayed like words."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from brainlm.data.features import Features
from brainlm.data.recording import Recording, sampling_interval
from brainlm.data.sound import Frames
from brainlm.encoding.align import AlignmentWarning
from brainlm.encoding.delays import delay

MOST_OUTSIDE = 0.05  # of a sound that a recording may not cover without a warning


def align_sound(
    sounds: Mapping[str, Sequence[Frames]],
    recording: Recording,
    delays: Sequence[int] = (0,),
    *,
    start: float = 0.0,
    name: str = "acoustics",
) -> Features:
    """Return acoustic features of each sample, delayed.

    A sample at time s with interval TR is the mean of the frames in [s, s + TR); one without sound
    has the smallest value of each feature in its run, as silence has.

    Parameters
    ----------
    sounds : mapping of str to sequence of Frames
        Run -> features of its sound (`brainlm.features.acoustics.log_mel`, `sound_envelope`).
    recording : Recording
        A time series.
    delays : sequence of int
        In samples, as in `brainlm.align`.
    start : float
        Time of the beginning of each sound on the clock of its run, in seconds.
    name : str

    Returns
    -------
    Features, shape (n_samples, n_delays * n_features)

    Warns
    -----
    AlignmentWarning
        More than 5 % of a sound lies outside of its run.

    Raises
    ------
    ValueError
        The recording has no times, a run has no sound, or a sound lies outside of its run.
    """
    if recording.times is None:
        raise ValueError("sounds need a time series; this recording has items and no times")
    lacking = [run for run in recording.runs if run not in sounds]
    if lacking:
        raise ValueError(
            f"sounds lacks runs {', '.join(lacking)} of the recording; it has {', '.join(sounds)}"
        )
    parts: list[np.ndarray] = []
    for run in recording.runs:
        times = recording.times[recording.run == run]
        parts.append(np.hstack([_binned(each, times, start, run) for each in sounds[run]]))
    rows = np.concatenate([np.flatnonzero(recording.run == run) for run in recording.runs])
    values = np.concatenate(parts)[np.argsort(rows, kind="stable")]
    first = sounds[recording.runs[0]]
    origin = {
        **(first[0].origin if len(first) == 1 else {}),
        "acoustics": [each.name for each in first],
        "delays": [int(d) for d in delays],
        "start": start,
    }
    return Features(name, delay(values, delays, recording.run), origin=origin)


def _binned(frames: Frames, times: np.ndarray, start: float, run: str) -> np.ndarray:
    """Mean of the frames of each sample, (n_samples, n_features)."""
    step = sampling_interval(times)
    sample = np.floor((frames.times + start - times[0]) / step + 1e-9).astype(int)
    inside = (sample >= 0) & (sample < len(times))
    if inside.any() and (~inside).mean() > MOST_OUTSIDE:
        warnings.warn(
            f"{(~inside).mean():.0%} of the sound of run {run!r} is outside of its samples and is "
            "left out: check start, and the recording's times",
            AlignmentWarning,
            stacklevel=3,
        )
    if not inside.any():
        raise ValueError(
            f"the sound of run {run!r} lasts from {start:g} to {start + frames.times[-1]:g} s, "
            f"outside of its samples from {times[0]:g} to {times[-1] + step:g} s: give start"
        )
    counts = np.bincount(sample[inside], minlength=len(times))
    sums = np.zeros((len(times), frames.values.shape[1]))
    np.add.at(sums, sample[inside], frames.values[inside])
    means = sums / np.maximum(counts, 1)[:, None]
    means[counts == 0] = frames.values.min(axis=0)
    return means
