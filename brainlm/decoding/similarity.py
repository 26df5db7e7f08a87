"""Similarity decoding: brain patterns and word vectors meet in similarities to the same items.

Nothing maps one space into the other. A held-out brain pattern is re-represented by its
correlations with the brain patterns of the training items, a word vector by its correlations with
the vectors of the same training items, and both are compared there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainlm._validation import check_finite, same_length
from brainlm.data.scores import standardize_rows
from brainlm.encoding.similarity import leave_one_out_scores
from brainlm.encoding.splits import Split
from brainlm.stats.identification import (
    pairwise_accuracy,
    pattern_correlations,
    rank_accuracy,
    top_k_accuracy,
)

__all__ = ["SimilarityDecoding", "decode_by_similarity", "similarity_codes"]


@dataclass(frozen=True, eq=False)
class SimilarityDecoding:
    """Identification accuracy by fold.

    Attributes
    ----------
    pairwise, rank : array of shape (n_folds,)
        Chance .5.
    top : dict of int to array of shape (n_folds,)
        Share of items that are among the k nearest; chance k / n_test.
    n_test : array of int, shape (n_folds,)
    """

    pairwise: np.ndarray
    rank: np.ndarray
    top: dict[int, np.ndarray]
    n_test: np.ndarray


def similarity_codes(X_test: np.ndarray, X_train: np.ndarray) -> np.ndarray:
    """Correlations of each test item with each training item, columns centred on training items.

    Parameters
    ----------
    X_test : array of shape (n_test, n_features)
    X_train : array of shape (n_train, n_features)

    Returns
    -------
    array of shape (n_test, n_train)
    """
    mean = X_train.mean(axis=0)
    return standardize_rows(X_test - mean, "X_test") @ standardize_rows(X_train - mean).T


def decode_by_similarity(
    brain: np.ndarray,
    embedding: np.ndarray,
    split: Split,
    *,
    n_targets: int = 5000,
    top: tuple[int, ...] = (1, 5, 10),
) -> SimilarityDecoding:
    """Identify held-out items by similarity decoding.

    Parameters
    ----------
    brain : array of shape (n_items, n_voxels)
    embedding : array of shape (n_items, n_features)
    split : Split
        Published: 10 folds by word.
    n_targets : int
        Most informative voxels that are kept. They are chosen inside the training fold, by the
        leave-one-out similarity encoding score of each (the criterion is ours).
    top : tuple of int
        k of the top-k accuracies. A k larger than a test fold is left out there (NaN).

    Returns
    -------
    SimilarityDecoding

    References
    ----------
    Anderson, Zinszer & Raizada 2016, doi 10.1016/j.neuroimage.2015.12.035; settings as in public
    code of the MulCogBench group.
    """
    brain, embedding = np.asarray(brain, dtype=float), np.asarray(embedding, dtype=float)
    same_length({"rows of brain": len(brain), "rows of embedding": len(embedding)})
    check_finite(brain, "brain")
    check_finite(embedding, "embedding")
    pairwise, rank, sizes = [], [], []
    hits: dict[int, list[float]] = {k: [] for k in top}
    for train, test in split.split(brain):
        kept = _informative(brain[train], embedding[train], n_targets)
        codes = [similarity_codes(each[test], each[train]) for each in (brain[:, kept], embedding)]
        s = pattern_correlations(*codes)
        pairwise.append(pairwise_accuracy(s))
        rank.append(rank_accuracy(s).mean())
        sizes.append(len(test))
        for k in top:
            hits[k].append(top_k_accuracy(s, k) if k <= len(test) else np.nan)
    return SimilarityDecoding(
        np.array(pairwise),
        np.array(rank),
        {k: np.array(v) for k, v in hits.items()},
        np.array(sizes),
    )


def _informative(brain: np.ndarray, embedding: np.ndarray, n_targets: int) -> np.ndarray:
    if n_targets < 2:
        raise ValueError(f"n_targets must be at least 2, got {n_targets}")
    if n_targets >= brain.shape[1]:
        return np.arange(brain.shape[1])
    score = leave_one_out_scores(embedding, brain)
    return np.sort(np.argsort(-np.nan_to_num(score, nan=-2.0), kind="stable")[:n_targets])
