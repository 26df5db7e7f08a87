"""Number of words spoken in each sample, predicted from brain responses alone.

Published (Tang et al. 2023, code): ridge from the responses of the next samples (1 to 4) to the
number of words in a sample, rounded, words spread evenly inside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainlm.decoding.embedding import responses_after
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import LeaveOneRunOut
from brainlm.errors import CorruptDataError

IMPLAUSIBLE = 10


@dataclass(frozen=True, eq=False)
class WordRate:
    """A fitted word-rate model.

    Attributes
    ----------
    encoder : RidgeEncoder
        From responses_after responses to words per sample.
    lags : tuple of int
    step : float
        Sampling interval of the training runs, in seconds.
    most : int
        Words in the fullest sample of training.
    """

    encoder: RidgeEncoder
    lags: tuple[int, ...]
    step: float
    most: int

    def predict(self, responses: np.ndarray, sample_times: np.ndarray) -> np.ndarray:
        """Return the middle of every predicted word in seconds, (n_words,).

        Parameters
        ----------
        responses : array of shape (n_samples, n_targets)
        sample_times : array of shape (n_samples,)
            Start of each sample.

        Raises
        ------
        ValueError
            The sampling interval is not that of training, no word is predicted at all, or more
            than `IMPLAUSIBLE` times as many in a sample as training ever had.
        """
        step = float(np.median(np.diff(sample_times)))
        if abs(step - self.step) > 0.01 * self.step:
            raise ValueError(
                f"the responses have a sample every {step:g} s, those of training every "
                f"{self.step:g} s: resample one of them, or train on the same TR"
            )
        X, rows = responses_after(responses, self.lags)
        counts = np.maximum(np.rint(self.encoder.predict(X)), 0).astype(int)
        if counts.sum() == 0:
            raise ValueError(
                "the word-rate model predicts no word at all: the responses do not vary as those "
                "of training do; are they of the same subject, voxels and units?"
            )
        if counts.max() > IMPLAUSIBLE * self.most:
            raise ValueError(
                f"the word-rate model predicts {counts.max()} words in a sample of {step:g} s, the "
                f"training stories have {self.most} at most: the responses are not on the scale of "
                "training, or there is too little of it (give more or longer stories)"
            )
        return spread_words(counts, sample_times[0] + step * rows, step)


def count_words(onset: np.ndarray, start: np.ndarray, step: float) -> np.ndarray:
    """Return how many words begin in each sample ``[start, start + step)``."""
    edges = np.r_[start, start[-1] + step]
    return np.histogram(onset[(onset >= edges[0]) & (onset < edges[-1])], edges)[0].astype(float)


def spread_words(counts: np.ndarray, start: np.ndarray, step: float) -> np.ndarray:
    """Return the middle of words that are spread evenly inside their samples."""
    return np.concatenate(
        [s + step * (np.arange(n) + 0.5) / n for n, s in zip(counts, start, strict=True) if n]
        or [np.empty(0)]
    )


def fit_word_rate(
    responses: list[np.ndarray],
    sample_times: list[np.ndarray],
    onsets: list[np.ndarray],
    lags: tuple[int, ...] = (1, 2, 3, 4),
) -> WordRate:
    """Fit a word-rate model on training runs.

    Parameters
    ----------
    responses, sample_times, onsets : lists, one entry per run
        (n_samples, n_targets); starts of samples; starts of words, all in seconds of the run.
    lags : tuple of int
        In samples.

    Raises
    ------
    ValueError
        The runs differ in their sampling interval.
    CorruptDataError
        A run has no words in its recorded time.
    """
    steps = [float(np.median(np.diff(times))) for times in sample_times]
    if max(steps) - min(steps) > 0.01 * max(steps):
        raise ValueError(f"training runs differ in their TR: {sorted(set(steps))} s")
    parts, counts, labels = [], [], []
    for run, (Y, times, onset) in enumerate(zip(responses, sample_times, onsets, strict=True)):
        X, rows = responses_after(Y, lags)
        found = count_words(onset, times[0] + steps[0] * rows, steps[0])
        if found.sum() == 0:
            raise CorruptDataError(
                f"training run {run} has no word in its recorded time ({times[0]:g} to "
                f"{times[-1]:g} s, words from {onset[0]:g} s): its clocks differ"
            )
        parts.append(X)
        counts.append(found)
        labels += [str(run)] * len(rows)
    X = np.concatenate(parts)
    several = len(responses) > 1
    cv = list(LeaveOneRunOut(np.array(labels)).split(X)) if several else None
    encoder = RidgeEncoder(cv=cv, warn_edge=False).fit(X, np.concatenate(counts).astype(X.dtype))
    most = int(max(found.max() for found in counts))
    return WordRate(encoder, tuple(lags), steps[0], most)
