"""Recordings from mne objects, and epochs around words, on the clock of the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.data.target_table import epoch_targets
from brainlm.io.epoch_metadata import check_words, items_of, metadata_of
from brainlm.storage.long_recordings import LARGEST_IN_MEMORY, stack_blocks

if TYPE_CHECKING:
    import mne

# Channel types of mne: modality, unit.
CHANNELS = {
    "mag": ("meg", "T"),
    "grad": ("meg", "T/m"),
    "eeg": ("eeg", "V"),
    "ecog": ("ieeg", "V"),
    "seeg": ("ieeg", "V"),
    "dbs": ("ieeg", "V"),
    "hbo": ("fnirs", "M"),
    "hbr": ("fnirs", "M"),
    "fnirs_od": ("fnirs", "optical density"),
    "pupil": ("pupil", "m"),
    "gsr": ("skin-conductance", "S"),
}


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
            f"events: {int(outside.sum())} of {len(samples)} are outside the file (samples "
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

    Examples
    --------
    >>> import mne
    >>> data = np.random.default_rng(0).standard_normal((2, 500)) * 1e-6
    >>> raw = mne.io.RawArray(data, mne.create_info(["Cz", "Pz"], 100.0, "eeg"), verbose="error")
    >>> recording = brainlm.from_raw(raw)
    >>> recording.data.shape
    (500, 2)
    """
    names, modality, unit, positions = _channels(raw, picks)
    files = [Path(name) for name in raw.filenames if name is not None]
    if raw.preload or not files or raw.n_times * len(names) * 8 <= LARGEST_IN_MEMORY:
        data = raw.get_data(picks=names).T
    else:  # a minute at a time
        step = round(60 * raw.info["sfreq"])
        blocks = (
            raw.get_data(picks=names, start=start, stop=min(start + step, raw.n_times)).T
            for start in range(0, raw.n_times, step)
        )
        key = (names, raw.first_samp, raw.info["sfreq"])
        data = stack_blocks(blocks, (raw.n_times, len(names)), files, key)
    return Recording(
        data,
        targets=_channel_table(names, positions),
        modality=modality,
        unit=unit,
        times=np.arange(raw.n_times) / raw.info["sfreq"],
        run=[run] * raw.n_times,
        subject=subject,
    )


def _channel_table(names: list[str], positions: np.ndarray | None) -> pd.DataFrame:
    places = {} if positions is None else dict(zip("xyz", positions.T, strict=True))
    return pd.DataFrame({"name": names, "channel": names, **places})


def _channels(data: Any, picks: Any) -> tuple[list[str], str, str, np.ndarray | None]:
    """Return names, modality, unit and positions of channels of one type."""
    import mne

    # An empty evoked response picks by name or type as mne does, without copying the data.
    empty = mne.EvokedArray(np.zeros((len(data.ch_names), 1)), data.info, verbose="error")
    info = empty.pick(picks, exclude="bads").info
    types = set(info.get_channel_types())
    if len(types) != 1 or not types <= set(CHANNELS):
        raise ValueError(
            f"picks: channels of types {sorted(types)}; choose one of {list(CHANNELS)}"
        )
    modality, unit = CHANNELS[types.pop()]
    positions = np.array([channel["loc"][:3] for channel in info["chs"]])
    known = np.isfinite(positions).all() and positions.any()
    return list(info["ch_names"]), modality, unit, positions if known else None


def from_epochs(
    epochs: mne.BaseEpochs,
    stimulus: Stimulus | None = None,
    *,
    picks: Any = "data",
    bin_width: float | None = None,
    subject: str = "group",
) -> Recording:
    """Make a recording from epochs around the words of a stimulus, one per word and in order.

    Parameters
    ----------
    epochs : mne.Epochs
        ``epochs.selection`` says which words are left after rejection. A column ``word`` of
        ``epochs.metadata`` is compared with the words of the stimulus.
    stimulus : Stimulus, optional
        Whose ``item`` names every word by itself. Without it the columns ``item`` and ``run`` of
        ``epochs.metadata`` name item and run of each epoch, of which there may be several to a
        word. `brainlm.stimulus_of` makes the stimulus of the same metadata, and
        `brainlm.covariates_of` features.
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
        When there were more or fewer epochs than words, before any was dropped, or the metadata
        have other words.

    Examples
    --------
    >>> import mne
    >>> data = np.random.default_rng(0).standard_normal((5, 2, 100)) * 1e-6
    >>> info = mne.create_info(["Cz", "Pz"], 100.0, "eeg")
    >>> words = pandas.DataFrame({"word": ["the", "old", "man", "sleeps", "well"]})
    >>> epochs = mne.EpochsArray(data, info, tmin=-0.2, metadata=words, verbose="error")
    >>> recording = brainlm.from_epochs(epochs, bin_width=0.1)
    >>> recording.data.shape
    (5, 20)
    """
    if stimulus is None:
        return _of_metadata(epochs, picks, bin_width, subject)
    n_before = len([log for log in epochs.drop_log if log != ("IGNORED",)])
    if n_before != stimulus.n_words:
        raise ValueError(
            f"epochs: {n_before} before rejection, the stimulus has {stimulus.n_words} words: make "
            "one epoch per word (words too close to the edges must be left out of both)"
        )
    if len(set(stimulus.item)) < stimulus.n_words:
        raise ValueError("stimulus: give every word an item of its own, to which an epoch responds")
    dropped = np.flatnonzero([log != ("IGNORED",) for log in epochs.drop_log])
    rows = np.searchsorted(dropped, epochs.selection)
    items = stimulus.item[rows]
    check_words(epochs, stimulus.words[rows])
    return _recording(epochs, items, picks, bin_width, subject)


def _of_metadata(
    epochs: mne.BaseEpochs, picks: Any, bin_width: float | None, subject: str
) -> Recording:
    table = metadata_of(epochs, ())
    found = _recording(epochs, items_of(epochs, table), picks, bin_width, subject)
    return replace(found, run=table["run"].to_numpy()) if "run" in table else found


def _recording(
    epochs: mne.BaseEpochs, items: np.ndarray, picks: Any, bin_width: float | None, subject: str
) -> Recording:
    names, modality, unit, positions = _channels(epochs, picks)
    data = epochs.get_data(picks=names)  # (n_epochs, n_channels, n_times)
    n_before = len([log for log in epochs.drop_log if log != ("IGNORED",)])
    times = epochs.times
    notes: list[str] = [
        Note(f"{n_before - len(data)} of {n_before} epochs were dropped", "excluded")
    ]
    if bin_width is not None:
        data, times, note = _binned(data, times, epochs.info["sfreq"], bin_width)
        notes.append(note)
    return Recording(
        data.reshape(len(data), -1),
        targets=epoch_targets(names, times, positions),
        modality=modality,
        unit=unit,
        items=items,
        subject=subject,
        notes=tuple(notes),
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
            f"{last / raw.info['sfreq']:.3f} s): leave them out, or fix the clock"
        )
    if len(np.unique(samples)) < len(samples):
        raise ValueError("stimulus: two words begin in the same sample of raw: merge them")
    events = np.column_stack([samples + raw.first_samp, np.zeros_like(samples), samples * 0 + 1])
    return mne.Epochs(
        raw,
        events,
        tmin=tmin,
        tmax=tmax,
        baseline=baseline,
        decim=decimate,
        reject=reject,
        preload=True,
        verbose="error",
    )
