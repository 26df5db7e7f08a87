"""Events of MEG and EEG runs: words in ``_events.tsv``, or the onset of the sound."""

from __future__ import annotations

import ast
import re
import wave
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.io.files import Names, ReaderOptions
from brainlm.io.run_files import RunFile, inherited
from brainlm.io.sheets import Sheet, read_sheet
from brainlm.storage.downloads import check_content


class EventsOptions(ReaderOptions):
    """Choice of the events that are words, or of the one that starts the sound.

    Attributes
    ----------
    file : str, optional
        Path of the table, with the names of ``pattern`` in it. Default: the ``_events.tsv`` that
        applies to the recording.
    fields : str, optional
        Column whose cells hold fields of their own, written as a Python or JSON dict; they count as
        columns. Read as literals: nothing in them is run.
    word : str, optional
        Column with the words.
    where : dict of str to str
        Column -> the value that the rows of words have; ``*`` stands for anything.
    quoted : bool
        Whether to remove one pair of quotation marks around each word. By default a quotation mark
        is a character of the word, because BIDS tables have no quoting.
    skip : sequence of str
        Entries that are not words.
    clock : {"file", "acquisition"}
        Whether onsets count from the first sample of the file, as BIDS wants it, or from the start
        of the acquisition (mne's ``first_samp``), which is then subtracted (noted).
    start, end : dict of str to str
        Column -> value of the event at which the sound began and ended.
    delay : float
        Seconds from the start to the sound in the ear (noted).
    without_start : sequence of str
        ``"subject/run"`` that lack the start: it is then the end minus the length of the sound (a
        declared repair, noted). Any other run without it is refused.
    sound : str, optional
        WAV file of a run, for its length.
    """

    file: str | None = None
    fields: str | None = None
    word: str | None = None
    where: dict[str, str] = Field(default_factory=dict)
    quoted: bool = False
    skip: Names = ()
    clock: Literal["file", "acquisition"] = "file"
    start: dict[str, str] = Field(default_factory=dict)
    end: dict[str, str] = Field(default_factory=dict)
    delay: float = 0.0
    without_start: Names = ()
    sound: str | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> EventsOptions:
        if (self.word is None) == (not self.start):
            raise ValueError("give either word (a column) or start (the event of the sound)")
        if self.without_start and not (self.end and self.sound):
            raise ValueError("without_start needs end and sound, from which the start is found")
        return self


@dataclass(frozen=True)
class Events:
    """The table of events of a run.

    Attributes
    ----------
    sheet : Sheet
    given : EventsOptions
    early : float
        Seconds that are subtracted from its onsets.
    """

    sheet: Sheet
    given: EventsOptions
    early: float

    def onsets(self, where: dict[str, str]) -> tuple[Sheet, np.ndarray]:
        """Return the rows that match, and their onsets on the clock of the file."""
        rows = self.sheet
        for name, pattern in where.items():
            position = rows.position(name)
            cells = [str(row[position]).strip() for row in rows.rows]
            rows = rows.take([i for i, cell in enumerate(cells) if fnmatchcase(cell, pattern)])
        return rows, rows.numbers("onset") - self.early

    def words(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Return words, onsets and durations."""
        rows, onsets = self.onsets(self.given.where)
        position = rows.position(str(self.given.word))
        texts = [str(row[position]).strip() for row in rows.rows]
        if self.given.quoted:
            texts = [re.sub(r'^"(.*)"$', r"\1", text) for text in texts]
        left = {"", "n/a", *self.given.skip}
        kept = [i for i, text in enumerate(texts) if text not in left]
        if not kept:
            raise CorruptDataError(f"{self.sheet.path}: has no words where {self.given.where}")
        durations = rows.numbers("duration")
        return [texts[i] for i in kept], onsets[kept], durations[kept]


def read_events(given: EventsOptions, run: RunFile, first: float) -> Events:
    """Read the events of a run.

    Parameters
    ----------
    given : EventsOptions
    run : RunFile
    first : float
        Seconds from the start of the acquisition to the first sample of the file.

    Raises
    ------
    DataMissingError, CorruptDataError
        There are no events, or their table or a cell of it is broken.
    """
    if given.file is not None:
        table: Path | None = run.file(given.file)
    else:
        table = inherited(run.folder, run.path, "events.tsv")
    if table is None:
        raise DataMissingError(f"{run.path}: no _events.tsv applies to it, beside it or above")
    sheet = read_sheet(table, quotes=False)
    if given.fields is not None:
        sheet = _with_fields(sheet, given.fields)
    return Events(sheet, given, first if given.clock == "acquisition" else 0.0)


def _with_fields(sheet: Sheet, column: str) -> Sheet:
    """Return the table with the fields of a column as columns; a row may lack some."""
    position = sheet.position(column)
    fields = []
    for line, row in zip(sheet.lines, sheet.rows, strict=True):
        try:
            entry = ast.literal_eval(str(row[position]))
            if not isinstance(entry, dict):
                raise TypeError("no dict")
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
            raise CorruptDataError(
                f"{sheet.path}, row {line}, column {column!r}: no fields in "
                f"{str(row[position])[:80]!r} ({error})"
            ) from error
        fields.append({str(name): value for name, value in entry.items()})
    names = dict.fromkeys(name for entry in fields for name in entry)
    new = [name for name in names if name not in sheet.header]
    rows = [
        [*row, *(str(entry.get(name, "")) for name in new)]
        for row, entry in zip(sheet.rows, fields, strict=True)
    ]
    return Sheet(sheet.path, [*sheet.header, *new], rows, sheet.lines)


def read_start(events: Events, run: RunFile) -> tuple[float, list[str]]:
    """Return when the sound began, in seconds from the first sample of the file, and notes.

    Raises
    ------
    CorruptDataError
        There is no start, or more than one, and no declared repair.
    """
    given = events.given
    notes = []
    if given.clock == "acquisition":
        notes.append("onsets count from the start of the acquisition: first_samp was taken off")
    if given.delay:
        notes.append(f"words are {1000 * given.delay:g} ms later than their trigger")
    path = events.sheet.path
    _, starts = events.onsets(given.start)
    if run.label in given.without_start:
        if len(starts):
            raise CorruptDataError(
                f"{path}: has a start of the sound; the options say that {run.label} lacks it: "
                "remove it from without_start"
            )
        _, ends = events.onsets(given.end)
        if len(ends) != 1:
            raise CorruptDataError(
                f"{path}: {len(ends)} ends of the sound ({given.end}), expected 1"
            )
        length = _length(run.file(str(given.sound)))
        notes.append(f"{run.label} lacks the start of the sound: its end minus {length:.3f} s")
        return float(ends[0]) - length + given.delay, notes
    if len(starts) != 1:
        raise CorruptDataError(
            f"{path}: {len(starts)} starts of the sound ({given.start}), expected 1: leave the run "
            "out (runs), or declare it in without_start"
        )
    return float(starts[0]) + given.delay, notes


def _length(path: Path) -> float:
    """Return the seconds of a WAV file."""
    try:
        with wave.open(str(check_content(path))) as sound:
            return sound.getnframes() / sound.getframerate()
    except (wave.Error, EOFError, ZeroDivisionError) as error:
        raise CorruptDataError(f"{path}: not a readable WAV file ({error})") from error
