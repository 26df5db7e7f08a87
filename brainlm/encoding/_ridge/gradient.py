"""Gradient descent on the shares and penalties of banded ridge, by himalaya's solver.

himalaya's kernel weights are delta_b = log(1 / alpha_b), one per band and target. Here
``alpha_b = alpha * p_b / (p * g_b)`` with shares g_b that add up to 1, so::

    g_b = alpha p_b exp(delta_b) / p,        alpha = p / sum_b p_b exp(delta_b)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SMALLEST_SHARE = 0.03  # of a band at the start: from nothing no gradient leads back
BATCH = 200  # targets at a time


def to_deltas(shares: np.ndarray, alpha: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return log(1 / alpha_b), (n_bands, n_targets), from shares and penalties.

    Parameters
    ----------
    shares : array of shape (n_bands, n_targets)
    alpha : array of shape (n_targets,)
    sizes : array of int, shape (n_bands,)
        Features of each band.
    """
    given = np.maximum(shares, SMALLEST_SHARE)
    return np.log(given * sizes.sum() / (alpha * sizes[:, None]))


def from_deltas(deltas: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return shares (n_bands, n_targets) and penalties (n_targets,) of kernel weights.

    Parameters
    ----------
    deltas : array of shape (n_bands, n_targets)
    sizes : array of int, shape (n_bands,)
    """
    variance = sizes[:, None] * np.exp(deltas)
    alpha = sizes.sum() / variance.sum(axis=0)
    return variance / variance.sum(axis=0), alpha


def descend(
    bands: Sequence[np.ndarray],
    Y: np.ndarray,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    shares: np.ndarray,
    alpha: np.ndarray,
    *,
    n_steps: int,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return shares and penalties after steps of gradient descent on the cross-validated error.

    Parameters
    ----------
    bands : sequence of array of shape (n_samples, n_features of the band)
        Centred.
    Y : array of shape (n_samples, n_targets)
    folds : sequence of (train, test)
    shares, alpha : array of shape (n_bands, n_targets), (n_targets,)
        Where to start.
    n_steps : int
    seed : int

    Returns
    -------
    shares, alpha : array
        Of the last step; they need not be better than the start.

    References
    ----------
    Dupre la Tour et al. 2022, NeuroImage 264:119728 (hyper-gradient descent).
    """
    try:
        from himalaya.kernel_ridge import solve_multiple_kernel_ridge_hyper_gradient
    except ImportError:
        raise ImportError(
            "n_steps needs himalaya: pip install 'brainlm[gradient]', or leave it at 0"
        ) from None
    sizes = np.array([Z.shape[1] for Z in bands])
    kernels = np.stack([np.asarray(Z @ Z.T) for Z in bands])
    deltas, _, _ = solve_multiple_kernel_ridge_hyper_gradient(
        kernels,
        np.asarray(Y - Y.mean(axis=0), dtype=kernels.dtype),
        cv=list(folds),
        initial_deltas=to_deltas(shares, alpha, sizes).astype(kernels.dtype),
        max_iter=n_steps,
        hyper_gradient_method="direct",
        kernel_ridge_method="conjugate_gradient",
        max_iter_inner_dual=10,
        n_targets_batch=BATCH,
        random_state=seed,
        progress_bar=False,
    )
    return from_deltas(np.asarray(deltas, dtype=float), sizes)
