"""Choice of the ridge penalty in inner folds: a curve of cross-validated R2 per target.

Almost all of the time goes into predictions, n_test x q x n_targets multiply-adds for each fold
and penalty, so four things keep them few and fast:

1. The prediction of a test fold is an operator on the training targets, the same for all targets
   (``brainlm.encoding._ridge.operators``).
2. A penalty acts on eigenvalue l as the filter l / (l + alpha). The filters of the whole grid are
   linear combinations of those of a few penalties in it (``choose_poles``), and so are the
   predictions: those of the others are never formed, their errors follow from inner products.
3. These predictions choose a penalty and nothing else, so half precision does where the
   processor multiplies it faster.
4. Targets pass in blocks that fit into the cache of the processor, once for all layers.

On a card the blocks are what fills it, and half precision makes the predictions of all penalties in
less time than it takes to choose a few of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlm.compute.backend import (
    as_rows,
    full,
    host,
    is_accelerator,
    is_single,
    like,
    namespace,
    squares,
)
from brainlm.compute.products import half_is_fast
from brainlm.compute.streams import block_bytes, column_stream, free_memory
from brainlm.encoding._ridge.operators import (
    Fold,
    Prediction,
    SharedDecomposition,
    Side,
    fold_operators,
    kernel_operators,
)
from brainlm.encoding._ridge.solve import DEFAULT_ALPHAS, DOUBLE, RidgeFit, fit_ridge
from brainlm.errors import unknown_name

BLOCK_BYTES = 1 << 23  # of predictions at a time: about what a processor's cache holds
SMALL = 2e10  # multiply-adds for the whole grid below which nothing is worth saving
FILTER_TOLERANCE = 0.03
SMALLEST_FILTER = 1e-3  # whose relative error counts
SPACES_BYTES = 1 << 30  # of the operators of spaces that are searched together
TRIED = 3  # poles that are tried to be left out
ENOUGH_SAMPLES = 500  # for the rounding of half precision to average out of an error


@dataclass(frozen=True)
class Search:
    """A feature space prepared for the choice of its penalties.

    Attributes
    ----------
    predictor : Operators or SharedDecomposition
    n_used : int
        Penalties whose predictions are made.
    mixing : array of shape (n_used, n_alphas) or None
        Of these predictions to those of the grid; None: they are the grid.
    step : int
        Targets to pass at a time.
    """

    predictor: Any
    n_used: int
    mixing: Any
    step: int

    @classmethod
    def of(
        cls, fit: RidgeFit, folds: Sequence[Fold], alphas: np.ndarray, search: str, n_targets: int
    ) -> Search:
        """Prepare the operators of all folds and penalties."""
        X = fit.X
        fast = not is_exact(X.shape[1], folds, len(alphas), n_targets, search)
        by_fold = fit.primal or alphas[0] < DOUBLE * fit.largest
        few = not by_fold and n_targets < len(X)
        used, mixing = np.arange(len(alphas)), None
        if fast and not is_accelerator(X):  # where all products take less time than the choice
            # In the kernel form the weights will want the eigenvectors, too.
            spectrum = fit.eigenvalues() if fit.primal else fit.decomposition[0]
            used, mixing = choose_poles(host(spectrum), alphas)
            mixing = like(mixing, X, keep_dtype=True)
        half = fast and is_single(X) and len(X) >= ENOUGH_SAMPLES and half_is_fast(X)
        predictor: Any
        if by_fold:
            predictor = fold_operators(fit, folds, alphas[used], half, n_targets)
        elif few:
            predictor = SharedDecomposition.of(fit, folds, alphas[used])
        else:
            predictor = kernel_operators(fit, folds, alphas[used], half)
        # Larger features have larger operators, which are worth reading seldom; with few targets
        # the two kinds of product of a block are worth alternating seldom.
        n_bytes = X.shape[0] * X.shape[1] * X.itemsize
        room = int(np.clip(n_bytes, BLOCK_BYTES, (4 if few else 2) * BLOCK_BYTES))
        room = block_bytes(X, room)
        step = max(16, room // (X.itemsize * predictor.width * len(used)))
        return cls(predictor, len(used), mixing, step)


class SquaredErrors:
    """Squared errors of a block of targets, gathered over the folds."""

    def __init__(self, search: Search, Yt: Any) -> None:
        n_block, n_used = len(Yt), search.n_used

        def zeros(*shape: int) -> Any:
            return full((n_block, *shape), 0, Yt, in_double=True)

        self._mixing = search.mixing
        self._baseline, self._beyond = zeros(), zeros()
        self._error = zeros(n_used)
        self._inner = None if self._mixing is None else zeros(n_used + 1, n_used + 1)

    def add(self, n_test: int, total: Any, prediction: Prediction) -> None:
        """Add a fold; ``total`` are the squares about the training mean."""
        both, rest = prediction
        self._baseline += total / n_test
        self._beyond += rest / n_test
        if self._mixing is None:
            residual = both[:, 1:]
            residual -= both[:, :1]
            self._error += squares(residual) / n_test
        else:
            self._inner += (both @ both.swapaxes(1, 2)) / n_test

    def curve(self) -> Any:
        """R2 of the whole grid, (n_alphas, n_block)."""
        error, xp = self._error, namespace(self._error)
        if self._mixing is not None:
            # ||y - sum_j c_j p_j||^2 by the inner products of y, p_1 ... p_J
            c = xp.vstack([xp.ones_like(self._mixing[:1]), -self._mixing])
            error = xp.einsum("bja,ja->ba", self._inner @ c, c)
        with np.errstate(divide="ignore", invalid="ignore"):
            return 1 - ((error + self._beyond[:, None]) / self._baseline[:, None]).T


def solve_ridge_cv(
    X: Any,
    Y: Any,
    folds: Sequence[Fold],
    alphas: np.ndarray = DEFAULT_ALPHAS,
    *,
    standardize: bool = True,
    search: str = "fast",
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
        of a few and combines them, float32 data in half precision where that is faster. Small
        problems are exact in both (``is_exact``).

    Returns
    -------
    array of shape (n_alphas, n_targets)
        Of the fast search only the place of the maximum is of use. The R2 of the alpha there was
        less than .001 below the best for 97 % of the targets or more, and never more than .03, in
        simulations with white, power-law and slow (AR(1), .95) features, a fifth to 2.4 times as
        many as samples (``benchmarks/README.md``). The maximum itself was off by up to .03. This
        is not a proven bound: take "exact" where it matters.
    """
    fit = fit_ridge(X, standardize=standardize, smallest_alpha=float(np.min(alphas)))
    return cv_curves([fit], Y, folds, alphas, search=search)[0]


def is_exact(
    n_features: int, folds: Sequence[Fold], n_alphas: int, n_targets: int, search: str = "fast"
) -> bool:
    """Return whether a search makes the predictions of every alpha: always, if it is small."""
    products = sum(len(test) * min(len(train), n_features) for train, test in folds)
    return search == "exact" or n_alphas * n_targets * products <= SMALL


def spaces_at_once(X: Any, n_features: int, n_alphas: int, search: str) -> int:
    """Return how many feature spaces to search together: their operators are held at once.

    Parameters
    ----------
    X : array of shape (n_samples, any)
    n_features : int
        Of the widest space.
    n_alphas : int
    search : {"fast", "exact"}
    """
    largest = n_alphas * len(X) * min(len(X), n_features) * X.itemsize
    room = max(SPACES_BYTES, free_memory(X) // 4) if is_accelerator(X) else SPACES_BYTES
    fewer = search == "fast" and not is_accelerator(X)
    return max(1, int(room // (largest // (4 if fewer else 1))))


def cv_curves(
    fits: Sequence[RidgeFit],
    Y: Any,
    folds: Sequence[Fold],
    alphas: np.ndarray,
    *,
    search: str = "fast",
) -> list[np.ndarray]:
    """Return the curves of several feature spaces in one pass over the targets.

    Parameters
    ----------
    fits : sequence of RidgeFit
        Of ``fit_ridge(X, ...)`` with ``smallest_alpha=alphas[0]`` or smaller; the operators of all
        are held together.
    Y, folds, alphas, search
        As in ``solve_ridge_cv``.

    Returns
    -------
    list of array of shape (n_alphas, n_targets)
    """
    if search not in ("fast", "exact"):
        raise unknown_name("search", search, ("fast", "exact"))
    alphas, n_targets = np.asarray(alphas, dtype=float), Y.shape[1]
    X = fits[0].X
    searches = [Search.of(fit, folds, alphas, search, n_targets) for fit in fits]
    curves = [full((len(alphas), n_targets), None, X, in_double=True) for _ in fits]
    step = min(each.step for each in searches)
    blocks = [slice(a, min(a + step, n_targets)) for a in range(0, n_targets, step)]
    for columns, block in column_stream(Y, blocks, X):
        Yt = as_rows(block)
        Yt = Yt - Yt.mean(axis=1, keepdims=True)
        begun = [each.predictor.begin(Yt) for each in searches]
        tallies = [SquaredErrors(each, Yt) for each in searches]
        for number, (train, test) in enumerate(folds):
            side = Side.of(Yt, train, test)
            for each, start_of, tally in zip(searches, begun, tallies, strict=True):
                predicted = each.predictor.predict(number, side, start_of)
                tally.add(len(test), side.total, predicted)
        for curve, tally in zip(curves, tallies, strict=True):
            curve[:, columns] = tally.curve()
    return [host(curve) for curve in curves]


def choose_poles(
    eigenvalues: np.ndarray, alphas: np.ndarray, tolerance: float = FILTER_TOLERANCE
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the few penalties whose filters combine to those of all others.

    ::

        l / (l + alphas[a])  ~  sum_j mixing[j, a] * l / (l + alphas[used[j]])

    at the eigenvalues l, and evenly in log l between them, to within a share ``tolerance`` of the
    filter, or of .001 where that is larger. An absolute error would not do: where there are about
    as many features as samples, or samples are alike, a test sample can be far larger than the
    training samples in a direction of small l. Grid points are added one by one where the error is
    largest; then one is left out for as long as moving the others makes up for it.

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
    size = np.maximum(filters, SMALLEST_FILTER).T  # (n_alphas, n_levels)
    relative = np.linalg.pinv(filters[:, used] / size[:, :, None], rcond=1e-6)
    mixing: np.ndarray = np.einsum("aul,al->ua", relative, filters.T / size)
    mixing[:, used] = np.eye(len(used))
    return mixing


def _errors(filters: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Largest error of each penalty, relative to its filter, (n_alphas,)."""
    error = np.abs(filters[:, used] @ _mixing(filters, used) - filters)
    largest: np.ndarray = (error / np.maximum(filters, SMALLEST_FILTER)).max(axis=0)
    return largest


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
