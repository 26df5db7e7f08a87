"""Epochs that others cut around words: files of mne with the words in their metadata."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, reading, unknown_name
from brainlm.io.fif import check_end
from brainlm.io.files import Names, ReaderOptions, check_subject, naming
from brainlm.io.mne_objects import from_epochs
from brainlm.storage.downloads import check_content


class EpochFilesOptions(ReaderOptions):
    """Options of `read_epoch_files`.

    Attributes
    ----------
    pattern : str
        Path of the epochs of a subject, with ``{subject}`` in it (``-epo.fif``).
    channels : str
        Which channels become targets, as in `brainlm.io.meeg_options.MeegOptions`.
    word : str
        Column of the metadata with the word of an epoch.
    before : sequence of str
        Columns with the words that were shown before it, in their order, such as the cue of a
        pair: language models read them, and no response belongs to them.
    covariates : dict of str to str
        Numbers of the words: name -> column of the metadata, see `read_covariates`.
    tmin, tmax : float, optional
        Seconds from the onset: only this part is kept.
    bin_width : float, optional
        Seconds, such as 0.1: means over bins instead of samples.
    language : str
        Language code of the words.
    """

    pattern: str
    channels: Literal["mag", "grad", "eeg", "ecog", "seeg", "dbs"]
    word: str
    before: Names = ()
    covariates: dict[str, str] = Field(default_factory=dict)
    tmin: float | None = None
    tmax: float | None = None
    bin_width: float | None = None
    language: str

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the file of the subject."""
        return () if subject is None else (self.pattern.replace("{subject}", subject),)


def read_epoch_files(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read the epochs of one subject and the words of their metadata.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str
        The subject, as named in the files.
    **options
        See `EpochFilesOptions`.

    Returns
    -------
    stimulus : Stimulus
        Words without times in the order of the epochs; each epoch with the words before it is a
        text. Items are the numbers of the epochs before any was rejected.
    recording : Recording
        A row per epoch, with the positions of the channels. Notes count the epochs that were
        rejected.

    Raises
    ------
    DataMissingError, CorruptDataError
        The file is missing or broken, holds no such channels or columns, or a word is empty.
    UnknownNameError
        There is no such subject.
    """
    import mne

    given, subject, path, epochs = _opened(folder, subject, options)
    with naming(path):
        if given.channels not in epochs.get_channel_types():
            kinds = ", ".join(sorted(set(epochs.get_channel_types())))
            raise ValueError(f"no channel is of type {given.channels!r}; there are: {kinds}")
        epochs.crop(given.tmin, given.tmax)
        items = epochs.selection.astype(str).tolist()
        stimulus = _pairs(path, epochs.metadata, items, given)
        with mne.use_log_level("error"):
            epochs.metadata = epochs.metadata.assign(item=items)
        recording = from_epochs(
            epochs, picks=given.channels, bin_width=given.bin_width, subject=subject
        )
    return stimulus, recording


def _opened(
    folder: Path | str, subject: str | None, options: dict[str, Any]
) -> tuple[EpochFilesOptions, str, Path, Any]:
    """Return options, subject, file and epochs of a subject."""
    given = EpochFilesOptions.of(options)
    folder = Path(folder)
    subject = check_subject(folder, given.pattern, subject)
    path = folder / given.paths(subject)[0]
    check_content(path)
    with naming(path):
        return given, subject, path, _open_epochs(path)


def _open_epochs(path: Path) -> Any:
    """Return the epochs of a file, with their metadata."""
    import mne

    check_end(path)
    # mne sets metadata in a way that pandas deprecates.
    with reading(path, "file of epochs"), warnings.catch_warnings(), mne.use_log_level("error"):
        warnings.simplefilter("ignore", DeprecationWarning)
        epochs = mne.read_epochs(path)
    if epochs.metadata is None:
        raise ValueError("the epochs have no metadata, which would name their words")
    return epochs


def read_covariates(
    folder: Path | str, subject: str | None = None, **options: Any
) -> dict[str, dict[str, float]]:
    """Read numbers of the words, such as association strengths, from the metadata of epochs.

    Parameters
    ----------
    folder, subject, **options
        As in `read_epoch_files`; ``covariates`` names the columns.

    Returns
    -------
    dict of str to dict of str to float
        Name of the covariate -> item of the stimulus -> value.

    Raises
    ------
    DataMissingError, CorruptDataError
        The file is missing or broken, or a value is no finite number.
    UnknownNameError
        There is no such subject or column.
    """
    given, _, path, epochs = _opened(folder, subject, options)
    found = {}
    for name, column in given.covariates.items():
        if column not in epochs.metadata:
            names = list(map(str, epochs.metadata.columns))
            raise unknown_name("column of the metadata", column, names)
        values = pd.to_numeric(epochs.metadata[column], errors="coerce").to_numpy(float)
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise CorruptDataError(
                f"{path}: {column!r} of epoch {epochs.selection[row]} is "
                f"{epochs.metadata[column].iloc[row]!r}, no number: leave the covariate out"
            )
        found[name] = dict(zip(epochs.selection.astype(str), values.tolist(), strict=True))
    return found


def _pairs(path: Path, table: Any, items: list[str], given: EpochFilesOptions) -> Stimulus:
    """Return the words of each epoch after those before it."""
    names = (*given.before, given.word)
    for name in names:
        if name not in table:
            raise unknown_name("column of the metadata", name, list(map(str, table.columns)))
        empty = np.flatnonzero([not isinstance(w, str) or not w.strip() for w in table[name]])
        if len(empty):
            raise CorruptDataError(f"{path}: {name!r} of epoch {items[empty[0]]} is empty")
    rows = [
        (item, name, word)
        for item, row in zip(items, table[list(names)].to_numpy(), strict=True)
        for name, word in zip(names, row, strict=True)
    ]
    return Stimulus(
        [word.strip() for _, _, word in rows],
        given.language,
        text=[item for item, _, _ in rows],
        item=[item if name == given.word else f"{item}/{name}" for item, name, _ in rows],
        context_only=[name != given.word for _, name, _ in rows] if given.before else None,
    )
