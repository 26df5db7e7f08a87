"""What each reader gives, and which facts a card must state about it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["KINDS", "Kind"]


class Kind(NamedTuple):
    """What a reader gives.

    Attributes
    ----------
    name : {"responses", "words", "pairs", "maps"}
        Words with what was recorded (either may be lacking), pairs of words with their similarity,
        or brain maps.
    facts : sequence of str
        Facts that a card must state.
    """

    name: str
    facts: tuple[str, ...]


RESPONSES = Kind("responses", ("n_samples", "n_targets", "unit"))

KINDS: dict[str, Kind] = {
    "bids": RESPONSES,
    "item-maps": RESPONSES,
    "maps": Kind("maps", ("n_maps", "n_voxels", "unit")),
    "meeg": RESPONSES,
    "pairs": Kind("pairs", ("n_pairs", "unit")),
    "passages": RESPONSES,
    "patterns": RESPONSES,
    "stories": RESPONSES,
    "tables": RESPONSES,
    "timecourses": RESPONSES,
    "word-responses": RESPONSES,
    "word-times": Kind("words", ("n_words", "n_runs")),
}
