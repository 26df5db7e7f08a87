"""Tidy table of a study: one row per data set, feature space and method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.responses import over_targets
from brainlm.comparison.space_scores import SpaceScores
from brainlm.stats.permutation import fdr

if TYPE_CHECKING:
    import pandas


def record(
    task: Assembly, scores: SpaceScores, ceiling: float = np.nan, **about: Any
) -> dict[str, Any]:
    """Return the row of one representation on one assembly: everything a reader must know.

    ``low`` and ``high`` are the interval over folds: it holds for new stimuli and these subjects.
    ``subject_low`` and ``subject_high`` are that over three people or more: it holds for new
    people and these stimuli.
    ``beyond_controls`` is r of controls and representation together minus r of the controls.

    Parameters
    ----------
    task : Assembly
    scores : SpaceScores
    ceiling : float
        ``task.mean_ceiling()``, computed once per task; NaN where there is none.
    **about
        Further columns: space, family, model, layer, depth, n_features ...
    """
    low, high = scores.interval()
    subject_low, subject_high = scores.subject_interval()
    alphas = (
        (np.nan, np.nan) if scores.alphas is None else (scores.alphas.min(), scores.alphas.max())
    )
    return {
        **task.facts,
        "method": scores.method,
        "metric": "r",
        **about,
        "score": scores.score,
        "low": low,
        "high": high,
        "subject_low": subject_low,
        "subject_high": subject_high,
        "beyond_controls": (
            np.nan if scores.beyond is None else float(scores.beyond_by_fold.mean())
        ),
        "unit": "fold",
        "n_units": len(scores.values),
        "n_targets": task.n_targets,
        "folds": repr(task.split),
        "alpha_low": float(alphas[0]),
        "alpha_high": float(alphas[1]),
        "ceiling": ceiling,
        "centred": np.nan if scores.centred is None else scores.mean(scores.centred),
        "published": np.nan
        if scores.published is None
        else float(over_targets(scores.published, scores.weight)),
        "null": "none" if scores.null is None else task.null,
        "n_null": 0 if scores.null is None else len(scores.null),
        "null_mean": np.nan if scores.null is None else float(scores.null.mean()),
        "p": scores.p,
    }


def tidy(rows: Sequence[dict[str, Any]]) -> pandas.DataFrame:
    """Return the table of all rows, with q values, ranks and scores over their ceiling.

    ``q`` is Benjamini-Hochberg's over the representations of one data set and method that have a
    p value; ``rank`` is among those of a data set, method and ``family`` other than "random"
    (1 = best); ``normalised`` is score / ceiling where there is a ceiling of .05 or more.
    """
    import pandas

    table = pandas.DataFrame(rows)
    table["q"], table["rank"] = np.nan, np.nan
    for _, group in table.groupby(["dataset", "method"], sort=False):
        tested = group.index[group["p"].notna()]
        if len(tested):
            table.loc[tested, "q"] = fdr(table.loc[tested, "p"].to_numpy())
        ranked = group.index[group["family"] != "random"]
        table.loc[ranked, "rank"] = table.loc[ranked, "score"].rank(ascending=False)
    enough = table["ceiling"] >= 0.05
    table["normalised"] = np.where(enough, table["score"] / table["ceiling"].where(enough), np.nan)
    return table


def tidy_families(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a `tidy` table of each kind of features, one below the other.

    Parameters
    ----------
    rows : DataFrame
        With a column ``features``: embeddings, or predictability. Ranks and q are inside a kind.
    """
    kinds = [tidy(own.to_dict("records")) for _, own in rows.groupby("features", sort=False)]
    return pd.concat(kinds, ignore_index=True)
