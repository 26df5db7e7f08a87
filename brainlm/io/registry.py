"""Registry of readers: the function, the options and the required facts of each file format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from brainlm.io.bids import BidsOptions, read_bids
from brainlm.io.epoch_files import EpochFilesOptions, read_epoch_files
from brainlm.io.files import ReaderOptions
from brainlm.io.fixations import FixationsOptions, read_fixations
from brainlm.io.item_maps import ItemMapsOptions, read_item_maps
from brainlm.io.map_files import MapsOptions, read_maps
from brainlm.io.meeg import read_meeg
from brainlm.io.meeg_options import MeegOptions
from brainlm.io.patterns import PatternsOptions, read_patterns
from brainlm.io.rated_pairs import WordPairsOptions, read_word_pairs
from brainlm.io.ratings import TablesOptions, read_tables
from brainlm.io.region_rows import RegionRowsOptions, read_region_rows
from brainlm.io.segmented_sentences import SegmentedOptions, read_segmented
from brainlm.io.sentence_patterns import PassageOptions, read_passages
from brainlm.io.story_files import read_stories
from brainlm.io.story_options import StoriesOptions
from brainlm.io.story_patterns import StoryPatternsOptions, read_story_patterns
from brainlm.io.timecourses import TimecourseOptions, read_timecourses
from brainlm.io.word_response_options import WordResponsesOptions
from brainlm.io.word_responses import read_word_responses
from brainlm.io.word_times import WordTimesOptions, read_word_times


@dataclass(frozen=True)
class Reader:
    """A file format that cards can name.

    Attributes
    ----------
    function : callable
        ``(folder, subject, **options) -> (Stimulus, Recording)``, either of which may be None, or
        `WordPairs`, or `BrainMaps`.
    options : type
        Pydantic model of the options that a card may set.
    kind : {"responses", "words", "pairs", "maps"}
        Type of the content: words with responses (either may be missing), words alone, pairs of
        words with their similarity, or brain maps.
    facts : tuple of str
        Facts that a card must state.
    """

    function: Callable[..., Any]
    options: type[ReaderOptions]
    kind: str = "responses"
    facts: tuple[str, ...] = ("n_samples", "n_targets", "unit")


READERS: dict[str, Reader] = {
    "bids": Reader(read_bids, BidsOptions),
    "epoch-files": Reader(read_epoch_files, EpochFilesOptions),
    "fixations": Reader(read_fixations, FixationsOptions),
    "item-maps": Reader(read_item_maps, ItemMapsOptions),
    "maps": Reader(read_maps, MapsOptions, "maps", ("n_maps", "n_voxels", "unit")),
    "meeg": Reader(read_meeg, MeegOptions),
    "pairs": Reader(read_word_pairs, WordPairsOptions, "pairs", ("n_pairs", "unit")),
    "passages": Reader(read_passages, PassageOptions),
    "patterns": Reader(read_patterns, PatternsOptions),
    "region-rows": Reader(read_region_rows, RegionRowsOptions),
    "segmented": Reader(read_segmented, SegmentedOptions),
    "stories": Reader(read_stories, StoriesOptions),
    "story-patterns": Reader(read_story_patterns, StoryPatternsOptions),
    "tables": Reader(read_tables, TablesOptions),
    "timecourses": Reader(read_timecourses, TimecourseOptions),
    "word-responses": Reader(read_word_responses, WordResponsesOptions),
    "word-times": Reader(read_word_times, WordTimesOptions, "words", ("n_words", "n_runs")),
}
