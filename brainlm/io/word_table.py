"""One table of words and numbers, such as ratings in a CSV file, as a Stimulus and a Recording."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.data.notes import Note
from brainlm.data.recording import Recording, side_by_side
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.io.files import parse_number
from brainlm.io.sheets import Sheet, read_sheet

if TYPE_CHECKING:
    import pandas as pd

EMPTY = ("", "NA", "N/A", "n/a", "nan", "NaN")  # cells without a number
LATIN = re.compile(r"[\W\d_A-Za-z\u00c0-\u024f]*")


def from_table(
    table: pd.DataFrame | Path | str,
    *,
    word: str = "word",
    targets: str | Sequence[str] | None = None,
    language: str | None = None,
    subject: str | None = None,
    group: str | None = None,
    missing: str = "drop",
    modality: str = "ratings",
    unit: str = "a.u.",
) -> tuple[Stimulus, Recording]:
    """Make a stimulus and a recording from one table with a column of words and columns of numbers.

    Parameters
    ----------
    table : DataFrame or path
        A row per word, or per word and subject. Files: CSV, TSV or XLSX.
    word : str
        Column of the words. In a file every text is a word here, ``"nan"`` and ``"null"`` too.
    targets : str or sequence of str, optional
        Columns that become targets. Default: every other column that holds a number.
    language : str, optional
        Code such as ``"en"``. Default: that of the column ``language``, else English where the
        words are in Latin script. In a table of several languages its rows are kept.
    subject : str, optional
        Column that says who responded, in a long table. Each subject becomes a unit, so every
        word needs a row of each (see ``missing``).
    group : str, optional
        Column of what belongs together, such as word families. Groups become the runs of the
        recording, which ``Groups(recording.run, 5)`` holds out whole.
    missing : {"drop", "refuse", "allow"}
        Words without a number in some target are left out (noted with counts), are an error, or
        stay as NaN.
    modality, unit : str
        As in `brainlm.Recording`.

    Returns
    -------
    stimulus : Stimulus
        Isolated words, each the only one of its text and item, ordered by group and then by code
        point: inflections of a word are neighbours, which contiguous folds keep together.
    recording : Recording
        Shape (n_words, n_targets); of several subjects, targets have the column ``subject``.

    Raises
    ------
    CorruptDataError
        A word comes twice, a cell of a target is no number, a value is missing and refused, or no
        row is left. The message names column and row.
    UnknownNameError
        There is no such column; near names come first.

    Examples
    --------
    >>> ratings = pandas.DataFrame({"word": ["dog", "ant", "cat"], "size": [3.0, 1.0, 2.0]})
    >>> stimulus, recording = brainlm.from_table(ratings)
    >>> stimulus.words.tolist(), recording.data.ravel().tolist()
    (['ant', 'cat', 'dog'], [1.0, 2.0, 3.0])
    """
    if missing not in ("drop", "refuse", "allow"):
        raise unknown_name("value of missing", missing, ("drop", "refuse", "allow"))
    sheet = _sheet(table)
    roles = {"word": word, "subject": subject, "group": group}
    for role, column in roles.items():
        if column is not None and column not in sheet.header:
            names = [name for name in sheet.header if name]
            raise CorruptDataError(
                f"{sheet.path}: {unknown_name(f'column ({role}=)', column, names)}"
            )
    sheet, language, notes = _of_language(sheet, word, language)
    columns, left_out = _targets(sheet, targets, {*roles.values(), "language", ""})
    found = _cells(sheet, word, columns, subject, group)
    found.check_repeated()
    found, dropped = found.complete(missing)
    order = found.order()
    words = [found.words[i] for i in order]
    runs = None if group is None else [found.groups[i] for i in order]
    origin = {"file": str(sheet.path)} if not hasattr(table, "columns") else {}
    recordings = [
        Recording(
            found.values[order, k],
            targets=columns,
            modality=modality,
            unit=unit,
            items=words,
            run=runs,
            subject=name,
            missing="allow" if missing == "allow" else "refuse",
            notes=(*notes, *left_out, *dropped),
            origin=origin,
        )
        for k, name in enumerate(found.subjects)
    ]
    recording = recordings[0] if subject is None else side_by_side(recordings)
    return Stimulus(words, language, text=words, run=runs), recording


@dataclass(frozen=True)
class _Cells:
    """Numbers of words: values of shape (n_words, n_subjects, n_targets)."""

    path: Path
    words: list[str]
    groups: list[str]
    subjects: list[str]
    targets: list[str]
    values: np.ndarray
    repeated: tuple[str, ...] = ()

    def check_repeated(self) -> None:
        """Raise where a word comes twice (for one subject)."""
        if self.repeated:
            raise CorruptDataError(
                f"{self.path}: {len(self.repeated)} rows repeat a word; the first: "
                f"{self.repeated[0]}. Average them, or say with subject= which column tells them "
                "apart"
            )

    def complete(self, missing: str) -> tuple[_Cells, tuple[str, ...]]:
        """Return the words that are left, and a note that counts what is missing."""
        lacking = np.isnan(self.values)
        if not lacking.any():
            return self, ()
        counts = lacking.sum(axis=(0, 1)).tolist()
        named = [f"{t} {n}" for t, n in zip(self.targets, counts, strict=True) if n]
        told = f"missing values ({', '.join(named)})"
        if missing == "allow":
            return self, (f"{self.path.name}: {told} kept as NaN",)
        if missing == "refuse":
            raise CorruptDataError(f"{self.path}: {told}: fill them, or pass missing='drop'")
        kept = np.flatnonzero(~lacking.any(axis=(1, 2))).tolist()
        if not kept:
            raise CorruptDataError(
                f"{self.path}: {told}, and no word has all of its values: choose fewer targets"
                + (", or average over subjects" if len(self.subjects) > 1 else "")
            )
        n_words = len(self.words)
        note = f"{self.path.name}: left out {n_words - len(kept)} of {n_words} words with {told}"
        words, groups = [self.words[i] for i in kept], [self.groups[i] for i in kept]
        left = _Cells(self.path, words, groups, self.subjects, self.targets, self.values[kept])
        return left, (Note(note, "excluded"),)

    def order(self) -> list[int]:
        """Return the words' numbers, by group in their order of appearance, then by code point."""
        first = {group: i for i, group in reversed(list(enumerate(self.groups)))}
        return sorted(range(len(self.words)), key=lambda i: (first[self.groups[i]], self.words[i]))


def _sheet(table: Any) -> Sheet:
    """Return a table as cells; missing ones of a DataFrame are empty."""
    if not hasattr(table, "columns"):
        return read_sheet(Path(table))
    if not len(table):
        raise CorruptDataError("table: has no rows")
    cells = table.astype(object).where(table.notna(), "")
    header = [str(name) for name in table.columns]
    return Sheet(Path("table"), header, cells.to_numpy().tolist(), list(table.index))


def _of_language(
    sheet: Sheet, word: str, language: str | None
) -> tuple[Sheet, str, tuple[str, ...]]:
    """Return the rows of one language, its code, and notes."""
    if "language" in sheet.header:
        present = list(dict.fromkeys(sheet.texts("language")))
        if language is None and len(present) > 1:
            raise CorruptDataError(
                f"{sheet.path}: rows in {len(present)} languages ({', '.join(present[:5])}): "
                f"choose one, such as language={present[0]!r}"
            )
        code = language or present[0]
        kept = sheet.where({"language": code})
        if len(kept.rows) == len(sheet.rows):
            return sheet, code, ()
        note = f"{sheet.path.name}: kept the {len(kept.rows)} of {len(sheet.rows)} rows in {code!r}"
        return kept, code, (Note(note, "excluded"),)
    if language is not None:
        return sheet, language, ()
    foreign = [each for each in sheet.texts(word) if not LATIN.fullmatch(each)]
    if foreign:
        raise CorruptDataError(
            f"{sheet.path}: the language of {foreign[0]!r} is not known: pass its code, such as "
            "language='zh'"
        )
    return sheet, "en", ("language taken to be English: pass language= for another",)


def _targets(
    sheet: Sheet, wanted: str | Sequence[str] | None, others: set[str | None]
) -> tuple[list[str], tuple[str, ...]]:
    """Return the columns of the targets, and a note of those that are left out."""
    if wanted is not None:
        chosen = [wanted] if isinstance(wanted, str) else list(wanted)
        for name in chosen:
            sheet.position(name)
        return chosen, ()
    names = [name for name in sheet.header if name not in others]
    chosen = [name for name in names if _holds_number(sheet, name)]
    if not chosen:
        raise CorruptDataError(
            f"{sheet.path}: no column of numbers beside the words; columns are "
            f"{', '.join(filter(None, sheet.header))}"
        )
    texts = [name for name in names if name not in chosen]
    return chosen, (f"columns without numbers left out: {', '.join(texts)}",) if texts else ()


def _holds_number(sheet: Sheet, name: str) -> bool:
    position = sheet.position(name)
    return any(_is_number(row[position]) for row in sheet.rows)


def _is_number(cell: Any) -> bool:
    try:
        return bool(np.isfinite(parse_number(cell)))
    except ValueError:
        return False


def _cells(
    sheet: Sheet, word: str, columns: list[str], subject: str | None, group: str | None
) -> _Cells:
    """Arrange the cells by word, subject and target."""
    words = sheet.texts(word)
    people = ["group"] * len(words) if subject is None else sheet.texts(subject)
    groups = [""] * len(words) if group is None else sheet.texts(group)
    values = np.column_stack([_numbers(sheet, name) for name in columns])
    names, subjects = list(dict.fromkeys(words)), list(dict.fromkeys(people))
    row = {name: i for i, name in enumerate(names)}
    column = {name: i for i, name in enumerate(subjects)}
    arranged = np.full((len(names), len(subjects), len(columns)), np.nan)
    group_of: dict[str, str] = {}
    seen: dict[tuple[str, str], int] = {}
    repeated = []
    for line, each, person, family, own in zip(
        sheet.lines, words, people, groups, values, strict=True
    ):
        if (each, person) in seen:
            whose = "" if subject is None else f" of {subject} {person!r}"
            repeated.append(f"{each!r}{whose} in rows {seen[each, person]} and {line}")
        if group_of.setdefault(each, family) != family:
            raise CorruptDataError(
                f"{sheet.path}, row {line}, column {group!r}: {each!r} is in {family!r} and in "
                f"{group_of[each]!r}: a word belongs to one group"
            )
        seen[each, person] = line
        arranged[row[each], column[person]] = own
    found = [group_of[each] for each in names]
    return _Cells(sheet.path, names, found, subjects, columns, arranged, tuple(repeated))


def _numbers(sheet: Sheet, name: str) -> np.ndarray:
    """Return a column of numbers, with advice about a cell of text."""
    try:
        return sheet.numbers(name, EMPTY)
    except CorruptDataError as error:
        said = str(error).partition("; if it stands")[0]
        raise CorruptDataError(
            f"{said}: correct the cell, empty it, or choose other columns with targets="
        ) from error
