"""Score ``meg`` of CogBench, with and without its double dipping (see `encoding.cogbench`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from brainlm.data.scores import pearson
from brainlm.encoding._ridge.path import RidgePath
from brainlm.encoding.cogbench import (
    ALPHAS,
    alpha_curve,
    checked,
    columns_of,
    predict_fold,
    story_folds,
)

ALPHAS_SENSORS = np.logspace(-3, 3, 20) ** 2
BLOCK = 100  # words that stay together when blocks are shuffled


def choose_sensors(
    X: np.ndarray, Y: np.ndarray, groups: Any = None, *, share: float = 0.05, seed: int = 0
) -> list[np.ndarray]:
    """Return the sensors that an encoding run predicts best (published, but for the seed).

    Words in blocks of 100 are shuffled; eight tenths of the blocks train, one tenth chooses the
    penalty (of ``ALPHAS_SENSORS``, the best mean correlation), one tenth tests. Features and
    responses are z-scored in each. The published code keeps the best 5 % of the sensors, shuffles
    without a seed, and does all of this on the words that are scored afterwards.

    Parameters
    ----------
    X : array of shape (n_words, n_features)
    Y : array of shape (n_words, n_targets)
        Sensors of one or more groups.
    groups : sequence, shape (n_targets,), optional
        Whose sensors they are (a subject, a bin): each has its own penalty and selection.
    share : float
    seed : int
        Of the shuffled blocks (ours).

    Returns
    -------
    list of array of int
        Column numbers of each group, rising.
    """
    columns = columns_of(groups, Y.shape[1])
    kept = [int(len(own) * share) for own in columns]
    if min(kept) < 2:
        raise ValueError(
            f"{share:g} of {len(columns[int(np.argmin(kept))])} sensors are {min(kept)}: a "
            "correlation over sensors needs two or more; give a larger share"
        )
    (X_fit, Y_fit), (X_dev, Y_dev), (X_test, Y_test) = [
        (_z(X[rows]), _z(Y[rows])) for rows in _shuffled_blocks(len(X), seed)
    ]
    path = RidgePath.of(X_fit, intercept=False)
    curve = np.array(
        [np.nan_to_num(pearson(p, Y_dev)) for p in path.predict(Y_fit, X_dev, ALPHAS_SENSORS)]
    )
    chosen = []
    for own, n in zip(columns, kept, strict=True):
        alpha = ALPHAS_SENSORS[int(np.argmax(curve[:, own].mean(axis=1)))]
        (predicted,) = path.predict(Y_fit[:, own], X_test, [alpha])
        r = np.nan_to_num(pearson(predicted, Y_test[:, own]))
        chosen.append(np.sort(own[np.argsort(r, kind="stable")[-n:]]))
    return chosen


def meg(
    X: np.ndarray,
    Y: np.ndarray,
    groups: Any = None,
    *,
    share: float = 0.05,
    seed: int = 0,
    inside: bool = False,
) -> np.ndarray:
    """Score ``meg`` of one session: mean r of each word over the chosen sensors, (n_groups,).

    Published: `choose_sensors` on all words of the session, then ridge regression as in
    `brainlm.encoding.cogbench.predict_stories` without parts. The sensors are chosen with the
    responses that are scored (double dipping); ``inside`` chooses them in the training words of
    each fold instead (ours).

    Parameters
    ----------
    X : array of shape (n_words, n_features)
    Y : array of shape (n_words, n_targets)
        Responses of the sensors of one or more groups; published are the bins that begin 600 and
        700 ms after onset, each on its own.
    groups : sequence, shape (n_targets,), optional
        Subject and bin of each target. Default: all are one group.
    share, seed
        As in `choose_sensors`.
    inside : bool

    Returns
    -------
    array of shape (n_groups,)
        In the order in which the groups first come.
    """
    X, Y = checked(X, Y)
    chosen = [] if inside else choose_sensors(X, Y, groups, share=share, seed=seed)
    scores: list[list[float]] = []
    for train, test, pairs in story_folds(len(X), None):
        if inside:
            chosen = choose_sensors(X[train], Y[train], groups, share=share, seed=seed)
        paths = [(RidgePath.of(X[fit], intercept=False), fit, choose) for fit, choose in pairs]
        whole = RidgePath.of(X[train], intercept=False)
        scores.append([])
        for own in chosen:
            curve = sum(alpha_curve(path, X, Y[:, own], fit, choose) for path, fit, choose in paths)
            alpha = float(ALPHAS[int(np.argmax(curve))])
            fold = predict_fold(whole, X, Y[:, own], train, test, alpha)
            scores[-1].append(float(pearson(fold.predicted.T, fold.truth.T).mean()))
    return np.mean(scores, axis=0)


def _shuffled_blocks(n: int, seed: int) -> list[np.ndarray]:
    """Rows that train, choose the penalty, and test: shuffled blocks of 100."""
    blocks = [np.arange(a, min(a + BLOCK, n)) for a in range(0, n, BLOCK)]
    order = np.random.default_rng(seed).permutation(len(blocks))
    cuts = int(len(blocks) * 0.8), int(len(blocks) * 0.9)
    sides = np.split(order, cuts)
    if not all(map(len, sides)):
        raise ValueError(
            f"{n} words make {len(blocks)} blocks of {BLOCK}, too few to train, choose a penalty "
            "and test: give six blocks or more"
        )
    return [np.concatenate([blocks[i] for i in some]) for some in sides]


def _z(values: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and deviation 1 (divisor n - 1); a constant column becomes 0."""
    spread = values.std(axis=0, ddof=1)
    return (values - values.mean(axis=0)) / np.where(spread == 0, 1, spread)
