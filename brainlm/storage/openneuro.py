"""Files of OpenNeuro data sets: listed, resumed, checked by size and MD5."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from brainlm.errors import CorruptDataError, DataMissingError

UNFINISHED = ".brainlm-unfinished"
RETRIES = 5  # of each file


def fetch_openneuro(dataset: str, patterns: Sequence[str], folder: Path) -> Path:
    """Download the files of a data set that match ``patterns`` into ``folder``.

    Files that are there with the right size and MD5 stay, the others are gone on with or fetched
    again. (OpenNeuro stores files above 1 GiB in parts and gives no MD5 of the whole; recent
    openneuro-py then asks the mirror NEMAR, where it holds the data set.) Unfinished files have
    their final names, so the folder keeps a list of what is not finished until it is; see
    `check_finished`.

    Parameters
    ----------
    dataset : str
        Accession number, such as ``"ds004078"``. The newest snapshot is taken; its number goes
        into ``dataset_description.json``, and another snapshot is not mixed into the folder.
    patterns : sequence of str
        Paths in the data set; ``*`` stands for anything but ``/``, ``**`` for anything.
    folder : Path

    Raises
    ------
    DataMissingError
        The server cannot be reached, has no such files, or broke off; openneuro-py is missing.
    CorruptDataError
        The folder holds another snapshot or data set.
    ValueError
        The folder is a clone of git or DataLad, whose links must not be written through.
    """
    if (folder / ".git").exists():
        raise ValueError(
            f"{folder}: a clone of git or DataLad: get the files there with `datalad get`, or "
            "fetch into another folder with root= (--root)"
        )
    try:
        import openneuro
    except ImportError as error:
        raise DataMissingError(
            f"data set {dataset} is fetched with openneuro-py: pip install 'brainlm[openneuro]'"
        ) from error
    wanted, noted, before = set(patterns), _noted(folder), _state(folder)
    _note(folder, noted | wanted)
    try:
        openneuro.download(
            dataset=dataset, target_dir=folder, include=sorted(wanted), max_retries=RETRIES
        )
    except FileExistsError as error:  # another snapshot
        _note(folder, noted)
        raise CorruptDataError(f"{folder}: {error}") from error
    except (RuntimeError, OSError) as error:
        if _state(folder) == before:  # no network, a wrong name: what is here is as good as it was
            _note(folder, noted)
        raise DataMissingError(
            f"could not fetch {dataset} from OpenNeuro into {folder}: {str(error).strip()} Check "
            "the network and the room on the disk, then fetch again: the download is resumed"
        ) from error
    _note(folder, noted - wanted)
    return folder


def check_finished(folder: Path, paths: Iterable[str]) -> None:
    """Raise when one of ``paths`` in ``folder`` belongs to a download that did not finish.

    Raises
    ------
    CorruptDataError
        It does; the message says how to go on.
    """
    unfinished = _noted(folder)
    for path in paths:
        if any(matches(path, pattern) for pattern in unfinished):
            raise CorruptDataError(
                f"{folder / path}: its download did not finish: `brainlm fetch` resumes it "
                f"(the list of what is unfinished is {folder / UNFINISHED})"
            )


def _state(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return size and time of every file but the list."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != UNFINISHED)
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def _noted(folder: Path) -> set[str]:
    path = folder / UNFINISHED
    return set(path.read_text("utf-8").splitlines()) if path.exists() else set()


def _note(folder: Path, patterns: set[str]) -> None:
    path = folder / UNFINISHED
    if patterns:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{pattern}\n" for pattern in sorted(patterns)), "utf-8")
    else:
        path.unlink(missing_ok=True)


def matches(path: str, pattern: str) -> bool:
    """Return whether ``pattern`` (``*``: anything but ``/``, ``**``: anything) names ``path``."""
    meaning = {"**": ".*", "*": "[^/]*"}
    parts = re.split(r"(\*\*|\*)", pattern)
    return bool(re.fullmatch("".join(meaning.get(p, re.escape(p)) for p in parts), path))
