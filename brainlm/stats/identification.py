"""Identification: is a decoded pattern closer to its own item than to others?"""

from __future__ import annotations

import numpy as np

from brainlm.data.scores import standardize_rows


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


def top_k_accuracy(similarity: np.ndarray, k: int = 1) -> float:
    """Share of items whose own item is among the ``k`` most similar ones. Chance is k / n_items.

    An item that ties with others at the edge counts by the share of the tie that fits in.

    Parameters
    ----------
    similarity : array of shape (n_items, n_items)
        ``[i, j]``: predicted item i with true item j.
    k : int
    """
    s = np.asarray(similarity)
    if not 1 <= k <= len(s):
        raise ValueError(f"k must lie between 1 and {len(s)} items, got {k}")
    own = np.diag(s)[:, None]
    above, equal = (s > own).sum(axis=1), (s == own).sum(axis=1)
    return float(np.clip((k - above) / equal, 0, 1).mean())


def pattern_accuracy(predicted: np.ndarray, true: np.ndarray, train_mean: np.ndarray) -> float:
    """Mean correlation of predicted and true patterns over targets, the mean pattern removed.

    Parameters
    ----------
    predicted, true : array of shape (n_items, n_targets)
    train_mean : array of shape (n_targets,)
        Mean pattern of the training items. All items share it, so with it left in any prediction
        correlates with any item.
    """
    s = pattern_correlations(predicted - train_mean, true - train_mean)
    return float(np.diag(s).mean())


def trialwise_score(predicted: np.ndarray, true: np.ndarray, share: float = 0.1) -> float:
    """Trialwise correlation over targets, mean of the best trials: the published score.

    The mean pattern is *not* removed, and the best ``share`` of trials are chosen by the score
    itself, so it saturates: random features with a shared mean pattern worth 15 % of the variance
    score about .5. It is here under its published name for comparison only; report
    ``pattern_accuracy``, 2v2 or the correlation per target.

    Parameters
    ----------
    predicted, true : array of shape (n_items, n_targets)
    share : float
        Share of the trials that is averaged; 1 takes all.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1], got {share}")
    r = np.sort(np.diag(pattern_correlations(predicted, true)))[::-1]
    return float(r[: max(1, round(share * len(r)))].mean())
