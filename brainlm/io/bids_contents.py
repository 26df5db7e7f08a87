"""Contents of a BIDS folder, listed before `read_bids`."""

from __future__ import annotations

import re
from pathlib import Path

from brainlm.errors import DataMissingError
from brainlm.io.run_files import find_runs, inherited
from brainlm.io.sheets import read_sheet

RECORDINGS = re.compile(
    r"_(bold\.nii(\.gz)?|bold\.dtseries\.nii|bold\.func\.gii|bold\.gii|meg\.(fif|ds|con|sqd)"
    r"|eeg\.(vhdr|edf|bdf|set)|ieeg\.(vhdr|edf|set|nwb|mefd)|nirs\.snirf)$"
)
NAMES = {"sub": "subject", "ses": "session", "run": "run", "hemi": "hemisphere"}
ENTITY = re.compile(rf"(?<![A-Za-z0-9])({'|'.join(NAMES)})-([A-Za-z0-9]+)")


def survey_bids(folder: Path | str) -> list[dict[str, str]]:
    """Return one row per kind of recording in a BIDS folder, with the options it needs.

    Parameters
    ----------
    folder : path
        Root of the data set, with ``sub-*`` folders in it or under ``derivatives``.

    Returns
    -------
    list of dict
        ``pattern``: the option of `read_bids` and `read_meeg`; ``mask``: that of the brain mask of
        the first run, where there is one; ``subjects`` and ``runs`` (of each): how many;
        ``columns``: those of the first events file, one of which may hold the words.

    Raises
    ------
    DataMissingError
        There is no such folder, or no recording in it.
    """
    folder = Path(folder)
    first: dict[str, Path] = {}
    for path in sorted(folder.glob("**/sub-*")):
        if RECORDINGS.search(path.name):
            first.setdefault(_pattern(path.relative_to(folder)), path)
    if not first:
        raise DataMissingError(
            f"{folder}: no recording of BIDS in it, such as sub-01/func/sub-01_task-x_bold.nii.gz: "
            "name the folder that holds sub-01, or fetch the files"
        )
    return [_row(folder, pattern, path) for pattern, path in first.items()]


def _pattern(path: Path) -> str:
    return ENTITY.sub(lambda found: f"{found[1]}-{{{NAMES[found[1]]}}}", path.as_posix())


def _row(folder: Path, pattern: str, path: Path) -> dict[str, str]:
    left = pattern.replace("{hemisphere}", "L")
    found = find_runs(folder, left)
    counts = [sum(name == subject for name, _ in found) for subject in {name for name, _ in found}]
    least, most = min(counts), max(counts)
    mask = path.with_name(
        re.sub(r"(_desc-[A-Za-z0-9]+)?_bold\.nii", "_desc-brain_mask.nii", path.name)
    )
    events = inherited(folder, path, "events.tsv")
    header = None if events is None else read_sheet(events, quotes=False).header
    return {
        "pattern": pattern,
        "mask": _pattern(mask.relative_to(folder)) if mask != path and mask.is_file() else "none",
        "subjects": str(len(counts)),
        "runs": str(least) if least == most else f"{least} to {most}",
        "columns": "no events.tsv" if header is None else ", ".join(header),
    }
