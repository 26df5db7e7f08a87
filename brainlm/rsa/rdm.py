"""Representational dissimilarity matrices and their comparison (RSA).

This is not similarity encoding: RSA correlates two sets of distances, similarity encoding predicts
responses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.distance import pdist, squareform
from scipy.stats import kendalltau, rankdata

from brainlm._progress import bar
from brainlm._validation import check_finite
from brainlm.compute.backend import (
    at,
    double,
    empty,
    host,
    is_tensor,
    like,
    namespace,
    place,
    row_norms,
)
from brainlm.data.scores import pearson, standardize_rows
from brainlm.errors import unknown_name

DISTANCES = ("correlation", "cosine", "euclidean")
ROWS_AT_ONCE = 1024  # of the square matrix
COMPARISONS = (
    "spearman",
    "pearson",
    "cosine",
    "kendall",
    "tau-a",
    "rho-a",
    "whitened cosine",
    "whitened pearson",
)


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
    """Return the similarity of two RDMs over the same items.

    Parameters
    ----------
    first, second : array of shape (n_pairs,) or (n_items, n_items)
        Condensed, as of ``rdm``, or square and symmetric with zeros on the diagonal.
    method : str
        "spearman", "pearson" or "kendall" (tau-b): correlations over pairs. "cosine": of the
        distances themselves, for those with a meaningful zero.

        "tau-a", (concordant - discordant) / all pairs, and "rho-a", Spearman's rho averaged over
        all ways to break ties, are for RDMs with many ties: a model gains nothing by predicting
        ties. rho-a is the faster and has about the power of tau-a.

        "whitened cosine" and "whitened pearson" take into account that the distances of one item
        vary together, with V the covariance of the pairs of items with independent noise::

            x' V^-1 y / sqrt(x' V^-1 x  y' V^-1 y)

        ("pearson": of x and y about their means over pairs).

    Raises
    ------
    ValueError
        NaN or infinite distances; RDMs of other shapes; a matrix that is not symmetric or whose
        diagonal is not 0.

    References
    ----------
    Nili et al. 2014, doi 10.1371/journal.pcbi.1003553 (tau-a). Diedrichsen et al. 2021,
    arXiv 2007.02789 (whitened). Schuett et al. 2023, doi 10.7554/eLife.82566 (rho-a).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> first = rng.random(45)  # of ten items
    >>> round(brainlm.compare_rdms(first, 2 * first + 1), 3)
    1.0
    """
    if method not in COMPARISONS:
        raise unknown_name("method", method, COMPARISONS)
    first, second = condensed(first, "first"), condensed(second, "second")
    if first.shape != second.shape:
        raise ValueError(
            f"the RDMs have {len(first)} and {len(second)} pairs: compute both on the same items"
        )
    return compare_pairs(first, second, method)


def compare_pairs(first: np.ndarray, second: np.ndarray, method: str) -> float:
    """``compare_rdms`` of checked distances, (n_pairs,), which need not be all pairs of items."""
    if method == "tau-a":
        return _tau_a(first, second)
    if method == "kendall":
        return float(kendalltau(first, second).statistic)
    if method == "rho-a":
        n = len(first)
        ranks = [rankdata(each) - (n + 1) / 2 for each in (first, second)]
        return float(ranks[0] @ ranks[1] * 12 / (n**3 - n))
    if method.startswith("whitened"):
        if method == "whitened pearson":
            first, second = first - first.mean(), second - second.mean()
        return _whitened_cosine(first, second)
    if method == "cosine":
        return float(first @ second / np.sqrt((first @ first) * (second @ second)))
    if method == "spearman":
        first, second = rankdata(first), rankdata(second)
    return float(pearson(first[:, None], second[:, None])[0])


def condensed(distances: np.ndarray, name: str) -> np.ndarray:
    """Return an RDM as its upper triangle, (n_pairs,); raise if it is not an RDM.

    Parameters
    ----------
    distances : array of shape (n_pairs,) or (n_items, n_items)
    name : str
        For messages.
    """
    values = np.asarray(distances, dtype=float)
    check_finite(values, f"{name} RDM")
    if values.ndim == 2 and values.shape[0] == values.shape[1]:
        largest = np.abs(values).max(initial=0)
        if not np.allclose(values, values.T, rtol=0, atol=1e-8 * largest):
            raise ValueError(f"{name} RDM is square and not symmetric: distances go both ways")
        if np.abs(np.diag(values)).max(initial=0) > 1e-8 * largest:
            raise ValueError(
                f"{name} RDM has {np.abs(np.diag(values)).max():g} on its diagonal: an item is at "
                "distance 0 from itself; give dissimilarities, not similarities"
            )
        return squareform(values, checks=False)
    if values.ndim != 1:
        raise ValueError(
            f"{name} RDM must have shape (n_pairs,) or (n_items, n_items), got {values.shape}"
        )
    n_items = (1 + np.sqrt(1 + 8 * len(values))) / 2
    if len(values) < 1 or n_items != int(n_items):
        raise ValueError(f"{name} RDM has {len(values)} distances, which no number of items has")
    return values


def _whitened_cosine(first: np.ndarray, second: np.ndarray) -> float:
    """Return the cosine under V^-1, V = (CC')**2 with the contrasts C of all pairs of items.

    V is 4 on the diagonal, 1 for pairs that share an item, 0 elsewhere. Its eigenspaces are the
    constant (2n), what is additive over items (n), and the rest (2).
    """
    n = round((1 + np.sqrt(1 + 8 * len(first))) / 2)
    i, j = np.triu_indices(n, k=1)

    def parts(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mean = x.mean()
        sums = np.bincount(i, x - mean, n) + np.bincount(j, x - mean, n)
        own = sums / (n - 2) if n > 2 else np.zeros(n)
        additive = own[i] + own[j]
        return np.full_like(x, mean), additive, x - mean - additive

    def inner(a: tuple[np.ndarray, ...], b: tuple[np.ndarray, ...]) -> float:
        return sum(float(p @ q) / e for p, q, e in zip(a, b, (2 * n, n, 2), strict=True))

    x, y = parts(first), parts(second)
    return inner(x, y) / float(np.sqrt(inner(x, x) * inner(y, y)))


def _tau_a(first: np.ndarray, second: np.ndarray) -> float:
    n = len(first)
    pairs = n * (n - 1) / 2

    def untied(values: np.ndarray) -> float:
        counts = np.unique(values, return_counts=True)[1]
        return pairs - (counts * (counts - 1) / 2).sum()

    tau_b = kendalltau(first, second).statistic
    return float(tau_b * np.sqrt(untied(first) * untied(second)) / pairs)


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
    reference : array of shape (n_pairs,) or (n_items, n_items)
    n_permutations : int
    seed : int
    device : str, optional
        Where to compute, as in `brainlm.RidgeEncoder`.

    Returns
    -------
    array of shape (n_permutations, n_rdms)
        ``brainlm.stats.permutation.permutation_p`` makes p values of them.
    """
    rdms, reference = host(rdms), condensed(host(reference), "reference")
    check_finite(rdms, "rdms")
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
    for i, order in enumerate(bar(moved, "permutations", inner=True)):
        null[i] = square[order[first], order[second]] @ ranks
    return host(null)
