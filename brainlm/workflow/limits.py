"""Limits on the amount of data: a short trial run, or a share of a large data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus


@dataclass(frozen=True)
class Limits:
    """How much of a data set is used; None is all of it.

    Attributes
    ----------
    subjects : int, optional
        The first subjects that pass the checks.
    items : int, optional
        The first items (or words with epochs) of a recording without a clock, and their words.
    seconds : float, optional
        The first seconds of each run of a time series, and the words in them.
    least_in_run : int
        A run that keeps fewer items is left out, unless it is the only one.
    """

    subjects: int | None = None
    items: int | None = None
    seconds: float | None = None
    least_in_run: int = 0

    def when(self, debug: bool) -> Limits:
        """Return these limits for a trial run (``--debug``), and none otherwise."""
        return self if debug else Limits()

    def cut(self, stimulus: Stimulus, recording: Recording) -> tuple[Stimulus, Recording]:
        """Return the words and the recording within the limits; the recording notes it."""
        if recording.times is not None:
            return self._seconds(stimulus, recording)
        if self.items is None or recording.n_samples <= self.items:
            return stimulus, recording
        kept = np.arange(recording.n_samples) < self.items
        last = recording.run == recording.run[kept][-1]
        if (kept & last).sum() < self.least_in_run and not last[0]:
            kept &= ~last
        note = Note(f"used the first {kept.sum()} of {recording.n_samples} items", "debug")
        recording = recording.select_samples(kept, note)
        if stimulus.timed:  # the words of a story are the context of one another
            return stimulus, recording
        return stimulus.select(np.isin(stimulus.item, recording.items)), recording

    def _seconds(self, stimulus: Stimulus, recording: Recording) -> tuple[Stimulus, Recording]:
        if self.seconds is None:
            return stimulus, recording
        first = {run: recording.times[recording.run == run][0] for run in recording.runs}
        kept = recording.times < np.array([first[r] for r in recording.run]) + self.seconds
        if kept.all():
            return stimulus, recording
        note = Note(f"used the first {self.seconds:g} s of each run", "debug")
        recording = recording.select_samples(kept, note)
        last = {run: recording.times[recording.run == run][-1] for run in recording.runs}
        return stimulus.select(
            stimulus.onset < np.array([last[r] for r in stimulus.run])
        ), recording
