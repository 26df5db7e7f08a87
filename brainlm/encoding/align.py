"""Alignment of features with samples, run by run.

Word-level features are resampled at the times of the samples (``resample``), then seen through
several delays (`brainlm.encoding.delays`). Both happen inside a run: nothing crosses its edge.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from brainlm._validation import check_finite
from brainlm.data.features import Features
from brainlm.data.recording import Recording, sampling_interval
from brainlm.encoding.delays import checked_delays, delay, warn_without_delays
from brainlm.errors import unknown_name

METHODS = ("lanczos", "sum", "mean", "hrf")

# Length of the haemodynamic response in seconds (SPM's default).
HRF_LENGTH = 32.0
HRF_STEP = 0.01


class AlignmentWarning(UserWarning):
    """Some words lie outside the recorded time."""


class Aligned(NamedTuple):
    """Features and responses of the same samples, with the run of each."""

    X: np.ndarray
    Y: np.ndarray
    runs: np.ndarray


def lanczos_weights(
    old_times: np.ndarray, new_times: np.ndarray, *, cutoff: float, n_lobes: int = 3
) -> sparse.csr_array:
    """Weights of a Lanczos-windowed low-pass filter, (n_new, n_old).

    With ``t = cutoff * (new - old)`` and ``a = n_lobes``::

        weight = sinc(t) * sinc(t / a)  where |t| <= a,  else 0

    They are not normalised: values at irregular times are summed, as words are in encoding
    studies, so a sample in which more words fall is larger.

    Parameters
    ----------
    old_times, new_times : array of seconds
        ``old_times`` in rising order.
    cutoff : float
        Cut-off frequency of the filter in Hz; the Huth lab takes 1 / sampling interval.
    n_lobes : int
        Lobes of the window on each side.
    """
    half_width = n_lobes / cutoff
    first = np.searchsorted(old_times, new_times - half_width, side="left")
    last = np.searchsorted(old_times, new_times + half_width, side="right")
    return _sparse_rows(
        first,
        last,
        len(old_times),
        lambda row, column: _lanczos(cutoff * (new_times[row] - old_times[column]), n_lobes),
    )


def _lanczos(t: np.ndarray, n_lobes: int) -> np.ndarray:
    return np.where(np.abs(t) <= n_lobes, np.sinc(t) * np.sinc(t / n_lobes), 0.0)


def _hrf_weights(old_times: np.ndarray, new_times: np.ndarray) -> sparse.csr_array:
    """Response at each new time to a unit impulse at each old time (SPM's double gamma)."""
    from nilearn.glm.first_level import spm_hrf

    response = spm_hrf(HRF_STEP, oversampling=1, time_length=HRF_LENGTH)
    grid = np.arange(len(response)) * HRF_STEP
    first = np.searchsorted(old_times, new_times - HRF_LENGTH, side="left")
    last = np.searchsorted(old_times, new_times, side="right")
    return _sparse_rows(
        first,
        last,
        len(old_times),
        lambda row, column: np.interp(new_times[row] - old_times[column], grid, response),
    )


def _bin_weights(old_times: np.ndarray, new_times: np.ndarray, step: float) -> sparse.csr_array:
    """One where a word's time falls in [sample, sample + step)."""
    first = np.searchsorted(old_times, new_times, side="left")
    last = np.searchsorted(old_times, new_times + step, side="left")
    return _sparse_rows(first, last, len(old_times), lambda row, column: np.ones(len(row)))


def _sparse_rows(
    first: np.ndarray, last: np.ndarray, n_columns: int, weight: Callable
) -> sparse.csr_array:
    """Sparse matrix whose row i is filled in columns first[i]:last[i]."""
    counts = np.maximum(last - first, 0)
    pointers = np.r_[0, np.cumsum(counts)]
    row = np.repeat(np.arange(len(first)), counts)
    column = np.arange(pointers[-1]) - np.repeat(pointers[:-1] - first, counts)
    shape = (len(first), n_columns)
    return sparse.csr_array((weight(row, column), column, pointers), shape=shape)


def resample(
    values: np.ndarray,
    onset: np.ndarray,
    duration: np.ndarray,
    sample_times: np.ndarray,
    *,
    method: str = "lanczos",
    n_lobes: int = 3,
) -> np.ndarray:
    """Resample word-level values of one run to the times of its samples.

    A sample at time s with interval TR covers [s, s + TR).

    - ``"lanczos"``: words at their middle, samples at s + TR / 2, cut-off 1 / TR (Huth lab).
    - ``"sum"`` / ``"mean"``: over the words whose onset falls in [s, s + TR); a sample without
      words is 0.
    - ``"hrf"``: a unit impulse at each word's end, scaled by its value, seen through SPM's
      haemodynamic response (gammas 6 and 16 s, undershoot 1/6, 32 s) at the middle of the sample.
      The response is normalised to a unit sum over its 10-ms grid.

    Parameters
    ----------
    values : array of shape (n_words, n_features)
    onset, duration : array of shape (n_words,)
        Seconds.
    sample_times : array of shape (n_samples,)
        Start of each sample, in even steps, on the clock of ``onset``.
    method : {"lanczos", "sum", "mean", "hrf"}
    n_lobes : int
        Lobes of the Lanczos window on each side.

    Returns
    -------
    array of shape (n_samples, n_features)

    Examples
    --------
    >>> values = np.array([[1.0], [2.0]])
    >>> onset, duration = np.array([0.0, 2.5]), np.array([0.5, 0.5])
    >>> brainlm.resample(values, onset, duration, np.array([0.0, 2.0, 4.0]), method="sum").tolist()
    [[1.0], [2.0], [0.0]]
    """
    step = sampling_interval(np.asarray(sample_times, dtype=float))
    place = {"lanczos": onset + duration / 2, "hrf": onset + duration}.get(method, onset)
    if (np.diff(place) < 0).any():  # words that overlap may end in another order than they begin
        order = np.argsort(place, kind="stable")
        values, onset, duration = values[order], onset[order], duration[order]
    middle = sample_times + step / 2
    if method == "lanczos":
        weights = lanczos_weights(onset + duration / 2, middle, cutoff=1 / step, n_lobes=n_lobes)
    elif method == "hrf":
        weights = _hrf_weights(onset + duration, middle)
    elif method in ("sum", "mean"):
        weights = _bin_weights(onset, sample_times, step)
    else:
        raise unknown_name("method", method, METHODS)
    summed = weights @ values
    if method == "mean":
        summed = summed / np.maximum(weights.sum(axis=1), 1)[:, None]
    return np.asarray(summed, dtype=values.dtype)


def align(
    features: Features,
    recording: Recording,
    *,
    method: str | None = None,
    delays: Sequence[int] | None = None,
    n_lobes: int = 3,
) -> Aligned:
    """Align features with the samples of a recording.

    Time series: word-level features are resampled run by run at the times of the samples. The
    delayed copies are resampled at the earlier times themselves, so the words spoken before the
    first sample of a run (in volumes that were dropped) are seen, and nothing is filled in.
    Sample-level features are delayed inside their runs, zero before the run starts.

    Items: the rows of all words of the sentence that a sample responds to are averaged (or summed,
    ``method="sum"``).

    Words that are context only (`brainlm.Stimulus.context_only`) count nowhere.

    Parameters
    ----------
    features : Features
        Per word, or per sample of this recording.
    recording : Recording
    method : {"lanczos", "sum", "mean", "hrf"}, optional
        See ``resample``. Default: "lanczos" for time series, "mean" for items.
    delays : sequence of int, optional
        In samples, for example ``delays_between(2.0)``, which is ``[1, 2, 3, 4]``, for fMRI with a
        volume every 2 s. Default: ``[0]``, none. Items have no delays.
    n_lobes : int
        Lobes of the Lanczos window.

    Returns
    -------
    Aligned
        X (n_samples, n_delays * n_features), Y (n_samples, n_targets), runs (n_samples,).

    Raises
    ------
    ValueError
        When a run of the recording has no words, words lie outside the recorded time of their run,
        or an item has no words.

    Warns
    -----
    DelayWarning
        Words and fMRI, without ``delays`` and without the haemodynamic response of "hrf".
    AlignmentWarning
        Some words lie outside the recorded time.

    Examples
    --------
    >>> stimulus = brainlm.Stimulus(["a", "dog"], "en", onset=[0.0, 2.5], duration=[0.5, 0.5])
    >>> recording = brainlm.Recording(
    ...     [[0.1], [0.3], [0.2]], ["IFG"], "fmri", "BOLD (a.u.)", times=[0.0, 2.0, 4.0]
    ... )
    >>> aligned = brainlm.align(
    ...     brainlm.word_length(stimulus), recording, method="sum", delays=[0]
    ... )
    >>> aligned.X.ravel().tolist()
    [1.0, 3.0, 0.0]
    """
    for value, name, kind in (
        (features, "features", Features),
        (recording, "recording", Recording),
    ):
        if not isinstance(value, kind):
            raise TypeError(
                f"{name} must be {kind.__name__}, got {type(value).__name__}: the call is "
                "align(features, recording)"
            )
    undelayed = delays is None and method != "hrf"
    delays = (0,) if delays is None else delays
    if features.stimulus is not None and not features.stimulus.counted.all():
        features = features.select_words(features.stimulus.counted)
    if recording.times is None:
        if checked_delays(delays) != [0]:
            raise ValueError(f"delays {list(delays)} need a time series; this recording has items")
        X = _align_items(features, recording, method or "mean")
    elif features.level == "sample":
        same = len(features.values) == recording.n_samples
        if not same:
            raise ValueError(
                f"{features.name!r} has {len(features.values)} rows, the recording "
                f"{recording.n_samples} samples: sample-level features need one row per sample"
            )
        X = delay(features.values, delays, recording.run)
    else:
        X = _align_words(features, recording, method or "lanczos", checked_delays(delays), n_lobes)
    check_finite(X, f"aligned {features.name!r}")
    if undelayed:
        warn_without_delays(features, recording)
    return Aligned(X, recording.data, recording.run)


def _align_words(
    features: Features, recording: Recording, method: str, delays: list[int], n_lobes: int
) -> np.ndarray:
    stimulus = features.stimulus
    assert stimulus is not None
    assert recording.times is not None
    if not stimulus.timed:
        raise ValueError("the words have no times: a time series needs onset and duration")
    _check_runs(stimulus.runs, recording.runs)
    X = np.empty((recording.n_samples, len(delays), features.n_features), features.values.dtype)
    for run in recording.runs:
        samples, words = recording.run == run, stimulus.run == run
        times = recording.times[samples]
        step = sampling_interval(times, run)
        onset, duration = stimulus.onset[words], stimulus.duration[words]
        _check_clock(onset, duration, times, step, run)
        # One resampling on a grid that reaches back by the longest delay (and on by the longest
        # negative one); each delayed copy is a slice of it.
        before, after = max(0, *delays), max(0, *(-d for d in delays))
        grid = np.r_[
            times[0] - step * np.arange(before, 0, -1),
            times,
            times[-1] + step * np.arange(1, after + 1),
        ]
        values = features.values[words]
        resampled = resample(values, onset, duration, grid, method=method, n_lobes=n_lobes)
        for k, shift in enumerate(delays):
            X[samples, k] = resampled[before - shift : before - shift + len(times)]
    return X.reshape(recording.n_samples, -1)


def _check_runs(words: list[str], samples: list[str]) -> None:
    without = [run for run in samples if run not in words]
    unheard = [run for run in words if run not in samples]
    if without or unheard:
        raise ValueError(
            f"runs differ: {without or 'none'} of the recording have no words, {unheard or 'none'} "
            "of the stimulus have no samples; name the runs alike or select the ones both have"
        )


def _check_clock(
    onset: np.ndarray, duration: np.ndarray, times: np.ndarray, step: float, run: str
) -> None:
    """Raise unless words and samples overlap in time: clocks that differ misalign in silence."""
    end = times[-1] + step
    inside = (onset < end) & (onset + duration > times[0])
    message = (
        f"run {run!r}: {int(inside.sum())} of {len(onset)} words "
        f"({onset[0]:.1f} to {(onset + duration)[-1]:.1f} s) fall into the recorded time "
        f"({times[0]:.1f} to {end:.1f} s)"
    )
    if inside.mean() < 0.5:
        raise ValueError(
            f"{message}: put both on one clock (offset of the first sample, milliseconds "
            "against seconds)"
        )
    if not inside.all():
        warnings.warn(f"{message}; the others do not reach any sample", AlignmentWarning, 4)


def _align_items(features: Features, recording: Recording, method: str) -> np.ndarray:
    if method not in ("mean", "sum"):
        raise unknown_name("method for items", method, ("mean", "sum"))
    stimulus = features.stimulus
    if stimulus is None:
        if len(features.values) != recording.n_samples:
            raise ValueError(
                f"{features.name!r} has {len(features.values)} rows, the recording "
                f"{recording.n_samples} items: give one row per item"
            )
        return features.values
    # Items are blocks of rows that follow each other, so one reduceat sums them all.
    changes = stimulus.item[1:] != stimulus.item[:-1]
    starts = np.flatnonzero(np.r_[True, changes])
    labels, lengths = stimulus.item[starts], np.diff(np.r_[starts, stimulus.n_words])
    combined = np.add.reduceat(features.values, starts, axis=0)
    if method == "mean":
        combined /= lengths[:, None].astype(combined.dtype)
    if np.array_equal(labels, recording.items):
        return combined
    place = {label: i for i, label in enumerate(labels.tolist())}
    absent = [item for item in recording.items if item not in place]
    if absent:
        raise ValueError(
            f"{len(absent)} of {recording.n_samples} items have no words in the stimulus (the "
            f"first: {absent[0]!r}): items and Stimulus.item must use the same labels"
        )
    return combined[[place[item] for item in recording.items]]
