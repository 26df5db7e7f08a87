"""Responses to single words in their sentences: reading times, gaze, single trials of an ERP.

A table of words says what was read, a table of responses what was measured; they may be one file.
Each word has a label (its item), and a response names the item it belongs to. So the words that
nobody responded to stay in the sentences, where a language model needs them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.io.files import Names, ReaderOptions, naming, subjects_in
from brainlm.io.sheets import Sheet, read_sheet
from brainlm.storage.downloads import check_content


class _SheetOptions(ReaderOptions):
    """Where a table is and which of its rows count.

    Attributes
    ----------
    path : str
        Path in the folder, with ``{subject}`` in it where every subject has a file.
    sheet, delimiter, quotes
        As in `brainlm.io.sheets.read_sheet`.
    where : dict of str to str
        Column -> the value that it must have.
    required : sequence of str
        Rows in which one of these columns is empty are left out (noted).
    """

    path: str
    sheet: str | None = None
    delimiter: str | None = None
    quotes: bool = True
    where: dict[str, str] = Field(default_factory=dict)
    required: Names = ()


class WordsOptions(_SheetOptions):
    """Table of words of `read_word_responses`.

    Attributes
    ----------
    sentence : str
        Template of columns that names the sentence of a row, such as ``"{sentence_id}"``.
    item : str
        Template that names a word. ``{n}`` is its number in the sentence.
    word : str
        Column with the words, a row per word.
    parts : sequence of str
        Instead of ``word``, a row (or several equal ones) per sentence: templates of its parts.
        With one part, ``{n}`` counts its words; with several, the parts, each of which is one item.
    first_number : int
        Number of the first word.
    text : str, optional
        Template for ``Stimulus.text``. Default: the sentence.
    texts_begin : sequence of str
        Where no column names the texts: the sentences with which they begin. A text bears the
        name of its first sentence.
    repeated : {"refuse", "merge"}
        A word that comes twice in its sentence is an error, or one word (noted).
    number : str, optional
        Column with the number of a word in its sentence: rows that stand elsewhere are brought
        into this order (noted).
    """

    sentence: str
    item: str
    word: str | None = None
    parts: Names = ()
    first_number: int = 1
    text: str | None = None
    texts_begin: Names = ()
    repeated: Literal["refuse", "merge"] = "refuse"
    number: str | None = None

    @model_validator(mode="after")
    def _has_words(self) -> WordsOptions:
        if (self.word is None) == (not self.parts):
            raise ValueError("give either word (a row per word) or parts (a row per sentence)")
        if self.text is not None and self.texts_begin:
            raise ValueError("give either text (a column) or texts_begin (sentences), not both")
        return self


class ResponsesOptions(_SheetOptions):
    """Table of responses of `read_word_responses`.

    Attributes
    ----------
    columns : sequence of str
        Columns that become targets.
    item : str, optional
        Template that names the word of a row. Default: the rows are those of the words.
    subject : str, optional
        Column that says who responded, where one file holds all subjects.
    word : str, optional
        Column with the word, which is then compared with the word of the stimulus.
    rename : dict of str to str
        Column -> target name, where they differ.
    missing_values : sequence of str
        Cells that stand for a missing value; ``""`` is an empty cell.
    """

    columns: Annotated[Names, Field(min_length=1)]
    item: str | None = None
    subject: str | None = None
    word: str | None = None
    rename: dict[str, str] = Field(default_factory=dict)
    missing_values: Names = ()


class WordResponsesOptions(ReaderOptions):
    """Options of `read_word_responses`.

    Attributes
    ----------
    words : WordsOptions, optional
        Without it there is no stimulus: the files do not say what was read.
    responses : ResponsesOptions
    language, modality, unit : str
        As in `Stimulus` and `Recording`.
    missing : {"refuse", "allow", "drop"}
        Missing values are an error, stay as NaN, or remove their row. Counts go into the notes.
    """

    words: WordsOptions | None = None
    responses: ResponsesOptions
    language: str
    modality: str
    unit: str
    missing: Literal["refuse", "allow", "drop"] = "refuse"

    @model_validator(mode="after")
    def _names_items(self) -> WordResponsesOptions:
        if self.responses.item is None and (self.words is None or self.words.word is None):
            raise ValueError("responses need an item, unless each row of words is a response")
        if self.responses.item is None and self.words is not None and self.words.number is not None:
            raise ValueError(
                "responses need an item, because number changes the order of the words"
            )
        return self

    @property
    def finds_subjects(self) -> bool:
        """Whether a column or a path names the subjects."""
        return self.responses.subject is not None or "{subject}" in self.responses.path

    def subjects(self, folder: Path) -> list[str]:
        """Return the subjects that a column or the paths name, sorted."""
        if self.responses.subject is None:
            return subjects_in(folder, self.responses.path)
        alone = self.responses.model_copy(update={"subject": None})
        sheet = _read(folder, alone, None, (self.responses.subject,))
        return sorted(set(sheet.texts(self.responses.subject)))

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the responses and the words."""
        words = (self.words.path,) if self.words else ()
        paths = tuple(dict.fromkeys((self.responses.path, *words)))
        if subject is None:
            return tuple(path for path in paths if "{subject}" not in path)
        return tuple(path.replace("{subject}", subject) for path in paths)


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
    sheet = _read(folder, given.responses, subject, _needed(given, given.responses))
    sheet, dropped = sheet.filled(*given.responses.required)
    recording = _read_responses(sheet, given, items_of_rows, subject)
    if stimulus is not None:
        _check_words(sheet, given.responses, stimulus, recording)
    return stimulus, recording.noted(*dict.fromkeys((*notes, *dropped)))


def _needed(given: WordResponsesOptions, table: _SheetOptions) -> tuple[str, ...]:
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


def _read(
    folder: Path, table: _SheetOptions, subject: str | None, columns: tuple[str, ...]
) -> Sheet:
    """Return the rows of a table that count for the subject: of a large one only these are held."""
    path = folder / table.path.replace("{subject}", subject or "{subject}")
    state = check_content(path).stat()
    where = dict(table.where)
    column = getattr(table, "subject", None)
    if column is not None and subject is not None:
        where[column] = subject
    key = (path, state.st_mtime_ns, state.st_size, table.sheet, table.delimiter, table.quotes)
    return _read_once(*key, columns, tuple(where.items()))


@lru_cache(maxsize=2)  # words and responses are often in one file
def _read_once(
    path: Path,
    changed: int,
    size: int,
    sheet: str | None,
    delimiter: str | None,
    quotes: bool,
    columns: tuple[str, ...],
    where: tuple[tuple[str, str], ...],
) -> Sheet:
    return read_sheet(
        path, sheet=sheet, delimiter=delimiter, quotes=quotes, columns=columns, where=dict(where)
    )


def _read_words(
    folder: Path, given: WordResponsesOptions, subject: str | None
) -> tuple[Stimulus, list[str] | None, tuple[str, ...]]:
    """Return the stimulus, the item of each row where rows are words, and notes."""
    table = given.words
    assert table is not None
    own = table  # in a file of all subjects, the words are those that this one read
    if given.responses.subject is not None and table.path == given.responses.path:
        own = table.model_copy(update={"where": {**table.where, given.responses.subject: subject}})
    sheet = _read(folder, own, subject, _needed(given, table))
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
        if _letters(words.get(item, said)) != _letters(said):
            raise CorruptDataError(
                f"{sheet.path}, row {line}: responds to {said!r}, but word {item!r} of the "
                f"sentences is {words[item]!r}: the two tables number words differently"
            )


def _letters(word: str) -> str:
    """Return the word without case, punctuation and marks, to compare spellings."""
    kept = (c for c in unicodedata.normalize("NFKC", word) if unicodedata.category(c)[0] in "LNM")
    return "".join(kept).casefold()
