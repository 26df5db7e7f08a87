"""Time courses in text matrices, one file per subject, with the words in a TextGrid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError
from brainlm.io.files import Names, ReaderOptions, check_subject, naming, parse_number, read_text
from brainlm.io.textgrid import SILENCES, read_intervals, read_textgrid


class TimecourseOptions(ReaderOptions):
    """Options of `read_timecourses`.

    Attributes
    ----------
    pattern : str
        Path of a subject's matrix in the folder, with ``{subject}`` in it: a row per sample, a
        column per target, white space between.
    words : str
        Path of the TextGrid with the words.
    language : str
        Language code of the words.
    targets : sequence of str
        Names of the columns.
    first_sample, sampling_interval : float
        Seconds: sample k was taken at ``first_sample + k * sampling_interval`` on the clock of the
        TextGrid.
    modality, unit : str
        As in `Recording`.
    tier : str, optional
        Tier with the words. Default: the only one.
    skip : sequence of str
        Labels that are not words.
    run : str
        Name of the run.
    """

    pattern: str
    words: str
    language: str
    targets: Names
    first_sample: float
    sampling_interval: float
    modality: str
    unit: str
    tier: str | None = None
    skip: Names = SILENCES
    run: str = "1"

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the matrix of the subject and the TextGrid."""
        if subject is None:
            return (self.words,)
        return (self.pattern.replace("{subject}", subject), self.words)


def read_timecourses(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read the words and the time courses of one subject.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str
        The subject, as named in the files.
    **options
        See `TimecourseOptions`.

    Returns
    -------
    stimulus : Stimulus
        Words with times.
    recording : Recording
        Shape (n_samples, n_targets), one run.

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing, or is not a full matrix of finite numbers or a TextGrid.
    UnknownNameError
        There is no such subject or tier.
    """
    given = TimecourseOptions.of(options, strict=None)
    folder = Path(folder)
    subject = check_subject(folder, given.pattern, subject)
    path, words = (folder / name for name in given.paths(subject))
    stimulus = read_textgrid(words, given.language, tier=given.tier, skip=given.skip, run=given.run)
    n_skipped = len(read_intervals(words, given.tier)) - stimulus.n_words
    data = read_matrix(path)
    with naming(path):
        recording = Recording(
            data,
            targets=given.targets,
            modality=given.modality,
            unit=given.unit,
            times=given.first_sample + given.sampling_interval * np.arange(len(data)),
            run=[given.run] * len(data),
            subject=subject,
            notes=(f"{n_skipped} intervals of {words.name} are not words (silences)",),
        )
    return stimulus, recording


def read_matrix(path: Path | str) -> np.ndarray:
    """Read a matrix of numbers from text: rows on lines, white space between columns.

    Returns
    -------
    array of shape (n_rows, n_columns)

    Raises
    ------
    DataMissingError, CorruptDataError
        The file is missing, a cell is no number, or rows differ in length (with the line).
    """
    path = Path(path)
    lines = enumerate(read_text(path).split("\n"), start=1)
    rows: list[list[float]] = []
    for number, cells in ((number, line.split()) for number, line in lines if line.strip()):
        if rows and len(cells) != len(rows[0]):
            raise CorruptDataError(
                f"{path}, line {number}: {len(cells)} columns, {len(rows[0])} in the first row; "
                "the file is cut off or was edited: fetch it again"
            )
        try:
            rows.append([parse_number(cell) for cell in cells])
        except ValueError as error:
            raise CorruptDataError(f"{path}, line {number}: {error}") from error
    if not rows:
        raise CorruptDataError(f"{path}: holds no numbers")
    return np.array(rows)
