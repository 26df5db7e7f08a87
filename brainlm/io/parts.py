"""Fixed parts of a data set: folders ``train``, ``dev`` and ``test`` with the same files in each.

A pattern begins with ``{part}/``. Where a folder has none of the parts, the files are taken from
the folder itself, and the samples belong to no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from brainlm.data.recording import PARTS, Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, DataMissingError

PLACE = "{part}/"


def parts_in(folder: Path) -> tuple[str, ...]:
    """Return the parts that are in a folder; ``("",)`` where it has none.

    Raises
    ------
    DataMissingError
        There is a dev or test part without a train part, or a train part alone.
    """
    found = tuple(part for part in PARTS if (folder / part).is_dir())
    if not found:
        return ("",)
    lacking = [part for part in ("train", "dev") if part not in found]
    if lacking:
        raise DataMissingError(
            f"{folder}: has {' and '.join(found)}, but no {lacking[0]}: fetch the data set again, "
            "or put the files of all parts there"
        )
    return found


def in_part(pattern: str, part: str) -> str:
    """Return a pattern with ``{part}/`` filled in, or without it where there are no parts."""
    return pattern.replace(PLACE, f"{part}/" if part else "")


def notes_of(found: Sequence[str]) -> tuple[str, ...]:
    """Return a note of what is tested where there is no test part."""
    if found == ("",):
        return ("the files are not split into train and dev: the samples belong to no part",)
    return () if "test" in found else ("there is no test part yet: dev samples are tested",)


def join_parts(
    found: Sequence[str], pieces: Sequence[tuple[Stimulus, Recording]], where: Path
) -> tuple[Stimulus, Recording]:
    """Return words and recordings of all parts, one after the other.

    Parameters
    ----------
    found : sequence of str
        From `parts_in`.
    pieces : sequence of (Stimulus, Recording)
        With items, one for each part.
    where : Path
        For messages.

    Raises
    ------
    CorruptDataError
        Parts differ in their targets, or have items in common.
    """
    first = pieces[0][1]
    seen: dict[str, str] = {}
    for part, (_, recording) in zip(found, pieces, strict=True):
        if list(recording.target_names) != list(first.target_names):
            raise CorruptDataError(
                f"{where}: {part} has {recording.n_targets} targets, {found[0]} {first.n_targets}"
            )
        for item in dict.fromkeys(recording.items):
            if seen.setdefault(item, part) != part:
                raise CorruptDataError(
                    f"{where}: {item!r} is in {seen[item]} and in {part}: what trains cannot test"
                )
    lengths = [recording.n_samples for _, recording in pieces]
    joined = replace(
        first,
        data=np.concatenate([recording.data for _, recording in pieces]),
        items=np.concatenate([recording.items for _, recording in pieces]),
        run=None,
        part=None if found == ("",) else np.repeat(found, lengths),
    )
    return Stimulus.concatenate([words for words, _ in pieces], keep_times=False), joined
