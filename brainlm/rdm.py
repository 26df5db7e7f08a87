"""Representational dissimilarity matrices and their comparison (RSA).

This is not similarity encoding: RSA correlates two sets of distances, similarity encoding predicts
responses.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import kendalltau, spearmanr

from brainlm.errors import unknown_name
from brainlm.scores import pearson
from brainlm.similarity import standardize_rows

__all__ = ["COMPARISONS", "DISTANCES", "compare_rdms", "rdm"]

DISTANCES = ("correlation", "cosine", "euclidean")
COMPARISONS = ("spearman", "pearson", "kendall")


def rdm(X: np.ndarray, metric: str = "correlation") -> np.ndarray:
    """Return the condensed dissimilarity matrix of the rows of ``X``.

    Parameters
    ----------
    X : array of shape (n_items, n_features)
    metric : {"correlation", "cosine", "euclidean"}
        1 - Pearson correlation over features, 1 - cosine, or Euclidean distance.

    Returns
    -------
    array of shape (n_items * (n_items - 1) / 2,)
        Upper triangle in row order, scipy's condensed form
        (``scipy.spatial.distance.squareform`` makes the matrix).
    """
    if metric not in DISTANCES:
        raise unknown_name("metric", metric, DISTANCES)
    X = np.asarray(X, dtype=float)
    if metric == "correlation":
        standardize_rows(X)  # refuses a single column and flat rows, with advice
    if metric == "cosine" and (np.linalg.norm(X, axis=1) == 0).any():
        raise ValueError("X has all-zero rows, whose cosine with anything is undefined: drop them")
    return pdist(X, metric=metric)


def compare_rdms(first: np.ndarray, second: np.ndarray, method: str = "spearman") -> float:
    """Return the correlation of two condensed RDMs over the same items.

    Parameters
    ----------
    first, second : array of shape (n_pairs,)
    method : {"spearman", "pearson", "kendall"}
        "kendall" is tau-b.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"the RDMs have {first.shape} and {second.shape} pairs: compute both on the same items"
        )
    if method == "spearman":
        return float(spearmanr(first, second).statistic)
    if method == "pearson":
        return float(pearson(first[:, None], second[:, None])[0])
    if method == "kendall":
        return float(kendalltau(first, second).statistic)
    raise unknown_name("method", method, COMPARISONS)
