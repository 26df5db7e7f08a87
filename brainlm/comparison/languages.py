"""One layer of each model in many languages: scores of each language, and languages as units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from brainlm.comparison.layer_scores import rows_of
from brainlm.comparison.layer_statistics import compare_folds
from brainlm.language_models import LanguageModel
from brainlm.stats.paired import paired_difference
from brainlm.stats.permutation import fdr

if TYPE_CHECKING:
    import xarray

MEASURES = {
    "beyond": "layer and controls minus controls",
    "over_random": "layer minus the same vectors permuted between words",
}
KEPT = "dataset language model layer score low high subject_low subject_high ceiling n_items"


def spoken_of(
    models: Mapping[str, Sequence[str]], languages: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the languages of the study that each model speaks, and a note of the others.

    Parameters
    ----------
    models : mapping of str to sequence of str
        Model -> languages that the user named for it (`parse_models`).
    languages : sequence of str
        Of the data sets.

    Returns
    -------
    spoken : dict of str to tuple of str
        Those that were named and, of a shipped model, that its text had a good part of.
    notes : list of str
    """
    spoken, notes = {}, []
    for name, named in models.items():
        declared = getattr(LanguageModel(name).source, "languages", ())
        known = [
            language
            for language in languages
            if language in named and (not declared or language.split("-")[0] in declared)
        ]
        lacking = [language for language in languages if language not in known]
        spoken[name] = tuple(known)
        if lacking:
            notes.append(
                f"{name}: skipped {len(lacking)} of {len(languages)} languages that it does not "
                f"speak: {', '.join(lacking)}"
            )
    return spoken, notes


def language_rows(parts: Mapping[str, xarray.Dataset]) -> pd.DataFrame:
    """Return a row per data set and model: scores, and gains over controls and random vectors.

    Parameters
    ----------
    parts : mapping of str to xarray.Dataset
        From `brainlm.comparison.layer_scores.layer_part`, of one layer each.

    Returns
    -------
    DataFrame
        Columns of the tidy table; ``controls`` and ``random``, their scores; and for each of
        `MEASURES` the gain, its interval over folds, ``p`` (the larger of that over folds and that
        against draws of random vectors) and ``q`` over the rows.
    """
    rows = []
    for part in parts.values():
        (row,) = (row for row in rows_of(part) if row["family"] != "random")
        own = part.sel(space=row["space"])
        score, beyond = own["fold_score"].values, own["fold_beyond"].values
        random, random_beyond = (
            part[name].isel(layer=0).mean("fold").values for name in ("random", "random_beyond")
        )
        ratio, chance = part.attrs["test_ratio"], random.mean()
        drawn, none = (random, 0 * random + chance), np.zeros(len(score))
        twins = random_beyond, 0 * random_beyond
        found = {
            "beyond": compare_folds(beyond, none, ratio, random=twins),
            "over_random": compare_folds(score, none + chance, ratio, random=drawn),
        }
        rows.append(
            {
                **{name: row[name] for name in (*KEPT.split(), "n_subjects")},
                "controls": float(part["control"].mean()),
                "random": float(random.mean()),
                **{
                    key: value
                    for name, each in found.items()
                    for key, value in each.row(name, f"{name}_").items()
                },
            }
        )
    table = pd.DataFrame(rows).rename(columns={f"{name}_{name}": name for name in MEASURES})
    for name in MEASURES:
        table[f"{name}_q"] = fdr(table[f"{name}_p"].to_numpy(float))
    return table


def over_languages(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each gain over languages, its interval and sign-flip p, per model.

    Several data sets of one language are averaged first, so that a language counts once. The
    interval holds for new languages (and their listeners); NaN for fewer than three.

    Parameters
    ----------
    table : DataFrame
        From `language_rows`.
    """
    rows = []
    for model, own in table.groupby("model", sort=False):
        for name, what in MEASURES.items():
            gains = own.groupby("language", sort=False)[name].mean().to_numpy(float)
            row = {"model": model, "measure": name, "what": what, "gain": gains.mean()}
            row |= {"low": np.nan, "high": np.nan, "p": np.nan}
            if len(gains) >= 3:
                found = paired_difference(gains, np.zeros(len(gains)))
                row |= {"low": found.low, "high": found.high, "p": found.p}
            row |= {"n_languages": len(gains), "n_positive": int((gains > 0).sum())}
            rows.append(row)
    return pd.DataFrame(rows)
