"""Response patterns to the words of stories: a MATLAB file per subject and story."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.data.target_table import epoch_targets
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.io.files import Names, ReaderOptions, naming, subjects_in
from brainlm.io.matlab import find, read_mat, variable_shape
from brainlm.io.story_words import StoryWordsOptions, read_story_words, stimulus_of_stories
from brainlm.storage.long_recordings import stack_blocks


class StoryPatternsOptions(ReaderOptions):
    """Options of `read_story_patterns`.

    Attributes
    ----------
    pattern : str
        Path of the file of a story, with ``{subject}`` and ``{story}`` in it.
    data : str
        Variable with the responses, (n_words, n_channels, n_bins): the words that were heard.
    bin_width : float
        Seconds. A target is a channel in a bin, "3@200ms" after the start of its bin.
    stories : sequence of str
        Stories in the order in which they were heard. A story without a file is left out (noted).
    text : StoryWordsOptions
        Files of the words.
    language, modality, unit : str
        As in `brainlm.Stimulus` and `brainlm.Recording`.
    """

    pattern: str
    data: str
    bin_width: Annotated[float, Field(gt=0)]
    stories: Annotated[Names, Field(min_length=1)]
    text: StoryWordsOptions
    language: str
    modality: str
    unit: str

    def subjects(self, folder: Path) -> list[str]:
        """Return the subjects with at least one story, sorted."""
        patterns = [self.pattern.replace("{story}", story) for story in self.stories]
        return sorted({s for pattern in patterns for s in subjects_in(folder, pattern)})

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the responses of a subject to all stories and their words.

        None without a subject: which stories there are is known from the folder only.
        """
        if subject is None:
            return ()
        words = [path.replace("{story}", s) for s in self.stories for path in self.text.patterns]
        return (*(self.file(subject, story) for story in self.stories), *words)

    def file(self, subject: str, story: str) -> str:
        """Return the file of a story."""
        return self.pattern.replace("{subject}", subject).replace("{story}", story)

    def found_files(self, folder: Path, subject: str) -> tuple[str, ...]:
        """Return the files that the subject has, and the words of these stories."""
        own = [story for story in self.stories if (folder / self.file(subject, story)).exists()]
        return self.model_copy(update={"stories": tuple(own)}).paths(subject)


def read_story_patterns(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read the words of stories and the pattern of responses to each word that was heard.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str
        The subject, as named in the files.
    **options
        See `StoryPatternsOptions`.

    Returns
    -------
    stimulus : Stimulus
        Words without times; each story is a text, each line a sentence. Words that were not heard
        are context only.
    recording : Recording
        Shape (n_heard_words, n_channels * n_bins); ``items`` are "story/number", runs the stories.
        Notes name the stories that the subject lacks.

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken, stories differ in their channels or bins, or a story has more
        or fewer responses than words that were heard.
    UnknownNameError
        There is no such subject.
    """
    given = StoryPatternsOptions.of(options)
    folder = Path(folder)
    choices = given.subjects(folder)
    if subject not in choices:
        raise unknown_name("subject", subject, choices)
    assert subject is not None
    stories = [s for s in given.stories if (folder / given.file(subject, s)).exists()]
    paths = [folder / given.file(subject, story) for story in stories]
    read = [read_story_words(given.text, partial(_place, folder, story)) for story in stories]
    shapes = [variable_shape(path, given.data) for path in paths]
    for path, shape, words in zip(paths, shapes, read, strict=True):
        _check_shape(path, shape, shapes[0], int(words.heard.sum()))
    n_channels, n_bins = shapes[0][1:]
    stimulus = stimulus_of_stories(stories, read, given.language, folder)
    lengths = [shape[0] for shape in shapes]
    with naming(paths[0]):
        recording = Recording(
            stack_blocks(
                _rows(paths, given.data), (sum(lengths), n_channels * n_bins), paths, given
            ),
            targets=epoch_targets(
                [str(i + 1) for i in range(n_channels)], given.bin_width * np.arange(n_bins)
            ),
            modality=given.modality,
            unit=given.unit,
            items=stimulus.item[stimulus.counted],
            run=np.repeat(stories, lengths),
            subject=subject,
            notes=_lacking(given.stories, stories),
        )
    return stimulus, recording


def _place(folder: Path, story: str, path: str) -> Path:
    return folder / path.replace("{story}", story)


def _check_shape(path: Path, shape: tuple, first: tuple, n_heard: int) -> None:
    if len(shape) != 3 or shape[1:] != first[1:]:
        raise CorruptDataError(
            f"{path}: has shape {shape}, expected words x channels x bins, as {first} of the first "
            "story"
        )
    if shape[0] != n_heard:
        raise CorruptDataError(f"{path}: {shape[0]} responses to {n_heard} words that were heard")


def _rows(paths: list[Path], name: str) -> Iterator[np.ndarray]:
    """Yield the responses to each story, (n_words, n_channels * n_bins)."""
    for path in paths:
        values = np.asarray(find(read_mat(path), name, path)).reshape(variable_shape(path, name))
        if values.dtype.kind not in "iuf":
            raise CorruptDataError(f"{path}: {name!r} is not an array of numbers")
        yield values.reshape(len(values), -1)


def _lacking(expected: Names, found: list[str]) -> tuple[Note, ...]:
    lacking = [story for story in expected if story not in found]
    if not lacking:
        return ()
    listing = ", ".join(lacking[:10])
    return (Note(f"{len(lacking)} of {len(expected)} stories have no file: {listing}", "excluded"),)
