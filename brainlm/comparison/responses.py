"""Responses of several people: what is fitted, what is scored, and how people are averaged."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t

from brainlm._validation import same_length
from brainlm.data.scores import fisher_z, observed_pearson, pearson


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses that encoders are fitted to, and those that predictions are scored on.

    Where people responded to the same items, both are the same: the targets of all people side by
    side. Where everybody responded to other items of one text, the mean over people is fitted, and
    the prediction of a held-out item is scored on each person's own response.

    Attributes
    ----------
    fitted : array of shape (n_samples, n_targets)
    scored : array of shape (n_samples, n_people * n_targets), optional
        All targets of the first person, then of the next; NaN where a person has no response.
        Default: ``fitted``.
    subject : array of int, shape (n_scored,), optional
        Person of each scored column.
    weight : array of shape (n_scored,), optional
        Of each scored column in means over columns. Default: all alike.
    """

    fitted: np.ndarray
    scored: np.ndarray | None = None
    subject: np.ndarray | None = None
    weight: np.ndarray | None = None

    @classmethod
    def of(cls, Y: np.ndarray | Responses) -> Responses:
        """Return responses, or an array as responses of one person."""
        return Y if isinstance(Y, Responses) else cls(Y)

    def r(self, predicted: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return Pearson's r of predictions of the fitted targets, (n_scored,)."""
        if self.scored is None:
            return pearson(predicted, self.fitted[rows])
        truth = self.scored[rows]
        n_people = truth.shape[1] // predicted.shape[1]
        return observed_pearson(np.tile(predicted, (1, n_people)), truth)

    def rows(self, order: np.ndarray) -> Responses:
        """Return the responses in another order; a missing response moves like any other."""
        scored = None if self.scored is None else self.scored[order]
        return replace(self, fitted=self.fitted[order], scored=scored)

    def columns(self, targets: np.ndarray) -> Responses:
        """Return some fitted targets, of every person."""
        some, scored = targets, self.scored
        if scored is not None:
            starts = np.arange(0, scored.shape[1], self.fitted.shape[1])
            some = (starts[:, None] + targets).ravel()
            scored = scored[:, some]
        subject, weight = (None if v is None else v[some] for v in (self.subject, self.weight))
        return Responses(self.fitted[:, targets], scored, subject, weight)


def over_targets(values: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Mean over the last axis: weighted, missing scores left out, if there are weights.

    Parameters
    ----------
    values : array of shape (..., n_targets)
    weight : array of shape (n_targets,), optional
    """
    if weight is None:
        return values.mean(axis=-1)
    same_length({"targets of values": values.shape[-1], "weight": len(weight)})
    here = np.isfinite(values)
    total = (here * weight).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return (np.where(here, values, 0.0) * weight).sum(axis=-1) / total


def over_subjects(values: np.ndarray, subject: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Interval of a mean correlation over people, made on Fisher's z.

    Parameters
    ----------
    values : array of shape (n_folds, n_targets)
        Correlations; NaN where a person has none.
    subject : array of int, shape (n_targets,)
        Person of each target.
    level : float

    Returns
    -------
    array of shape (2,)
        Ends of the interval of Student's t: for new people and these stimuli. NaN for fewer than
        three people.
    """
    scored = np.isfinite(values).any(axis=0)
    people = np.unique(subject[scored])
    if len(people) < 3:
        return np.full(2, np.nan)
    z = np.array([np.nanmean(fisher_z(values[:, subject == who])) for who in people])
    half = t.ppf(0.5 + level / 2, len(z) - 1) * z.std(ddof=1) / np.sqrt(len(z))
    return np.tanh([z.mean() - half, z.mean() + half])
