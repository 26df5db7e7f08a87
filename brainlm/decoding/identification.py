"""Identification: whether a decoded pattern is closer to its own item than to others."""

from __future__ import annotations

import numpy as np

from brainlm.similarity import standardize_rows

__all__ = ["pairwise_accuracy", "pattern_correlations", "rank_accuracy", "top_k_accuracy"]


def pattern_correlations(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Correlate every predicted pattern with every true one over features.

    Parameters
    ----------
    predicted, true : array of shape (n_items, n_features)
        With the mean pattern of the training items removed; a shared mean pattern makes every
        pair look alike.

    Returns
    -------
    array of shape (n_items, n_items)
        ``[i, j]``: predicted item i with true item j.
    """
    if predicted.shape != true.shape:
        raise ValueError(f"shapes differ: predicted {predicted.shape}, true {true.shape}")
    return standardize_rows(predicted, "predicted") @ standardize_rows(true, "true").T


def pairwise_accuracy(similarity: np.ndarray, groups: np.ndarray | None = None) -> float:
    """2v2 accuracy: the share of pairs that are matched rightly. Chance is 0.5.

    A pair (i, j) counts 1 where ``s_ii + s_jj > s_ij + s_ji``, 1/2 where equal.

    Parameters
    ----------
    similarity : array of shape (n_items, n_items)
        ``[i, j]``: predicted item i with true item j.
    groups : array of shape (n_items,), optional
        Only pairs from different groups are compared (sentences of one passage share their topic).
    """
    s = np.asarray(similarity)
    first, second = np.triu_indices(len(s), k=1)
    if groups is not None:
        apart = np.asarray(groups)[first] != np.asarray(groups)[second]
        first, second = first[apart], second[apart]
    if len(first) == 0:
        raise ValueError("no pair of items to compare: at least two items of different groups")
    own = s[first, first] + s[second, second]
    crossed = s[first, second] + s[second, first]
    return float(np.mean((own > crossed) + 0.5 * (own == crossed)))


def rank_accuracy(similarity: np.ndarray) -> np.ndarray:
    """Rank of the own item among all, 1 for the most similar, 0 for the least. Chance is 0.5.

    Ties count half.

    Parameters
    ----------
    similarity : array of shape (n_items, n_items)
        ``[i, j]``: predicted item i with true item j.

    Returns
    -------
    array of shape (n_items,)
    """
    s = np.asarray(similarity)
    if len(s) < 2:
        raise ValueError("a rank needs at least two items")
    own = np.diag(s)[:, None]
    below = (s < own).sum(axis=1) + 0.5 * ((s == own).sum(axis=1) - 1)
    return below / (len(s) - 1)


def top_k_accuracy(similarity: np.ndarray, k: int) -> float:
    """Return the share of items of which the own one is among the k most similar. Chance k / n.

    Items tied with the own one count as half before it.

    Parameters
    ----------
    similarity : array of shape (n_items, n_items)
        ``[i, j]``: predicted item i with true item j.
    k : int
    """
    s = np.asarray(similarity)
    if not 1 <= k <= len(s):
        raise ValueError(f"k must be from 1 to {len(s)} items, got {k}")
    own = np.diag(s)[:, None]
    before = (s > own).sum(axis=1) + 0.5 * ((s == own).sum(axis=1) - 1)
    return float(np.mean(before < k))
