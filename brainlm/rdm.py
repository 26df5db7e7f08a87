"""Representational dissimilarity matrices and their comparison (RSA).

This is not similarity encoding: RSA correlates two sets of distances, similarity encoding predicts
responses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.distance import pdist, squareform
from scipy.stats import kendalltau, rankdata

from brainlm._arrays import at, double, empty, host, is_tensor, like, namespace, place, row_norms
from brainlm.errors import unknown_name
from brainlm.scores import pearson
from brainlm.similarity import standardize_rows

__all__ = [
    "COMPARISONS",
    "DISTANCES",
    "compare_rdms",
    "crossnobis",
    "permuted_comparisons",
    "rdm",
]

DISTANCES = ("correlation", "cosine", "euclidean")
ROWS_AT_ONCE = 1024  # of the square matrix
COMPARISONS = ("spearman", "pearson", "kendall", "tau-a")


def rdm(X: Any, metric: str = "correlation", *, device: str | None = None) -> Any:
    """Return the condensed dissimilarity matrix of the rows of ``X``.

    Parameters
    ----------
    X : array of shape (n_items, n_features)
        Taken in double precision (in single on "mps", which has no other).
    metric : {"correlation", "cosine", "euclidean"}
        1 - Pearson correlation over features, 1 - cosine, or Euclidean distance.
    device : str, optional
        Where to compute, as in `brainlm.RidgeEncoder`.

    Returns
    -------
    array of shape (n_items * (n_items - 1) / 2,)
        Upper triangle in row order, scipy's condensed form
        (``scipy.spatial.distance.squareform`` makes the matrix). A tensor where ``X`` is one.
    """
    if metric not in DISTANCES:
        raise unknown_name("metric", metric, DISTANCES)
    given = X if is_tensor(X) else np.asarray(X)
    X = double(place(given, device))
    if metric == "euclidean":
        distances = namespace(X).nn.functional.pdist(X) if is_tensor(X) else pdist(X)
    else:
        distances = _one_minus_products(X, metric)
    return like(distances, given, keep_dtype=True) if is_tensor(given) else host(distances)


def _one_minus_products(X: Any, metric: str) -> Any:
    """1 - product of rows of length 1, the rows centred for correlation, at least 0."""
    if metric == "correlation":
        Z = standardize_rows(X)  # refuses a single column and flat rows, with advice
    else:
        length = row_norms(X)
        if bool((length == 0).any()):
            raise ValueError(
                "X has all-zero rows, whose cosine with anything is undefined: drop them"
            )
        Z = X / length
    n, start = len(Z), 0
    distances = empty((n * (n - 1) // 2,), Z)
    for first in range(0, n, ROWS_AT_ONCE):
        products = Z[first : first + ROWS_AT_ONCE] @ Z[first:].T
        rows, columns = (at(np.arange(size), Z) for size in products.shape)
        own = products[columns > rows[:, None]]
        distances[start : start + len(own)] = own
        start += len(own)
    return (1 - distances).clip(0)


def compare_rdms(first: np.ndarray, second: np.ndarray, method: str = "spearman") -> float:
    """Return the correlation of two condensed RDMs over the same items.

    Parameters
    ----------
    first, second : array of shape (n_pairs,)
    method : {"spearman", "pearson", "kendall", "tau-a"}
        "kendall" is tau-b. Tau-a, (concordant - discordant) / all pairs, is the one to take where
        an RDM has many ties: it does not reward a model for predicting ties.

    References
    ----------
    Nili et al. 2014, doi 10.1371/journal.pcbi.1003553 (tau-a).
    """
    if method not in COMPARISONS:
        raise unknown_name("method", method, COMPARISONS)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(
            f"the RDMs have {first.shape} and {second.shape} pairs: compute both on the same items"
        )
    if method == "tau-a":
        return _tau_a(first, second)
    if method == "kendall":
        return float(kendalltau(first, second).statistic)
    if method == "spearman":
        first, second = rankdata(first), rankdata(second)
    return float(pearson(first[:, None], second[:, None])[0])


def _tau_a(first: np.ndarray, second: np.ndarray) -> float:
    n = len(first)
    pairs = n * (n - 1) / 2

    def untied(values: np.ndarray) -> float:
        counts = np.unique(values, return_counts=True)[1]
        return pairs - (counts * (counts - 1) / 2).sum()

    tau_b = kendalltau(first, second).statistic
    return float(tau_b * np.sqrt(untied(first) * untied(second)) / pairs)


def crossnobis(patterns: np.ndarray, covariance: np.ndarray | None = None) -> np.ndarray:
    """Return cross-validated Mahalanobis distances, condensed, unbiased: 0 for equal patterns.

    ::

        d_ij = mean over runs m != n of (x_i - x_j)_m' S^-1 (x_i - x_j)_n / n_features

    Parameters
    ----------
    patterns : array of shape (n_runs, n_items, n_features)
        Patterns of the same items in each run, two runs or more, with independent noise.
    covariance : array of shape (n_features, n_features), optional
        Noise covariance S (from residuals, shrunk so that it can be inverted). Default: identity.

    Returns
    -------
    array of shape (n_items * (n_items - 1) / 2,)
        May be negative, as an unbiased estimate of a small distance must.

    References
    ----------
    Walther et al. 2016, doi 10.1016/j.neuroimage.2015.12.012.
    """
    X = np.asarray(patterns, dtype=float)
    if X.ndim != 3 or len(X) < 2:
        raise ValueError(
            f"patterns must have shape (n_runs, n_items, n_features), two runs or more, got "
            f"{X.shape}: without a second run no distance can be cross-validated"
        )
    n_runs, n_items, n_features = X.shape
    if covariance is not None:
        try:
            whitening = np.linalg.cholesky(np.linalg.inv(covariance))
        except np.linalg.LinAlgError as error:
            raise ValueError(
                f"covariance of shape {np.shape(covariance)} cannot be inverted ({error}): shrink "
                "it towards its diagonal"
            ) from error
        X = X @ whitening
    total = X.sum(axis=0)
    # The sum over different runs is the sum over all minus that over equal ones.
    gram = total @ total.T - np.einsum("rif,rjf->ij", X, X)
    gram /= n_runs * (n_runs - 1) * n_features
    own = np.diag(gram)
    first, second = np.triu_indices(n_items, k=1)
    return own[first] + own[second] - gram[first, second] - gram[second, first]


def permuted_comparisons(
    rdms: np.ndarray,
    reference: np.ndarray,
    *,
    n_permutations: int,
    seed: int = 0,
    device: str | None = None,
) -> np.ndarray:
    """Spearman correlations of RDMs with a reference whose items change places.

    The null of RSA permutes items, not pairs: the pairs of one item are not independent. Ranks are
    permuted with the items, so they are computed once.

    Parameters
    ----------
    rdms : array of shape (n_rdms, n_pairs)
    reference : array of shape (n_pairs,)
    n_permutations : int
    seed : int
    device : str, optional
        Where to compute, as in `brainlm.RidgeEncoder`.

    Returns
    -------
    array of shape (n_permutations, n_rdms)
        ``brainlm.statistics.permutation_p`` makes p values of them.
    """
    rdms, reference = host(rdms), host(reference)
    if rdms.ndim != 2 or rdms.shape[1:] != reference.shape:
        raise ValueError(
            f"rdms has shape {rdms.shape}, the reference {reference.shape}: give (n_rdms, n_pairs) "
            "over the same items"
        )
    ranks = rankdata(rdms, axis=1).T  # (n_pairs, n_rdms)
    ranks = (ranks - ranks.mean(axis=0)) / np.linalg.norm(ranks - ranks.mean(axis=0), axis=0)
    ranked = rankdata(reference)
    square = squareform((ranked - ranked.mean()) / np.linalg.norm(ranked - ranked.mean()))
    n_items = len(square)
    first, second = np.triu_indices(n_items, k=1)
    rng = np.random.default_rng(seed)
    orders = np.array([rng.permutation(n_items) for _ in range(n_permutations)])
    ranks, square = place(ranks, device), place(square, device)
    first, second, moved = (at(index, square) for index in (first, second, orders))
    null = empty((n_permutations, len(rdms)), ranks)
    for i, order in enumerate(moved):
        null[i] = square[order[first], order[second]] @ ranks
    return host(null)
