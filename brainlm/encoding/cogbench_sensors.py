"""Score ``meg`` of CogBench, with and without its double dipping (see `encoding.cogbench`)."""

from __future__ import annotations

import numpy as np

from brainlm.data.scores import pearson
from brainlm.encoding._ridge.path import RidgePath
from brainlm.encoding.cogbench import ALPHAS, alpha_curve, checked, predict_fold, story_folds

ALPHAS_SENSORS = np.logspace(-3, 3, 20) ** 2
BLOCK = 100  # words that stay together when blocks are shuffled


def choose_sensors(
    X: np.ndarray, Y: np.ndarray, *, share: float = 0.05, seed: int = 0
) -> np.ndarray:
    """Return the sensors that an encoding run predicts best (published, but for the seed).

    Words in blocks of 100 are shuffled; eight tenths of the blocks train, one tenth chooses the
    penalty (of ``ALPHAS_SENSORS``, the best mean correlation), one tenth tests. Features and
    responses are z-scored in each. The published code keeps the best 5 % of the sensors, shuffles
    without a seed, and does all of this on the words that are scored afterwards.

    Parameters
    ----------
    X : array of shape (n_words, n_features)
    Y : array of shape (n_words, n_sensors)
    share : float
    seed : int
        Of the shuffled blocks (ours).

    Returns
    -------
    array of int
        Column numbers, rising.
    """
    n_kept = int(Y.shape[1] * share)
    if n_kept < 2:
        raise ValueError(
            f"{share:g} of {Y.shape[1]} sensors are {n_kept}: a correlation over sensors needs two "
            "or more; give a larger share"
        )
    blocks = [np.arange(a, min(a + BLOCK, len(X))) for a in range(0, len(X), BLOCK)]
    order = np.random.default_rng(seed).permutation(len(blocks))
    cuts = int(len(blocks) * 0.8), int(len(blocks) * 0.9)
    sides = [
        np.concatenate([blocks[i] for i in some]) if len(some) else np.arange(0)
        for some in np.split(order, cuts)
    ]
    if not all(map(len, sides)):
        raise ValueError(
            f"{len(X)} words make {len(blocks)} blocks of {BLOCK}, too few to train, choose a "
            "penalty and test: give six blocks or more"
        )
    scaled = [(_z(X[rows]), _z(Y[rows])) for rows in sides]
    (X_fit, Y_fit), (X_dev, Y_dev), (X_test, Y_test) = scaled
    path = RidgePath.of(X_fit, intercept=False)
    curve = [
        np.nan_to_num(pearson(p, Y_dev)).mean() for p in path.predict(Y_fit, X_dev, ALPHAS_SENSORS)
    ]
    (predicted,) = path.predict(Y_fit, X_test, [ALPHAS_SENSORS[int(np.argmax(curve))]])
    return np.sort(np.argsort(np.nan_to_num(pearson(predicted, Y_test)), kind="stable")[-n_kept:])


def meg(
    X: np.ndarray, Y: np.ndarray, *, share: float = 0.05, seed: int = 0, inside: bool = False
) -> float:
    """Score ``meg`` of one subject, session and bin: r of each word over the chosen sensors, mean.

    Published: `choose_sensors` on all words of the session, then ridge regression as in
    `predict_stories` without parts. The sensors are chosen with the responses that are scored
    (double dipping); ``inside`` chooses them in the training words of each fold instead (ours).

    Parameters
    ----------
    X : array of shape (n_words, n_features)
    Y : array of shape (n_words, n_sensors)
        Responses in one bin; published are the bins that begin 600 and 700 ms after onset.
    share, seed
        As in `choose_sensors`.
    inside : bool
    """
    X, Y = checked(X, Y)
    chosen = None if inside else choose_sensors(X, Y, share=share, seed=seed)
    scores = []
    for train, test, pairs in story_folds(len(X), None):
        if inside:
            chosen = choose_sensors(X[train], Y[train], share=share, seed=seed)
        own = Y[:, chosen]
        curve = np.zeros(len(ALPHAS))
        for fit, choose in pairs:
            path = RidgePath.of(X[fit], intercept=False)
            curve += alpha_curve(path, X, own, fit, choose)
        whole = RidgePath.of(X[train], intercept=False)
        fold = predict_fold(whole, X, own, train, test, float(ALPHAS[int(np.argmax(curve))]))
        scores.append(pearson(fold.predicted.T, fold.truth.T))
    return float(np.mean(scores))


def _z(values: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and deviation 1 (divisor n - 1); a constant column becomes 0."""
    spread = values.std(axis=0, ddof=1)
    return (values - values.mean(axis=0)) / np.where(spread == 0, 1, spread)
