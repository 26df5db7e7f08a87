"""Runs of subjects in folders: patterns such as ``sub-{subject}/func/sub-{subject}_run-{run}.nii``.

A pattern may hold ``{subject}`` and any of ``{session}``, ``{task}`` and ``{run}``, as often as it
likes. A run is named by what stands for the last three, in the order in which the pattern first
names them, joined by ``/`` ("1", or "01/2" for a session and a run); the only one is "1".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainlm._validation import named_subject
from brainlm.errors import CorruptDataError, DataMissingError, unknown_name
from brainlm.io.files import read_json

PLACE = re.compile(r"\{(subject|session|task|run)\}")


def _places(pattern: str) -> list[str]:
    """Return the placeholders that make up the name of a run, in order."""
    return [name for name in dict.fromkeys(PLACE.findall(pattern)) if name != "subject"]


def fill(pattern: str, subject: str, run: str, named_by: str | None = None) -> str:
    """Return the path of a run; ``named_by`` is the pattern that found the run."""
    names = _places(pattern if named_by is None else named_by)
    # Whatever stands for the last place may itself hold a slash: there is only that place then.
    values = dict(zip(names, run.split("/", max(0, len(names) - 1)), strict=False))
    values["subject"] = subject
    return PLACE.sub(lambda match: values.get(match[1], match[0]), pattern)


@dataclass(frozen=True)
class RunFile:
    """A run of a subject, found in ``folder`` with ``pattern``."""

    folder: Path
    pattern: str
    subject: str
    name: str

    @property
    def label(self) -> str:
        """Subject and run, as named in options."""
        return f"{self.subject}/{self.name}"

    @property
    def path(self) -> Path:
        """The file of the run."""
        return self.file(self.pattern)

    def file(self, pattern: str) -> Path:
        """Return another file of the run."""
        return self.folder / fill(pattern, self.subject, self.name, self.pattern)


def find_runs(folder: Path, pattern: str) -> list[tuple[str, str]]:
    """Return (subject, run) of all files that match, runs in the order of their numbers."""
    seen: set[str] = set()

    def group(match: re.Match[str]) -> str:
        name = match[1]
        if name in seen:  # where it is named twice, both must agree
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>[^/_]+)"

    parts = re.split(f"({PLACE.pattern})", pattern)  # text, whole place, its name, text, ...
    expression = ""
    for i, part in enumerate(parts):
        if i % 3 == 0:
            expression += re.escape(part)
        elif i % 3 == 1:
            expression += PLACE.sub(group, part)
    found = set()
    for path in folder.glob(PLACE.sub("*", pattern)):
        match = re.fullmatch(expression, path.relative_to(folder).as_posix())
        if match:
            groups = match.groupdict()
            run = "/".join(groups[name] for name in _places(pattern)) or "1"
            found.add((groups.get("subject", "group"), run))
    return sorted(found, key=lambda key: (key[0], _natural(key[1])))


def _natural(text: str) -> list[str | int]:
    """Return what sorts "2" before "10", and "alice" before "cat"."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]


def subject_of(folder: Path, pattern: str, subject: str | None) -> str | None:
    """Return a subject as named in the files, such as "01" for "sub-01"."""
    return named_subject(subject, {name for name, _ in find_runs(folder, pattern)})


def choose_runs(
    folder: Path,
    pattern: str,
    subject: str | None,
    runs: tuple[str, ...] = (),
    n_runs: int | None = None,
) -> list[str]:
    """Return the runs of a subject; raise unless all that were asked for are there.

    Raises
    ------
    DataMissingError, CorruptDataError, UnknownNameError
        No file matches, a run is missing or doubled, or there is no such subject.
    """
    found = find_runs(folder, pattern)
    if not found:
        raise DataMissingError(f"{folder}: no file matches {pattern!r}")
    there = [run for name, run in found if name == subject]
    if not there:
        raise unknown_name("subject", subject, dict.fromkeys(name for name, _ in found))
    lacking = [run for run in runs if run not in there]
    if lacking:
        raise DataMissingError(f"{folder}: subject {subject!r} lacks the runs {lacking}")
    chosen = list(runs) or there
    if n_runs is not None and len(chosen) != n_runs:
        raise CorruptDataError(
            f"{folder}: subject {subject!r} has {len(chosen)} runs ({', '.join(chosen)}), expected "
            f"{n_runs}: one is missing or doubled"
        )
    return chosen


def inherited(folder: Path, path: Path, suffix: str) -> Path | None:
    """Return the nearest file of BIDS that applies to a file: beside it, or in a folder above.

    For a file of ``derivatives/PIPELINE/`` the folders of the raw data come next: events lie there.

    Parameters
    ----------
    folder : path
        Root of the data set.
    path : path
        The file it should apply to.
    suffix : str
        Such as ``"bold.json"`` or ``"events.tsv"``.
    """
    entities = set(path.name.split("_")[:-1])
    place = path.relative_to(folder).parts[:-1] if path.is_relative_to(folder) else ()
    homes = [path.parent]
    if place[:1] == ("derivatives",) and len(place) > 2:
        homes.append(folder.joinpath(*place[2:]))
    for home in homes:
        for above in (home, *home.parents):
            fitting = [
                each
                for each in sorted({*above.glob(f"*_{suffix}"), *above.glob(suffix)})
                if set(each.name.removesuffix(suffix).strip("_").split("_")) - {""} <= entities
            ]
            if fitting:
                return max(fitting, key=lambda each: len(each.name))
            if above == folder:
                break
    return None


def sidecar(folder: Path, path: Path, suffix: str) -> dict[str, Any]:
    """Return the JSON sidecar that applies to a file; empty where there is none."""
    found = inherited(folder, path, suffix)
    if found is None:
        return {}
    content = read_json(found)
    if not isinstance(content, dict):
        raise CorruptDataError(f"{found}: no JSON object")
    return {**content, "": found}
