"""Readers: one module per file format; a card names its reader and gives the options.

A reader is a function ``(folder, subject, **options) -> (Stimulus, Recording)``; it knows a
layout of files and no data set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brainlm.readers.files import ReaderOptions
from brainlm.readers.passages import PassageOptions, read_passages
from brainlm.readers.pickles import read_pickle
from brainlm.readers.tables import TablesOptions, read_tables
from brainlm.readers.textgrid import read_textgrid
from brainlm.readers.timecourses import TimecourseOptions, read_timecourses

__all__ = [
    "OPTIONS",
    "READERS",
    "read_passages",
    "read_pickle",
    "read_tables",
    "read_textgrid",
    "read_timecourses",
]

READERS: dict[str, Callable[..., Any]] = {
    "passages": read_passages,
    "tables": read_tables,
    "timecourses": read_timecourses,
}

OPTIONS: dict[str, type[ReaderOptions]] = {
    "passages": PassageOptions,
    "tables": TablesOptions,
    "timecourses": TimecourseOptions,
}
