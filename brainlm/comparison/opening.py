"""Open data sets as assemblies: subjects side by side, or the mean over subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from brainlm.comparison.assembly import COARSE, Assembly, text_order
from brainlm.data.notes import Note
from brainlm.data.preprocessing import average_samples, high_pass
from brainlm.data.recording import Recording, sampling_interval
from brainlm.data.stimulus import Stimulus
from brainlm.data.target_table import targets_of_subjects
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import dataset_hashes, list_subjects, refused_subjects
from brainlm.datasets.open import open_dataset
from brainlm.encoding.time_bins import word_locked
from brainlm.errors import CorruptDataError

FEWEST_TRIALS = 5
FEWEST_OWN = 100  # items of each person from which people are scored one by one


def open_assembly(
    name: str,
    root: Path | str | None = None,
    *,
    max_subjects: int | None = None,
    max_items: int | None = None,
    subjects: Sequence[str] | None = None,
    seed: int = 0,
) -> Assembly:
    """Open a data set as an assembly.

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
    Subjects with the same items (or samples) become targets side by side, each z-scored; their
    targets may differ (voxels). Where subjects saw different items, responses are averaged over the
    subjects of an item, five at least; if they have 100 items or more, the responses of each are
    kept, too, for scores and a ceiling by subject (``Assembly.people``). MEG, EEG and iEEG time
    series become bins of 100 ms after each word. Targets with missing values are left out, and
    named; time series of fMRI are high-passed at 128 s and averaged to about 2 s where they are
    faster, so that delays of 2 to 8 s are four samples everywhere.
    """
    card = read_card(name)
    available = list_subjects(name, root)
    wanted = list(available if subjects is None else subjects)
    opened: list[tuple[str, Stimulus, Recording]] = []
    notes: list[str] = list(refused_subjects(name, root)) if subjects is None else []
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
    opened = _complete_targets(opened)
    stimulus, first = opened[0][1], opened[0][2]
    named: tuple[str, ...] = ()
    own: np.ndarray | None = None
    if len(opened) == 1:
        recording = first
    elif first.times is not None:
        recording, named = _side_by_side([r for _, _, r in opened], people), tuple(people)
    elif _alike([r for _, _, r in opened]):
        recording, named = _side_by_side(_common([r for _, _, r in opened]), people), tuple(people)
    elif np.median([r.n_samples for _, _, r in opened]) >= FEWEST_OWN:
        stimulus, recording, own, named = by_person(opened, name)
        people = list(named)
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
        own,
    )
    return _cut_items(task, max_items, seed)


def _complete_targets(
    opened: list[tuple[str, Stimulus, Recording]],
) -> list[tuple[str, Stimulus, Recording]]:
    """Leave out targets with missing values: of all subjects, or of each if targets differ."""
    names = {tuple(r.target_names) for _, _, r in opened}
    every = list(dict.fromkeys(str(t) for _, _, r in opened for t in r.missing_targets))
    return [
        (who, s, _complete(r, every if len(names) == 1 else list(map(str, r.missing_targets))))
        for who, s, r in opened
    ]


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
            raise ValueError(f"subject {r.subject!r} has repeated items: average them first")
        mask = np.array([item in shared for item in r.items])
        kept.append(
            r if mask.all() else r.select_samples(mask, f"{len(shared)} items of all subjects")
        )
    if not shared:
        raise ValueError("no item was seen by all subjects")
    return [kept[0], *(_in_order_of(kept[0], r) for r in kept[1:])]


def _in_order_of(first: Recording, other: Recording) -> Recording:
    """Return the same items in the order in which another subject saw them."""
    if (other.items == first.items).all():
        return other
    place = {item: row for row, item in enumerate(other.items.tolist())}
    rows = [place[item] for item in first.items.tolist()]
    note = f"items of {other.subject} in the order of {first.subject}"
    moved = replace(other, data=other.data[rows], items=first.items, run=first.run, part=first.part)
    return moved.noted(note)


def _side_by_side(recordings: list[Recording], people: list[str]) -> Recording:
    first = recordings[0]
    for r in recordings[1:]:
        if r.n_samples != first.n_samples:
            raise ValueError(
                f"subject {r.subject!r} has {r.n_samples} samples, {first.subject!r} "
                f"{first.n_samples}: choose subjects with as many"
            )
    notes = first.notes
    if len({tuple(r.target_names) for r in recordings}) > 1:
        n = [r.n_targets for r in recordings]
        note = (
            f"the targets differ between subjects ({min(n)} to {max(n)}): scores are averaged over "
            "the targets of a subject, then over subjects; no ceiling from other subjects"
        )
        notes = (*notes, Note(note, "coverage"))
    data = np.hstack([r.data.astype(np.float64) for r in recordings])
    spread = data.std(axis=0)
    targets = targets_of_subjects(
        {who: r.targets for who, r in zip(people, recordings, strict=True)}
    )
    place = {"times": first.times, "items": first.items, "run": first.run, "part": first.part}
    z = (data - data.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return Recording(z, targets, first.modality, "z", **place, notes=notes)


def _averaged(
    opened: list[tuple[str, Stimulus, Recording]], name: str
) -> tuple[Stimulus, Recording]:
    """Mean over the subjects of each item, where subjects saw different lists."""
    stimulus = _every_text(opened)
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


def _every_text(opened: list[tuple[str, Stimulus, Recording]]) -> Stimulus:
    """The texts that any subject read, each once."""
    texts: dict[str, Stimulus] = {}
    for _, s, _ in opened:
        for label, rows in s.blocks("text"):
            if label not in texts:
                texts[label] = s.select(np.arange(rows.start, rows.stop))
    return Stimulus.concatenate(list(texts.values()), keep_times=False)


def by_person(
    opened: list[tuple[str, Stimulus, Recording]], name: str
) -> tuple[Stimulus, Recording, np.ndarray, tuple[str, ...]]:
    """Means over the subjects of each item, and the responses of each, z-scored.

    Parameters
    ----------
    opened : list of (str, Stimulus, Recording)
        Subjects with items that differ.
    name : str
        Of the data set, for messages.

    Returns
    -------
    stimulus : Stimulus
    recording : Recording
        Means of the items that five subjects or more responded to (all, of fewer subjects).
    people : array of shape (n_samples, n_subjects, n_targets)
        NaN where a subject has no response to an item.
    names : tuple of str
        Subjects, without those who responded to fewer than 100 items.
    """
    few = [who for who, _, r in opened if r.n_samples < FEWEST_OWN]
    opened = [each for each in opened if each[0] not in few]
    stimulus, first = _every_text(opened), opened[0][2]
    place = {item: row for row, item in enumerate(dict.fromkeys(stimulus.item.astype(str)))}
    people = np.full((len(place), len(opened), first.n_targets), np.nan)
    for column, (who, _, r) in enumerate(opened):
        rows = [place[item] for item in r.items.astype(str)]
        if len(set(rows)) < len(rows):
            raise ValueError(f"{name}: subject {who!r} has repeated items: average them first")
        spread = r.data.std(axis=0)
        people[rows, column] = (r.data - r.data.mean(axis=0)) / np.where(spread > 0, spread, 1)
    count = np.isfinite(people).all(axis=2).sum(axis=1)
    fewest = min(FEWEST_TRIALS, len(opened))
    kept = count >= fewest
    if kept.sum() < 20:
        raise ValueError(
            f"{name}: {int(kept.sum())} items have responses of {fewest} subjects or more: "
            "open more subjects"
        )
    note = (
        f"fitted to the mean of {fewest} to {count.max()} people per item, scored on each "
        f"of {len(opened)} people; {int((count[count > 0] < fewest).sum())} items had fewer"
    )
    notes = (*first.notes, note)
    if few:
        excluded = f"left out people with under {FEWEST_OWN} items: {', '.join(few)}"
        notes = (*notes, Note(excluded, "excluded"))
    items = np.array(list(place))[kept]
    means = np.nanmean(people[kept], axis=1)
    recording = Recording(means, first.targets, first.modality, "z", items=items, notes=notes)
    return stimulus, recording, people[kept], tuple(who for who, _, _ in opened)


def _cut_items(task: Assembly, max_items: int | None, seed: int) -> Assembly:
    """Cut texts, or draw isolated words, which come into the order of their letters."""
    recording = task.recording
    if task.timed:
        return task
    if task.level != "word":
        order = text_order(task.stimulus, recording)
        if not (np.diff(order) == 1).all():
            task = task.take(order, "responses in the order of the text")
            recording = task.recording
        if max_items is None or recording.n_samples <= max_items:
            return task
        early = np.arange(recording.n_samples) < max_items
        task = task.take(early, f"the first {max_items} of {len(early)} items")
        last = np.flatnonzero(task.stimulus.item == task.recording.items[-1])[-1]
        edge = np.flatnonzero(task.stimulus.sentence == task.stimulus.sentence[last])[-1]
        stimulus = task.stimulus.select(np.arange(task.stimulus.n_words) <= edge)
        return replace(task, stimulus=stimulus)
    word = {item: str(w) for item, w in zip(task.stimulus.item, task.stimulus.words, strict=True)}
    rows = np.arange(recording.n_samples)
    if max_items is not None and len(rows) > max_items:
        rows = np.sort(np.random.default_rng(seed).choice(rows, max_items, replace=False))
    by_letters = sorted(rows, key=lambda row: (word[recording.items[row]].lower(), row))
    if len(set(recording.items)) < recording.n_samples:
        raise ValueError(f"{task.name}: items repeat; average their trials first")
    note = f"{len(rows)} of {recording.n_samples} words in the order of their letters"
    chosen = task.take(np.array(by_letters), note)
    own = np.isin(task.stimulus.item.astype(str), chosen.recording.items.astype(str))
    return replace(chosen, stimulus=task.stimulus.select(own))
