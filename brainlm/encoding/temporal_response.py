"""Temporal response functions of MEG, EEG and other fast signals.

A temporal response function is a ridge regression on lagged features, so it is a pipeline::

    make_pipeline(Delayer(lag_samples(-0.1, 0.6, rate), time_column=0), RidgeEncoder())

with one penalty per channel, cross-validated like everything else.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from brainlm.encoding.delays import delay


def lag_samples(tmin: float, tmax: float, rate: float) -> list[int]:
    """Return the lags from ``tmin`` to ``tmax`` seconds in samples, both ends included.

    Parameters
    ----------
    tmin, tmax : float
        Seconds; positive: the response follows the stimulus.
    rate : float
        Samples per second.
    """
    if rate <= 0:
        raise ValueError(f"rate must be a positive number of samples per second, got {rate}")
    first, last = round(tmin * rate), round(tmax * rate)
    if first > last:
        raise ValueError(f"tmin ({tmin} s) is after tmax ({tmax} s)")
    return list(range(first, last + 1))


class Delayer(TransformerMixin, BaseEstimator):
    """Lagged copies of the features, side by side, inside unbroken stretches of time.

    Column block k holds, at sample t, the features of sample ``t - delays[k]``; 0 where that lies
    outside of the stretch. See ``brainlm.delay``.

    Parameters
    ----------
    delays : sequence of int
        In samples; positive: the response follows.
    time_column : int, optional
        Column of X with the time of each sample in seconds, or its number. Where it does not rise
        by the usual step (the next run, a hole that a test fold left) a new stretch begins. Steps
        may differ by 1 % and by the rounding of X. The column itself is dropped. None: X is one
        stretch.

    Attributes
    ----------
    step_ : float
        Usual step of time; with ``time_column`` only.

    Raises
    ------
    ValueError
        Times that do not rise, or whose dtype is too coarse to tell one step from two.
    """

    def __init__(self, delays: Any = (0,), *, time_column: int | None = None) -> None:
        self.delays = delays
        self.time_column = time_column

    def fit(self, X: Any, y: Any = None) -> Delayer:
        """Learn the step of time."""
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        if self.time_column is not None:
            self.step_ = float(np.median(np.diff(X[:, self.time_column].astype(np.float64))))
            if self.step_ <= 0:
                raise ValueError(
                    f"time_column={self.time_column}: its values do not rise from row to row; give "
                    "the column of times in seconds"
                )
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the lagged features, (n_samples, n_delays * n_features)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        if self.time_column is None:
            return delay(X, self.delays)
        return delay(np.delete(X, self.time_column, axis=1), self.delays, self._stretches(X))

    def _stretches(self, X: np.ndarray) -> np.ndarray:
        """Return the number of the unbroken stretch of each sample."""
        clock = X[:, self.time_column]
        rounding = float(np.spacing(np.abs(clock).max()))  # of a difference; of the usual one, too
        tolerance = 0.01 * self.step_ + 2 * rounding
        if tolerance > 0.5 * self.step_:
            raise ValueError(
                f"time_column={self.time_column}: {clock.dtype} rounds times to {rounding:.2g} s, "
                f"too coarse for steps of {self.step_:.2g} s: give X as float64, or number the "
                "samples instead"
            )
        steps = np.diff(clock.astype(np.float64))
        return np.r_[0, np.cumsum(np.abs(steps - self.step_) > tolerance)]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")
