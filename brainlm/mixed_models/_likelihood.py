"""Profiled likelihood of linear mixed models on cross products, with its gradient.

``y = X b + sum_g Z_g u_g + e``, with ``u_gj ~ N(0, s2 L_g L_g')`` for each level j of factor g. The
matrices L_g are the parameters; b and s2 are profiled out. All that a
step needs of the trials are cross products, formed once. The largest factor is eliminated level
by level (its blocks are independent), and one dense Cholesky factor of what is left, bordered by X
and y, holds the determinants, the coefficients and the residual sum of squares.

References
----------
Bates, Maechler, Bolker & Walker 2015, J Stat Softw 67:1, doi 10.18637/jss.v067.i01.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

DENSE = 0.05  # share of non-zero products from which on dense ones are faster


@dataclass(frozen=True, eq=False)
class Factor:
    """Random effects of one grouping factor.

    Attributes
    ----------
    codes : array of int, shape (n_trials,)
        Level of each trial, from 0 on without gaps.
    columns : array, shape (n_trials, k)
        What the k coefficients of a level are multiplied by: ones for the intercept.
    blocks : tuple of int
        Sizes of the groups of neighbouring columns that are correlated; (1, 1): two independent
        ones.
    """

    codes: np.ndarray
    columns: np.ndarray
    blocks: tuple[int, ...]

    @property
    def n_levels(self) -> int:
        """Levels of the factor."""
        return int(self.codes.max()) + 1


@dataclass(frozen=True, eq=False)
class Products:
    """Cross products; ``rest`` are all random effects but those of the first factor, X and y."""

    factors: tuple[Factor, ...]  # the largest first
    first: np.ndarray  # (n_levels, k, k)
    across: Any  # (n_levels * k, n_rest), dense or sparse
    rest: np.ndarray  # (n_rest, n_rest)
    n_trials: int
    n_fixed: int


@dataclass(frozen=True, eq=False)
class Step:
    """The profiled deviance at one set of matrices L."""

    deviance: float
    slopes: list[np.ndarray]  # derivative of the deviance by the matrices L L'
    rss: float
    coefficients: np.ndarray
    covariance: np.ndarray  # of the coefficients, for a residual variance of one


def cross_products(y: np.ndarray, X: np.ndarray, factors: Sequence[Factor]) -> Products:
    from scipy import sparse

    n = len(y)
    dense = np.column_stack([X, y])
    first, *others = (_indicators(factor) for factor in factors)
    codes, columns = factors[0].codes, factors[0].columns
    k = columns.shape[1]
    blocks = [np.bincount(codes, columns[:, s] * columns[:, t]) for s in range(k) for t in range(k)]
    Z = sparse.hstack([sparse.csr_array((n, 0)), *others], format="csr")
    across = sparse.hstack([first.T @ Z, sparse.csr_array(first.T @ dense)], format="csr")
    if across.nnz > DENSE * np.prod(across.shape):
        across = across.toarray()
    border = Z.T @ dense
    rest = np.block([[(Z.T @ Z).toarray(), border], [border.T, dense.T @ dense]])
    return Products(
        tuple(factors), np.stack(blocks, axis=1).reshape(-1, k, k), across, rest, n, X.shape[1]
    )


def _indicators(factor: Factor) -> Any:
    """Design matrix of the random effects of a factor, level by level."""
    from scipy import sparse

    n, k = factor.columns.shape
    places = factor.codes[:, None] * k + np.arange(k)
    shape = (n, factor.n_levels * k)
    return sparse.csr_array(
        (factor.columns.ravel(), places.ravel(), np.arange(n + 1) * k), shape=shape
    )


def _block_diagonal(blocks: np.ndarray) -> Any:
    from scipy import sparse

    n = len(blocks)
    return sparse.bsr_array((np.ascontiguousarray(blocks), np.arange(n), np.arange(n + 1)))


def profile(roots: Sequence[np.ndarray], products: Products, reml: bool) -> Step:
    """Deviance, its derivatives and the coefficients for each factor's L.

    ``V = I + sum_g Z_g L_g L_g' Z_g'`` is reached in two steps: V of the first factor alone gives
    the matrix ``inner`` of all other columns, the Cholesky factor of which (with I added for random
    effects) is that of the whole. The derivative of the deviance by ``L L'`` is the sum over levels
    of ``Z_j' V^-1 Z_j``, less ``n / rss`` times the outer product of ``Z_j' V^-1 (y - X b)``; with
    ``reml``, V^-1 is projected on what X leaves, and n is less p.
    """
    from scipy import sparse
    from scipy.linalg import solve_triangular

    p, q = products.n_fixed, len(products.rest) - products.n_fixed - 1
    first, *others = roots
    levels = [factor.n_levels for factor in products.factors]
    identity = np.eye(len(first))
    factor = np.linalg.cholesky(first.T @ products.first @ first + identity)
    half = np.linalg.solve(factor, np.broadcast_to(first.T, factor.shape))
    removed = _block_diagonal(half) @ products.across
    gram = removed.T @ removed
    inner = products.rest - (gram.toarray() if sparse.issparse(gram) else gram)
    parts = [sparse.kron(sparse.eye_array(n), L) for n, L in zip(levels[1:], others, strict=True)]
    scale = sparse.block_diag([*parts, sparse.eye_array(p + 1)], format="csr")
    system = scale.T @ (scale.T @ inner).T
    system[np.arange(q), np.arange(q)] += 1
    root = np.linalg.cholesky(system)
    diagonal = np.diag(root)
    degrees = products.n_trials - (p if reml else 0)
    rss = float(diagonal[-1] ** 2)
    logs = np.log(diagonal[: q + p if reml else q]).sum()
    logs += np.log(np.diagonal(factor, axis1=1, axis2=2)).sum()
    deviance = float(2 * logs + degrees * (1 + np.log(2 * np.pi * rss / degrees)))

    weights = np.r_[np.ones(q), np.full(p, float(reml)), degrees]
    solved = scale @ solve_triangular(root, np.eye(len(root)), lower=True).T
    own = products.first @ half.transpose(0, 2, 1)
    left = products.across - _block_diagonal(own) @ removed
    slopes = [
        (products.first - own @ own.transpose(0, 2, 1)).sum(axis=0)
        - _weighted_products(left, solved, weights, len(first))
    ]
    rows = inner[:q] @ solved
    start = 0
    for n, L in zip(levels[1:], others, strict=True):
        k = len(L)
        chosen = slice(start, start + n * k)
        blocks = inner[chosen, chosen].reshape(n, k, n, k)
        Y = rows[chosen].reshape(n, k, -1)
        slopes.append(
            np.einsum("jsjt->st", blocks) - np.tensordot(Y * weights, Y, axes=((0, 2), (0, 2)))
        )
        start += n * k
    fixed = solve_triangular(root[q:-1, q:-1], np.eye(p), lower=True)
    return Step(deviance, slopes, rss, fixed.T @ root[-1, q:-1], fixed.T @ fixed)


def _weighted_products(left: Any, solved: np.ndarray, weights: np.ndarray, k: int) -> np.ndarray:
    """Sum over levels of the k x k blocks of ``left solved diag(weights) solved' left'``."""
    from scipy import sparse

    if not sparse.issparse(left):
        Y = (left @ solved).reshape(-1, k, len(weights))
        return np.tensordot(Y * weights, Y, axes=((0, 2), (0, 2)))
    middle = (solved * weights) @ solved.T
    parts = [left[s::k] for s in range(k)]
    return np.array([[(a.T @ b).multiply(middle).sum() for b in parts] for a in parts])
