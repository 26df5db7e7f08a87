"""Which layers of a language model encode human meaning ratings?

The Lancaster sensorimotor norms (six senses) and concreteness, predicted from every layer of a
language model by ridge encoding and by similarity encoding, beside GloVe, word length and Zipf
frequency, and random embeddings with the geometry of each layer. All spaces see the same words and
the same folds: contiguous blocks of the alphabet, so that inflections of a word stay together.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
import typer
from tqdm import tqdm

from brainlm.comparison import Space, score_table, stack_folds, stack_predictions, stack_scores
from brainlm.data.features import concatenate
from brainlm.data.scores import Scores
from brainlm.datasets.folders import dataset_hashes
from brainlm.datasets.open import open_dataset
from brainlm.encoding.align import align
from brainlm.encoding.cross_validation import cross_validate, score_in_folds
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.encoding.similarity import SimilarityEncoder, leave_one_out
from brainlm.encoding.splits import ContiguousBlocks, Split
from brainlm.features.baselines import random_like, word_length, zipf_frequency
from brainlm.language_models import LanguageModel
from brainlm.results.bundle import check_output, save_bundle
from brainlm.workflow.options import (
    Debug,
    Layers,
    Model,
    Out,
    Overwrite,
    Root,
    Subjects,
    layer_list,
    run,
)

RIDGE, SIMILARITY = "ridge encoding", "similarity encoding"
PUBLISHED = "similarity, published form"


def main(
    subjects: Subjects = "all",
    model: Model = "minilm",
    layers: Layers = "all",
    out: Out = Path("results/encode_human_ratings"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """Which layers of a language model encode human meaning ratings?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    stimulus, recording = open_dataset(
        "human-ratings", None if subjects == "all" else subjects, root
    )
    glove = LanguageModel("glove-6b-50d")
    covered = glove.covers(stimulus)
    note = f"left out {int((~covered).sum())} of {len(covered)} words that GloVe does not cover"
    if debug:
        covered[np.flatnonzero(covered)[400:]] = False
        note += "; debug: kept the first 400 of the others"
    stimulus, recording = stimulus.select(covered), recording.select_samples(covered, note)

    language_model = LanguageModel(model)
    hidden = language_model.embed(stimulus, layer_list(layers), context="none", progress=True)
    spaces = [Space(layer, "layer", layer.origin["layer"]) for layer in hidden]
    spaces += [
        Space(random_like(layer, seed=layer.origin["layer"]), "random", layer.origin["layer"])
        for layer in hidden
    ]
    spaces += [
        Space(glove.embed(stimulus)[0].renamed("GloVe"), "reference"),
        Space(
            concatenate([word_length(stimulus), zipf_frequency(stimulus)], "length + frequency"),
            "reference",
        ),
    ]

    split = ContiguousBlocks(n_splits=5, gap=20)
    scores: dict[str, list[Scores]] = {RIDGE: [], SIMILARITY: [], PUBLISHED: []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)  # kept in the notes of the bundle
        for space in tqdm(spaces, desc="spaces", unit="space"):
            X, Y, _ = align(space.features, recording)
            for analysis, fitted in score_space(X, Y, split, list(recording.targets)).items():
                scores[analysis].append(fitted)

    dataset = stack_scores(
        scores, spaces, label="held-out r (mean of folds)", title=f"{model}: human meaning ratings"
    )
    typer.echo(f"\n{recording}\n{note}\n\n{score_table(dataset).to_string()}\n")
    typer.echo(f"r: mean over {recording.n_targets} ratings and 5 folds ± 95 % interval over folds")
    typer.echo("-: similarity encoding is undefined for two features")
    save_bundle(
        out,
        analysis="encode_human_ratings",
        arrays={
            "scores": dataset,
            "predictions": stack_predictions(scores, spaces),
            "folds": stack_folds(split, recording.n_samples),
        },
        config={
            "dataset": "human-ratings",
            "subjects": subjects,
            "model": model,
            "layers": layers,
            "split": repr(split),
            "debug": debug,
            "n_words": stimulus.n_words,
            "encoders": {analysis: each[0].encoder for analysis, each in scores.items()},
        },
        inputs={
            "data": dataset_hashes("human-ratings", root=root),
            "features": {space.name: dict(space.features.origin) for space in spaces},
        },
        notes=[*recording.notes, *(n for each in scores.values() for s in each for n in s.notes)],
        figures=["layer_curve", "target_bars", "target_heat_map", "alphas"],
        overwrite=overwrite,
    )
    typer.echo(f"result bundle: {out}   ({perf_counter() - start:.0f} s)")


def score_space(
    X: np.ndarray, Y: np.ndarray, split: Split, targets: list[str]
) -> dict[str, Scores]:
    """Score one feature space by all three analyses on the same folds."""
    ridge = cross_validate(RidgeEncoder(), X, Y, split, targets=targets, keep_predictions=True)
    if X.shape[1] < 3:  # a correlation over two features is 1 or -1, whatever they are
        undefined = replace(
            ridge,
            values=np.full_like(ridge.values, np.nan),
            encoder="undefined: two features",
            alphas=None,
            predictions=np.full(Y.shape, np.nan),
            notes=(),
        )
        return {RIDGE: ridge, SIMILARITY: undefined, PUBLISHED: undefined}
    # The MulCogBench form needs no word-by-word matrix: 16 spaces of 31,000 words take seconds.
    similarity = cross_validate(
        SimilarityEncoder("mulcogbench"), X, Y, split, targets=targets, keep_predictions=True
    )
    published = score_in_folds(
        leave_one_out(X, Y, center=False),
        Y,
        split,
        targets=targets,
        encoder="MulCogBench leave-one-out, not centred",
    )
    return {RIDGE: ridge, SIMILARITY: similarity, PUBLISHED: published}


if __name__ == "__main__":
    run(main)
