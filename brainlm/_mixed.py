"""Profiled likelihood of linear mixed models on cross products, with its gradient.

``y = X b + sum_g Z_g u_g + e``, with ``u_gj ~ N(0, s2 L_g L_g')`` for each level j of factor g. The
entries of the lower triangles L_g are the parameters theta; b and s2 are profiled out. All that a
step needs of the trials are cross products, formed once. The largest factor is eliminated level
by level (its blocks are independent), and one dense Cholesky factor of what is left, bordered by X
and y, holds the determinants, the coefficients and the residual sum of squares.

References
----------
Bates, Maechler, Bolker & Walker 2015, J Stat Softw 67:1, doi 10.18637/jss.v067.i01.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

DENSE = 0.05  # share of non-zero products from which on dense ones are faster
CONVERGED = 1e-6  # of the deviance: what a Newton step from the end may still promise
SINGULAR = 1e-4  # of the residual's standard deviation, for columns whose root mean square is one


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

    @property
    def free(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the free entries of L."""
        which = np.repeat(np.arange(len(self.blocks)), self.blocks)
        return np.nonzero(np.tril(which[:, None] == which))


@dataclass(frozen=True, eq=False)
class Estimate:
    """A fitted linear mixed model.

    Attributes
    ----------
    coefficients : array, shape (p,)
    covariance : array, shape (p, p)
        Of the coefficients.
    df : array, shape (p,)
        Satterthwaite's degrees of freedom of each coefficient.
    covariances : tuple of arrays, shape (k, k)
        Of the random effects of each factor.
    residual : float
        Variance.
    log_likelihood : float
        The restricted one where ``reml``.
    singular : tuple of tuple of bool
        For each factor and block: whether a variance is 0, or a correlation 1 or -1.
    n_parameters : int
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    df: np.ndarray
    covariances: tuple[np.ndarray, ...]
    residual: float
    log_likelihood: float
    singular: tuple[tuple[bool, ...], ...]
    n_parameters: int


@dataclass(frozen=True, eq=False)
class _Products:
    """Cross products; ``rest`` are all random effects but those of the first factor, X and y."""

    factors: tuple[Factor, ...]  # the largest first
    first: np.ndarray  # (n_levels, k, k)
    across: Any  # (n_levels * k, n_rest), dense or sparse
    rest: np.ndarray  # (n_rest, n_rest)
    n_trials: int
    n_fixed: int


@dataclass(frozen=True, eq=False)
class _Step:
    """The profiled deviance at one theta."""

    deviance: float
    gradient: np.ndarray
    slopes: list[np.ndarray]  # derivative of the deviance by the matrices L L'
    rss: float
    coefficients: np.ndarray
    covariance: np.ndarray  # of the coefficients, for a residual variance of one


@dataclass(frozen=True, eq=False)
class _Derivatives:
    """By theta, of the deviance (twice), of the coefficients' covariance and of log rss."""

    curvature: np.ndarray
    covariance: np.ndarray  # (n_theta, p, p)
    log_rss: np.ndarray


def fit(y: np.ndarray, X: np.ndarray, factors: Sequence[Factor], *, reml: bool) -> Estimate:
    """Maximise the likelihood, or with ``reml`` the restricted likelihood.

    Parameters
    ----------
    y : array, shape (n_trials,)
    X : array, shape (n_trials, p)
        Of full rank.
    factors : sequence of Factor
        At least one.
    reml : bool

    Raises
    ------
    ValueError
        As many random effects of a factor as trials, or a likelihood without a maximum.

    Notes
    -----
    The result does not depend on the units of y and of the columns: y is replaced by its residual
    from X in units of its standard deviation, X by an orthonormal basis, and the columns of random
    effects by multiples whose root mean square is one. Degrees of freedom are those of lmerTest:
    with v the squared standard error of a coefficient as a function of theta and of the residual
    variance, g its gradient and H the Hessian of the deviance, ``df = 2 v^2 / (g' 2 H^-1 g)``.
    """
    n, p = X.shape
    for factor in factors:
        if max(factor.blocks) * factor.n_levels >= n:
            raise ValueError(
                f"{factor.n_levels} levels with {max(factor.blocks)} random effects each, and "
                f"{n} trials: the residual variance cannot be told from theirs; leave them out"
            )
    basis, R = np.linalg.qr(X)
    least = np.linalg.solve(R, basis.T @ y)
    rest = y - X @ least
    unit = float(np.sqrt(np.mean(rest**2)))
    if unit <= 1e-10 * np.sqrt(np.mean(y**2)):
        raise ValueError("the fixed effects predict every trial exactly: there is nothing to fit")
    sizes = [np.sqrt(np.mean(f.columns**2, axis=0)) for f in factors]
    order = sorted(range(len(factors)), key=lambda i: -factors[i].n_levels * len(sizes[i]))
    scaled = [Factor(factors[i].codes, factors[i].columns / sizes[i], factors[i].blocks) for i in order]
    products = _cross_products(rest / unit, basis, scaled)
    try:
        theta, derivatives = _minimise(products, reml)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "the residual variance of the mixed model vanishes beside those of the random effects: "
            "leave out random slopes, or use more trials per level"
        ) from error
    step = _profile(theta, products, reml)
    degrees = n - p if reml else n
    variance = step.rss / degrees
    back = np.linalg.inv(R)
    covariance = variance * back @ step.covariance @ back.T
    slopes = variance * np.einsum("ij,tjk,ik->ti", back, derivatives.covariance, back)
    spread = _spread(np.vstack([slopes, np.diag(covariance)]), derivatives, degrees)
    triangles = dict(zip(order, _triangles(theta, products.factors), strict=True))
    constant = 2 * degrees * np.log(unit) + (2 * np.log(np.abs(np.diag(R))).sum() if reml else 0)
    relative = [triangles[i] / sizes[i][:, None] for i in range(len(factors))]
    return Estimate(
        least + unit * back @ step.coefficients,
        unit**2 * covariance,
        2 * np.diag(covariance) ** 2 / spread,
        tuple(variance * unit**2 * L @ L.T for L in relative),
        variance * unit**2,
        -(step.deviance + constant) / 2,
        tuple(
            tuple(np.linalg.svd(triangles[i][b, b])[1][-1] < SINGULAR for b in _slices(f.blocks))
            for i, f in enumerate(factors)
        ),
        len(theta) + p + 1,
    )


def _spread(slopes: np.ndarray, derivatives: _Derivatives, degrees: int) -> np.ndarray:
    """Variances of the squared standard errors, by theta and the logarithm of the residual's."""
    both = derivatives.log_rss
    hessian = np.block(
        [
            [derivatives.curvature + degrees * np.outer(both, both), -degrees * both[:, None]],
            [-degrees * both[None], np.full((1, 1), float(degrees))],
        ]
    )
    return np.sum(slopes * (2 * _inverse(hessian) @ slopes), axis=0)


def _cross_products(y: np.ndarray, X: np.ndarray, factors: Sequence[Factor]) -> _Products:
    from scipy import sparse

    n = len(y)
    dense = np.column_stack([X, y])
    first, *others = (_indicators(factor) for factor in factors)
    codes, columns = factors[0].codes, factors[0].columns
    k = columns.shape[1]
    blocks = [
        np.bincount(codes, columns[:, s] * columns[:, t]) for s in range(k) for t in range(k)
    ]
    Z = sparse.hstack([sparse.csr_array((n, 0)), *others], format="csr")
    across = sparse.hstack([first.T @ Z, sparse.csr_array(first.T @ dense)], format="csr")
    if across.nnz > DENSE * np.prod(across.shape):
        across = across.toarray()
    border = Z.T @ dense
    rest = np.block([[(Z.T @ Z).toarray(), border], [border.T, dense.T @ dense]])
    return _Products(
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


def _triangles(theta: np.ndarray, factors: Sequence[Factor]) -> list[np.ndarray]:
    triangles, start = [], 0
    for factor in factors:
        rows, columns = factor.free
        L = np.zeros((factor.columns.shape[1],) * 2)
        L[rows, columns] = theta[start : start + len(rows)]
        triangles.append(L)
        start += len(rows)
    return triangles


def _block_diagonal(blocks: np.ndarray) -> Any:
    from scipy import sparse

    n = len(blocks)
    return sparse.bsr_array((np.ascontiguousarray(blocks), np.arange(n), np.arange(n + 1)))


def _profile(theta: np.ndarray, products: _Products, reml: bool) -> _Step:
    """Deviance, gradient and coefficients.

    ``V = I + sum_g Z_g L_g L_g' Z_g'`` is reached in two steps: V of the first factor alone gives
    the matrix ``inner`` of all other columns, the Cholesky factor of which (with I added for random
    effects) is that of the whole. The derivative of the deviance by ``L L'`` is the sum over levels
    of ``Z_j' V^-1 Z_j``, less ``n / rss`` times the outer product of ``Z_j' V^-1 (y - X b)``; with
    ``reml``, V^-1 is projected on what X leaves, and n is less p.
    """
    from scipy import sparse
    from scipy.linalg import solve_triangular

    p, q = products.n_fixed, len(products.rest) - products.n_fixed - 1
    first, *others = _triangles(theta, products.factors)
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
            np.einsum("jsjt->st", blocks)
            - np.tensordot(Y * weights, Y, axes=((0, 2), (0, 2)))
        )
        start += n * k
    gradient = [
        2 * (slope @ L)[f.free]
        for slope, L, f in zip(slopes, [first, *others], products.factors, strict=True)
    ]
    fixed = solve_triangular(root[q:-1, q:-1], np.eye(p), lower=True)
    return _Step(
        deviance, np.concatenate(gradient), slopes, rss, fixed.T @ root[-1, q:-1], fixed.T @ fixed
    )


def _weighted_products(left: Any, solved: np.ndarray, weights: np.ndarray, k: int) -> np.ndarray:
    """Sum over levels of the k x k blocks of ``left solved diag(weights) solved' left'``."""
    from scipy import sparse

    if not sparse.issparse(left):
        Y = (left @ solved).reshape(-1, k, len(weights))
        return np.tensordot(Y * weights, Y, axes=((0, 2), (0, 2)))
    middle = (solved * weights) @ solved.T
    parts = [left[s::k] for s in range(k)]
    return np.array([[(a.T @ b).multiply(middle).sum() for b in parts] for a in parts])


def _minimise(products: _Products, reml: bool) -> tuple[np.ndarray, _Derivatives]:
    """L-BFGS-B, then Newton; off the border again where the deviance falls towards the inside."""
    from scipy.optimize import minimize

    evaluate = partial(_profile, products=products, reml=reml)
    on_diagonal = np.concatenate([np.equal(*f.free) for f in products.factors])
    bounds = [(0, None) if each else (None, None) for each in on_diagonal]
    theta = on_diagonal.astype(float)
    origin = evaluate(theta).deviance  # subtracted, as the optimiser's tolerance is relative

    def target(theta: np.ndarray) -> tuple[float, np.ndarray]:
        step = evaluate(theta)
        return step.deviance - origin, step.gradient

    for _ in range(10):
        theta = minimize(
            target, theta, jac=True, method="L-BFGS-B", bounds=bounds,
            options={"ftol": 1e-11, "gtol": 1e-4, "maxiter": 500},
        ).x  # fmt: skip
        theta, promised, derivatives = _newton(theta, on_diagonal, evaluate)
        inside = _off_the_border(theta, evaluate, products.factors)
        if inside is None and promised < CONVERGED:
            return theta, derivatives
        theta = theta if inside is None else inside
    raise ValueError(
        "the likelihood has no clear maximum: leave out random slopes or their correlations, or "
        "use more trials per level"
    )


def _newton(
    theta: np.ndarray, on_diagonal: np.ndarray, evaluate: Callable[[np.ndarray], _Step]
) -> tuple[np.ndarray, float, _Derivatives]:
    """A few steps with one Hessian, and what the next one promises (in units of the deviance)."""
    derivatives = _differentiate(theta, evaluate)
    step = evaluate(theta)
    free = ~(on_diagonal & (theta <= 0))
    inverse = _inverse(derivatives.curvature[np.ix_(free, free)])
    for _ in range(5):
        gradient = step.gradient[free]
        promised = float(gradient @ inverse @ gradient) / 2
        moved = theta.copy()
        moved[free] -= inverse @ gradient
        moved[on_diagonal] = np.abs(moved[on_diagonal])  # the sign of a column of L is free
        further = evaluate(moved)
        if promised < CONVERGED**2 or further.deviance > step.deviance:
            break
        theta, step = moved, further
    return theta, promised, derivatives


def _differentiate(theta: np.ndarray, evaluate: Callable[[np.ndarray], _Step]) -> _Derivatives:
    curvature, covariance, log_rss = [], [], []
    for i, width in enumerate(1e-4 * np.maximum(np.abs(theta), 1e-2)):
        low, high = (evaluate(theta + sign * width * (np.arange(len(theta)) == i)) for sign in (-1, 1))
        curvature.append((high.gradient - low.gradient) / 2 / width)
        covariance.append((high.covariance - low.covariance) / 2 / width)
        log_rss.append((np.log(high.rss) - np.log(low.rss)) / 2 / width)
    hessian = np.array(curvature)
    return _Derivatives((hessian + hessian.T) / 2, np.array(covariance), np.array(log_rss))


def _off_the_border(
    theta: np.ndarray, evaluate: Callable[[np.ndarray], _Step], factors: Sequence[Factor]
) -> np.ndarray | None:
    """A better theta with a variance more, or None where those that are zero are so rightly.

    The derivative by an entry of L is zero wherever L is; that by ``L L'`` is not.
    """
    here = evaluate(theta)
    triangles = _triangles(theta, factors)
    for i, (L, slope) in enumerate(zip(triangles, here.slopes, strict=True)):
        for block in _slices(factors[i].blocks):
            values, vectors = np.linalg.eigh(L[block, block] @ L[block, block].T)
            empty = vectors[:, values < SINGULAR**2]
            falls, directions = np.linalg.eigh(empty.T @ slope[block, block] @ empty)
            if not len(falls) or falls[0] >= 0:
                continue
            direction = empty @ directions[:, :1]
            for size in (1, 0.1, 0.01, 1e-3):
                R = np.linalg.qr(np.hstack([L[block, block], size * direction]).T)[1]
                wider = L.copy()
                wider[block, block] = R.T * np.where(np.diag(R) < 0, -1, 1)
                tried = np.concatenate(
                    [(wider if j == i else M)[factors[j].free] for j, M in enumerate(triangles)]
                )
                if evaluate(tried).deviance < here.deviance - CONVERGED:
                    return tried
    return None


def _slices(blocks: Sequence[int]) -> list[slice]:
    ends = np.cumsum(blocks)
    return [slice(end - size, end) for end, size in zip(ends, blocks, strict=True)]


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse in the directions in which a symmetric matrix is positive (as lmerTest does)."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > 1e-10 * np.abs(values).max(initial=0)
    return vectors[:, kept] / values[kept] @ vectors[:, kept].T
