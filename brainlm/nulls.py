"""Nulls of encoding scores: the same analysis with responses that the stimulus did not cause."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainlm._checks import same_length
from brainlm.ridge import fit_ridge
from brainlm.scores import Scores, fisher_mean, pearson
from brainlm.splits import Split
from brainlm.statistics import permute_blocks

__all__ = ["permuted_scores"]


@dataclass(frozen=True)
class _Fold:
    """Everything of an outer fold that does not depend on the responses."""

    train: np.ndarray
    test: np.ndarray
    right: np.ndarray | None  # (n_features, n_train); None in the kernel form
    operators: list[tuple[np.ndarray, np.ndarray]]  # targets of one alpha; (n_test, q)

    def predict(self, Y: np.ndarray) -> np.ndarray:
        Y = Y - Y.mean(axis=0)
        predicted = np.empty((len(self.test), Y.shape[1]), dtype=Y.dtype)
        for own, operator in self.operators:
            R = Y[:, own] if self.right is None else self.right @ Y[:, own]
            predicted[:, own] = operator @ R
        return predicted


def permuted_scores(
    X: np.ndarray,
    Y: np.ndarray,
    split: Split,
    scores: Scores,
    *,
    block: int,
    runs: np.ndarray | None = None,
    n_permutations: int = 1000,
    standardize: bool = True,
    seed: int = 0,
) -> np.ndarray:
    """Return the scores of ridge regressions fitted anew to permuted responses.

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
    standardize : bool
        As in the encoder.
    seed : int

    Returns
    -------
    array of shape (n_permutations, n_targets)
        float32. All targets of a row share one permutation, so ``statistics.max_statistic_p``
        applies beside ``statistics.permutation_p``.

    Raises
    ------
    ValueError
        Scores without penalties or of another metric or shape; blocks too long.
    """
    if scores.alphas is None or scores.metric != "r":
        raise ValueError(
            f"scores must hold the alphas of a RidgeEncoder and metric 'r', got {scores!r}"
        )
    X, Y = np.asarray(X), np.asarray(Y).astype(np.asarray(X).dtype, copy=False)
    same_length({"rows of X": len(X), "rows of Y": len(Y)})
    folds = [
        _prepare(X, train, test, alphas, standardize)
        for (train, test), alphas in zip(split.split(X), scores.alphas, strict=True)
    ]
    rng = np.random.default_rng(seed)
    null = np.empty((n_permutations, Y.shape[1]), dtype=np.float32)
    for number in range(n_permutations):
        permuted = Y[permute_blocks(len(Y), block, rng, runs)]
        r = [pearson(fold.predict(permuted[fold.train]), permuted[fold.test]) for fold in folds]
        null[number] = fisher_mean(np.array(r))
    return null


def _prepare(
    X: np.ndarray, train: np.ndarray, test: np.ndarray, alphas: np.ndarray, standardize: bool
) -> _Fold:
    fit = fit_ridge(X[train], standardize=standardize, smallest_alpha=float(alphas.min()))
    A = fit.project(X[test])
    operators = [
        (np.flatnonzero(alphas == alpha), fit.operator(A, float(alpha)))
        for alpha in np.unique(alphas)
    ]
    return _Fold(train, test, fit.X.T if fit.primal else None, operators)
