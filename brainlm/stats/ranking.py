"""Ranks of models over data sets, with the Friedman test and critical differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import friedmanchisquare, rankdata, studentized_range, t


@dataclass(frozen=True, eq=False)
class Ranking:
    """Ranks of models over data sets, or groups of them (1 = best).

    Attributes
    ----------
    models : tuple of str
    ranks : array of shape (n_groups, n_models)
        Ties share their mean rank; data sets of a group are averaged.
    mean : array of shape (n_models,)
    low, high : array of shape (n_models,)
        95 % interval of the mean rank (t over data sets or groups), within 1 and n_models.
    p : float
        Friedman's test that all models are alike.
    critical_difference : float
        Mean ranks nearer than this do not differ (Nemenyi, .05).
    """

    models: tuple[str, ...]
    ranks: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: float
    critical_difference: float

    @property
    def wins(self) -> np.ndarray:
        """Data sets (or groups) on which each model is best, (n_models,)."""
        return (self.ranks == self.ranks.min(axis=1, keepdims=True)).sum(axis=0)


def rank_models(
    scores: np.ndarray, models: list[str], *, groups: Sequence[str] | None = None
) -> Ranking:
    """Rank models by their scores on each data set.

    The critical difference of mean ranks over N data sets and k models is
    ``q sqrt(k (k + 1) / (6 N))`` with q the Studentized range quantile (.95, k, infinity) over
    ``sqrt(2)``.

    Parameters
    ----------
    scores : array of shape (n_datasets, n_models)
        Higher is better; no missing ones: rank the models that all data sets have.
    models : sequence of str
    groups : sequence of str, optional
        Group of each data set, such as the sentences that gaze and EEG share. Ranks are averaged
        inside groups, and the groups are the units of everything else.

    Raises
    ------
    ValueError
        Missing scores, fewer than three models or three data sets.

    References
    ----------
    Demsar 2006, J Mach Learn Res 7:1.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or scores.shape[1] != len(models):
        raise ValueError(f"scores has shape {scores.shape} for {len(models)} models")
    n_datasets, n_models = scores.shape
    if n_models < 3 or n_datasets < 3:
        raise ValueError(
            f"ranks need three or more models and data sets, got {n_models} and {n_datasets}"
        )
    if not np.isfinite(scores).all():
        row, column = np.argwhere(~np.isfinite(scores))[0]
        raise ValueError(
            f"scores has no value for model {models[column]!r} on data set {row}: rank the models "
            "that every data set has"
        )
    ranks = rankdata(-scores, axis=1)
    if groups is not None:
        labels = np.asarray(groups).astype(str)
        if len(labels) != n_datasets:
            raise ValueError(f"groups has {len(labels)} entries for {n_datasets} data sets")
        ranks = np.array([ranks[labels == g].mean(axis=0) for g in dict.fromkeys(labels)])
        n_datasets = len(ranks)
        if n_datasets < 3:
            raise ValueError(f"ranks need three or more groups of data sets, got {n_datasets}")
    q = studentized_range.ppf(0.95, n_models, np.inf) / np.sqrt(2)
    mean = ranks.mean(axis=0)
    half = t.ppf(0.975, n_datasets - 1) * ranks.std(axis=0, ddof=1) / np.sqrt(n_datasets)
    return Ranking(
        tuple(models),
        ranks,
        mean,
        np.maximum(mean - half, 1),
        np.minimum(mean + half, n_models),
        float(friedmanchisquare(*ranks.T).pvalue),
        float(q * np.sqrt(n_models * (n_models + 1) / (6 * n_datasets))),
    )
