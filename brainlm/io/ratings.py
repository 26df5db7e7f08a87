"""Norms and ratings in tables (CSV, TSV, XLSX): isolated words, a column per rated attribute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError
from brainlm.io.files import Names, ReaderOptions, naming
from brainlm.io.sheets import Sheet, read_sheet


class TableOptions(ReaderOptions):
    """One file of `read_tables`.

    Attributes
    ----------
    path : str
        Path in the folder; a format of `brainlm.io.sheets.read_sheet`.
    word : str
        Column with the words. Every text is a word here, ``"nan"`` and ``"null"`` too.
    columns : sequence of str
        Columns that become targets.
    first, last : str
        Instead of ``columns``: all columns from ``first`` to ``last``. Default: every column but
        the word.
    rename : dict of str to str
        Column -> target name, where they differ.
    sheet : str, optional
        Sheet of an XLSX file, data frame of an RDA file. Default: the only one.
    delimiter : str, optional
        Between the cells of a text file, where it is not the usual one.
    description_rows : int
        Rows under the header that describe the columns.
    names_row : int, optional
        Which of them (from 1) holds the column names to use; its empty cells leave the header's.
    missing_values : sequence of str
        Cells that stand for a missing value; ``""`` is an empty cell.
    required : sequence of str
        Rows in which one of these columns is empty are left out (noted).
    """

    path: str
    word: str
    columns: Names = ()
    first: str | None = None
    last: str | None = None
    rename: dict[str, str] = Field(default_factory=dict)
    sheet: str | None = None
    delimiter: str | None = None
    description_rows: int = Field(default=0, ge=0)
    names_row: int | None = Field(default=None, ge=1)
    missing_values: Names = ()
    required: Names = ()


class TablesOptions(ReaderOptions):
    """Options of `read_tables`.

    Attributes
    ----------
    tables : sequence of TableOptions
        Files; several are joined on the item, keeping the items that are in all of them.
    language : str
        Language code of the words.
    unit : str
        Scale of the ratings.
    modality : str
        As in `Recording`; words read in isolation may have reading times.
    item : str
        What identifies a row, as a template of columns such as ``"{EngID}"``. It becomes
        ``Recording.items`` and ``Stimulus.sentence``. Default: the word.
    text : str
        Template for ``Stimulus.text``. Default: the item.
    missing : {"refuse", "allow", "drop"}
        Missing values are an error, stay as NaN, or remove their row. Counts go into the notes.
    duplicates : {"refuse", "keep-first"}
        An item that comes twice in a file is an error, or only its first row is used (noted).
    single_words : bool
        Leave out expressions of several words (with white space), and note how many.
    lower_case : bool
        Write the words in lower case (noted).
    sort : {"file", "word"}
        Order of the first file, or of the words by code point.
    """

    tables: Annotated[tuple[TableOptions, ...], Field(strict=False, min_length=1)]
    language: str
    unit: str
    modality: str = "ratings"
    item: str | None = None
    text: str | None = None
    missing: Literal["refuse", "allow", "drop"] = "refuse"
    duplicates: Literal["refuse", "keep-first"] = "refuse"
    single_words: bool = False
    lower_case: bool = False
    sort: Literal["file", "word"] = "file"

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the tables."""
        return tuple(table.path for table in self.tables)


@dataclass(frozen=True)
class _Ratings:
    """Rows of a table: parallel lists, values of shape (n_items, n_targets)."""

    words: list[str]
    items: list[str]
    texts: list[str]
    values: np.ndarray
    targets: list[str]
    notes: tuple[str, ...] = ()

    def take(self, rows: list[int], note: str) -> _Ratings:
        return _Ratings(
            [self.words[i] for i in rows],
            [self.items[i] for i in rows],
            [self.texts[i] for i in rows],
            self.values[rows],
            self.targets,
            (*self.notes, note),
        )


def read_tables(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read rated words.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str, optional
        Who rated; a group by default.
    **options
        See `TablesOptions`.

    Returns
    -------
    stimulus : Stimulus
        Isolated words without times, each a text and a sentence of its own.
    recording : Recording
        Shape (n_words, n_targets); ``items`` are the words' sentences.

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken, a column or a value is missing, a rating is no number, an
        item comes twice.
    """
    given = TablesOptions.of(options, strict=None)
    folder = Path(folder)
    paths = [folder / table.path for table in given.tables]
    parts = [
        _read_ratings(path, table, given) for path, table in zip(paths, given.tables, strict=True)
    ]
    ratings = parts[0] if len(parts) == 1 else _join(parts, paths)
    ratings = _select(ratings, given, paths[0])
    with naming(paths[0]):
        stimulus = Stimulus(
            ratings.words, given.language, text=ratings.texts, sentence=ratings.items
        )
        recording = Recording(
            ratings.values,
            targets=ratings.targets,
            modality=given.modality,
            unit=given.unit,
            items=ratings.items,
            subject=subject or "group",
            missing="allow" if given.missing == "allow" else "refuse",
            notes=ratings.notes,
        )
    return stimulus, recording


def _read_ratings(path: Path, table: TableOptions, given: TablesOptions) -> _Ratings:
    sheet = read_sheet(
        path,
        sheet=table.sheet,
        delimiter=table.delimiter,
        description_rows=table.description_rows,
        names_row=table.names_row,
    )
    columns = _columns(sheet, table)
    sheet, notes = sheet.filled(*table.required)
    words = sheet.texts(table.word)
    if given.lower_case:
        words = [word.lower() for word in words]
        notes = (*notes, f"{path.name}: words written in lower case")
    items = words if given.item is None else sheet.fill(given.item)
    texts = items if given.text is None else sheet.fill(given.text)
    values = np.column_stack([sheet.numbers(name, table.missing_values) for name in columns])
    targets = [table.rename.get(name, name) for name in columns]
    ratings = _Ratings(words, items, texts, values, targets, notes)
    return _without_duplicates(_without_missing(ratings, path, given), path, given)


def _columns(sheet: Sheet, table: TableOptions) -> list[str]:
    if (table.first is None) != (table.last is None) or (table.columns and table.first):
        raise ValueError(f"{table.path}: give either columns, or both first and last")
    for name in (*table.columns, *table.rename, *filter(None, (table.first, table.last))):
        sheet.position(name)
    if table.columns:
        return list(table.columns)
    if table.first is None:
        return [name for name in sheet.header if name and name != table.word]
    start, stop = sheet.position(str(table.first)), sheet.position(str(table.last))
    if stop < start:
        raise CorruptDataError(f"{sheet.path}: column {table.last!r} stands before {table.first!r}")
    return sheet.header[start : stop + 1]


def _without_missing(ratings: _Ratings, path: Path, given: TablesOptions) -> _Ratings:
    missing = np.isnan(ratings.values)
    if not missing.any():
        return ratings
    counts = ", ".join(
        f"{target} {count}"
        for target, count in zip(ratings.targets, missing.sum(axis=0).tolist(), strict=True)
        if count
    )
    if given.missing == "refuse":
        raise CorruptDataError(
            f"{path}: missing values ({counts}); declare missing = 'allow' or 'drop'"
        )
    if given.missing == "allow":
        note = f"{path.name}: missing values kept as NaN ({counts})"
        return ratings.take(list(range(len(ratings.items))), note)
    rows = np.flatnonzero(~missing.any(axis=1)).tolist()
    n_dropped = len(ratings.items) - len(rows)
    note = Note(
        f"{path.name}: left out {n_dropped} of {len(ratings.items)} rows with missing values",
        "excluded",
    )
    return ratings.take(rows, f"{note} ({counts})")


def _without_duplicates(ratings: _Ratings, path: Path, given: TablesOptions) -> _Ratings:
    first: dict[str, int] = {}
    for i, item in enumerate(ratings.items):
        first.setdefault(item, i)
    n_repeated = len(ratings.items) - len(first)
    if not n_repeated:
        return ratings
    if given.duplicates == "refuse":
        twice = next(item for i, item in enumerate(ratings.items) if first[item] != i)
        raise CorruptDataError(
            f"{path}: {n_repeated} rows repeat an item (the first: {twice!r}); tell them apart "
            "with item = '{column}', or declare duplicates = 'keep-first'"
        )
    return ratings.take(
        list(first.values()),
        Note(f"{path.name}: left out {n_repeated} rows that repeat an item", "excluded"),
    )


def _join(parts: list[_Ratings], paths: list[Path]) -> _Ratings:
    positions = [{item: i for i, item in enumerate(part.items)} for part in parts]
    items = [item for item in parts[0].items if all(item in rows for rows in positions)]
    if not items:
        raise CorruptDataError(f"{' and '.join(map(str, paths))}: have no item in common")
    counts = ", ".join(
        f"{path.name} {len(part.items)}" for path, part in zip(paths, parts, strict=True)
    )
    rows = [[position[item] for item in items] for position in positions]
    return _Ratings(
        [parts[0].words[i] for i in rows[0]],
        items,
        [parts[0].texts[i] for i in rows[0]],
        np.hstack([part.values[chosen] for part, chosen in zip(parts, rows, strict=True)]),
        [target for part in parts for target in part.targets],
        (
            *(note for part in parts for note in part.notes),
            f"joined on the item, case-sensitively: {len(items)} in all files ({counts})",
        ),
    )


def _select(ratings: _Ratings, given: TablesOptions, path: Path) -> _Ratings:
    if given.single_words:
        rows = [i for i, word in enumerate(ratings.words) if len(word.split()) == 1]
        if not rows:
            raise CorruptDataError(f"{path}: single_words leaves no word")
        n_dropped = len(ratings.words) - len(rows)
        ratings = ratings.take(
            rows, Note(f"left out {n_dropped} expressions of several words", "excluded")
        )
    if given.sort == "word":
        rows = sorted(range(len(ratings.words)), key=lambda i: ratings.words[i])
        ratings = ratings.take(rows, "sorted by word")
    return ratings
