"""MulCogBench: do models of words resemble ratings, gaze, EEG and fMRI in English and Chinese?

After Zhang et al. 2024 (arXiv 2403.01116): similarity encoding of every layer of context-aware
models and of context-independent word vectors, on every data set that this machine has, on the same
words, folds and metric. The main score is held out in folds, embedding columns z-scored in the
training folds; columns centred only, the published form (leave one out, not centred) and random
embeddings with the geometry of each layer stand beside it.
Every score is compared with controls (length, frequency, position, and the word rate of a story):
a layer adds to them the score of both together minus that of the controls alone.
Asked: what does context add to static vectors, which depth of layer fits which modality, and do
English and Chinese agree?
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import typer

from brainlm.comparison.feature_spaces import shared_words
from brainlm.comparison.layer_statistics import (
    best_layer,
    compare_folds,
    context_gain,
    curve_agreement,
    depth_difference,
    layer_profile,
    modality_difference,
)
from brainlm.comparison.parts import PartStore, run_parts
from brainlm.comparison.study import (
    available_datasets,
    job_key,
    layer_part,
    open_assemblies,
    parse_models,
    rows_of,
    spaces_of_models,
    spent,
    static_of,
    table_of,
)
from brainlm.comparison.table import tidy
from brainlm.results.bundle import check_output, save_bundle
from brainlm.stats.permutation import fdr
from brainlm.workflow import (
    Datasets,
    Debug,
    Languages,
    Layers,
    MaxItems,
    Models,
    Out,
    Overwrite,
    Permutations,
    Root,
    layer_list,
    run_command,
)

DATASETS = (
    "binder-en",
    "binder-zh",
    "lancaster",
    "questions-218",
    "ucl-gaze",
    "provo",
    "geco",
    "zuco1-nr",
    "bsc-gaze",
    "words-zh-gaze",
    "ucl-erp",
    "nieuwland2018",
    "pereira2018",
    "alice-fmri",
    "mulcogbench-zh-words",
    "mulcogbench-zh-gaze",
    "mulcogbench-zh-stories",
    "mulcogbench-en-stories",
    "mulcogbench-zh-meg",
    "concepts-zh-fmri",
    "smn4lang-fmri",
    "smn4lang-meg",
)


PAIR_COLUMNS = ["model", "first", "second", "first_modality", "second_modality", "difference", "p"]
MODALITY_COLUMNS = ["model", "first", "second", "n_first", "n_second", "difference", "p"]
LIMITS = {"nieuwland2018": {"max_subjects": 100}}  # of 334: opening each takes most of a second


def main(
    models: Models = "minilm:en,smollm2:en,gemma3:en+zh",
    datasets: Datasets = "all",
    languages: Languages = "en,zh",
    layers: Layers = "all",
    permutations: Permutations = 200,
    max_items: MaxItems = 1500,
    out: Out = Path("results/mulcogbench"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """Do models of words resemble ratings, gaze, EEG and fMRI in English and Chinese?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    spoken = [language.strip() for language in languages.split(",")]
    names, notes = available_datasets(datasets, DATASETS, spoken, root)
    if debug:
        permutations, layers = min(permutations, 20), "0,1,-1" if layers == "all" else layers
    tasks = open_assemblies(names, root, LIMITS, debug=debug, max_items=max_items)
    opened = perf_counter()
    sources = spaces_of_models(parse_models(models, spoken), layer_list(layers))
    jobs, inputs = [], {}
    for task in tasks:
        own = [source for source in sources if source.speaks(task.language)]
        compared = [static_of(task.language, own), *own]
        words = shared_words(task.stimulus, compared)
        inputs[task.name] = {"data": task.hashes, "words": [int(words.sum()), len(words)]}
        for source in compared:
            key = job_key(
                task,
                source,
                words,
                permutations=permutations,
                study="mulcogbench",
                columns="z-scored",
                debug=debug,
            )
            jobs.append(
                (
                    f"{task.name} | {source.name}",
                    key,
                    lambda task=task, source=source, words=words: layer_part(
                        task,
                        source,
                        words,
                        n_permutations=permutations,
                        n_random=3 if debug else 10,
                    ),
                )
            )
    store = PartStore.beside(out)
    parts, seconds = run_parts(jobs, store, lambda line: typer.echo(line, err=True))
    table = tidy([row for part in parts.values() for row in rows_of(part)])
    gains, profiles = ask(table, parts)
    pairs, modalities = compare_modalities(profiles)
    profiles = profiles.drop(columns="profile")
    agreement = compare_languages(table, parts)
    report(table, gains, profiles, modalities, agreement)
    times = time_table(seconds, opened - start)
    save_bundle(
        out,
        analysis="mulcogbench",
        arrays={
            "table": table_of(table),
            "gains": table_of(gains),
            "profiles": table_of(profiles),
            "languages": table_of(agreement),
            "time": table_of(times),
            "pairs": table_of(pairs),
            "modalities": table_of(modalities),
        },
        config={
            "models": models,
            "datasets": names,
            "languages": spoken,
            "layers": layers,
            "permutations": permutations,
            "max_items": max_items,
            "debug": debug,
        },
        inputs=inputs,
        notes=[*notes, *(f"{t.name}: {note}" for t in tasks for note in t.recording.notes)],
        figures=["model_by_dataset", "layers_by_modality", "coverage", "context_gains"],
        overwrite=overwrite,
    )
    store.clear()
    typer.echo(spent(seconds, perf_counter() - start))
    typer.echo(f"result bundle: {out}")


def ask(table: pd.DataFrame, parts: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Gain of context, what layers add to controls, and the preferred depth, with q over all."""
    gains, profiles = [], []
    for (dataset, model), rows in layers_of(table):
        part = parts[f"{dataset} | {model}"]
        about = {
            "dataset": dataset,
            "model": model,
            **rows.iloc[0][["modality", "language", "level", "n_items", "n_units"]],
        }
        gains.append({**about, **gains_of(part, static_part(table, parts, dataset), rows)})
        if (rows["depth"] > 0).sum() >= 2:
            scores = part["fold_score"].sel(space=list(rows["space"])).values.T
            found = layer_profile(
                scores,
                rows["depth"].to_numpy(),
                part.attrs["test_ratio"],
                chance=chance_of(part, rows),
                random=part["random"].mean("fold").transpose("draw", "layer").values,
            )
            profiles.append(
                {
                    **about,
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
    gains, profiles = pd.DataFrame(gains), pd.DataFrame(profiles)
    for name in ("", "over_random_", "beyond_", "static_beyond_"):
        gains[f"{name}q"] = fdr(gains[f"{name}p"].to_numpy())
    profiles["q"] = fdr(profiles["p"].to_numpy())
    return gains, profiles


def gains_of(part, static, rows: pd.DataFrame) -> dict:
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
    found = {
        "controls": float(part["control"].mean()),
        "random": chance,
        "static": float(own.mean()),
        "smallest_q": rows["q"].min(),
    }
    for name, each in contrasts.items():
        found |= {
            f"{name}gain": each.mean,
            f"{name}low": each.low,
            f"{name}high": each.high,
            f"{name}p": each.p,
            f"{name}p_stimuli": each.p_stimuli,
            f"{name}p_random": each.p_random,
        }
    return found


def static_part(table: pd.DataFrame, parts: dict, dataset: str):
    """The part of the static vectors of a data set."""
    own = table[(table["dataset"] == dataset) & (table["family"] == "static")]
    return parts[f"{dataset} | {own.iloc[0]['model']}"]


def chance_of(part, rows: pd.DataFrame) -> np.ndarray:
    """Mean score of null responses for each layer."""
    return part["null"].sel(space=list(rows["space"])).mean("permutation").values


def layers_of(table: pd.DataFrame):
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
    return with_q(pairs, PAIR_COLUMNS), with_q(modalities, MODALITY_COLUMNS)


def with_q(rows: list[dict], columns: list[str]) -> pd.DataFrame:
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


def time_table(seconds: dict[str, float], opening: float) -> pd.DataFrame:
    """Where the time went."""
    rows = [{"part": "opening the data", "seconds": opening}]
    rows += [{"part": name, "seconds": value} for name, value in seconds.items()]
    return pd.DataFrame(rows)


def report(table, gains, profiles, modalities, agreement) -> None:
    """Print what a reader asks first."""
    best = table[table["family"] != "random"].sort_values("score", ascending=False)
    best = best.groupby(["dataset", "model"], sort=False).head(1)
    random = table[table["family"] == "random"].groupby(["dataset", "model"])["score"].max()
    best["random"] = [
        random.get((d, m)) for d, m in zip(best["dataset"], best["model"], strict=True)
    ]
    shown = [
        "dataset",
        "level",
        "space",
        "score",
        "low",
        "high",
        "centred",
        "published",
        "random",
        "beyond_controls",
        "ceiling",
        "n_items",
        "n_subjects",
        "p",
        "q",
    ]
    typer.echo(
        "\nBest layer of each model (chosen on these scores: for its held-out value see gains)"
    )
    typer.echo(
        best.sort_values(["dataset", "score"], ascending=[True, False])[shown]
        .round(3)
        .to_string(index=False)
    )
    for title, name in (
        ("Gain over static vectors", ""),
        ("Gain over random embeddings", "over_random_"),
        ("Gain over the controls alone", "beyond_"),
    ):
        columns = [f"{name}{each}" for each in ("gain", "low", "high", "p", "q")]
        typer.echo(f"\n{title} (layer chosen on the other folds)")
        typer.echo(gains[["dataset", "model", *columns]].round(4).to_string(index=False))
    for title, frame in (
        ("Preferred depth", profiles),
        ("Depth by modality", modalities),
        ("Agreement of English and Chinese", agreement),
    ):
        typer.echo(
            f"\n{title}\n{frame.round(3).to_string(index=False) if len(frame) else 'too few'}"
        )


if __name__ == "__main__":
    run_command(main)
