"""Leakage probe: scores of features without any language under a given split."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlm.data.notes import Note
from brainlm.data.recording import Recording, sampling_interval
from brainlm.encoding.align import align
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.encoding.splits import Split
from brainlm.features.baselines import smooth_noise


class LeakageWarning(UserWarning):
    """Features without language predict the data: training and test are not independent."""


@dataclass(frozen=True)
class LeakageProbe:
    """Scores of smooth noise under a split.

    Attributes
    ----------
    scores : array of shape (n_draws, n_targets)
        Held-out r of each independent empty baseline.
    p : float
        One-sided t test over draws of the mean over targets against 0.
    """

    scores: np.ndarray
    p: float

    @property
    def mean(self) -> float:
        """Mean r over draws and targets."""
        return float(self.scores.mean())

    @property
    def leaks(self) -> bool:
        """Whether the noise predicts the data: p < .01 and a mean r above .01."""
        return self.p < 0.01 and self.mean > 0.01

    @property
    def note(self) -> Note:
        """The result as a note of a bundle."""
        return Note(str(self), "leakage")

    def __str__(self) -> str:
        n_draws = len(self.scores)
        return (
            f"leakage probe: r = {self.mean:.3f} over {n_draws} empty baselines (p = {self.p:.3f})"
        )


def leakage_probe(
    recording: Recording,
    split: Split,
    *,
    encoder: Any = None,
    n_draws: int = 20,
    n_features: int = 100,
    width: float | None = None,
    seed: int = 0,
) -> LeakageProbe:
    """Score features that are smooth in time and empty of language.

    Neighbouring samples resemble each other. Where they stand on both sides of a fold, anything
    that is smooth predicts them; where folds are contiguous with a gap, nothing empty does. Run
    this beside every encoding result of a time series.

    Parameters
    ----------
    recording : Recording
        A time series, as it goes into the encoder (filtered, standardised).
    split : Split
    encoder : scikit-learn estimator, optional
        Default: ``RidgeEncoder()``.
    n_draws : int
        Independent baselines, each with its own seed; at least 3.
    n_features : int
        Columns of smooth noise in each.
    width : float, optional
        Standard deviation of the Gaussian that smooths the noise, in seconds: about as long as the
        data remember. Default: 4 s for fMRI, two samples otherwise.
    seed : int

    Returns
    -------
    LeakageProbe

    Warns
    -----
    LeakageWarning
        When the baselines predict the data (``LeakageProbe.leaks``).

    References
    ----------
    The empty baseline: Feghhi et al. 2024, arXiv 2406.01538. The probe is ours.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> slow = rng.standard_normal((300, 2)).cumsum(axis=0)
    >>> recording = brainlm.Recording(
    ...     slow, ["IFG", "MTG"], "fmri", "BOLD (a.u.)", times=2.0 * np.arange(300)
    ... )
    >>> probe = brainlm.leakage_probe(recording, brainlm.ContiguousBlocks(5, gap=4), n_draws=5)
    >>> probe.scores.shape
    (5, 2)
    """
    from scipy.stats import ttest_1samp

    if n_draws < 3:
        raise ValueError(f"n_draws must be at least 3 for a t test over draws, got {n_draws}")
    encoder = RidgeEncoder() if encoder is None else encoder
    samples, scores = _width(recording, width), []
    with warnings.catch_warnings():
        # Empty features have no best penalty: all go to the upper edge.
        warnings.simplefilter("ignore", AlphaEdgeWarning)
        for number in range(n_draws):
            features = smooth_noise(recording, n_features, width=samples, seed=seed + number)
            X, Y, _ = align(features, recording)
            scores.append(cross_validate(encoder, X, Y, split).mean)
    found = np.array(scores)
    p = float(ttest_1samp(found.mean(axis=1), 0, alternative="greater").pvalue)
    probe = LeakageProbe(found, p)
    if probe.leaks:
        warnings.warn(
            f"{probe}: training and test samples are not independent; use contiguous blocks with a "
            "gap, or leave runs out",
            LeakageWarning,
            stacklevel=2,
        )
    return probe


def _width(recording: Recording, seconds: float | None) -> float:
    """Width of the Gaussian in samples."""
    if recording.times is None or (seconds is None and recording.modality != "fmri"):
        return 2.0  # items are refused where the noise is drawn
    first = recording.run[0]
    step = sampling_interval(recording.times[recording.run == first], str(first))
    return (4.0 if seconds is None else seconds) / step
