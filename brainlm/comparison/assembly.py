"""Assemblies: data sets of every modality in one common shape, with folds and nulls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from brainlm.comparison.responses import Responses
from brainlm.data.features import Features
from brainlm.data.notes import Note
from brainlm.data.recording import Recording, sampling_interval
from brainlm.data.stimulus import Stimulus
from brainlm.encoding.align import align
from brainlm.encoding.delays import delays_between
from brainlm.encoding.splits import ContiguousBlocks, Groups, Split
from brainlm.stats.noise_ceiling import leave_one_subject_out
from brainlm.stats.permutation import circular_shift, permute_groups

COARSE = 2.0  # seconds: faster volumes are averaged to about this interval
GAP = 16.0  # seconds: the longest delay, the Lanczos window, and two to spare


@dataclass(frozen=True, eq=False)
class Assembly:
    """A data set prepared for comparing feature spaces.

    Attributes
    ----------
    name, modality, language, level : str
        As on the card; the level is "word", "sentence" or "discourse".
    stimulus : Stimulus
    recording : Recording
        The targets of several subjects have columns ``subject`` and ``label``.
    subjects : tuple of str
        Empty for means over people.
    people : array of shape (n_samples, n_subjects, n_targets), optional
        Where subjects responded to different items: their own responses, NaN where they have none.
        The recording then holds the means over subjects. Encoders are fitted to the means and
        scored on each subject.
    n_splits : int
        Outer folds.
    n_people : int
        Whose responses went in.
    hashes : dict
        Of the data files.
    """

    name: str
    modality: str
    language: str
    level: str
    stimulus: Stimulus
    recording: Recording
    subjects: tuple[str, ...] = ()
    n_splits: int = 10
    n_people: int = 1
    hashes: Any = None
    people: np.ndarray | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """Columns that describe the data set in every table of a study."""
        return {
            "dataset": self.name,
            "modality": self.modality,
            "language": self.language,
            "level": self.level,
            "n_items": self.recording.n_samples,
            "n_subjects": self.n_people,
        }

    @property
    def timed(self) -> bool:
        """Whether the responses are a time series."""
        return self.recording.times is not None

    def on_words(self, words: np.ndarray) -> Assembly:
        """Return the assembly of the words in a mask.

        Items without any word left are dropped, samples of a time series stay.
        """
        stimulus = self.stimulus.select(words)
        if self.timed:
            return replace(self, stimulus=stimulus)
        kept = np.isin(self.recording.items.astype(str), np.unique(stimulus.item.astype(str)))
        if kept.sum() < 4 * self.n_splits:
            raise ValueError(
                f"{self.name}: the representations share the words of {int(kept.sum())} of "
                f"{len(kept)} items, too few for {self.n_splits} folds: leave out a representation "
                "with low coverage, or use fewer folds"
            )
        note = f"{int(kept.sum())} of {len(kept)} items have words that all representations cover"
        return replace(self.take(kept, note), stimulus=stimulus)

    def take(self, rows: np.ndarray, note: str) -> Assembly:
        """Return the assembly of some samples, the stimulus as it is."""
        recording = self.recording.select_samples(rows, note)
        people = None if self.people is None else self.people[rows]
        return replace(self, recording=recording, people=people)

    def scorable(self) -> Assembly:
        """Return the assembly without targets that are constant in a test fold (noted).

        They have no correlation there. A target is left out for all subjects, so that subjects
        keep the same ones, unless each has its own.
        """
        data = self.recording.data
        tests = [test for _, test in self.split.split(data)]
        flat = np.any([np.ptp(data[test], axis=0) == 0 for test in tests], axis=0)
        if self.shares_targets and self.people is None:
            flat = flat.reshape(max(1, len(self.subjects)), -1).any(axis=0)
        if not flat.any():
            return self
        names = self.recording.target_names
        kept = names[~np.tile(flat, len(names) // len(flat))].tolist()
        if not kept:
            raise ValueError(f"{self.name}: every target is constant in a fold: use fewer folds")
        lost = ", ".join(names[: len(flat)][flat][:5])
        note = Note(
            f"left out {int(flat.sum())} of {len(flat)} targets, constant in a test fold: {lost}",
            "excluded",
        )
        people = None if self.people is None else self.people[:, :, ~flat]
        recording = self.recording.select_targets(kept).noted(note)
        return replace(self, recording=recording, people=people)

    def design(self, features: Features) -> np.ndarray:
        """Return the features of each sample or item, (n_samples, n_columns), float32."""
        delays = delays_between(self.step) if self.timed else (0,)
        return np.asarray(align(features, self.recording, delays=delays).X, dtype=np.float32)

    @property
    def step(self) -> float:
        """Sampling interval of a time series, in seconds."""
        times, run = self.recording.times, self.recording.run
        if times is None:
            raise ValueError(f"{self.name} has items and no sampling interval")
        return sampling_interval(times[run == run[0]], str(run[0]))

    @property
    def gap(self) -> int:
        """Samples of a time series that are left out on both sides of a test block."""
        return int(np.ceil(GAP / self.step))

    @property
    def grouped(self) -> bool:
        """Whether the items are sentences of texts: those of one text resemble each other."""
        if self.timed or self.level == "word":
            return False
        _, words = np.unique(self.stimulus.item.astype(str), return_counts=True)
        return bool(np.median(words) > 1) and len(set(self._texts)) < self.recording.n_samples

    @property
    def _texts(self) -> list[str]:
        """Text of each item."""
        texts = dict(zip(self.stimulus.item, self.stimulus.text, strict=True))
        return [str(texts[item]) for item in self.recording.items]

    @property
    def split(self) -> Split:
        """The folds: blocks with a gap for time series and isolated words, whole texts otherwise.

        Isolated words are in the order of their letters, so that inflected forms of one word are
        neighbours. Where texts are too few for folds, blocks of words have a gap between training
        and test: 20 words, about a sentence, or less where blocks are short.
        """
        if self.timed:
            return ContiguousBlocks(self.n_splits, self.gap, self.recording.run)
        groups = self._texts
        if self.level == "word":
            return ContiguousBlocks(self.n_splits, gap=2)
        if len(set(groups)) < 2 * self.n_splits:
            gap = min(20, self.recording.n_samples // (4 * self.n_splits))
            return ContiguousBlocks(self.n_splits, gap)
        return Groups(groups, self.n_splits)

    def shuffled(self, n: int, seed: int = 0) -> list[np.ndarray]:
        """Return rows of null responses.

        Isolated words are permuted. Sentences move with their whole text, onto texts of as many
        sentences: turned in a circle, responses that are alike inside a text would fall onto two
        texts each, and the null would be too narrow. All other sequences are turned in a circle.
        """
        rng = np.random.default_rng(seed)
        n_samples = self.recording.n_samples
        if self.level == "word" and not self.timed:
            return [rng.permutation(n_samples) for _ in range(n)]
        if self.grouped:
            return [permute_groups(np.array(self._texts), rng) for _ in range(n)]
        runs = self.recording.run if self.timed else None
        least = min(3 * (self.gap if self.timed else 8), max(1, n_samples // 10))
        return [circular_shift(n_samples, rng, least=least, runs=runs) for _ in range(n)]

    @property
    def null(self) -> str:
        """Description of how null responses are made."""
        if self.level == "word" and not self.timed:
            return "items permuted"
        if self.grouped:
            return "texts permuted"
        return "responses shifted in a circle"

    @property
    def _subject_codes(self) -> np.ndarray | None:
        """Number of the subject of each column of the data; None for one person or a mean."""
        if len(self.subjects) < 2 or self.people is not None:
            return None
        targets = self.recording.targets
        if "subject" not in targets:
            return np.repeat(np.arange(len(self.subjects)), len(targets) // len(self.subjects))
        return np.array([self.subjects.index(who) for who in targets["subject"]])

    @property
    def shares_targets(self) -> bool:
        """Whether subjects have the same targets, so that they can be compared with each other."""
        own = self._subject_codes
        if own is None or "label" not in self.recording.targets:
            return True
        labels = self.recording.targets["label"].to_numpy()
        first = labels[own == 0].tolist()
        return all(labels[own == who].tolist() == first for who in range(len(self.subjects)))

    @property
    def n_targets(self) -> int:
        """Targets of a subject; the mean, rounded, where subjects differ in them."""
        if self.people is not None:
            return self.recording.n_targets
        return round(self.recording.n_targets / max(1, len(self.subjects)))

    @property
    def responses(self) -> Responses:
        """Responses to fit and to score; every subject has the same weight in means."""
        data, own = self.recording.data, self._subject_codes
        if self.people is not None:
            scored = self.people.reshape(len(self.people), -1)
            subject = np.repeat(np.arange(len(self.subjects)), self.people.shape[2])
            return Responses(data, scored, subject, np.ones(len(subject)))
        if own is None or self.shares_targets:
            return Responses(data, subject=own)
        return Responses(data, subject=own, weight=1 / np.bincount(own)[own])

    def ceiling(self) -> np.ndarray | None:
        """Correlation of each subject with the mean of the others in the folds, per target.

        Shape (n_subjects, n_targets); None for means over people, and where subjects differ in
        their targets.
        """
        if len(self.subjects) < 3 or not self.shares_targets:
            return None
        data = self.people
        if data is None:
            data = self.recording.data.reshape(self.recording.n_samples, len(self.subjects), -1)
        folds = [test for _, test in self.split.split(self.recording.data)]
        return leave_one_subject_out(data.transpose(1, 0, 2), folds)

    def mean_ceiling(self) -> float:
        """Mean of the ceiling over subjects and targets; NaN where there is none."""
        ceiling = self.ceiling()
        return np.nan if ceiling is None else float(np.nanmean(ceiling))


def text_order(stimulus: Stimulus, recording: Recording) -> np.ndarray:
    """Return the rows of the responses in text order: folds and shifts are made of neighbours."""
    place = {item: i for i, item in enumerate(dict.fromkeys(stimulus.item))}
    return np.argsort([place[item] for item in recording.items], kind="stable")


def in_text_order(stimulus: Stimulus, recording: Recording) -> Recording:
    """Sort the responses into text order, see `text_order`."""
    order = text_order(stimulus, recording)
    if (np.diff(order) == 1).all():
        return recording
    return recording.select_samples(order, "responses in the order of the text")
