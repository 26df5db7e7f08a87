"""Preprocessing of recordings: high-pass filter and averages of neighbouring samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from brainlm.data.recording import Recording, run_means, sampling_interval


def high_pass(recording: Recording, period: float = 128.0) -> Recording:
    """Remove drifts slower than ``period`` seconds, run by run.

    Discrete cosines up to frequency 1 / ``period`` and the mean are regressed out of each target
    of each run (nilearn's cosine filter, the one of SPM and fMRIPrep).

    Parameters
    ----------
    recording : Recording
        A time series with a constant sampling interval inside each run.
    period : float
        Longest period that is kept, in seconds.

    Returns
    -------
    Recording
        Zero mean per run and target, with a note.

    Examples
    --------
    >>> times = 2.0 * np.arange(200)
    >>> drift = brainlm.Recording(times[:, None], ["IFG"], "fmri", "BOLD (a.u.)", times=times)
    >>> bool(np.abs(brainlm.high_pass(drift).data).max() < 0.1 * times.max())
    True
    """
    if recording.times is None:
        raise ValueError("high_pass needs a time series; this recording has items and no times")
    filtered = np.empty_like(recording.data)
    for run in recording.runs:
        rows = recording.run == run
        step = sampling_interval(recording.times[rows], run)
        filtered[rows] = without_drifts(recording.data[rows], step, period)
    filtered -= run_means(filtered, recording.run)
    return recording.with_data(filtered, f"high-passed at {period:g} s inside runs (cosines)")


def average_samples(recording: Recording, n: int) -> Recording:
    """Average each ``n`` neighbouring samples of a run into one.

    Volumes of 0.71 s become samples of 2.13 s with n = 3: delays in seconds then need a third of
    the columns, and noise between volumes averages out.

    Parameters
    ----------
    recording : Recording
        A time series.
    n : int
        Samples in a mean; those at the end of a run that fill none are left out, with a note.

    Returns
    -------
    Recording
        Each sample starts where the first of its ``n`` samples started.

    Raises
    ------
    ValueError
        Items instead of a time series, or a run shorter than ``n`` samples.

    Examples
    --------
    >>> recording = brainlm.Recording(
    ...     [[1.0], [3.0], [5.0], [9.0]], ["MEG 1"], "meg", "fT", times=[0.0, 0.1, 0.2, 0.3]
    ... )
    >>> brainlm.average_samples(recording, 2).data.ravel().tolist()
    [2.0, 7.0]
    """
    if recording.times is None:
        raise ValueError("average_samples needs a time series; this recording has items")
    if n < 1:
        raise ValueError(f"n must be 1 sample or more, got {n}")
    if n == 1:
        return recording
    means, starts = [], []
    for run in recording.runs:
        rows = np.flatnonzero(recording.run == run)
        if len(rows) < n:
            raise ValueError(f"run {run!r} has {len(rows)} samples: none is a mean of {n}")
        whole = rows[: len(rows) // n * n]
        means.append(recording.data[whole].reshape(len(whole) // n, n, -1).mean(axis=1))
        starts.append(whole[::n])
    first = np.concatenate(starts)
    left_out = recording.n_samples - n * len(first)
    note = f"each sample is the mean of {n}; {left_out} at the ends of runs left out"
    return replace(recording.select_samples(first, note), data=np.concatenate(means))


def without_drifts(data: np.ndarray, step: float, period: float) -> np.ndarray:
    """Regress slow cosines out of a run (n_samples, n_targets) sampled every ``step`` seconds."""
    from nilearn.signal import clean

    found = clean(
        data, detrend=False, standardize=None, filter="cosine", high_pass=1.0 / period, t_r=step
    )
    return np.asarray(found)
