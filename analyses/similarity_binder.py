"""Do language models and word vectors order concepts as English and Chinese speakers rate them?

Binder et al. 2016 rated 534 English words on 65 experiential attributes, Qiu et al. 2023 their
Chinese translations on 68. Similarity encoding predicts every attribute of a word from the words it
resembles (leave one out; centred, and as published by MulCogBench), RSA compares the distances
between words, in both languages, for static vectors, every layer of a language model, and random
embeddings with the geometry of each. English and Chinese ratings are compared with each other.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import xarray

from brainlm.data.recording import Recording
from brainlm.encoding.encode import Space, with_baselines
from brainlm.encoding.similarity import leave_one_out_scores
from brainlm.features.baselines import random_like
from brainlm.language_models import LanguageModel
from brainlm.rsa.rdm import compare_rdms, permuted_comparisons, rdm
from brainlm.stats.permutation import permutation_p
from brainlm.workflow import Limits, Run, keep_covered, layer_list, open_group, options, run_command

DATASETS = {"english": "binder-en", "chinese": "binder-zh"}
N_PERMUTATIONS = 1000


def main(
    model: options.Model = "minilm",
    model_zh: Annotated[str, typer.Option(help="Language model for Chinese.")] = "gemma3",
    vectors: Annotated[str, typer.Option(help="English word vectors: a name or a file.")] = (
        "glove-6b-50d"
    ),
    vectors_zh: Annotated[str, typer.Option(help="Chinese word vectors: a name or a file.")] = (
        "synonyms-zh"
    ),
    layers: options.Layers = "all",
    out: options.Out = Path("results/similarity_binder"),
    root: options.Root = None,
    debug: options.Debug = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Do language models and word vectors order concepts as English and Chinese speakers do?"""
    with Run(locals()) as run:
        n_permutations = 100 if debug else N_PERMUTATIONS
        limits = Limits(items=120).when(debug)
        wanted = layer_list("0,-1" if debug and layers == "all" else layers)
        named = {"english": (vectors, model), "chinese": (vectors_zh, model_zh)}
        arrays, ratings = {}, []
        for language, dataset in DATASETS.items():
            static, network = map(LanguageModel, named[language])
            stimulus, recording = limits.cut(*open_group(dataset, "all", root))
            recording = complete_attributes(recording)
            ratings.append(recording)
            stimulus, recording = keep_covered(stimulus, recording, static)
            known = static.embed(stimulus)[0].renamed("static vectors")
            hidden = network.embed(stimulus, wanted, context="none")
            spaces = with_baselines(hidden, [known, random_like(known)])
            run.uses(recording, *spaces)
            table = compare(recording, spaces, n_permutations)
            arrays[language] = table.assign_coords(language=stimulus.language)
            run.show(f"\n{recording}\nvectors {static.name}, model {network.name}", summary(table))
        arrays["rdms"] = rdms = compare_languages(ratings, n_permutations)
        run.show(
            f"\nEnglish against Chinese ratings: RDM rho = {float(rdms['rho']):.3f} over "
            f"{rdms.sizes['item']} words (p = {float(rdms['p']):.4f}); shared attributes, "
            f"median r = {float(rdms['attribute_r'].median()):.2f} over {rdms.sizes['attribute']}"
        )
        figures = ["similarity_and_rsa", "rdm_pair"]
        run.save(arrays=arrays, figures=figures, datasets=list(DATASETS.values()), context="none")


def complete_attributes(recording: Recording) -> Recording:
    """Leave out attributes that were not asked of every word, and name them."""
    missing = recording.missing_targets
    if not missing:
        return recording
    complete = [name for name in recording.target_names if name not in missing]
    note = f"left out attributes with missing ratings: {', '.join(missing)}"
    return replace(recording.select_targets(complete).noted(note), missing="refuse")


def compare(recording: Recording, spaces: list[Space], n_permutations: int) -> xarray.Dataset:
    """Similarity encoding (centred and published) and RSA of each space with the ratings."""
    Y = recording.data
    rated = rdm(Y)
    aligned = [space.design(recording, (0,))[0] for space in spaces]
    rdms = np.stack([rdm(X) for X in aligned])
    rho = np.array([compare_rdms(each, rated) for each in rdms])
    null = permuted_comparisons(rdms, rated, n_permutations=n_permutations)
    scores = [
        [leave_one_out_scores(X, Y, center=center) for X in aligned] for center in (True, False)
    ]
    return xarray.Dataset(
        {
            "score": (("analysis", "space", "attribute"), np.array(scores)),
            "rho": ("space", rho),
            "p": ("space", permutation_p(rho, null)),
            "n_words": len(Y),
        },
        coords={
            "analysis": ["similarity encoding", "similarity, published form"],
            "space": [space.name for space in spaces],
            "attribute": recording.target_names.astype(str),
            "kind": ("space", [space.kind for space in spaces]),
            "layer": ("space", [space.layer for space in spaces]),
        },
        attrs={"title": f"{recording.origin['dataset']}: {len(Y)} words, {Y.shape[1]} attributes"},
    )


def compare_languages(both: list[Recording], n_permutations: int) -> xarray.Dataset:
    """RDM correlation of the English and Chinese ratings over the concepts that both have."""
    items = [item for item in both[0].items if item in set(both[1].items)]
    names = [name for name in both[0].target_names if name in set(both[1].target_names)]
    rows = [[list(each.items).index(item) for item in items] for each in both]
    data = [each.data[own] for each, own in zip(both, rows, strict=True)]
    first, second = map(rdm, data)
    rho = compare_rdms(first, second)
    null = permuted_comparisons(first[None], second, n_permutations=n_permutations)[:, 0]
    columns = [[list(each.target_names).index(name) for name in names] for each in both]
    r = [np.corrcoef(data[0][:, a], data[1][:, b])[0, 1] for a, b in zip(*columns, strict=True)]
    return xarray.Dataset(
        {
            "first": ("pair", first),
            "second": ("pair", second),
            "rho": rho,
            "p": permutation_p(rho, null),
            "null": ("permutation", null),
            "attribute_r": ("attribute", r),
        },
        coords={"item": list(map(str, items)), "attribute": names},
        attrs={
            "labels": ["English: 1 - r between words", "Chinese: 1 - r between words"],
            "title": f"Attribute ratings of {len(items)} concepts, Spearman rho = {rho:.2f}",
        },
    )


def summary(table: xarray.Dataset) -> str:
    """Scores of one language, a line per space."""
    mean = table["score"].mean("attribute").to_series().unstack("analysis")
    rsa = table[["rho", "p"]].to_dataframe()[["rho", "p"]].add_prefix("RSA ")
    return mean.join(rsa).loc[table["space"].values].round(3).to_string()


if __name__ == "__main__":
    run_command(main)
