"""Responses to single words in their sentences: reading times, gaze, single trials of an ERP.

A table of words says what was read, a table of responses what was measured; they may be one file.
Each word has a label (its item), and a response names the item it belongs to. So the words that
nobody responded to stay in the sentences, where a language model needs them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.io.files import naming
from brainlm.io.sheets import Sheet
from brainlm.io.word_response_options import (
    ResponsesOptions,
    SheetOptions,
    WordResponsesOptions,
    WordsOptions,
    read_rows,
)


def read_word_responses(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus | None, Recording]:
    """Read sentences and the responses of one subject (or group) to their words.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str, optional
        Whose responses; needed where the files tell subjects apart.
    **options
        See `WordResponsesOptions`.

    Returns
    -------
    stimulus : Stimulus or None
        Words without times; ``item`` labels what is responded to. None without ``words``.
    recording : Recording
        Shape (n_responses, n_targets), items as in the stimulus.

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken, a response names a word that is not there or another word, a
        sentence has two texts, a value is no number.
    UnknownNameError
        There is no such subject.
    """
    given = WordResponsesOptions.of(options)
    folder = Path(folder)
    if given.finds_subjects and subject not in (choices := given.subjects(folder)):
        raise unknown_name("subject", subject, choices)
    stimulus, items_of_rows = None, None
    notes: tuple[str, ...] = ()
    if given.words is not None:
        stimulus, items_of_rows, notes = _read_words(folder, given, subject)
    sheet = read_rows(folder, given.responses, subject, _needed(given, given.responses))
    sheet, dropped = sheet.filled(*given.responses.required)
    recording = _read_responses(sheet, given, items_of_rows, subject)
    if stimulus is not None:
        _check_words(sheet, given.responses, stimulus, recording)
    return stimulus, recording.noted(*dict.fromkeys((*notes, *dropped)))


def _needed(given: WordResponsesOptions, table: SheetOptions) -> tuple[str, ...]:
    """Return the columns that are used of a table, or of both where they are one file."""
    same = [t for t in (given.words, given.responses) if t is not None and t.path == table.path]
    texts: list[str | None] = []
    for each in same:
        texts += [f"{{{name}}}" for name in each.required]
        if isinstance(each, WordsOptions):
            texts += [each.sentence, each.item, each.text, *each.parts]
            texts += [f"{{{name}}}" for name in (each.word, each.number) if name]
        elif isinstance(each, ResponsesOptions):
            texts += [each.item, *(f"{{{name}}}" for name in each.columns)]
            texts += [f"{{{name}}}" for name in (each.word, each.subject) if name]
    names = (name for text in texts if text for name in re.findall(r"\{([^{}]+)\}", text))
    counted = {"n"} if given.words is not None and table.path == given.words.path else set()
    return tuple(name for name in dict.fromkeys(names) if name not in counted)


def _read_words(
    folder: Path, given: WordResponsesOptions, subject: str | None
) -> tuple[Stimulus, list[str] | None, tuple[str, ...]]:
    """Return the stimulus, the item of each row where rows are words, and notes."""
    table = given.words
    assert table is not None
    own = table  # in a file of all subjects, the words are those that this one read
    if given.responses.subject is not None and table.path == given.responses.path:
        own = table.model_copy(update={"where": {**table.where, given.responses.subject: subject}})
    sheet = read_rows(folder, own, subject, _needed(given, table))
    sheet, notes = sheet.filled(*table.required)
    if table.number is not None:
        sheet, moved = _in_order(sheet, table)
        notes = (*notes, *moved)
    sentences = sheet.fill(table.sentence)
    texts = sentences if table.text is None else sheet.fill(table.text)
    if table.texts_begin:
        texts = _texts_from(sentences, table.texts_begin, sheet.path)
    if table.parts:
        rows = _split_sentences(sheet, table, sentences, texts)
        items = None
    else:
        numbers = _count(sentences, table.first_number)
        items = _number(sheet, table.item, numbers)
        rows = list(zip(sheet.texts(str(table.word)), items, sentences, texts, strict=True))
        rows, merged = _merge(rows, sheet.path, table)
        notes = (*notes, *merged)
    words, labels, sentence, text = zip(*rows, strict=True)
    with naming(sheet.path):
        stimulus = Stimulus(words, given.language, text=text, sentence=sentence, item=labels)
    return stimulus, items, notes


def _in_order(sheet: Sheet, table: WordsOptions) -> tuple[Sheet, tuple[str, ...]]:
    """Return the rows by sentence, in the order in which sentences begin, and by number."""
    sentences = sheet.fill(table.sentence)
    place = {sentence: i for i, sentence in enumerate(dict.fromkeys(sentences))}
    numbers = sheet.numbers(str(table.number))
    order = sorted(range(len(sentences)), key=lambda i: (place[sentences[i]], numbers[i]))
    n_moved = sum(i != row for i, row in enumerate(order))
    if not n_moved:
        return sheet, ()
    note = f"{sheet.path.name}: {n_moved} rows brought into the order of {table.number}"
    return sheet.take(order), (note,)


def _texts_from(sentences: list[str], begin: Sequence[str], path: Path) -> list[str]:
    """Return the text of each row: the last sentence so far that begins one."""
    lacking = [name for name in begin if name not in set(sentences)]
    if lacking or sentences[0] not in begin:
        raise CorruptDataError(
            f"{path}: texts_begin names sentences that are not there ({lacking[:3]}), or not the "
            f"first one ({sentences[0]!r})"
        )
    texts, text = [], ""
    for sentence in sentences:
        text = sentence if sentence in begin else text
        texts.append(text)
    return texts


def _count(sentences: list[str], first: int) -> list[int]:
    """Return the number of each row among the rows of its sentence."""
    seen: dict[str, int] = {}
    numbers = []
    for sentence in sentences:
        numbers.append(seen.setdefault(sentence, first))
        seen[sentence] += 1
    return numbers


def _number(sheet: Sheet, template: str, numbers: list[int]) -> list[str]:
    names_columns = "{" in template.replace("{n}", "")
    filled = sheet.fill(template.replace("{n}", "\0")) if names_columns else ["\0"] * len(numbers)
    return [text.replace("\0", str(n)) for text, n in zip(filled, numbers, strict=True)]


def _split_sentences(
    sheet: Sheet, table: WordsOptions, sentences: list[str], texts: list[str]
) -> list[tuple[str, str, str, str]]:
    """Return (word, item, sentence, text) of the words of each sentence, at its first row."""
    parts = list(zip(*(sheet.fill(part) for part in table.parts), strict=True))
    first: dict[str, int] = {}
    for i, sentence in enumerate(sentences):
        before = first.setdefault(sentence, i)
        if parts[before] != parts[i]:
            raise CorruptDataError(
                f"{sheet.path}, row {sheet.lines[i]}: sentence {sentence!r} reads "
                f"{' '.join(parts[i])!r}, in an earlier row {' '.join(parts[before])!r}"
            )
    rows = []
    for sentence, i in first.items():
        chunks = [part.split() for part in parts[i]]
        if len(chunks) == 1:  # every word is an item
            chunks = [[word] for word in chunks[0]]
        numbers = list(range(table.first_number, table.first_number + len(chunks)))
        labels = _number(sheet.take([i] * len(chunks)), table.item, numbers)
        for words, label in zip(chunks, labels, strict=True):
            rows += [(word, label, sentence, texts[i]) for word in words]
    return rows


def _merge(
    rows: list[tuple[str, str, str, str]], path: Path, table: WordsOptions
) -> tuple[list[tuple[str, str, str, str]], tuple[str, ...]]:
    """Return each word once, where the options order it."""
    notes: tuple[str, ...] = ()
    if table.repeated == "merge":
        first: dict[str, tuple[str, str, str, str]] = {}
        for row in rows:
            if first.setdefault(row[1], row) != row:
                raise CorruptDataError(
                    f"{path}: item {row[1]!r} is the word {first[row[1]][0]!r} and later {row[0]!r}"
                )
        if len(first) < len(rows):
            n_repeated = len(rows) - len(first)
            notes = (f"{path.name}: {n_repeated} rows respond again to a word of an earlier row",)
            rows = list(first.values())
    return rows, notes


def _read_responses(
    sheet: Sheet, given: WordResponsesOptions, items: list[str] | None, subject: str | None
) -> Recording:
    table = given.responses
    items = sheet.fill(table.item) if table.item is not None else items
    assert items is not None
    if len(items) != len(sheet.rows):
        raise CorruptDataError(
            f"{sheet.path}: {len(sheet.rows)} responses to {len(items)} words: give both tables "
            "the same rows (path, where, required), or name the items"
        )
    data = np.column_stack([sheet.numbers(name, table.missing_values) for name in table.columns])
    missing = np.isnan(data).any(axis=1)
    notes: tuple[str, ...] = ()
    if missing.any():
        count = (
            f"{sheet.path.name}: {int(missing.sum())} of {len(data)} responses have missing values"
        )
        if given.missing == "refuse":
            raise CorruptDataError(f"{count}; declare missing = 'allow' or 'drop'")
        done = "kept as NaN" if given.missing == "allow" else "left out"
        notes = (Note(f"{count} ({done})", "excluded"),)
    kept = ~missing if given.missing == "drop" else np.ones(len(data), dtype=bool)
    with naming(sheet.path):
        return Recording(
            data[kept],
            targets=[table.rename.get(name, name) for name in table.columns],
            modality=given.modality,
            unit=given.unit,
            items=[item for item, keep in zip(items, kept, strict=True) if keep],
            subject=subject or "group",
            missing="allow" if given.missing == "allow" else "refuse",
            notes=notes,
        )


def _check_words(
    sheet: Sheet, table: ResponsesOptions, stimulus: Stimulus, recording: Recording
) -> None:
    """Raise when a response names no word of the stimulus, or another word than its row says."""
    words = {str(item): str(word) for item, word in zip(stimulus.item, stimulus.words, strict=True)}
    lacking = [item for item in recording.items if item not in words]
    if lacking:
        raise CorruptDataError(
            f"{sheet.path}: {len(lacking)} of {recording.n_samples} responses name words that "
            f"are not in the sentences (the first: {lacking[0]!r}, while the first word is "
            f"{next(iter(words))!r})"
        )
    if table.word is None or table.item is None:
        return
    for item, said, line in zip(
        sheet.fill(table.item), sheet.texts(table.word), sheet.lines, strict=True
    ):
        if spelling(words.get(item, said)) != spelling(said):
            raise CorruptDataError(
                f"{sheet.path}, row {line}: responds to {said!r}, but word {item!r} of the "
                f"sentences is {words[item]!r}: the two tables number words differently"
            )


def spelling(word: str) -> str:
    """Return the word without case, punctuation and marks, to compare spellings."""
    kept = (c for c in unicodedata.normalize("NFKC", word) if unicodedata.category(c)[0] in "LNM")
    return "".join(kept).casefold()
