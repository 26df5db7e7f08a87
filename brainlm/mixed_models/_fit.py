"""Maximum of the (restricted) likelihood of a linear mixed model.

See ``brainlm.mixed_models._likelihood`` for the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from brainlm.mixed_models._likelihood import Factor, Products, Step, cross_products, profile

CONVERGED = 1e-6  # of the deviance: what a Newton step from the end may still promise
FEW = 2000  # rows of a matrix whose products gain little from threads, and lose on a busy machine
SINGULAR = 1e-4  # of the residual's standard deviation, for columns whose root mean square is one


class MixedModelWarning(UserWarning):
    """A variance of a mixed model is zero, or a correlation of random effects is 1 or -1."""


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
class _Objective:
    """The deviance as a function of the free entries of all L."""

    products: Products
    reml: bool
    triangular: bool = True

    def at(self, roots: Sequence[np.ndarray]) -> Step:
        return profile(roots, self.products, self.reml)

    def pack(self, roots: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate([L[free] for L, free in zip(roots, self._free(), strict=True)])

    def unpack(self, theta: np.ndarray) -> list[np.ndarray]:
        roots = [np.zeros(free.shape) for free in self._free()]
        ends = np.cumsum([free.sum() for free in self._free()])[:-1]
        for L, free, part in zip(roots, self._free(), np.split(theta, ends), strict=True):
            L[free] = part
        return roots

    def gradient(self, theta: np.ndarray, step: Step) -> np.ndarray:
        roots = self.unpack(theta)
        return self.pack([2 * slope @ L for slope, L in zip(step.slopes, roots, strict=True)])

    def _free(self) -> list[np.ndarray]:
        labels = [np.repeat(np.arange(len(f.blocks)), f.blocks) for f in self.products.factors]
        free = [label[:, None] == label for label in labels]
        return [np.tril(each) for each in free] if self.triangular else free


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
    from threadpoolctl import threadpool_limits

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
    scaled = [
        Factor(factors[i].codes, factors[i].columns / sizes[i], factors[i].blocks) for i in order
    ]
    objective = _Objective(cross_products(rest / unit, basis, scaled), reml)
    few = len(objective.products.rest) < FEW
    try:
        with threadpool_limits(1 if few else None, "blas"):
            theta, derivatives = _minimise(objective)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "the residual variance of the mixed model vanishes beside those of the random effects: "
            "leave out random slopes, or use more trials per level"
        ) from error
    roots = objective.unpack(theta)
    step = objective.at(roots)
    degrees = n - p if reml else n
    variance = step.rss / degrees
    back = np.linalg.inv(R)
    covariance = variance * back @ step.covariance @ back.T
    slopes = variance * np.einsum("ij,tjk,ik->ti", back, derivatives.covariance, back)
    spread = _spread(np.vstack([slopes, np.diag(covariance)]), derivatives, degrees)
    by_factor = dict(zip(order, roots, strict=True))
    constant = 2 * degrees * np.log(unit) + (2 * np.log(np.abs(np.diag(R))).sum() if reml else 0)
    relative = [by_factor[i] / sizes[i][:, None] for i in range(len(factors))]
    return Estimate(
        least + unit * back @ step.coefficients,
        unit**2 * covariance,
        2 * np.diag(covariance) ** 2 / spread,
        tuple(variance * unit**2 * L @ L.T for L in relative),
        variance * unit**2,
        float(-(step.deviance + constant) / 2),
        tuple(
            tuple(np.linalg.svd(by_factor[i][b, b])[1][-1] < SINGULAR for b in _slices(f.blocks))
            for i, f in enumerate(factors)
        ),
        len(theta) + p + 1,
    )


def singular_notes(
    estimate: Estimate, factors: Sequence[Factor], effects: Sequence[Sequence[str]]
) -> tuple[str, ...]:
    """Name the random effects whose variances or correlations are on their boundary.

    Parameters
    ----------
    estimate : Estimate
    factors : sequence of Factor
        Those of the fit.
    effects : sequence of sequences of str
        Names of each factor's columns.
    """
    notes = []
    for factor, names, singular in zip(factors, effects, estimate.singular, strict=True):
        for block, found in zip(_slices(factor.blocks), singular, strict=True):
            if found and block.stop - block.start == 1:
                notes.append(f"the variance of {names[block][0]!r} is zero")
            elif found:
                notes.append(
                    f"the covariance of {list(names[block])} is singular: a variance is zero, or "
                    "a correlation 1 or -1"
                )
    return tuple(notes)


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


def _minimise(start: _Objective) -> tuple[np.ndarray, _Derivatives]:
    """L-BFGS, then Newton; off a variance of zero again where the deviance falls beside it.

    L-BFGS moves whole matrices L, as a triangle whose first diagonal entry is zero cannot turn into
    every near one. Diagonals are not bounded: a border at zero would stop a correlation from
    changing its sign.
    """
    from scipy.optimize import minimize

    whole = replace(start, triangular=False)
    roots = [np.eye(sum(f.blocks)) for f in start.products.factors]
    origin = start.at(roots).deviance  # subtracted, as the optimiser's tolerance is relative

    def target(theta: np.ndarray) -> tuple[float, np.ndarray]:
        step = whole.at(whole.unpack(theta))
        return step.deviance - origin, whole.gradient(theta, step)

    for _ in range(10):
        found = minimize(
            target,
            whole.pack(roots),
            jac=True,
            method="L-BFGS-B",
            options={"ftol": 1e-10, "gtol": 1e-3, "maxiter": 500},
        )
        roots = list(map(_triangular, whole.unpack(found.x)))
        theta, promised, derivatives = _newton(start, start.pack(roots))
        better = _off_zero(start, start.unpack(theta))
        if better is None and promised < CONVERGED:
            return theta, derivatives
        roots = start.unpack(theta) if better is None else better
    raise ValueError(
        "the likelihood has no clear maximum: leave out random slopes or their correlations, or "
        "use more trials per level"
    )


def _newton(objective: _Objective, theta: np.ndarray) -> tuple[np.ndarray, float, _Derivatives]:
    """A few steps with one Hessian, and what the next one promises (in units of the deviance)."""
    derivatives = _differentiate(objective, theta)
    inverse = _inverse(derivatives.curvature)
    step = objective.at(objective.unpack(theta))
    promises: list[float] = []
    for _ in range(5):
        gradient = objective.gradient(theta, step)
        promises.append(float(gradient @ inverse @ gradient) / 2)
        moved = theta - inverse @ gradient
        further = objective.at(objective.unpack(moved))
        if promises[-1] < CONVERGED**2 or further.deviance > step.deviance:
            break
        theta, step = moved, further
    zero = np.where(np.abs(theta) < SINGULAR, 0.0, theta)
    if objective.at(objective.unpack(zero)).deviance < step.deviance + CONVERGED**2:
        theta = zero
    if promises[0] > CONVERGED:
        derivatives = _differentiate(objective, theta)
    return theta, promises[-1], derivatives


def _differentiate(objective: _Objective, theta: np.ndarray) -> _Derivatives:
    """Central differences of the gradient."""
    differences = []
    for i, width in enumerate(1e-4 * np.maximum(np.abs(theta), 1e-2)):
        ends = []
        for sign in (-1, 1):
            near = theta + sign * width * (np.arange(len(theta)) == i)
            step = objective.at(objective.unpack(near))
            ends.append((objective.gradient(near, step), step.covariance, np.log(step.rss)))
        differences.append([(high - low) / 2 / width for low, high in zip(*ends, strict=True)])
    hessian, covariance, log_rss = (np.array(part) for part in zip(*differences, strict=True))
    return _Derivatives((hessian + hessian.T) / 2, covariance, log_rss)


def _off_zero(objective: _Objective, roots: list[np.ndarray]) -> list[np.ndarray] | None:
    """Better matrices with a variance more, or None where those that are zero are so rightly.

    The derivative by an entry of L is zero wherever L is; that by ``L L'`` is not.
    """
    here = objective.at(roots)
    for i, (L, slope) in enumerate(zip(roots, here.slopes, strict=True)):
        for block in _slices(objective.products.factors[i].blocks):
            values, vectors = np.linalg.eigh(L[block, block] @ L[block, block].T)
            empty = vectors[:, values < SINGULAR**2]
            falls, directions = np.linalg.eigh(empty.T @ slope[block, block] @ empty)
            if not len(falls) or falls[0] >= 0:
                continue
            for size in np.logspace(0, -3, 13):
                wider = L.copy()
                added = size * empty @ directions[:, :1]
                wider[block, block] = _triangular(np.hstack([L[block, block], added]))
                better = [*roots[:i], wider, *roots[i + 1 :]]
                if objective.at(better).deviance < here.deviance - CONVERGED:
                    return better
    return None


def _triangular(root: np.ndarray) -> np.ndarray:
    """Lower triangle with the same ``L L'`` and a diagonal that is not negative."""
    R = np.linalg.qr(root.T)[1]
    return R.T * np.where(np.diag(R) < 0, -1, 1)


def _slices(blocks: Sequence[int]) -> list[slice]:
    ends = np.cumsum(blocks)
    return [slice(end - size, end) for end, size in zip(ends, blocks, strict=True)]


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse in the directions in which a symmetric matrix is positive (as lmerTest does)."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > 1e-10 * np.abs(values).max(initial=0)
    return vectors[:, kept] / values[kept] @ vectors[:, kept].T
