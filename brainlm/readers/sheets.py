"""One table from a CSV, TSV, TXT, XLSX, RDA or NPZ file: cells as they stand there, not guessed.

Guessing is what breaks norms: a general reader turns the words "nan" and "null" into missing
values and "true" into a truth value.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.downloads import check_content
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.readers.files import parse_number, read_text

__all__ = ["Sheet", "read_sheet"]

DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}


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
        note = f"{self.path.name}: left out {n_empty} of {len(self.rows)} rows without {listing}"
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
) -> Sheet:
    """Read a table whose first row is its header; blank rows are passed over.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv``, ``.txt`` (UTF-8 or UTF-16), ``.xlsx``, ``.rda`` (R data frames) or
        ``.npz`` (a matrix with the names of its rows and columns).
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

    Raises
    ------
    DataMissingError, CorruptDataError
        The file is missing, broken or empty, or a row is longer or shorter than the header.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind in _BINARY:
        cells = _BINARY[kind](path, sheet)
    elif kind in DELIMITERS:
        cells = _text_rows(path, delimiter or DELIMITERS[kind])
    else:
        raise unknown_name("kind of table", path.name, [*DELIMITERS, *_BINARY])
    cells = [list(header), *cells] if header else cells
    first = 0 if header else 1  # the line of the header
    numbered = [
        (i, row) for i, row in enumerate(cells, start=first) if any(cell != "" for cell in row)
    ]
    if len(numbered) < 2 + description_rows:
        raise CorruptDataError(f"{path}: has no rows under its header")
    names = [str(cell).strip() for cell in numbered[0][1]]
    for line, row in numbered:
        if len(row) != len(names):
            raise CorruptDataError(
                f"{path}, row {line}: {len(row)} cells under a header of {len(names)}; the file "
                "is cut off, or a cell holds the delimiter without quotes"
            )
    if names_row is not None:
        if names_row > description_rows:
            raise ValueError(f"names_row {names_row} is beyond description_rows {description_rows}")
        better = numbered[names_row][1]
        names = [str(name).strip() or old for name, old in zip(better, names, strict=True)]
    body = numbered[1 + description_rows :]
    return Sheet(path, names, [row for _, row in body], [line for line, _ in body])


def _text_rows(path: Path, delimiter: str) -> list[list[Any]]:
    text = read_text(path)
    if delimiter == " ":
        return [list(line.split()) for line in text.split("\n")]
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


def _rda_rows(path: Path, sheet: str | None) -> list[list[Any]]:
    try:
        import pyreadr
    except ImportError as error:
        raise ImportError(f"{path}: R data need pyreadr: pip install 'brainlm[r]'") from error
    try:
        frames = pyreadr.read_r(check_content(path))
    except (CorruptDataError, FileNotFoundError):
        raise
    except Exception as error:  # pyreadr has its own errors beside those of pandas
        raise CorruptDataError(
            f"{path}: not a readable R file ({error}); fetch it again"
        ) from error
    chosen = next(iter(frames)) if sheet is None and len(frames) == 1 else sheet
    if chosen not in frames:
        raise unknown_name(f"data frame of {path}", sheet, frames)
    frame = frames[chosen]
    columns = [_rda_column(frame[name].tolist()) for name in frame.columns]
    return [list(map(str, frame.columns)), *map(list, zip(*columns, strict=True))]


def _rda_column(cells: list[Any]) -> list[Any]:
    """Return cells with R's NA as empty ones; R keeps whole numbers as doubles, too."""
    filled = ["" if _is_missing(cell) else cell for cell in cells]
    floats = [cell for cell in filled if isinstance(cell, float)]
    if floats and all(cell.is_integer() for cell in floats):
        return [int(cell) if isinstance(cell, float) else cell for cell in filled]
    return filled


def _is_missing(cell: Any) -> bool:
    # pandas marks a missing text with None, NaN or its own NA (which is no number).
    return cell is None or type(cell).__name__ == "NAType" or cell != cell


def _npz_rows(path: Path, sheet: str | None) -> list[list[Any]]:
    try:
        with zipfile.ZipFile(check_content(path)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST_TABLE:
                raise ValueError(f"it unpacks to more than {LARGEST_TABLE} bytes")
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except (CorruptDataError, FileNotFoundError):
        raise
    except Exception as error:  # a broken archive can raise nearly anything
        raise CorruptDataError(f"{path}: not a readable NPZ file ({error})") from error
    matrices = [name for name, array in arrays.items() if array.ndim == 2]
    if len(matrices) != 1 or arrays[matrices[0]].dtype.kind not in "iuf":
        raise CorruptDataError(f"{path}: expected one matrix of numbers, found {matrices}")
    matrix = arrays[matrices[0]]
    names = {name: a.tolist() for name, a in arrays.items() if a.ndim == 1 and a.dtype.kind == "U"}
    rows = [name for name, labels in names.items() if len(labels) == len(matrix)]
    columns = [name for name, labels in names.items() if len(labels) == matrix.shape[1]]
    if len(rows) != 1 or len(columns) != 1 or rows == columns:
        shapes = {name: array.shape for name, array in arrays.items()}
        raise CorruptDataError(f"{path}: no names for each row and column of the matrix: {shapes}")
    header = [rows[0], *names[columns[0]]]
    return [header, *([n, *r] for n, r in zip(names[rows[0]], matrix.tolist(), strict=True))]


LARGEST_TABLE = 1 << 30  # bytes; a table that is read into memory whole
_BINARY = {".xlsx": _xlsx_rows, ".rda": _rda_rows, ".npz": _npz_rows}
