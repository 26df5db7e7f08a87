"""Responses around each word in time bins, as separate targets.

An encoder that scores every target then scores every channel at every latency;
`brainlm.data.target_table.over_time` arranges the scores by both.
"""

from __future__ import annotations

import numpy as np

from brainlm.data.recording import Recording, sampling_interval
from brainlm.data.stimulus import Stimulus
from brainlm.data.target_table import epoch_targets

BIN = 0.1  # seconds, as in public code of the MulCogBench group


def word_locked(
    stimulus: Stimulus,
    recording: Recording,
    *,
    start: float = 0.0,
    stop: float = 0.6,
    width: float = BIN,
) -> tuple[Stimulus, Recording]:
    """Cut a time series around word onsets and average it in bins.

    Parameters
    ----------
    stimulus : Stimulus
        With times.
    recording : Recording
        A time series of channels on the clock of the stimulus.
    start, stop, width : float
        Seconds after the onset of a word: bins of ``width`` from ``start`` to ``stop``.

    Returns
    -------
    stimulus : Stimulus
        The words whose window lies inside the recording of their run, each an item of its own.
    recording : Recording
        A row per word; targets are channels at the start of each bin (columns ``channel`` and
        ``time``). Its notes count the words that were left out.

    Raises
    ------
    ValueError
        Words without times, no time series, bins shorter than a sample, or no word inside.
    """
    if not stimulus.timed or recording.times is None:
        raise ValueError("word_locked needs timed words and a time series")
    edges = np.arange(start, stop + width / 2, width)
    if len(edges) < 2:
        raise ValueError(f"no bin of {width} s fits between {start} and {stop} s")
    kept, rows = np.zeros(stimulus.n_words, dtype=bool), []
    for run in recording.runs:
        times = recording.times[recording.run == run]
        data = recording.data[recording.run == run]
        step = sampling_interval(times, run)
        if width < step:
            raise ValueError(f"bins of {width} s are shorter than a sample ({step:g} s)")
        words = np.flatnonzero(stimulus.run == run)
        onset = stimulus.onset[words]
        inside = (onset + start >= times[0]) & (onset + edges[-1] <= times[-1] + step)
        inside &= stimulus.counted[words]
        kept[words[inside]] = True
        total = np.vstack([np.zeros(data.shape[1]), np.cumsum(data, axis=0, dtype=float)])
        # Half a sample of tolerance, so that a bin has its samples whatever the rounding.
        place = np.searchsorted(times, onset[inside][:, None] + edges - step * 1e-6)
        means = (total[place[:, 1:]] - total[place[:, :-1]]) / np.diff(place)[:, :, None]
        rows.append(means.transpose(0, 2, 1).reshape(len(means), data.shape[1] * (len(edges) - 1)))
    if not kept.any():
        raise ValueError("no word is inside the recording: put both on one clock")
    items = [f"{i}/{word}" for i, word in enumerate(stimulus.words)]
    whole = Stimulus(
        stimulus.words,
        stimulus.language,
        stimulus.onset,
        stimulus.duration,
        run=stimulus.run,
        text=stimulus.text,
        sentence=stimulus.sentence,
        item=items,
        context_only=stimulus.context_only,
    )
    responded = whole.item[kept]
    whole = whole.select(kept | ~stimulus.counted)
    targets = epoch_targets(recording.target_names.tolist(), edges[:-1], recording.positions)
    n_words = int(stimulus.counted.sum())
    note = f"word-locked: {kept.sum()} of {n_words} words lie whole inside the recording"
    return whole, Recording(
        np.vstack(rows),
        targets,
        recording.modality,
        recording.unit,
        items=responded,
        subject=recording.subject,
        notes=(*recording.notes, note),
    )
