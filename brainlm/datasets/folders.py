"""Find data sets on this machine: their names, subjects and folders."""

from __future__ import annotations

import os
from pathlib import Path

from brainlm._progress import bar
from brainlm._validation import named_subject
from brainlm.data.notes import Note
from brainlm.datasets.card import Card, card_names, read_card
from brainlm.errors import CorruptDataError, DataMissingError, unknown_name
from brainlm.storage.downloads import cache_folder, check_content, sha256_of


def list_datasets() -> list[str]:
    """Return the names of all data sets, sorted.

    Examples
    --------
    >>> "human-ratings" in brainlm.list_datasets()
    True
    """
    return card_names()


def list_subjects(name: str | Path, root: Path | str | None = None) -> list[str]:
    """Return the subjects of a data set, sorted, without those whom its card refuses.

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

    Examples
    --------
    >>> brainlm.list_subjects("human-ratings")
    ['group']
    """
    card = read_card(name)
    if not card.options.finds_subjects:
        return list(card.subjects)
    found = card.options.subjects(find_folder(card, root))
    return [name for name in found if name not in card.refused]


def refused_subjects(name: str | Path, root: Path | str | None = None) -> tuple[Note, ...]:
    """Return a note of each subject whose files are there and whom the card refuses."""
    card = read_card(name)
    if not card.refused:
        return ()
    found = card.options.subjects(find_folder(card, root))
    return tuple(
        Note(f"excluded {subject}: {why}", "excluded")
        for subject, why in card.refused.items()
        if subject in found
    )


def is_on_disk(name: str | Path | Card, root: Path | str | None = None) -> bool:
    """Return whether the files of a data set are found (they are checked when it is opened)."""
    try:
        find_folder(name if isinstance(name, Card) else read_card(name), root)
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
    folder = find_folder(card, root)
    paths = card.options.found_files(folder, choose_subject(card, folder, subject))
    hashed = bar(paths, "check files", inner=True)
    return {str(path): sha256_of(folder / path) for path in hashed}


def roots(root: Path | str | None) -> list[Path]:
    """Return the folders to search: the given one, or else the usual ones."""
    if root is not None:
        return [Path(root)]
    named = os.environ.get("BRAINLM_DATA")
    return [*([Path(named)] if named else []), cache_folder() / "data"]


def find_folder(card: Card, root: Path | str | None) -> Path:
    """Return the first folder that holds the files which every subject needs."""
    needed = card.options.paths(None)
    tried = []
    beside = [card.place] if card.place is not None and root is None else []
    for base in [*beside, *roots(root)]:
        for folder in (*(base / name for name in card.folder), base):
            # A dangling link counts as found: its check says how to get the content.
            lacking = [path for path in needed if not os.path.lexists(folder / path)]
            if not needed and not card.options.subjects(folder):
                lacking = ["files of a subject"]
            if not lacking:
                return folder
            state = f"lacks {lacking[0]}" if folder.is_dir() else "no such folder"
            tried.append(f"{folder} ({state})")
    raise DataMissingError(_how_to_get(card, tried, roots(root)[0]))


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


def choose_subject(card: Card, folder: Path, subject: str | None) -> str:
    """Return the subject to open: the named one, or the only one."""
    choices = list(card.subjects) or card.options.subjects(folder)
    if subject is None:
        if len(choices) != 1:
            raise ValueError(
                f"data set {card.name!r} has {len(choices)} subjects: give subject=, one of "
                f"{', '.join(choices) or '(none found)'}"
            )
        return choices[0]
    subject = str(named_subject(subject, choices))
    if subject not in choices:
        raise unknown_name(f"subject of {card.name}", subject, choices)
    return subject


def check_file(card: Card, path: Path, digest: str | None) -> None:
    """Raise where the checksum of a file differs from its card."""
    check_content(path)
    if digest is None:
        return
    found = sha256_of(path)
    if found != digest:
        raise CorruptDataError(
            f"{path}: SHA-256 is {found}, the card of {card.name!r} says {digest}; the file was "
            "changed or broke on the way: delete it and fetch it again"
        )


def subjects_with_files(name: str | Path, root: Path | str | None) -> list[str | None]:
    """Return the subjects for `dataset_hashes`; of a single group None, which is all its files."""
    names = list_subjects(name, root)
    return [None] if len(names) == 1 else list(names)
