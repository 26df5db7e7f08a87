"""Navigating: which spaces of words predict gaze, EEG and fMRI: neural, embodied, or taxonomic?

After Zhang et al. 2024 (arXiv 2404.19364): ridge encoding from language models, static vectors,
embodied ratings, word associations and a taxonomy, at the level of words and of discourse, in
English and Chinese; alone, side by side in a banded ridge, and what each adds to all others (unique
variance). Which spaces the paper used is not public; this set is ours. Spaces of 11 and of 640
dimensions are not a fair race, so beside each stand the same space cut to its first principal
components in the training fold, and norms whose vectors changed places between words.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import pandas as pd
import typer
import xarray
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.feature_families import (
    common_words,
    layer_at,
    parse_spaces,
    plausible_spaces,
)
from brainlm.comparison.feature_spaces import FeatureSpace, permuted_space
from brainlm.comparison.layer_statistics import compare_folds
from brainlm.comparison.parts import PartStore, run_parts
from brainlm.comparison.scoring import SpaceScores, fit_controls, score_ridge
from brainlm.comparison.study import (
    available_datasets,
    control_design,
    job_key,
    open_assemblies,
    parse_models,
    random_scores,
    rows_of,
    spent,
    static_of,
    table_of,
)
from brainlm.comparison.table import record, tidy
from brainlm.encoding.banded import BandedRidgeEncoder
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.encoding.variance_partitioning import partition_variance
from brainlm.results.bundle import check_output, save_bundle
from brainlm.stats.permutation import fdr
from brainlm.workflow import (
    Datasets,
    Debug,
    Languages,
    MaxItems,
    Models,
    Out,
    Overwrite,
    Root,
    Spaces,
    run_command,
)

DATASETS = (
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
    "concepts-zh-fmri",
    "mulcogbench-en-stories",
    "smn4lang-fmri",
    "moth",
)
N_RANDOM = 12  # random embeddings of each space: ridge regressions each
MOST_PARTS = 3  # seven combinations
PLAUSIBLE = ("embodied", "network", "taxonomic")
LIMITS = {
    "nieuwland2018": {"max_subjects": 100},
    "geco": {"max_subjects": 6},
    "zuco1-nr": {"max_subjects": 6},
}


def main(
    models: Models = "smollm2:en,gemma3:en+zh",
    datasets: Datasets = "all",
    languages: Languages = "en,zh",
    depth: Annotated[
        float, typer.Option(min=0, max=1, help="Depth of the layer of each model, 0 to 1.")
    ] = 0.6,
    components: Annotated[
        int, typer.Option(min=3, help="Principal components of the matched versions.")
    ] = 10,
    draws: Annotated[int, typer.Option(min=1, help="Draws of the banded ridge.")] = 50,
    spaces: Spaces = "",
    max_items: MaxItems = 1500,
    out: Out = Path("results/navigating"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """Which spaces of words predict gaze, EEG and fMRI: neural, embodied or taxonomic?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    spoken = [language.strip() for language in languages.split(",")]
    files = parse_spaces(spaces)
    names, notes = available_datasets(datasets, DATASETS, spoken, root)
    if debug:
        draws = min(draws, 3)
    n_random = 3 if debug else N_RANDOM
    tasks = open_assemblies(names, root, LIMITS, debug=debug, max_items=max_items)
    neural = [layer_at(name, own, depth) for name, own in parse_models(models, spoken).items()]
    plausible: list[FeatureSpace] = []
    for language in spoken:
        found, note = plausible_spaces(language, root, tasks, files)
        plausible += found
        notes.append(note)
    jobs, inputs = [], {}
    for task in tasks:
        sources = [
            *(s for s in neural if s.speaks(task.language)),
            static_of(task.language, neural),
            *(s for s in plausible if s.speaks(task.language)),
        ]
        sources, words, note = common_words(task, sources)
        notes.append(note)
        inputs[task.name] = {"data": task.hashes, "words": [int(words.sum()), len(words)]}
        settings = {
            "study": "navigating",
            "components": components,
            "draws": draws,
            "random": n_random,
        }
        identities = [[s.name, s.identity] for s in sources]
        key = job_key(task, sources[0], words, sources=identities, **settings)
        jobs.append((task.name, key, race(task, sources, words, components, draws, n_random)))
    store = PartStore.beside(out)
    parts, seconds = run_parts(jobs, store, lambda line: typer.echo(line, err=True))
    table = tidy([row for part in parts.values() for row in rows_of(part)])
    winners, partition, pairs = (
        pd.DataFrame([row for part in parts.values() for row in json.loads(part.attrs[name])])
        for name in ("winners", "partition", "pairs")
    )
    pairs["q"] = fdr(pairs["p"].to_numpy())
    report(table, partition, pairs)
    times = pd.DataFrame({"part": list(seconds), "seconds": list(seconds.values())})
    save_bundle(
        out,
        analysis="navigating",
        arrays={
            "table": table_of(table),
            "winners": table_of(winners),
            "partition": table_of(partition),
            "pairs": table_of(pairs),
            "time": table_of(times),
        },
        config={
            "models": models,
            "datasets": names,
            "languages": spoken,
            "depth": depth,
            "components": components,
            "draws": draws,
            "spaces": spaces,
            "max_items": max_items,
            "debug": debug,
        },
        inputs=inputs,
        notes=[*notes, *(f"{t.name}: {note}" for t in tasks for note in t.recording.notes)],
        figures=["model_by_dataset", "winners", "paired_bars", "coverage", "unique_variance"],
        overwrite=overwrite,
    )
    store.clear()
    typer.echo(spent(seconds, perf_counter() - start))
    typer.echo(f"result bundle: {out}")


def race(
    task: Assembly,
    sources: list[FeatureSpace],
    words: np.ndarray,
    components: int,
    draws: int,
    n_random: int,
) -> Callable[[], xarray.Dataset]:
    """Every space on one data set: alone, matched, permuted, together, and what it adds."""

    def compute() -> xarray.Dataset:
        on = task.on_words(words).scorable()
        Y, split = on.recording.data, on.split
        base = control_design(on, task.stimulus)
        controls = fit_controls(base, Y, split)
        ceiling = on.ceiling()
        top = np.nan if ceiling is None else float(ceiling.mean())
        permuted = [permuted_space(s) for s in sources if s.family in PLAUSIBLE]
        spaces = {
            s.name: (s, s.embed(task.stimulus, words, task.level)[0]) for s in [*sources, *permuted]
        }
        rows, designs = [], {name: on.design(features) for name, (_, features) in spaces.items()}
        scores: dict[str, tuple[SpaceScores, np.ndarray]] = {}

        def add(space: str, family: str, found: SpaceScores, n_features: int) -> None:
            rows.append(
                record(
                    on,
                    found,
                    top,
                    space=space,
                    family=family,
                    model=space,
                    layer=-1,
                    depth=-1.0,
                    n_features=n_features,
                )
            )

        for name, (source, features) in spaces.items():
            family = "random" if source in permuted else source.family
            X = designs[name]
            versions = {name: (RidgeEncoder(), X.shape[1])}
            if X.shape[1] > components:
                pca = make_pipeline(StandardScaler(), PCA(components, random_state=0))
                short = make_pipeline(pca, RidgeEncoder())
                versions[f"{name} (PCA-{components})"] = short, components
            for space, (encoder, n_features) in versions.items():
                found = score_ridge(X, Y, split, encoder=encoder, controls=controls)
                drawn = (
                    []
                    if source in permuted
                    else random_scores(on, features, n_random, encoder=encoder)
                )
                scores[space] = found, np.array([each.by_fold.mean() for each in drawn])
                add(space, family, found, n_features)
        add("controls", "controls", score_ridge(base, Y, split), base.shape[1])
        mains = [s.name for s in sources]
        attrs = {
            "rows": rows,
            "winners": winners_of(on, scores, mains),
            "partition": parts_of(on, {n: designs[n] for n in partitioned(sources)}, draws),
            "pairs": pairs_of(on, scores, mains),
        }
        return xarray.Dataset(attrs={key: json.dumps(value) for key, value in attrs.items()})

    return compute


def about(task: Assembly) -> dict:
    """Columns that describe the data set in the smaller tables."""
    return {
        "dataset": task.name,
        "modality": task.modality,
        "language": task.language,
        "level": task.level,
        "n_items": task.recording.n_samples,
        "n_subjects": task.n_people,
    }


def winners_of(task: Assembly, scores: dict, names: list[str]) -> list[dict]:
    """Share of the targets that each space predicts best, among those with a score above 0."""
    values = np.array([scores[name][0].values.mean(axis=0) for name in names])
    predicted = values.max(axis=0) > 0
    best = values[:, predicted].argmax(axis=0)
    return [
        {
            **about(task),
            "space": name,
            "n_targets": int(predicted.sum()),
            "share": float(np.mean(best == i)) if predicted.any() else 0.0,
        }
        for i, name in enumerate(names)
    ]


def partitioned(sources: list[FeatureSpace]) -> list[str]:
    """Three spaces to part the variance between: a language model, plausible ones, static vectors.

    The first language model named stands for all: two of them share almost all they explain.
    """
    neural = [s.name for s in sources if s.family in ("causal", "masked")][:1]
    plausible = [s.name for s in sources if s.family in PLAUSIBLE]
    static = [s.name for s in sources if s.family == "static"]
    return [*neural, *plausible, *static][:MOST_PARTS]


def parts_of(task: Assembly, designs: dict[str, np.ndarray], draws: int) -> list[dict]:
    """R2 of each space alone, of all in a banded ridge, and unique to it; half-widths over targets.

    Of 60 targets at most and on a third of the folds: each combination of the spaces is a banded
    ridge with its own search. A single space has no parts.
    """
    if len(designs) < 2:
        return []
    Y = task.recording.data.astype(np.float32)
    few = np.unique(np.linspace(0, Y.shape[1] - 1, 60).astype(int))
    split = replace(task, n_splits=max(3, task.n_splits // 3)).split
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)
        encoder = BandedRidgeEncoder(n_draws=draws)
        found = partition_variance(designs, Y[:, few], split, encoder=encoder)

    def half(values: np.ndarray) -> float:
        return float(1.96 * values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0

    return [
        {
            **about(task),
            "space": name,
            "alone": float(found.r2[(name,)].mean()),
            "unique": float(found.unique(name).mean()),
            "joint": float(found.joint.mean()),
            "alone_half": half(found.r2[(name,)]),
            "unique_half": half(found.unique(name)),
            "n_targets": len(few),
            "note": found.note(name),
        }
        for name in designs
    ]


def pairs_of(task: Assembly, scores: dict, names: list[str]) -> list[dict]:
    """Differences of all spaces and of their matched versions, see ``compare_folds``."""
    rows = []
    matched = {
        name: next((s for s in scores if s.startswith(f"{name} (PCA")), name) for name in names
    }
    for version, lookup in (("full", {n: n for n in names}), ("PCA-matched", matched)):
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                (a, random_a), (b, random_b) = (scores[lookup[n]] for n in (first, second))
                found = compare_folds(
                    a.by_fold,
                    b.by_fold,
                    a.test_ratio,
                    random=None if task.level == "word" else (random_a, random_b),
                )
                rows.append(
                    {
                        **about(task),
                        "version": version,
                        "first": first,
                        "second": second,
                        "difference": found.mean,
                        "low": found.low,
                        "high": found.high,
                        "p": found.p,
                        "p_stimuli": found.p_stimuli,
                        "p_random": found.p_random,
                    }
                )
    return rows


def report(table: pd.DataFrame, partition: pd.DataFrame, pairs: pd.DataFrame) -> None:
    """Print the tables."""
    shown = [
        "dataset",
        "space",
        "n_features",
        "score",
        "low",
        "high",
        "beyond_controls",
        "normalised",
        "n_items",
        "n_subjects",
        "n_units",
    ]
    ordered = table.sort_values(["dataset", "score"], ascending=[True, False])
    typer.echo(ordered[shown].round(3).to_string(index=False))
    typer.echo("\nR2 alone, unique and joint (banded ridge), means of the test folds removed")
    columns = ["dataset", "space", "alone", "unique", "joint", "n_targets", "note"]
    typer.echo(partition[columns].round(4).to_string(index=False))
    typer.echo("\nDifferences with q <= .05")
    typer.echo(pairs[pairs["q"] <= 0.05].round(4).to_string(index=False))


if __name__ == "__main__":
    run_command(main)
