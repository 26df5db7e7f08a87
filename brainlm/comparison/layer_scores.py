"""Common steps of the comparison studies: choose data sets, score layers, merge tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.feature_spaces import (
    FeatureSpace,
    Reading,
    control_space,
    model_space,
    permute_types,
    static_space,
)
from brainlm.comparison.scoring import check_space, fixed_ridge, score_ridge, score_similarity
from brainlm.comparison.space_scores import ControlFit, SpaceScores, fit_controls
from brainlm.comparison.table import record
from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.errors import UnknownNameError, unknown_name
from brainlm.features.baselines import random_like
from brainlm.features.geometry import geometry

if TYPE_CHECKING:
    import xarray

STATIC = {"en": "glove-6b-50d", "zh": "synonyms-zh"}
METHODS = ("similarity", "ridge")
MOST_ROWS = 2000  # of which the geometry of a representation is measured


def static_of(language: str, sources: Sequence[FeatureSpace] = ()) -> FeatureSpace:
    """Return the static vectors of a language under their own name: they differ by language.

    A language without shipped vectors has the input embeddings of the first of ``sources`` that
    speaks it, which know no context either.
    """
    if language in STATIC:
        return static_space(STATIC[language], (language,))
    for source in sources:
        if source.model is not None and source.speaks(language):
            inputs = model_space(source.model, (language,), layers=[0], family="static")
            return replace(inputs, name=f"{source.name} input embeddings", n_layers=0)
    raise UnknownNameError(
        f"no static vectors for language {language!r} (there are some for {', '.join(STATIC)}), "
        "and no model whose input embeddings could replace them: name one with --models"
    )


def job_key(
    task: Assembly, source: FeatureSpace, words: np.ndarray, **settings: Any
) -> dict[str, Any]:
    """Return everything that a part of the study depends on."""
    return {
        "task": task.name,
        "hashes": task.hashes,
        "subjects": task.subjects,
        "items": list(map(str, task.recording.items)) if not task.timed else [],
        "n_samples": task.recording.n_samples,
        "n_splits": task.n_splits,
        "words": np.flatnonzero(words).tolist(),
        "source": source.name,
        "identity": source.identity,
        **settings,
    }


def layer_part(
    task: Assembly,
    source: FeatureSpace,
    words: np.ndarray,
    *,
    n_permutations: int,
    method: str = "similarity",
    n_random: int = 10,
    seed: int = 0,
    untrained: Sequence[FeatureSpace] = (),
) -> xarray.Dataset:
    """Score every layer of a source, beside random embeddings and controls.

    Parameters
    ----------
    task : Assembly
        Opened, on all its words.
    source : FeatureSpace
    words : array of bool, shape (n_words,)
        Words that all representations of the study share.
    n_permutations : int
        Null responses, the same for all layers; the random embeddings have none.
    method : {"similarity", "ridge"}
        Similarity encoding in folds (and as published), or ridge encoding (without a random
        embedding of each layer).
    n_random : int
        Draws of the whole model with the vectors of word types changed places
        (`permute_types`): a model without meaning, whose layers are as alike.
    seed : int
    untrained : sequence of FeatureSpace
        Untrained twins of the source, with the same layers.

    Returns
    -------
    xarray.Dataset
        ``fold_score`` and ``fold_beyond`` (space, fold), the score and what it adds to the
        controls; ``control`` (fold); ``random`` and ``random_beyond`` (layer, draw, fold), the same
        of the permuted model; ``null`` (space, permutation; NaN of random embeddings). The
        attributes hold ``test_ratio``, ``timed`` and the rows of the tidy table.
    """
    import xarray

    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    layers = source.embed(task.stimulus, words, task.level)
    on = task.on_words(words).scorable()
    Y, folds, top = on.responses, on.split, on.mean_ceiling()
    orders, controls = on.shuffled(n_permutations, seed), controls_on(on, task.stimulus)
    rows, found = [], []
    for features in layers:
        number = int(features.origin.get("layer", 0)) if source.n_layers else -1
        spaces = {"layer": features}
        if method == "similarity":
            spaces["random"] = random_like(features, seed=max(number, 0))
        for kind, space in spaces.items():
            X = on.design(space)
            alike = np.nan if on.timed else check_space(X, _labels(on), space.name)
            score = score_similarity if method == "similarity" else score_ridge
            own = orders if kind == "layer" else ()
            scores = score(X, Y, folds, orders=own, controls=controls)
            about = {
                "space": source.name if number < 0 else f"{source.name} layer {number}",
                "family": source.family if kind == "layer" else "random",
                "model": source.name,
                "layer": number,
                "depth": number / source.n_layers if source.n_layers else -1.0,
                "n_features": features.n_features,
                "duplicates": alike,
                **_geometry(space),
            }
            if kind == "random":
                about["space"] = f"random ({about['space']})"
            rows.append(record(on, scores, top, **about))
            found.append(scores)
    drawn = [random_scores(on, layer, n_random, controls, method=method) for layer in layers]
    unknown = np.full(n_permutations, np.nan)
    part = xarray.Dataset(
        {
            "fold_score": (("space", "fold"), np.array([s.by_fold for s in found])),
            "fold_beyond": (("space", "fold"), np.array([s.beyond_by_fold for s in found])),
            "control": ("fold", controls.by_fold),
            "random": (
                ("layer", "draw", "fold"),
                np.array([[s.by_fold for s in each] for each in drawn]),
            ),
            "random_beyond": (
                ("layer", "draw", "fold"),
                np.array([[s.beyond_by_fold for s in each] for each in drawn]),
            ),
            "null": (
                ("space", "permutation"),
                np.array([unknown if s.null is None else s.null for s in found]),
            ),
        },
        coords={"space": [row["space"] for row in rows]},
        attrs={
            "rows": json.dumps(rows),
            "notes": json.dumps([*on.recording.notes]),
            "test_ratio": found[0].test_ratio,
            "timed": int(on.timed),
        },
    )
    if not untrained:
        return part
    twins = [
        _twin_scores(on, each.embed(task.stimulus, words, task.level), method) for each in untrained
    ]
    return part.assign(untrained=(("layer", "fold"), np.mean(twins, axis=0)))


def _twin_scores(on: Assembly, layers: Sequence[Features], method: str) -> np.ndarray:
    """Score of every layer of an untrained twin in each fold, (n_layers, n_folds)."""
    score = score_similarity if method == "similarity" else score_ridge
    return np.array([score(on.design(each), on.responses, on.split).by_fold for each in layers])


def controls_on(on: Assembly, stimulus: Stimulus) -> ControlFit:
    """Fit the controls of a task, computed on all words of its stimulus.

    Parameters
    ----------
    on : Assembly
        On the words that are compared, targets that have a score.
    stimulus : Stimulus
        All words.
    """
    return fit_controls(control_design(on, stimulus), on.responses, on.split)


def control_design(on: Assembly, stimulus: Stimulus) -> np.ndarray:
    """Return the controls of each sample or item, made of all words of the stimulus."""
    every = np.ones(stimulus.n_words, dtype=bool)
    return on.design(control_space(timed=on.timed).embed(stimulus, every, on.level)[0])


def random_scores(
    on: Assembly,
    features: Features,
    n_draws: int,
    controls: ControlFit | None = None,
    *,
    method: str = "ridge",
    encoder: Any = None,
) -> list[SpaceScores]:
    """Score a feature space with vectors permuted between word types, drawn several times.

    Two draws differ although neither means anything; differences between representations are
    judged by that (`brainlm.stats.paired.random_difference_p`).

    Parameters
    ----------
    on : Assembly
    features : Features
    n_draws : int
    controls : ControlFit, optional
        To score what each adds to the controls as well.
    method : {"ridge", "similarity"}
    encoder : estimator, optional
        Of ridge encoding.
    """
    found = []
    for draw in range(n_draws):
        X = on.design(permute_types(features, seed=draw))
        Y, split = on.responses, on.split
        if method == "similarity":
            found.append(score_similarity(X, Y, split, controls=controls, published=False))
        else:
            if draw == 0:  # one penalty for all draws: they have one geometry
                ridge = fixed_ridge(RidgeEncoder() if encoder is None else encoder, X, Y)
            found.append(score_ridge(X, Y, split, encoder=ridge, controls=controls))
    return found


def time_summary(seconds: Mapping[str, float], total: float) -> str:
    """Return the time taken by the slowest parts and by the rest, in one line.

    Parameters
    ----------
    seconds : mapping of str to float
        Of each part, from ``run_parts``.
    total : float
        Of the whole study.
    """
    longest = sorted(seconds.items(), key=lambda item: -item[1])[:6]
    each = ", ".join(f"{name} {value:.0f} s" for name, value in longest if value >= 0.5)
    rest = total - sum(value for _, value in longest)
    each = each or "no part was computed"
    return f"time: {total:.0f} s, of which {each}; everything else {rest:.0f} s"


def rows_of(part: xarray.Dataset) -> list[dict[str, Any]]:
    """Return the rows of the tidy table that a part holds."""
    return json.loads(part.attrs["rows"])


def table_of(table: Any) -> xarray.Dataset:
    """Return a table as an ``xarray.Dataset`` over ``row``, for a bundle."""
    import xarray

    def plain(column: Any) -> np.ndarray:
        values = np.asarray(column)
        return (
            values.astype(str) if values.dtype == object or values.dtype.kind in "UTS" else values
        )

    return xarray.Dataset({name: ("row", plain(table[name].to_numpy())) for name in table})


def _labels(task: Assembly) -> list[str]:
    """Words of each item."""
    written = dict(task.stimulus.blocks("item"))
    return [" ".join(task.stimulus.words[written[str(i)]]) for i in task.recording.items]


def _geometry(features: Features) -> dict[str, float]:
    step = -(-len(features.values) // MOST_ROWS)
    thin = Features(features.name, features.values[::step])
    found = geometry([thin]).iloc[0]
    return {
        "mean_correlation": float(found["mean_correlation"]),
        "effective_dimension": float(found["effective_dimension"]),
    }


def spaces_of_models(
    models: Mapping[str, tuple[str, ...]], layers: Any = "all", reading: Reading | None = None
) -> list[FeatureSpace]:
    """Open the language models of a study."""
    given: dict[str, Any] = {"layers": layers, "reading": reading}
    return [model_space(name, spoken, **given) for name, spoken in models.items()]


def twins_of_models(
    models: Mapping[str, tuple[str, ...]],
    n_twins: int,
    layers: Any = "all",
    reading: Reading | None = None,
) -> dict[str, list[FeatureSpace]]:
    """Open untrained twins of the language models of a study, by the name of the model."""
    given: dict[str, Any] = {"layers": layers, "reading": reading}
    return {
        name: [model_space(name, spoken, untrained=seed, **given) for seed in range(n_twins)]
        for name, spoken in models.items()
    }
