"""From training targets to the predictions of held-out samples, for every penalty of a grid.

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
from scipy import linalg

from brainlm._products import neighbours, operand, product, take_columns
from brainlm.ridge import DOUBLE, SINGLE, RidgeFit, largest_squared_singular_value

__all__ = ["Operators", "SharedDecomposition", "Side", "fold_operators", "kernel_operators"]

Fold = tuple[np.ndarray, np.ndarray]

# The truth and below it the predictions (n_block, 1 + n_alphas, m); squares outside of the span of
# any prediction (n_block,)
Prediction = tuple[np.ndarray, np.ndarray]


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

    training: np.ndarray
    truth: np.ndarray
    total: np.ndarray

    @classmethod
    def of(cls, Yt: np.ndarray, train: np.ndarray, test: np.ndarray) -> Side:
        """Cut targets, one per row, (n_block, n_samples)."""
        training = take_columns(Yt, train)
        mean = training.mean(axis=1, keepdims=True)
        truth = take_columns(Yt, test) - mean
        return cls(training - mean, truth, np.einsum("bm,bm->b", truth, truth))


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
    basis: tuple[np.ndarray, ...]
    rotation: np.ndarray | None
    filters: np.ndarray | None = None

    def sides(self, side: Side) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what predicts, what is predicted, and the squares outside of the span.

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
        rest = np.zeros_like(side.total)
        if self.rotation is not None:
            truth = truth @ self.rotation
            rest = np.maximum(side.total - np.einsum("bm,bm->b", truth, truth), 0)
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

    def begin(self, Yt: np.ndarray) -> None:
        """Nothing is shared by the folds."""

    def predict(self, number: int, side: Side, begun: None) -> Prediction:
        """Predict a fold, by its number."""
        fold = self.folds[number]
        right, truth, rest = fold.sides(side)
        both = np.empty((len(truth), 1 + self.n_alphas, truth.shape[1]), dtype=truth.dtype)
        both[:, 0] = truth
        if fold.filters is None:
            product(right, fold.operator, out=both[:, 1:])
        else:
            filtered = right[:, None] * fold.filters  # (n_block, n_alphas, q)
            np.matmul(filtered, fold.operator.T, out=both[:, 1:])
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
    U: np.ndarray
    shrunken: np.ndarray
    factors: list[list[tuple[np.ndarray, Any]]]

    @classmethod
    def of(
        cls,
        fit: RidgeFit,
        folds: Sequence[Fold],
        alphas: np.ndarray,
    ) -> SharedDecomposition:
        """Prepare every penalty and fold."""
        eigenvalues, U = fit.decomposition
        n, usual = len(U), fit.usual
        shrunken = (1 / (eigenvalues + alphas[:, None])).astype(U.dtype)
        out = [np.setdiff1d(np.arange(n), train) for train, _ in folds]
        # All products first: numpy and scipy bring a BLAS each, and the idle threads of the one
        # keep those of the other waiting for some time.
        squares = []
        for S in out:
            roots = (U[neighbours(S)] * root for root in np.sqrt(shrunken))
            squares.append([half @ half.T for half in roots])
        for alpha, *own in zip(alphas, *squares, strict=True):
            for P in own:
                P -= P.dtype.type(1 / (n * (usual + alpha)))
        factors = [
            [(S, linalg.cho_factor(P, overwrite_a=True, check_finite=False)) for P in own]
            for S, own in zip(out, squares, strict=True)
        ]
        return cls(folds, U, shrunken, factors)

    @property
    def width(self) -> int:
        """Values per target and penalty: all samples at once."""
        return len(self.U)

    def begin(self, Yt: np.ndarray) -> np.ndarray:
        """Return P y for targets ``Yt`` (n_block, n_samples) and all penalties."""
        B = Yt @ self.U
        filtered = (self.shrunken[:, None] * B).reshape(-1, len(self.U))
        return (filtered @ self.U.T).reshape(len(self.shrunken), *B.shape)

    def predict(self, number: int, side: Side, begun: np.ndarray) -> Prediction:
        """Predict a fold, by its number."""
        test, factors = self.folds[number][1], self.factors[number]
        both = np.empty((len(side.truth), 1 + len(factors), len(test)), dtype=begun.dtype)
        both[:, 0] = side.truth
        for j, ((S, factor), residual) in enumerate(zip(factors, begun, strict=True), start=1):
            held_out = linalg.cho_solve(factor, residual[:, S].T, check_finite=False)
            both[:, j] = side.truth - held_out[np.searchsorted(S, test)].T
        return both, np.zeros_like(side.total)


def kernel_operators(
    fit: RidgeFit, folds: Sequence[Fold], alphas: np.ndarray, half: bool
) -> Operators:
    """One inverse for each penalty, shared by all folds: many targets."""
    n = len(fit.X)
    usual = fit.usual
    out = [np.setdiff1d(np.arange(n), train) for train, _ in folds]  # test and gap
    stacks = [np.empty((len(alphas), len(t), len(train)), fit.X.dtype) for train, t in folds]
    for number, alpha in enumerate(alphas):
        # X is centred, so the constant is an eigenvector of eigenvalue 0. It is given an ordinary
        # one before the inversion, and taken out after it.
        shifted = fit.shifted(float(alpha))
        shifted += usual / n
        lower = _lower_inverse(shifted)
        for (train, test), S, stack in zip(folds, out, stacks, strict=True):
            rows = _rows(lower, S)
            rows -= 1 / (n * (usual + alpha))
            factor = linalg.cho_factor(rows[:, S], check_finite=False)
            residual = linalg.cho_solve(factor, take_columns(rows, train), check_finite=False)
            tested = residual[neighbours(np.searchsorted(S, test))]
            np.negative(tested, out=stack[number], casting="same_kind")
    held_out = []
    for train, test in folds:
        stack = stacks.pop(0).reshape(-1, len(train))
        held_out.append(HeldOut(len(test), operand(stack, half), (), None))
    return Operators(held_out, len(alphas))


def _lower_inverse(A: np.ndarray) -> np.ndarray:
    """Return the inverse of a positive definite matrix; only its lower triangle is filled."""
    potri = linalg.get_lapack_funcs("potri", (A,))
    # A is symmetric, and its transpose in the order that LAPACK works on without a copy.
    factor, _ = linalg.cho_factor(A.T, lower=True, overwrite_a=True, check_finite=False)
    return potri(factor, lower=True, overwrite_c=True)[0]


def _rows(lower: np.ndarray, S: np.ndarray) -> np.ndarray:
    """Return rows S of the symmetric matrix whose lower triangle is given, (n_S, n)."""
    first, stop = int(S[0]), int(S[-1]) + 1
    if stop - first > 2 * len(S):  # far apart: row by row
        whole = np.tril(lower, -1)
        return (whole + whole.T)[S] + np.diag(np.diagonal(lower))[S]
    # Neighbours, nearly: what stands left of them, their own square, what stands below.
    block = np.empty((stop - first, len(lower)), dtype=lower.dtype, order="F")
    block[:, :first] = lower[first:stop, :first]
    square = np.tril(lower[first:stop, first:stop])
    block[:, first:stop] = square + np.tril(square, -1).T
    block[:, stop:] = lower[stop:, first:stop].T
    return block if stop - first == len(S) else block[S - first]


def fold_operators(
    fit: RidgeFit, folds: Sequence[Fold], alphas: np.ndarray, half: bool, n_targets: int
) -> Operators:
    """Each fold by its own decomposition X_train = U diag(s) V'."""
    held_out = []
    for train, test in folds:
        mean = fit.X[train].mean(axis=0)
        left, rotation = fit.X[test] - mean, None
        if left.shape[1] < len(left) and n_targets > left.shape[1]:  # else not worth its making
            rotation, left = linalg.qr(left, mode="economic", check_finite=False)
        few = n_targets <= left.shape[1]
        basis, s, V = _decompose(fit.X[train] - mean, float(alphas[0]), few)
        filters = (s / (s**2 + alphas[:, None])).astype(left.dtype)
        if few:
            held_out.append(HeldOut(len(left), left @ V, basis, rotation, filters))
            continue
        shrunken = (left @ V) * filters[:, None]
        operator = operand(
            shrunken.reshape(shrunken.shape[0] * shrunken.shape[1], len(s)), half
        )  # (n_alphas * m, q)
        held_out.append(HeldOut(len(left), operator, basis, rotation))
    return Operators(held_out, len(alphas))


def _decompose(
    Z: np.ndarray, smallest_alpha: float, few: bool
) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
    """Return factors of U, s, V of ``Z = U diag(s) V'``, by its Gram matrix where alpha forgives.

    For few targets U stays in the factors Z and V / s: it is dearer than what it multiplies.
    """
    largest = largest_squared_singular_value(Z)
    if Z.size < 1e5 or smallest_alpha < DOUBLE * largest:
        U, s, Vt = linalg.svd(Z.astype(np.float64), full_matrices=False, check_finite=False)
        kept = s > np.finfo(Z.dtype).eps * s.max(initial=0)
        return (U[:, kept].astype(Z.dtype),), s[kept], Vt[kept].T.astype(Z.dtype)
    exact = Z
    if Z.dtype == np.float32 and smallest_alpha < SINGLE * largest:
        exact = Z.astype(np.float64)
    gram = exact.T @ exact
    eigenvalues, V = linalg.eigh(gram, overwrite_a=True, check_finite=False, driver="evd")
    kept = eigenvalues > np.finfo(gram.dtype).eps * len(gram) * eigenvalues[-1]
    s, V = np.sqrt(eigenvalues[kept]), V[:, kept]
    factors = (Z, (V / s).astype(Z.dtype)) if few else (((Z @ V) / s).astype(Z.dtype),)
    return factors, s, V.astype(Z.dtype)
