"""Read one table from a text, XLSX, RDA, NPZ, MATLAB or JSON file, without guessing types.

Guessing is what breaks norms: a general reader turns the words "nan" and "null" into missing
values and "true" into a truth value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.data.notes import Note
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.io.cells import BINARY, DELIMITERS, text_rows
from brainlm.io.files import parse_number


@dataclass(frozen=True)
class Sheet:
    """Cells under a header.

    Attributes
    ----------
    path : Path
        Where it comes from.
    header : list of str
        Column names; ``""`` where there is none.
    rows : list of list
        Cells: text, or numbers and dates from XLSX.
    lines : list of int
        Where each row stands in the file, for messages.
    """

    path: Path
    header: list[str]
    rows: list[list[Any]]
    lines: list[int]

    def position(self, name: str) -> int:
        """Return the number of the column; raise unless it exists exactly once."""
        if name not in self.header:
            raise CorruptDataError(f"{self.path}: {unknown_name('column', name, self._names())}")
        if self.header.count(name) > 1:
            raise CorruptDataError(f"{self.path}: column {name!r} appears more than once")
        return self.header.index(name)

    def texts(self, name: str) -> list[str]:
        """Return a column as text, without outer spaces; whole numbers count as text."""
        position = self.position(name)
        texts = []
        for line, row in zip(self.lines, self.rows, strict=True):
            cell = row[position]
            if isinstance(cell, int) and not isinstance(cell, bool):
                cell = str(cell)
            if not isinstance(cell, str) or not cell.strip():
                raise CorruptDataError(
                    f"{self.path}, row {line}, column {name!r}: {cell!r} is not text"
                )
            texts.append(cell.strip())
        return texts

    def fill(self, template: str) -> list[str]:
        """Return the template with its ``{column}`` replaced, per row; no format language."""
        names = re.findall(r"\{([^{}]+)\}", template)
        if not names:
            raise ValueError(f"template {template!r} names no column in braces")
        filled = [template] * len(self.rows)
        for name in names:
            cells = self.texts(name)
            filled = [
                text.replace("{" + name + "}", cell)
                for text, cell in zip(filled, cells, strict=True)
            ]
        return filled

    def numbers(self, name: str, missing_values: Sequence[str] = ()) -> np.ndarray:
        """Return a column of numbers; cells that stand for a missing value become NaN."""
        position = self.position(name)
        column = np.empty(len(self.rows))
        for i, row in enumerate(self.rows):
            cell = row[position]
            if isinstance(cell, str) and cell.strip() in missing_values:
                column[i] = np.nan
                continue
            try:
                column[i] = parse_number(cell)
            except ValueError as error:
                raise CorruptDataError(
                    f"{self.path}, row {self.lines[i]}, column {name!r}: {error}; if it stands "
                    "for a missing value, declare it in missing_values"
                ) from error
        return column

    def take(self, rows: Sequence[int]) -> Sheet:
        """Return some of the rows."""
        chosen = [self.rows[i] for i in rows]
        return Sheet(self.path, self.header, chosen, [self.lines[i] for i in rows])

    def where(self, conditions: Mapping[str, str]) -> Sheet:
        """Return the rows whose columns hold these texts; raise when there is none."""
        kept = list(range(len(self.rows)))
        for name, value in conditions.items():
            position = self.position(name)
            kept = [i for i in kept if str(self.rows[i][position]).strip() == value]
            if not kept:
                found = sorted({str(row[position]).strip() for row in self.rows})[:20]
                raise CorruptDataError(
                    f"{self.path}: {unknown_name(f'value of {name}', value, found)}"
                )
        return self.take(kept)

    def filled(self, *names: str) -> tuple[Sheet, tuple[str, ...]]:
        """Return the rows in which no named column is empty, and a note of the others."""
        positions = [self.position(name) for name in names]
        kept = [
            i
            for i, row in enumerate(self.rows)
            if all(str(row[position]).strip() for position in positions)
        ]
        if len(kept) == len(self.rows):
            return self, ()
        n_empty = len(self.rows) - len(kept)
        listing = ", ".join(names)
        note = Note(
            f"{self.path.name}: left out {n_empty} of {len(self.rows)} rows without {listing}",
            "excluded",
        )
        return self.take(kept), (note,)

    def _names(self) -> list[str]:
        return [name for name in self.header if name]


def read_sheet(
    path: Path | str,
    *,
    sheet: str | None = None,
    delimiter: str | None = None,
    header: Sequence[str] = (),
    description_rows: int = 0,
    names_row: int | None = None,
    quotes: bool = True,
    columns: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
) -> Sheet:
    """Read a table whose first row is its header; blank rows are skipped.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv``, ``.txt`` (UTF-8 or UTF-16; any other name with a ``delimiter``),
        ``.xlsx``, ``.rda`` (R data frames), ``.npz`` (a matrix with the names of its rows and
        columns), ``.mat`` (MATLAB lists of one length) or ``.json`` (records).
    sheet : str, optional
        Sheet of an XLSX file, data frame of an RDA file. Default: the only one.
    delimiter : str, optional
        Between the cells of a text file; ``" "`` is any white space. Default: a comma in ``.csv``,
        else a tab.
    header : sequence of str
        Names of the columns of a text file that has no header.
    description_rows : int
        Rows under the header that are no data.
    names_row : int, optional
        Which of them (from 1) replaces the header, where it has a cell.
    quotes : bool
        Whether quotation marks may enclose the cells of a text file.
    columns : sequence of str
        Only these are kept. Default: all.
    where : dict of str to str, optional
        Only rows whose columns hold these texts are kept: a part of a large table in little memory.

    Raises
    ------
    DataMissingError, CorruptDataError
        The file is missing, broken or empty, or a row is longer or shorter than the header.
    """
    path = Path(path)
    kind = path.suffix.lower()
    cells: Iterable[list[Any]]
    if kind in BINARY:
        cells = BINARY[kind](path, sheet, [*columns, *(where or {})] if columns else ())
    elif kind in DELIMITERS or delimiter is not None:
        cells = text_rows(path, delimiter or DELIMITERS[kind], quotes)
    else:
        raise unknown_name("kind of table", path.name, [*DELIMITERS, *BINARY])
    # Rows are numbered as in the file, where the header is row 1.
    rows = ((i, row) for i, row in enumerate(cells, start=1) if any(cell != "" for cell in row))
    names = list(header) or [str(cell).strip() for cell in next(rows, (0, []))[1]]
    better = _described(path, rows, names, description_rows, names_row)
    kept = Sheet(path, better, [], [])
    positions = [kept.position(name) for name in columns] or list(range(len(better)))
    tests = {kept.position(name): value for name, value in (where or {}).items()}
    found: dict[int, set[str]] = {position: set() for position in tests}
    n_rows = 0
    for line, row in rows:
        _check_width(path, line, row, names)
        n_rows += 1
        texts = {position: str(row[position]).strip() for position in tests}
        if all(texts[position] == value for position, value in tests.items()):
            kept.rows.append([row[position] for position in positions])
            kept.lines.append(line)
        elif len(kept.rows) == 0:
            for position, text in texts.items():
                if len(found[position]) < 20:
                    found[position].add(text)
    if n_rows == 0:
        raise CorruptDataError(f"{path}: has no rows under its header")
    if not kept.rows:
        name, value = next(iter((where or {}).items()))
        choices = sorted(found[kept.position(name)])
        raise CorruptDataError(f"{path}: {unknown_name(f'value of {name}', value, choices)}")
    return Sheet(path, [better[position] for position in positions], kept.rows, kept.lines)


def _described(
    path: Path,
    rows: Iterable[tuple[int, list[Any]]],
    names: list[str],
    description_rows: int,
    names_row: int | None,
) -> list[str]:
    """Return the names of the columns; pass over the rows that describe them."""
    if names_row is not None and names_row > description_rows:
        raise ValueError(f"names_row {names_row} is beyond description_rows {description_rows}")
    better = names
    for number, (line, row) in zip(range(1, description_rows + 1), rows, strict=False):
        _check_width(path, line, row, names)
        if number == names_row:
            better = [str(name).strip() or old for name, old in zip(row, names, strict=True)]
    return better


def _check_width(path: Path, line: int, row: list[Any], names: list[str]) -> None:
    if len(row) != len(names):
        raise CorruptDataError(
            f"{path}, row {line}: {len(row)} cells under a header of {len(names)}; the file "
            "is cut off, or a cell holds the delimiter without quotes"
        )
