"""Open the subjects of a data set: those who pass its checks, with a note of each who does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from brainlm._progress import bar
from brainlm.data.notes import Note
from brainlm.data.recording import Recording, side_by_side
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.folders import list_subjects, refused_subjects
from brainlm.datasets.open import open_dataset
from brainlm.errors import CorruptDataError
from brainlm.workflow.limits import Limits
from brainlm.workflow.options import choose


def open_subjects(
    dataset: str | Path,
    subjects: str = "all",
    root: Path | None = None,
    *,
    limits: Limits | None = None,
    check: Callable[[Stimulus, Recording], None] | None = None,
) -> Iterator[tuple[Stimulus, Recording]]:
    """Yield words and recording of each subject of a data set.

    A subject who fails a check is skipped where all are asked for, and is an error where named.
    The last recording carries a note of each who was skipped.

    Parameters
    ----------
    dataset : str or path
        Name, or path of a card.
    subjects : str
        Names separated by commas, or "all".
    root : path, optional
        As in `brainlm.open_dataset`.
    limits : Limits, optional
    check : callable, optional
        Called with words and recording; raises `CorruptDataError` for a subject who cannot be used.

    Raises
    ------
    UnknownNameError
        There is no such subject.
    CorruptDataError
        A named subject fails a check, or all do.
    """
    limits = limits or Limits()
    excluded: list[Note] = []
    if subjects.strip() == "all":
        excluded += refused_subjects(dataset, root)
    ready, n_ready = None, 0
    # Subjects whom the card refuses are not among them.
    for name in bar(choose(subjects, list_subjects(dataset, root)), "open subjects", inner=True):
        try:
            stimulus, recording = limits.cut(*open_dataset(dataset, name, root))
            if check is not None:
                check(stimulus, recording)
        except CorruptDataError as error:
            if subjects.strip() != "all":
                raise
            excluded.append(Note(f"excluded {name}: {error}", "excluded"))
            continue
        if ready is not None:
            yield ready
        ready, n_ready = (stimulus, recording), n_ready + 1
        if n_ready == limits.subjects:
            break
    if ready is None:
        raise CorruptDataError(f"{dataset}: no subject passes the checks: {'; '.join(excluded)}")
    stimulus, last = ready
    yield stimulus, last.noted(*excluded)


def open_group(
    dataset: str | Path,
    subjects: str = "all",
    root: Path | None = None,
    *,
    limits: Limits | None = None,
) -> tuple[Stimulus, Recording]:
    """Open subjects who heard or read the same words, their targets side by side.

    Parameters and errors as in `open_subjects`.

    Returns
    -------
    stimulus : Stimulus
    recording : Recording
        Of a group, the targets have columns ``subject`` and ``label``. Notes name who was excluded.
    """
    opened = list(open_subjects(dataset, subjects, root, limits=limits))
    stimulus, first = opened[0]
    if first.subject == "group":
        return stimulus, first
    recordings = [recording for _, recording in opened]
    origins = [recording.origin for recording in recordings]
    return stimulus, replace(side_by_side(recordings), origin={"subjects": origins})


def keep_covered(
    stimulus: Stimulus, recording: Recording, model: Any
) -> tuple[Stimulus, Recording]:
    """Return the items whose words a model covers, with a note of how many are not covered.

    Parameters
    ----------
    stimulus : Stimulus
    recording : Recording
        With items, not a time series.
    model : StaticVectors
        They lack some words.
    """
    covered = model.covers(stimulus)
    if covered.all():
        return stimulus, recording
    missing = set(stimulus.item[~covered].tolist())
    kept = np.array([item not in missing for item in recording.items.tolist()])
    n_missing = int((~covered).sum())
    note = f"left out {n_missing} of {len(covered)} words that {model.name} does not cover"
    words = np.array([item not in missing for item in stimulus.item.tolist()])
    return stimulus.select(words), recording.select_samples(kept, Note(note, "coverage"))
