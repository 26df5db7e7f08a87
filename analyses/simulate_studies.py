"""Do the studies find what was planted, and nothing where nothing was?

Voxelwise story fMRI and word-locked MEG are simulated on the true word times of The Little Prince,
in English and Chinese, from layers of a language model: MEG from a shallow one, fMRI from a deep
one, in both languages alike; and once from nothing. The studies must find the planted
layers, the difference of the modalities and the agreement of the languages, and report none where
none was planted: by ridge encoding and by similarity encoding, whose form with columns centred only
is followed as well, since the few directions that dominate a layer mislead it.
"""

from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from brainlm.comparison.layer_scores import METHODS, rows_of, table_of, time_summary
from brainlm.comparison.parts import run_parts
from brainlm.comparison.recovery import (
    computed_space,
    recovered_contrasts,
    recovered_depths,
    simulated_part,
)
from brainlm.comparison.simulated_assemblies import first_words, simulate_fmri, simulate_meg
from brainlm.comparison.table import tidy
from brainlm.datasets.folders import dataset_hashes
from brainlm.datasets.open import open_stimulus
from brainlm.language_models import LanguageModel
from brainlm.workflow import Run, analysis, options, run_command

STORIES = {"en": "littleprince-en-words", "zh": "littleprince-zh-words"}
SIMULATIONS = {"MEG": (simulate_meg, 1), "fMRI": (simulate_fmri, 3)}  # slow fMRI: more words


@analysis
def main(
    run: Run,
    model: options.Model = "gemma3",
    shallow: Annotated[float, typer.Option(help="Depth of the layer behind MEG.")] = 0.12,
    deep: Annotated[float, typer.Option(help="Depth of the layer behind fMRI.")] = 0.88,
    words: Annotated[
        int, typer.Option(min=300, help="Words of each story in MEG; three times as many in fMRI.")
    ] = 1000,
    permutations: options.Permutations = 39,
) -> None:
    if run.debug:
        words, permutations = min(words, 400), min(permutations, 9)
    network = LanguageModel(model)
    n = network.n_layers
    layers = sorted({0, *np.linspace(1, n, 4 if run.debug else 9).round().astype(int).tolist()})
    wanted = {"MEG": shallow * n, "fMRI": deep * n}
    planted = {name: min(layers, key=lambda k: abs(k - at)) for name, at in wanted.items()}
    run.data |= {story: dataset_hashes(story, root=run.root) for story in STORIES.values()}
    jobs = jobs_of(network, layers, planted, words, permutations, run.root)
    parts, seconds = run_parts(jobs, run.parts, run.progress)
    profiles, curves, nulls = recovered_depths(parts, planted, n)
    modalities, languages = recovered_contrasts(profiles, curves, nulls)
    rows = [{**row, "dataset": name} for name, part in parts.items() for row in rows_of(part)]
    tables = {
        "profiles": pd.DataFrame(profiles).drop(columns="profile"),
        "modalities": modalities,
        "languages": languages,
    }
    for title, table in tables.items():
        run.show_table(title, table)
    run.note("simulated responses: AR(1) noise, twice the signal, and a slow drift in fMRI")
    arrays = {name: table_of(table) for name, table in {**tables, "table": tidy(rows)}.items()}
    run.save(arrays=arrays, figures=["layers_by_modality"], planted_layers=planted)
    run.show(time_summary(seconds, run.seconds))


def jobs_of(
    network: LanguageModel,
    layers: list[int],
    planted: dict[str, int],
    words: int,
    permutations: int,
    root: Path | None,
) -> list:
    """One job per language, modality, cause (a layer, or nothing) and method."""
    key = {"study": "simulate", "words": words, "model": network.identity, "layers": layers}
    jobs = []
    for (language, story), modality in product(STORIES.items(), SIMULATIONS):
        simulate, times = SIMULATIONS[modality]
        stimulus = first_words(open_stimulus(story, root=root), times * words)
        hidden = network.embed(stimulus, layers, context=256, pooling="mean")
        space = computed_space(network.name, hidden, network.n_layers)
        about = {**key, "data": dataset_hashes(story, root=root), "planted": planted[modality]}
        causes = {"planted": hidden[layers.index(planted[modality])], "nothing": None}
        for (cause, layer), method in product(causes.items(), METHODS):
            settings = {"permutations": permutations, "method": method}
            compute = partial(simulated_part, simulate, layer, hidden, space, **settings)
            jobs.append(
                (f"{cause} | {modality} | {language} | {method}", about | settings, compute)
            )
    return jobs


if __name__ == "__main__":
    run_command(main)
