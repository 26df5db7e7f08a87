"""Feature spaces of different kinds compared on one data set by ridge encoding."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.feature_spaces import FeatureSpace, control_space, permuted_space
from brainlm.comparison.layer_scores import control_design, random_scores
from brainlm.comparison.layer_statistics import Contrast, compare_folds
from brainlm.comparison.scoring import score_ridge
from brainlm.comparison.space_scores import SpaceScores, fit_controls
from brainlm.comparison.study_verdict import CONTROLS, STATIC, verdict_row
from brainlm.comparison.table import record
from brainlm.comparison.verdict import TWINS
from brainlm.encoding.banded import BandedRidgeEncoder
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.encoding.variance_partitioning import partition_variance

if TYPE_CHECKING:
    import xarray

NEURAL = ("causal", "masked")
PLAUSIBLE = ("embodied", "network", "taxonomic")
MOST_PARTS = 3  # spaces whose variance is partitioned: seven combinations
MOST_TARGETS = 60  # of the partition: each combination is a banded ridge with its own search


@dataclass
class _Scored:
    """Scores of spaces on one data set, and the rows of its tables."""

    on: Assembly
    n_random: int
    base: np.ndarray
    rows: list[dict[str, Any]] = field(default_factory=list)
    scores: dict[str, tuple[SpaceScores, list[SpaceScores]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.controls = fit_controls(self.base, self.on.responses, self.on.split)
        self.ceiling = self.on.mean_ceiling()

    def ridge(self, X: np.ndarray, **options: Any) -> SpaceScores:
        """Score a design."""
        return score_ridge(X, self.on.responses, self.on.split, **options)

    def add(self, found: SpaceScores, space: str, family: str, **about: Any) -> None:
        """Add a row to the table of scores; the space is its own model unless one is named."""
        about = {"space": space, "family": family, "model": space, **about}
        self.rows.append(record(self.on, found, self.ceiling, layer=-1, depth=-1.0, **about))

    def contrast(self, first: str, second: str) -> Contrast:
        """Difference of two spaces, against null responses, folds and random embeddings."""
        (a, random_a), (b, random_b) = self.scores[first], self.scores[second]
        draws = [np.array([d.by_fold.mean() for d in each]) for each in (random_a, random_b)]
        # Controls have no random embedding: only that of the other space counts.
        n_draws = max(map(len, draws))
        draws = [
            own if len(own) else np.full(n_draws, scores.by_fold.mean())
            for own, scores in zip(draws, (a, b), strict=True)
        ]
        null = None
        if self.on.timed and a.null is not None and b.null is not None:
            null = a.null, b.null
        return compare_folds(
            a.by_fold,
            b.by_fold,
            a.test_ratio,
            null=null,
            random=None if self.on.level == "word" else (draws[0], draws[1]),
        )


def _begin(assembly: Assembly, words: np.ndarray, n_random: int) -> _Scored:
    on = assembly.on_words(words).scorable()
    return _Scored(on, n_random, control_design(on, assembly.stimulus))


def _as_part(**tables: list[dict[str, Any]]) -> xarray.Dataset:
    import xarray

    return xarray.Dataset(attrs={name: json.dumps(rows) for name, rows in tables.items()})


def compare_matched(
    assembly: Assembly,
    spaces: Sequence[FeatureSpace],
    words: np.ndarray,
    *,
    n_components: int,
    n_draws: int,
    n_random: int,
    twins: Mapping[str, Sequence[FeatureSpace]] | None = None,
) -> xarray.Dataset:
    """Score spaces alone, matched in dimension, permuted, and what each adds to the others.

    Parameters
    ----------
    assembly : Assembly
        On all its words.
    spaces : sequence of FeatureSpace
    words : array of bool, shape (n_words,)
        Words that all spaces cover.
    n_components : int
        Principal components, fitted in the training folds, of the matched versions.
    n_draws : int
        Random draws of the banded ridge (`brainlm.BandedRidgeEncoder`).
    n_random : int
        Random embeddings of each space.
    twins : mapping of str to sequence of FeatureSpace, optional
        Untrained twins of language models, by the name of the model.

    Returns
    -------
    xarray.Dataset
        A part of a study; its attributes hold the rows of the tables ``rows``, ``winners``,
        ``partition``, ``pairs`` and ``verdict`` as JSON.
    """
    scored = _begin(assembly, words, n_random)
    on = scored.on
    permuted = [permuted_space(space) for space in spaces if space.family in PLAUSIBLE]
    designs = {}
    for space in [*spaces, *permuted]:
        features = space.embed(assembly.stimulus, words, assembly.level)[0]
        X = designs[space.name] = on.design(features)
        versions = {space.name: (RidgeEncoder(), X.shape[1])}
        if X.shape[1] > n_components:
            pca = make_pipeline(StandardScaler(), PCA(n_components, random_state=0))
            short = make_pipeline(pca, RidgeEncoder())
            versions[f"{space.name} (PCA-{n_components})"] = short, n_components
        for name, (encoder, n_features) in versions.items():
            found = scored.ridge(X, encoder=encoder, controls=scored.controls)
            control = space in permuted
            own = scored.controls if name == space.name else None
            drawn = [] if control else random_scores(on, features, n_random, own, encoder=encoder)
            scored.scores[name] = found, drawn
            family = "random" if control else space.family
            scored.add(found, name, family, n_features=n_features)
    n_base = scored.base.shape[1]
    scored.add(scored.ridge(scored.base), "controls", "controls", n_features=n_base)
    names = [space.name for space in spaces]
    parted = {name: designs[name] for name in _partitioned(spaces)}
    return _as_part(
        rows=scored.rows,
        winners=_winners(scored, names),
        partition=_partition(on, parted, n_draws),
        pairs=_pairs(scored, names),
        verdict=_judge(scored, spaces, _score_twins(scored, assembly, words, twins)),
    )


def _score_twins(
    scored: _Scored,
    assembly: Assembly,
    words: np.ndarray,
    twins: Mapping[str, Sequence[FeatureSpace]] | None,
) -> dict[str, np.ndarray]:
    """Scores of untrained twins in each fold, averaged, by the name of the model."""
    found = {}
    for name, several in (twins or {}).items():
        known = [each for each in several if each.speaks(assembly.language)]
        if known:
            layers = [each.embed(assembly.stimulus, words, assembly.level)[0] for each in known]
            scores = [scored.ridge(scored.on.design(layer)).by_fold for layer in layers]
            found[name] = np.mean(scores, axis=0)
    return found


def _judge(
    scored: _Scored, spaces: Sequence[FeatureSpace], twins: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Rows of the verdict: each language model against controls, static vectors and its twins."""
    rows, facts = [], scored.on.facts
    recurring = scored.on.level != "word"  # isolated words do not recur
    static = next((space.name for space in spaces if space.family == "static"), None)
    for name in [space.name for space in spaces if space.family in NEURAL]:
        found, drawn = scored.scores[name]
        a, random = found.by_fold, np.array([each.by_fold.mean() for each in drawn])
        chance = np.full(len(random), random.mean())
        alone = float(scored.controls.by_fold.mean())
        rows.append(verdict_row(facts, name, CONTROLS, alone, _added(found, drawn)))
        if static is not None:
            other = float(scored.scores[static][0].by_fold.mean())
            difference = scored.contrast(name, static).row()
            rows.append(verdict_row(facts, name, STATIC, other, difference))
        if name in twins:
            pair = (random, random) if recurring else None
            difference = compare_folds(a, twins[name], found.test_ratio, random=pair).row()
            other = float(twins[name].mean())
            rows.append(verdict_row(facts, name, TWINS["untrained"], other, difference))
        b = np.full(len(a), random.mean())
        difference = compare_folds(a, b, found.test_ratio, random=(random, chance)).row()
        rows.append(verdict_row(facts, name, TWINS["random"], float(random.mean()), difference))
    return rows


def _winners(scored: _Scored, names: list[str]) -> list[dict[str, Any]]:
    """Share of the targets that each space predicts best, among those with a score above 0."""
    values = np.array([np.nanmean(scored.scores[name][0].values, axis=0) for name in names])
    predicted = values.max(axis=0) > 0
    best = values[:, predicted].argmax(axis=0)
    shares = [float(np.mean(best == i)) if predicted.any() else 0.0 for i in range(len(names))]
    common = {**scored.on.facts, "n_targets": int(predicted.sum())}
    return [
        {**common, "space": name, "share": share} for name, share in zip(names, shares, strict=True)
    ]


def _partitioned(spaces: Sequence[FeatureSpace]) -> list[str]:
    """Spaces to partition the variance between: a language model, plausible ones, static vectors.

    The first language model named stands for all: two of them share almost all they explain.
    """
    neural = [s.name for s in spaces if s.family in NEURAL][:1]
    plausible = [s.name for s in spaces if s.family in PLAUSIBLE]
    static = [s.name for s in spaces if s.family == "static"]
    return [*neural, *plausible, *static][:MOST_PARTS]


def _partition(
    on: Assembly, designs: Mapping[str, np.ndarray], n_draws: int
) -> list[dict[str, Any]]:
    """R2 of each space alone, of all in a banded ridge, and unique to it; half-widths over targets.

    On a third of the folds. A single space has no parts.
    """
    if len(designs) < 2:
        return []
    Y = on.recording.data.astype(np.float32)
    few = np.unique(np.linspace(0, Y.shape[1] - 1, MOST_TARGETS).astype(int))
    split = replace(on, n_splits=max(3, on.n_splits // 3)).split
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)
        encoder = BandedRidgeEncoder(n_draws=n_draws)
        found = partition_variance(designs, Y[:, few], split, encoder=encoder)

    def half(values: np.ndarray) -> float:
        return float(1.96 * values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0

    return [
        {
            **on.facts,
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


def _pairs(scored: _Scored, names: list[str]) -> list[dict[str, Any]]:
    """Differences of all spaces and of their matched versions, see ``compare_folds``."""
    matched = {
        name: next((s for s in scored.scores if s.startswith(f"{name} (PCA")), name)
        for name in names
    }
    versions = {"full": {name: name for name in names}, "PCA-matched": matched}
    return [
        {
            **scored.on.facts,
            "version": version,
            "first": first,
            "second": second,
            **scored.contrast(lookup[first], lookup[second]).row("difference"),
        }
        for version, lookup in versions.items()
        for first, second in combinations(names, 2)
    ]


def compare_families(
    assembly: Assembly,
    embeddings: Sequence[FeatureSpace],
    surprising: Sequence[FeatureSpace],
    words: np.ndarray,
    *,
    n_permutations: int,
    n_random: int,
    twins: Mapping[str, Sequence[FeatureSpace]] | None = None,
) -> xarray.Dataset:
    """Score embeddings, and predictability added to the controls, on one data set.

    Parameters
    ----------
    assembly : Assembly
        On all its words.
    embeddings, surprising : sequence of FeatureSpace
        A vector per word, scored alone; surprisal and entropy, scored with the controls.
    words : array of bool, shape (n_words,)
        Words that all spaces cover.
    n_permutations : int
        Null responses.
    n_random : int
        Random embeddings of each space.
    twins : mapping of str to sequence of FeatureSpace, optional
        Untrained twins of language models, by the name of the model.

    Returns
    -------
    xarray.Dataset
        A part of a study; its attributes hold the rows of the tables ``rows``, ``gains``,
        ``pairs`` and ``verdict`` as JSON.
    """
    scored = _begin(assembly, words, n_random)
    on, base = scored.on, scored.base
    orders, gains = on.shuffled(n_permutations), []

    def add(features: str, space: FeatureSpace, found: SpaceScores, n_features: int) -> None:
        about = {"model": space.name, "n_features": n_features, "features": features}
        scored.add(found, f"{space.name} ({features})", space.family, **about)

    for space in embeddings:
        features = space.embed(assembly.stimulus, words, assembly.level)[0]
        X = on.design(features)
        found = scored.ridge(X, orders=orders, controls=scored.controls)
        scored.scores[space.name] = found, random_scores(on, features, n_random, scored.controls)
        add("embedding", space, found, X.shape[1])
    only = control_space(timed=on.timed)
    alone = scored.ridge(base, orders=orders)
    add("embedding", only, alone, base.shape[1])
    scored.scores["controls"] = alone, []
    pairs = [
        {**on.facts, "first": a, "second": b, **scored.contrast(a, b).row("difference")}
        for a, b in combinations(scored.scores, 2)
    ]
    for space in embeddings:
        about = {**on.facts, "features": "embedding", "model": space.name}
        gains.append({**about, **_added(*scored.scores[space.name])})
    if surprising:
        add("predictability", only, alone, base.shape[1])
    for space in surprising:
        features = space.embed(assembly.stimulus, words, assembly.level)[0]
        X = on.design(features)
        found = scored.ridge(X, controls=scored.controls)
        drawn = random_scores(on, features, n_random, scored.controls)
        add("predictability", space, scored.ridge(np.hstack([base, X]), orders=orders), X.shape[1])
        about = {**on.facts, "features": "predictability", "model": space.name}
        gains.append({**about, **_added(found, drawn)})
    judged = _judge(scored, embeddings, _score_twins(scored, assembly, words, twins))
    return _as_part(rows=scored.rows, gains=gains, pairs=pairs, verdict=judged)


def _added(scores: SpaceScores, random: Sequence[SpaceScores]) -> dict[str, float]:
    """Gain of a space over the controls, and that of random embeddings."""
    gain = scores.beyond_by_fold
    drawn = np.array([each.beyond_by_fold.mean() for each in random])
    found = compare_folds(gain, 0 * gain, scores.test_ratio, random=(drawn, 0 * drawn))
    return {**found.row(), "random_gain": float(drawn.mean())}
