"""Golden cases of the data sets: the first subject of each that is on this machine."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from golden.cases import Arrays, Case, MissingInputError, add_case, arrays

from brainlm.datasets.card import read_card
from brainlm.datasets.folders import is_on_disk, list_datasets, list_subjects
from brainlm.datasets.open import open_maps, open_pairs, open_responses


def first_subject(name: str) -> Arrays:
    """Return counts, sums and samples of what the first subject of a data set holds."""
    if not is_on_disk(name):
        raise MissingInputError(f"the data set {name} is not there")
    kind = read_card(name).kind
    if kind == "pairs":
        pairs = open_pairs(name)
        return arrays(
            similarity=pairs.similarity, rows=list(pairs.rows), words=words_of(pairs.stimulus)
        )
    subject = next(iter(list_subjects(name)), None)
    if kind == "maps":
        maps = open_maps(name, subject)
        return arrays(
            data=maps.data, names=maps.names, n_voxels=maps.n_voxels, place=np.argwhere(maps.mask)
        )
    stimulus, recording = open_responses(name, subject)
    return arrays(
        subject=str(subject),
        words=None if stimulus is None else words_of(stimulus),
        responses=None if recording is None else responses_of(recording),
    )


def words_of(stimulus: Any) -> dict[str, Any]:
    """Return the words, their times and their labels."""
    names = ("words", "onset", "duration", "run", "text", "sentence", "item")
    return {"n": stimulus.n_words} | {name: getattr(stimulus, name) for name in names}


def responses_of(recording: Any) -> dict[str, Any]:
    """Return the responses, their targets, and their times or items."""
    names = ("data", "targets", "times", "items", "run", "positions")
    return {name: getattr(recording, name) for name in names}


for _name in list_datasets():
    add_case(Case(f"data.{_name}", "data", functools.partial(first_subject, _name), values=False))
