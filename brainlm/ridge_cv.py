"""The choice of the ridge penalty in inner folds: one curve of cross-validated R2 per target.

Almost all of the time goes into predictions, n_test x q x n_targets multiply-adds for each fold
and penalty, so four things keep them few and fast:

1. The prediction of a test fold is an operator on the training targets, O = A (G + alpha I)^-1,
   the same for all targets. In the kernel form one inverse per penalty serves all folds: with
   P = (XX' + alpha I)^-1, projected off the constant, the held-out residuals of the samples S are
   exactly P_SS^-1 (P y)_S (Dubrule 1983 for kriging). With few targets the operator is not worth
   its making: one eigendecomposition gives P y and P_SS for every penalty.
2. A penalty acts on eigenvalue l as the filter l / (l + alpha). The filters of the whole grid are
   linear combinations of those of a few penalties in it (``choose_poles``), and so are the
   predictions: those of the others are never formed, their errors follow from inner products.
3. These predictions choose a penalty and nothing else, so half precision does where the
   processor multiplies it faster.
4. Targets pass in blocks that fit into the cache of the processor.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from brainlm._products import (
    half_is_fast,
    neighbours,
    operand,
    product,
    take_columns,
)
from brainlm.errors import unknown_name
from brainlm.ridge import (
    DEFAULT_ALPHAS,
    DOUBLE,
    SINGLE,
    RidgeFit,
    fit_ridge,
    largest_squared_singular_value,
)

__all__ = ["choose_poles", "solve_ridge_cv"]

Fold = tuple[np.ndarray, np.ndarray]

# n_test; the truth and below it the predictions (n_block, 1 + n_alphas, m); squares outside of the
# span of any prediction, and about the training mean, (n_block,) each
Prediction = tuple[int, np.ndarray, np.ndarray, np.ndarray]

BLOCK_BYTES = 1 << 23  # of predictions at a time: about what a processor's cache holds
SMALL = 2e10  # multiply-adds for the whole grid below which nothing is worth saving
FILTER_TOLERANCE = 0.03
TRIED = 3  # poles that are tried to be left out
ENOUGH_SAMPLES = 500  # for the rounding of half precision to average out of an error


@dataclass(frozen=True)
class HeldOut:
    """One inner fold: from the training targets to the predictions of the test samples.

    Attributes
    ----------
    train, test : array of int
        Rows.
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

    train: np.ndarray
    test: np.ndarray
    operator: Any
    basis: tuple[np.ndarray, ...]
    rotation: np.ndarray | None
    filters: np.ndarray | None = None

    def sides(self, Yt: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return what predicts, what is predicted, and the squares outside of the span.

        Parameters
        ----------
        Yt : array of shape (n_block, n_samples)
            Targets, one per row.

        Returns
        -------
        right : array of shape (n_block, q)
        truth : array of shape (n_block, m)
        rest : array of shape (n_block,)
            Sum of squares that no penalty predicts.
        total : array of shape (n_block,)
            Sum of squares about the training mean.
        """
        right, truth = take_columns(Yt, self.train), take_columns(Yt, self.test)
        mean = right.mean(axis=1, keepdims=True)
        truth = truth - mean
        total = np.einsum("bm,bm->b", truth, truth)
        right = right - mean
        for factor in self.basis:
            right = right @ factor
        rest = np.zeros_like(total)
        if self.rotation is not None:
            truth = truth @ self.rotation
            rest = np.maximum(total - np.einsum("bm,bm->b", truth, truth), 0)
        return right, truth, rest, total


@dataclass(frozen=True)
class Operators:
    """The operators of all inner folds."""

    folds: list[HeldOut]
    n_alphas: int

    @property
    def width(self) -> int:
        """The largest number of values per target and penalty in a fold."""
        return max(
            len(fold.test) if fold.rotation is None else fold.rotation.shape[1]
            for fold in self.folds
        )

    def predict(self, Yt: np.ndarray) -> Iterator[Prediction]:
        """Yield the prediction of each fold for targets ``Yt`` (n_block, n_samples)."""
        for fold in self.folds:
            right, truth, rest, total = fold.sides(Yt)
            both = np.empty((len(Yt), 1 + self.n_alphas, truth.shape[1]), dtype=Yt.dtype)
            both[:, 0] = truth
            if fold.filters is None:
                product(right, fold.operator, out=both[:, 1:])
            else:
                filtered = right[:, None] * fold.filters  # (n_block, n_alphas, q)
                np.matmul(filtered, fold.operator.T, out=both[:, 1:])
            yield len(fold.test), both, rest, total


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

    def predict(self, Yt: np.ndarray) -> Iterator[Prediction]:
        """Yield the prediction of each fold for targets ``Yt`` (n_block, n_samples)."""
        B = Yt @ self.U
        filtered = (self.shrunken[:, None] * B).reshape(-1, len(self.U))
        residuals = (filtered @ self.U.T).reshape(len(self.shrunken), *B.shape)  # P y
        for (train, test), factors in zip(self.folds, self.factors, strict=True):
            mean = take_columns(Yt, train).mean(axis=1, keepdims=True)
            both = np.empty((len(Yt), 1 + len(factors), len(test)), dtype=Yt.dtype)
            both[:, 0] = take_columns(Yt, test) - mean
            for j, ((S, factor), residual) in enumerate(zip(factors, residuals, strict=True)):
                held_out = linalg.cho_solve(factor, residual[:, S].T, check_finite=False)
                both[:, 1 + j] = both[:, 0] - held_out[np.searchsorted(S, test)].T
            total = np.einsum("bm,bm->b", both[:, 0], both[:, 0])
            yield len(test), both, np.zeros_like(total), total


def solve_ridge_cv(
    X: np.ndarray,
    Y: Any,
    folds: Sequence[Fold],
    alphas: np.ndarray = DEFAULT_ALPHAS,
    *,
    standardize: bool = True,
    search: str = "fast",
    fit: RidgeFit | None = None,
) -> np.ndarray:
    """Return the cross-validated R2 of every alpha for every target.

    For target v and alpha a::

        R2[a, v] = 1 - mean_f MSE_f(a, v) / mean_f MSE_f(training mean, v)

    where f runs over the folds, and mean and weights are learned on the training samples of each
    fold. The scale of the features is that of all rows of ``X`` in every fold (they are one outer
    training set), so that an alpha is the same penalty in the folds as in the fit that follows.
    The best alpha of a target does not depend on the denominator.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    Y : array of shape (n_samples, n_targets)
        Or anything of that ``shape`` that gives columns as ``Y[:, start:stop]``.
    folds : sequence of (train, test)
        Row numbers; contiguous or by run for time series.
    alphas : array of shape (n_alphas,)
        Positive, rising.
    standardize : bool
        z-score the features.
    search : {"fast", "exact"}
        "exact" makes the predictions of every alpha in the precision of ``X``. "fast" makes those
        of a few and combines them, float32 data in half precision where that is faster; its best
        alpha scores within 1e-3 of the best one (measured: ``benchmarks/ridge.py``). Small
        problems are exact in both.
    fit : RidgeFit, optional
        Of ``fit_ridge(X, ...)`` with ``smallest_alpha=alphas[0]`` or smaller, where it is there
        already.

    Returns
    -------
    array of shape (n_alphas, n_targets)
    """
    if search not in ("fast", "exact"):
        raise unknown_name("search", search, ("fast", "exact"))
    alphas = np.asarray(alphas, dtype=float)
    if fit is None:
        fit = fit_ridge(X, standardize=standardize, smallest_alpha=float(alphas[0]))
    n_targets = Y.shape[1]
    per_fold = [len(test) * min(len(train), X.shape[1]) for train, test in folds]
    work = len(alphas) * n_targets * sum(per_fold)
    fast = search == "fast" and work > SMALL
    by_fold = fit.primal or alphas[0] < DOUBLE * fit.largest
    few = not by_fold and n_targets < len(X)
    used, mixing = np.arange(len(alphas)), None
    if fast:
        # In the kernel form the weights will want the eigenvectors, too.
        spectrum = fit.eigenvalues() if fit.primal else fit.decomposition[0]
        used, mixing = choose_poles(spectrum, alphas)
    half = fast and X.dtype == np.float32 and len(X) >= ENOUGH_SAMPLES and half_is_fast()
    predictor: Any
    if by_fold:
        predictor = _fold_operators(fit, folds, alphas[used], half, n_targets)
    elif few:
        predictor = SharedDecomposition.of(fit, folds, alphas[used])
    else:
        predictor = _kernel_operators(fit, folds, alphas[used], half)
    curve = np.empty((len(alphas), n_targets))
    # Larger features have larger operators, which are worth reading seldom; with few targets the
    # two kinds of product of a block are worth alternating seldom.
    room = int(np.clip(X.nbytes, BLOCK_BYTES, (4 if few else 2) * BLOCK_BYTES))
    step = max(16, room // (X.itemsize * predictor.width * len(used)))
    for start in range(0, n_targets, step):
        block = slice(start, min(start + step, n_targets))
        Yt = np.asarray(Y[:, block], dtype=X.dtype).T
        Yt = np.ascontiguousarray(Yt - Yt.mean(axis=1, keepdims=True))
        curve[:, block] = _block_curve(Yt, predictor, len(used), mixing)
    return curve


def choose_poles(
    eigenvalues: np.ndarray, alphas: np.ndarray, tolerance: float = FILTER_TOLERANCE
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the few penalties whose filters combine to those of all others.

    ::

        l / (l + alphas[a])  ~  sum_j mixing[j, a] * l / (l + alphas[used[j]])

    at the eigenvalues l, and evenly in log l between them, to within ``tolerance`` (the largest
    error). Grid points are added one by one where the error is largest; then one is left out for as
    long as moving the others makes up for it.

    Parameters
    ----------
    eigenvalues : array
        Of the Gram matrix of the training features; those of a sample of it do.
    alphas : array of shape (n_alphas,)
    tolerance : float

    Returns
    -------
    used : array of int, shape (n_used,)
        Rising.
    mixing : array of shape (n_used, n_alphas)
        A column of the identity for each alpha in use.
    """
    top = eigenvalues.max(initial=0)
    kept = eigenvalues[eigenvalues > 1e-9 * top]
    if len(kept) == 0:
        return np.arange(len(alphas)), np.eye(len(alphas))
    levels = np.r_[
        np.quantile(kept, np.linspace(0, 1, 200)), np.geomspace(kept.min(), kept.max(), 100)
    ]
    filters = levels[:, None] / (levels[:, None] + alphas)  # (n_levels, n_alphas)
    used = np.array([0, len(alphas) - 1] if len(alphas) > 1 else [0])
    while len(used) < len(alphas):
        error = _errors(filters, used)
        if error.max() <= tolerance:
            break
        used = np.sort(np.r_[used, error.argmax()])
    while len(fewer := _with_one_less(filters, used, tolerance)):
        used = fewer
    mixing = _mixing(filters, used)
    return used, mixing


def _mixing(filters: np.ndarray, used: np.ndarray) -> np.ndarray:
    mixing: np.ndarray = linalg.lstsq(filters[:, used], filters, cond=1e-6, check_finite=False)[0]
    mixing[:, used] = np.eye(len(used))
    return mixing


def _errors(filters: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Largest error of each penalty, (n_alphas,)."""
    errors: np.ndarray = np.abs(filters[:, used] @ _mixing(filters, used) - filters).max(axis=0)
    return errors


def _with_one_less(filters: np.ndarray, used: np.ndarray, tolerance: float) -> np.ndarray:
    """Return one pole fewer within the tolerance, none if moving the others does not help."""
    n_alphas = filters.shape[1]

    def worst(poles: np.ndarray) -> float:
        return float(_errors(filters, poles).max())

    dropped = [np.delete(used, k) for k in range(len(used))] if 2 < len(used) < n_alphas else []
    for poles in sorted(dropped, key=worst)[:TRIED]:
        error, moved = worst(poles), True
        while moved and error > tolerance:
            moved = False
            for k, step in itertools.product(range(len(poles)), (-1, 1)):
                other = poles.copy()
                other[k] += step
                if not 0 <= other[k] < n_alphas or len(set(other.tolist())) < len(other):
                    continue
                if (found := worst(other)) < error:
                    poles, error, moved = other, found, True
        if error <= tolerance:
            return poles
    return used[:0]


def _kernel_operators(
    fit: RidgeFit, folds: Sequence[Fold], alphas: np.ndarray, half: bool
) -> Operators:
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
        held_out.append(HeldOut(train, test, operand(stack, half), (), None))
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


def _fold_operators(
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
            held_out.append(HeldOut(train, test, left @ V, basis, rotation, filters))
            continue
        shrunken = (left @ V) * filters[:, None]
        operator = operand(shrunken.reshape(-1, len(s)), half)  # (n_alphas * m, q)
        held_out.append(HeldOut(train, test, operator, basis, rotation))
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


def _block_curve(
    Yt: np.ndarray, predictor: Any, n_used: int, mixing: np.ndarray | None
) -> np.ndarray:
    """R2 of the whole grid for a block of targets, (n_alphas, n_block)."""
    n_block = len(Yt)
    baseline, beyond = np.zeros(n_block), np.zeros(n_block)
    error = np.zeros((n_block, n_used))
    inner = np.zeros((n_block, n_used + 1, n_used + 1))
    for n_test, both, rest, total in predictor.predict(Yt):
        baseline += total / n_test
        beyond += rest / n_test
        if mixing is None:
            residual = both[:, 1:]
            residual -= both[:, :1]
            error += np.einsum("bjm,bjm->bj", residual, residual) / n_test
        else:
            inner += (both @ both.transpose(0, 2, 1)) / n_test
    if mixing is not None:  # ||y - sum_j c_j p_j||^2 by the inner products of y, p_1 ... p_J
        c = np.vstack([np.ones(mixing.shape[1]), -mixing])  # (1 + n_used, n_alphas)
        error = np.einsum("bja,ja->ba", inner @ c, c)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 - ((error + beyond[:, None]) / baseline[:, None]).T
