"""Responses to the words of Chinese sentences that were cut into words in several ways.

Chinese is written without spaces, so that a sentence has several segmentations. In these files each
of them has its own responses. Every segmentation becomes a sentence of the stimulus; the words
that do not count stay in it as context.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError
from brainlm.io.files import Names, ReaderOptions, naming, parse_number, read_json


class SegmentedOptions(ReaderOptions):
    """Options of `read_segmented`.

    Attributes
    ----------
    path : str
        JSON file: an object of sentences, each with ``content`` (the sentence), ``all_split`` (its
        segmentations, lists of words) and ``split_features`` (for each segmentation, by its number,
        the measures of each word).
    columns : sequence of str
        Measures that become targets.
    edge : int
        Words that reach into the first or last so many characters do not count.
    full_stop : str
        Mark that is not counted among the last characters.
    least : int
        Words that must count for a segmentation to be used.
    wanted : int, optional
        Stop after the sentence with which so many words are reached. Default: all sentences.
    language, unit : str
        As in `brainlm.Stimulus` and `brainlm.Recording`.
    """

    path: str
    columns: Annotated[Names, Field(min_length=1)]
    edge: Annotated[int, Field(ge=0)] = 3
    full_stop: str = "。"
    least: Annotated[int, Field(ge=1)] = 3
    wanted: Annotated[int, Field(ge=1)] | None = None
    language: str
    unit: str

    @property
    def finds_subjects(self) -> bool:
        """Measures are means over readers."""
        return False

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the file."""
        return (self.path,)


def counting_words(words: list[str], edge: int = 3, full_stop: str = "。") -> np.ndarray:
    """Return which words do not reach into the first or last characters, bool, (n_words,).

    From either end words are passed over until they have ``edge`` characters together; at the end
    ``full_stop`` is passed over, too, and does not count among them.

    Examples
    --------
    >>> counting_words(["我们", "昨天", "去", "看", "电影", "了", "。"]).tolist()
    [False, False, True, True, False, False, False]
    """
    counts = np.ones(len(words), dtype=bool)
    for order in (range(len(words)), range(len(words) - 1, -1, -1)):
        passed = 0
        for i in order:
            if passed >= edge:
                break
            counts[i] = False
            from_end = order.step < 0
            passed += 0 if from_end and words[i] == full_stop else len(words[i])
    return counts


def place_words(sentence: str, words: list[str]) -> list[tuple[int, int] | None]:
    """Return (start, stop) of each word in its sentence, searched after the word before it.

    White space in a word does not count. None stands for a word that is not there.
    """
    places: list[tuple[int, int] | None] = []
    after = 0
    for word in words:
        letters = re.sub(r"\s+", "", word)
        start = sentence.find(letters, after) if letters else -1
        places.append(None if start < 0 else (start, start + len(letters)))
        after = after if start < 0 else start + len(letters)
    return places


@dataclass
class _Found:
    """What is read, and what is counted on the way."""

    words: list[tuple[str, str, str, bool]]  # word, sentence, item, whether it counts
    values: list[list[float]]
    items: list[str]
    lost: int = 0  # words that are not in their sentence
    short: int = 0  # segmentations with too few words
    empty: int = 0  # segmentations with a measure that is 0 throughout


def read_segmented(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read sentences in all their segmentations, and the measures of the words that count.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str, optional
        Not used: measures are means over readers.
    **options
        See `SegmentedOptions`.

    Returns
    -------
    stimulus : Stimulus
        Each segmentation is a text and sentence, "key/number"; together its words spell the
        sentence, whatever stands between them included. Words without a response are context only.
    recording : Recording
        Shape (n_words, n_measures). Notes count what was left out, and the words whose measures are
        all 0: where a word is missing from the table of measures, these files have zeros.

    Raises
    ------
    DataMissingError, CorruptDataError
        The file is missing or broken, a segmentation has no measures or more or fewer than words,
        or a measure is no number.

    Notes
    -----
    A segmentation is used where at least ``least`` words count and no measure sums to 0 over them.
    """
    given = SegmentedOptions.of(options)
    path = Path(folder) / given.path
    found = _Found([], [], [])
    for key, entry in _entries(path):
        _read_sentence(path, key, entry, given, found)
        if given.wanted is not None and len(found.items) >= given.wanted:
            break
    if not found.items:
        raise CorruptDataError(f"{path}: no word counts in any segmentation")
    words, sentences, items, counts = zip(*found.words, strict=True)
    with naming(path):
        stimulus = Stimulus(
            words,
            given.language,
            sentence=sentences,
            text=sentences,
            item=items,
            context_only=~np.array(counts),
        )
        recording = Recording(
            np.array(found.values),
            targets=list(given.columns),
            modality="eye-tracking",
            unit=given.unit,
            items=found.items,
            notes=_notes(found),
        )
    return stimulus, recording


def _entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise CorruptDataError(f"{path}: is no object of sentences but {type(content).__name__}")
    for key, entry in content.items():
        lacking = [name for name in ("content", "all_split", "split_features") if name not in entry]
        if lacking:
            raise CorruptDataError(f"{path}, sentence {key!r}: has no {lacking[0]!r}")
        yield str(key), entry


def _read_sentence(
    path: Path, key: str, entry: dict[str, Any], given: SegmentedOptions, found: _Found
) -> None:
    sentence, features = str(entry["content"]), entry["split_features"]
    for n, words in enumerate(entry["all_split"]):
        where = f"{path}, sentence {key!r}, segmentation {n}"
        measures = _measures(where, features, n, len(words), given.columns)
        places = place_words(sentence, words)
        counts = counting_words(words, given.edge, given.full_stop)
        counts &= np.array([place is not None for place in places])
        if counts.sum() < given.least:
            found.short += 1
            continue
        if (measures[counts].sum(axis=0) == 0).any():
            found.empty += 1
            continue
        found.lost += places.count(None)
        _keep(sentence, f"{key}/{n}", places, counts, found)
        found.values += measures[counts].tolist()


def _measures(
    where: str, features: Any, n: int, n_words: int, columns: tuple[str, ...]
) -> np.ndarray:
    """Measures of the words of one segmentation, (n_words, n_measures)."""
    try:
        rows = features[str(n)] if isinstance(features, dict) else features[n]
    except (KeyError, IndexError) as error:
        raise CorruptDataError(f"{where}: has no measures in split_features") from error
    if len(rows) != n_words:
        raise CorruptDataError(f"{where}: {len(rows)} rows of measures for {n_words} words")
    try:
        return np.array([[parse_number(row[name]) for name in columns] for row in rows])
    except (KeyError, ValueError) as error:
        raise CorruptDataError(f"{where}: a measure is missing or no number ({error})") from error


def _keep(
    sentence: str,
    label: str,
    places: list[tuple[int, int] | None],
    counts: np.ndarray,
    found: _Found,
) -> None:
    """Add the words of a segmentation, and what stands between them as context."""
    pieces: list[tuple[str, bool]] = []
    after = 0
    for place, count in zip(places, counts, strict=True):
        if place is None:
            continue
        pieces += [(gap, False) for gap in sentence[after : place[0]].split()]
        pieces.append((sentence[place[0] : place[1]], bool(count)))
        after = place[1]
    pieces += [(gap, False) for gap in sentence[after:].split()]
    for i, (word, count) in enumerate(pieces):
        item = f"{label}/{i}"
        found.words.append((word, label, item, count))
        if count:
            found.items.append(item)


def _notes(found: _Found) -> tuple[Note, ...]:
    zero = int((np.array(found.values) == 0).all(axis=1).sum())
    counted = {
        f"{found.short} segmentations have too few words that count": found.short,
        f"{found.empty} segmentations have a measure that is 0 throughout": found.empty,
        f"{found.lost} words are not in their sentence": found.lost,
        f"{zero} of {len(found.items)} words are 0 in every measure, as the files write words that "
        "were not measured": zero,
    }
    return tuple(Note(text, "coverage") for text, n in counted.items() if n)
