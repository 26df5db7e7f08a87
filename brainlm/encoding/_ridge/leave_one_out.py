"""Leave-one-out choice of the ridge penalty, in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np

from brainlm.compute.backend import as_rows, full, host, like, squares
from brainlm.compute.products import operand, product
from brainlm.compute.streams import block_bytes, column_stream
from brainlm.encoding._ridge.solve import RidgeFit

BLOCK_BYTES = 1 << 25  # of residuals at a time


def leave_one_out_curve(fit: RidgeFit, Y: Any, alphas: np.ndarray) -> np.ndarray:
    """Return the R2 of every penalty over folds of one sample each, (n_alphas, n_targets).

    With the features Z and the targets y about their means over all n samples, Z'Z = U diag(l) U'
    and T = Z U, the residual of sample i of the regression without it is::

        e_i = (y - T (T'y / (l + alpha)))_i / (1 - 1/n - sum_j T_ij^2 / (l_j + alpha))

    In the kernel form, with P = (ZZ' + alpha I)^-1 off the constant, it is ``(P y)_i / P_ii``.
    Mean and weights are those of the n - 1 other samples, the scale of the features is that of
    all, as in ``brainlm.encoding._ridge.search.solve_ridge_cv``.

    Parameters
    ----------
    fit : RidgeFit
        Of all samples, made for the smallest of the penalties.
    Y : array of shape (n_samples, n_targets)
        Or anything of that ``shape`` that gives columns as ``Y[:, a:b]``.
    alphas : array of shape (n_alphas,)
        Not below ``brainlm.encoding._ridge.solve.DOUBLE`` of the largest eigenvalue.

    References
    ----------
    Rifkin & Lippert 2007, Notes on regularized least squares, MIT-CSAIL-TR-2007-025.
    """
    eigenvalues, U = fit.decomposition
    n, T = len(fit.X), like(fit.X, U) @ U if fit.primal else U
    grid = like(np.asarray(alphas, dtype=float), eigenvalues, keep_dtype=True)
    shrunken = 1 / (eigenvalues + grid[:, None])  # (n_alphas, q)
    diagonal = (T**2) @ shrunken.T  # (n_samples, n_alphas)
    left = 1 - 1 / n - diagonal if fit.primal else diagonal - 1 / (n * (fit.usual + grid))
    curve = full((len(alphas), Y.shape[1]), None, fit.X, in_double=True)
    basis, back = operand(as_rows(T)), operand(T)
    step = max(1, block_bytes(T, BLOCK_BYTES) // (n * len(alphas) * T.itemsize))
    blocks = [slice(a, min(a + step, Y.shape[1])) for a in range(0, Y.shape[1], step)]
    for columns, block in column_stream(Y, blocks, fit.X):
        Yt = like(as_rows(block), T)
        Yt = Yt - Yt.mean(axis=1, keepdims=True)
        baseline = squares(Yt) * (n / (n - 1)) ** 2
        filtered = product(Yt, basis)[:, None] * like(shrunken, T)  # (n_block, n_alphas, q)
        error = product(filtered, back)
        if fit.primal:
            error = Yt[:, None] - error
        error = squares(error / like(left.T, T))
        curve[:, columns] = like(1 - error / baseline[:, None], curve).T
    return host(curve)
