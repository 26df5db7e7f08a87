"""Similarity encoding: predict the response to an item from the items it resembles.

Nothing is fitted. Items that a language model places close together should evoke alike responses,
so the response to an item is a sum of the responses to the others, weighted by the correlation of
their embeddings.

Anisotropy, the trap. Where all embeddings of a layer point in one direction, every weight is
positive and equal, the weighted sum of the *other* items is the negative of the item itself, and
the leave-one-out score is driven to -1 whatever the layer knows. Centring the embedding columns
removes the common direction; ``center=False`` gives the published form. Dividing the columns by
their standard deviation as well (``standardize=True``) keeps the few dimensions of large variance
that hidden layers have from deciding alone (Timkey & van Schijndel 2021): in simulations
(``analyses/simulate_studies.py``) this form finds the layer that responses were made from, and
centring alone mostly does not.

References
----------
Anderson, Zinszer & Raizada 2016, NeuroImage 128:44, doi 10.1016/j.neuroimage.2015.12.035.
Zhang et al. 2024, MulCogBench, arXiv 2403.01116.
Timkey & van Schijndel 2021, doi 10.18653/v1/2021.emnlp-main.372.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from brainlm._arrays import empty, eps, full, host, is_tensor, largest, like, row_norms
from brainlm._streams import block_bytes, column_stream
from brainlm.ridge import Standardizer
from brainlm.scores import pearson

__all__ = [
    "column_shift_and_scale",
    "leave_one_out",
    "leave_one_out_scores",
    "similarity_predict",
    "standardize_rows",
]

# Rows of the weight matrix formed at a time: 64 MiB for 16,000 training items in float32.
BLOCK_ELEMENTS = 1 << 24


def column_shift_and_scale(
    X: Any, *, center: bool = True, standardize: bool = False
) -> tuple[Any, Any]:
    """Return what is subtracted from each embedding column, and what it is divided by.

    Parameters
    ----------
    X : array of shape (n_train, n_features)
        Training items.
    center : bool
        Subtract the mean.
    standardize : bool
        Divide by the standard deviation (columns that do not vary: by 1).

    Raises
    ------
    ValueError
        ``standardize`` without ``center``.
    """
    if standardize and not center:
        raise ValueError("standardize=True needs center=True: the published form has neither")
    if not center:
        return full((X.shape[1],), 0, X), full((X.shape[1],), 1, X)
    learned = Standardizer.learn(X, standardize)
    return learned.mean, learned.scale


def standardize_rows(X: Any, name: str = "X") -> Any:
    """Return each row with mean 0 and length 1, so that products of rows are correlations.

    Raises
    ------
    ValueError
        With a single column, or where a row is constant: it has no correlation with anything.
    """
    if X.shape[1] < 2:
        raise ValueError(
            f"{name} has a single feature (n_features = 1): items cannot be correlated over one "
            "value; use ridge encoding for this feature space"
        )
    Z = X - X.mean(axis=1, keepdims=True)
    length, scale = row_norms(Z), largest(X, 1) * X.shape[1] ** 0.5
    flat = np.flatnonzero(host(length <= 10 * eps(Z) * scale))
    if len(flat):
        raise ValueError(
            f"{name}: {len(flat)} rows have no variation over features (the first: row {flat[0]}), "
            "so no similarity exists for them: leave these items out"
        )
    return Z / length


def similarity_predict(
    X_test: Any,
    X_train: Any,
    Y_train: Any,
    *,
    center: bool = True,
    standardize: bool = False,
) -> Any:
    """Predict responses by Anderson's rule.

    ::

        W = corr(x_test, X_train), each row divided by its L1 norm
        Y_hat = mean(Y_train) + W (Y_train - mean(Y_train))

    with the mean of each target over the training items (0 without ``center``, as published).

    Parameters
    ----------
    X_test : array of shape (n_test, n_features)
    X_train : array of shape (n_train, n_features)
    Y_train : array of shape (n_train, n_targets)
    center : bool
        Remove the training mean of the embedding columns, and of the targets before weighting
        (added again afterwards): weights have signs and do not sum to 1, so a mean would be
        scaled by the geometry of the embeddings. False: as published.
    standardize : bool
        Divide the embedding columns by their training standard deviation, too.

    Returns
    -------
    array of shape (n_test, n_targets)
        Weights are formed in blocks of rows; the n_test x n_train matrix is never held whole.
    """
    if is_tensor(X_train):
        Y_train = like(Y_train, X_train)
    offset, _ = column_shift_and_scale(Y_train, center=center)
    shift, scale = column_shift_and_scale(X_train, center=center, standardize=standardize)
    train = standardize_rows((X_train - shift) / scale, "X_train")
    test = standardize_rows((X_test - shift) / scale, "X_test")
    centred = Y_train - offset
    predicted = empty((len(test), Y_train.shape[1]), train[:1, :1] + centred[:1, :1])
    rows = max(1, block_bytes(train, 4 * BLOCK_ELEMENTS) // (4 * len(train)))
    for start in range(0, len(test), rows):
        weights = test[start : start + rows] @ train.T  # (rows, n_train)
        norm = abs(weights).sum(axis=1, keepdims=True)
        predicted[start : start + rows] = (weights @ centred) / norm
    return predicted + offset


def leave_one_out(X: Any, Y: Any, *, center: bool = True, standardize: bool = False) -> Any:
    """Re-represent every item by the others, MulCogBench's rule.

    With Z the embeddings, each row of mean 0 and length 1, and C the responses z-scored per column
    (divisor n)::

        M = Z Z',   C' = (M - I) C = Z (Z' C) - C

    M holds the correlations of the items over columns. Its diagonal is 1, so ``M - I`` leaves each
    item out of its own sum. Means and deviations of columns are those of all items, the item itself
    included. Time and memory are O(n d f): M is never built.

    Parameters
    ----------
    X : array of shape (n_items, n_features)
    Y : array of shape (n_items, n_targets)
    center : bool
        Remove the mean of the embedding columns first. False: as published.
    standardize : bool
        Divide them by their standard deviation, too.

    Returns
    -------
    array of shape (n_items, n_targets)
        C', in units of standard deviations times similarity: only its correlation with Y is
        meaningful.
    """
    if len(X) != len(Y):
        raise ValueError(f"X has {len(X)} items and Y {len(Y)}: give one row per item in both")
    shift, scale = column_shift_and_scale(X, center=center, standardize=standardize)
    Z = standardize_rows((X - shift) / scale)
    C = Standardizer.learn(Y, scale=True).apply(Y)
    return Z @ (Z.T @ C) - C


def leave_one_out_scores(
    X: Any, Y: Any, *, center: bool = True, standardize: bool = False
) -> np.ndarray:
    """Return the Pearson correlation of each column of ``leave_one_out`` with Y, (n_targets,).

    Targets are taken in blocks, so that beside X and Y little memory is needed whatever their
    number: 40,000 words x 10,000 targets in single precision stay under 4 GiB, Y included.
    """
    if len(X) != len(Y):
        raise ValueError(f"X has {len(X)} items and Y {len(Y)}: give one row per item in both")
    shift, scale = column_shift_and_scale(X, center=center, standardize=standardize)
    Z = standardize_rows((X - shift) / scale)
    step = max(1, block_bytes(Z, 4 * BLOCK_ELEMENTS) // (4 * len(Y)))
    blocks = [slice(a, min(a + step, Y.shape[1])) for a in range(0, Y.shape[1], step)]
    scores = []
    for _, block in column_stream(Y, blocks, Z if is_tensor(Z) else Y):
        C = Standardizer.learn(block, scale=True).apply(block)
        scores.append(host(pearson(Z @ (Z.T @ C) - C, block)))
    return np.concatenate(scores)
