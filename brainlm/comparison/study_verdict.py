"""Verdict of a comparison study: gains of each model over trivial references, by data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainlm.comparison.layer_scores import table_of
from brainlm.comparison.verdict import TWINS, with_verdicts

if TYPE_CHECKING:
    import xarray

CONTROLS = "the controls"
STATIC = "static vectors"
FACTS = ("dataset", "modality", "language", "level")
STATISTICS = ("gain", "low", "high", "p", "p_stimuli", "p_random")
REFERENCES = {  # prefix of the columns of gains -> reference, comparison, column of its score
    "beyond_": (CONTROLS, "added to", "controls"),
    "": (STATIC, "instead of", "static"),
    "over_untrained_": (TWINS["untrained"], "instead of", "untrained"),
    "over_random_": (TWINS["random"], "instead of", "random"),
}
PLACES = {reference: i for i, (reference, _, _) in enumerate(REFERENCES.values())}


def verdict_row(
    about: Mapping[str, Any], source: str, reference: str, other: float, found: Mapping[str, float]
) -> dict[str, Any]:
    """Return one row of the verdict of a study.

    Parameters
    ----------
    about : mapping
        ``dataset``, ``modality``, ``language`` and ``level``.
    source : str
        Name of the model.
    reference : str
        `CONTROLS`, which the model is added to, or one that replaces the model.
    other : float
        Score of the reference.
    found : mapping of str to float
        ``gain``, ``low``, ``high``, ``p``, ``p_stimuli`` and ``p_random``.
    """
    facts = {name: about[name] for name in FACTS}
    comparison = "added to" if reference == CONTROLS else "instead of"
    sides = {"model": other + found["gain"], "other": other}
    compared = {"source": source, "reference": reference, "comparison": comparison}
    return {**facts, **compared, **sides, **{name: float(found[name]) for name in STATISTICS}}


def verdict_of_gains(gains: pd.DataFrame) -> pd.DataFrame:
    """Return the verdict of a study of layers, whose gains are tested already.

    Parameters
    ----------
    gains : DataFrame
        From `brainlm.comparison.layer_gains.layer_gains`.

    Returns
    -------
    DataFrame
        See `study_verdict`.
    """
    rows = []
    for each in gains.to_dict("records"):
        for prefix, (reference, _, score) in REFERENCES.items():
            if score in each:
                found = {name: each[f"{prefix}{name}"] for name in STATISTICS}
                rows.append(verdict_row(each, each["model"], reference, each[score], found))
    return study_verdict(rows)


def study_verdict(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the verdict of a study: a row per model, data set and reference.

    Parameters
    ----------
    rows : sequence of mapping
        From `verdict_row`.

    Returns
    -------
    DataFrame
        ``dataset``, ``modality``, ``language``, ``level``, ``source`` (the model), and the columns
        of `brainlm.comparison.verdict.verdict`; q is Benjamini-Hochberg's over all rows.
    """
    table = pd.DataFrame(rows)
    if not len(table):
        return table
    order = table["reference"].map(PLACES).to_numpy()
    table = table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
    return with_verdicts(table)


def study_sentence(table: pd.DataFrame) -> str:
    """State the verdict of a study: a sentence per model, counting data sets.

    Parameters
    ----------
    table : DataFrame
        From `study_verdict`.
    """
    sentences = []
    for model, own in table.groupby("source", sort=False):
        counts = [
            f"{_label(reference)} in {int((each['verdict'] == 'more').sum())} of {len(each)}"
            for reference, each in own.groupby("reference", sort=False)
        ]
        sentences.append(f"{model} predicts more than {', '.join(counts)} data sets (q <= .05).")
        less = own[own["verdict"] == "less"]
        for reference, each in less.groupby("reference", sort=False):
            where = ", ".join(each["dataset"])
            sentences.append(f"It predicts less than {_label(reference)} in {where}.")
    return " ".join(sentences)


def _label(reference: object) -> str:
    return f"{reference} alone" if reference == CONTROLS else str(reference)


def study_verdict_dataset(table: pd.DataFrame) -> xarray.Dataset:
    """Return the verdict of a study for a bundle, with the sentence as an attribute."""
    return table_of(table).assign_attrs(sentence=study_sentence(table))
