"""Do language models and word vectors order concepts as English and Chinese speakers rate them?

Binder et al. 2016 rated 534 English words on 65 experiential attributes, Qiu et al. 2023 their
Chinese translations on 68. Similarity encoding predicts every attribute of a word from the words it
resembles (leave one out; centred, and as published by MulCogBench), RSA compares the distances
between words, in both languages, for static vectors, every layer of a language model, and random
embeddings with the geometry of each. English and Chinese ratings are compared with each other.
"""

from dataclasses import replace
from typing import Annotated

import typer
import xarray

from brainlm.comparison.concepts import compare_languages, compare_spaces, table_of_spaces
from brainlm.data.recording import Recording
from brainlm.encoding.encode import with_baselines
from brainlm.features.baselines import random_like
from brainlm.language_models import LanguageModel
from brainlm.workflow import Limits, Run, analysis, keep_covered, open_group, options, run_command

DATASETS = {"english": "binder-en", "chinese": "binder-zh"}
N_PERMUTATIONS = 1000


@analysis
def main(
    run: Run,
    model: options.Model = "minilm",
    model_zh: Annotated[str, typer.Option(help="Language model for Chinese.")] = "gemma3",
    vectors: Annotated[str, typer.Option(help="English word vectors: a name or a file.")] = (
        "glove-6b-50d"
    ),
    vectors_zh: Annotated[str, typer.Option(help="Chinese word vectors: a name or a file.")] = (
        "synonyms-zh"
    ),
    layers: options.Layers = "all",
) -> None:
    n_permutations = 100 if run.debug else N_PERMUTATIONS
    limits = Limits(items=120).when(run.debug)
    wanted = options.layer_list("0,-1" if run.debug and layers == "all" else layers)
    named = {"english": (vectors, model), "chinese": (vectors_zh, model_zh)}
    arrays, ratings = {}, []
    for language, dataset in DATASETS.items():
        static, network = map(LanguageModel, named[language])
        stimulus, recording = limits.cut(*open_group(dataset, "all", run.root))
        recording = complete_attributes(recording)
        ratings.append(recording)
        stimulus, recording = keep_covered(stimulus, recording, static)
        known = static.embed(stimulus)[0].renamed("static vectors")
        hidden = network.embed(stimulus, wanted, context="none")
        spaces = with_baselines(hidden, [known, random_like(known)])
        run.uses(recording, *spaces)
        table = compare_spaces(recording, spaces, n_permutations)
        arrays[language] = table.assign_coords(language=stimulus.language)
        run.show(f"\n{recording}\n{static.name} and {network.name}", table_of_spaces(table))
    arrays["rdms"] = rdms = compare_languages(ratings, n_permutations)
    run.show(agreement(rdms))
    used = {"datasets": list(DATASETS.values()), "context": "none"}
    run.save(arrays=arrays, figures=["similarity_and_rsa", "rdm_pair"], **used)


def agreement(rdms: xarray.Dataset) -> str:
    """The agreement of the languages, as text."""
    return (
        f"\nEnglish against Chinese ratings: RDM rho = {float(rdms['rho']):.3f} over "
        f"{rdms.sizes['item']} words (p = {float(rdms['p']):.4f}); shared attributes, "
        f"median r = {float(rdms['attribute_r'].median()):.2f} over {rdms.sizes['attribute']}"
    )


def complete_attributes(recording: Recording) -> Recording:
    """Leave out attributes that were not asked of every word, and name them."""
    missing = recording.missing_targets
    if not missing:
        return recording
    complete = [name for name in recording.target_names if name not in missing]
    note = f"left out attributes with missing ratings: {', '.join(missing)}"
    return replace(recording.select_targets(complete).noted(note), missing="refuse")


if __name__ == "__main__":
    run_command(main)
