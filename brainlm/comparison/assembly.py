"""Assemblies: data sets of every modality in one common shape, with folds and nulls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.data.features import Features
from brainlm.data.notes import Note
from brainlm.data.preprocessing import average_samples, high_pass
from brainlm.data.recording import Recording, sampling_interval
from brainlm.data.stimulus import Stimulus
from brainlm.data.target_table import targets_of_subjects
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import dataset_hashes, list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.encoding.align import align, delays_between
from brainlm.encoding.splits import ContiguousBlocks, Groups, Split
from brainlm.encoding.time_bins import word_locked
from brainlm.errors import CorruptDataError
from brainlm.stats.noise_ceiling import leave_one_subject_out
from brainlm.stats.permutation import circular_shift, permute_groups

__all__ = ["Assembly", "in_text_order", "open_assembly"]

COARSE = 2.0  # seconds: faster volumes are averaged to about this interval
GAP = 16.0  # seconds: the longest delay, the Lanczos window, and two to spare
FEWEST_TRIALS = 5


@dataclass(frozen=True, eq=False)
class Assembly:
    """A data set, ready to be compared on.

    Attributes
    ----------
    name, modality, language, level : str
        As on the card; the level is "word", "sentence" or "discourse".
    stimulus : Stimulus
    recording : Recording
        The targets of several subjects have columns ``subject`` and ``label``.
    subjects : tuple of str
        Empty for means over people.
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
        """Return the task of the words in a mask: nothing is compared on others.

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
        recording = self.recording.select_samples(kept, note)
        return replace(self, stimulus=stimulus, recording=recording)

    def scorable(self) -> Assembly:
        """Return the task without the targets that are constant in a test fold (noted).

        They have no correlation there. A target is left out for all subjects, so that subjects
        keep the same ones.
        """
        data = self.recording.data
        tests = [test for _, test in self.split.split(data)]
        flat = np.any([np.ptp(data[test], axis=0) == 0 for test in tests], axis=0)
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
        return replace(self, recording=self.recording.select_targets(kept).noted(note))

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
        """How the null responses are made, in words."""
        if self.level == "word" and not self.timed:
            return "items permuted"
        if self.grouped:
            return "texts permuted"
        return "responses shifted in a circle"

    def ceiling(self) -> np.ndarray | None:
        """Correlation of each subject with the mean of the others in the folds, per target.

        Shape (n_subjects, n_targets); None for means over people.
        """
        if len(self.subjects) < 3:
            return None
        data = self.recording.data.reshape(self.recording.n_samples, len(self.subjects), -1)
        folds = [test for _, test in self.split.split(self.recording.data)]
        return leave_one_subject_out(data.transpose(1, 0, 2), folds)


def open_assembly(
    name: str,
    root: Path | str | None = None,
    *,
    max_subjects: int | None = None,
    max_items: int | None = None,
    subjects: Sequence[str] | None = None,
    seed: int = 0,
) -> Assembly:
    """Open a data set as a task.

    Parameters
    ----------
    name : str
        Data set with words and responses.
    root : path, optional
        As in ``open_dataset``.
    max_subjects : int, optional
        The first so many that pass the checks of the data set.
    max_items : int, optional
        Isolated words are drawn (seeded), texts are cut after this many items.
    subjects : sequence of str, optional
        These subjects; one that fails a check is then an error.
    seed : int

    Notes
    -----
    Subjects with the same items (or samples) become targets side by side, each z-scored. Where
    subjects saw different items (lists), responses are averaged over the subjects of an item, five
    at least. MEG, EEG and iEEG time series become bins of 100 ms after each word. Targets with
    missing values are left out, and named; time series of fMRI are high-passed at 128 s and
    averaged to about 2 s where they are faster, so that delays of 2 to 8 s are four samples
    everywhere.
    """
    card = read_card(name)
    available = list_subjects(name, root)
    wanted = list(available if subjects is None else subjects)
    opened: list[tuple[str, Stimulus, Recording]] = []
    notes: list[str] = []
    for subject in wanted:
        if max_subjects is not None and len(opened) == max_subjects:
            break
        try:
            opened.append((subject, *open_dataset(name, subject, root)))
        except CorruptDataError as error:
            if subjects is not None:
                raise
            notes.append(Note(f"excluded {subject}: {error}", "excluded"))
    if not opened:
        raise CorruptDataError(f"{name}: no subject passes the checks: {'; '.join(notes)[:500]}")
    if card.modality in ("meg", "eeg", "ieeg") and opened[0][2].times is not None:
        opened = [(subject, *word_locked(s, r)) for subject, s, r in opened]
    people = [subject for subject, _, _ in opened]
    _check_words(opened, name)
    lost = list(dict.fromkeys(str(t) for _, _, r in opened for t in r.missing_targets))
    opened = [(subject, s, _complete(r, lost)) for subject, s, r in opened]
    stimulus, first = opened[0][1], opened[0][2]
    named: tuple[str, ...] = ()
    if len(opened) == 1:
        recording = first
    elif first.times is not None:
        recording, named = _side_by_side([r for _, _, r in opened], people), tuple(people)
    elif _alike([r for _, _, r in opened]):
        recording, named = _side_by_side(_common([r for _, _, r in opened]), people), tuple(people)
    else:
        stimulus, recording = _averaged(opened, name)
    recording = recording.noted(*notes)
    if recording.times is not None:
        recording = high_pass(recording, period=128.0)
        first = recording.times[recording.run == recording.run[0]]
        recording = average_samples(recording, max(1, round(COARSE / sampling_interval(first))))
    task = Assembly(
        card.name,
        card.modality,
        stimulus.language,
        card.level,
        stimulus,
        recording,
        named,
        6 if recording.times is not None else 10,
        len(people),
        {who: dataset_hashes(name, who if len(available) > 1 else None, root) for who in people},
    )
    return _fewer(task, max_items, seed)


def _complete(recording: Recording, lost: list[str]) -> Recording:
    """The targets that no subject has missing values of."""
    if not lost:
        return recording
    kept = [target for target in recording.target_names if target not in set(lost)]
    if not kept:
        raise ValueError(f"every target of {recording!r} has missing values: nothing to compare on")
    recording = recording.select_targets(kept)
    return recording.noted(
        Note(f"left out targets with missing values: {', '.join(lost)}", "excluded")
    )


def _check_words(opened: list[tuple[str, Stimulus, Recording]], name: str) -> None:
    """Raise where one item label means another word to another subject."""
    written: dict[str, str] = {}
    for subject, stimulus, _ in opened:
        for label, rows in stimulus.blocks("item"):
            words = " ".join(stimulus.words[rows])
            if written.setdefault(label, words) != words:
                raise CorruptDataError(
                    f"{name}: item {label!r} is {words!r} to subject {subject!r} and "
                    f"{written[label]!r} to another: the labels of the items do not agree"
                )


def _alike(recordings: list[Recording]) -> bool:
    """Whether subjects saw the same items, but for a few."""
    shared = set.intersection(*(set(r.items) for r in recordings))
    return len(shared) >= 0.8 * max(len(set(r.items)) for r in recordings)


def _common(recordings: list[Recording]) -> list[Recording]:
    """The items that all subjects have, in one order."""
    shared = set.intersection(*(set(r.items) for r in recordings))
    kept = []
    for r in recordings:
        if len(set(r.items)) < len(r.items):
            raise ValueError(f"subject {r.subject!r} has repeated items: average them before")
        mask = np.array([item in shared for item in r.items])
        kept.append(
            r if mask.all() else r.select_samples(mask, f"{len(shared)} items of all subjects")
        )
    if not shared:
        raise ValueError("no item was seen by all subjects")
    for r in kept[1:]:
        if (r.items != kept[0].items).any():
            raise ValueError(
                f"subjects {kept[0].subject!r} and {r.subject!r} order items otherwise"
            )
    return kept


def _side_by_side(recordings: list[Recording], people: list[str]) -> Recording:
    first = recordings[0]
    for r in recordings[1:]:
        if r.data.shape != first.data.shape or list(r.target_names) != list(first.target_names):
            raise ValueError(
                f"subject {r.subject!r} has {r.data.shape} samples x targets, {first.subject!r} "
                f"{first.data.shape}: choose subjects with the same ones"
            )
    data = np.hstack([r.data.astype(np.float64) for r in recordings])
    spread = data.std(axis=0)
    targets = targets_of_subjects(
        {who: r.targets for who, r in zip(people, recordings, strict=True)}
    )
    place = {"times": first.times, "items": first.items, "run": first.run}
    z = (data - data.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return Recording(z, targets, first.modality, "z", **place, notes=first.notes)


def _averaged(
    opened: list[tuple[str, Stimulus, Recording]], name: str
) -> tuple[Stimulus, Recording]:
    """Mean over the subjects of each item, where subjects saw different lists."""
    texts: dict[str, Stimulus] = {}
    for _, s, _ in opened:
        for label, rows in s.blocks("text"):
            if label not in texts:
                texts[label] = s.select(np.arange(rows.start, rows.stop))
    parts = list(texts.values())
    stimulus = Stimulus.concatenate(parts, keep_times=False)
    total: dict[str, np.ndarray] = {}
    count: dict[str, int] = {}
    for _, _, r in opened:
        for item, row in zip(r.items, r.data, strict=True):
            total[item] = total.get(item, 0) + row
            count[item] = count.get(item, 0) + 1
    items = [i for i in dict.fromkeys(stimulus.item) if count.get(i, 0) >= FEWEST_TRIALS]
    if len(items) < 20:
        raise ValueError(
            f"{name}: {len(items)} items have responses of {FEWEST_TRIALS} subjects or more: open "
            "more subjects"
        )
    first = opened[0][2]
    note = (
        f"mean of {FEWEST_TRIALS} to {max(count.values())} trials per item over {len(opened)} "
        f"subjects; {len(total) - len(items)} of {len(total)} items had fewer"
    )
    data = np.array([total[item] / count[item] for item in items])
    return stimulus, Recording(
        data, first.targets, first.modality, first.unit, items=items, notes=(*first.notes, note)
    )


def in_text_order(stimulus: Stimulus, recording: Recording) -> Recording:
    """Bring the responses into the order of the text: folds and shifts are made of neighbours."""
    place = {item: i for i, item in enumerate(dict.fromkeys(stimulus.item))}
    order = np.argsort([place[item] for item in recording.items], kind="stable")
    if (np.diff(order) == 1).all():
        return recording
    return recording.select_samples(order, "responses in the order of the text")


def _fewer(task: Assembly, max_items: int | None, seed: int) -> Assembly:
    """Cut texts, or draw isolated words, which come into the order of their letters."""
    recording = task.recording
    if task.timed:
        return task
    if task.level != "word":
        recording = in_text_order(task.stimulus, recording)
        task = replace(task, recording=recording)
        if max_items is None or recording.n_samples <= max_items:
            return task
        early = np.arange(recording.n_samples) < max_items
        recording = recording.select_samples(early, f"the first {max_items} of {len(early)} items")
        last = np.flatnonzero(task.stimulus.item == recording.items[-1])[-1]
        edge = np.flatnonzero(task.stimulus.sentence == task.stimulus.sentence[last])[-1]
        stimulus = task.stimulus.select(np.arange(task.stimulus.n_words) <= edge)
        return replace(task, stimulus=stimulus, recording=recording)
    word = {item: str(w) for item, w in zip(task.stimulus.item, task.stimulus.words, strict=True)}
    rows = np.arange(recording.n_samples)
    if max_items is not None and len(rows) > max_items:
        rows = np.sort(np.random.default_rng(seed).choice(rows, max_items, replace=False))
    order = sorted(rows, key=lambda row: (word[recording.items[row]].lower(), row))
    if len(set(recording.items)) < recording.n_samples:
        raise ValueError(f"{task.name}: items repeat; average their trials before")
    note = f"{len(rows)} of {recording.n_samples} words in the order of their letters"
    chosen = recording.select_samples(np.array(order), note)
    own = np.isin(task.stimulus.item.astype(str), chosen.items.astype(str))
    return replace(task, stimulus=task.stimulus.select(own), recording=chosen)
