"""One table from a CSV, TSV or XLSX file: cells as they stand there, nothing guessed.

Guessing is what breaks norms: a general reader turns the words "nan" and "null" into missing
values and "true" into a truth value.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainlm.downloads import check_content
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.readers.files import read_text

__all__ = ["Sheet", "read_sheet"]

DELIMITERS = {".csv": ",", ".tsv": "\t"}


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
        """Return the number of the column; raise when it is not there exactly once."""
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
                    f"{self.path}, row {line}, column {name!r}: {cell!r} is no text"
                )
            texts.append(cell.strip())
        return texts

    def _names(self) -> list[str]:
        return [name for name in self.header if name]


def read_sheet(
    path: Path | str,
    *,
    sheet: str | None = None,
    description_rows: int = 0,
    names_row: int | None = None,
) -> Sheet:
    """Read a table whose first row is its header; blank rows are passed over.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv`` (UTF-8 or UTF-16) or ``.xlsx``.
    sheet : str, optional
        Sheet of an XLSX file. Default: the only one.
    description_rows : int
        Rows under the header that are no data.
    names_row : int, optional
        Which of them (from 1) replaces the header, where it has a cell.

    Raises
    ------
    DataMissingError, CorruptDataError
        The file is missing, broken or empty, or a row is longer or shorter than the header.
    """
    path = Path(path)
    if path.suffix.lower() == ".xlsx":
        cells = _xlsx_rows(path, sheet)
    elif path.suffix.lower() in DELIMITERS:
        cells = _text_rows(path, DELIMITERS[path.suffix.lower()])
    else:
        raise unknown_name("kind of table", path.name, [*DELIMITERS, ".xlsx"])
    numbered = [(i, row) for i, row in enumerate(cells, start=1) if any(cell != "" for cell in row)]
    if len(numbered) < 2 + description_rows:
        raise CorruptDataError(f"{path}: has no rows under its header")
    header = [str(cell).strip() for cell in numbered[0][1]]
    for line, row in numbered:
        if len(row) != len(header):
            raise CorruptDataError(
                f"{path}, row {line}: {len(row)} cells under a header of {len(header)}; the file "
                "is cut off, or a cell holds the delimiter without quotes"
            )
    if names_row is not None:
        if names_row > description_rows:
            raise ValueError(f"names_row {names_row} is beyond description_rows {description_rows}")
        names = numbered[names_row][1]
        header = [str(name).strip() or old for name, old in zip(names, header, strict=True)]
    body = numbered[1 + description_rows :]
    return Sheet(path, header, [row for _, row in body], [line for line, _ in body])


def _text_rows(path: Path, delimiter: str) -> list[list[Any]]:
    text = read_text(path)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise CorruptDataError(f"{path}: not a table in text format ({error})") from error


def _xlsx_rows(path: Path, sheet: str | None) -> list[list[Any]]:
    from openpyxl import load_workbook

    try:
        with open(check_content(path), "rb") as file:
            book = load_workbook(file, read_only=True, data_only=True)
            names = list(book.sheetnames)
            chosen = names[0] if sheet is None and len(names) == 1 else sheet
            rows = None
            if chosen in names:
                rows = _rectangle(book[chosen].iter_rows(values_only=True))
            book.close()
    except (CorruptDataError, FileNotFoundError):
        raise
    except Exception as error:  # a broken archive or broken XML can raise nearly anything
        raise CorruptDataError(
            f"{path}: not a readable XLSX file ({type(error).__name__}: {error}); fetch it again"
        ) from error
    if rows is None:
        raise unknown_name(f"sheet of {path}", sheet, names)
    return rows


def _rectangle(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Return rows of one length: XLSX leaves out trailing empty cells."""
    filled = [["" if cell is None else cell for cell in row] for row in rows]
    width = max((len(row) for row in filled), default=0)
    return [row + [""] * (width - len(row)) for row in filled]
