"""Operators from training targets to held-out predictions, for every penalty of a grid.

Three ways, by what there is more of. With far fewer features than samples each fold has its own
decomposition (``fold_operators``). Otherwise all folds share one matrix: with
P = (XX' + alpha I)^-1, projected off the constant, the held-out residuals of the samples S are
exactly P_SS^-1 (P y)_S (Dubrule 1983 for kriging). For many targets that is worth an operator per
fold and penalty (``kernel_operators``); for few, one eigendecomposition gives P y and P_SS
(``SharedDecomposition``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlm.compute.backend import (
    at,
    cholesky,
    double,
    eigh,
    empty,
    eps,
    inverse,
    is_single,
    like,
    namespace,
    qr,
    rows_of_symmetric,
    solve,
    squares,
    svd,
)
from brainlm.compute.products import neighbours, operand, product, take_columns
from brainlm.encoding._ridge.solve import DOUBLE, SINGLE, RidgeFit, largest_squared_singular_value

Fold = tuple[np.ndarray, np.ndarray]

# The truth and below it the predictions (n_block, 1 + n_alphas, m); squares outside of the span of
# any prediction (n_block,)
Prediction = tuple[Any, Any]


@dataclass(frozen=True)
class Side:
    """Some targets in one inner fold, about their mean in its training samples.

    Attributes
    ----------
    training : array of shape (n_block, n_train)
    truth : array of shape (n_block, n_test)
    total : array of shape (n_block,)
        Sum of squares of ``truth``.
    """

    training: Any
    truth: Any
    total: Any

    @classmethod
    def of(cls, Yt: Any, train: np.ndarray, test: np.ndarray) -> Side:
        """Cut targets, one per row, (n_block, n_samples)."""
        training = take_columns(Yt, train)
        mean = training.mean(axis=1, keepdims=True)
        truth = take_columns(Yt, test) - mean
        return cls(training - mean, truth, squares(truth))


@dataclass(frozen=True)
class HeldOut:
    """One inner fold: from the training targets to the predictions of the test samples.

    Attributes
    ----------
    width : int
        m, the values per target and penalty.
    operator : array or tensor of shape (n_alphas * m, q)
        Predictions of one target are ``operator @ (basis' y_train)``.
    basis : tuple of array
        Factors whose product is the basis, (n_train, q); none is the identity (kernel form).
    rotation : array of shape (n_test, m) or None
        Orthonormal columns. With fewer features than test samples, all predictions lie in their
        span: only m = n_features numbers per target remain to be compared. Made for many targets.
    filters : array of shape (n_alphas, q), optional
        For few targets: ``operator`` is then (m, q), and each penalty filters what it multiplies.
    """

    width: int
    operator: Any
    basis: tuple[Any, ...]
    rotation: Any
    filters: Any = None

    def sides(self, side: Side) -> tuple[Any, Any, Any]:
        """Return predictors, predicted values, and the squares outside of the span.

        Returns
        -------
        right : array of shape (n_block, q)
        truth : array of shape (n_block, m)
        rest : array of shape (n_block,)
            Sum of squares that no penalty predicts.
        """
        right, truth = side.training, side.truth
        for factor in self.basis:
            right = right @ factor
        rest = namespace(truth).zeros_like(side.total)
        if self.rotation is not None:
            truth = truth @ self.rotation
            rest = (side.total - squares(truth)).clip(0)
        return right, truth, rest


@dataclass(frozen=True)
class Operators:
    """The operators of all inner folds."""

    folds: list[HeldOut]
    n_alphas: int

    @property
    def width(self) -> int:
        """The largest number of values per target and penalty in a fold."""
        return max(fold.width for fold in self.folds)

    def begin(self, Yt: Any) -> None:
        """Do nothing: the folds share nothing."""

    def predict(self, number: int, side: Side, begun: None) -> Prediction:
        """Predict a fold, by its number."""
        fold = self.folds[number]
        right, truth, rest = fold.sides(side)
        both = empty((len(truth), 1 + self.n_alphas, truth.shape[1]), truth)
        both[:, 0] = truth
        if fold.filters is None:
            product(right, fold.operator, out=both[:, 1:])
        else:
            filtered = right[:, None] * fold.filters  # (n_block, n_alphas, q)
            product(filtered, fold.operator, out=both[:, 1:])
        return both, rest


@dataclass(frozen=True)
class SharedDecomposition:
    """One eigendecomposition for all folds and penalties: K = U diag(l) U', kernel form.

    Attributes
    ----------
    folds : sequence of (train, test)
    U : array of shape (n_samples, n_samples)
    shrunken : array of shape (n_alphas, n_samples)
        1 / (l + alpha).
    factors : list of list of (S, factor)
        For each fold and penalty: the samples that do not train, and the Cholesky factor of P_SS.
    """

    folds: Sequence[Fold]
    U: Any
    shrunken: Any
    factors: list[list[tuple[np.ndarray, Any]]]

    @classmethod
    def of(cls, fit: RidgeFit, folds: Sequence[Fold], alphas: np.ndarray) -> SharedDecomposition:
        """Prepare every penalty and fold."""
        eigenvalues, U = fit.decomposition
        n, usual = len(U), fit.usual
        grid = like(alphas, eigenvalues, keep_dtype=True)
        shrunken = like(1 / (eigenvalues + grid[:, None]), U)
        out = [np.setdiff1d(np.arange(n), train) for train, _ in folds]
        # All products first: numpy and scipy bring a BLAS each, and the idle threads of the one
        # keep those of the other waiting for some time.
        squares = []
        for S in out:
            rows = U[at(neighbours(S), U)]
            halves = (rows * root for root in namespace(U).sqrt(shrunken))
            squares.append([half @ half.T for half in halves])
        for alpha, *own in zip(alphas, *squares, strict=True):
            for P in own:
                P -= float(1 / (n * (usual + alpha)))
        factors = [[(S, cholesky(P)) for P in own] for S, own in zip(out, squares, strict=True)]
        return cls(folds, U, shrunken, factors)

    @property
    def width(self) -> int:
        """Values per target and penalty: all samples at once."""
        return len(self.U)

    def begin(self, Yt: Any) -> Any:
        """Return P y for targets ``Yt`` (n_block, n_samples) and all penalties."""
        B = like(Yt, self.U) @ self.U
        filtered = (self.shrunken[:, None] * B).reshape(-1, len(self.U))
        return (filtered @ self.U.T).reshape(len(self.shrunken), *B.shape)

    def predict(self, number: int, side: Side, begun: Any) -> Prediction:
        """Predict a fold, by its number."""
        test, factors = self.folds[number][1], self.factors[number]
        both = empty((len(side.truth), 1 + len(factors), len(test)), begun)
        both[:, 0] = side.truth
        for j, ((S, factor), residual) in enumerate(zip(factors, begun, strict=True), start=1):
            held_out = solve(factor, residual[:, at(S, residual)].T)
            both[:, j] = side.truth - held_out[at(np.searchsorted(S, test), held_out)].T
        return both, namespace(both).zeros_like(side.total)


def kernel_operators(
    fit: RidgeFit, folds: Sequence[Fold], alphas: np.ndarray, half: bool
) -> Operators:
    """One inverse for each penalty, shared by all folds: many targets."""
    n = len(fit.X)
    usual = fit.usual
    out = [np.setdiff1d(np.arange(n), train) for train, _ in folds]  # test and gap
    stacks = [empty((len(alphas), len(test), len(train)), fit.X) for train, test in folds]
    for number, alpha in enumerate(alphas):
        # X is centred, so the constant is an eigenvector of eigenvalue 0. It is given an ordinary
        # one before the inversion, and taken out after it.
        shifted = fit.shifted(float(alpha))
        shifted += usual / n
        lower = inverse(shifted)
        for (train, test), S, stack in zip(folds, out, stacks, strict=True):
            rows = rows_of_symmetric(lower, S)
            rows -= float(1 / (n * (usual + alpha)))
            factor = cholesky(rows[:, at(S, rows)])
            residual = solve(factor, take_columns(rows, train))
            tested = residual[at(neighbours(np.searchsorted(S, test)), residual)]
            stack[number] = -tested
    held_out = []
    for train, test in folds:
        stack = stacks.pop(0).reshape(-1, len(train))
        held_out.append(HeldOut(len(test), operand(stack, half), (), None))
    return Operators(held_out, len(alphas))


def fold_operators(
    fit: RidgeFit, folds: Sequence[Fold], alphas: np.ndarray, half: bool, n_targets: int
) -> Operators:
    """Each fold by its own decomposition X_train = U diag(s) V'."""
    held_out = []
    for train, test in folds:
        training, left = fit.X[at(train, fit.X)], fit.X[at(test, fit.X)]
        mean = training.mean(axis=0)
        left, rotation = left - mean, None
        if left.shape[1] < len(left) and n_targets > left.shape[1]:  # else not worth its making
            rotation, left = qr(left)
        few = n_targets <= left.shape[1]
        basis, s, V = _decompose(training - mean, float(alphas[0]), few)
        filters = like(s / (s**2 + like(alphas, s, keep_dtype=True)[:, None]), left)
        if few:
            held_out.append(HeldOut(len(left), left @ V, basis, rotation, filters))
            continue
        shrunken = (left @ V) * filters[:, None]
        operator = operand(
            shrunken.reshape(shrunken.shape[0] * shrunken.shape[1], len(s)), half
        )  # (n_alphas * m, q)
        held_out.append(HeldOut(len(left), operator, basis, rotation))
    return Operators(held_out, len(alphas))


def _decompose(Z: Any, smallest_alpha: float, few: bool) -> tuple[tuple[Any, ...], Any, Any]:
    """Return factors of U, s, V of ``Z = U diag(s) V'``, by its Gram matrix where alpha forgives.

    For few targets U stays in the factors Z and V / s: it is dearer than what it multiplies.
    """
    largest = largest_squared_singular_value(Z)
    if Z.shape[0] * Z.shape[1] < 1e5 or smallest_alpha < DOUBLE * largest:
        U, s, Vt = svd(double(Z))
        kept = s > eps(Z) * (s[0] if len(s) else 0)  # falling
        return (like(U[:, kept], Z),), s[kept], like(Vt[kept].T, Z)
    small = is_single(Z) and smallest_alpha < SINGLE * largest
    exact = double(Z) if small else Z
    gram = exact.T @ exact
    eigenvalues, V = eigh(gram)
    kept = eigenvalues > eps(gram) * len(gram) * eigenvalues[-1]
    s, V = eigenvalues[kept] ** 0.5, V[:, kept]
    factors = (Z, like(V / s, Z)) if few else (like((exact @ V) / s, Z),)
    return factors, s, like(V, Z)
