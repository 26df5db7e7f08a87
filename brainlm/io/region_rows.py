"""Time courses of regions in a wide table: a row per person, run and region."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.io.files import Names, ReaderOptions, naming
from brainlm.io.sheets import Sheet, read_sheet
from brainlm.io.word_times import read_word_times

NO_RUN = "1"  # the run of a table without a column of runs


class RegionRowsOptions(ReaderOptions):
    """Options of `read_region_rows`.

    Attributes
    ----------
    path : str
        The table.
    where : dict
        Column -> value: only these rows are taken, such as those of one language.
    person, target : str
        Columns: the person and the region.
    run : str, optional
        Column with the run of a row. Default: all is one run, "1".
    sample : str
        What the names of the columns of samples begin with; a number from 1 follows (``T_``).
    targets : sequence of str
        Regions, in this order; those of the table that are not named here are left out.
    words : str
        Table of the words and times of a run, with ``{run}`` in it where there are several.
    word, onset, offset : str
        Columns of that table; times in seconds.
    skip : sequence of str
        Entries of that table that are not words; empty ones never are.
    until : float, optional
        Seconds: words that end later were not heard (the sound was cut) and are left out.
    first_sample, sampling_interval : float
        Seconds: sample k (from 0) of each run was taken at
        ``first_sample + k * sampling_interval`` on the clock of its words.
    language, modality, unit : str
        As in `brainlm.Stimulus` and `brainlm.Recording`.
    """

    path: str
    where: dict[str, str] = Field(default_factory=dict)
    person: str
    target: str
    run: str | None = None
    sample: str
    targets: Names
    words: str
    word: str = "word"
    onset: str = "onset"
    offset: str = "offset"
    skip: Names = ()
    until: float | None = None
    first_sample: float
    sampling_interval: float
    language: str
    modality: str
    unit: str

    @property
    def finds_subjects(self) -> bool:
        """A column names them."""
        return True

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the table, and that of the words where there is one run."""
        return (self.path,) if "{run}" in self.words else (self.path, self.words)

    def found_files(self, folder: Path, subject: str) -> tuple[str, ...]:
        """Return the table and those of the words of the subject's runs."""
        rows = _own_rows(folder, self, subject)
        return (self.path, *dict.fromkeys(_words_of(self, run) for run in _runs(rows, self)))

    def subjects(self, folder: Path) -> list[str]:
        """Return the people of the table, in its order."""
        return list(dict.fromkeys(_table(folder, self).texts(self.person)))


def read_region_rows(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read the words and the time courses of the regions of one person.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str
        The person, as named in the table.
    **options
        See `RegionRowsOptions`.

    Returns
    -------
    stimulus : Stimulus
        Words with times; a text per run.
    recording : Recording
        Shape (n_runs * n_samples, n_targets), runs in the order of their numbers.

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken, or a run has no row, or several, for a region.
    UnknownNameError
        There is no such person.
    """
    given = RegionRowsOptions.of(options)
    folder = Path(folder)
    rows = _own_rows(folder, given, subject)
    runs = _runs(rows, given)
    series = [_series(rows, given, run) for run in runs]
    stimulus, n_late = _read_words(folder, given, runs)
    n_samples = series[0].shape[0]
    times = given.first_sample + given.sampling_interval * np.arange(n_samples)
    late = Note(f"{n_late} words end after {given.until} s, where the sound was cut", "excluded")
    with naming(folder / given.path):
        return stimulus, Recording(
            np.vstack(series),
            targets=list(given.targets),
            modality=given.modality,
            unit=given.unit,
            times=np.tile(times, len(runs)),
            run=np.repeat(runs, n_samples).tolist(),
            subject=str(subject),
            notes=(late,) if n_late else (),
        )


def _table(folder: Path, given: RegionRowsOptions) -> Sheet:
    return read_sheet(folder / given.path).where(given.where)


def _own_rows(folder: Path, given: RegionRowsOptions, subject: str | None) -> Sheet:
    table = _table(folder, given)
    people = table.texts(given.person)
    if subject not in people:
        raise unknown_name("subject", subject, list(dict.fromkeys(people)))
    return table.take([i for i, name in enumerate(people) if name == subject])


def _runs(rows: Sheet, given: RegionRowsOptions) -> list[str]:
    """Return the runs, numbers in their order before other names."""
    names = set(rows.texts(given.run)) if given.run else {NO_RUN}
    return sorted(names, key=lambda name: (not name.isdigit(), len(name) * name.isdigit(), name))


def _series(rows: Sheet, given: RegionRowsOptions, run: str) -> np.ndarray:
    """Return the samples of a run, shape (n_samples, n_targets)."""
    if given.run:
        rows = rows.where({given.run: run})
    names = rows.texts(given.target)
    wrong = [name for name in given.targets if names.count(name) != 1]
    if wrong:
        raise CorruptDataError(
            f"{rows.path}: run {run!r} of these rows has {names.count(wrong[0])} rows for region "
            f"{wrong[0]!r}, not one; regions: {', '.join(sorted(set(names)))}"
        )
    n_samples = len([name for name in rows.header if _number(name, given.sample)])
    columns = [rows.numbers(f"{given.sample}{k + 1}") for k in range(n_samples)]
    if not columns:
        raise CorruptDataError(f"{rows.path}: no column is named {given.sample!r} and a number")
    return np.array(columns)[:, [names.index(name) for name in given.targets]]


def _number(name: str, start: str) -> bool:
    return name.startswith(start) and name[len(start) :].isdigit()


def _words_of(given: RegionRowsOptions, run: str) -> str:
    return given.words.replace("{run}", run)


def _read_words(folder: Path, given: RegionRowsOptions, runs: list[str]) -> tuple[Stimulus, int]:
    """Return the words that were heard, and how many the tables have after them."""
    stimulus, _ = read_word_times(
        folder,
        files=[_words_of(given, run) for run in runs],
        runs=runs,
        language=given.language,
        word=given.word,
        onset=given.onset,
        offset=given.offset,
        skip=["", *given.skip],
    )
    if given.until is None:
        return stimulus, 0
    heard = np.flatnonzero(stimulus.onset + stimulus.duration <= given.until)
    return stimulus.select(heard), stimulus.n_words - len(heard)
