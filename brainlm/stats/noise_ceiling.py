"""Noise ceilings from other subjects or from repetitions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brainlm.data.scores import fisher_mean, fisher_z, observed_pearson, pearson


def leave_one_subject_out(
    data: np.ndarray, folds: Sequence[np.ndarray] | None = None
) -> np.ndarray:
    """Correlation of each subject with the mean of all others (intersubject correlation).

    The same stimulus drives all; what a subject shares with the others is the most that a model
    of the stimulus can be expected to explain in that subject. This is a lower bound of the
    ceiling: the mean of the others is itself noisy.

    Parameters
    ----------
    data : array of shape (n_subjects, n_samples, n_targets)
        Responses to the same samples, z-scored or in the same unit. A sample that a subject has no
        response to is NaN: the mean is over the others who have one, and the correlation over the
        samples that both have (NaN for fewer than ten in all folds).
    folds : sequence of array of int, optional
        Test samples of each fold. The correlation is then computed inside each and averaged by
        Fisher's z, exactly as the encoding scores that it is compared with.

    Returns
    -------
    array of shape (n_subjects, n_targets)

    References
    ----------
    Nastase et al. 2019, Soc Cogn Affect Neurosci 14:667, doi 10.1093/scan/nsz037.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.standard_normal((200, 3))
    >>> data = shared + rng.standard_normal((8, 200, 3))
    >>> brainlm.leave_one_subject_out(data).shape
    (8, 3)
    """
    data = np.asarray(data, dtype=float)
    if data.ndim != 3 or len(data) < 2:
        raise ValueError(
            f"data must have shape (n_subjects, n_samples, n_targets), two subjects or more; "
            f"got {data.shape}"
        )
    folds = [np.arange(data.shape[1])] if folds is None else folds
    if np.isnan(data).any():
        return _incomplete(data, folds)
    total = data.sum(axis=0)
    ceiling = np.empty((len(data), data.shape[2]))
    for subject, own in enumerate(data):
        others = (total - own) / (len(data) - 1)
        ceiling[subject] = fisher_mean(np.stack([pearson(others[f], own[f]) for f in folds]))
    return ceiling


def _incomplete(data: np.ndarray, folds: Sequence[np.ndarray]) -> np.ndarray:
    """`leave_one_subject_out` where subjects responded to different samples."""
    total, count = np.nansum(data, axis=0), np.isfinite(data).sum(axis=0)
    ceiling = np.full((len(data), data.shape[2]), np.nan)
    for subject, own in enumerate(data):
        here = np.isfinite(own)
        n_others = count - here
        others = (total - np.where(here, own, 0.0)) / np.where(n_others > 0, n_others, np.nan)
        r = np.array([observed_pearson(others[fold], own[fold]) for fold in folds])
        some = np.isfinite(r).any(axis=0)
        ceiling[subject, some] = np.tanh(np.nanmean(fisher_z(r[:, some]), axis=0))
    return ceiling


def repeat_ceiling(data: np.ndarray) -> np.ndarray:
    """Highest correlation of any model of the stimulus with the mean of repetitions.

    With m the mean over R repetitions, the power of the signal is
    ``S = (R var(m) - mean of var(repetition)) / (R - 1)``, and the ceiling ``sqrt(S / var(m))``,
    0 where S is negative.

    The ceiling of noise is not 0. S lies above 0 in half of the targets without any signal, and the
    root enlarges it: their mean is .17 with 2 repetitions of 100 samples, .08 with 8 of 2,000 (in a
    tenth of the targets it exceeds .48 and .20). Choose targets by another criterion
    before dividing by it.

    Parameters
    ----------
    data : array of shape (n_repeats, n_samples, n_targets)

    Returns
    -------
    array of shape (n_targets,)

    References
    ----------
    Sahani & Linden 2003, NIPS 15; Schoppe et al. 2016, doi 10.3389/fncom.2016.00010.
    """
    data = _repeats(data)
    n_repeats = len(data)
    of_mean = data.mean(axis=0).var(axis=0, ddof=1)
    each = data.var(axis=1, ddof=1).mean(axis=0)
    signal = (n_repeats * of_mean - each) / (n_repeats - 1)
    return np.sqrt(np.clip(signal, 0, None) / of_mean)


def normalised(scores: np.ndarray, ceiling: np.ndarray, *, least: float = 0.05) -> np.ndarray:
    """Return scores divided by their ceiling, NaN where the ceiling is below ``least``.

    Keep them beside the raw ones: dividing by a small ceiling inflates noise. Values above 1 are
    no error, since ceilings are estimates.
    """
    scores, ceiling = np.asarray(scores, dtype=float), np.asarray(ceiling, dtype=float)
    return np.where(ceiling >= least, scores / np.where(ceiling >= least, ceiling, 1.0), np.nan)


def _repeats(data: np.ndarray) -> np.ndarray:
    data = np.asarray(data, dtype=float)
    if data.ndim != 3 or len(data) < 2 or not np.isfinite(data).all():
        raise ValueError(
            "data must be finite, of shape (n_repeats, n_samples, n_targets), two repetitions or "
            f"more; got shape {data.shape}"
        )
    return data
