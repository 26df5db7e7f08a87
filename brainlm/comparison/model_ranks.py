"""Ranks of models over data sets, for embeddings and predictability, over all and by language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from brainlm.stats.ranking import rank_models


def model_ranks(
    table: pd.DataFrame, pairs: pd.DataFrame, material: Mapping[str, str]
) -> tuple[pd.DataFrame, list[str]]:
    """Ranks of the models that all data sets have, for each race, over all and by language.

    A material (sentences or words that several data sets share) counts once. ``lost`` counts the
    data sets on which another model is significantly better (q over all pairs), ``won`` those on
    which every other is significantly worse.
    """
    rows, notes = [], []
    for kind, of_kind in table.groupby("features", sort=False):
        groups_of_languages = {"all languages": of_kind, **dict(list(of_kind.groupby("language")))}
        if of_kind["language"].nunique() == 1:
            del groups_of_languages["all languages"]
        for what, each in groups_of_languages.items():
            wide = each.pivot(index="dataset", columns="model", values="score")
            complete = wide.dropna(axis=1)  # the models that every data set has
            incomplete = [model for model in wide.columns if model not in complete.columns]
            groups = [material[name] for name in complete.index]
            if len(set(groups)) < 3 or complete.shape[1] < 3:
                notes.append(
                    f"{kind}, {what}: too few for ranks, {len(set(groups))} materials and "
                    f"{complete.shape[1]} models"
                )
                continue
            if incomplete:
                notes.append(
                    f"{kind}, {what}: not ranked, not on all data sets: {', '.join(incomplete)}"
                )
            found = rank_models(complete.to_numpy(), list(complete.columns), groups=groups)
            known = pairs["dataset"].isin(complete.index) & (kind == "embedding")
            for i, model in enumerate(found.models):
                better = _signed(pairs[known], model, found.models)
                rows.append(
                    {
                        "features": f"{kind}, {what}",
                        "model": model,
                        "mean_rank": found.mean[i],
                        "low": found.low[i],
                        "high": found.high[i],
                        "wins": int(found.wins[i]),
                        "lost": int((better < 0).any(axis=1).sum()),
                        "won": int((better > 0).all(axis=1).sum()) if len(better) else 0,
                        "tested": int(known.any()),
                        "n_datasets": len(complete),
                        "n_materials": len(found.ranks),
                        "p": found.p,
                        "critical_difference": found.critical_difference,
                    }
                )
    return pd.DataFrame(rows), notes


def _signed(pairs: pd.DataFrame, model: str, models: Sequence[str]) -> pd.DataFrame:
    """Sign of the significant differences (0: none) of a model from others, by data set."""
    own = pairs[pairs["first"].isin(models) & pairs["second"].isin(models)]
    ahead, behind = own[own["first"] == model], own[own["second"] == model]
    rows = pd.concat(
        [
            ahead.assign(other=ahead["second"], sign=np.sign(ahead["difference"])),
            behind.assign(other=behind["first"], sign=-np.sign(behind["difference"])),
        ]
    )
    rows["sign"] = rows["sign"].where(rows["q"] <= 0.05, 0)
    return rows.pivot(index="dataset", columns="other", values="sign")
