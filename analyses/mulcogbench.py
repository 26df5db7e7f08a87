"""MulCogBench: do models of words resemble ratings, gaze, EEG and fMRI in English and Chinese?

After Zhang et al. 2024 (arXiv 2403.01116): similarity encoding of every layer of context-aware
models and of context-independent word vectors, on every data set that this machine has, on the same
words, folds and metric. The main score is held out in folds, embedding columns z-scored in the
training folds; columns centred only, the published form (leave one out, not centred) and random
embeddings with the geometry of each layer stand beside it.
Asked: do context-aware models gain as stimuli grow from words to discourse, which depth of layer
fits which modality, and do English and Chinese agree?
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import typer

from brainlm.bundle import check_output, save_bundle
from brainlm.comparison.engine import PartStore, run_parts
from brainlm.comparison.questions import (
    LEVELS,
    context_gain,
    curve_agreement,
    depth_difference,
    layer_profile,
    trend_over_levels,
)
from brainlm.comparison.representations import shared_words
from brainlm.comparison.study import (
    available_datasets,
    job_key,
    layer_part,
    open_tasks,
    parse_models,
    rows_of,
    sources_for,
    spent,
    static_of,
    table_of,
)
from brainlm.comparison.tidy import tidy
from brainlm.options import (
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
    run,
)
from brainlm.scores import held_out_choice

DATASETS = (
    "binder-en", "binder-zh", "lancaster", "questions-218",
    "ucl-gaze", "provo", "geco", "zuco1-nr", "bsc-gaze", "words-zh-gaze", "ucl-erp",
    "nieuwland2018", "pereira2018", "alice-fmri",
    "mulcogbench-zh-words", "mulcogbench-zh-gaze", "mulcogbench-zh-stories",
    "mulcogbench-en-stories", "mulcogbench-zh-meg", "concepts-zh-fmri", "smn4lang-fmri",
    "smn4lang-meg",
)  # fmt: skip


LIMITS = {"nieuwland2018": {"max_subjects": 100}}  # of 334: opening each takes most of a second


def main(
    models: Models = "minilm:en,smollm2:en,gemma3:en+zh",
    datasets: Datasets = "all",
    languages: Languages = "en,zh",
    layers: Layers = "all",
    permutations: Permutations = 200,
    max_items: MaxItems = 2000,
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
    tasks = open_tasks(names, root, LIMITS, debug=debug, max_items=max_items)
    opened = perf_counter()
    sources = sources_for(parse_models(models, spoken), layer_list(layers))
    jobs, inputs = [], {}
    for task in tasks:
        compared = [static_of(task.language), *(s for s in sources if s.speaks(task.language))]
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
            )
            jobs.append((
                f"{task.name} | {source.name}", key,
                lambda task=task, source=source, words=words: layer_part(
                    task, source, words, n_permutations=permutations
                ),
            ))  # fmt: skip
    store = PartStore.beside(out)
    parts, seconds = run_parts(jobs, store, lambda line: typer.echo(line, err=True))
    table = tidy([row for part in parts.values() for row in rows_of(part)])
    gains, profiles = ask(table, parts)
    agreement = compare_languages(table, parts)
    trend = trends(gains)
    report(table, gains, trend, profiles, agreement)
    times = time_table(seconds, opened - start)
    save_bundle(
        out,
        analysis="mulcogbench",
        arrays={
            "table": table_of(table), "gains": table_of(gains), "profiles": table_of(profiles),
            "trends": table_of(trend), "languages": table_of(agreement), "time": table_of(times),
            "modalities": table_of(compare_modalities(parts, table)),
        },
        config={
            "models": models, "datasets": names, "languages": spoken, "layers": layers,
            "permutations": permutations, "max_items": max_items, "debug": debug,
        },
        inputs=inputs,
        notes=[*notes, *(f"{t.name}: {note}" for t in tasks for note in t.recording.notes)],
        figures=["model_by_dataset", "layers_by_modality", "coverage", "context_gains"],
        overwrite=overwrite,
    )  # fmt: skip
    store.clear()
    typer.echo(spent(seconds, perf_counter() - start))
    typer.echo(f"result bundle: {out}")


def ask(table: pd.DataFrame, parts: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Gain of context and preferred depth of every model on every data set."""
    gains, profiles = [], []
    for (dataset, model), rows in layers_of(table):
        part = parts[f"{dataset} | {model}"]
        scores = part["unit_score"].sel(space=list(rows["space"])).values.T  # (unit, layer)
        static = parts[f"{dataset} | static"]["unit_score"].sel(space="static").values
        about = {
            "dataset": dataset, "model": model,
            **rows.iloc[0][["modality", "language", "level", "n_items", "n_units", "unit"]],
        }  # fmt: skip
        gain = context_gain(scores, static)
        # Equal words have equal random vectors: what these score is the words coming again, the
        # rate of words, and the geometry of the layer.
        empty = part["unit_score"].sel(space=[f"random ({s})" for s in rows["space"]]).values.T
        over = context_gain(scores, held_out_choice(empty[:, :, None])[1][:, 0])
        gains.append({
            **about, "gain": gain.mean, "low": gain.low, "high": gain.high, "p": gain.p,
            "over_random": over.mean, "random_low": over.low, "random_high": over.high,
            "random_p": over.p,
        })  # fmt: skip
        if (rows["depth"] > 0).sum() >= 2:
            found = layer_profile(scores, rows["depth"].to_numpy(), chance_of(part, rows))
            profiles.append({
                **about, "best_depth": found.best_depth, "depth_low": found.low,
                "depth_high": found.high, "slope": found.slope.mean, "low": found.slope.low,
                "high": found.slope.high, "p": found.slope.p, "best_score": rows["score"].max(),
                "smallest_q": rows["q"].min(),
            })  # fmt: skip
    return pd.DataFrame(gains), pd.DataFrame(profiles)


def chance_of(part, rows: pd.DataFrame) -> np.ndarray:
    """Mean score of null responses for each layer."""
    return part["null"].sel(space=list(rows["space"])).mean("permutation").values


def layers_of(table: pd.DataFrame):
    """The rows of the layers of each data set and model."""
    layered = table[(table["layer"] >= 0) & (table["family"] != "random")]
    return layered.groupby(["dataset", "model"], sort=False)


def trends(gains: pd.DataFrame) -> pd.DataFrame:
    """Does the gain over static vectors grow from words to discourse, for each model?"""
    rows = []
    for model, own in gains.groupby("model", sort=False):
        if len(own) < 3 or own["level"].nunique() < 2:
            continue
        rho, p = trend_over_levels(own["gain"].to_numpy(), list(own["level"]))
        means = {level: float(own.loc[own["level"] == level, "gain"].mean()) for level in LEVELS}
        rows.append({"model": model, "rho": rho, "p": p, "n_datasets": len(own), **means})
    return pd.DataFrame(rows, columns=["model", "rho", "p", "n_datasets", *LEVELS])


def compare_modalities(parts: dict, table: pd.DataFrame) -> pd.DataFrame:
    """Slopes over depth of one data set per modality against each other, model by model."""
    found: dict[str, list] = defaultdict(list)
    for (dataset, model), rows in layers_of(table):
        if (rows["depth"] > 0).sum() >= 2:
            part = parts[f"{dataset} | {model}"]
            scores = part["unit_score"].sel(space=list(rows["space"])).values.T
            profile = layer_profile(scores, rows["depth"].to_numpy(), chance_of(part, rows))
            found[model].append((dataset, rows.iloc[0]["modality"], profile))
    pairs = []
    for model, each in found.items():
        for i, (first, one, a) in enumerate(each):
            for second, other, b in each[i + 1 :]:
                if one != other:
                    d, p = depth_difference(a, b, n_permutations=1000)
                    pairs.append({
                        "model": model, "first": first, "second": second, "first_modality": one,
                        "second_modality": other, "difference": d, "p": p,
                    })  # fmt: skip
    columns = ["model", "first", "second", "first_modality", "second_modality", "difference", "p"]
    return pd.DataFrame(pairs, columns=columns)


def compare_languages(table: pd.DataFrame, parts: dict) -> pd.DataFrame:
    """Rank correlation of English and Chinese scores over the same representations.

    Of the data sets of one modality, each English with each Chinese one; against null responses
    of the Chinese one.
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
        kinds = {"layers and static": shared}
        for model in dict.fromkeys(b["model"]):
            kinds[f"layers of {model}"] = [s for s in shared if s.startswith(f"{model} layer")]
        for what, spaces in kinds.items():
            if len(spaces) < 4:
                continue
            null = np.array([
                parts[f"{pair.dataset_zh} | {b.loc[s, 'model']}"]["null"].sel(space=s).values
                for s in spaces
            ]).T  # fmt: skip
            tau, p = curve_agreement(a.loc[spaces, "score"], b.loc[spaces, "score"], null)
            rows.append({
                "modality": pair.modality, "english": pair.dataset_en, "chinese": pair.dataset_zh,
                "over": what, "n": len(spaces), "tau": tau, "p": p,
            })  # fmt: skip
    return pd.DataFrame(rows, columns=["modality", "english", "chinese", "over", "n", "tau", "p"])


def time_table(seconds: dict[str, float], opening: float) -> pd.DataFrame:
    """Where the time went."""
    rows = [{"part": "opening the data", "seconds": opening}]
    rows += [{"part": name, "seconds": value} for name, value in seconds.items()]
    return pd.DataFrame(rows)


def report(table, gains, trend, profiles, agreement) -> None:
    """Print what a reader asks first."""
    best = table[table["family"] != "random"].sort_values("score", ascending=False)
    best = best.groupby(["dataset", "model"], sort=False).head(1)
    random = table[table["family"] == "random"].groupby(["dataset", "model"])["score"].max()
    best["random"] = [
        random.get((d, m)) for d, m in zip(best["dataset"], best["model"], strict=True)
    ]
    shown = ["dataset", "level", "space", "score", "low", "high", "centred", "published",
             "random",
             "mean_correlation", "ceiling", "n_items", "n_subjects", "unit", "p", "q"]  # fmt: skip
    typer.echo(
        "\nBest layer of each model (chosen on these scores: for its held-out value see gains)"
    )
    typer.echo(
        best.sort_values(["dataset", "score"], ascending=[True, False])[shown]
        .round(3)
        .to_string(index=False)
    )
    typer.echo("\nGain of context over static vectors (layer chosen on the other units)")
    typer.echo(gains.round(4).to_string(index=False))
    for title, frame in (("Trend of the gain from words to discourse", trend),
                         ("Preferred depth", profiles),
                         ("Agreement of English and Chinese", agreement)):  # fmt: skip
        typer.echo(
            f"\n{title}\n{frame.round(3).to_string(index=False) if len(frame) else 'too few'}"
        )


if __name__ == "__main__":
    run(main)
