"""Rows of cells from files: text, XLSX, R data frames, NPZ, MATLAB and JSON."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlm._validation import is_missing
from brainlm.compute.memory import check_unpacked
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.io.files import read_json, read_text
from brainlm.storage.downloads import check_content

DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
LARGEST_TABLE = 1 << 30  # bytes; a table that is read into memory whole
LARGEST_TEXT = 1 << 26  # bytes; larger text is read line by line
MOST_EMPTY = 20  # cells of a sheet for each that holds a value


def text_rows(path: Path, delimiter: str, quotes: bool) -> Iterator[list[Any]]:
    """Yield the rows of a text file; without ``quotes`` a quotation mark is a character."""
    if check_content(path).stat().st_size <= LARGEST_TEXT:
        yield from _parsed(path, io.StringIO(read_text(path), newline=""), delimiter, quotes)
        return
    with open(path, "rb") as file:
        encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    with open(path, encoding=encoding) as lines:
        yield from _parsed(path, lines, delimiter, quotes)


def _parsed(path: Path, lines: Iterable[str], delimiter: str, quotes: bool) -> Iterator[list[Any]]:
    quoting: Any = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    try:
        if delimiter == " ":
            yield from (line.split() for line in lines)
        else:
            yield from csv.reader(lines, delimiter=delimiter, strict=True, quoting=quoting)
    except csv.Error as error:
        raise CorruptDataError(f"{path}: not a table in text format ({error})") from error
    except UnicodeDecodeError as error:
        raise CorruptDataError(f"{path}: no UTF-8 or marked UTF-16 text ({error})") from error


def _xlsx_rows(path: Path, sheet: str | None, columns: Sequence[str]) -> list[list[Any]]:
    from openpyxl import load_workbook

    try:
        with open(check_content(path), "rb") as file:
            book = load_workbook(file, read_only=True, data_only=True)
            names = list(book.sheetnames)
            chosen = names[0] if sheet is None and len(names) == 1 else sheet
            rows = None
            if chosen in names:
                book[chosen].reset_dimensions()  # or every row is padded to what the file declares
                rows = _rectangle(book[chosen].iter_rows(values_only=True), path)
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


def _rectangle(rows: Iterable[tuple[Any, ...]], path: Path) -> list[list[Any]]:
    """Return rows of one length: XLSX leaves out trailing empty cells.

    A single cell far away declares a rectangle of billions of cells: that is refused.
    """
    filled, n_values, last = [], 0, 0
    for row in rows:
        cells = ["" if cell is None else cell for cell in row]
        while cells and cells[-1] == "":
            cells.pop()
        n_values += sum(cell != "" for cell in cells)
        filled.append(cells)
        last = len(filled) if cells else last
    del filled[last:]
    width = max((len(row) for row in filled), default=0)
    if len(filled) * width > MOST_EMPTY * n_values + 1_000_000:
        raise CorruptDataError(
            f"{path}: {len(filled)} rows x {width} columns hold {n_values} values only: delete the "
            "cells far outside of the table"
        )
    return [row + [""] * (width - len(row)) for row in filled]


def _rda_rows(path: Path, sheet: str | None, columns: Sequence[str]) -> list[list[Any]]:
    try:
        import pyreadr
    except ImportError as error:
        raise ImportError(f"{path}: R data need pyreadr: pip install 'brainlm[r]'") from error
    try:
        path = check_content(path)
        check_unpacked(path, path.stat().st_size, _unpacked(path))
        frames = pyreadr.read_r(path)
    except (CorruptDataError, FileNotFoundError, MemoryError):
        raise
    except Exception as error:  # pyreadr has its own errors beside those of pandas
        raise CorruptDataError(
            f"{path}: not a readable R file ({error}); fetch it again"
        ) from error
    chosen = next(iter(frames)) if sheet is None and len(frames) == 1 else sheet
    if chosen not in frames:
        raise unknown_name(f"data frame of {path}", sheet, frames)
    frame = frames[chosen]
    # Only the columns that are needed: as Python objects they take ten times their size.
    names = [name for name in frame.columns if not columns or str(name) in columns]
    cells = [_rda_column(frame[name].tolist()) for name in names]
    return [list(map(str, names)), *map(list, zip(*cells, strict=True))]


def _unpacked(path: Path) -> Iterator[bytes]:
    """The content of a file in pieces, unpacked if it is packed in one of R's ways."""
    with open(path, "rb") as file:
        start = file.read(6)
    unpack: Any = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}.get(
        start[:2], open
    )
    with unpack(path, "rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def _rda_column(cells: list[Any]) -> list[Any]:
    """Return cells with R's NA as empty ones; R keeps whole numbers as doubles, too."""
    filled = ["" if is_missing(cell) else cell for cell in cells]
    floats = [cell for cell in filled if isinstance(cell, float)]
    if floats and all(cell.is_integer() for cell in floats):
        return [int(cell) if isinstance(cell, float) else cell for cell in filled]
    return filled


def _npz_rows(path: Path, sheet: str | None, columns: Sequence[str]) -> list[list[Any]]:
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


def _mat_rows(path: Path, sheet: str | None, columns: Sequence[str]) -> list[list[Any]]:
    """Return the variables that are lists of one length, side by side."""
    from brainlm.io.matlab import read_mat

    lists = {
        name: value if isinstance(value, list) else np.atleast_1d(value).tolist()
        for name, value in read_mat(path).items()
        if isinstance(value, list) or np.ndim(value) == 1
    }
    if columns:  # the others may have any length
        lists = {name: value for name, value in lists.items() if name in columns}
    lengths = {name: len(column) for name, column in lists.items()}
    if len(set(lengths.values())) != 1:
        raise CorruptDataError(f"{path}: no table: its variables have lengths {lengths}")
    return [list(lists), *map(list, zip(*lists.values(), strict=True))]


def _json_rows(path: Path, sheet: str | None, columns: Sequence[str]) -> list[list[Any]]:
    """Return records as rows: a list of them, or a dict of them, whose keys become "key".

    Lists inside a record (of one length) are rows of their own, numbered from 1 in "n".
    """
    content = read_json(path)
    if isinstance(content, dict):
        content = [
            {"key": key, **(entry if isinstance(entry, dict) else {"value": entry})}
            for key, entry in content.items()
        ]
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise CorruptDataError(f"{path}: no list or dict of records")
    records = [row for entry in content for row in _unfolded(entry, path)]
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = [[_json_cell(record.get(name)) for name in names] for record in records]
    return [names, *rows]


def _unfolded(entry: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    lists = {name: value for name, value in entry.items() if isinstance(value, list)}
    if not lists:
        return [entry]
    lengths = {name: len(value) for name, value in lists.items()}
    if len(set(lengths.values())) != 1:
        raise CorruptDataError(f"{path}: lists of a record have lengths {lengths}")
    return [
        {**entry, **{name: value[i] for name, value in lists.items()}, "n": i + 1}
        for i in range(next(iter(lengths.values())))
    ]


def _json_cell(value: Any) -> Any:
    return "" if value is None or value != value else value


BINARY = {
    ".xlsx": _xlsx_rows,
    ".rda": _rda_rows,
    ".npz": _npz_rows,
    ".mat": _mat_rows,
    ".json": _json_rows,
}
