"""Readers: one module per file format; a card names its reader and gives the options.

A reader is a function ``(folder, subject, **options)`` that knows a layout of files and no data
set. It returns ``(Stimulus, Recording)``, either of which may be None, or `WordPairs` or
`BrainMaps` (see `brainlm.readers.kinds`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brainlm.readers.bids import BidsOptions, read_bids
from brainlm.readers.brain_maps import MapsOptions, read_maps
from brainlm.readers.files import ReaderOptions
from brainlm.readers.item_maps import ItemMapsOptions, read_item_maps
from brainlm.readers.meeg import MeegOptions, read_meeg
from brainlm.readers.passages import PassageOptions, read_passages
from brainlm.readers.patterns import PatternsOptions, read_patterns
from brainlm.readers.pickles import read_pickle
from brainlm.readers.stories import StoriesOptions, read_stories
from brainlm.readers.survey import survey_bids
from brainlm.readers.tables import TablesOptions, read_tables
from brainlm.readers.textgrid import read_textgrid
from brainlm.readers.timecourses import TimecourseOptions, read_timecourses
from brainlm.readers.word_pairs import WordPairsOptions, read_word_pairs
from brainlm.readers.word_responses import WordResponsesOptions, read_word_responses
from brainlm.readers.word_times import WordTimesOptions, read_word_times

__all__ = [
    "OPTIONS",
    "READERS",
    "read_bids",
    "read_item_maps",
    "read_maps",
    "read_meeg",
    "read_passages",
    "read_patterns",
    "read_pickle",
    "read_stories",
    "read_tables",
    "read_textgrid",
    "read_timecourses",
    "read_word_pairs",
    "read_word_responses",
    "read_word_times",
    "survey_bids",
]

READERS: dict[str, Callable[..., Any]] = {
    "bids": read_bids,
    "item-maps": read_item_maps,
    "maps": read_maps,
    "meeg": read_meeg,
    "pairs": read_word_pairs,
    "passages": read_passages,
    "patterns": read_patterns,
    "stories": read_stories,
    "tables": read_tables,
    "timecourses": read_timecourses,
    "word-responses": read_word_responses,
    "word-times": read_word_times,
}

OPTIONS: dict[str, type[ReaderOptions]] = {
    "bids": BidsOptions,
    "item-maps": ItemMapsOptions,
    "maps": MapsOptions,
    "meeg": MeegOptions,
    "pairs": WordPairsOptions,
    "passages": PassageOptions,
    "patterns": PatternsOptions,
    "stories": StoriesOptions,
    "tables": TablesOptions,
    "timecourses": TimecourseOptions,
    "word-responses": WordResponsesOptions,
    "word-times": WordTimesOptions,
}
