"""Response patterns in MATLAB files: a row of voxels for each word, sentence or trial."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import model_validator

from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.data.target_table import epoch_targets, target_table
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.io.files import ReaderOptions, check_subject, naming, read_text, subjects_in
from brainlm.io.matlab import find, read_mat
from brainlm.io.parts import PLACE, in_part, join_parts, notes_of, parts_in


class PatternsOptions(ReaderOptions):
    """Options of `read_patterns`.

    Attributes
    ----------
    pattern : str
        Path of a subject's file, with ``{subject}`` in it; ``{part}/`` in front of it and of
        ``labels_file`` stands for the folders of fixed parts (`brainlm.io.parts`).
    data : str
        Variable with the responses: a matrix of shape (n_rows, n_targets), a row per cell, or with
        ``bin_width`` an array of shape (n_rows, n_channels, n_bins).
    bin_width : float, optional
        Seconds; a target is then a channel in a bin, "3@200ms" after the start of its bin.
    labels : str, optional
        Variable, or field such as ``"info.word"``, with the words or sentence of each row.
    labels_file : str, optional
        Instead: a text file with one of them per line.
    texts, text_names : str, optional
        Variables with the number (from 1) of the text of each row, and with the names of the texts.
    positions : str, optional
        Variable with the coordinates of the voxels, shape (n_targets, 3).
    trials : {"refuse", "keep"}
        Whether a label may come several times, as trials of one item.
    running : bool
        Whether the rows are the words of a text, one after the other, each an item of its own
        ("1", "2", ...).
    constant : {"keep", "drop"}
        Whether to leave out targets with one value throughout (noted): no score exists of them,
        and `brainlm.open_dataset` refuses them.
    missing : {"refuse", "allow"}
        Whether NaN is an error or stays.
    language, modality, unit : str
        As in `Stimulus` and `Recording`.
    """

    pattern: str
    data: str
    bin_width: float | None = None
    labels: str | None = None
    labels_file: str | None = None
    texts: str | None = None
    text_names: str | None = None
    positions: str | None = None
    trials: Literal["refuse", "keep"] = "refuse"
    running: bool = False
    constant: Literal["keep", "drop"] = "keep"
    missing: Literal["refuse", "allow"] = "refuse"
    language: str
    modality: str
    unit: str

    @model_validator(mode="after")
    def _has_labels(self) -> PatternsOptions:
        if (self.labels is None) == (self.labels_file is None):
            raise ValueError("give either labels or labels_file")
        if self.running and self.trials == "keep":
            raise ValueError("in a running text every word is an item: leave trials out")
        if PLACE in self.pattern and PLACE not in (self.labels_file or PLACE):
            raise ValueError(f"labels_file must begin with {PLACE!r}, as pattern does")
        return self

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the file of the subject and the labels; none before the parts are known."""
        return () if PLACE in self.pattern else self._files(subject, "")

    def _files(self, subject: str | None, part: str) -> tuple[str, ...]:
        shared = (in_part(self.labels_file, part),) if self.labels_file else ()
        pattern = in_part(self.pattern, part)
        own = (pattern.replace("{subject}", subject),) if subject is not None else ()
        return (*own, *shared)

    def parts(self, folder: Path) -> tuple[str, ...]:
        """Return the parts that are in the folder; ``("",)`` for a data set without parts."""
        return parts_in(folder) if PLACE in self.pattern else ("",)

    def found_files(self, folder: Path, subject: str) -> tuple[str, ...]:
        """Return the files of the subject and the labels, of every part."""
        return tuple(path for part in self.parts(folder) for path in self._files(subject, part))

    def subjects(self, folder: Path) -> list[str]:
        """Return the subjects with a file in every part, sorted."""
        each = [subjects_in(folder, in_part(self.pattern, part)) for part in self.parts(folder)]
        return sorted(set.intersection(*map(set, each)))

    def of_part(self, part: str) -> PatternsOptions:
        """Return the options for the files of one part."""
        shared = None if self.labels_file is None else in_part(self.labels_file, part)
        changed = {"pattern": in_part(self.pattern, part), "labels_file": shared}
        return self.model_copy(update=changed)


def read_patterns(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read words or sentences and the response pattern to each.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str
        The subject, as named in the files.
    **options
        See `PatternsOptions`.

    Returns
    -------
    stimulus : Stimulus
        Words without times; each label is a sentence, in the order in which labels first come.
    recording : Recording
        Shape (n_rows, n_targets); ``items`` are the sentences.

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken, a variable is not there, labels and rows do not match.
    UnknownNameError
        There is no such subject.
    """
    given = PatternsOptions.of(options, strict=None)
    folder = Path(folder)
    if PLACE not in given.pattern:
        subject = check_subject(folder, given.pattern, subject)
        stimulus, recording = _read_part(folder, subject, given)
    else:
        parts, choices = given.parts(folder), given.subjects(folder)
        if subject not in choices:
            raise unknown_name("subject", subject, choices)
        pieces = [_read_part(folder, str(subject), given.of_part(part)) for part in parts]
        stimulus, recording = join_parts(parts, pieces, folder / given.pattern)
        recording = recording.noted(*notes_of(parts))
    return stimulus, _varying(recording) if given.constant == "drop" else recording


def _varying(recording: Recording) -> Recording:
    """Leave out targets with one value throughout, and note how many."""
    constant = set(recording.constant_targets)
    if not constant:
        return recording
    kept = [name for name in recording.target_names if name not in constant]
    note = f"left out {len(constant)} of {recording.n_targets} targets with one value throughout"
    return recording.select_targets(kept).noted(Note(note, "excluded"))


def _read_part(folder: Path, subject: str, given: PatternsOptions) -> tuple[Stimulus, Recording]:
    """Read one file of responses and its labels."""
    path = folder / given.pattern.replace("{subject}", subject)
    content = read_mat(path)
    data, targets = _matrix(find(content, given.data, path), path, given)
    if given.positions is not None:
        targets = _placed(targets, find(content, given.positions, path), path, given)
    labels = _labels(folder, content, path, given)
    if len(labels) != len(data):
        raise CorruptDataError(f"{path}: {len(labels)} labels for {len(data)} responses")
    if given.running:
        return _running(data, targets, labels, path, subject, given)
    if given.trials == "refuse" and len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise CorruptDataError(f"{path}: {twice!r} comes more than once; declare trials = 'keep'")
    texts = _texts(content, path, given, len(labels))
    first = {label: i for i, label in reversed(list(enumerate(labels)))}
    rows = [
        (word, label, texts[i] if texts else label)
        for label, i in sorted(first.items(), key=lambda pair: pair[1])
        for word in label.split()
    ]
    words, sentences, text = zip(*rows, strict=True)
    with naming(path):
        stimulus = Stimulus(words, given.language, text=text, sentence=sentences)
        recording = Recording(
            data,
            targets=targets,
            modality=given.modality,
            unit=given.unit,
            items=labels,
            subject=subject,
            missing=given.missing,
        )
    return stimulus, recording


def _running(
    data: np.ndarray,
    targets: pd.DataFrame,
    words: list[str],
    path: Path,
    subject: str,
    given: PatternsOptions,
) -> tuple[Stimulus, Recording]:
    """Return a text and the response to each of its words."""
    items = [str(i + 1) for i in range(len(words))]
    with naming(path):
        stimulus = Stimulus(words, given.language, item=items)
        recording = Recording(
            data,
            targets=targets,
            modality=given.modality,
            unit=given.unit,
            items=items,
            subject=subject,
        )
    return stimulus, recording


def _placed(targets: pd.DataFrame, value: Any, path: Path, given: PatternsOptions) -> pd.DataFrame:
    places = np.asarray(value, dtype=float)
    if places.shape != (len(targets), 3):
        raise CorruptDataError(
            f"{path}: {given.positions!r} must have shape ({len(targets)}, 3), got {places.shape}"
        )
    return targets.assign(x=places[:, 0], y=places[:, 1], z=places[:, 2])


def _matrix(value: Any, path: Path, given: PatternsOptions) -> tuple[np.ndarray, pd.DataFrame]:
    """Return (n_rows, n_targets) and the target table."""
    name = given.data
    if isinstance(value, list):  # a cell per trial
        lengths = {np.size(row) for row in value}
        if len(lengths) != 1:
            raise CorruptDataError(f"{path}: rows of {name!r} differ in length: {sorted(lengths)}")
        value = np.stack([np.ravel(row) for row in value])
    value = np.asarray(value)
    n_dims = 2 if given.bin_width is None else 3
    if value.ndim != n_dims or value.dtype.kind not in "iuf":
        raise CorruptDataError(
            f"{path}: {name!r} is not an array of numbers with {n_dims} dimensions: {value.shape}"
            + (" (bin_width goes with rows x channels x bins)" if value.ndim == 3 else "")
        )
    if given.bin_width is None:
        return value, target_table([str(i + 1) for i in range(value.shape[1])])
    channels = [str(i + 1) for i in range(value.shape[1])]
    targets = epoch_targets(channels, given.bin_width * np.arange(value.shape[2]))
    return value.reshape(len(value), -1), targets  # (n_rows, n_channels * n_bins)


def _labels(folder: Path, content: dict[str, Any], path: Path, given: PatternsOptions) -> list[str]:
    if given.labels_file is not None:
        lines = read_text(folder / given.labels_file).split("\n")
        return [line.strip() for line in lines if line.strip()]
    labels = find(content, str(given.labels), path)
    labels = labels.tolist() if isinstance(labels, np.ndarray) else labels
    if not isinstance(labels, list) or not all(isinstance(x, str) and x.strip() for x in labels):
        raise CorruptDataError(f"{path}: {given.labels!r} is not a list of texts")
    return [label.strip() for label in labels]


def _texts(
    content: dict[str, Any], path: Path, given: PatternsOptions, n_rows: int
) -> list[str] | None:
    if given.texts is None:
        return None
    numbers = np.ravel(find(content, given.texts, path)).astype(int).tolist()
    if len(numbers) != n_rows:
        raise CorruptDataError(f"{path}: {len(numbers)} numbers of texts for {n_rows} responses")
    if given.text_names is None:
        return [str(number) for number in numbers]
    names = find(content, given.text_names, path)
    if min(numbers) < 1 or max(numbers) > len(names):
        raise CorruptDataError(f"{path}: {given.texts!r} counts beyond {len(names)} texts")
    return [f"{number} {names[number - 1]}" for number in numbers]
