"""Options of the reader of MEG, EEG, iEEG and fNIRS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from brainlm.io.events import EventsOptions
from brainlm.io.files import Names, ReaderOptions
from brainlm.io.run_files import choose_runs, fill, find_runs
from brainlm.io.story_matching import Heard
from brainlm.io.word_times import word_files


class EpochsOptions(ReaderOptions):
    """Epochs around word onsets.

    Attributes
    ----------
    tmin, tmax : float
        Seconds from the onset.
    baseline : pair of float, optional
        Seconds; its mean is subtracted. Default: none.
    decimate : int
        Only every so many samples are kept: low-pass before (``low_pass``).
    bin_width : float, optional
        Seconds, such as 0.1: means over bins instead of samples.
    reject : float, optional
        Largest range within an epoch, in the unit of the channels; epochs above it are left out
        and counted.
    """

    tmin: float = -0.2
    tmax: float = 1.0
    baseline: tuple[float, float] | None = Field(default=None, strict=False)
    decimate: Annotated[int, Field(ge=1)] = 1
    bin_width: float | None = None
    reject: float | None = None


class MeegOptions(ReaderOptions):
    """Options of `read_meeg`.

    Attributes
    ----------
    pattern : str
        Path of the recording of a run, with ``{subject}`` and if need be ``{session}``, ``{task}``
        and ``{run}`` in it (see `brainlm.io.run_files`): any format that mne reads.
    sidecars : bool
        Whether the files lie as BIDS wants it, so that mne-bids reads ``_channels.tsv`` (bad
        channels, types) and positions.
    channels : str
        Which channels become targets, by mne's name of their type: one of
        `brainlm.io.mne_objects.CHANNELS`, such as "mag", "eeg", "ecog", "seeg", "hbo", "pupil" or
        "gsr".
        Of fNIRS intensities, "fnirs_od" gives optical density, "hbo" and "hbr" the concentrations
        by the modified Beer-Lambert law (partial pathlength factor 6; noted).
    runs, n_runs
        As in `brainlm.io.bids.BidsOptions`.
    language : str
        Language code of the words.
    words : dict
        Options of `brainlm.io.read_word_times`: words that all subjects share, on the clock of
        the sound. Recordings come in their order, and runs are named as they are.
    heard
        As in `brainlm.io.bids.BidsOptions`.
    events : EventsOptions
        The ``_events.tsv`` of each run: with its words, or with the start of the sound.
    high_pass, low_pass : float, optional
        Hz, filtered before anything else.
    power : pair of float, optional
        Hz, such as [70, 150] for high gamma: the amplitude of this band takes the place of the
        signal (band-pass, then the envelope by Hilbert's transform). Line noise inside the band
        should be gone from the files.
    resample : float, optional
        Hz; for time series (of epochs, ``decimate``).
    epochs : EpochsOptions, optional
        Default: a time series.
    """

    pattern: str
    sidecars: bool = True
    channels: Literal[
        "mag", "grad", "eeg", "ecog", "seeg", "dbs", "hbo", "hbr", "fnirs_od", "pupil", "gsr"
    ]
    runs: Names = ()
    n_runs: int | None = None
    language: str
    words: dict[str, Any] = Field(default_factory=dict)
    heard: Heard = None
    events: EventsOptions
    high_pass: float | None = None
    low_pass: float | None = None
    power: tuple[float, float] | None = Field(default=None, strict=False)
    resample: float | None = None
    epochs: EpochsOptions | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> MeegOptions:
        if bool(self.words) == (self.events.word is not None):
            raise ValueError("give either words (shared files) or events.word (a column)")
        if self.words and not self.events.start:
            raise ValueError("words are on the clock of the sound: events.start says when it began")
        if self.power is not None and (self.high_pass, self.low_pass) != (None, None):
            raise ValueError("power already selects a band: remove high_pass and low_pass")
        if self.power is not None and not 0 < self.power[0] < self.power[1]:
            raise ValueError(f"power must be a band in Hz such as [70, 150], got {self.power}")
        if self.epochs is not None and self.resample is not None:
            raise ValueError("resample is for time series; epochs have decimate")
        return self

    def subjects(self, folder: Path) -> list[str]:
        """Return the subjects with at least one recording, sorted."""
        return sorted({subject for subject, _ in find_runs(folder, self.pattern)})

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the shared files, and the subject's where the options name the runs."""
        shared = word_files(self.words, self.language)
        if subject is None:
            return shared
        return (*(fill(self.pattern, subject, run) for run in self.runs), *shared)

    def found_files(self, folder: Path, subject: str) -> tuple[str, ...]:
        """Return the recordings of the subject's runs (every file of a folder) and the words."""
        files: list[str] = []
        for run in choose_runs(folder, self.pattern, subject, self.runs, self.n_runs):
            path = folder / fill(self.pattern, subject, run)
            parts = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
            files += [part.relative_to(folder).as_posix() for part in parts]
        return (*files, *word_files(self.words, self.language))
