"""Story data sets: an HDF5 or MATLAB file of time courses per subject and story, and words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from brainlm.compute.memory import check_declared
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.io.files import Names, ReaderOptions, naming, read_text, subjects_in
from brainlm.io.matlab import find, read_mat, variable_shape
from brainlm.io.textgrid import SILENCES, read_textgrid
from brainlm.io.word_times import read_word_times
from brainlm.storage.downloads import check_content
from brainlm.storage.long_recordings import stack_blocks

ROWS = 100  # samples that are read at a time


class StoriesOptions(ReaderOptions):
    """Options of `read_stories`.

    Attributes
    ----------
    pattern : str
        Path of the HDF5 file (or MATLAB file, ``.mat``) of a story, with ``{subject}`` and
        ``{story}`` in it, and ``{region}`` where there is a file per region.
    keys : sequence of str
        Names that the data set in the file may have; shape (n_samples, n_targets).
    targets_first : bool
        Whether its shape is (n_targets, n_samples) instead, as MATLAB shows it.
    regions : sequence of str
        What stands for ``{region}``; targets are then named "region 1", "region 2", ...
    words : str
        Path of the words of a story, with ``{story}`` in it: a TextGrid, or a table.
    word_columns : dict
        For a table: ``word``, ``onset``, ``offset`` and other options of
        `brainlm.io.read_word_times`.
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
        As in `brainlm.io.textgrid.read_textgrid`.
    unit : str
        Unit of the responses.
    """

    pattern: str
    keys: Annotated[Names, Field(min_length=1)] = ("data",)
    targets_first: bool = False
    regions: Names = ()
    words: str
    word_columns: dict[str, Any] = Field(default_factory=dict)
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
            patterns = [self.files("{subject}", story)[0] for story in self.stories]
            return sorted({s for pattern in patterns for s in subjects_in(folder, pattern)})
        head = self.files("{subject}", "")[0].partition("{subject}")[0]
        return sorted(p.name for p in (folder / head).glob("*") if p.is_dir())

    def files(self, subject: str, story: str) -> tuple[str, ...]:
        """Return the file of a story, or one per region."""
        path = _fill(self.pattern, subject, story)
        return tuple(path.replace("{region}", region) for region in self.regions or ("",))

    def found_files(self, folder: Path, subject: str) -> tuple[str, ...]:
        """Return the responses and the words of the subject's stories, and the counts."""
        stories = _stories(folder, self, subject)
        shared = (self.counts,) if self.counts else ()
        own = (path for story in stories for path in self.files(subject, story))
        return (*own, *shared, *(self.words.replace("{story}", story) for story in stories))

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the files of the subject's stories, where the options name the stories."""
        shared = (self.counts,) if self.counts else ()
        words = tuple(self.words.replace("{story}", story) for story in self.stories)
        own: tuple[str, ...] = ()
        if subject is not None:
            left_out = self.without.get(subject, ())
            stories = [story for story in self.stories if story not in left_out]
            own = tuple(path for story in stories for path in self.files(subject, story))
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
        Modality ``"fmri"``. Long recordings are mapped from the cache
        (`brainlm.storage.long_recordings`).

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken, stories differ in their targets, a count differs.
    UnknownNameError
        There is no such subject.
    """
    given = StoriesOptions.of(options)
    folder = Path(folder)
    stories = _stories(folder, given, subject)
    assert subject is not None
    paths = [[folder / name for name in given.files(subject, story)] for story in stories]
    shapes = [[_shape(path, given) for path in of_story] for of_story in paths]
    for of_story, found in zip(paths, shapes, strict=True):
        for path, (n_samples, n_targets), (_, expected) in zip(
            of_story, found, shapes[0], strict=True
        ):
            if n_targets != expected:
                raise CorruptDataError(f"{path}: {n_targets} targets, {paths[0][0]} {expected}")
            if n_samples != found[0][0]:
                raise CorruptDataError(
                    f"{path}: {n_samples} samples, {of_story[0]} {found[0][0]}: regions of a story "
                    "have one length"
                )
    lengths = [found[0][0] for found in shapes]
    _check_counts(folder, given, stories, [of_story[0] for of_story in paths], lengths)
    widths = [n_targets for _, n_targets in shapes[0]]
    notes = [f"{subject} has no story {story}" for story in given.without.get(subject, ())]
    blocks = (block for of_story in paths for block in _side_by_side(of_story, given))
    sources = [path for of_story in paths for path in of_story]
    times = [given.first_sample + given.sampling_interval * np.arange(n) for n in lengths]
    with naming(sources[0]):
        recording = Recording(
            stack_blocks(blocks, (sum(lengths), sum(widths)), sources, given),
            targets=_targets(given.regions, widths),
            modality="fmri",
            unit=given.unit,
            times=np.concatenate(times),
            run=np.repeat(stories, lengths),
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
    found = subjects_in(folder, given.files(str(subject), "{subject}")[0])
    stories = [s for s in given.stories if s not in given.without.get(str(subject), ())] or found
    if not stories:
        raise CorruptDataError(f"{folder}: subject {subject!r} has no story")
    return stories


@contextmanager
def _broken(path: Path) -> Iterator[None]:
    """Name the file in whatever h5py raises: broken files make it raise nearly anything."""
    try:
        yield
    except CorruptDataError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        raise CorruptDataError(
            f"{path}: not a readable HDF5 file ({error}); fetch it again"
        ) from error


def _dataset(file: Any, path: Path, keys: tuple[str, ...]) -> Any:
    key = next((key for key in keys if key in file), None)
    if key is None:
        raise CorruptDataError(f"{path}: has none of {', '.join(keys)}; it has {list(file)}")
    dataset = file[key]
    if len(getattr(dataset, "shape", ())) != 2 or dataset.dtype.kind != "f":
        raise CorruptDataError(f"{path}: {key!r} is not a matrix of numbers: {dataset}")
    return dataset


def _shape(path: Path, given: StoriesOptions) -> tuple[int, int]:
    """Return (n_samples, n_targets) of a file without reading its values."""
    import h5py

    check_content(path)
    if path.suffix == ".mat":
        shape = variable_shape(path, given.keys[0])
        if len(shape) != 2:
            raise CorruptDataError(f"{path}: {given.keys[0]!r} is not a matrix: {shape}")
    else:
        with _broken(path), h5py.File(path, "r") as file:
            dataset = _dataset(file, path, given.keys)
            shape = dataset.shape
            n_bytes = int(np.prod(np.array(shape, dtype=object))) * dataset.dtype.itemsize
            check_declared(path, n_bytes, dataset.id.get_storage_size())
    return (shape[1], shape[0]) if given.targets_first else (shape[0], shape[1])


def _blocks(path: Path, given: StoriesOptions) -> Iterator[np.ndarray]:
    """Yield rows of samples; a MATLAB file is read whole."""
    import h5py

    if path.suffix == ".mat":
        data = np.asarray(find(read_mat(path), given.keys[0], path))
        if data.dtype.kind not in "iuf":
            raise CorruptDataError(f"{path}: {given.keys[0]!r} is not a matrix of numbers")
        data = data.reshape(variable_shape(path, given.keys[0]))
        data = data.T if given.targets_first else data
        yield from (data[start : start + ROWS] for start in range(0, len(data), ROWS))
        return
    with _broken(path), h5py.File(path, "r") as file:
        dataset = _dataset(file, path, given.keys)
        n_samples = dataset.shape[int(given.targets_first)]
        for start in range(0, n_samples, ROWS):
            rows = slice(start, start + ROWS)
            yield dataset[:, rows].T if given.targets_first else dataset[rows]


def _side_by_side(paths: list[Path], given: StoriesOptions) -> Iterator[np.ndarray]:
    """Yield rows over the targets of all regions of a story."""
    for blocks in zip(*(_blocks(path, given) for path in paths), strict=True):
        yield np.hstack(blocks)


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
    if not given.words.endswith(".TextGrid"):
        files = [given.words.replace("{story}", story) for story in stories]
        options: dict[str, Any] = {"files": files, "runs": stories, "skip": given.skip}
        options |= {"language": given.language, **given.word_columns}
        return read_word_times(folder, **options)[0]
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
    return Stimulus.concatenate(parts)


def _targets(regions: Sequence[str], widths: Sequence[int]) -> pd.DataFrame:
    """Return the targets of all regions: voxels are numbered within each."""
    number = np.concatenate([np.arange(1, width + 1) for width in widths]).astype(str)
    if not regions:
        return pd.DataFrame({"name": number})
    region = np.repeat(np.asarray(regions, dtype=object), widths)
    return pd.DataFrame({"name": region + " " + number.astype(object), "region": region})
