"""CogBench: the official scores of feature spaces, and beside them what these scores hide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from brainlm.comparison.space_scores import ControlFit, fit_controls
from brainlm.data.features import Features, concatenate
from brainlm.data.preprocessing import high_pass
from brainlm.data.recording import Recording
from brainlm.data.scores import fisher_mean, pearson
from brainlm.data.stimulus import Stimulus
from brainlm.encoding import cogbench
from brainlm.encoding.align import align
from brainlm.encoding.cogbench_sensors import meg
from brainlm.encoding.cross_validation import prepared
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks, FixedSplit, Groups, Split
from brainlm.features.baselines import word_length, word_position, word_rate, zipf_frequency
from brainlm.stats.identification import pairwise_accuracy, pattern_correlations

APART = 20  # volumes between the patterns that are told apart: 14 s
GAP = 20  # words between training and test in MEG
MOST_ITEMS = 300  # patterns that are told apart in a fold
BINS = (0.6, 0.7)  # seconds: the published bins of MEG
SESSION = 10  # stories in a session of MEG, in the order of the card
HIGH_PASS = 128.0  # seconds


@dataclass(frozen=True)
class Task:
    """A task of the challenge: its official name, its card, and how it reads words."""

    name: str
    card: str
    reading: str


TASKS = {
    task.name: task
    for task in (
        Task("word_fmri", "cogbench-words", "alone"),
        Task("fmri", "cogbench-stories", "lines"),
        Task("meg", "cogbench-meg", "lines"),
        Task("eye_tracking", "cogbench-gaze", "sentences"),
    )
}


@dataclass(frozen=True, eq=False)
class TaskData:
    """Responses of subjects with the same samples, as a task of the challenge scores them.

    Attributes
    ----------
    task : Task
    stimulus : Stimulus
    recordings : tuple of Recording
        One per subject.
    stories : tuple of str
        Of MEG: all stories in the order of the sessions.
    """

    task: Task
    stimulus: Stimulus
    recordings: tuple[Recording, ...]
    stories: tuple[str, ...] = ()

    @property
    def first(self) -> Recording:
        """Recording of the first subject: its samples are those of all."""
        return self.recordings[0]

    @cached_property
    def responses(self) -> np.ndarray:
        """Responses of all subjects side by side, (n_samples, n_targets)."""
        return np.hstack([each.data for each in self.recordings]).astype(float)

    @cached_property
    def subject(self) -> np.ndarray:
        """Subject of each target."""
        return np.repeat(
            [each.subject for each in self.recordings], [e.n_targets for e in self.recordings]
        )

    @cached_property
    def groups(self) -> list[str]:
        """Targets that the official score takes together: by subject, and region or bin."""
        column = {"fmri": "region", "meg": "time"}.get(self.task.name)
        if column is None:
            return self.subject.tolist()
        labels = [each.targets[column] for each in self.recordings]
        return [f"{s} {x}" for s, x in zip(self.subject, np.concatenate(labels), strict=True)]

    @cached_property
    def words(self) -> np.ndarray:
        """Word of each response, for items."""
        word = dict(zip(self.stimulus.item, self.stimulus.words, strict=True))
        return np.array([word[item] for item in self.first.items], dtype=object)

    @cached_property
    def sessions(self) -> list[np.ndarray]:
        """Rows of each session of MEG."""
        number = np.array([self.stories.index(run) // SESSION for run in self.first.run])
        return [np.flatnonzero(number == each) for each in dict.fromkeys(number.tolist())]

    @cached_property
    def kept(self) -> np.ndarray:
        """Which samples have features: the rule for stories gives none after the last word."""
        kept = np.ones(self.first.n_samples, dtype=bool)
        if self.task.name == "fmri":
            for run, rows, words in self._runs():
                n = len(self._volumes(np.ones((words.sum(), 1)), words, len(rows)))
                if n < 2:
                    raise ValueError(f"story {run}: its words end before its responses begin")
                kept[rows[n:]] = False
        return kept

    def design(self, features: Features) -> np.ndarray:
        """Return the features of each kept sample, as the official rule makes them."""
        if self.task.name != "fmri":
            return align(features, self.first).X.astype(float)
        return np.vstack(
            [
                self._volumes(features.values[words], words, len(rows))
                for _, rows, words in self._runs()
            ]
        )

    def _runs(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield story, rows of its samples, and which words were heard in it."""
        for run in self.first.runs:
            heard = (self.stimulus.run == run) & self.stimulus.counted
            yield run, np.flatnonzero(self.first.run == run), heard

    def _volumes(self, values: np.ndarray, words: np.ndarray, n: int) -> np.ndarray:
        ends = (self.stimulus.onset + self.stimulus.duration)[words]
        return cogbench.story_features(values, ends, n)

    @cached_property
    def held_out(self) -> tuple[np.ndarray, np.ndarray, Split]:
        """Rows, responses and folds of our own scores.

        Words and stories keep their parts, or are cut into five blocks of words or stories. Drifts
        slower than 128 s are taken out of stories. MEG is cut into five blocks with a gap of 20
        words. Gaze: all responses to a word are in one fold, because they are equal; words without
        measures (zeros) are left out. Targets that are constant in a test fold, or hold NaN, are
        left out.
        """
        rows, part = np.flatnonzero(self.kept), self.first.part
        split: Split
        if self.task.name == "eye_tracking":
            rows = np.flatnonzero((self.responses != 0).any(axis=1))
            split = Groups(self.words[rows], 5, interleave=True)
        elif self.task.name == "meg":
            split = ContiguousBlocks(5, GAP)
        elif part is not None:
            runs = self.first.run[rows] if self.task.name == "fmri" else None
            split = FixedSplit(part[rows], runs)
        else:
            runs = self.first.run[rows]
            split = Groups(runs, 5) if self.task.name == "fmri" else ContiguousBlocks(5)
        Y = self.responses
        if self.task.name == "fmri":
            Y = np.hstack([high_pass(each, HIGH_PASS).data for each in self.recordings])
        return rows, np.asarray(Y[rows], dtype=float), split

    @cached_property
    def varying(self) -> np.ndarray:
        """Which targets have a score in every test fold of ``held_out``."""
        _, Y, split = self.held_out
        fine = np.isfinite(Y).all(axis=0)
        for _, test in split.split(Y):
            fine &= np.ptp(np.where(np.isfinite(Y[test]), Y[test], 0), axis=0) > 0
        if not fine.any():
            raise ValueError(f"{self.task.name}: every target is constant or has missing values")
        return fine

    @cached_property
    def controls(self) -> tuple[np.ndarray, ControlFit]:
        """Word rate, length, frequency and position: their design, and what they predict."""
        spaces = [make(self.stimulus) for make in (word_length, zipf_frequency, word_position)]
        if self.task.name == "fmri":
            spaces = [word_rate(self.stimulus), *spaces]
        X = self.design(concatenate(spaces, "controls"))
        _, Y, split = self.held_out
        return X, fit_controls(self._rows(X), Y[:, self.varying], split)

    def _rows(self, X: np.ndarray) -> np.ndarray:
        """Rows of a design that count in ``held_out``."""
        rows = self.held_out[0]
        return X if len(X) == len(rows) else X[rows]


def gather(
    task: Task, opened: Iterable[tuple[Stimulus, Recording]], stories: Sequence[str] = ()
) -> list[TaskData]:
    """Return the data of a task: subjects with the same samples together.

    Parameters
    ----------
    task : Task
    opened : iterable of (Stimulus, Recording)
        One per subject.
    stories : sequence of str
        Of MEG: all stories in the order of the sessions, ten each.
    """
    found: dict[Any, tuple[Stimulus, list[Recording]]] = {}
    for stimulus, recording in opened:
        if task.name == "meg":
            times = recording.targets["time"].to_numpy(dtype=float)
            wanted = np.isclose(times[:, None], BINS).any(axis=1)
            recording = recording.select_targets(recording.target_names[wanted])
        key = (tuple(recording.run), tuple(recording.items if recording.times is None else ()))
        found.setdefault(key, (stimulus, []))[1].append(recording)
    return [TaskData(task, words, tuple(own), tuple(stories)) for words, own in found.values()]


def official_scores(data: TaskData, X: np.ndarray) -> dict[str, float]:
    """Return the official score of a design, and the one of MEG without double dipping.

    Parameters
    ----------
    data : TaskData
    X : array of shape (n_samples, n_features)
        From `TaskData.design`.

    Returns
    -------
    dict
        ``official``; ``undipped`` (NaN but for MEG).
    """
    name, part, Y = data.task.name, data.first.part, data.responses
    scores = {"official": np.nan, "undipped": np.nan}
    if name == "word_fmri":
        subjects = dict.fromkeys(data.subject.tolist())
        own = [cogbench.word_fmri(X, Y[:, data.subject == who], part) for who in subjects]
        scores["official"] = float(np.mean(own))
    elif name == "fmri":
        kept = data.kept
        r = cogbench.fmri(X, Y[kept], None if part is None else part[kept], data.groups)
        columns = cogbench.columns_of(data.groups, len(r))
        scores["official"] = float(np.mean([r[own].mean() for own in columns]))
    elif name == "meg":
        for key, inside in (("official", False), ("undipped", True)):
            each = [meg(X[s], Y[s], data.groups, inside=inside) for s in data.sessions]
            scores[key] = float(np.mean(each))
    else:
        scores["official"] = float(cogbench.eye_tracking(X, Y).mean())
    return scores


def mean_pattern(data: TaskData, X: np.ndarray) -> float:
    """Return the official ``word_fmri`` of the mean training pattern: a saturated null."""
    scores = []
    for who in dict.fromkeys(data.subject.tolist()):
        own = data.responses[:, data.subject == who]
        scores.append(cogbench.mean_pattern_score(cogbench.predict_words(X, own, data.first.part)))
    return float(np.mean(scores))


def held_out_scores(data: TaskData, X: np.ndarray) -> dict[str, float]:
    """Return our scores of a design on the folds of `TaskData.held_out`.

    Parameters
    ----------
    data : TaskData
    X : array of shape (n_samples, n_features)
        From `TaskData.design`.

    Returns
    -------
    dict
        ``r``: Pearson's r of each target inside the test folds, mean over folds and targets;
        ``beyond``: r of the controls and the design together, minus r of the controls;
        ``pairwise``: 2v2 accuracy of the predicted patterns over targets, the mean training pattern
        removed (volumes 14 s apart; gaze: different words), chance .5.
    """
    _, Y, split = data.held_out
    Y, X, controls = Y[:, data.varying], data._rows(X), data.controls[1]
    subject, labels = data.subject[data.varying], None
    if data.task.name == "eye_tracking":
        labels = data.words[data.held_out[0]]
    r, both, pairs, n = [], [], [], Y.shape[1]
    for k, (train, test) in enumerate(split.split(X)):
        rest = Y[train] - controls.train[k]
        encoder = prepared(RidgeEncoder(warn_edge=False), split, train)
        predicted = encoder.fit(X[train], np.hstack([Y[train], rest])).predict(X[test])
        r.append(pearson(predicted[:, :n], Y[test]))
        both.append(pearson(controls.test[k] + predicted[:, n:], Y[test]))
        some = _spread(len(test), APART if data.task.name == "fmri" else 1)
        mean = Y[train].mean(axis=0)
        for who in dict.fromkeys(subject.tolist()):
            own = subject == who
            s = pattern_correlations(
                predicted[some][:, :n][:, own] - mean[own], Y[test][some][:, own] - mean[own]
            )
            pairs.append(pairwise_accuracy(s, None if labels is None else labels[test][some]))
    alone = float(fisher_mean(np.array(r), axis=None))
    beyond = float((np.array(both) - controls.values).mean())
    return {"r": alone, "beyond": beyond, "pairwise": float(np.mean(pairs))}


def control_scores(data: TaskData) -> dict[str, float]:
    """Return all scores of word rate, length, frequency and position."""
    X, fit = data.controls
    scores = {**official_scores(data, X), **held_out_scores(data, X)}
    return {**scores, "r": float(fisher_mean(fit.values, axis=None)), "beyond": 0.0}


def _spread(n: int, step: int) -> np.ndarray:
    """Rows at least ``step`` apart, 300 at most."""
    rows = np.arange(0, n, step)
    return rows[np.unique(np.linspace(0, len(rows) - 1, MOST_ITEMS).astype(int))]


def table_of_scores(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per task and space: means over the subjects of all data of a task.

    Parameters
    ----------
    rows : sequence of mapping
        With ``task``, ``space``, ``kind``, ``layer``, ``n_subjects``, ``n_samples`` and scores.
    """
    table = pd.DataFrame(rows)
    about = ["task", "space", "kind", "layer"]
    scores = ["official", "undipped", "r", "beyond", "pairwise"]
    found = []
    for key, own in table.groupby(about, sort=False):
        weight = own["n_subjects"] / own["n_subjects"].sum()
        means = {name: float((own[name] * weight).sum(skipna=False)) for name in scores}
        counts = {"n_subjects": own["n_subjects"].sum(), "n_samples": own["n_samples"].max()}
        found.append({**dict(zip(about, key, strict=True)), **means, **counts})
    return pd.DataFrame(found)
