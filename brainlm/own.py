"""Your own data: from tables, images and mne objects to a Stimulus and a Recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.recording import Recording
from brainlm.series import read_masked, stack_blocks
from brainlm.stimulus import Stimulus

if TYPE_CHECKING:
    import mne
    import pandas as pd

__all__ = [
    "epoch_words",
    "event_onsets",
    "from_epochs",
    "from_image",
    "from_raw",
    "from_tables",
]

WORD_COLUMNS = ("word", "onset", "duration", "run", "text", "sentence", "item")


def from_tables(
    words: pd.DataFrame,
    responses: pd.DataFrame,
    *,
    language: str,
    modality: str,
    unit: str,
    subject: str = "group",
    missing: str = "refuse",
) -> tuple[Stimulus, Recording]:
    """Make a stimulus and a recording from two data frames.

    Parameters
    ----------
    words : DataFrame
        A row per word; the column ``word`` and, where there are any, ``onset`` and ``duration`` in
        seconds, ``run``, ``text``, ``sentence`` and ``item``. No other column.
    responses : DataFrame
        A row per sample. Either ``time`` (seconds in the run, on the clock of the words) or
        ``item`` says what a row belongs to; ``run`` may be given. Every other column is a target.
    language, modality, unit, subject, missing
        As in `Stimulus` and `Recording`.

    Returns
    -------
    stimulus : Stimulus
    recording : Recording

    Raises
    ------
    ValueError
        When a column is missing, unknown or no number, or an item or run is not in the words.
    """
    _check_columns("words", words, ("word",), WORD_COLUMNS)
    given = {name: words[name].to_numpy() for name in WORD_COLUMNS[1:] if name in words}
    stimulus = Stimulus(words["word"].to_numpy(), language, **given)
    clock = [name for name in ("time", "item") if name in responses]
    if len(clock) != 1:
        raise ValueError("responses: give exactly one of the columns 'time' and 'item'")
    names = [name for name in responses.columns if name not in ("time", "item", "run")]
    texts = [name for name in names if responses[name].dtype.kind not in "iuf"]
    if texts:
        raise ValueError(f"responses: columns {texts} are no numbers: drop or convert them")
    recording = Recording(
        responses[names].to_numpy(dtype=float),
        targets=names,
        modality=modality,
        unit=unit,
        times=responses["time"].to_numpy() if clock == ["time"] else None,
        items=responses["item"].to_numpy() if clock == ["item"] else None,
        run=responses["run"].to_numpy() if "run" in responses else None,
        subject=subject,
        missing=missing,
    )
    _check_labels(stimulus, recording)
    return stimulus, recording


def _check_columns(
    argument: str, table: pd.DataFrame, needed: tuple[str, ...], known: tuple[str, ...]
) -> None:
    lacking = [name for name in needed if name not in table]
    unknown = [name for name in table.columns if name not in known]
    if lacking or unknown:
        raise ValueError(
            f"{argument}: lacks the columns {lacking}, does not know {unknown}; columns are "
            f"{', '.join(known)}"
        )


def _check_labels(stimulus: Stimulus, recording: Recording) -> None:
    """Raise when a response belongs to an item or run that the words do not have."""
    if recording.items is None:
        lacking = sorted(set(recording.runs) - set(stimulus.runs))
        kind = "run"
    else:
        lacking = sorted(set(recording.items) - set(stimulus.item))
        kind = "item"
    if lacking:
        raise ValueError(
            f"responses: {len(lacking)} {kind}s are not in the words (the first: {lacking[0]!r}): "
            "give both tables the same labels"
        )


def from_image(
    image: Any,
    mask: Any,
    sampling_interval: float,
    *,
    labels: Any = None,
    first_sample: float = 0.0,
    run: str = "1",
    subject: str = "group",
    unit: str = "BOLD (a.u.)",
) -> Recording:
    """Make a recording from a 4-D image and a mask; volumes are read in blocks.

    Parameters
    ----------
    image : path or nibabel image of shape (n_x, n_y, n_z, n_samples)
    mask : path or nibabel image of shape (n_x, n_y, n_z)
        Voxels above 0 are kept, or averaged by region where ``labels`` are given.
    sampling_interval : float
        Seconds between volumes (TR).
    labels : path or nibabel image, optional
        Region number of each voxel, 0 outside; targets are then the means of regions.
    first_sample : float
        Time of the first volume on the clock of the words.
    run, subject, unit : str
        As in `Recording`.

    Returns
    -------
    Recording
        Modality ``"fmri"``; targets are voxels named by their indices ("x,y,z"), with positions in
        millimetres, or region numbers.

    Raises
    ------
    ValueError
        When grids differ, or the mask is empty.
    """
    image, mask = _loaded(image), _loaded(mask)
    kept = np.asanyarray(mask.dataobj).squeeze() > 0
    if len(image.shape) != 4:
        raise ValueError(f"image must be 4-D, got shape {image.shape}")
    _check_same_grid(image, mask, "mask")
    regions = None
    if labels is not None:
        labels = _loaded(labels)
        _check_same_grid(image, labels, "labels")
        numbers = np.asanyarray(labels.dataobj).squeeze()
        kept = kept & (numbers > 0)
        regions = numbers[kept]
    if not kept.any():
        raise ValueError("mask is empty: no voxel is above 0 (and has a label)")
    voxels = np.argwhere(kept)
    names = [",".join(map(str, voxel)) for voxel in voxels.tolist()]
    positions = voxels @ image.affine[:3, :3].T + image.affine[:3, 3]
    if regions is not None:
        names = [f"{number:g}" for number in np.unique(regions).tolist()]
        positions = np.stack([positions[regions == r].mean(axis=0) for r in np.unique(regions)])
    return Recording(
        _series(image, kept, regions, len(names)),
        targets=names,
        modality="fmri",
        unit=unit,
        times=first_sample + sampling_interval * np.arange(image.shape[3]),
        run=[run] * image.shape[3],
        subject=subject,
        positions=positions,
    )


def _loaded(image: Any) -> Any:
    import nibabel as nib

    # The file stays open, so that a compressed one is read once through and not again per block.
    return nib.load(image, keep_file_open=True) if isinstance(image, (str, Path)) else image


def _series(image: Any, kept: np.ndarray, regions: np.ndarray | None, width: int) -> np.ndarray:
    path = image.get_filename()
    blocks = read_masked(image, kept, regions)
    shape = (image.shape[3], width)
    if path is None:  # made in memory, so it fits there
        return np.concatenate(list(blocks)).astype(np.float32)
    key = (kept.tobytes(), None if regions is None else regions.tobytes())
    return stack_blocks(blocks, shape, [Path(path)], key)


def _check_same_grid(image: Any, other: Any, name: str) -> None:
    if image.shape[:3] != tuple(other.shape[:3]) or not np.allclose(
        image.affine, other.affine, atol=1e-3
    ):
        raise ValueError(
            f"{name} has grid {other.shape[:3]} and the image {image.shape[:3]}, or their affines "
            "differ: resample one to the other (nilearn.image.resample_to_img)"
        )


def event_onsets(events: Any, raw: mne.io.BaseRaw) -> np.ndarray:
    """Return the seconds from the first sample of ``raw`` at which events happened.

    mne counts event samples from the start of the acquisition, which is ``raw.first_samp`` samples
    before the first one of the file.

    Parameters
    ----------
    events : int array of shape (n_events, 3)
        As `mne.find_events` gives them.
    raw : mne.io.Raw

    Raises
    ------
    ValueError
        When an event lies outside of the file, as it does when ``first_samp`` was subtracted
        before, or the events belong to another file.
    """
    samples = np.asarray(events)[:, 0]
    outside = (samples < raw.first_samp) | (samples > raw.last_samp)
    if outside.any():
        raise ValueError(
            f"events: {int(outside.sum())} of {len(samples)} lie outside of the file (samples "
            f"{raw.first_samp} to {raw.last_samp}; the first: {samples[outside][0]}): events count "
            "from raw.first_samp: do not subtract it, and take the events of this file"
        )
    return (samples - raw.first_samp) / raw.info["sfreq"]


def from_raw(
    raw: mne.io.BaseRaw, *, picks: Any = "data", run: str = "1", subject: str = "group"
) -> Recording:
    """Make a recording (a time series) from an `mne.io.Raw`.

    Parameters
    ----------
    raw : mne.io.Raw
        Filtered and decimated as you want it.
    picks : str or sequence of str
        Channels of one type; as in mne.
    run, subject : str
        As in `Recording`.

    Returns
    -------
    Recording
        Time 0 is the first sample of the file: take word onsets from `event_onsets`.
    """
    names, modality, unit, positions = _channels(raw, picks)
    return Recording(
        raw.get_data(picks=names).T,
        targets=names,
        modality=modality,
        unit=unit,
        times=np.arange(raw.n_times) / raw.info["sfreq"],
        run=[run] * raw.n_times,
        subject=subject,
        positions=positions,
    )


def _channels(data: Any, picks: Any) -> tuple[list[str], str, str, np.ndarray | None]:
    """Return names, modality, unit and positions of channels of one type."""
    import mne

    # An empty evoked response picks by name or type as mne does, without copying the data.
    empty = mne.EvokedArray(np.zeros((len(data.ch_names), 1)), data.info, verbose="error")
    info = empty.pick(picks, exclude="bads").info
    types = set(info.get_channel_types())
    units = {"mag": ("meg", "T"), "grad": ("meg", "T/m"), "eeg": ("eeg", "V")}
    if len(types) != 1 or not types <= set(units):
        raise ValueError(f"picks: channels of types {sorted(types)}; choose one of {list(units)}")
    modality, unit = units[types.pop()]
    positions = np.array([channel["loc"][:3] for channel in info["chs"]])
    known = np.isfinite(positions).all() and positions.any()
    return list(info["ch_names"]), modality, unit, positions if known else None


def from_epochs(
    epochs: mne.BaseEpochs,
    stimulus: Stimulus,
    *,
    picks: Any = "data",
    bin_width: float | None = None,
    subject: str = "group",
) -> Recording:
    """Make a recording from epochs around the words of a stimulus, one per word and in order.

    Parameters
    ----------
    epochs : mne.Epochs
        ``epochs.selection`` says which words are left after rejection.
    stimulus : Stimulus
        Whose ``item`` names every word by itself.
    picks : str or sequence of str
        Channels of one type; as in mne.
    bin_width : float, optional
        Seconds, such as 0.1: means over bins instead of every time point. Bins begin at the first
        time point; one that does not fit in whole is left out (noted).
    subject : str

    Returns
    -------
    Recording
        Shape (n_epochs, n_channels * n_times); a target is named "channel@100ms" after the start of
        its bin. Dropped epochs are counted in the notes.

    Raises
    ------
    ValueError
        When there were more or fewer epochs than words, before any was dropped.
    """
    n_before = len([log for log in epochs.drop_log if log != ("IGNORED",)])
    if n_before != stimulus.n_words:
        raise ValueError(
            f"epochs: {n_before} before rejection, the stimulus has {stimulus.n_words} words: make "
            "one epoch per word (words too close to the edges must be left out of both)"
        )
    if len(set(stimulus.item)) < stimulus.n_words:
        raise ValueError("stimulus: give every word an item of its own, to which an epoch responds")
    names, modality, unit, positions = _channels(epochs, picks)
    data = epochs.get_data(picks=names)  # (n_epochs, n_channels, n_times)
    times, notes = epochs.times, [f"{n_before - len(data)} of {n_before} epochs were dropped"]
    if bin_width is not None:
        data, times, note = _binned(data, times, epochs.info["sfreq"], bin_width)
        notes.append(note)
    dropped = np.flatnonzero([log != ("IGNORED",) for log in epochs.drop_log])
    rows = np.searchsorted(dropped, epochs.selection)
    return Recording(
        data.reshape(len(data), -1),
        targets=[f"{name}@{1000 * t:.0f}ms" for name in names for t in times],
        modality=modality,
        unit=unit,
        items=stimulus.item[rows],
        subject=subject,
        notes=tuple(notes),
        positions=None if positions is None else np.repeat(positions, len(times), axis=0),
    )


def _binned(
    data: np.ndarray, times: np.ndarray, rate: float, width: float
) -> tuple[np.ndarray, np.ndarray, str]:
    step = round(width * rate)
    if step < 1 or step > data.shape[2]:
        raise ValueError(f"bin_width {width} s holds {step} of {data.shape[2]} time points")
    n_bins = data.shape[2] // step
    rest = data.shape[2] - n_bins * step
    kept = data[:, :, : n_bins * step].reshape(*data.shape[:2], n_bins, step)
    note = f"means over {n_bins} bins of {step} time points; {rest} at the end left out"
    return kept.mean(axis=-1), times[: n_bins * step : step], note


def epoch_words(
    raw: mne.io.BaseRaw,
    stimulus: Stimulus,
    *,
    tmin: float = -0.2,
    tmax: float = 1.0,
    baseline: tuple[float | None, float | None] | None = (None, 0),
    decimate: int = 1,
    reject: dict[str, float] | None = None,
) -> mne.Epochs:
    """Cut epochs around the onsets of words, on the clock of the first sample of ``raw``.

    Filter ``raw`` before. Parameters as in `mne.Epochs`.

    Raises
    ------
    ValueError
        When the words have no times, lie in several runs, or an epoch does not fit into the file.
    """
    import mne

    if not stimulus.timed or len(stimulus.runs) != 1:
        raise ValueError("stimulus: give the timed words of one run (stimulus.select)")
    samples = np.round(stimulus.onset * raw.info["sfreq"]).astype(int)
    last = raw.n_times - 1
    outside = (stimulus.onset + tmin < 0) | (stimulus.onset + tmax > last / raw.info["sfreq"])
    if outside.any():
        i = int(np.argmax(outside))
        raise ValueError(
            f"stimulus: the epochs of {int(outside.sum())} words do not fit into the file (the "
            f"first: {stimulus.words[i]!r} at {stimulus.onset[i]:.3f} s of "
            f"{last / raw.info['sfreq']:.3f} s): leave them out, or mend the clock"
        )
    if len(np.unique(samples)) < len(samples):
        raise ValueError("stimulus: two words begin in the same sample of raw: merge them")
    events = np.column_stack([samples + raw.first_samp, np.zeros_like(samples), samples * 0 + 1])
    return mne.Epochs(
        raw, events, tmin=tmin, tmax=tmax, baseline=baseline, decim=decimate, reject=reject,
        preload=True, verbose="error",
    )  # fmt: skip
