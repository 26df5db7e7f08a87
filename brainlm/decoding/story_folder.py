"""Folders of stories in the layout of ds003020 and ds004510, as public code expects it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.data.stimulus import Stimulus
from brainlm.decoding.simulated_subjects import LEAD, Simulation, simulate_stories
from brainlm.decoding.stories import Story, stories_of
from brainlm.errors import DataMissingError
from brainlm.io import read_stories
from brainlm.language_models import LanguageModel

SKIP = "sentence_start sentence_end br lg ls ns sp sil {BR} {LG} {LS} {NS} {SP} {SL} {CG} {IG} {OG}"
TRIMMED = 10  # samples at both ends of training runs, which respdict.json counts and files lack


def read_story_side(
    folder: Path, side: str, subject: str, *, inner: str = "", level: str = "word", **options: Any
) -> list[Story]:
    """Read the training or the test stories of a subject.

    Parameters
    ----------
    folder : Path
        Holds ``data_train`` and ``data_test``.
    side : {"train", "test"}
    subject : str
    inner : str
        Folder between subject and story, such as ``"perceived_speech"``.
    level : {"word", "character"}
        Unit of Chinese.
    **options
        Of `brainlm.io.read_stories`, such as ``first_sample``.
    """
    base = Path(folder) / f"data_{side}"
    if not base.is_dir():
        raise DataMissingError(
            f"{base}: no such folder; brainlm decode reads data_train, data_test"
        )
    place = f"{inner}/" if inner else ""
    if side == "train" and (base / "respdict.json").is_file():
        options = {"counts": "respdict.json", "trimmed": TRIMMED, **options}
    stimulus, recording = read_stories(
        base,
        subject,
        pattern=f"{side}_response/{{subject}}/{place}{{story}}.hf5",
        words=f"{side}_stimulus/{place}{{story}}.TextGrid",
        **{"skip": tuple(SKIP.split()), "unit": "BOLD (z within story)", **options},
    )
    return stories_of(stimulus, recording, level)


def simulate_subject(
    model: LanguageModel, stimulus: Stimulus, simulation: Simulation, level: str = "word"
) -> list[Story]:
    """Simulate a subject, write folders in the public layout, and read them.

    Parameters
    ----------
    model : LanguageModel
        The planted one.
    stimulus : Stimulus
        Timed; a run per story. The last two become the test stories.
    simulation : Simulation
    level : {"word", "character"}
        Unit of Chinese.
    """
    responses = simulate_stories(model, stimulus, simulation)
    options: dict[str, Any] = {
        "language": stimulus.language,
        "level": level,
        "tier": "word",
        "first_sample": LEAD,
        "sampling_interval": simulation.step,
        "unit": "simulated (a.u.)",
    }
    with tempfile.TemporaryDirectory() as scratch:
        tests = tuple(stimulus.runs[-2:])
        folder = write_layout(Path(scratch) / "study", "S1", stimulus, responses, tests)
        train = read_story_side(folder, "train", "S1", **options)
        test = read_story_side(folder, "test", "S1", inner="perceived_speech", **options)
    return [*train, *test]


def subject_simulator(
    model: LanguageModel, stimulus: Stimulus, voxels: int, layer: int, level: str = "word"
) -> Callable[..., list[Story]]:
    """Return a function from signal-to-noise ratio (and seed) to the stories of a subject."""

    def simulate(snr: float, seed: int = 0) -> list[Story]:
        simulation = Simulation(voxels, snr, layer=layer, seed=seed)
        return simulate_subject(model, stimulus, simulation, level)

    return simulate


def write_layout(
    folder: Path | str,
    subject: str,
    stimulus: Stimulus,
    responses: dict[str, np.ndarray],
    test: tuple[str, ...] = (),
) -> Path:
    """Write stories as the public code of Tang et al. expects them; the folder must not exist.

    ``data_train/train_response/SUBJECT/STORY.hf5`` (key ``data``),
    ``train_stimulus/STORY.TextGrid`` (word tier), ``respdict.json``,
    ``sess_to_story.json``, ``ROIs/SUBJECT.json``; ``data_test/`` with
    ``test_response/SUBJECT/perceived_speech/STORY.hf5``, ``test_stimulus/...`` and
    ``eval_segments.json``.

    Parameters
    ----------
    folder : path
    subject : str
    stimulus : Stimulus
        Timed; a run per story.
    responses : dict of str to array
        By run.
    test : tuple of str
        Runs that are written as test stories and not as training.
    """
    import h5py

    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder}: exists already; choose another folder")
    train = [run for run in stimulus.runs if run not in test]
    n_targets = next(iter(responses.values())).shape[1]
    for run in stimulus.runs:
        side = "test" if run in test else "train"
        inner = "perceived_speech/" if run in test else ""
        base = folder / f"data_{side}"
        path = base / f"{side}_response" / subject / f"{inner}{run}.hf5"
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            file["data"] = responses[run]
        grid = base / f"{side}_stimulus" / f"{inner}{run}.TextGrid"
        grid.parent.mkdir(parents=True, exist_ok=True)
        _write_textgrid(grid, stimulus.select(stimulus.run == run))
    # Public code counts the samples before it trims: 10 s before and 10 s after.
    counts = {run: len(responses[run]) + 10 for run in train}
    _write_json(folder / "data_train/respdict.json", counts)
    _write_json(folder / "data_train/sess_to_story.json", {"1": [train, None]})
    rois = {"speech": list(range(n_targets)), "auditory": list(range(n_targets))}
    _write_json(folder / f"data_train/ROIs/{subject}.json", rois)
    if test:
        ends = {run: _span(stimulus, run) for run in test}
        _write_json(folder / "data_test/eval_segments.json", ends)
    return folder


def _span(stimulus: Stimulus, run: str) -> list[int]:
    mine = stimulus.run == run
    return [0, int(np.ceil((stimulus.onset + stimulus.duration)[mine][-1]))]


def _write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _write_textgrid(path: Path, stimulus: Stimulus) -> None:
    from praatio import textgrid

    ends = np.minimum(
        stimulus.onset + stimulus.duration, np.r_[stimulus.onset[1:], np.inf]
    )  # forced aligners let neighbours overlap by rounding, TextGrids do not
    entries = [
        (float(start), float(end), str(word))
        for start, end, word in zip(stimulus.onset, ends, stimulus.words, strict=True)
        if end > start
    ]
    grid = textgrid.Textgrid()
    grid.addTier(textgrid.IntervalTier("word", entries, 0, float(ends[-1])))
    grid.save(str(path), format="long_textgrid", includeBlankSpaces=True)
