"""Survey: does one family of language models win everywhere?

After Wang et al. 2024 (arXiv 2403.13368): statistical models (word frequency, n-grams), static
vectors, masked and causal language models and psychologically plausible spaces, with the same
metric on the same words and folds of every data set. Two races: of *embeddings* (a vector per word,
ridge encoding), and of *predictability* (surprisal and entropy beside length, frequency and
position). Ranks over data sets with their intervals, and the critical difference, answer whether
anything wins everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import pandas as pd
import typer
import xarray

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.feature_families import (
    common_words,
    kneser_ney_space,
    layer_at,
    parse_spaces,
    plausible_spaces,
    predictability_space,
)
from brainlm.comparison.feature_spaces import FeatureSpace, control_space
from brainlm.comparison.layer_statistics import compare_folds
from brainlm.comparison.parts import PartStore, run_parts
from brainlm.comparison.scoring import SpaceScores, fit_controls, score_ridge
from brainlm.comparison.study import (
    available_datasets,
    control_design,
    job_key,
    materials,
    open_assemblies,
    parse_models,
    random_scores,
    rows_of,
    spent,
    static_of,
    table_of,
)
from brainlm.comparison.table import record, tidy
from brainlm.datasets.folders import is_on_disk
from brainlm.datasets.open import open_stimulus
from brainlm.language_models import LanguageModel
from brainlm.results.bundle import check_output, save_bundle
from brainlm.stats.permutation import fdr
from brainlm.stats.ranking import rank_models
from brainlm.workflow import (
    Datasets,
    Debug,
    Languages,
    MaxItems,
    Models,
    Out,
    Overwrite,
    Permutations,
    Root,
    Spaces,
    run_command,
)

DATASETS = (
    "ucl-gaze",
    "ucl-spr",
    "provo",
    "geco",
    "zuco1-nr",
    "bsc-gaze",
    "ucl-erp",
    "nieuwland2018",
    "pereira2018",
    "alice-fmri",
    "binder-en",
    "lancaster",
    "questions-218",
    "binder-zh",
    "natural-stories",
    "geco-cn",
    "meco-en",
    "meco-zh",
    "mulcogbench-zh-stories",
    "mulcogbench-en-stories",
    "concepts-zh-fmri",
)
TEXTS = ("littleprince-en-words", "littleprince-zh-words")  # more to train n-grams on
N_RANDOM = 12  # random embeddings of each space: ridge regressions each
LIMITS = {
    "nieuwland2018": {"max_subjects": 100},
    "geco": {"max_subjects": 6},
    "lancaster": {"max_items": 1000},
}


def main(
    models: Models = "minilm:en,smollm2:en,gemma3:en+zh",
    datasets: Datasets = "all",
    languages: Languages = "en,zh",
    depth: Annotated[
        float, typer.Option(min=0, max=1, help="Depth of the layer of each model, 0 to 1.")
    ] = 0.6,
    permutations: Permutations = 50,
    spaces: Spaces = "",
    max_items: MaxItems = 1500,
    out: Out = Path("results/survey"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """Does one family of language models win everywhere?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    spoken = [language.strip() for language in languages.split(",")]
    files = parse_spaces(spaces)
    names, notes = available_datasets(datasets, DATASETS, spoken, root)
    if debug:
        permutations = min(permutations, 9)
    n_random = 3 if debug else N_RANDOM
    tasks = open_assemblies(names, root, LIMITS, debug=debug, max_items=max_items)
    texts = [task.stimulus for task in tasks if task.level != "word"]
    texts += [open_stimulus(name, root) for name in TEXTS if is_on_disk(name, root)]
    chosen = parse_models(models, spoken)
    neural = [layer_at(name, own, depth) for name, own in chosen.items()]
    causal = [predictability_space(n, own) for n, own in chosen.items() if LanguageModel(n).causal]
    plausible: list[FeatureSpace] = []
    for language in spoken:
        found, note = plausible_spaces(language, root, tasks, files)
        plausible += found
        notes.append(note)
    notes.append("not tested, no parses of these texts on this machine: syntactic counts, PCFG")
    jobs, inputs = [], {}
    for task in tasks:
        embeddings = [
            static_of(task.language, neural),
            *(s for s in [*neural, *plausible] if s.speaks(task.language)),
        ]
        embeddings, words, note = common_words(task, embeddings)
        notes.append(note)
        surprising = [s for s in causal if s.speaks(task.language)] if task.level != "word" else []
        if surprising and (ngrams := kneser_ney_space(task, texts)):
            surprising.insert(0, ngrams[0])
            notes.append(ngrams[1])
        inputs[task.name] = {"data": task.hashes, "words": [int(words.sum()), len(words)]}
        everyone = [(s.name, s.identity) for s in [*embeddings, *surprising]]
        key = job_key(
            task,
            embeddings[0],
            words,
            sources=everyone,
            study="survey",
            permutations=permutations,
            random=n_random,
        )
        jobs.append(
            (task.name, key, race(task, embeddings, surprising, words, permutations, n_random))
        )
    store = PartStore.beside(out)
    parts, seconds = run_parts(jobs, store, lambda line: typer.echo(line, err=True))
    table = pd.concat(
        [
            tidy(list(rows))
            for kind in ("embedding", "predictability")
            if (rows := [r for p in parts.values() for r in rows_of(p) if r["features"] == kind])
        ],
        ignore_index=True,
    )
    gains, pairs = (
        pd.DataFrame([row for part in parts.values() for row in json.loads(part.attrs[name])])
        for name in ("gains", "pairs")
    )
    for frame in (gains, pairs):
        frame["q"] = fdr(frame["p"].to_numpy()) if len(frame) else []
    ranks, dropped = rank(table, pairs, materials(tasks))
    notes += dropped
    report(table, ranks, gains)
    times = pd.DataFrame({"part": list(seconds), "seconds": list(seconds.values())})
    save_bundle(
        out,
        analysis="survey",
        arrays={
            "table": table_of(table),
            "ranks": table_of(ranks),
            "predictability": table_of(gains),
            "pairs": table_of(pairs),
            "time": table_of(times),
        },
        config={
            "models": models,
            "datasets": names,
            "languages": spoken,
            "depth": depth,
            "permutations": permutations,
            "spaces": spaces,
            "max_items": max_items,
            "debug": debug,
        },
        inputs=inputs,
        notes=[*notes, *(f"{t.name}: {note}" for t in tasks for note in t.recording.notes)],
        figures=["model_by_dataset", "coverage", *(["critical_difference"] if len(ranks) else [])],
        overwrite=overwrite,
    )
    store.clear()
    typer.echo(spent(seconds, perf_counter() - start))
    typer.echo(f"result bundle: {out}")


def race(
    task: Assembly,
    embeddings: Sequence[FeatureSpace],
    surprising: Sequence[FeatureSpace],
    words: np.ndarray,
    permutations: int,
    n_random: int,
) -> Callable[[], xarray.Dataset]:
    """Both races on one data set, as a part that is kept."""

    def compute() -> xarray.Dataset:
        on = task.on_words(words).scorable()
        Y, split, orders = on.recording.data, on.split, on.shuffled(permutations)
        ceiling = on.ceiling()
        top = np.nan if ceiling is None else float(ceiling.mean())
        base = control_design(on, task.stimulus)
        controls = fit_controls(base, Y, split)
        rows: list[dict] = []
        pairs: list[dict] = []
        gains: list[dict] = []
        scored: dict[str, tuple[SpaceScores, list[SpaceScores]]] = {}

        def add(features: str, source: FeatureSpace, found: SpaceScores, n_features: int) -> None:
            rows.append(
                record(
                    on,
                    found,
                    top,
                    space=f"{source.name} ({features})",
                    family=source.family,
                    model=source.name,
                    layer=-1,
                    depth=-1.0,
                    n_features=n_features,
                    features=features,
                )
            )

        for source in embeddings:
            space = source.embed(task.stimulus, words, task.level)[0]
            X = on.design(space)
            found = score_ridge(X, Y, split, orders=orders, controls=controls)
            scored[source.name] = found, random_scores(on, space, n_random, controls)
            add("embedding", source, found, X.shape[1])
        only = control_space(timed=on.timed)
        alone = score_ridge(base, Y, split, orders=orders)
        add("embedding", only, alone, base.shape[1])
        scored["controls"] = alone, []
        for first, second in combinations(scored, 2):
            pairs.append(
                {
                    **about(on),
                    "first": first,
                    "second": second,
                    **compared(on, scored[first], scored[second]),
                }
            )
        for name in (source.name for source in embeddings):
            gains.append(
                {**about(on), "features": "embedding", "model": name, **added(*scored[name])}
            )
        if surprising:
            add("predictability", only, alone, base.shape[1])
        for source in surprising:
            space = source.embed(task.stimulus, words, task.level)[0]
            X = on.design(space)
            found = score_ridge(X, Y, split, controls=controls)
            random = random_scores(on, space, n_random, controls)
            both = score_ridge(np.hstack([base, X]), Y, split, orders=orders)
            add("predictability", source, both, X.shape[1])
            gains.append(
                {
                    **about(on),
                    "features": "predictability",
                    "model": source.name,
                    **added(found, random),
                }
            )
        attrs = {"rows": rows, "gains": gains, "pairs": pairs}
        return xarray.Dataset(attrs={name: json.dumps(value) for name, value in attrs.items()})

    return compute


def about(on: Assembly) -> dict:
    """Columns that describe the data set in the smaller tables."""
    return {
        "dataset": on.name,
        "modality": on.modality,
        "language": on.language,
        "level": on.level,
        "n_items": on.recording.n_samples,
        "n_subjects": on.n_people,
    }


def compared(on: Assembly, first: tuple, second: tuple) -> dict:
    """Difference of two spaces, against null responses, folds and random embeddings."""
    (a, random_a), (b, random_b) = first, second
    draws = [np.array([each.by_fold.mean() for each in drawn]) for drawn in (random_a, random_b)]
    # The controls have no random embedding: beside them, only that of the other space counts.
    n_random = max(map(len, draws))
    draws = [
        d if len(d) else np.full(n_random, s.by_fold.mean())
        for d, s in zip(draws, (a, b), strict=True)
    ]
    found = compare_folds(
        a.by_fold,
        b.by_fold,
        a.test_ratio,
        null=(a.null, b.null) if on.timed else None,
        random=None if on.level == "word" else (draws[0], draws[1]),
    )
    return {
        "difference": found.mean,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "p_stimuli": found.p_stimuli,
        "p_random": found.p_random,
    }


def added(scores: SpaceScores, random: list[SpaceScores]) -> dict:
    """Gain of a space over the controls, and that of random embeddings."""
    gain, drawn = scores.beyond.mean(axis=1), np.array([each.beyond.mean() for each in random])
    found = compare_folds(gain, 0 * gain, scores.test_ratio, random=(drawn, 0 * drawn))
    return {
        "gain": found.mean,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "p_stimuli": found.p_stimuli,
        "p_random": found.p_random,
        "random_gain": float(drawn.mean()),
    }


def rank(
    table: pd.DataFrame, pairs: pd.DataFrame, material: dict[str, str]
) -> tuple[pd.DataFrame, list[str]]:
    """Ranks of the models that all data sets have, for each race, over all and by language.

    A material (sentences or words that several data sets share) counts once. ``lost`` counts the
    data sets on which another model is significantly better (q over all pairs), ``won`` those on
    which every other is significantly worse.
    """
    rows, notes = [], []
    for kind, race_rows in table.groupby("features", sort=False):
        races = {"all languages": race_rows, **dict(list(race_rows.groupby("language")))}
        if race_rows["language"].nunique() == 1:
            del races["all languages"]
        for what, each in races.items():
            wide = each.pivot(index="dataset", columns="model", values="score")
            complete = wide.dropna(axis=1)  # the models that every data set has
            lost = [model for model in wide.columns if model not in complete.columns]
            groups = [material[name] for name in complete.index]
            if len(set(groups)) < 3 or complete.shape[1] < 3:
                notes.append(
                    f"{kind}, {what}: too few for ranks, {len(set(groups))} materials and "
                    f"{complete.shape[1]} models"
                )
                continue
            if lost:
                notes.append(f"{kind}, {what}: not ranked, not on all data sets: {', '.join(lost)}")
            found = rank_models(complete.to_numpy(), list(complete.columns), groups=groups)
            known = pairs["dataset"].isin(complete.index) & (kind == "embedding")
            for i, model in enumerate(found.models):
                better = signed(pairs[known], model, found.models)
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


def signed(pairs: pd.DataFrame, model: str, models: Sequence[str]) -> pd.DataFrame:
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


def report(table: pd.DataFrame, ranks: pd.DataFrame, gains: pd.DataFrame) -> None:
    """Print the tables."""
    shown = [
        "dataset",
        "space",
        "family",
        "n_features",
        "score",
        "low",
        "high",
        "normalised",
        "rank",
        "p",
        "q",
        "n_items",
        "n_subjects",
    ]
    ordered = table.sort_values(["dataset", "features", "rank"])
    typer.echo(ordered[shown].round(3).to_string(index=False))
    typer.echo("\nRanks over data sets (1 = best)")
    typer.echo(ranks.round(3).to_string(index=False) if len(ranks) else "too few data sets")
    typer.echo("\nGain over the controls (r)")
    typer.echo(gains.round(4).to_string(index=False) if len(gains) else "none")


if __name__ == "__main__":
    run_command(main)
