"""Sentence patterns in a pickle: passages of sentences, one response pattern per sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError
from brainlm.io.files import Names, ReaderOptions, naming
from brainlm.io.pickled import read_pickle


class PassageOptions(ReaderOptions):
    """Options of `read_passages`.

    Attributes
    ----------
    file : str
        Path of the pickle: a dict of passage number (from 0) to a dict with ``"words"`` (a list of
        words per sentence) and ``"fmri"`` (an array of shape (n_sentences, n_targets)).
    passages : sequence of str
        Names of passages 0, 1, ..., each ``"topic/name"``.
    language : str
        Language code of the words.
    modality, unit : str
        As in `Recording`.
    target_prefix : str
        Column k becomes target ``target_prefix + str(k + 1)``.
    """

    file: str
    passages: Names
    language: str
    modality: str
    unit: str
    target_prefix: str

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the pickle."""
        return (self.file,)


def read_passages(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read sentences in passages and the response pattern to each sentence.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str, optional
        Name for the subject; the file does not say it.
    **options
        See `PassageOptions`.

    Returns
    -------
    stimulus : Stimulus
        Words without times. ``text`` is the passage (``"music/violin"``: what stands before the
        slash is the topic, by which to split); ``sentence`` is the passage and the number of the
        sentence in it (``"music/violin/1"``).
    recording : Recording
        Shape (n_sentences, n_targets); ``items`` are the sentences.

    Raises
    ------
    DataMissingError, CorruptDataError
        The file is missing, is not such a pickle, or its passages do not match the names.
    """
    given = PassageOptions.of(options, strict=None)
    path = Path(folder) / given.file
    content = read_pickle(path)
    expected = range(len(given.passages))
    if not isinstance(content, dict) or set(content) != set(expected):
        raise CorruptDataError(
            f"{path}: expected a dict of passages 0 to {len(expected) - 1}, "
            f"got {_describe(content)}"
        )
    rows = []  # (word, passage, sentence)
    patterns, items = [], []
    for number, passage in enumerate(given.passages):
        sentences, pattern = _read_passage(content[number], f"{path}, passage {number}")
        patterns.append(pattern)
        for i, sentence in enumerate(sentences, start=1):
            items.append(f"{passage}/{i}")
            rows += [(word, passage, items[-1]) for word in sentence]
    if len({pattern.shape[1] for pattern in patterns}) > 1:
        raise CorruptDataError(f"{path}: passages differ in their number of targets")
    words, texts, labels = zip(*rows, strict=True)
    with naming(path):
        stimulus = Stimulus(words, given.language, text=texts, sentence=labels)
        data = np.vstack(patterns)
        recording = Recording(
            data,
            targets=[f"{given.target_prefix}{i + 1}" for i in range(data.shape[1])],
            modality=given.modality,
            unit=given.unit,
            items=items,
            subject=subject or "group",
        )
    return stimulus, recording


def _read_passage(entry: Any, where: str) -> tuple[list[list[str]], np.ndarray]:
    try:
        sentences, pattern = entry["words"], np.asarray(entry["fmri"])
    except (KeyError, TypeError) as error:
        raise CorruptDataError(
            f"{where}: has no 'words' or no 'fmri': {_describe(entry)}"
        ) from error
    if not isinstance(sentences, list) or not all(
        isinstance(words, list) and words and all(isinstance(word, str) for word in words)
        for words in sentences
    ):
        raise CorruptDataError(f"{where}: 'words' must be a list of lists of words")
    if pattern.ndim != 2 or pattern.dtype.kind != "f" or len(pattern) != len(sentences):
        raise CorruptDataError(
            f"{where}: {len(sentences)} sentences, but 'fmri' has shape {pattern.shape} and dtype "
            f"{pattern.dtype}; expected a row of numbers per sentence"
        )
    return sentences, pattern


def _describe(value: Any) -> str:
    if isinstance(value, dict):
        return f"a dict with {len(value)} keys ({', '.join(map(repr, list(value)[:4]))} ...)"
    return type(value).__name__
