"""BIDS fMRI: images of each run (volumes, CIFTI, surfaces), its sidecars, confounds and words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.io.confounds import ConfoundOptions, Confounds, read_confounds
from brainlm.io.files import Names, is_json_number, naming
from brainlm.io.images import (
    ImageSeries,
    changing,
    check_sampling_interval,
    load_image,
    open_cifti,
    open_surfaces,
    open_volumes,
    other_header,
    template_mask,
)
from brainlm.io.run_files import (
    RunFile,
    choose_runs,
    fill,
    find_runs,
    inherited,
    sidecar,
    subject_of,
)
from brainlm.io.sheets import read_sheet
from brainlm.io.story_matching import Heard, runs_heard
from brainlm.io.word_times import read_word_times, word_files
from brainlm.storage.downloads import check_content
from brainlm.storage.long_recordings import stack_blocks


class BidsOptions(ConfoundOptions):
    """Options of `read_bids`; those of `brainlm.io.confounds.ConfoundOptions` come on top.

    Attributes
    ----------
    pattern : str
        Path of the image of a run, with ``{subject}`` and ``{run}`` in it, if need be also
        ``{session}`` and ``{task}`` (see `brainlm.io.run_files`). A volume, a CIFTI time series
        (``.dtseries.nii``), or with ``{hemisphere}`` (L and R) a GIFTI surface (``.gii``).
    mask : str, optional
        Path of the mask image of volumes; may hold the same names.
    template_mask : bool
        Instead of ``mask``, for volumes in MNI space: the voxels in the brain of the MNI152
        template (see `brainlm.io.images.template_mask`).
    language : str
        Language code of the words.
    runs : sequence of str
        Names of the runs, in order. Default: all that are there, by number.
    n_runs : int, optional
        How many runs a subject must have.
    words : dict
        Options of `brainlm.io.read_word_times`: the words of each run in files that all
        subjects share. Recordings come in their order, and runs are named as they are.
    heard : {"by name", "in order"} or dict, optional
        Which run of ``words`` each recording belongs to, see
        `brainlm.io.story_matching.runs_heard`. Default: the one that ``stim_file`` in its events
        names, else the one of the same name.
    word : str, optional
        Instead of ``words``: column with the words in the ``_events.tsv`` that applies to a run.
    speaker : str, optional
        Column of the events with the speaker of each word.
    overlap : {"refuse", "allow"}
        Whether words in the events may overlap, as in talk; they are then put in the order of
        their onsets. (For ``words``, an option of `brainlm.io.read_word_times`.)
    skip : sequence of str
        Entries of the events that are not words.
    sampling_interval : float, optional
        Seconds. Default: ``RepetitionTime`` of the JSON sidecar and that of the headers, which must
        agree and lie within .05 to 20 s. A declared value overrides the headers.
    first_sample : float
        Time of the first volume on the clock of the words.
    constant : {"refuse", "leave out"}
        Targets without data (NaN, or one value throughout a run: the medial wall, voxels outside of
        the field of view) are an error when opened by a card, or left out and counted.
    unit : str
        Unit of the responses.
    """

    pattern: str
    mask: str | None = None
    template_mask: bool = False
    language: str
    runs: Names = ()
    n_runs: int | None = None
    words: dict[str, Any] = Field(default_factory=dict)
    heard: Heard = None
    word: str | None = None
    speaker: str | None = None
    overlap: Literal["refuse", "allow"] = "refuse"
    skip: Names = ()
    sampling_interval: float | None = None
    first_sample: float = 0.0
    constant: Literal["refuse", "leave out"] = "refuse"
    unit: str

    @model_validator(mode="after")
    def _is_complete(self) -> BidsOptions:
        if bool(self.words) == (self.word is not None):
            raise ValueError("give either words (shared files) or word (a column of the events)")
        is_volume = not self.pattern.endswith((".dtseries.nii", ".gii"))
        if is_volume != (self.mask is not None) + self.template_mask:
            raise ValueError(
                "volumes need mask or template_mask (one of them), and only volumes do"
            )
        if self.pattern.endswith(".gii") and "{hemisphere}" not in self.pattern:
            raise ValueError("pattern of a surface needs {hemisphere}, which is L and R")
        return self

    def subjects(self, folder: Path) -> list[str]:
        """Return the subjects with at least one image, sorted."""
        return sorted({subject for subject, _ in find_runs(folder, self.left)})

    @property
    def left(self) -> str:
        """The pattern, of the left hemisphere where there are two."""
        return self.pattern.replace("{hemisphere}", "L")

    def files(self, subject: str, run: str) -> tuple[str, ...]:
        """Return the image of a run, or its two hemispheres."""
        sides = ("L", "R") if "{hemisphere}" in self.pattern else ("",)
        return tuple(fill(self.pattern.replace("{hemisphere}", s), subject, run) for s in sides)

    def found_files(self, folder: Path, subject: str) -> tuple[str, ...]:
        """Return the images of the subject's runs, the masks and the words."""
        runs = choose_runs(folder, self.left, subject, self.runs, self.n_runs)
        images = [path for run in runs for path in self.files(subject, run)]
        masks = [fill(self.mask, subject, run, self.left) for run in runs] if self.mask else []
        return (*images, *dict.fromkeys(masks), *word_files(self.words, self.language))

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the shared files, and the subject's where the options name the runs."""
        shared = word_files(self.words, self.language)
        if self.mask is not None and "{" not in self.mask:
            shared = (self.mask, *shared)
        if subject is None:
            return shared
        return (*(path for run in self.runs for path in self.files(subject, run)), *shared)


def read_bids(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read the runs of one subject with the words of each run.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str
        As in the file names, with or without ``sub-``.
    **options
        See `BidsOptions`.

    Returns
    -------
    stimulus : Stimulus
        Words with times from the start of their run.
    recording : Recording
        Voxels of the mask, grayordinates or vertices (see `brainlm.io.images.ImageSeries`). Long
        recordings are mapped from the cache (`brainlm.storage.long_recordings`).

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken; grids, repetition times or numbers of volumes disagree; a run
        is missing or doubled; words lie after the last volume.
    UnknownNameError
        There is no such subject or column.
    """
    given = BidsOptions.of(options)
    folder = Path(folder)
    subject = subject_of(folder, given.left, subject)
    runs = choose_runs(folder, given.left, subject, given.runs, given.n_runs)
    subject = str(subject)
    shared = None
    if given.words:
        shared, _ = read_word_times(folder, language=given.language, **given.words)
        found = [RunFile(folder, given.left, subject, run) for run in runs]
        pairs = runs_heard(found, shared.runs, given.heard)
        runs, stories = [run.name for run, _ in pairs], [story for _, story in pairs]
        shared = shared.select(np.isin(shared.run, stories))
    series = [_open(folder, given, subject, run) for run in runs]
    paths = [each.sources[0] for each in series]
    for path, each in zip(paths, series, strict=True):
        if not each.same_targets(series[0]):
            raise CorruptDataError(f"{path}: its voxels or vertices are not those of {paths[0]}")
    step = _sampling_interval(folder, series, given.sampling_interval)
    stimulus = shared or _read_words(folder, given, paths, runs)
    notes = list(other_header(series, step))
    if given.constant == "leave out":
        with _broken(paths[0]):
            kept = changing(series)
        if not kept.any():
            raise CorruptDataError(f"{paths[0]}: no target changes in every run")
        series = [each.select(kept) for each in series]
        if not kept.all():
            notes.append(
                Note(
                    f"{int((~kept).sum())} of {len(kept)} targets without data left out", "excluded"
                )
            )
    confounds = [
        read_confounds(given, each.sources, _table(folder, given, subject, run), each.n_samples)
        for run, each in zip(runs, series, strict=True)
    ]
    rows = [
        np.arange(each.n_samples) if of_run is None else of_run.rows
        for each, of_run in zip(series, confounds, strict=True)
    ]
    notes += dict.fromkeys(note for each in confounds if each is not None for note in each.notes)
    blocks = (
        block
        for each, of_run in zip(series, confounds, strict=True)
        for block in _blocks(each, of_run)
    )
    digests = [of_run and of_run.digest for of_run in confounds]  # their files are not sources
    shape = (sum(map(len, rows)), len(series[0].targets))
    sources = [path for each in series for path in each.sources]
    with naming(paths[0]):
        recording = Recording(
            stack_blocks(blocks, shape, sources, (series[0].names, given, digests)),
            targets=series[0].targets,
            modality="fmri",
            unit=given.unit,
            times=np.concatenate([given.first_sample + step * kept for kept in rows]),
            run=np.repeat(stimulus.runs, [len(kept) for kept in rows]),
            subject=subject,
            notes=tuple(notes),
        )
    _check_ends(stimulus, recording, step, paths)
    return stimulus, recording


def _table(folder: Path, given: BidsOptions, subject: str, run: str) -> Path | None:
    if given.confounds is None:
        return None
    return folder / fill(given.confounds, subject, run, given.left)


@contextmanager
def _broken(path: Path) -> Iterator[None]:
    """Name the image in whatever nibabel raises: a broken file can raise nearly anything."""
    try:
        yield
    except (CorruptDataError, DataMissingError):
        raise
    except Exception as error:
        raise CorruptDataError(f"{path}: {error}") from error


def _open(folder: Path, given: BidsOptions, subject: str, run: str) -> ImageSeries:
    paths = [check_content(folder / name) for name in given.files(subject, run)]
    if given.template_mask:
        with _broken(paths[0]):
            return open_volumes(paths[0], template_mask(paths[0]))
    if given.mask is not None:
        mask = check_content(folder / fill(given.mask, subject, run, given.left))
        with _broken(mask):
            loaded = load_image(mask)
        with _broken(paths[0]):
            return open_volumes(paths[0], loaded)
    with _broken(paths[0]):
        return open_surfaces(*paths) if len(paths) == 2 else open_cifti(paths[0])


def _blocks(series: ImageSeries, confounds: Confounds | None) -> Iterator[np.ndarray]:
    with _broken(series.sources[0]):
        yield from series.blocks() if confounds is None else confounds.clean(series.blocks)


def _sampling_interval(folder: Path, series: list[ImageSeries], declared: float | None) -> float:
    """Return the repetition time: as declared, or that on which sidecars and headers agree.

    A declared value overrides the headers, which are often wrong after preprocessing. It must agree
    with the sidecars.
    """
    headers = {each.sources[0].name: each.sampling_interval for each in series}
    found: dict[str, float] = {name: step for name, step in headers.items() if step is not None}
    if declared is not None:
        found = {"the options": declared}
    for each in series:
        content = sidecar(folder, each.sources[0], "bold.json")
        if content:
            said = content.get("RepetitionTime")
            if not is_json_number(said):
                raise CorruptDataError(
                    f"{content['']}: has no RepetitionTime in seconds, but {said!r}"
                )
            found[content[""].name] = float(said)
    path = series[0].sources[0]
    if not found:
        raise CorruptDataError(
            f"{path}: no repetition time: write RepetitionTime (seconds) into its "
            ".json, or declare sampling_interval"
        )
    if max(found.values()) - min(found.values()) > 1e-3:
        times = ", ".join(f"{name} {step:g} s" for name, step in found.items())
        raise CorruptDataError(
            f"{path}: repetition times differ ({times}): fix the wrong file, or declare "
            "sampling_interval, which overrides the headers"
        )
    step = next(iter(found.values()))
    with _broken(path):
        return step if declared is not None else check_sampling_interval(step)


def _read_words(folder: Path, given: BidsOptions, paths: list[Path], runs: list[str]) -> Stimulus:
    found: list[tuple[str, float, float, str, str]] = []
    for path, run in zip(paths, runs, strict=True):
        events = inherited(folder, path, "events.tsv")
        if events is None:
            raise DataMissingError(f"{path}: no _events.tsv applies to it, beside it or above")
        sheet = read_sheet(events, quotes=False)
        position = sheet.position(str(given.word))
        texts = [str(row[position]).strip() for row in sheet.rows]
        rows = [i for i, text in enumerate(texts) if text not in {"", "n/a", *given.skip}]
        onset = sheet.numbers("onset")[rows]
        if given.overlap == "allow":
            rows = [rows[i] for i in np.argsort(onset, kind="stable")]
        told = sheet.take(rows)
        speaker = [""] * len(rows) if given.speaker is None else told.texts(given.speaker)
        found += zip(
            [texts[i] for i in rows],
            told.numbers("onset").tolist(),
            told.numbers("duration", ["n/a"]).tolist(),
            [run] * len(rows),
            speaker,
            strict=True,
        )
    if not found:
        raise CorruptDataError(f"{paths[0]}: its events hold no words in {given.word!r}")
    words, onsets, durations, run_of, speakers = zip(*found, strict=True)
    with naming(paths[0]):
        return Stimulus(
            words,
            given.language,
            onset=onsets,
            duration=durations,
            run=run_of,
            speaker=None if given.speaker is None else speakers,
            overlap=given.overlap,
        )


def _check_ends(stimulus: Stimulus, recording: Recording, step: float, paths: list[Path]) -> None:
    for run, path in zip(stimulus.runs, paths, strict=True):
        end = recording.times[recording.run == run][-1] + step
        late = np.flatnonzero((stimulus.run == run) & (stimulus.onset > end))
        if len(late):
            i = int(late[0])
            raise CorruptDataError(
                f"{path}: {len(late)} words begin after the last volume ends at {end:.2f} s (the "
                f"first: {stimulus.words[i]!r} at {stimulus.onset[i]:.2f} s): runs are mixed up, "
                "the image is cut off, or the clocks differ (first_sample)"
            )
