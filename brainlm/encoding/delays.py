"""Delays: features seen some samples later, because responses follow words."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from brainlm.data.features import Features
from brainlm.data.recording import Recording


class DelayWarning(UserWarning):
    """Words are aligned with fMRI without delays: blood responds seconds after them."""


def delay(X: np.ndarray, delays: Sequence[int], runs: np.ndarray | None = None) -> np.ndarray:
    """Return copies of ``X`` delayed by each of ``delays`` samples, side by side.

    Column block k holds, at sample t, the features of sample ``t - delays[k]`` of the same run;
    where that lies before the start (or after the end) of the run, 0.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    delays : sequence of int
        In samples; a positive delay means that the response follows.
    runs : array of shape (n_samples,), optional

    Returns
    -------
    array of shape (n_samples, n_delays * n_features)

    Examples
    --------
    >>> brainlm.delay(np.array([[1.0], [2.0], [3.0]]), [0, 1]).tolist()
    [[1.0, 0.0], [2.0, 1.0], [3.0, 2.0]]
    """
    delays = checked_delays(delays)
    runs = np.zeros(len(X), dtype=int) if runs is None else np.asarray(runs)
    delayed = np.zeros((len(X), len(delays), X.shape[1]), dtype=X.dtype)
    for run in dict.fromkeys(runs.tolist()):
        rows = np.flatnonzero(runs == run)
        if max(map(abs, delays)) >= len(rows):
            raise ValueError(
                f"delays {delays}: run {run!r} has {len(rows)} samples, a longer delay leaves only "
                "zeros of it: use shorter delays, or leave the run out"
            )
        for k, shift in enumerate(delays):
            source = rows - shift
            inside = (source >= rows[0]) & (source <= rows[-1])
            delayed[rows[inside], k] = X[source[inside]]
    return delayed.reshape(len(X), -1)


def delays_between(step: float, first: float = 2.0, last: float = 8.0) -> list[int]:
    """Return the delays, in samples, that lie between two lags in seconds.

    ``delays_between(2.0)`` is ``[1, 2, 3, 4]``, the Huth lab's four delays at a TR of 2 s;
    ``delays_between(1.0)`` is ``[2, 3, ..., 8]``. The same numbers of samples at a TR of 0.71 s
    would end at 2.8 s, before the peak of the haemodynamic response.

    Parameters
    ----------
    step : float
        Sampling interval in seconds.
    first, last : float
        Shortest and longest lag in seconds, each rounded to the nearest sample.

    Examples
    --------
    >>> brainlm.delays_between(2.0)
    [1, 2, 3, 4]
    >>> brainlm.delays_between(0.71, 2.0, 4.0)
    [3, 4, 5, 6]
    """
    if not step > 0:
        raise ValueError(f"step must be a positive number of seconds, got {step}")
    if not last >= first:
        raise ValueError(f"last ({last} s) must not lie before first ({first} s)")
    return list(range(round(first / step), round(last / step) + 1))


def checked_delays(delays: Sequence[int]) -> list[int]:
    """Return delays as a list of distinct whole numbers, or raise a ValueError."""
    if np.ndim(delays) == 0:
        raise ValueError(
            f"delays must be a list of samples, got {delays!r}: [{delays}] is that one delay; "
            "delays_between(sampling_interval) gives those from 2 to 8 s"
        )
    checked = [int(d) for d in delays]
    if not checked or checked != list(delays) or len(set(checked)) < len(checked):
        raise ValueError(f"delays must be distinct whole numbers of samples, got {list(delays)}")
    return checked


def warn_without_delays(features: Features, recording: Recording, stacklevel: int = 3) -> None:
    """Warn where words meet the time series of fMRI or fNIRS, whose responses are late."""
    slow = recording.modality in ("fmri", "fnirs") and recording.times is not None
    if slow and features.level == "word":
        message = (
            f"{recording.modality} is aligned without delays, but responses to a word peak about "
            "5 s later: pass delays=delays_between(step), with the seconds between volumes "
            "(or delays=[0], where an encoder delays them later)"
        )
        warnings.warn(message, DelayWarning, stacklevel)
