"""Can the embedding of a sentence be decoded from one person's brain activity?

Pereira et al. 2018, 627 sentences, one pattern of 1,000 principal components each. Ridge regression
maps the pattern to the embedding of the sentence (every layer of a language model; GloVe), with
whole passages and whole topics left out. 2v2 and rank accuracy are computed among the held-out
sentences of each fold, 2v2 between different passages only, against refitted permutations in which
passages of the same length change places. That null lies a little above .5, mostly because
passages of three sentences come from one of the two experiments only: permuting keeps a part of the
difference between the experiments, which identifies an experiment and not a sentence.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import typer
import xarray
from tqdm import tqdm

from brainlm.data.scores import Scores
from brainlm.datasets.folders import dataset_hashes, list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.encoding.align import align
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.encode import Space, stack_folds
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.encoding.splits import Groups
from brainlm.language_models import LanguageModel
from brainlm.results.bundle import check_output, save_bundle
from brainlm.stats.identification import pairwise_accuracy, pattern_correlations, rank_accuracy
from brainlm.stats.permutation import permutation_p, permute_groups
from brainlm.workflow import (
    Debug,
    Layers,
    Model,
    Out,
    Overwrite,
    Root,
    Subjects,
    choose,
    layer_list,
    run_command,
)

DATASET = "pereira2018"
# The patterns keep the scale of their principal components, so that large components weigh more;
# eigenvalues then lie between those of z-scored features and their squares.
ALPHAS = np.logspace(1, 9, 9)


@dataclass(frozen=True)
class Accuracy:
    """Identification among the held-out sentences of each fold, averaged over folds."""

    pairwise: float
    rank: float


def main(
    subjects: Subjects = "all",
    model: Model = "minilm",
    layers: Layers = "all",
    out: Out = Path("results/decode_pereira2018"),
    root: Root = None,
    permutations: Annotated[int, typer.Option(min=1, help="Refitted permutations.")] = 100,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """Can the embedding of a sentence be decoded from one person's brain activity?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    (subject,) = choose(subjects, list_subjects(DATASET, root))
    stimulus, recording = open_dataset(DATASET, subject, root)
    if debug:
        permutations, layers = min(permutations, 5), "0,-1" if layers == "all" else layers
        kept = np.isin(recording.items, stimulus.sentence[:1000])
        stimulus = stimulus.select(np.isin(stimulus.sentence, recording.items[kept]))
        recording = recording.select_samples(kept, "debug: the first sentences only")
    passages = np.array([str(item).rsplit("/", 1)[0] for item in recording.items])
    topics = np.array([passage.split("/")[0] for passage in passages])
    n_splits = 4 if debug else 8
    splits = {
        "leave passages out": Groups(passages, n_splits, interleave=True),
        "leave topics out": Groups(topics, n_splits),
    }
    spaces = embed_sentences(stimulus, recording, model, layer_list(layers))
    rng = np.random.default_rng(0)
    orders = [permute_groups(passages, rng) for _ in range(permutations)]

    found: dict[str, list[Accuracy]] = {}
    nulls: dict[str, list[list[Accuracy]]] = {}
    notes: list[str] = []
    kept_arrays: dict[str, tuple] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)  # kept in the notes of the bundle
        work = [(name, space) for name in splits for space in spaces]
        for name, space in tqdm(work, desc="decoding", unit="space"):
            accuracies, scores = decode(
                recording.data, space.features.values, splits[name], passages, orders
            )
            found.setdefault(name, []).append(accuracies[0])
            nulls.setdefault(name, []).append(accuracies[1:])
            notes += scores.notes
            kept_arrays |= predictions_of(f"{name}, {space.name}", space, scores)

    dataset = tabulate(
        found, nulls, spaces, f"{model}: decoding {recording.n_samples} sentences, Pereira 2018"
    )
    report(dataset)
    save_bundle(
        out,
        analysis="decode_pereira2018",
        arrays={
            "scores": dataset,
            "predictions": xarray.Dataset(kept_arrays),
            **{
                f"folds_{name.split()[1]}": stack_folds(split, recording.n_samples)
                for name, split in splits.items()
            },
        },
        config={
            "dataset": DATASET,
            "subjects": subject,
            "model": model,
            "layers": layers,
            "permutations": permutations,
            "alphas": ALPHAS.tolist(),
            "debug": debug,
            "splits": {name: repr(split) for name, split in splits.items()},
        },
        inputs={
            "data": dataset_hashes(DATASET, subject, root),
            "features": {space.name: dict(space.features.origin) for space in spaces},
        },
        notes=[*recording.notes, *notes],
        figures=["decoding_curve", "decoding_null"],
        overwrite=overwrite,
    )
    typer.echo(f"result bundle: {out}   ({perf_counter() - start:.0f} s)")


def embed_sentences(stimulus, recording, model: str, layers) -> list[Space]:
    """One embedding per sentence: every layer of the model, and the mean GloVe vector."""
    hidden = LanguageModel(model).embed(stimulus, layers, level="sentence", progress=True)
    glove = LanguageModel("glove-6b-50d")
    covered = glove.covers(stimulus)
    words = glove.embed(stimulus.select(covered))[0].renamed("GloVe")
    lost = int((~covered).sum())
    means = align(words, recording).X
    features = type(words)(
        "GloVe", means, origin={**words.origin, "pooling": "mean", "words_left_out": lost}
    )
    spaces = [Space(layer, "layer", layer.origin["layer"]) for layer in hidden]
    return [*spaces, Space(features, "reference")]


def decode(
    brain: np.ndarray,
    embedding: np.ndarray,
    split: Groups,
    passages: np.ndarray,
    orders: list[np.ndarray],
) -> tuple[list[Accuracy], Scores]:
    """Decode the embedding and all its permutations; the first accuracy is that of the embedding.

    Permuted embeddings are further targets of the same regression: the brain patterns, and so the
    factorisations, are the same, and each permutation is fitted anew with its own penalties.
    """
    versions = [embedding, *(embedding[order] for order in orders)]
    Y = np.hstack(versions)
    encoder = RidgeEncoder(ALPHAS, standardize=False)
    X = brain.astype(Y.dtype)
    fitted = cross_validate(encoder, X, Y, split, keep_predictions=True)
    width = embedding.shape[1]
    accuracies = []
    for i, true in enumerate(versions):
        predicted = fitted.predictions[:, i * width : (i + 1) * width]
        accuracies.append(identify(predicted, true, split, passages))
    return accuracies, fitted


def predictions_of(name: str, space: Space, scores: Scores) -> dict[str, tuple]:
    """Out-of-fold predictions of the embedding and its penalties, without the permutations."""
    width = f"feature_{space.features.n_features}"
    n_features = space.features.n_features
    return {
        f"prediction, {name}": (("sample", width), scores.predictions[:, :n_features]),
        f"alpha, {name}": (("fold", width), scores.alphas[:, :n_features]),
    }


def identify(
    predicted: np.ndarray, true: np.ndarray, split: Groups, passages: np.ndarray
) -> Accuracy:
    """2v2 (pairs from different passages) and rank accuracy, inside each test fold."""
    pairwise, rank = [], []
    for train, test in split.split(true):
        mean = true[train].mean(axis=0)
        similarity = pattern_correlations(predicted[test] - mean, true[test] - mean)
        pairwise.append(pairwise_accuracy(similarity, passages[test]))
        rank.append(rank_accuracy(similarity).mean())
    return Accuracy(float(np.mean(pairwise)), float(np.mean(rank)))


def tabulate(found, nulls, spaces: list[Space], title: str) -> xarray.Dataset:
    """Accuracies, their nulls and p values as one labelled data set."""
    dims = ("analysis", "space")
    data = {}
    for name in ("pairwise", "rank"):
        observed = np.array([[getattr(a, name) for a in each] for each in found.values()])
        null = np.array(
            [[[getattr(a, name) for a in one] for one in each] for each in nulls.values()]
        )
        data[name] = (dims, observed)
        data[f"{name}_null"] = ((*dims, "permutation"), null)
        data[f"{name}_p"] = (dims, permutation_p(observed, np.moveaxis(null, -1, 0)))
    return xarray.Dataset(
        data,
        coords={
            "analysis": list(found),
            "space": [space.name for space in spaces],
            "kind": ("space", [space.kind for space in spaces]),
            "layer": ("space", [space.layer for space in spaces]),
        },
        attrs={"title": title},
    )


def report(dataset: xarray.Dataset) -> None:
    """Print the table: accuracy, mean of the null, p."""
    n_permutations = dataset.sizes["permutation"]
    for analysis in dataset["analysis"].values:
        each = dataset.sel(analysis=analysis)
        typer.echo(f"\n{analysis}")
        typer.echo(f"{'':14s}{'2v2':>8s}{'null':>8s}{'p':>8s}{'rank':>10s}{'null':>8s}{'p':>8s}")
        for space in each["space"].values:
            row = each.sel(space=space)
            cells = [
                f"{float(row[name]):{width}.3f}{float(row[f'{name}_null'].mean()):8.3f}"
                f"{float(row[f'{name}_p']):8.3f}"
                for name, width in (("pairwise", 8), ("rank", 10))
            ]
            typer.echo(f"{space:14s}{''.join(cells)}")
    typer.echo(
        f"\nchance .5; null: mean of {n_permutations} refitted permutations of passages; "
        f"smallest p possible {1 / (1 + n_permutations):.3f}"
    )


if __name__ == "__main__":
    run_command(main)
