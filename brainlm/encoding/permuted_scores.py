"""Null distributions of encoding scores: the same analysis with permuted responses."""

from __future__ import annotations

import warnings
import zlib
from typing import Any

import numpy as np

from brainlm._progress import bar
from brainlm._validation import same_length
from brainlm.compute.backend import (
    as_rows,
    at,
    eps,
    full,
    host,
    is_tensor,
    largest,
    like,
    namespace,
    place,
    row_dots,
    squares,
)
from brainlm.compute.products import operand, product
from brainlm.compute.streams import block_bytes, resident
from brainlm.data.scores import Scores, fisher_z
from brainlm.encoding._ridge.refitted import refitted_scores
from brainlm.encoding._ridge.solve import fit_ridge
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import AlphaEdgeWarning
from brainlm.encoding.splits import Split
from brainlm.stats.permutation import permute_blocks

AT_ONCE = 4096  # targets whose responses are held as rows


def permuted_scores(  # noqa: PLR0913
    X: Any,
    Y: Any,
    split: Split,
    scores: Scores,
    *,
    block: int | None = None,
    runs: np.ndarray | None = None,
    n_permutations: int = 1000,
    orders: np.ndarray | None = None,
    standardize: bool = True,
    seed: int = 0,
    device: str | None = None,
    encoder: Any = None,
) -> np.ndarray:
    """Return the scores of ridge regressions that are refitted to permuted responses.

    Blocks of samples of the responses change places within their run, in training and test
    together, and every fold is fitted and scored again at the penalties chosen for the true
    responses. The features stay, so the prediction of a test fold is one fixed operator per
    penalty, and a permutation costs a product with it instead of a regression:
    ``cross_validate`` on ``Y[order]`` with these penalties gives the same numbers.

    Permuting the held-out predictions without fitting again is cheaper and too narrow: in
    cross-validation each pair of folds enters twice, once as training and once as test, so that
    on noise the true mean score has up to sqrt(2) times the standard deviation of such a null.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    Y : array of shape (n_samples, n_targets)
    split : Split
    scores : Scores
        Of ``cross_validate(RidgeEncoder(...), X, Y, split)``, metric r; its ``alphas`` are used.
    block : int
        Samples in a block, longer than the responses' own memory; see ``permute_blocks``.
    runs : array of shape (n_samples,), optional
    n_permutations : int
    orders : array of int, shape (n_permutations, n_samples), optional
        Permutations of the rows of Y in place of random ones (``block``, ``runs`` and
        ``n_permutations`` are then not used); for a mean over subjects see ``shared_orders``.
    standardize : bool
        As in the encoder.
    seed : int
    device : str, optional
        As in `brainlm.RidgeEncoder`.
    encoder : estimator, optional
        Chooses the penalties of every permutation again, one per target, as the comparison studies
        do (`brainlm.comparison.score_ridge`): a search per permutation instead of a product. It
        replaces ``standardize`` and ``device``. Default: the penalties of ``scores`` are kept.

    Returns
    -------
    array of shape (n_permutations, n_targets)
        float32. All targets of a row share one permutation, so ``statistics.max_statistic_p``
        applies beside ``statistics.permutation_p``.

    Raises
    ------
    ValueError
        Scores without penalties or of another metric or shape; blocks too long; neither ``block``
        nor ``orders``, or both.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.standard_normal((100, 5)), rng.standard_normal((100, 2))
    >>> split = brainlm.ContiguousBlocks(4)
    >>> scores = brainlm.cross_validate(brainlm.RidgeEncoder(), X, Y, split)
    >>> null = brainlm.permuted_scores(X, Y, split, scores, block=10, n_permutations=20)
    >>> null.shape
    (20, 2)
    """
    if scores.alphas is None or scores.metric != "r":
        raise ValueError(
            f"scores must hold the alphas of a RidgeEncoder and metric 'r', got {scores!r}"
        )
    X = place(X if is_tensor(X) else np.asarray(X), device)
    Y = like(Y, X) if is_tensor(Y) or not is_tensor(X) else resident(np.asarray(Y), X)
    same_length({"rows of X": len(X), "rows of Y": len(Y)})
    if (block is None) == (orders is None):
        raise ValueError(f"give block or orders, got block={block} and orders={orders}")
    if block is not None:
        rng = np.random.default_rng(seed)
        orders = np.array([permute_blocks(len(Y), block, rng, runs) for _ in range(n_permutations)])
    assert orders is not None
    if encoder is not None:
        return _with_chosen_penalties(encoder, X, Y, split, orders)
    folds = list(split.split(X))
    z = refitted_scores(X, Y, folds, scores.alphas, orders, standardize=standardize)
    if z is None:
        z = _refit_by_fold(X, Y, folds, scores.alphas, orders, standardize=standardize)
    return np.tanh(host(z))


def _refit_by_fold(
    X: Any, Y: Any, splits: list, alphas_of: np.ndarray, orders: np.ndarray, *, standardize: bool
) -> Any:
    """Mean Fisher z of permuted responses, (n_permutations, n_targets), every fold by itself."""
    z = full((len(orders), Y.shape[1]), 0, X, in_double=False)
    room = block_bytes(X, AT_ONCE * X.itemsize * len(X))
    folds = list(zip(splits, alphas_of, strict=True))
    for (train, test), alphas in bar(folds, "permuted folds", inner=True):
        fit = fit_ridge(
            X[at(train, X)], standardize=standardize, smallest_alpha=float(alphas.min())
        )
        A = fit.project(X[at(test, X)])
        trained, tested = at(orders[:, train], X), at(orders[:, test], X)
        placed = full((fit.X.shape[1] if fit.primal else len(test), len(X)), 0, X)
        for alpha in np.unique(alphas).tolist():
            solved = fit.operator(A, alpha)
            # The operator is permuted instead of the responses, which are more, and centred
            # instead of them; the features of the primal form are centred already.
            first = fit.X.T if fit.primal else solved - solved.mean(axis=1, keepdims=True)
            last = operand(solved) if fit.primal else None
            own = np.flatnonzero(alphas == alpha)
            at_once = max(1, room // (X.itemsize * len(X)))
            for part in np.split(own, range(at_once, len(own), at_once)):
                Yt = as_rows(like(Y[:, at(part, Y)], X))
                Yt -= Yt.mean(axis=1, keepdims=True)  # changes no r, and rounding less
                size = largest(Yt, 1)
                Yt /= namespace(Yt).where(size > 0, size, 1)  # nor this: tesla are 1e-13
                found = full((len(orders), len(part)), 0, z)
                for number, (here, there) in enumerate(zip(trained, tested, strict=True)):
                    placed[:] = 0
                    placed[:, here] = first
                    predicted = product(Yt, operand(placed))
                    if last is not None:
                        predicted = product(predicted, last)
                    found[number] = fisher_z(_row_correlations(predicted, Yt[:, there]))
                z[:, at(part, z)] += found
    return z / len(folds)


def _with_chosen_penalties(
    encoder: Any, X: Any, Y: Any, split: Split, orders: np.ndarray
) -> np.ndarray:
    """Scores of permuted responses, as further targets of one regression."""
    per = {k: v for k, v in encoder.get_params().items() if k.endswith("alpha_per")}
    if set(per.values()) - {"target"}:
        raise ValueError(f"{per}: permuted responses need alpha_per='target'")
    found, at_once = [], max(1, AT_ONCE // Y.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)  # of responses that mean nothing
        for start in range(0, len(orders), at_once):
            every = np.hstack([host(Y[at(o, Y)]) for o in orders[start : start + at_once]])
            scores = cross_validate(encoder, X, every, split)
            found.append(scores.mean.reshape(-1, Y.shape[1]))
    return np.concatenate(found)


def shared_orders(
    words: np.ndarray,
    runs: np.ndarray,
    rows: np.ndarray,
    *,
    block: int,
    n_permutations: int,
    seed: int = 0,
) -> np.ndarray:
    """Return permutations of samples that all listeners to the same words share.

    Subjects who heard the same story also share noise: responses to its sound, to its plot, to
    anything that is not in the features. Where each subject is permuted by itself this noise
    averages out of the null, but not out of the mean score, and noise alone is "significant" in up
    to two of three studies. So the permutation of a run depends on its words only. Where a sample
    is missing, the ones it leaves without a place fill the places without a sample; all others
    move as in the other subjects.

    Parameters
    ----------
    words, runs : array of shape (n_words,)
        All words of the stimulus with their run, as `Stimulus` has them.
    rows : array of int, shape (n_samples,)
        Word that each sample is the response to; words whose epochs were rejected are missing.
    block : int
        Words that move together, see `brainlm.stats.permutation.permute_blocks`.
    n_permutations : int
    seed : int

    Returns
    -------
    array of int, shape (n_permutations, n_samples)
        For ``permuted_scores(orders=...)``.

    Examples
    --------
    >>> words, runs = np.array(["a", "b", "c", "a", "b", "c"]), np.repeat("1", 6)
    >>> brainlm.shared_orders(words, runs, np.arange(6), block=1, n_permutations=10).shape
    (10, 6)
    """
    sample = np.full(len(words), -1)
    sample[rows] = np.arange(len(rows))
    orders = np.tile(np.arange(len(rows)), (n_permutations, 1))
    for run in dict.fromkeys(np.asarray(runs).tolist()):
        here = np.asarray(runs) == run
        key = zlib.crc32("\0".join(map(str, np.asarray(words)[here])).encode())
        rng = np.random.default_rng([seed, key])
        samples = sample[here]
        present = samples >= 0
        for order in orders:
            moved = samples[permute_blocks(len(samples), block, rng)]
            placed, spare = moved[present], moved[~present]
            placed[placed < 0] = spare[spare >= 0]
            order[samples[present]] = placed
    return orders


def _row_correlations(A: Any, B: Any) -> Any:
    """``pearson(A.T, B.T)`` of predictions and data of ordinary size, both overwritten."""
    xp, lengths = namespace(A), []
    for each in (A, B):
        flat = 10 * eps(each) * largest(each, 1)[:, 0]
        each -= each.mean(axis=1, keepdims=True)
        square = squares(each)
        lengths.append(xp.where(square <= flat**2 * each.shape[1], 0, square))
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (row_dots(A, B) / xp.sqrt(lengths[0] * lengths[1])).clip(-1, 1)
    return xp.where(lengths[1] == 0, np.nan, xp.where(lengths[0] == 0, 0.0, r))
