"""Stories: a TextGrid per story, and per subject an HDF5 file per story with its time courses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from brainlm.downloads import check_content
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.readers.files import (
    Names,
    ReaderOptions,
    naming,
    read_text,
    subjects_in,
)
from brainlm.readers.textgrid import SILENCES, read_textgrid
from brainlm.recording import Recording
from brainlm.series import stack_blocks
from brainlm.stimulus import Stimulus

__all__ = ["StoriesOptions", "read_stories"]

ROWS = 100  # samples that are read at a time


class StoriesOptions(ReaderOptions):
    """Options of `read_stories`.

    Attributes
    ----------
    pattern : str
        Path of the HDF5 file of a story, with ``{subject}`` and ``{story}`` in it.
    keys : sequence of str
        Names that the data set in the file may have; shape (n_samples, n_targets).
    words : str
        Path of the TextGrid of a story, with ``{story}`` in it.
    language : str
        Language code.
    stories : sequence of str
        Stories, in order. Default: those that the subject has a file of, by name.
    without : dict of str to sequence of str
        Subject -> stories that this subject does not have (declared; noted).
    first_sample, sampling_interval : float
        Seconds: sample k was taken at ``first_sample + k * sampling_interval`` of the story.
    counts : str, optional
        JSON file of story -> number of samples before trimming.
    trimmed : int
        Samples that were cut off before saving, of those in ``counts``.
    tier, skip
        As in `brainlm.readers.textgrid.read_textgrid`.
    unit : str
        Unit of the responses.
    """

    pattern: str
    keys: Annotated[Names, Field(min_length=1)] = ("data",)
    words: str
    language: str
    stories: Names = ()
    without: dict[str, Names] = Field(default_factory=dict)
    first_sample: float
    sampling_interval: Annotated[float, Field(gt=0)]
    counts: str | None = None
    trimmed: int = 0
    tier: str | None = None
    skip: Names = SILENCES
    unit: str

    def subjects(self, folder: Path) -> list[str]:
        """Return the subjects with at least one story, sorted."""
        if self.stories:
            patterns = [self.pattern.replace("{story}", story) for story in self.stories]
            return sorted({s for pattern in patterns for s in subjects_in(folder, pattern)})
        head = self.pattern.partition("{subject}")[0]
        return sorted(p.name for p in (folder / head).glob("*") if p.is_dir())

    def found_files(self, folder: Path, subject: str) -> tuple[str, ...]:
        """Return the responses and the words of the subject's stories, and the counts."""
        stories = _stories(folder, self, subject)
        shared = (self.counts,) if self.counts else ()
        own = (_fill(self.pattern, subject, story) for story in stories)
        return (*own, *shared, *(self.words.replace("{story}", story) for story in stories))

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the files of the subject's stories, where the options name the stories."""
        shared = (self.counts,) if self.counts else ()
        words = tuple(self.words.replace("{story}", story) for story in self.stories)
        own: tuple[str, ...] = ()
        if subject is not None:
            pattern = self.pattern.replace("{subject}", subject)
            left_out = self.without.get(subject, ())
            own = tuple(pattern.replace("{story}", s) for s in self.stories if s not in left_out)
        return (*own, *shared, *words)


def read_stories(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read the words of all stories of a subject, and the responses to them.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str
        The subject, as named in the files.
    **options
        See `StoriesOptions`.

    Returns
    -------
    stimulus : Stimulus
        Words with times from the start of the story; a run and a text per story.
    recording : Recording
        Modality ``"fmri"``. Long recordings are mapped from the cache (`brainlm.series`).

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken, stories differ in their targets, a count differs.
    UnknownNameError
        There is no such subject.
    """
    import h5py

    given = StoriesOptions.model_validate(options, strict=False)
    folder = Path(folder)
    stories = _stories(folder, given, subject)
    assert subject is not None
    paths = [folder / _fill(given.pattern, subject, story) for story in stories]
    shapes = []
    for path in paths:
        check_content(path)
        try:
            with h5py.File(path, "r") as file:
                shapes.append(_dataset(file, path, given.keys).shape)
        except OSError as error:
            raise CorruptDataError(f"{path}: not a readable HDF5 file ({error})") from error
        if shapes[-1][1] != shapes[0][1]:
            raise CorruptDataError(f"{path}: {shapes[-1][1]} targets, {paths[0]} {shapes[0][1]}")
    _check_counts(folder, given, stories, paths, [shape[0] for shape in shapes])
    shape = (sum(shape[0] for shape in shapes), shapes[0][1])
    times = [given.first_sample + given.sampling_interval * np.arange(n) for n, _ in shapes]
    notes = [f"{subject} has no story {story}" for story in given.without.get(subject, ())]
    with naming(paths[0]):
        recording = Recording(
            stack_blocks(_blocks(paths, given.keys), shape, paths, given.keys),
            targets=[str(i + 1) for i in range(shape[1])],
            modality="fmri",
            unit=given.unit,
            times=np.concatenate(times),
            run=np.repeat(stories, [n for n, _ in shapes]),
            subject=subject,
            notes=tuple(notes),
        )
    return _words(folder, given, stories), recording


def _fill(pattern: str, subject: str, story: str) -> str:
    return pattern.replace("{subject}", subject).replace("{story}", story)


def _stories(folder: Path, given: StoriesOptions, subject: str | None) -> list[str]:
    choices = given.subjects(folder)
    if subject not in choices:
        raise unknown_name("subject", subject, choices)
    found = subjects_in(folder, _fill(given.pattern, str(subject), "{subject}"))
    stories = [s for s in given.stories if s not in given.without.get(str(subject), ())] or found
    if not stories:
        raise CorruptDataError(f"{folder}: subject {subject!r} has no story")
    return stories


def _dataset(file: Any, path: Path, keys: tuple[str, ...]) -> Any:
    key = next((key for key in keys if key in file), None)
    if key is None:
        raise CorruptDataError(f"{path}: has none of {', '.join(keys)}; it has {list(file)}")
    dataset = file[key]
    if len(getattr(dataset, "shape", ())) != 2 or dataset.dtype.kind != "f":
        raise CorruptDataError(f"{path}: {key!r} is no matrix of numbers: {dataset}")
    return dataset


def _blocks(paths: list[Path], keys: tuple[str, ...]) -> Iterator[np.ndarray]:
    import h5py

    for path in paths:
        try:
            with h5py.File(path, "r") as file:
                dataset = _dataset(file, path, keys)
                for start in range(0, dataset.shape[0], ROWS):
                    yield dataset[start : start + ROWS]
        except OSError as error:
            raise CorruptDataError(f"{path}: broken ({error}); fetch it again") from error


def _check_counts(
    folder: Path, given: StoriesOptions, stories: list[str], paths: list[Path], found: list[int]
) -> None:
    if given.counts is None:
        return
    path = folder / given.counts
    try:
        counts = json.loads(read_text(path))
        expected = [int(counts[story]) - given.trimmed for story in stories]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptDataError(f"{path}: no number of samples per story ({error!r})") from error
    for story, its_path, n_samples, n_expected in zip(stories, paths, found, expected, strict=True):
        if n_samples != n_expected:
            raise CorruptDataError(
                f"{its_path}: {n_samples} samples, {path.name} says {n_expected} for {story!r} "
                f"({given.trimmed} were trimmed): the file was cut off or is of another version"
            )


def _words(folder: Path, given: StoriesOptions, stories: list[str]) -> Stimulus:
    parts = [
        read_textgrid(
            folder / given.words.replace("{story}", story),
            given.language,
            tier=given.tier,
            skip=given.skip,
            run=story,
        )
        for story in stories
    ]
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("words", "onset", "duration", "run")
    }
    return Stimulus(columns.pop("words"), given.language, **columns)
