"""Choice of the ridge penalty by correlation, as in published pipelines.

``brainlm.encoding._ridge.search`` chooses by R2, which is faster and also sees the scale of a
prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from brainlm.compute.backend import at, full, host, namespace
from brainlm.compute.lazy_arrays import READ_BYTES, column_blocks
from brainlm.compute.streams import block_bytes, column_stream
from brainlm.data.scores import pearson
from brainlm.encoding._ridge.solve import fit_ridge

Fold = tuple[np.ndarray, np.ndarray]


def correlation_curve(
    X: Any, Y: Any, folds: Sequence[Fold], alphas: np.ndarray, *, standardize: bool = True
) -> np.ndarray:
    """Return the mean over folds of the correlation of prediction and target, for every alpha.

    ::

        r[a, v] = mean_f corr(X_f w_v(a, f), y_v of the test samples f)

    Weights, means and scales are learned on the training samples of each fold.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    Y : array of shape (n_samples, n_targets)
        Or anything of that ``shape`` that gives columns as ``Y[:, a:b]``.
    folds : sequence of (train, test)
    alphas : array of shape (n_alphas,)
        Positive, rising.
    standardize : bool

    Returns
    -------
    array of shape (n_alphas, n_targets)
        A prediction that does not vary in a fold (weights of zero) counts as r = 0 there.
    """
    total = full((len(alphas), Y.shape[1]), 0, X, in_double=True)
    blocks = list(column_blocks(Y.shape[1], X.itemsize * len(X), block_bytes(X, READ_BYTES)))
    for train, test in ((at(rows, X) for rows in fold) for fold in folds):
        fit = fit_ridge(X[train], standardize=standardize, smallest_alpha=float(alphas[0]))
        A = fit.project(X[test])
        operators = [fit.operator(A, float(alpha)) for alpha in alphas]
        for block, both in column_stream(Y, blocks, X):
            R = both[train] - both[train].mean(axis=0)
            if fit.primal:
                R = fit.X.T @ R
            for number, operator in enumerate(operators):
                r = pearson(operator @ R, both[test])
                total[number, block] += namespace(r).nan_to_num(r) / len(folds)
    return host(total)
