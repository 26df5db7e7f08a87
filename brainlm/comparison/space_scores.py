"""Scores of one feature space, and of the controls beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainlm.comparison.responses import Responses, over_subjects, over_targets
from brainlm.data.scores import fisher_mean, fisher_z
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import Split
from brainlm.stats.paired import fold_half_width
from brainlm.stats.permutation import permutation_p


@dataclass(frozen=True, eq=False)
class SpaceScores:
    """Held-out scores of one representation on one task.

    All averages of r are Fisher means, over folds and targets at once; where people differ in
    targets or responses, over the targets of each person and then over people.

    Attributes
    ----------
    values : array of shape (n_folds, n_targets)
        Pearson r inside each test fold.
    method : str
    test_ratio : float
        n_test / n_train, averaged over folds.
    null : array of shape (n_permutations,), optional
        Scores of null responses, averaged as ``observed`` is.
    observed : float
        Mean over the targets of the null (all, or 100 spread evenly, that vary in every fold of
        it).
    beyond : array of shape (n_folds, n_targets), optional
        r of controls and representation together minus r of the controls alone.
    centred : array of shape (n_folds, n_targets), optional
        Of similarity encoding: embedding columns centred only.
    published : array of shape (n_targets,), optional
        Of similarity encoding: leave one out, not centred.
    alphas : array of shape (n_folds, n_targets), optional
        Penalties that were chosen.
    subject, weight : array of shape (n_targets,), optional
        Person of each target, and its weight in means (see ``Responses``).
    """

    values: np.ndarray
    method: str
    test_ratio: float
    null: np.ndarray | None = None
    observed: float = np.nan
    beyond: np.ndarray | None = None
    centred: np.ndarray | None = None
    published: np.ndarray | None = None
    alphas: np.ndarray | None = None
    subject: np.ndarray | None = None
    weight: np.ndarray | None = None

    @property
    def score(self) -> float:
        """Mean over folds and targets."""
        return self.mean(self.values)

    def mean(self, values: np.ndarray) -> float:
        """Return the mean of correlations over folds and targets, NaN where there are none."""
        return mean_r(values, self.weight)

    @property
    def by_fold(self) -> np.ndarray:
        """Mean score of each fold over targets (and subjects), (n_folds,)."""
        return np.tanh(over_targets(fisher_z(self.values), self.weight))

    @property
    def beyond_by_fold(self) -> np.ndarray:
        """Mean of ``beyond`` in each fold over targets (and subjects), (n_folds,)."""
        if self.beyond is None:
            raise ValueError("no controls were given: nothing is scored beyond them")
        return over_targets(self.beyond, self.weight)

    @property
    def p(self) -> float:
        """One-sided permutation p value; NaN without a null."""
        if self.null is None:
            return np.nan
        return float(permutation_p(np.array(self.observed), self.null))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the interval of ``score`` over folds, made on Fisher's z.

        It holds for new stimuli and these subjects, see `brainlm.stats.paired.fold_difference`.
        """
        z = over_targets(fisher_z(self.values), self.weight)
        half = fold_half_width(z, self.test_ratio, level=level)
        return float(np.tanh(z.mean() - half)), float(np.tanh(z.mean() + half))

    def subject_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the interval of ``score`` over people; NaN for fewer than three.

        It holds for new people and these stimuli, see `over_subjects`.
        """
        if self.subject is None:
            return np.nan, np.nan
        low, high = over_subjects(self.values, self.subject, level)
        return float(low), float(high)


def mean_r(values: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Return the Fisher mean of correlations, (n_folds, n_targets), see ``Responses.weight``."""
    if weight is None:
        return float(fisher_mean(values, axis=None))
    return float(np.tanh(np.nanmean(over_targets(fisher_z(values), weight))))


@dataclass(frozen=True, eq=False)
class ControlFit:
    """Predictions from controls such as word rate and length, fitted on the training samples.

    Attributes
    ----------
    train, test : tuple of array
        Predictions of the training and the test samples of each fold.
    values : array of shape (n_folds, n_targets)
        Pearson r of the test samples.
    weight : array of shape (n_targets,), optional
        Of each target in means, see ``Responses``.
    """

    train: tuple[np.ndarray, ...]
    test: tuple[np.ndarray, ...]
    values: np.ndarray
    weight: np.ndarray | None = None

    @property
    def by_fold(self) -> np.ndarray:
        """Mean r of each fold, (n_folds,)."""
        return np.tanh(over_targets(fisher_z(self.values), self.weight))


def fit_controls(C: np.ndarray, Y: np.ndarray | Responses, split: Split) -> ControlFit:
    """Predict responses from controls by ridge regression, penalties chosen in inner folds.

    Parameters
    ----------
    C : array of shape (n_samples, n_columns)
    Y : array of shape (n_samples, n_targets), or Responses
    split : Split
    """
    given = Responses.of(Y)
    fitted, predicted, values = [], [], []
    for train, test in split.split(C):
        encoder = RidgeEncoder(cv=split.within(train), warn_edge=False)
        encoder.fit(C[train], given.fitted[train])
        fitted.append(encoder.predict(C[train]))
        predicted.append(encoder.predict(C[test]))
        values.append(given.r(predicted[-1], test))
    return ControlFit(tuple(fitted), tuple(predicted), np.array(values), given.weight)
