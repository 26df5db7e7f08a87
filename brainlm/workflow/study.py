"""Study: many feature spaces on many data sets, computed in parts that are kept on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.layer_scores import table_of, time_summary
from brainlm.comparison.parts import run_parts
from brainlm.comparison.selection import choose_datasets, open_assemblies, parse_models
from brainlm.comparison.study_verdict import study_verdict_dataset
from brainlm.comparison.table import tidy
from brainlm.datasets.card import read_card
from brainlm.features.baselines import has_frequencies
from brainlm.stats.permutation import fdr
from brainlm.workflow.run import Run

if TYPE_CHECKING:
    import xarray

Job = tuple[str, Mapping[str, Any], Callable[[], "xarray.Dataset"]]


class Study:
    """Data sets of a comparison study, its parts, and its bundle.

    A part that was computed before an interruption is kept and not computed again.

    Parameters
    ----------
    run : Run
    known : str
        Data sets of the study, separated by spaces.
    datasets : str
        The user's choice, see `brainlm.comparison.selection.choose_datasets`.
    """

    def __init__(self, run: Run, known: str, datasets: str) -> None:
        self.run = run
        self.names, self.languages, notes = choose_datasets(datasets, known.split(), run.root)
        run.note(*notes)
        self.trial = run.debug and datasets.strip() == "all"
        if self.trial:
            self._keep_few()
        self.assemblies: list[Assembly] = []
        self.seconds: dict[str, float] = {}

    def _keep_few(self) -> None:
        """Keep the first data set of each modality, for a trial run that takes seconds."""
        first: dict[str, str] = {}
        for name in self.names:
            first.setdefault(read_card(name).modality, name)
        left_out = len(self.names) - len(first)
        self.names = list(first.values())
        self.languages = list(
            dict.fromkeys(code for name in self.names for code in read_card(name).languages)
        )
        self.run.note(f"one data set of each modality: {left_out} left out", kind="debug")

    def models(self, text: str) -> dict[str, tuple[str, ...]]:
        """Return model -> languages (`parse_models`); a trial run has one model per language."""
        named = parse_models(text, self.languages)
        if not self.trial:
            return named
        kept: dict[str, tuple[str, ...]] = {}
        for code in self.languages:
            kept |= dict([each for each in named.items() if code in each[1]][:1])
        left_out = ", ".join(name for name in named if name not in kept)
        if left_out:
            self.run.note(f"one model of each language: {left_out} left out", kind="debug")
        return kept

    def open(self, limits: Mapping[str, Mapping[str, Any]], max_items: int) -> list[Assembly]:
        """Open the data sets, each within its limits; their notes are kept in the bundle."""
        few = (60 if self.trial else 120) if self.run.debug else 0
        self.assemblies = open_assemblies(
            self.names, self.run.root, limits, max_items=max_items, few=few
        )
        self.seconds["opening the data"] = self.run.seconds
        for each in self.assemblies:
            self.run.note(*(f"{each.name}: {note}" for note in each.recording.notes))
            if not has_frequencies(each.language):
                note = f"{each.name}: no list of frequencies in {each.language!r}"
                self.run.note(f"{note}: the controls are without frequency", kind="coverage")
        return self.assemblies

    def table_of_rows(self, parts: Mapping[str, xarray.Dataset]) -> pd.DataFrame:
        """Return the tidy table of the rows of all parts (`brainlm.comparison.tidy`)."""
        return tidy(rows_of_parts(parts, "rows").to_dict("records"))

    def covers(self, assembly: Assembly, words: np.ndarray) -> None:
        """Record the files of a data set and how many of its words are compared."""
        self.run.data[assembly.name] = {
            "data": assembly.hashes,
            "words": [int(words.sum()), len(words)],
        }

    def compute(self, jobs: Sequence[Job]) -> dict[str, xarray.Dataset]:
        """Compute the parts that are not on disk yet, see `brainlm.comparison.run_parts`."""
        parts, seconds = run_parts(jobs, self.run.parts, self.run.progress)
        self.seconds |= seconds
        return parts

    def save(
        self,
        tables: Mapping[str, pd.DataFrame],
        figures: Sequence[str],
        *,
        verdict: pd.DataFrame | None = None,
        **settings: Any,
    ) -> None:
        """Save the tables as a bundle, and print which parts took longest.

        The verdict (`brainlm.comparison.study_verdict.study_verdict`) is printed as a sentence and
        drawn.
        """
        times = pd.DataFrame({"part": list(self.seconds), "seconds": list(self.seconds.values())})
        arrays = {name: table_of(table) for name, table in {**tables, "time": times}.items()}
        if verdict is not None and len(verdict):
            arrays["verdict"] = study_verdict_dataset(verdict)
            figures = [*figures, "verdict"]
            self.run.show(arrays["verdict"].attrs["sentence"])
        chosen: dict[str, Any] = {"datasets": self.names, "languages": self.languages}
        self.run.save(arrays=arrays, figures=figures, **chosen, **settings)
        self.run.show(time_summary(self.seconds, self.run.seconds))


def rows_of_parts(
    parts: Mapping[str, xarray.Dataset], name: str, *, q: bool = False
) -> pd.DataFrame:
    """Return the rows of one table of all parts, one below the other.

    Parameters
    ----------
    parts : dict of str to xarray.Dataset
        From `Study.compute`.
    name : str
        Attribute of the parts that holds the rows as JSON.
    q : bool
        Whether to add ``q``, the false discovery rate over all rows (Benjamini-Hochberg).
    """
    rows = [row for part in parts.values() for row in json.loads(part.attrs[name])]
    table = pd.DataFrame(rows)
    return table.assign(q=fdr(table["p"].to_numpy())) if q and len(table) else table
