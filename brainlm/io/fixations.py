"""Fixations on the words of sentences: fixation reports of EyeLink, and BIDS events."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np

from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.scanpaths import MEASURES, reading_measures
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.io.files import Names, ReaderOptions, naming, parse_number
from brainlm.io.run_files import fill, find_runs
from brainlm.io.sheets import Sheet, read_sheet

Place = tuple[str, int]  # sentence, number of the word


class FixationsOptions(ReaderOptions):
    """Options of `read_fixations`.

    Attributes
    ----------
    pattern : str
        Path of the table of fixations, with ``{subject}`` in it and, where a subject has several,
        ``{run}``; a row per fixation, in the order of time.
    sentence, area, duration : str
        Columns: the sentence, the number of the interest area (from ``first_number``) and the
        duration in ms.
    nowhere : sequence of str
        Cells of ``sentence`` and ``area`` that stand for no sentence and no word. Such fixations
        are left out and counted.
    beyond : {"refuse", "drop"}
        What becomes of a fixation on a word or sentence that the table of words lacks, or without
        a duration: an error, or left out and counted.
    words : str
        Table of the words, a row per word.
    words_delimiter : str, optional
        See `brainlm.io.sheets.read_sheet`.
    word, word_sentence, word_area : str
        Columns of that table: the word, its sentence, and the number of its interest area.
    text : str, optional
        Regular expression whose first group names the text of a sentence. Default: each sentence
        is a text.
    first_number : int
        Number of the first word of a sentence.
    language, unit : str
        As in `brainlm.Stimulus` and `brainlm.Recording`.
    """

    pattern: str
    sentence: str
    area: str
    duration: str = "duration"
    nowhere: Names = (".",)
    beyond: Literal["refuse", "drop"] = "refuse"
    words: str
    words_delimiter: str | None = None
    word: str
    word_sentence: str
    word_area: str
    text: str | None = None
    first_number: int = 1
    language: str
    unit: str

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the table of words, and the fixations of a subject in one file."""
        if subject is None or "{run}" in self.pattern:
            return (self.words,)
        return (self.pattern.replace("{subject}", subject), self.words)

    def found_files(self, folder: Path, subject: str) -> tuple[str, ...]:
        """Return the tables of fixations of a subject, and that of the words."""
        return (*_tables(folder, self, subject), self.words)

    def subjects(self, folder: Path) -> list[str]:
        """Return the subjects with a table of fixations, sorted."""
        return sorted({subject for subject, _ in find_runs(folder, self.pattern)})


def read_fixations(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read the sentences that a subject read, and the reading measures of their words.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str
        The subject, as named in the files.
    **options
        See `FixationsOptions`.

    Returns
    -------
    stimulus : Stimulus
        Words without times of the sentences with a fixation, items "sentence/number".
    recording : Recording
        Shape (n_words, 9): `brainlm.data.scanpaths.MEASURES`, NaN where a measure does not exist.
        Notes count the fixations that were left out.

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken, words of a sentence are not numbered one after the other, a
        sentence was read twice, or, with ``beyond="refuse"``, a fixation is on a word that is not
        there or has no duration.
    UnknownNameError
        There is no such subject.
    """
    given = FixationsOptions.of(options)
    folder = Path(folder)
    choices = given.subjects(folder)
    if subject not in choices:
        raise unknown_name("subject", subject, choices)
    sentences = _read_words(folder, given)
    lost: Counter[str] = Counter()
    found: dict[str, list[tuple[int, float]]] = {}
    for path in _tables(folder, given, str(subject)):
        own = _read_table(folder / path, given, sentences, lost)
        twice = sorted(set(own) & set(found))
        if twice:
            raise CorruptDataError(f"{folder / path}: sentence {twice[0]!r} was read before")
        found |= own
    if not found:
        raise CorruptDataError(f"{folder}: {subject!r} fixated no word of the sentences")
    read = {name: sentences[name] for name in sentences if name in found}
    values = [
        reading_measures(
            [area for area, _ in found[name]], [ms for _, ms in found[name]], len(words)
        )
        for name, words in read.items()
    ]
    first = given.first_number
    rows = [(name, i + first) for name, words in read.items() for i in range(len(words))]
    items = [f"{name}/{n}" for name, n in rows]
    with naming(folder / given.words):
        stimulus = Stimulus(
            [word for words in read.values() for word in words],
            given.language,
            sentence=[name for name, _ in rows],
            text=[_text(name, given) for name, _ in rows],
            item=items,
        )
        recording = Recording(
            np.vstack(values),
            targets=list(MEASURES),
            modality="eye-tracking",
            unit=given.unit,
            items=items,
            subject=str(subject),
            missing="allow",
            notes=tuple(Note(f"{n} fixations {why}", "excluded") for why, n in lost.items()),
        )
    return stimulus, recording


def _tables(folder: Path, given: FixationsOptions, subject: str) -> list[str]:
    runs = [run for who, run in find_runs(folder, given.pattern) if who == subject]
    return [fill(given.pattern, subject, run) for run in runs]


def _read_words(folder: Path, given: FixationsOptions) -> dict[str, list[str]]:
    """Return sentence -> its words, in the order of the table."""
    path = folder / given.words
    sheet = read_sheet(path, delimiter=given.words_delimiter)
    numbered: dict[str, dict[int, str]] = {}
    numbers = sheet.numbers(given.word_area).astype(int).tolist()
    columns = zip(sheet.texts(given.word_sentence), numbers, sheet.texts(given.word), strict=True)
    for sentence, number, word in columns:
        if numbered.setdefault(sentence, {}).setdefault(number, word) != word:
            raise CorruptDataError(f"{path}: sentence {sentence!r} has two words {number}")
    found = {}
    for sentence, words in numbered.items():
        expected = list(range(given.first_number, given.first_number + len(words)))
        if sorted(words) != expected:
            raise CorruptDataError(
                f"{path}: words of sentence {sentence!r} are not numbered from "
                f"{given.first_number} to {expected[-1]}: {sorted(words)[:20]}"
            )
        found[sentence] = [words[number] for number in expected]
    return found


def _read_table(
    path: Path, given: FixationsOptions, sentences: dict[str, list[str]], lost: Counter[str]
) -> dict[str, list[tuple[int, float]]]:
    """Return sentence -> (word from 0, ms) of each fixation on a word."""
    sheet = read_sheet(path, delimiter=None if path.suffix == ".csv" else "\t")
    found: dict[str, list[tuple[int, float]]] = {}
    last = ""
    for i, (sentence, area, duration) in enumerate(_cells(sheet, given)):
        if sentence in given.nowhere:
            lost["between sentences"] += 1
            continue
        place = f"{path}, row {sheet.lines[i]}"
        if sentence not in sentences:
            _refuse(given, f"{place}: sentence {sentence!r} is not in {given.words}")
            lost["in sentences without words"] += 1
            continue
        if sentence != last and sentence in found:
            raise CorruptDataError(f"{place}: sentence {sentence!r} was read before")
        last, own = sentence, found.setdefault(sentence, [])
        if area in given.nowhere:
            lost["on no word"] += 1
            continue
        try:
            number, ms = parse_number(area) - given.first_number, parse_number(duration)
        except ValueError as error:
            _refuse(given, f"{place}: {error}")
            lost["without a number or a duration"] += 1
            continue
        if not 0 <= number < len(sentences[sentence]) or number != int(number):
            n_words = len(sentences[sentence])
            _refuse(given, f"{place}: word {area} of sentence {sentence!r}, which has {n_words}")
            lost["beyond the words of their sentence"] += 1
            continue
        own.append((int(number), ms))
    return {name: own for name, own in found.items() if own}


def _cells(sheet: Sheet, given: FixationsOptions) -> list[tuple[str, str, str]]:
    places = [sheet.position(name) for name in (given.sentence, given.area, given.duration)]
    return [tuple(str(row[k]).strip() for k in places) for row in sheet.rows]  # type: ignore[misc]


def _refuse(given: FixationsOptions, message: str) -> None:
    if given.beyond == "refuse":
        raise CorruptDataError(f"{message}; declare beyond = 'drop' to leave such fixations out")


def _text(sentence: str, given: FixationsOptions) -> str:
    if given.text is None:
        return sentence
    match = re.match(given.text, sentence)
    if match is None or not match.groups():
        raise ValueError(f"text {given.text!r} finds no group in the sentence {sentence!r}")
    return match[1]
