"""Scores of CogBench, the cognitive track of the Chinese BabyLM challenge of 2026.

Each function computes what the public evaluation code of the challenge computes (github
SiyuanSong2004/evaluation-pipeline-2025, evaluation_pipeline/cogbench), with the same penalties,
folds, selections and fillings, and returns the predictions where other measures can be taken of
them. "Published" is a rule of that code; "ours" a choice where it leaves one open, or differs.

None of these scores is our advice: `brainlm.cross_validate` makes scores that compare. They are
here so that a number of the challenge can be computed, and so that what it hides can be shown
beside it. In brainlm alpha multiplies ||w||^2; the grids of stories and MEG are squared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlm._validation import as_labels, check_finite, same_length
from brainlm.data.scores import pearson
from brainlm.encoding._ridge.path import RidgePath
from brainlm.encoding.splits import FixedSplit

ALPHAS_WORDS = np.logspace(-4, 4, 10)
ALPHAS = np.logspace(-3, 3, 10) ** 2
TR, STEPS, FIRST = 0.71, 71, 19  # seconds; 10-ms steps in a volume; volumes before the responses
HRF_LENGTH = 32.0
N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions of the test samples of one fold.

    Attributes
    ----------
    predicted, truth : array of shape (n_test, n_targets)
    train_mean : array of shape (n_targets,)
        Mean of the training responses.
    test : array of int
        Row numbers of the test samples.
    alpha : float
        Penalty that was chosen.
    """

    predicted: np.ndarray
    truth: np.ndarray
    train_mean: np.ndarray
    test: np.ndarray
    alpha: float


def top_tenth(predicted: np.ndarray, truth: np.ndarray, share: float = 0.1) -> float:
    """Mean of the best tenth of trialwise correlations over targets (published).

    Targets that are 0 in every row of ``truth`` are left out, undefined correlations count 0, and
    of n trials the best ``max(1, int(0.1 n))`` are averaged. The mean pattern of all trials is not
    removed, and the best trials are chosen by their score.

    Parameters
    ----------
    predicted, truth : array of shape (n_trials, n_targets)
    share : float
    """
    seen = ~(truth == 0).all(axis=0)
    if not seen.any():
        return 0.0
    r = np.nan_to_num(pearson(predicted[:, seen].T, truth[:, seen].T))
    return float(np.sort(r)[-max(1, int(len(r) * share)) :].mean())


def predict_words(X: np.ndarray, Y: np.ndarray, part: Any = None) -> list[Predicted]:
    """Predict the response patterns to single words by ridge regression (published).

    NaN becomes 0 in features and, with parts, in responses. With parts the features stay as they
    are, the penalty (of ``ALPHAS_WORDS``, intercept not penalised) is the one with the smallest
    squared error on the dev words, and the regression is fitted on the train words only; the test
    words are predicted, or the dev words again where there is no test part. Without parts the
    features of each word are z-scored over features, and five contiguous outer folds each choose a
    penalty in five contiguous inner folds.

    Parameters
    ----------
    X : array of shape (n_words, n_features)
        Last layer, mean over the tokens of the word alone, in the published rule.
    Y : array of shape (n_words, n_targets)
    part : sequence of str, shape (n_words,), optional
        "train", "dev" or "test", see `brainlm.FixedSplit`.

    Returns
    -------
    list of Predicted
        One per fold.
    """
    X, Y = checked(X, Y)
    X = np.nan_to_num(X)
    if part is not None:
        Y = np.nan_to_num(Y)
        train, dev, test = _rows(part)
        path = RidgePath.of(X[train], intercept=True)
        errors = [((p - Y[dev]) ** 2).mean() for p in path.predict(Y[train], X[dev], ALPHAS_WORDS)]
        alpha = float(ALPHAS_WORDS[int(np.argmin(errors))])
        return [predict_fold(path, X, Y, train, test, alpha)]
    check_finite(Y, "Y")
    X = _rows_scaled(X)
    folds = []
    for train, test in _contiguous(len(X)):
        mean = np.zeros(len(ALPHAS_WORDS))
        for fit, choose in _contiguous(len(train)):
            inner = RidgePath.of(X[train[fit]], intercept=True)
            found = inner.predict(Y[train[fit]], X[train[choose]], ALPHAS_WORDS)
            mean += [((p - Y[train[choose]]) ** 2).mean() for p in found]
        alpha = float(ALPHAS_WORDS[int(np.argmin(mean))])
        folds.append(predict_fold(RidgePath.of(X[train], intercept=True), X, Y, train, test, alpha))
    return folds


def word_fmri(X: np.ndarray, Y: np.ndarray, part: Any = None) -> float:
    """Score ``word_fmri`` of one subject: `top_tenth` of `predict_words`, mean over folds.

    Parameters as in `predict_words`.

    Notes
    -----
    The score saturates: .55 to .56 was published for models from 14 million to 1.4 billion
    parameters and for one that is at chance in every test of grammar. What all words have in common
    is enough; see `mean_pattern_score` for the same score of a prediction that knows no word.
    """
    folds = predict_words(X, Y, part)
    return float(np.mean([top_tenth(fold.predicted, fold.truth) for fold in folds]))


def mean_pattern_score(folds: Sequence[Predicted]) -> float:
    """Return `top_tenth` of the mean training pattern in place of every prediction (ours).

    A saturated null: the score of a model that cannot tell words apart.
    """
    return float(
        np.mean([top_tenth(np.tile(f.train_mean, (len(f.truth), 1)), f.truth) for f in folds])
    )


def story_features(values: np.ndarray, ends: np.ndarray, n_samples: int) -> np.ndarray:
    """Return the features of the volumes of a story (published).

    A word is an impulse in the 10-ms step in which it ends; of words in one step the first one
    counts, and the step of the last word lies behind the time line, so that it is lost. Seen
    through SPM's haemodynamic response (32 s, unit sum), every 71st step is a volume of 0.71 s;
    the first 19 volumes are left out, and one mean and one standard deviation of the whole matrix
    z-score it.

    Parameters
    ----------
    values : array of shape (n_words, n_features)
        Of the words that were heard.
    ends : array of shape (n_words,)
        Seconds, never falling.
    n_samples : int
        Volumes of the response.

    Returns
    -------
    array of shape (n_volumes, n_features)
        ``n_samples`` rows, fewer where the last word ends earlier than the responses.
    """
    from scipy.stats import gamma

    ends = np.asarray(ends, dtype=float)
    same_length({"values": len(values), "ends": len(ends)})
    if (np.diff(ends) < 0).any():
        raise ValueError("ends must never fall: sort the words by their ends")
    time = np.arange(0, HRF_LENGTH, TR / STEPS)
    response = gamma.pdf(time, 6) - gamma.pdf(time, 16) / 6
    response /= response.sum()
    step = (ends * 100).astype(int)
    first = np.r_[True, np.diff(step) > 0] & (step < step[-1])
    volumes = np.arange(0, step[-1], STEPS)[FIRST : FIRST + n_samples]
    lag = volumes[:, None] - step[first]
    inside = (lag >= 0) & (lag < len(response))
    weights = np.where(inside, response[np.clip(lag, 0, len(response) - 1)], 0.0)
    series = weights @ np.asarray(values, dtype=float)[first]
    spread = series.std() if series.size else 0.0
    return (series - series.mean()) / spread if spread > 0 else series


def predict_stories(
    X: np.ndarray, Y: np.ndarray, part: Any = None, groups: Any = None
) -> list[Predicted]:
    """Predict responses to stories by ridge regression without an intercept (published).

    The penalty (of ``ALPHAS``) has the best mean correlation on the dev samples; with parts the
    regression is fitted on the train samples only. Without parts: five contiguous folds of equal
    length, a penalty chosen in five inner ones; the rest at the end trains and is never tested.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        From `story_features`, story by story.
    Y : array of shape (n_samples, n_targets)
    part : sequence of str, shape (n_samples,), optional
    groups : sequence, shape (n_targets,), optional
        Targets that choose a penalty together: those of a subject and region. Default: all.

    Returns
    -------
    list of Predicted
        One per fold and group, in the order of the groups within a fold.
    """
    X, Y = checked(X, Y)
    check_finite(X, "X")
    check_finite(Y, "Y")
    columns = columns_of(groups, Y.shape[1])
    found = []
    for train, test, pairs in story_folds(len(X), part):
        paths = [RidgePath.of(X[fit], intercept=False) for fit, _ in pairs]
        whole = paths[0] if part is not None else RidgePath.of(X[train], intercept=False)
        for own in columns:
            curve = np.zeros(len(ALPHAS))
            for path, (fit, choose) in zip(paths, pairs, strict=True):
                curve += alpha_curve(path, X, Y[:, own], fit, choose)
            alpha = float(ALPHAS[int(np.argmax(curve))])
            found.append(predict_fold(whole, X, Y[:, own], train, test, alpha))
    return found


def fmri(X: np.ndarray, Y: np.ndarray, part: Any = None, groups: Any = None) -> np.ndarray:
    """Score ``fmri``: r of each target over test samples, mean over folds, (n_targets,).

    The published r divides by n where its deviations divide by n - 1, so it is
    ``(n - 1) / n`` times Pearson's r. The score of the challenge is the mean over targets of a
    subject and region, then over all of these. Parameters as in `predict_stories`.
    """
    columns = columns_of(groups, np.shape(Y)[1])
    total = np.zeros(np.shape(Y)[1])
    folds = predict_stories(X, Y, part, groups)
    for i, fold in enumerate(folds):
        total[columns[i % len(columns)]] += published_r(fold.predicted, fold.truth)
    return total / (len(folds) / len(columns))


def published_r(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return (n - 1) / n times Pearson's r of each column; undefined ones are 0."""
    return np.nan_to_num(pearson(predicted, truth)) * (len(truth) - 1) / len(truth)


def eye_tracking(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Score ``eye_tracking``: similarity encoding of each measure, (n_measures,) (published).

    With Z the features of each word z-scored over features (deviations of 0 become 1) and E the
    measures z-scored over words::

        r_m = corr((Z Z' / d - I) E_m, E_m)

    which is `brainlm.encoding.similarity.leave_one_out_scores` with ``center=False``. The score of
    the challenge is the mean over measures. Equal words have equal rows in these data, so that a
    word that comes again predicts itself; `brainlm.random_like` shows how far.

    Parameters
    ----------
    X : array of shape (n_words, n_features)
    Y : array of shape (n_words, n_measures)
    """
    X, Y = checked(X, Y)
    Z = _rows_scaled(X)
    spread = Y.std(axis=0)
    E = (Y - Y.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return np.nan_to_num(pearson(Z @ (Z.T @ E) / X.shape[1] - E, E))


def checked(X: Any, Y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return two matrices with the same rows, in double precision."""
    X, Y = np.asarray(X, dtype=float), np.asarray(Y, dtype=float)
    if X.ndim != 2 or Y.ndim != 2:
        raise ValueError(f"X and Y must be matrices, got shapes {X.shape} and {Y.shape}")
    same_length({"rows of X": len(X), "rows of Y": len(Y)})
    return X, Y


def columns_of(groups: Any, n_targets: int) -> list[np.ndarray]:
    """Return the columns of each group, in the order in which groups first come."""
    if groups is None:
        return [np.arange(n_targets)]
    labels = as_labels(groups, "groups")
    same_length({"columns of Y": n_targets, "groups": len(labels)})
    return [np.flatnonzero(labels == label) for label in dict.fromkeys(labels.tolist())]


def _rows(part: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers of train, dev and what is tested."""
    split = FixedSplit(part)
    labels = split.parts
    if "dev" not in labels:
        raise ValueError("part has no dev samples: the published rule chooses the penalty on them")
    return tuple(np.flatnonzero(labels == name) for name in ("train", "dev", split.tested))  # type: ignore[return-value]


def _contiguous(n: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Five contiguous folds that cover all rows, without a gap."""
    if n < 2 * N_FOLDS:
        raise ValueError(f"{n} words are too few for {N_FOLDS} folds")
    for test in np.array_split(np.arange(n), N_FOLDS):
        yield np.setdiff1d(np.arange(n), test), test


def story_folds(n: int, part: Any) -> Iterator[tuple[np.ndarray, np.ndarray, list]]:
    """Train and test rows, and the pairs (fit, choose) on which the penalty is chosen."""
    if part is not None:
        train, dev, test = _rows(part)
        yield train, test, [(train, dev)]
        return
    for train, test in _equal(np.arange(n)):
        yield train, test, list(_equal(train))


def _equal(rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Five folds of equal length; rows that are left over always train."""
    length = len(rows) // N_FOLDS
    if length < 2:
        raise ValueError(f"{len(rows)} samples are too few for {N_FOLDS} folds")
    for k in range(N_FOLDS):
        own = slice(k * length, (k + 1) * length)
        yield np.delete(rows, own), rows[own]


def alpha_curve(
    path: RidgePath, X: np.ndarray, Y: np.ndarray, fit: np.ndarray, choose: np.ndarray
) -> np.ndarray:
    """Mean correlation over targets of each of ``ALPHAS``, fitted and chosen on these rows."""
    found = path.predict(Y[fit], X[choose], ALPHAS)
    return np.array([published_r(p, Y[choose]).mean() for p in found])


def predict_fold(
    path: RidgePath, X: np.ndarray, Y: np.ndarray, train: np.ndarray, test: np.ndarray, alpha: float
) -> Predicted:
    """Predict the test rows by one penalty."""
    (predicted,) = path.predict(Y[train], X[test], [alpha])
    return Predicted(predicted, Y[test], Y[train].mean(axis=0), test, alpha)


def _rows_scaled(X: np.ndarray) -> np.ndarray:
    """Rows of mean 0 and deviation 1; a row of one value becomes 0."""
    spread = X.std(axis=1, keepdims=True)
    return (X - X.mean(axis=1, keepdims=True)) / np.where(spread == 0, 1, spread)
