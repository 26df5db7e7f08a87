"""BIDS fMRI: one 4-D image per run, its mask, sidecar and confounds, and the words of each run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from brainlm.downloads import check_content
from brainlm.errors import CorruptDataError, DataMissingError, unknown_name
from brainlm.readers.brain_maps import read_volume
from brainlm.readers.files import Names, ReaderOptions, naming, read_text
from brainlm.readers.sheets import read_sheet
from brainlm.readers.word_times import read_word_times
from brainlm.recording import Recording
from brainlm.series import read_masked, stack_blocks
from brainlm.stimulus import Stimulus

__all__ = ["BidsOptions", "read_bids"]


class BidsOptions(ReaderOptions):
    """Options of `read_bids`.

    Attributes
    ----------
    pattern : str
        Path of the image of a run, with ``{subject}`` and ``{run}`` in it.
    mask : str
        Path of the mask image; may hold ``{subject}``.
    language : str
        Language code of the words.
    runs : sequence of str
        What stands for ``{run}``, in order. Default: all that are there, by number.
    n_runs : int, optional
        How many runs a subject must have. Where run numbers differ between subjects, the k-th run
        of a subject belongs to the k-th run of the words.
    words : dict
        Options of `brainlm.readers.read_word_times`: the words of each run in files that all
        subjects share.
    word : str, optional
        Instead of ``words``: column with the words in the ``_events.tsv`` beside each image.
    skip : sequence of str
        Entries of the events that are not words.
    sampling_interval : float, optional
        Seconds. Default: ``RepetitionTime`` of the JSON sidecar.
    first_sample : float
        Time of the first volume on the clock of the words.
    confounds : str, optional
        Path of a table of confounds, with ``{subject}`` and ``{run}`` in it.
    regress_out : sequence of str
        Columns of it that are regressed out of the run, with its mean (noted).
    unit : str
        Unit of the responses.
    """

    pattern: str
    mask: str
    language: str
    runs: Names = ()
    n_runs: int | None = None
    words: dict[str, Any] = Field(default_factory=dict)
    word: str | None = None
    skip: Names = ()
    sampling_interval: float | None = None
    first_sample: float = 0.0
    confounds: str | None = None
    regress_out: Names = ()
    unit: str

    @model_validator(mode="after")
    def _is_complete(self) -> BidsOptions:
        if bool(self.words) == (self.word is not None):
            raise ValueError("give either words (shared files) or word (a column of the events)")
        if bool(self.regress_out) != (self.confounds is not None):
            raise ValueError("confounds and regress_out go together: give both or neither")
        return self

    def subjects(self, folder: Path) -> list[str]:
        """Return the subjects with at least one image, sorted."""
        return sorted({subject for subject, _ in _images(folder, self.pattern)})

    def found_files(self, folder: Path, subject: str) -> tuple[str, ...]:
        """Return the images of the subject's runs, the mask and the words."""
        images = [_fill(self.pattern, subject, run) for run in _runs(folder, self, subject)]
        shared = [path for path in self.paths(None) if path != self.mask]
        return (*images, self.mask.replace("{subject}", subject), *shared)

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the shared files, and the subject's where the options name the runs."""
        shared = tuple(self.words.get("files", ()))
        if "{subject}" not in self.mask:
            shared = (self.mask, *shared)
        if subject is None:
            return shared
        return (*(_fill(self.pattern, subject, run) for run in self.runs), *shared)


def _fill(pattern: str, subject: str, run: str) -> str:
    return pattern.replace("{subject}", subject).replace("{run}", run)


def _images(folder: Path, pattern: str) -> list[tuple[str, str]]:
    """Return (subject, run) of all images, runs in the order of their numbers."""
    expression = re.escape(pattern)
    for name in ("subject", "run"):
        first, _, rest = expression.partition(re.escape("{" + name + "}"))
        expression = f"{first}(?P<{name}>[^/_]+){rest}" if rest or first != expression else first
        expression = expression.replace(re.escape("{" + name + "}"), f"(?P={name})")
    found = []
    for path in folder.glob(re.sub(r"\{[a-z]+\}", "*", pattern)):
        match = re.fullmatch(expression, path.relative_to(folder).as_posix())
        if match:
            groups = match.groupdict()
            found.append((groups["subject"], groups.get("run", "")))
    return sorted(found, key=lambda key: (key[0], len(key[1]), key[1]))


def read_bids(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read the runs of one subject through a mask, with the words of each run.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str
        As in the file names, without ``sub-``.
    **options
        See `BidsOptions`.

    Returns
    -------
    stimulus : Stimulus
        Words with times from the start of their run.
    recording : Recording
        Voxels of the mask, named by their indices, with positions in millimetres. Long recordings
        are mapped from the cache (`brainlm.series`).

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken; grids, repetition times or numbers of volumes disagree; a run
        is missing or doubled; words lie after the last volume.
    UnknownNameError
        There is no such subject or column.
    """
    given = BidsOptions.model_validate(options, strict=False)
    folder = Path(folder)
    runs = _runs(folder, given, subject)
    subject = str(subject)
    paths = [folder / _fill(given.pattern, subject, run) for run in runs]
    mask_path = folder / given.mask.replace("{subject}", subject)
    mask, affine = read_volume(mask_path)
    if affine is None or not (mask > 0).any():
        raise CorruptDataError(f"{mask_path}: no volume, or no voxel above 0")
    kept = mask > 0
    images = [_load(path) for path in paths]
    for path, image in zip(paths, images, strict=True):
        _check_image(path, image, kept, affine)
    step = _sampling_interval(paths, images, given.sampling_interval)
    counts = [image.shape[3] for image in images]
    stimulus = _read_words(folder, given, paths, runs)
    voxels = np.argwhere(kept)
    blocks = _all_blocks(folder, given, subject, list(zip(runs, paths, images, strict=True)), kept)
    labels = stimulus.runs
    with naming(paths[0]):
        recording = Recording(
            stack_blocks(blocks, (sum(counts), len(voxels)), paths, (kept.tobytes(), given)),
            targets=[",".join(map(str, voxel)) for voxel in voxels.tolist()],
            modality="fmri",
            unit=given.unit,
            times=np.concatenate([given.first_sample + step * np.arange(n) for n in counts]),
            run=np.repeat(labels, counts),
            subject=subject,
            notes=_notes(given),
            positions=voxels @ affine[:3, :3].T + affine[:3, 3],
        )
    _check_ends(stimulus, recording, step, paths)
    return stimulus, recording


def _notes(given: BidsOptions) -> tuple[str, ...]:
    if not given.regress_out:
        return ()
    names = ", ".join(given.regress_out)
    return (f"regressed out of each run, with the mean: {names}; a missing first difference is 0",)


def _runs(folder: Path, given: BidsOptions, subject: str | None) -> list[str]:
    found = _images(folder, given.pattern)
    if not found:
        raise DataMissingError(f"{folder}: no image matches {given.pattern!r}")
    runs = [run for name, run in found if name == subject]
    if not runs:
        raise unknown_name("subject", subject, dict.fromkeys(name for name, _ in found))
    lacking = [run for run in given.runs if run not in runs]
    if lacking:
        raise DataMissingError(f"{folder}: subject {subject!r} lacks the runs {lacking}")
    runs = list(given.runs) or runs
    if given.n_runs is not None and len(runs) != given.n_runs:
        raise CorruptDataError(
            f"{folder}: subject {subject!r} has {len(runs)} runs ({', '.join(runs)}), expected "
            f"{given.n_runs}: one is missing or doubled"
        )
    return runs


def _load(path: Path) -> Any:
    import nibabel as nib

    check_content(path)
    try:
        return nib.load(path, keep_file_open=True)
    except Exception as error:  # a broken header can raise nearly anything
        raise CorruptDataError(f"{path}: not a readable image ({error}); fetch it again") from error


def _check_image(path: Path, image: Any, mask: np.ndarray, affine: np.ndarray) -> None:
    if len(image.shape) != 4:
        raise CorruptDataError(f"{path}: expected volumes over time, got shape {image.shape}")
    if image.shape[:3] != mask.shape[:3] or not np.allclose(image.affine, affine, atol=1e-3):
        raise CorruptDataError(
            f"{path}: grid {image.shape[:3]}, the mask {mask.shape[:3]}, or their affines differ: "
            "take the mask of the same space, or resample it (nilearn.image.resample_to_img)"
        )


def _sampling_interval(paths: list[Path], images: list[Any], declared: float | None) -> float:
    """Return the repetition time, on which sidecars, headers and the card must agree."""
    steps = {}
    for path, image in zip(paths, images, strict=True):
        header = float(image.header.get_zooms()[3])
        sidecar = path.with_name(path.name.split(".")[0] + ".json")
        if sidecar.exists():
            try:
                steps[sidecar.name] = float(json.loads(read_text(sidecar))["RepetitionTime"])
            except (ValueError, KeyError, TypeError) as error:
                raise CorruptDataError(f"{sidecar}: has no RepetitionTime ({error!r})") from error
        elif header > 0 and declared is None:
            steps[path.name] = header
    if declared is not None:
        steps["the options"] = declared
    if not steps:
        raise CorruptDataError(f"{paths[0]}: no repetition time: declare sampling_interval")
    if max(steps.values()) - min(steps.values()) > 1e-3:
        raise CorruptDataError(f"{paths[0]}: repetition times differ: {steps}")
    return next(iter(steps.values()))


def _all_blocks(
    folder: Path,
    given: BidsOptions,
    subject: str,
    runs: list[tuple[str, Path, Any]],
    kept: np.ndarray,
) -> Iterator[np.ndarray]:
    for run, path, image in runs:
        try:
            if given.confounds is None:
                yield from read_masked(image, kept)
                continue
            whole = np.concatenate(list(read_masked(image, kept)))
        except (OSError, ValueError, EOFError) as error:
            raise CorruptDataError(f"{path}: broken ({error}); fetch it again") from error
        yield _without_confounds(whole, folder / _fill(given.confounds, subject, run), given)


# Confounds of fMRIPrep that are differences between neighbouring volumes.
DIFFERENCES = re.compile(r"derivative1|framewise_displacement|dvars|rmsd")


def _without_confounds(data: np.ndarray, path: Path, given: BidsOptions) -> np.ndarray:
    """Return the residuals of a least-squares fit of the confounds and the mean."""
    sheet = read_sheet(path)
    columns = [sheet.numbers(name, ["n/a"]) for name in given.regress_out]
    table = np.column_stack([np.ones(len(sheet.rows)), *columns])
    if len(table) != len(data):
        raise CorruptDataError(
            f"{path}: {len(table)} rows for {len(data)} volumes: they are of different versions of "
            "the run (volumes dropped at the start?)"
        )
    missing = [
        name for name, column in zip(given.regress_out, columns, strict=True) if np.isnan(column[0])
    ]
    if all(DIFFERENCES.search(name) for name in missing):
        # A difference has no first value; nilearn puts 0 there, too. The notes say so.
        table[0] = np.nan_to_num(table[0])
    if np.isnan(table).any():
        raise CorruptDataError(
            f"{path}: missing values (n/a) in {', '.join(given.regress_out)}; only the first value "
            "of a difference (derivative, displacement, DVARS, RMSD) may be missing"
        )
    weights, *_ = np.linalg.lstsq(table, data, rcond=None)
    return data - table @ weights


def _read_words(folder: Path, given: BidsOptions, paths: list[Path], runs: list[str]) -> Stimulus:
    if given.words:
        stimulus, _ = read_word_times(folder, language=given.language, **given.words)
        if len(stimulus.runs) != len(paths):
            raise CorruptDataError(
                f"{paths[0]}: {len(paths)} runs of images, {len(stimulus.runs)} of words"
            )
        return stimulus
    words, onset, duration, run_of = [], [], [], []
    for path, run in zip(paths, runs, strict=True):
        events = path.with_name(re.sub(r"_bold\.nii(\.gz)?$", "_events.tsv", path.name))
        sheet = read_sheet(events)
        position = sheet.position(str(given.word))
        texts = [str(row[position]).strip() for row in sheet.rows]
        rows = [i for i, text in enumerate(texts) if text not in {"", "n/a", *given.skip}]
        words += [texts[i] for i in rows]
        onset.append(sheet.numbers("onset")[rows])
        duration.append(sheet.numbers("duration", ["n/a"])[rows])
        run_of += [run] * len(rows)
    with naming(paths[0]):
        return Stimulus(
            words,
            given.language,
            onset=np.concatenate(onset),
            duration=np.concatenate(duration),
            run=run_of,
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
