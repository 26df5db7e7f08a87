"""Options of the reader of responses to single words."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from brainlm.io.files import Names, ReaderOptions, subjects_in
from brainlm.io.sheets import Sheet, read_sheet
from brainlm.storage.downloads import check_content

SMALL = 8_000_000  # bytes of a table that is read whole, whoever is asked for


class SheetOptions(ReaderOptions):
    """Location of a table and which of its rows count.

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


class WordsOptions(SheetOptions):
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


class ResponsesOptions(SheetOptions):
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
        sheet = read_rows(folder, alone, None, (self.responses.subject,))
        return sorted(set(sheet.texts(self.responses.subject)))

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the responses and the words."""
        words = (self.words.path,) if self.words else ()
        paths = tuple(dict.fromkeys((self.responses.path, *words)))
        if subject is None:
            return tuple(path for path in paths if "{subject}" not in path)
        return tuple(path.replace("{subject}", subject) for path in paths)


def read_rows(
    folder: Path, table: SheetOptions, subject: str | None, columns: tuple[str, ...]
) -> Sheet:
    """Return the rows of a table that count for the subject.

    A small table of several subjects is read once for all of them; of a large one, only these rows
    are held in memory.
    """
    path = folder / table.path.replace("{subject}", subject or "{subject}")
    state = check_content(path).stat()
    where = dict(table.where)
    column = getattr(table, "subject", None)
    if column is not None and subject is not None:
        where[column] = subject
    key = (path, state.st_mtime_ns, state.st_size, table.sheet, table.delimiter, table.quotes)
    if where and columns and state.st_size <= SMALL:
        return _read_once(*key, tuple(dict.fromkeys((*columns, *where))), ()).where(where)
    return _read_once(*key, columns, tuple(where.items()))


@lru_cache(maxsize=3)  # the list of subjects, words and responses are often in one file
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
