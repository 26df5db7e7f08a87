"""Do the studies find what was planted, and nothing where nothing was?

Voxelwise story fMRI and word-locked MEG are simulated on the true word times of The Little Prince,
in English and Chinese, from layers of a language model: MEG from a shallow one, fMRI from a deep
one, in both languages alike; and once from nothing. The engine of the studies must find the planted
layers, the difference of the modalities and the agreement of the languages, and report none where
none was planted: by ridge encoding and by similarity encoding, whose form with columns centred only
is followed as well, since the few directions that dominate a layer mislead it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import pandas as pd
import typer
import xarray

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.feature_spaces import FeatureSpace
from brainlm.comparison.layer_statistics import (
    LayerProfile,
    curve_agreement,
    depth_difference,
    layer_profile,
)
from brainlm.comparison.parts import PartStore, run_parts
from brainlm.comparison.simulated_assemblies import simulate_fmri, simulate_meg
from brainlm.comparison.study import layer_part, rows_of, spent, table_of
from brainlm.comparison.table import tidy
from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.folders import dataset_hashes
from brainlm.datasets.open import open_stimulus
from brainlm.language_models import LanguageModel
from brainlm.results.bundle import check_output, save_bundle
from brainlm.workflow import Debug, Model, Out, Overwrite, Permutations, Root, run_command

METHODS = ("ridge", "similarity")
STORIES = {"en": "littleprince-en-words", "zh": "littleprince-zh-words"}


def main(
    model: Model = "gemma3",
    shallow: Annotated[float, typer.Option(help="Depth of the layer behind MEG.")] = 0.12,
    deep: Annotated[float, typer.Option(help="Depth of the layer behind fMRI.")] = 0.88,
    words: Annotated[
        int, typer.Option(min=300, help="Words of each story in MEG; fMRI, slow, has three times.")
    ] = 1000,
    permutations: Permutations = 39,
    out: Out = Path("results/simulate_studies"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """Do the studies find what was planted, and nothing where nothing was?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    if debug:
        words, permutations = min(words, 400), min(permutations, 9)
    language_model = LanguageModel(model)
    n_layers = language_model.n_layers
    layers = sorted({0, *np.linspace(1, n_layers, 4 if debug else 9).round().astype(int).tolist()})
    planted = {"MEG": nearest(layers, shallow * n_layers), "fMRI": nearest(layers, deep * n_layers)}
    jobs = []
    for language, story in STORIES.items():
        for modality, simulate, n in (
            ("MEG", simulate_meg, words),
            ("fMRI", simulate_fmri, 3 * words),
        ):
            stimulus = first_words(open_stimulus(story, root), n)
            hidden = language_model.embed(stimulus, layers, context=256, pooling="mean")
            source = given(model, hidden, n_layers)
            for cause in ("planted", "nothing"):
                layer = layers.index(planted[modality])
                key = {
                    "study": "simulate",
                    "data": dataset_hashes(story, root=root),
                    "words": words,
                    "model": language_model.identity,
                    "layers": layers,
                    "cause": cause,
                    "modality": modality,
                    "layer": layer,
                    "permutations": permutations,
                    "columns": "z-scored",
                }
                which = hidden[layer] if cause == "planted" else None
                for method in METHODS:
                    jobs.append(
                        (
                            f"{cause} | {modality} | {language} | {method}",
                            {**key, "method": method},
                            partial(scored, simulate, which, hidden, source, permutations, method),
                        )
                    )
    store = PartStore.beside(out)
    parts, seconds = run_parts(jobs, store, lambda line: typer.echo(line, err=True))
    profiles, curves, nulls = answers(parts, planted, n_layers)
    differences, languages = contrasts(profiles, curves, nulls)
    frame = pd.DataFrame([{k: v for k, v in row.items() if k != "profile"} for row in profiles])
    table = tidy(
        [{**row, "dataset": name} for name, part in parts.items() for row in rows_of(part)]
    )
    for title, each in (("Depth", frame), ("Modalities", differences), ("Languages", languages)):
        typer.echo(f"\n{title}\n{each.round(3).to_string(index=False)}")
    save_bundle(
        out,
        analysis="simulate_studies",
        arrays={
            "table": table_of(table),
            "profiles": table_of(frame),
            "modalities": table_of(differences),
            "languages": table_of(languages),
        },
        config={
            "model": model,
            "shallow": shallow,
            "deep": deep,
            "words": words,
            "layers": layers,
            "planted_layers": planted,
            "permutations": permutations,
            "debug": debug,
        },
        inputs={story: dataset_hashes(story, root=root) for story in STORIES.values()},
        notes=["simulated responses: AR(1) noise, twice the signal, and a slow drift in fMRI"],
        figures=["layers_by_modality"],
        overwrite=overwrite,
    )
    store.clear()
    typer.echo(spent(seconds, perf_counter() - start))
    typer.echo(f"result bundle: {out}")


def scored(
    simulate: Callable[..., Assembly],
    cause: Features | None,
    hidden: tuple[Features, ...],
    source: FeatureSpace,
    permutations: int,
    method: str,
) -> xarray.Dataset:
    """Simulate responses to one layer, or to nothing, and score all layers on them."""
    task = simulate(cause, hidden[0], n_targets=8, seed=3)
    every = np.ones(task.stimulus.n_words, dtype=bool)
    n_random = 10 if method == "similarity" else 5  # ridge regressions, each
    return layer_part(
        task, source, every, n_permutations=permutations, method=method, n_random=n_random
    )


def nearest(layers: list[int], wanted: float) -> int:
    """The layer that is nearest to a depth."""
    return min(layers, key=lambda layer: abs(layer - wanted))


def first_words(stimulus: Stimulus, n: int) -> Stimulus:
    """The first words of a story, each an item of its own, in one text per run."""
    part = stimulus.select(np.arange(min(n, stimulus.n_words)))
    items = [f"w{i}" for i in range(part.n_words)]
    return Stimulus(
        part.words,
        part.language,
        part.onset,
        part.duration,
        run=part.run,
        text=part.run,
        item=items,
    )


def given(name: str, hidden: tuple[Features, ...], n_layers: int) -> FeatureSpace:
    """Layers that are computed already, as a source."""

    def embed(stimulus: Stimulus, words: np.ndarray, level: str) -> list[Features]:
        return [layer.select_words(words) for layer in hidden]

    return FeatureSpace(
        name, "causal", (), lambda s: np.ones(s.n_words, dtype=bool), embed, n_layers, {}
    )


def answers(parts: dict, planted: dict[str, int], n_layers: int) -> tuple[list[dict], dict, dict]:
    """Preferred depth of every simulation, and its curve of scores."""
    rows, curves, nulls = [], {}, {}
    for name, part in parts.items():
        cause, modality, language, method = name.split(" | ")
        table = [row for row in rows_of(part) if row["family"] != "random"]
        spaces = [row["space"] for row in table]
        scores = part["fold_score"].sel(space=spaces).values.T
        depths = np.array([row["depth"] for row in table])
        null = part["null"].sel(space=spaces).values
        found: LayerProfile = layer_profile(
            scores,
            depths,
            part.attrs["test_ratio"],
            chance=null.mean(axis=1),
            random=part["random"].mean("fold").transpose("draw", "layer").values,
        )
        centred = np.array([row["centred"] for row in table])
        curves[method, cause, modality, language] = scores.mean(axis=0)
        nulls[method, cause, modality, language] = null.T
        truth = planted[modality] / n_layers if cause == "planted" else np.nan
        rows.append(
            {
                "method": method,
                "cause": cause,
                "modality": modality,
                "language": language,
                "planted_depth": truth,
                "best_depth": found.best_depth,
                "depth_low": found.low,
                "depth_high": found.high,
                "best_depth_centred": np.nan
                if np.isnan(centred).any()
                else depths[centred.argmax()],
                "slope": found.slope.mean,
                "slope_p": found.p,
                "best_score": float(scores.mean(axis=0).max()),
                "smallest_q": float(tidy(table)["q"].min()),
                "n_folds": len(scores),
                "profile": found,
            }
        )
    return rows, curves, nulls


def contrasts(profiles: list[dict], curves: dict, nulls: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Difference of the modalities, and agreement of the languages over layers."""
    found = {
        (r["method"], r["cause"], r["modality"], r["language"]): r["profile"] for r in profiles
    }
    differences, languages = [], []
    for method, cause in product(METHODS, ("planted", "nothing")):
        about = {"method": method, "cause": cause}
        for language in STORIES:
            fmri, meg = (found[method, cause, m, language] for m in ("fMRI", "MEG"))
            d, p = depth_difference(fmri, meg)
            differences.append(
                {**about, "language": language, "fMRI minus MEG, relative slopes": d, "p": p}
            )
        for modality in ("MEG", "fMRI"):
            en, zh = (curves[method, cause, modality, language] for language in STORIES)
            tau, p = curve_agreement(en, zh, nulls[method, cause, modality, "zh"])
            languages.append({**about, "modality": modality, "tau": tau, "p": p})
    return pd.DataFrame(differences), pd.DataFrame(languages)


if __name__ == "__main__":
    run_command(main)
