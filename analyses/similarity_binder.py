"""Do language models and word vectors order concepts as English and Chinese speakers rate them?

Binder et al. 2016 rated 534 English words on 65 experiential attributes, Qiu et al. 2023 their
Chinese translations on 68. Similarity encoding predicts every attribute of a word from the words it
resembles (leave one out; centred, and as published by MulCogBench), RSA compares the distances
between words, in both languages, for static vectors, every layer of a language model, and random
embeddings with the geometry of each. English and Chinese ratings are compared with each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import typer
import xarray

from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.folders import dataset_hashes
from brainlm.datasets.open import open_dataset
from brainlm.encoding.align import align
from brainlm.encoding.encode import Space
from brainlm.encoding.similarity import leave_one_out_scores
from brainlm.features.baselines import random_like
from brainlm.language_models import LanguageModel
from brainlm.results.bundle import check_output, save_bundle
from brainlm.rsa.rdm import compare_rdms, permuted_comparisons, rdm
from brainlm.stats.permutation import permutation_p
from brainlm.workflow import (
    Debug,
    Layers,
    Model,
    Out,
    Overwrite,
    Root,
    Subjects,
    layer_list,
    run_command,
)

N_PERMUTATIONS = 1000


@dataclass(frozen=True)
class Ratings:
    """The rated words of one language, and the vectors and model to compare them with."""

    language: str
    dataset: str
    vectors: str
    model: str
    stimulus: Stimulus
    recording: Recording


def main(
    subjects: Subjects = "all",
    model: Model = "minilm",
    model_zh: Annotated[str, typer.Option(help="Language model for Chinese.")] = "gemma3",
    vectors: Annotated[str, typer.Option(help="English word vectors: a name or a file.")] = (
        "glove-6b-50d"
    ),
    vectors_zh: Annotated[str, typer.Option(help="Chinese word vectors: a name or a file.")] = (
        "synonyms-zh"
    ),
    layers: Layers = "all",
    out: Out = Path("results/similarity_binder"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """Do language models and word vectors order concepts as English and Chinese speakers do?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    who = None if subjects == "all" else subjects
    both = [
        open_ratings("en", "binder-en", vectors, model, (who, root)),
        open_ratings("zh", "binder-zh", vectors_zh, model_zh, (who, root)),
    ]
    n_permutations = 100 if debug else N_PERMUTATIONS
    if debug:
        both = [select_items(each, list(each.recording.items)[:120]) for each in both]

    tables, inputs, notes = [], {}, []
    for ratings in both:
        spaces, note = embed_words(ratings, "0,-1" if debug and layers == "all" else layers)
        notes += [note, *ratings.recording.notes]
        inputs[ratings.dataset] = {
            "data": dataset_hashes(ratings.dataset, who, root),
            "features": {space.name: dict(space.features.origin) for space in spaces},
        }
        table = compare(ratings, spaces, n_permutations)
        report(ratings, table, note)
        tables.append(table)
    languages = compare_languages(both, n_permutations)
    typer.echo(
        f"\nEnglish against Chinese ratings: RDM rho = {float(languages['rho']):.3f} over "
        f"{languages.sizes['item']} words (p = {float(languages['p']):.4f}); shared attributes, "
        f"median r = {float(languages['attribute_r'].median()):.2f} over "
        f"{languages.sizes['attribute']}"
    )
    save_bundle(
        out,
        analysis="similarity_binder",
        arrays={"english": tables[0], "chinese": tables[1], "rdms": languages},
        config={
            "datasets": ["binder-en", "binder-zh"],
            "model": model,
            "model_zh": model_zh,
            "vectors": vectors,
            "vectors_zh": vectors_zh,
            "layers": layers,
            "permutations": n_permutations,
            "context": "none",
            "debug": debug,
        },
        inputs=inputs,
        notes=notes,
        figures=["similarity_and_rsa", "rdm_pair"],
        overwrite=overwrite,
    )
    typer.echo(f"result bundle: {out}   ({perf_counter() - start:.0f} s)")


def open_ratings(language: str, dataset: str, vectors: str, model: str, source: tuple) -> Ratings:
    """Open the ratings; attributes that were not asked of every word are left out, and named."""
    stimulus, recording = open_dataset(dataset, *source)
    incomplete = recording.missing_targets
    if incomplete:
        complete = [target for target in recording.target_names if target not in incomplete]
        recording = recording.select_targets(complete)
        note = f"left out attributes with missing ratings: {', '.join(incomplete)}"
        recording = recording.with_data(recording.data, note)
    return Ratings(language, dataset, vectors, model, stimulus, recording)


def select_items(ratings: Ratings, items: list[str]) -> Ratings:
    """The same ratings for some of the items."""
    rows = np.isin(ratings.recording.items.astype(str), items)
    words = np.isin(ratings.stimulus.sentence.astype(str), items)
    return Ratings(
        ratings.language,
        ratings.dataset,
        ratings.vectors,
        ratings.model,
        ratings.stimulus.select(words),
        ratings.recording.select_samples(rows, f"kept {rows.sum()} of {len(rows)} items"),
    )


def embed_words(ratings: Ratings, layers: str) -> tuple[list[Space], str]:
    """All spaces on the same words: those that the static vectors cover."""
    table = LanguageModel(ratings.vectors)
    covered = table.covers(ratings.stimulus)
    stimulus = ratings.stimulus.select(covered)
    lost = ", ".join(ratings.stimulus.words[~covered])
    note = f"{ratings.dataset}: left out {(~covered).sum()} of {len(covered)} words without vector"
    static = table.embed(stimulus)[0].renamed("static vectors")
    hidden = LanguageModel(ratings.model).embed(stimulus, layer_list(layers), context="none")
    spaces = [Space(static, "reference"), Space(random_like(static), "reference")]
    for layer in hidden:
        number = layer.origin["layer"]
        spaces += [
            Space(layer, "layer", number),
            Space(random_like(layer, seed=number), "random", number),
        ]
    return spaces, f"{note} ({lost})" if lost else note


def compare(ratings: Ratings, spaces: list[Space], n_permutations: int) -> xarray.Dataset:
    """Similarity encoding (centred and published) and RSA of each space with the ratings."""
    items = spaces[0].features.stimulus.sentence.astype(str)
    kept = np.isin(ratings.recording.items.astype(str), items)
    recording = ratings.recording.select_samples(kept, "kept the words with vectors")
    Y = recording.data
    rated = rdm(Y)
    aligned = [align(space.features, recording).X for space in spaces]
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
            "language": ratings.language,
        },
        attrs={"title": f"{ratings.dataset}: {len(Y)} words, {Y.shape[1]} attributes"},
    )


def compare_languages(both: list[Ratings], n_permutations: int) -> xarray.Dataset:
    """RDM correlation of the English and Chinese ratings over the concepts that both have."""
    shared = set(both[0].recording.items) & set(both[1].recording.items)
    order = [item for item in both[0].recording.items if item in shared]
    data = []
    for ratings in both:
        place = {item: i for i, item in enumerate(ratings.recording.items)}
        data.append(ratings.recording.data[[place[item] for item in order]])
    first, second = rdm(data[0]), rdm(data[1])
    null = permuted_comparisons(first[None], second, n_permutations=n_permutations)[:, 0]
    targets = [list(ratings.recording.target_names) for ratings in both]
    attributes = [target for target in targets[0] if target in targets[1]]
    columns = [[each.index(attribute) for attribute in attributes] for each in targets]
    r = [np.corrcoef(data[0][:, a], data[1][:, b])[0, 1] for a, b in zip(*columns, strict=True)]
    rho = compare_rdms(first, second)
    return xarray.Dataset(
        {
            "first": ("pair", first),
            "second": ("pair", second),
            "rho": rho,
            "p": permutation_p(rho, null),
            "null": ("permutation", null),
            "attribute_r": ("attribute", r),
        },
        coords={"item": [str(item) for item in order], "attribute": attributes},
        attrs={
            "labels": ["English: 1 - r between words", "Chinese: 1 - r between words"],
            "title": f"Attribute ratings of {len(order)} concepts, Spearman rho = {rho:.2f}",
        },
    )


def report(ratings: Ratings, table: xarray.Dataset, note: str) -> None:
    """Print one language."""
    typer.echo(
        f"\n{ratings.dataset}: {int(table['n_words'])} words x {table.sizes['attribute']} "
        f"attributes; vectors {ratings.vectors}, model {ratings.model}"
    )
    typer.echo(note)
    typer.echo(f"{'':26s}{'similarity':>11s}{'published':>11s}{'RSA rho':>9s}{'p':>8s}")
    mean = table["score"].mean("attribute")
    for space in table["space"].values:
        centred, published = (float(v) for v in mean.sel(space=space).values)
        rho, p = float(table["rho"].sel(space=space)), float(table["p"].sel(space=space))
        typer.echo(f"{space:26s}{centred:11.3f}{published:11.3f}{rho:9.3f}{p:8.4f}")


if __name__ == "__main__":
    run_command(main)
