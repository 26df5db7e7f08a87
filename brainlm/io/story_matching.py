"""Match the runs of a subject to the stories in word files that all subjects share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Literal

from brainlm.errors import CorruptDataError
from brainlm.io.run_files import RunFile, inherited
from brainlm.io.sheets import read_sheet

Heard = Literal["by name", "in order"] | dict[str, str] | None


def runs_heard(
    runs: Sequence[RunFile], stories: Sequence[str], heard: Heard
) -> list[tuple[RunFile, str]]:
    """Return each run with the story it heard, in the order of the stories.

    Parameters
    ----------
    runs : sequence of RunFile
        Recordings of one subject.
    stories : sequence of str
        The runs of the words.
    heard : {"by name", "in order"}, dict or None
        "by name": the story that is named as the run ("01" and "1" are one name). "in order": the
        k-th run heard the k-th story. A dict gives the story of each run (``"run"``, or
        ``"subject/run"``). None: the story in the column ``stim_file`` of the run's
        ``_events.tsv``, by its file name without the ending; by name where there is no such column.

    Raises
    ------
    CorruptDataError
        A run has no story, or two runs have the same one.
    """
    if heard == "in order":
        if len(runs) != len(stories):
            raise CorruptDataError(
                f"{runs[0].path}: {len(runs)} runs of recordings, {len(stories)} of words: they do "
                "not match in order; give heard = {run: story}"
            )
        return list(zip(runs, stories, strict=True))
    pairs: dict[str, RunFile] = {}
    for run in runs:
        story = _story(run, stories, heard)
        if story in pairs:
            raise CorruptDataError(
                f"{run.path}: runs {pairs[story].name!r} and {run.name!r} both heard {story!r}: "
                "choose one of them (runs)"
            )
        pairs[story] = run
    return [(pairs[story], story) for story in stories if story in pairs]


def _story(run: RunFile, stories: Sequence[str], heard: Heard) -> str:
    names = {_plain(story): story for story in stories}
    known = ", ".join(map(repr, list(stories)[:20]))
    if isinstance(heard, dict):
        story = heard.get(run.label, heard.get(run.name))
        if story not in stories:
            raise CorruptDataError(
                f"{run.path}: heard says {story!r} for run {run.name!r}; the words have {known}"
            )
        return str(story)
    files = _stimulus_files(run) if heard is None else []
    if files:
        fitting = {_plain(PurePosixPath(file).stem) for file in files} & set(names)
        if len(fitting) != 1:
            raise CorruptDataError(
                f"{run.path}: stim_file in its events is {', '.join(files[:5])}, the runs of the "
                f"words are {known}: name these after the stimuli, or set heard = "
                '{run: story}, "by name" or "in order"'
            )
        return names[fitting.pop()]
    if _plain(run.name) not in names:
        raise CorruptDataError(
            f"{run.path}: no run of the words is named {run.name!r} (they are {known}), and its "
            'events have no stim_file: set heard = "in order" if the k-th run of every subject '
            "heard the k-th of them, or give heard = {run: story}"
        )
    return names[_plain(run.name)]


def _plain(name: str) -> str:
    """Return what makes "01" and "1" one name."""
    return str(int(name)) if name.isdecimal() else name


def _stimulus_files(run: RunFile) -> list[str]:
    """Return what stands under ``stim_file`` in the events of a run, without repeats."""
    events = inherited(run.folder, run.path, "events.tsv")
    if events is None:
        return []
    sheet = read_sheet(events, quotes=False)
    if "stim_file" not in sheet.header:
        return []
    position = sheet.position("stim_file")
    files = dict.fromkeys(str(row[position]).strip() for row in sheet.rows)
    return [file for file in files if file not in ("", "n/a")]
