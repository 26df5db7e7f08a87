"""Contents of a BIDS folder, listed before `read_bids`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from brainlm.errors import DataMissingError, UnknownNameError
from brainlm.io.run_files import find_runs, inherited
from brainlm.io.sheets import read_sheet

RECORDINGS = re.compile(
    r"_(bold\.nii(\.gz)?|bold\.dtseries\.nii|bold\.func\.gii|bold\.gii|meg\.(fif|ds|con|sqd)"
    r"|eeg\.(vhdr|edf|bdf|set)|ieeg\.(vhdr|edf|set|nwb|mefd)|nirs\.snirf)$"
)
NAMES = {"sub": "subject", "ses": "session", "run": "run", "hemi": "hemisphere"}
ENTITY = re.compile(rf"(?<![A-Za-z0-9])({'|'.join(NAMES)})-([A-Za-z0-9]+)")
# Columns of events that hold words, the likeliest first.
WORD_COLUMNS = ("word", "words", "token", "text", "transcript", "stimulus", "value", "trial_type")
# Noise components of nilearn's load_confounds, by the first column of fMRIPrep's that each needs.
STRATEGIES = {
    "trans_x": "motion",
    "white_matter": "wm_csf",
    "cosine00": "high_pass",
    "global_signal": "global_signal",
    "a_comp_cor_00": "compcor",
    "framewise_displacement": "scrub",
}
ADVISED = ("motion", "wm_csf", "high_pass")  # of the ready call; what else is there is listed
CONFOUNDS = ("desc-confounds_timeseries.tsv", "desc-confounds_regressors.tsv")


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
        ``columns``: those of the first events file, one of which may hold the words;
        ``confounds``: those of fMRIPrep beside the first image, as options of ``strategy``;
        ``call``: what to run next.

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
    row = {
        "pattern": pattern,
        "mask": _pattern(mask.relative_to(folder)) if mask != path and mask.is_file() else "none",
        "subjects": str(len(counts)),
        "runs": str(least) if least == most else f"{least} to {most}",
        "columns": "no events.tsv" if header is None else ", ".join(header),
        "confounds": ", ".join(_strategies(path)) or "none",
    }
    return {**row, "call": _call(folder, row, min(found)[0])}


def _strategies(image: Path) -> list[str]:
    """Return the noise components whose columns lie beside an image of fMRIPrep."""
    start = re.split(r"_(space|hemi|res|den|desc)-|_bold\.", image.name)[0]
    for suffix in CONFOUNDS:
        path = image.with_name(f"{start}_{suffix}")
        if path.is_file():
            header = read_sheet(path).header
            return [name for column, name in STRATEGIES.items() if column in header]
    return []


def _call(folder: Path, row: dict[str, str], subject: str) -> str:
    """Return the command that scores one subject, or the reader where there is no command."""
    pattern = row["pattern"]
    if "_bold." not in pattern:
        return f"brainlm.io.read_meeg({str(folder)!r}, {subject!r}, pattern={pattern!r}, ...)"
    words = ["brainlm run encode_bids", shlex.quote(str(folder)), "--subject", subject]
    words += ["--pattern", shlex.quote(pattern)]
    column = word_column(row["columns"].split(", "))
    words += ["--word", column or "COLUMN"]
    if row["mask"] == "none" and ".nii" in pattern and ".dtseries" not in pattern:
        words += ["--mask", "template"]
    strategy = [name for name in ADVISED if name in row["confounds"].split(", ")]
    return " ".join([*words, *(["--strategy", ",".join(strategy)] if strategy else [])])


def word_column(columns: Iterable[str]) -> str | None:
    """Return the column of events that most likely holds the words."""
    there = set(columns)
    return next((name for name in WORD_COLUMNS if name in there), None)


def choose_images(folder: Path | str, pattern: str = "") -> dict[str, str]:
    """Return the row of `survey_bids` with a pattern, or the only preprocessed one.

    Raises
    ------
    UnknownNameError
        There is no fMRI of that pattern, or there are several and none was chosen.
    DataMissingError
        No file matches the pattern, or see `survey_bids`.
    """
    images = [row for row in survey_bids(folder) if "_bold." in row["pattern"]]
    patterns = [row["pattern"] for row in images]
    if pattern:
        # A pattern of one's own is allowed: the survey merges tasks and sessions in its own way.
        if not find_runs(Path(folder), pattern.replace("{hemisphere}", "L")):
            raise DataMissingError(f"{folder}: no file matches {pattern!r}")
        known = {"pattern": pattern, "mask": "none", "columns": ""}
        return next((row for row in images if row["pattern"] == pattern), known)
    prepared = [row for row in images if row["pattern"].startswith("derivatives/")] or images
    if len(prepared) != 1:
        raise UnknownNameError(
            f"{folder}: {len(prepared)} kinds of fMRI images; choose one with --pattern: "
            f"{', '.join(patterns) or 'there are none, see brainlm bids'}"
        )
    return prepared[0]
