"""Accuracy of decoded item embeddings in held-out folds, against refitted permutations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.data.scores import Scores
from brainlm.data.stimulus import Stimulus
from brainlm.encoding.align import align
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.encode import Space
from brainlm.encoding.splits import Groups
from brainlm.language_models import LanguageModel
from brainlm.language_models.word_vectors import StaticVectors
from brainlm.stats.identification import pairwise_accuracy, pattern_correlations, rank_accuracy
from brainlm.stats.permutation import permutation_p

if TYPE_CHECKING:
    import xarray

MEASURES = ("pairwise", "rank")


@dataclass(frozen=True, eq=False)
class DecodedSpace:
    """A feature space that was decoded in held-out folds.

    Attributes
    ----------
    space : Space
    accuracy : array of shape (2,)
        2v2 and rank accuracy among the held-out items of each fold, averaged over folds.
    null : array of shape (n_permutations, 2)
    fitted : Scores
        Of the embedding; the targets after its features are those of the permutations.
    """

    space: Space
    accuracy: np.ndarray
    null: np.ndarray
    fitted: Scores


def decode_space(
    space: Space,
    patterns: np.ndarray,
    encoder: Any,
    split: Groups,
    groups: np.ndarray,
    orders: Sequence[np.ndarray],
) -> DecodedSpace:
    """Decode an embedding and its permutations from brain patterns.

    Permuted embeddings are further targets of the same regression: the brain patterns, and so the
    factorisations, are the same, and each permutation is refitted with its own penalties.

    Parameters
    ----------
    space : Space
        Of one `Features`, a row per item.
    patterns : array of shape (n_items, n_targets)
    encoder : estimator
        From patterns to the embedding.
    split : splitter
    groups : array of shape (n_items,)
        2v2 compares items of different groups only.
    orders : sequence of arrays of int, shape (n_items,)
        Permutations of the items.
    """
    (features,) = space.features
    embedding = features.values
    versions = [embedding, *(embedding[order] for order in orders)]
    Y = np.hstack(versions)
    fitted = cross_validate(encoder, patterns.astype(Y.dtype), Y, split, keep_predictions=True)
    decoded = np.split(fitted.predictions, len(versions), axis=1)
    accuracies = np.array(
        [_identify(a, true, split, groups) for a, true in zip(decoded, versions, strict=True)]
    )
    return DecodedSpace(space, accuracies[0], accuracies[1:], fitted)


def _identify(
    predicted: np.ndarray, true: np.ndarray, split: Groups, groups: np.ndarray
) -> np.ndarray:
    """Return 2v2 (pairs from different groups) and rank accuracy, inside each test fold."""
    found = []
    for train, test in split.split(true):
        mean = true[train].mean(axis=0)
        similarity = pattern_correlations(predicted[test] - mean, true[test] - mean)
        pairwise = pairwise_accuracy(similarity, groups[test])
        found.append([pairwise, rank_accuracy(similarity).mean()])
    return np.array([float(np.mean(values)) for values in zip(*found, strict=True)])


def predictions_of(found: Mapping[str, Iterable[DecodedSpace]]) -> xarray.Dataset:
    """Return out-of-fold predictions and penalties by split and space, without permutations."""
    import xarray

    arrays: dict[str, tuple] = {}
    for name, row in found.items():
        for each in row:
            (features,) = each.space.features
            n, label = features.n_features, f"{name}, {each.space.name}"
            predictions, alphas = each.fitted.predictions[:, :n], each.fitted.alphas[:, :n]
            arrays[f"prediction, {label}"] = (("sample", f"feature_{n}"), predictions)
            arrays[f"alpha, {label}"] = (("fold", f"feature_{n}"), alphas)
    return xarray.Dataset(arrays)


def tabulate_accuracies(
    found: Mapping[str, Iterable[DecodedSpace]], title: str = ""
) -> xarray.Dataset:
    """Return accuracies, their nulls and p values over ``analysis`` and ``space``.

    Parameters
    ----------
    found : mapping of str to iterable of DecodedSpace
        By split, the same spaces in each.
    title : str
    """
    import xarray

    cells = [list(each) for each in found.values()]
    observed = np.array([[each.accuracy for each in row] for row in cells])
    null = np.array([[each.null for each in row] for row in cells])
    dims = ("analysis", "space")
    data: dict[str, tuple] = {}
    for i, name in enumerate(MEASURES):
        p = permutation_p(observed[..., i], np.moveaxis(null[..., i], -1, 0))
        data[name] = (dims, observed[..., i])
        data[f"{name}_null"] = ((*dims, "permutation"), null[..., i])
        data[f"{name}_p"] = (dims, p)
    spaces = [each.space for each in cells[0]]
    coords = {
        "analysis": list(found),
        "space": [space.name for space in spaces],
        "kind": ("space", [space.kind for space in spaces]),
        "layer": ("space", [space.layer for space in spaces]),
    }
    return xarray.Dataset(data, coords=coords, attrs={"title": title})


def identification_lines(scores: xarray.Dataset) -> list[str]:
    """Return the table of `tabulate_accuracies` as text: accuracy, mean of the null, p."""
    lines = []
    for analysis in scores["analysis"].values:
        each = scores.sel(analysis=analysis)
        lines.append(f"\n{analysis}")
        lines.append(f"{'':14s}{'2v2':>8s}{'null':>8s}{'p':>8s}{'rank':>10s}{'null':>8s}{'p':>8s}")
        for space in each["space"].values:
            row = each.sel(space=space)
            cells = [
                f"{float(row[name]):{width}.3f}{float(row[f'{name}_null'].mean()):8.3f}"
                f"{float(row[f'{name}_p']):8.3f}"
                for name, width in zip(MEASURES, (8, 10), strict=True)
            ]
            lines.append(f"{space:14s}{''.join(cells)}")
    n = scores.sizes["permutation"]
    lines.append(
        f"\nchance .5; null: mean of {n} refitted permutations; smallest p possible "
        f"{1 / (1 + n):.3f}"
    )
    return lines


def embed_sentences(
    stimulus: Stimulus, recording: Recording, model: str, layers: Any
) -> list[Space]:
    """Return one embedding per sentence: every layer of a model, and the mean GloVe vector.

    Parameters
    ----------
    stimulus : Stimulus
        English sentences.
    recording : Recording
        A sample per sentence.
    model : str
        Name of the model.
    layers : "all" or list of int
    """
    hidden = LanguageModel(model).embed(stimulus, layers, level="sentence", progress=True)
    glove = StaticVectors("glove-6b-50d")
    covered = glove.covers(stimulus)
    words = glove.embed(stimulus.select(covered))[0].renamed("GloVe")
    origin = {**words.origin, "pooling": "mean", "words_left_out": int((~covered).sum())}
    means = Features("GloVe", align(words, recording).X, origin=origin)
    spaces = [Space(layer, "layer", layer.origin["layer"]) for layer in hidden]
    return [*spaces, Space(means, "reference")]
