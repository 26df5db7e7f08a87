"""Noise ceilings: how well the data of others, or repetitions, predict the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brainlm.scores import fisher_mean, pearson

__all__ = ["leave_one_subject_out"]


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
        Responses to the same samples, z-scored or in the same unit.
    folds : sequence of array of int, optional
        Test samples of each fold. The correlation is then computed inside each and averaged by
        Fisher's z, exactly as the encoding scores it stands beside.

    Returns
    -------
    array of shape (n_subjects, n_targets)

    References
    ----------
    Nastase et al. 2019, Soc Cogn Affect Neurosci 14:667, doi 10.1093/scan/nsz037.
    """
    data = np.asarray(data, dtype=float)
    if data.ndim != 3 or len(data) < 2:
        raise ValueError(
            f"data must have shape (n_subjects, n_samples, n_targets), two subjects or more; "
            f"got {data.shape}"
        )
    folds = [np.arange(data.shape[1])] if folds is None else folds
    total = data.sum(axis=0)
    ceiling = np.empty((len(data), data.shape[2]))
    for subject, own in enumerate(data):
        others = (total - own) / (len(data) - 1)
        ceiling[subject] = fisher_mean(np.stack([pearson(others[f], own[f]) for f in folds]))
    return ceiling
