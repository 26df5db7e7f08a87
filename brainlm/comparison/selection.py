"""Selection of models and data sets of a study, and the materials they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainlm._progress import bar
from brainlm.comparison.assembly import Assembly
from brainlm.comparison.opening import open_assembly
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import is_on_disk
from brainlm.errors import DataMissingError, UnknownNameError

if TYPE_CHECKING:
    pass


def parse_models(text: str, languages: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Parse ``"minilm:en,gemma3"`` into model -> languages; a model without languages has all.

    Raises
    ------
    UnknownNameError
        Nothing is named, or a model twice.
    """
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, spoken = part.partition(":")
        if name in found:
            raise UnknownNameError(f"--models names {name!r} twice")
        found[name] = tuple(spoken.split("+")) if spoken else tuple(languages)
    if not found:
        raise UnknownNameError("--models is empty: name at least one language model")
    return found


def choose_datasets(
    text: str, known: Sequence[str], root: Path | None = None
) -> tuple[list[str], list[str], list[str]]:
    """Return the data sets of a study, their languages, and notes of those not on disk.

    Parameters
    ----------
    text : str
        Names, paths of your own cards, language codes, or "all", separated by commas. Those named
        must be on this machine; of all, or of a language, those are taken that are.
    known : sequence of str
        Data sets of the study.
    root : path, optional

    Raises
    ------
    UnknownNameError, DataMissingError
        An unknown name, a named data set that is not here, or none at all.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    spoken = {name: set(read_card(name).languages) for name in known}
    codes = [part for part in parts if any(part in each for each in spoken.values())]
    names = [part for part in parts if part not in codes and part != "all"]
    for name in names:
        read_card(name)  # an unknown name is an error with the nearest one
        if not is_on_disk(name, root):
            raise DataMissingError(
                f"data set {name!r} is not on this machine: `brainlm datasets {name}` says where "
                "to get it"
            )
    wanted = [n for n in known if "all" in parts or spoken[n] & set(codes)]
    here = [name for name in wanted if is_on_disk(name, root)]
    missing = [name for name in wanted if name not in here]
    chosen = list(dict.fromkeys([*names, *here]))
    if not chosen:
        raise DataMissingError(
            f"--datasets {text!r}: none of these data sets is on this machine; set BRAINLM_DATA or "
            "--root"
        )
    notes = [f"not tested, not on this machine: {', '.join(missing)}"] if missing else []
    languages = codes or [code for name in chosen for code in read_card(name).languages]
    return chosen, list(dict.fromkeys(languages)), notes


def open_assemblies(
    names: Sequence[str],
    root: Path | None,
    limits: Mapping[str, Mapping[str, Any]],
    *,
    max_items: int,
    few: int = 0,
) -> list[Assembly]:
    """Open the data sets of a study, each with its limits; ``few`` items of each in a debug run."""
    tasks = []
    for name in bar(names, "open data sets"):
        limit: dict[str, Any] = {"max_items": max_items, **limits.get(name, {})}
        if few:
            most = 60 if name == "nieuwland2018" else 3
            limit = {"max_items": few, "max_subjects": most}
        task = open_assembly(name, root, **limit)
        if few:
            task = replace(task, n_splits=4)
        tasks.append(task)
    return tasks


def materials(tasks: Sequence[Assembly]) -> dict[str, str]:
    """Return the material of each data set: data sets that share half their items share one.

    Gaze, reading times and EEG of the same sentences, or ratings of the same words, are not
    independent samples of language: a rank over data sets counts a material once.

    Returns
    -------
    dict of str to str
        Name of the data set -> name of the first data set of its material.
    """
    texts = {task.name: _pieces(task) for task in tasks}
    found: dict[str, str] = {}
    for name, own in texts.items():
        found[name] = name
        for other in list(found)[:-1]:
            shared = len(own & texts[other])
            if shared >= 0.5 * min(len(own), len(texts[other])):
                found[name] = found[other]
                break
    return found


def _pieces(task: Assembly) -> set[str]:
    """Words of a list of words, sentences of a text, in lower case."""
    level = "item" if task.level == "word" else "sentence"
    words = task.stimulus.words
    return {" ".join(words[rows]).lower() for _, rows in task.stimulus.blocks(level)}
