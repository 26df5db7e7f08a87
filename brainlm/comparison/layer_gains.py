"""Gains and preferred depths of the layers of models, by data set, modality and language."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import ttest_ind

from brainlm.comparison.layer_statistics import (
    best_layer,
    compare_folds,
    context_gain,
    curve_agreement,
    depth_difference,
    layer_profile,
    modality_difference,
)
from brainlm.data.scores import held_out_choice
from brainlm.stats.permutation import fdr

PROFILES = """dataset model modality language level n_items n_units best_depth depth_low depth_high
    slope low high p relative relative_error smallest_q profile"""
PAIRS = ["model", "first", "second", "first_modality", "second_modality", "difference", "p"]
GAINS = ("", "over_random_", "over_untrained_", "beyond_", "static_beyond_")
LEVELS = ("word", "sentence", "discourse")
DEPTHS_COMPARED = ["depth_first", "depth_second", "difference", "p"]
LEVELS_COMPARED = ["model", "first", "second", "n_first", "n_second", *DEPTHS_COMPARED]
MODALITIES_COMPARED = ["model", "first", "second", "n_first", "n_second", "difference", "p"]


def layer_gains(table: pd.DataFrame, parts: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the gains and the depth profile of every data set and model, with q over all.

    Parameters
    ----------
    table : DataFrame
        Rows of all parts (`brainlm.comparison.tidy`).
    parts : dict of str to xarray.Dataset
        From `brainlm.comparison.layer_scores.layer_part`, by "data set | model".

    Returns
    -------
    gains : DataFrame
        The held-out layer against static vectors, against random embeddings, and added to the
        controls.
    profiles : DataFrame
        Preferred depth and its test; ``profile`` holds the `LayerProfile`.
    """
    gains = []
    for (dataset, model), rows in _layers_of(table):
        part = parts[f"{dataset} | {model}"]
        about = _about(dataset, model, rows)
        gains.append({**about, **_gains_of(part, _static_part(table, parts, dataset), rows)})
    frame = pd.DataFrame(gains)
    tested = [name for name in GAINS if f"{name}p" in frame]
    for name in tested:
        frame[f"{name}q"] = fdr(frame[f"{name}p"].to_numpy())
    return frame, depth_profiles(table, parts)


def _about(dataset: str, model: str, rows: pd.DataFrame) -> dict:
    facts = rows.iloc[0][["modality", "language", "level", "n_items", "n_units"]]
    return {"dataset": dataset, "model": model, **facts}


def depth_profiles(table: pd.DataFrame, parts: dict) -> pd.DataFrame:
    """Return the preferred depth of every data set and model with two layers above the input.

    Parameters
    ----------
    table, parts
        As in `layer_gains`.
    """
    profiles = []
    for (dataset, model), rows in _layers_of(table):
        if (rows["depth"] > 0).sum() < 2:
            continue
        part = parts[f"{dataset} | {model}"]
        found = layer_profile(
            part["fold_score"].sel(space=list(rows["space"])).values.T,
            rows["depth"].to_numpy(),
            part.attrs["test_ratio"],
            chance=_chance_of(part, rows),
            random=part["random"].mean("fold").transpose("draw", "layer").values,
        )
        profiles.append(
            {
                **_about(dataset, model, rows),
                "best_depth": found.best_depth,
                "depth_low": found.low,
                "depth_high": found.high,
                "slope": found.slope.mean,
                "low": found.slope.low,
                "high": found.slope.high,
                "p": found.p,
                "relative": found.relative,
                "relative_error": found.relative_error,
                "smallest_q": rows["q"].min(),
                "profile": found,
            }
        )
    frame = pd.DataFrame(profiles, columns=PROFILES.split())
    frame["q"] = fdr(frame["p"].to_numpy(float)) if len(frame) else []
    return frame


def _gains_of(part, static, rows: pd.DataFrame) -> dict:
    """A model, its layer held out, against static vectors, itself without meaning, and controls."""
    spaces, ratio = list(rows["space"]), part.attrs["test_ratio"]
    scores = part["fold_score"].sel(space=spaces).values.T
    beyond = part["fold_beyond"].sel(space=spaces).values.T
    own, added = (static[name].isel(space=0).values for name in ("fold_score", "fold_beyond"))
    random, random_beyond = (
        part[name].transpose("draw", "fold", "layer").values for name in ("random", "random_beyond")
    )
    static_random, static_beyond = (
        static[name].mean(("layer", "fold")).values for name in ("random", "random_beyond")
    )
    null = None
    if part.attrs["timed"]:
        null = (part["null"].sel(space=spaces).values.T, static["null"].isel(space=0).values)
    # Isolated words do not recur, so that folds tell all of the accident of an embedding.
    twins = None if rows.iloc[0]["level"] == "word" else (random, static_random)
    chance, nothing = float(best_layer(random).mean()), np.zeros(len(random))
    contrasts = {
        "score_": context_gain(scores, 0 * own, ratio),
        "": context_gain(scores, own, ratio, null=null, random=twins),
        "over_random_": context_gain(
            scores, np.full(len(scores), chance), ratio, random=(random, nothing + chance)
        ),
        "beyond_": context_gain(beyond, 0 * own, ratio, random=(random_beyond, nothing)),
        "static_beyond_": compare_folds(added, 0 * own, ratio, random=(static_beyond, nothing)),
    }
    if "untrained" in part:
        twin = held_out_choice(part["untrained"].values.T[:, :, None])[1]
        contrasts["over_untrained_"] = context_gain(
            scores,
            twin[:, 0],
            ratio,
            random=None if twins is None else (random, best_layer(random)),
        )
    found = {
        "controls": float(part["control"].mean()),
        "random": chance,
        "static": float(own.mean()),
        "smallest_q": rows["q"].min(),
    }
    if "untrained" in part:
        found["untrained"] = float(twin.mean())
    for name, each in contrasts.items():
        found |= each.row(prefix=name)
    return found


def _static_part(table: pd.DataFrame, parts: dict, dataset: str):
    """The part of the static vectors of a data set."""
    own = table[(table["dataset"] == dataset) & (table["family"] == "static")]
    return parts[f"{dataset} | {own.iloc[0]['model']}"]


def _chance_of(part, rows: pd.DataFrame) -> np.ndarray:
    """Mean score of null responses for each layer."""
    return part["null"].sel(space=list(rows["space"])).mean("permutation").values


def best_layers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the best layer of each model on each data set, best model first.

    The layer is chosen on the scores that are shown: for a comparison of models take the gains.

    Parameters
    ----------
    table : DataFrame
        Rows of all layers (`brainlm.comparison.tidy`).

    Returns
    -------
    DataFrame
        With ``random``, the best score of random embeddings like those of the model.
    """
    names = ["dataset", "model"]
    ordered = table[table["family"] != "random"].sort_values("score", ascending=False)
    best = ordered.groupby(names, sort=False).head(1)
    random = table[table["family"] == "random"].groupby(names)["score"].max()
    best = best.join(random.rename("random"), on=names)
    return best.sort_values(["dataset", "score"], ascending=[True, False])


def _layers_of(table: pd.DataFrame):
    """The rows of the layers of each data set and model."""
    layered = table[(table["layer"] >= 0) & (table["family"] != "random")]
    return layered.groupby(["dataset", "model"], sort=False)


def compare_modalities(profiles: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Depth of two data sets of different modalities, and of modalities over their data sets."""
    pairs, modalities = [], []
    for model, own in profiles.groupby("model", sort=False):
        rows = list(own.itertuples())
        for i, a in enumerate(rows):
            for b in rows[i + 1 :]:
                if a.modality != b.modality:
                    d, p = depth_difference(a.profile, b.profile)
                    pairs.append(
                        {
                            "model": model,
                            "first": a.dataset,
                            "second": b.dataset,
                            "first_modality": a.modality,
                            "second_modality": b.modality,
                            "difference": d,
                            "p": p,
                        }
                    )
        of = {name: list(each["profile"]) for name, each in own.groupby("modality", sort=False)}
        for first, second in combinations(of, 2):
            d, p = modality_difference(of[first], of[second])
            modalities.append(
                {
                    "model": model,
                    "first": first,
                    "second": second,
                    "n_first": len(of[first]),
                    "n_second": len(of[second]),
                    "difference": d,
                    "p": p,
                }
            )
    return _with_q(pairs, PAIRS), _with_q(modalities, MODALITIES_COMPARED)


def compare_levels(profiles: pd.DataFrame) -> pd.DataFrame:
    """Best depth of each model at two levels of text, the layer held out, and their difference.

    The data sets are the units: Welch's t test of their best depths, two-sided; p is NaN where a
    level has fewer than two data sets. A level is "word", "sentence" or "discourse".

    Parameters
    ----------
    profiles : DataFrame
        From `depth_profiles`.

    Returns
    -------
    DataFrame
        ``model``, ``first``, ``second``, ``n_first``, ``n_second``, ``depth_first``,
        ``depth_second``, ``difference`` (first minus second), ``p``, ``q``.
    """
    rows = []
    for model, own in profiles.groupby("model", sort=False):
        of = {level: own.loc[own["level"] == level, "best_depth"] for level in LEVELS}
        for first, second in combinations([level for level in LEVELS if len(of[level])], 2):
            a, b = (of[level].to_numpy(dtype=float) for level in (first, second))
            p = ttest_ind(a, b, equal_var=False).pvalue if min(len(a), len(b)) > 1 else np.nan
            rows.append(
                {
                    "model": model,
                    "first": first,
                    "second": second,
                    "n_first": len(a),
                    "n_second": len(b),
                    "depth_first": a.mean(),
                    "depth_second": b.mean(),
                    "difference": a.mean() - b.mean(),
                    "p": float(p),
                }
            )
    table = pd.DataFrame(rows, columns=LEVELS_COMPARED)
    tested = table["p"].notna().to_numpy()
    table["q"] = np.nan
    table.loc[tested, "q"] = fdr(table.loc[tested, "p"].to_numpy()) if tested.any() else []
    return table


def _with_q(rows: list[dict], columns: list[str]) -> pd.DataFrame:
    """The rows that could be tested, with q over all of them."""
    table = pd.DataFrame(rows, columns=columns).dropna(subset=["p"]).reset_index(drop=True)
    table["q"] = fdr(table["p"].to_numpy()) if len(table) else []
    return table


def compare_languages(table: pd.DataFrame, parts: dict) -> pd.DataFrame:
    """Rank correlation of English and Chinese scores over the layers of one model.

    Of the data sets of one modality, each English with each Chinese one; against null responses
    of the Chinese one. Static vectors of two languages are two representations and not compared.
    """
    rows = []
    own = table[table["family"] != "random"]
    sets = own.drop_duplicates("dataset")
    pairs = sets.merge(sets, on="modality", suffixes=("_en", "_zh"))
    pairs = pairs[(pairs["language_en"] == "en") & (pairs["language_zh"] == "zh")]
    for pair in pairs.itertuples():
        a, b = (
            own[own["dataset"] == name].set_index("space")
            for name in (pair.dataset_en, pair.dataset_zh)
        )
        shared = [space for space in a.index if space in b.index]
        for model in dict.fromkeys(b["model"]):
            spaces = [s for s in shared if s.startswith(f"{model} layer")]
            if len(spaces) < 4:
                continue
            null = np.array(
                [
                    parts[f"{pair.dataset_zh} | {b.loc[s, 'model']}"]["null"].sel(space=s).values
                    for s in spaces
                ]
            ).T
            tau, p = curve_agreement(a.loc[spaces, "score"], b.loc[spaces, "score"], null)
            rows.append(
                {
                    "modality": pair.modality,
                    "english": pair.dataset_en,
                    "chinese": pair.dataset_zh,
                    "model": model,
                    "n": len(spaces),
                    "tau": tau,
                    "p": p,
                }
            )
    return pd.DataFrame(rows, columns=["modality", "english", "chinese", "model", "n", "tau", "p"])
