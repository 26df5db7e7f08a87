"""BIDS MEG, EEG, iEEG and fNIRS through mne and mne-bids: epochs around words, or time series."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.compute.memory import check_memory
from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError
from brainlm.io.events import read_events, read_start
from brainlm.io.fif import check_end, check_frames
from brainlm.io.files import naming
from brainlm.io.meeg_options import MeegOptions
from brainlm.io.mne_objects import epoch_words, from_epochs, from_raw
from brainlm.io.run_files import RunFile, choose_runs, subject_of
from brainlm.io.story_matching import runs_heard
from brainlm.io.word_times import read_word_times
from brainlm.storage.downloads import check_content
from brainlm.storage.long_recordings import stack_blocks

CUT_OFF = re.compile("does not match the file size|[Ii]nvalid tag|truncated|corrupt|incomplete")
PATHLENGTH = 6.0  # partial pathlength factor of the Beer-Lambert law, mne's default


def read_meeg(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read the MEG or EEG of one subject with the words of each run.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str
        As in the file names, with or without ``sub-``.
    **options
        See `MeegOptions`.

    Returns
    -------
    stimulus : Stimulus
        Words with times from the first sample of the file of their run; each is an item.
    recording : Recording
        A row per word (epochs) or per sample, with the positions of the channels. Its notes count
        what was rejected and tell what was repaired.

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken; a run is missing or doubled; there is no start of the sound, or
        more than one; words are outside the recording; channels differ between runs.
    UnknownNameError
        There is no such subject or column.
    """
    given = MeegOptions.of(options)
    folder = Path(folder)
    subject = subject_of(folder, given.pattern, subject)
    runs = choose_runs(folder, given.pattern, subject, given.runs, given.n_runs)
    found = [RunFile(folder, given.pattern, str(subject), name) for name in runs]
    shared: list[Stimulus | None] = [None] * len(found)
    if given.words:
        words, _ = read_word_times(folder, language=given.language, **given.words)
        pairs = runs_heard(found, words.runs, given.heard)
        found = [run for run, _ in pairs]
        shared = [words.select(words.run == story) for _, story in pairs]
    paths = [run.path for run in found]
    raws = [_open_raw(path, given) for path in paths]
    stimuli, notes = [], []
    for run, raw, part in zip(found, raws, shared, strict=True):
        stimulus, remarks = _words_of_run(given, run, raw, part)
        stimuli.append(stimulus)
        notes += remarks
    stimulus = Stimulus.concatenate(stimuli)
    prepare = _series if given.epochs is None else _epochs
    with naming(paths[0]):
        recording = prepare(given, str(subject), paths, raws, stimuli)
    return stimulus, recording.noted(*dict.fromkeys(notes))


def _open_raw(path: Path, given: MeegOptions) -> Any:
    """Open a recording without reading its samples, with the channels of one type."""
    import mne
    import mne_bids

    if not path.is_dir():  # CTF recordings are folders
        check_content(path)
    try:
        with warnings.catch_warnings(record=True) as remarks:
            warnings.simplefilter("always")
            if given.sidecars:
                bids_path = mne_bids.get_bids_path_from_fname(path, verbose="warning")
                raw = mne_bids.read_raw_bids(bids_path, verbose="warning")
            else:
                raw = mne.io.read_raw(path, verbose="warning")
        for remark in remarks:  # mne only warns about these and goes on with what is there
            if CUT_OFF.search(str(remark.message)):
                raise ValueError(str(remark.message))
        for name in raw.filenames:
            if str(name).endswith(".fif"):
                check_end(Path(str(name)))
            elif path.suffix == ".vhdr":
                check_frames(Path(str(name)), raw)
        raw = _haemoglobin(raw, given.channels)
        names = [raw.ch_names[i] for i in mne.channel_indices_by_type(raw.info)[given.channels]]
        kept = [name for name in names if name not in raw.info["bads"]]
        if kept:
            return raw.pick(kept, verbose="error")
    except Exception as error:  # a broken file can raise nearly anything
        advice = " (or set sidecars = false, if it does not lie as BIDS wants it)"
        raise CorruptDataError(
            f"{path}: not a readable recording ({type(error).__name__}: {error}); fetch it again"
            f"{advice if given.sidecars else ''}"
        ) from error
    raise CorruptDataError(
        f"{path}: has no good channel of type {given.channels!r}; types: "
        f"{sorted(set(raw.get_channel_types()))}"
    )


def _haemoglobin(raw: Any, channels: str) -> Any:
    """Convert fNIRS intensities to the optical density or concentration that was asked for."""
    from mne.preprocessing import nirs

    if "fnirs_cw_amplitude" in raw and channels in ("fnirs_od", "hbo", "hbr"):
        raw = nirs.optical_density(raw.load_data(verbose="error"), verbose="error")
    if "fnirs_od" in raw and channels in ("hbo", "hbr"):
        raw = nirs.beer_lambert_law(raw, ppf=PATHLENGTH)
    return raw


def _words_of_run(
    given: MeegOptions, run: RunFile, raw: Any, shared: Stimulus | None
) -> tuple[Stimulus, list[str]]:
    """Return the words on the clock of the first sample of the file, and notes."""
    notes: list[str] = []
    length = raw.n_times / raw.info["sfreq"]
    first = raw.first_samp / raw.info["sfreq"]
    events = read_events(given.events, run, first)
    if shared is None:
        words, onset, duration = events.words()
    else:
        start, notes = read_start(events, run)
        words, onset, duration = shared.words, shared.onset + start, shared.duration
    outside = (onset < 0) | (onset > length)
    if outside.any():
        i = int(np.argmax(outside))
        raise CorruptDataError(
            f"{run.path}: {int(outside.sum())} of {len(words)} words are outside the recording "
            f"of {length:.2f} s (the first: {words[i]!r} at {onset[i]:.2f} s; the file begins "
            f"{first:.2f} s after the acquisition): declare events.clock = 'acquisition' if onsets "
            "count from its start, or mend the start of the sound"
        )
    name = run.name if shared is None else shared.runs[0]
    with naming(run.path):
        stimulus = Stimulus(
            words,
            given.language,
            onset=onset,
            duration=duration,
            run=[name] * len(words),
            item=[f"{name}#{i + 1}" for i in range(len(words))],
        )
    return stimulus, notes


def _filtered(raw: Any, given: MeegOptions) -> Any:
    """Return the recording of a run in memory, filtered and resampled."""
    n_bytes = len(raw.ch_names) * raw.n_times * 8
    check_memory(3 * n_bytes, "filtering a run", "read fewer channels, or cut it into runs")
    raw = raw.copy().load_data(verbose="error")
    if given.high_pass is not None or given.low_pass is not None:
        raw.filter(given.high_pass, given.low_pass, verbose="error")
    if given.power is not None:
        raw.filter(*given.power, verbose="error")
        raw.apply_hilbert(envelope=True, verbose="error")
    if given.resample is not None:
        raw.resample(given.resample, verbose="error")
    return raw


def _preparation(given: MeegOptions) -> tuple[str, ...]:
    filters = [
        f"{name} {value:g} Hz"
        for name, value in (
            ("high-pass", given.high_pass),
            ("low-pass", given.low_pass),
            ("resampled to", given.resample),
        )
        if value is not None
    ]
    if given.power is not None:
        filters.insert(0, f"amplitude of {given.power[0]:g} to {given.power[1]:g} Hz")
    notes = [f"filtered by mne: {', '.join(filters)}"] if filters else []
    if given.channels in ("hbo", "hbr"):
        notes.append(f"concentrations by mne, partial pathlength factor {PATHLENGTH:g}")
    return tuple(notes)


def _epochs(
    given: MeegOptions, subject: str, paths: list[Path], raws: list[Any], stimuli: list[Stimulus]
) -> Recording:
    """Return one row per word that is left."""
    wanted = given.epochs
    assert wanted is not None
    parts: list[Recording] = []
    n_words = n_edge = n_rejected = 0
    for path, raw, stimulus in zip(paths, raws, stimuli, strict=True):
        last = (raw.n_times - 1) / raw.info["sfreq"]
        fits = (stimulus.onset + wanted.tmin >= 0) & (stimulus.onset + wanted.tmax <= last)
        if not fits.any():
            raise CorruptDataError(f"{path}: no epoch of its {len(fits)} words fits into the file")
        inside = stimulus.select(fits)
        epochs = epoch_words(
            _filtered(raw, given),
            inside,
            tmin=wanted.tmin,
            tmax=wanted.tmax,
            baseline=wanted.baseline,
            decimate=wanted.decimate,
            reject=None if wanted.reject is None else {given.channels: wanted.reject},
        )
        if len(epochs) == 0:
            raise CorruptDataError(f"{path}: every epoch was rejected (reject = {wanted.reject})")
        part = from_epochs(epochs, inside, bin_width=wanted.bin_width, subject=subject)
        if parts and part.target_names.tolist() != parts[0].target_names.tolist():
            raise CorruptDataError(f"{path}: its channels are not those of {paths[0]}")
        n_words, n_edge = n_words + len(fits), n_edge + int((~fits).sum())
        n_rejected += inside.n_words - part.n_samples
        parts.append(part)
    notes = [
        *_preparation(given),
        *parts[0].notes[1:],  # the bins; drops are counted over all runs below
        Note(
            f"{n_rejected} of {n_words} epochs rejected, {n_edge} too close to the edge of a run",
            "excluded",
        ),
    ]
    return Recording(
        np.concatenate([part.data for part in parts]),
        targets=parts[0].targets,
        modality=parts[0].modality,
        unit=parts[0].unit,
        items=np.concatenate([part.items for part in parts]),
        run=np.concatenate(
            [
                np.repeat(stimulus.runs, part.n_samples)
                for stimulus, part in zip(stimuli, parts, strict=True)
            ]
        ),
        subject=subject,
        notes=tuple(notes),
    )


def _series(
    given: MeegOptions, subject: str, paths: list[Path], raws: list[Any], stimuli: list[Stimulus]
) -> Recording:
    """Return the time series; a run at a time is in memory."""
    if any(raw.ch_names != raws[0].ch_names for raw in raws):
        raise CorruptDataError(f"{paths[0]}: channels differ between the runs")
    rates = [raw.info["sfreq"] for raw in raws]
    if len(set(rates)) > 1 and given.resample is None:
        raise CorruptDataError(f"{paths[0]}: sampling rates differ: {rates}; declare resample")
    rate = given.resample or rates[0]
    lengths = [round(raw.n_times * rate / raw.info["sfreq"]) for raw in raws]

    def blocks() -> Iterator[np.ndarray]:
        for raw in raws:
            yield _filtered(raw, given).get_data().T

    head = from_raw(raws[0].copy().crop(0, 1 / rates[0]), subject=subject)
    files = [part for path in paths for part in ([path] if path.is_file() else path.rglob("*"))]
    data = stack_blocks(
        blocks(), (sum(lengths), len(head.targets)), [f for f in files if f.is_file()], given
    )
    return Recording(
        data,
        targets=head.targets,
        modality=head.modality,
        unit=head.unit,
        times=np.concatenate([np.arange(n) / rate for n in lengths]),
        run=np.repeat([stimulus.runs[0] for stimulus in stimuli], lengths),
        subject=subject,
        notes=_preparation(given),
    )
