"""Story data sets: an HDF5 or MATLAB file of time courses per subject and story, and words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainlm.compute.memory import check_declared
from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, reading
from brainlm.io.files import naming, read_json, subjects_in
from brainlm.io.matlab import find, read_mat, variable_shape
from brainlm.io.parts import PLACE, in_part, notes_of
from brainlm.io.story_options import StoriesOptions, stories_of
from brainlm.io.story_words import read_story_words, stimulus_of_stories
from brainlm.io.textgrid import read_textgrid
from brainlm.io.word_times import read_word_times
from brainlm.storage.downloads import check_content
from brainlm.storage.long_recordings import stack_blocks

ROWS = 100  # samples that are read at a time


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
    stories = stories_of(folder, given, subject)
    assert subject is not None
    parts, names = zip(*stories, strict=True)
    paths = [[folder / p for p in given.files(subject, story, part)] for part, story in stories]
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
    _check_counts(folder, given, names, [of_story[0] for of_story in paths], lengths)
    widths = [n_targets for _, n_targets in shapes[0]]
    notes = [f"{subject} has no story {story}" for story in given.without.get(subject, ())]
    notes += [*_other_lengths(folder, given, stories, lengths), *_untold(folder, given, stories)]
    if PLACE in given.pattern:
        notes += notes_of(given.parts(folder))
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
            run=np.repeat(names, lengths),
            part=np.repeat(parts, lengths) if any(parts) else None,
            subject=subject,
            notes=tuple(notes),
        )
    return _words(folder, given, stories), recording


def _other_lengths(
    folder: Path, given: StoriesOptions, stories: Sequence[tuple[str, str]], found: list[int]
) -> list[Note]:
    """Note of the stories whose responses are not as long as the features of the authors."""
    if given.lengths is None:
        return []
    differ = []
    for (part, story), n_samples in zip(stories, found, strict=True):
        path = folder / in_part(given.lengths, part).replace("{story}", story)
        shape = variable_shape(path, given.lengths_key)
        if min(shape) != 1 or len(shape) != 2:
            raise CorruptDataError(f"{path}: {given.lengths_key!r} has no single row: {shape}")
        if max(shape) != n_samples:
            differ.append(f"{story} ({n_samples} against {max(shape)})")
    if not differ:
        return []
    listing = ", ".join(differ[:5])
    return [Note(f"{len(differ)} stories have responses of another length: {listing}", "coverage")]


def _untold(folder: Path, given: StoriesOptions, stories: Sequence[tuple[str, str]]) -> list[Note]:
    """Note of the stories of a part whose words are there and whose responses are not."""
    if PLACE not in given.pattern or given.text is None:
        return []
    lacking = []
    for part in given.parts(folder):
        pattern = in_part(given.text.text, part).replace("{story}", "{subject}")
        own = {story for each, story in stories if each == part}
        lacking += [story for story in subjects_in(folder, pattern) if story not in own]
    if not lacking:
        return []
    listing = ", ".join(lacking[:5])
    return [Note(f"{len(lacking)} stories have words and no responses: {listing}", "excluded")]


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
        with reading(path, "HDF5 file"), h5py.File(path, "r") as file:
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
    with reading(path, "HDF5 file"), h5py.File(path, "r") as file:
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
    folder: Path, given: StoriesOptions, stories: Sequence[str], paths: list[Path], found: list[int]
) -> None:
    if given.counts is None:
        return
    path = folder / given.counts
    counts = read_json(path)
    counts = counts if isinstance(counts, dict) else {}
    for story in stories:
        if not isinstance(counts.get(story), int) or isinstance(counts[story], bool):
            said = repr(counts.get(story))
            raise CorruptDataError(f"{path}: no number of samples of story {story!r}, but {said}")
    expected = [counts[story] - given.trimmed for story in stories]
    for story, its_path, n_samples, n_expected in zip(stories, paths, found, expected, strict=True):
        if n_samples != n_expected:
            raise CorruptDataError(
                f"{its_path}: {n_samples} samples, {path.name} says {n_expected} for {story!r} "
                f"({given.trimmed} were trimmed): the file was cut off or is of another version"
            )


def _words(folder: Path, given: StoriesOptions, stories: Sequence[tuple[str, str]]) -> Stimulus:
    names = [story for _, story in stories]
    if given.text is not None:
        read = [
            read_story_words(given.text, partial(_place, folder, part, story))
            for part, story in stories
        ]
        return stimulus_of_stories(names, read, given.language, folder)
    files = [given.word_files(story, part)[0] for part, story in stories]
    if not str(given.words).endswith(".TextGrid"):
        options: dict[str, Any] = {"files": files, "runs": names, "skip": given.skip}
        options |= {"language": given.language, **given.word_columns}
        return read_word_times(folder, **options)[0]
    parts = [
        read_textgrid(folder / path, given.language, tier=given.tier, skip=given.skip, run=story)
        for path, story in zip(files, names, strict=True)
    ]
    return Stimulus.concatenate(parts)


def _place(folder: Path, part: str, story: str, path: str) -> Path:
    return folder / in_part(path, part).replace("{story}", story)


def _targets(regions: Sequence[str], widths: Sequence[int]) -> pd.DataFrame:
    """Return the targets of all regions: voxels are numbered within each."""
    number = np.concatenate([np.arange(1, width + 1) for width in widths]).astype(str)
    if not regions:
        return pd.DataFrame({"name": number})
    region = np.repeat(np.asarray(regions, dtype=object), widths)
    return pd.DataFrame({"name": region + " " + number.astype(object), "region": region})
