"""Praat TextGrids: words with their times.

The reader follows Praat's own rule: outside of quoted strings only free-standing numbers, strings
and flags count, so the long and the short format are one. Every count in the file is checked: a
truncated file is an error, not a shorter story.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.io.files import naming, parse_number, read_text

TOKEN = re.compile(r'"(?:[^"]|"")*"|[^\s"]+')
SILENCES = ("sp", "sil")


@dataclass(frozen=True)
class TimedLabel:
    """A labelled stretch of time, in seconds."""

    start: float
    end: float
    label: str


def read_textgrid(
    path: Path | str,
    language: str,
    *,
    tier: str | None = None,
    skip: Iterable[str] = SILENCES,
    run: str = "1",
) -> Stimulus:
    """Read the words of one interval tier of a TextGrid.

    Parameters
    ----------
    path : path
        Long or short text format, UTF-8 or UTF-16.
    language : str
        Language code of the words.
    tier : str, optional
        Name of the tier with the words. Default: the only interval tier.
    skip : iterable of str
        Labels that are not words (silences, noises). Intervals without a label never are.
    run : str
        Name of the run the words belong to.

    Returns
    -------
    Stimulus
        Onset and duration in seconds on the clock of the TextGrid; one run, one text.

    Raises
    ------
    DataMissingError, CorruptDataError
        The file is missing, is not a TextGrid, is cut off, or its intervals overlap.
    UnknownNameError
        There is no such tier.
    """
    path = Path(path)
    skipped = {"", *skip}
    intervals = [entry for entry in read_intervals(path, tier) if entry.label not in skipped]
    with naming(path):
        return Stimulus(
            [entry.label for entry in intervals],
            language,
            onset=[entry.start for entry in intervals],
            duration=[entry.end - entry.start for entry in intervals],
            run=[run] * len(intervals),
        )


def read_intervals(path: Path | str, tier: str | None = None) -> list[TimedLabel]:
    """Return the intervals of one tier, empty ones included; labels without outer spaces.

    Raises as `read_textgrid` does.
    """
    path = Path(path)
    tokens = _Tokens(path, read_text(path))
    tokens.expect("ooTextFile", "TextGrid")
    tokens.number()
    tokens.number()
    tiers: dict[str, list[TimedLabel]] = {}
    twice = set()
    for _ in range(tokens.count()):
        kind, name = tokens.string(), tokens.string()
        if kind not in ("IntervalTier", "TextTier"):
            raise CorruptDataError(f"{path}: a tier of class {kind!r} is unknown")
        intervals = _read_tier(tokens, is_interval=kind == "IntervalTier")
        if kind == "IntervalTier":
            twice |= {name} & set(tiers)
            tiers[name] = intervals
    tokens.end()
    if twice and (tier is None or tier in twice):
        raise CorruptDataError(
            f"{path}: two interval tiers are called {min(twice)!r}: rename one of them"
        )
    if tier is None and len(tiers) != 1:
        raise ValueError(f"{path}: name the tier with the words; interval tiers: {list(tiers)}")
    name = next(iter(tiers)) if tier is None else tier
    if name not in tiers:
        raise unknown_name(f"tier of {path}", name, tiers)
    return tiers[name]


def _read_tier(tokens: _Tokens, is_interval: bool) -> list[TimedLabel]:
    tokens.number()
    tokens.number()
    entries = []
    for _ in range(tokens.count()):
        start = tokens.number()
        end = tokens.number() if is_interval else start
        entries.append(TimedLabel(start, end, tokens.string().strip()))
    return entries


class _Tokens:
    """The free-standing strings and numbers of a Praat text file, one after the other."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.tokens = iter(TOKEN.findall(text))

    def _next(self, wanted: str) -> str | float:
        for token in self.tokens:
            if token.startswith('"'):
                return token[1:-1].replace('""', '"')
            try:
                return parse_number(token)
            except ValueError:
                continue  # words such as xmin or intervals [3]: are comments to Praat
        raise CorruptDataError(
            f"{self.path}: ends where {wanted} should follow; it is cut off or is not a TextGrid"
        )

    def number(self) -> float:
        value = self._next("a number")
        if isinstance(value, str):
            raise CorruptDataError(f"{self.path}: {value!r} found where a number should be")
        return value

    def string(self) -> str:
        value = self._next("a string")
        if not isinstance(value, str):
            raise CorruptDataError(f"{self.path}: {value} found where a string should be")
        return value

    def count(self) -> int:
        value = self.number()
        if value < 0 or not value.is_integer():
            raise CorruptDataError(f"{self.path}: {value} found where a count should be")
        return int(value)

    def end(self) -> None:
        """Raise if anything follows: a count in the file is too small."""
        try:
            left = self._next("")
        except CorruptDataError:
            return
        raise CorruptDataError(
            f"{self.path}: {left!r} follows after the last interval that its counts announce: a "
            "count is wrong, or two files were joined"
        )

    def expect(self, *strings: str) -> None:
        for wanted in strings:
            found = self.string()
            if found.removesuffix(" short") != wanted:
                raise CorruptDataError(
                    f"{self.path}: not a TextGrid in text format (found {found!r}, not {wanted!r})"
                )
