"""Words of a story in files of their own: text, times of word ends, and which words were heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import model_validator

from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError
from brainlm.io.files import ReaderOptions, naming, read_text
from brainlm.io.matlab import find, read_mat


class StoryWordsOptions(ReaderOptions):
    """Files of the words of a story; all paths have ``{story}`` in them.

    Attributes
    ----------
    text : str
        Text file with the words separated by white space; each line is a sentence.
    heard, heard_key : str, optional
        MATLAB file and variable that is 1 for each word of the text that was heard, and anything
        else for the others, such as punctuation marks: these are context only.
    ends, ends_key : str, optional
        MATLAB file and variable with the end of each word of the text in seconds. Where words begin
        is not in the files, so that every word has a duration of 0.
    """

    text: str
    heard: str | None = None
    heard_key: str = "isvalid"
    ends: str | None = None
    ends_key: str = "end"

    @model_validator(mode="after")
    def _names_stories(self) -> StoryWordsOptions:
        for name in ("text", "heard", "ends"):
            path = getattr(self, name)
            if path is not None and "{story}" not in path:
                raise ValueError(f"{name} must have {{story}} in it, got {path!r}")
        return self

    @property
    def patterns(self) -> tuple[str, ...]:
        """The paths that are given."""
        return tuple(path for path in (self.text, self.heard, self.ends) if path is not None)


@dataclass(frozen=True)
class StoryWords:
    """Words of a story.

    Attributes
    ----------
    words : list of str
    sentence : list of int
        Line of each word.
    heard : array of bool
    ends : array of float, optional
        Seconds; of words that were not heard, the end of the heard word before (0 at the start).
    """

    words: list[str]
    sentence: list[int]
    heard: np.ndarray
    ends: np.ndarray | None


def read_story_words(given: StoryWordsOptions, fill: Callable[[str], Path]) -> StoryWords:
    """Read the words of one story.

    Parameters
    ----------
    given : StoryWordsOptions
    fill : callable
        Pattern -> the path of this story.

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken, has another number of words than the text, no word was heard,
        or the ends of the heard words fall.
    """
    lines = [line.split() for line in read_text(fill(given.text)).split("\n")]
    lines = [line for line in lines if line]
    words = [word for line in lines for word in line]
    sentence = [i for i, line in enumerate(lines) for _ in line]
    if not words:
        raise CorruptDataError(f"{fill(given.text)}: holds no words")
    heard = np.ones(len(words), dtype=bool)
    if given.heard is not None:
        path = fill(given.heard)
        heard = _numbers(path, given.heard_key, len(words), fill(given.text)) == 1
        if not heard.any():
            raise CorruptDataError(f"{path}: {given.heard_key!r} is 1 for no word")
    ends = None
    if given.ends is not None:
        path = fill(given.ends)
        ends = _numbers(path, given.ends_key, len(words), fill(given.text))
        fine = np.isfinite(ends[heard]).all() and (np.diff(ends[heard]) >= 0).all()
        if not fine:
            raise CorruptDataError(
                f"{path}: {given.ends_key!r} of the heard words must be numbers that never fall"
            )
        ends = np.maximum.accumulate(np.where(heard, ends, min(0.0, ends[heard].min())))
    return StoryWords(words, sentence, heard, ends)


def _numbers(path: Path, key: str, n_words: int, text: Path) -> np.ndarray:
    values = np.ravel(np.asarray(find(read_mat(path), key, path)))
    if values.dtype.kind not in "iufb":
        raise CorruptDataError(f"{path}: {key!r} holds no numbers")
    if len(values) != n_words:
        raise CorruptDataError(f"{path}: {key!r} has {len(values)} words, {text.name} {n_words}")
    return values.astype(float)


def stimulus_of_stories(
    stories: Sequence[str], read: Sequence[StoryWords], language: str, where: Path
) -> Stimulus:
    """Return the words of stories: a text and a run each, with items "story/number".

    Words without times have no runs of their own.
    """
    timed = all(each.ends is not None for each in read)
    heard = np.concatenate([each.heard for each in read])
    columns: dict[str, Any] = {
        "text": [s for s, each in zip(stories, read, strict=True) for _ in each.words],
        "sentence": [
            f"{s}/{line}" for s, each in zip(stories, read, strict=True) for line in each.sentence
        ],
        "context_only": None if heard.all() else ~heard,
    }
    if timed:
        ends = np.concatenate([np.asarray(each.ends) for each in read])
        columns |= {"onset": ends, "duration": np.zeros(len(ends)), "run": columns["text"]}
    else:
        numbered = zip(stories, read, strict=True)
        columns["item"] = [f"{s}/{n}" for s, each in numbered for n in range(len(each.words))]
    with naming(where):
        return Stimulus([word for each in read for word in each.words], language, **columns)
