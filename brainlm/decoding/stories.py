"""Stories: the words of a run, their times, and the responses to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from brainlm.compute.lazy_arrays import on_disk
from brainlm.data.preprocessing import without_drifts
from brainlm.data.recording import Recording
from brainlm.data.recording import sampling_interval as step_of
from brainlm.data.stimulus import Stimulus
from brainlm.decoding.words import clean_words
from brainlm.storage.store import content_key


@dataclass(frozen=True, eq=False)
class Story:
    """One story: words, their times, the responses and theirs.

    Attributes
    ----------
    words : tuple of str
    onset, middle : array of shape (n_words,)
        Seconds.
    responses : array of shape (n_samples, n_targets)
        z-scored inside the story; of a recording on disk `RunResponses`, which are read by columns.
    times : array of shape (n_samples,)
        Start of each sample, on the clock of the words.
    name : str
    """

    words: tuple[str, ...]
    onset: np.ndarray
    middle: np.ndarray
    responses: Any
    times: np.ndarray
    name: str


class RunResponses:
    """Responses to one run, kept on disk; ``responses[:, columns]`` reads some of them.

    Columns are averaged over neighbouring samples, freed of slow drifts and z-scored, float32.

    Parameters
    ----------
    data : array of shape (n_all_samples, n_targets)
        Of the whole recording, such as a memory map.
    rows : slice
        Samples of the run.
    step : float
        Their interval in seconds.
    average : int
        Samples that become one; the last few of a run that fill none are left out.
    period : float, optional
        Drifts slower than this many seconds are taken out.
    name : str
        Of the run, for errors.
    """

    def __init__(
        self, data: Any, rows: slice, step: float, average: int, period: float | None, name: str
    ) -> None:
        self.data, self.rows, self.step = data, rows, step
        self.average, self.period, self.name = average, period, name
        self.shape = ((rows.stop - rows.start) // average, data.shape[1])
        self.dtype = np.dtype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: tuple[slice, Any]) -> np.ndarray:
        _, columns = key
        found = np.asarray(self.data[self.rows, columns], dtype=np.float32)
        if self.average > 1:
            n_samples = len(self) * self.average
            found = found[:n_samples].reshape(len(self), self.average, -1).mean(axis=1)
        constant = np.ptp(found, axis=0) == 0  # a deviation would be that of rounding
        if constant.any():
            raise ValueError(
                f"run {self.name!r}: {int(constant.sum())} targets are constant; drop them with "
                "Recording.select_targets"
            )
        if self.period is not None:
            found = without_drifts(found, self.step * self.average, self.period)
        found = found - found.mean(axis=0)
        return np.asarray(found / found.std(axis=0), dtype=np.float32)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("responses on disk cannot become an array without a copy")
        return np.asarray(self[:, :], dtype=dtype)


class StackedResponses:
    """Responses of several stories under each other, read by columns.

    Parameters
    ----------
    parts : sequence of array or RunResponses, each of shape (n_samples, n_targets)
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = parts
        self.shape = (sum(map(len, parts)), parts[0].shape[1])
        self.dtype = np.dtype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: tuple[slice, Any]) -> np.ndarray:
        _, columns = key
        return np.concatenate([part[:, columns] for part in self.parts])


def stories_of(
    stimulus: Stimulus,
    recording: Recording,
    level: str = "word",
    *,
    average: int = 1,
    period: float | None = None,
) -> list[Story]:
    """Cut a stimulus and its recording into stories, one per run; responses are z-scored in each.

    Parameters
    ----------
    stimulus : Stimulus
    recording : Recording
        Its responses stay on disk where they are.
    level : {"word", "character"}
        Unit of Chinese; see `brainlm.decoding.words.clean_words`.
    average : int
        Samples that become one, for short intervals: the decoder's delays are samples of about two
        seconds. The last samples of a run that fill none are left out.
    period : float, optional
        Drifts slower than this many seconds are taken out of each run (cosines, as in
        `brainlm.data.preprocessing.high_pass`, after averaging).

    Raises
    ------
    ValueError
        A run has constant voxels, or there are no times.
    """
    if recording.times is None or not stimulus.timed:
        raise ValueError("stories need word times and a time series: one of them has no times")
    if average < 1:
        raise ValueError(f"average must be at least 1 sample, got {average}")
    stories = []
    for run in recording.runs:
        rows, mine = np.flatnonzero(recording.run == run), stimulus.run == run
        responses = RunResponses(
            recording.data,
            slice(rows[0], rows[-1] + 1),
            step_of(recording.times[rows], run),
            average,
            period,
            str(run),
        )
        times = recording.times[rows][: len(responses) * average : average]
        words, place = clean_words(stimulus.words[mine], stimulus.language, level)
        onset, duration = stimulus.onset[mine][place], stimulus.duration[mine][place]
        repeats = np.bincount(place, minlength=int(mine.sum()))[place]
        order = np.concatenate([np.arange(n) for n in np.bincount(place) if n])
        start = onset + duration * order / repeats
        stories.append(
            Story(
                tuple(words),
                start,
                start + duration / repeats / 2,
                responses if on_disk(recording.data) else responses[:, :],
                times,
                str(run),
            )
        )
    return stories


def cut_blocks(
    stimulus: Stimulus, recording: Recording, n_blocks: int, gap: int, lead: float = 10.0
) -> list[Story]:
    """Cut the recording of a single story into blocks of equal length; z-scored in each.

    Parameters
    ----------
    stimulus : Stimulus
    recording : Recording
        A time series of one run.
    n_blocks : int
    gap : int
        Samples that are left out after each block but the last.
    lead : float
        Seconds before a block whose words belong to it, because responses follow their words.
    """
    assert recording.times is not None
    Y, times = recording.data.astype(np.float32), recording.times
    step = step_of(times)
    words, place = clean_words(stimulus.words, stimulus.language)
    onset = stimulus.onset[place]
    middle = onset + stimulus.duration[place] / 2
    stories = []
    for k, rows in enumerate(np.array_split(np.arange(len(Y)), n_blocks)):
        rows = rows if k == n_blocks - 1 else rows[:-gap]
        inside = (middle >= times[rows[0]] - lead) & (middle < times[rows[-1]] + step)
        part = Y[rows] - Y[rows].mean(axis=0)
        stories.append(
            Story(
                tuple(np.array(words, dtype=object)[inside]),
                onset[inside],
                middle[inside],
                part / part.std(axis=0),
                times[rows],
                f"block {k + 1}",
            )
        )
    return stories


def load_story(story: Story) -> Story:
    """Return the story with its responses in memory."""
    return replace(story, responses=np.asarray(story.responses))


def first_seconds(story: Story, seconds: float) -> Story:
    """Return the first seconds of a story's recording, in memory; its words are not cut."""
    kept = story.times < story.times[0] + seconds
    return replace(story, responses=np.asarray(story.responses)[kept], times=story.times[kept])


def story_key(story: Story) -> str:
    """Return the SHA-256 of a story; responses on disk are read once."""
    return content_key(
        {
            "words": list(story.words),
            "onset": story.onset,
            "middle": story.middle,
            "times": story.times,
            "responses": np.asarray(story.responses),
        }
    )
