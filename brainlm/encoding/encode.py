"""Encode responses by many feature spaces and several methods, in one labelled result."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.data.scores import Scores
from brainlm.encoding.align import align
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.labelled_scores import (
    score_table,
    stack_folds,
    stack_predictions,
    stack_scores,
)
from brainlm.encoding.permuted_scores import permuted_scores
from brainlm.encoding.ridge import AlphaEdgeWarning
from brainlm.encoding.splits import Split
from brainlm.errors import unknown_name
from brainlm.features.baselines import random_like
from brainlm.stats.noise_ceiling import leave_one_subject_out

if TYPE_CHECKING:
    import pandas
    import xarray

KINDS = ("layer", "combined", "added", "with empty", "untrained", "random", "reference")


@dataclass(frozen=True)
class Space:
    """A feature space and its part in a comparison.

    Attributes
    ----------
    features : Features or tuple of Features
        Several are fitted side by side.
    kind : {"layer", "combined", "added", "with empty", "untrained", "random", "reference"}
        A layer of the model; that layer with all controls; with another reference; with an empty
        baseline; that layer of an untrained twin; random embeddings with the geometry of that
        layer; or anything that the layers are compared with.
    layer : int
        Number of the layer, -1 for references.
    name : str
        Unique in the comparison. Default: that of the features, joined by " + ".
    """

    features: Any
    kind: str = "reference"
    layer: int = -1
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown_name("kind", self.kind, KINDS)
        parts = (self.features,) if isinstance(self.features, Features) else tuple(self.features)
        object.__setattr__(self, "features", parts)
        object.__setattr__(self, "name", self.name or " + ".join(part.name for part in parts))

    @property
    def origin(self) -> dict[str, Any]:
        """Origin of the features, by name where there are several."""
        if len(self.features) == 1:
            return dict(self.features[0].origin)
        return {part.name: dict(part.origin) for part in self.features}

    def design(self, recording: Recording, delays: Sequence[int]) -> tuple[np.ndarray, list[int]]:
        """Align the features; return them side by side and the columns of each.

        Spaces with a row per sample, such as an autocorrelated baseline, are not delayed.
        """
        blocks = [
            align(part, recording, delays=delays if part.level == "word" else (0,)).X
            for part in self.features
        ]
        X = blocks[0] if len(blocks) == 1 else np.hstack(blocks)
        return X, [block.shape[1] for block in blocks]


def with_baselines(
    layers: Sequence[Features],
    references: Sequence[Any] = (),
    *,
    untrained: Sequence[Features] = (),
    added: Sequence[Features] = (),
) -> list[Space]:
    """Return layers, a random twin of each (`brainlm.random_like`), and references.

    Parameters
    ----------
    layers : sequence of Features
        With ``origin["layer"]``, as `brainlm.LanguageModel.embed` returns them.
    references : sequence of Features or Space
    untrained : sequence of Features
        Layers of untrained twins, ``LanguageModel(name, untrained=seed)``.
    added : sequence of Features
        References that every layer is also added to, of kind "added".
    """
    layered = [(layer, int(layer.origin.get("layer", 0))) for layer in layers]
    return [
        *(Space(layer, "layer", number) for layer, number in layered),
        *(Space((layer, each), "added", number) for each in added for layer, number in layered),
        *untrained_spaces(untrained),
        *(Space(random_like(layer, seed=number), "random", number) for layer, number in layered),
        *(each if isinstance(each, Space) else Space(each) for each in references),
        *(Space(each) for each in added),
    ]


def untrained_spaces(layers: Sequence[Features]) -> list[Space]:
    """Return the layers of untrained twins, named by layer and twin."""
    return [
        Space(each, "untrained", number, f"{each.origin['model']} layer {number}")
        for each in layers
        for number in [int(each.origin["layer"])]
    ]


@dataclass(frozen=True, eq=False)
class Encoding:
    """Scores of many feature spaces by several methods, and how they were computed.

    Attributes
    ----------
    spaces : tuple of Space
    by_method : dict of str to list of Scores
        One `brainlm.Scores` per space.
    recording : Recording
    split : Split
    scores : xarray.Dataset
        See `stack_scores`; more variables may be added (a noise ceiling, p values).
    null : dict of str to array of shape (n_spaces, n_permutations, n_targets)
        By method: scores of permuted responses, where ``orders`` were given.
    encoders : dict of str to estimator or callable
    delays : tuple of int
        Samples.
    """

    spaces: tuple[Space, ...]
    by_method: Mapping[str, Sequence[Scores]]
    recording: Recording
    split: Split
    scores: xarray.Dataset
    null: Mapping[str, np.ndarray] = field(default_factory=dict)
    encoders: Mapping[str, Any] = field(default_factory=dict)
    delays: tuple[int, ...] = (0,)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes of the recording and of every score, each once."""
        found = (
            note for scores in self.by_method.values() for each in scores for note in each.notes
        )
        return tuple(dict.fromkeys([*self.recording.notes, *found]))

    @property
    def settings(self) -> dict[str, Any]:
        """Split and encoders, as text."""
        encoders = {method: scores[0].encoder for method, scores in self.by_method.items()}
        return {"split": repr(self.split), "encoders": encoders}

    @property
    def arrays(self) -> dict[str, xarray.Dataset]:
        """Arrays of a bundle: scores, folds, and predictions where they were kept."""
        folds = stack_folds(self.split, self.recording.n_samples)
        kept = any(scores[0].predictions is not None for scores in self.by_method.values())
        predictions = (
            {"predictions": stack_predictions(self.by_method, self.spaces)} if kept else {}
        )
        return {"scores": self.scores, "folds": folds, **predictions}

    def with_ceiling(self) -> Encoding:
        """Add ``ceiling`` (subject, target), the correlation with the mean of the other subjects.

        Of recordings of several subjects side by side, inside the same test folds
        (`brainlm.stats.noise_ceiling.leave_one_subject_out`); one subject has none.
        """
        if self.scores.sizes.get("subject", 1) < 2:
            return self
        Y = self.recording.data
        data = Y.reshape(len(Y), self.scores.sizes["subject"], -1).transpose(1, 0, 2)
        folds = [test for _, test in self.split.split(Y)]
        ceiling = (("subject", "target"), leave_one_subject_out(data, folds))
        return replace(self, scores=self.scores.assign(ceiling=ceiling))

    def table(self) -> pandas.DataFrame:
        """Mean scores with 95 % intervals over folds, see `score_table`."""
        return score_table(self.scores)


def encode(
    spaces: Sequence[Any],
    recording: Recording,
    split: Split,
    encoders: Mapping[str, Any],
    *,
    delays: Sequence[int] = (0,),
    orders: np.ndarray | None = None,
    dtype: Any = None,
    title: str = "",
    keep_predictions: bool = True,
    progress: bool = False,
) -> Encoding:
    """Score every feature space by every method on the same folds.

    Parameters
    ----------
    spaces : sequence of Space or Features
    recording : Recording
        Targets of several subjects side by side have a column ``subject``
        (`brainlm.data.recording.side_by_side`); the scores then have a dimension ``subject``.
    split : Split
    encoders : mapping of str to estimator or callable
        Method -> a scikit-learn estimator, an object with ``score_folds(X, Y, split, targets)``
        that returns Scores, or a function of the number of columns of each block that returns an
        estimator.
    delays : sequence of int
        Samples, of features with a row per word.
    orders : array of int, shape (n_permutations, n_samples), optional
        Permutations of the responses, for the null of methods that choose a ridge penalty
        (`brainlm.permuted_scores`).
    dtype : dtype, optional
        Precision of the features. Default: their own.
    title : str
        Of figures.
    keep_predictions : bool
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Encoding

    Notes
    -----
    A method with ``min_features`` has no score (NaN) for smaller spaces, and one with
    ``single_space`` (similarities, which depend on the units of features) none for several side by
    side.
    """
    spaces = [each if isinstance(each, Space) else Space(each) for each in spaces]
    scores: dict[str, list[Scores]] = {method: [] for method in encoders}
    null: dict[str, list[np.ndarray]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)  # kept in the notes
        for space in tqdm(spaces, desc="spaces", unit="space", disable=not progress):
            X, sizes = space.design(recording, delays)
            X = X if dtype is None else X.astype(dtype)
            for method, encoder in encoders.items():
                found = _score(encoder, X, sizes, recording, split, keep=keep_predictions)
                scores[method].append(replace(found, features=space.name))
                if orders is not None and found.alphas is not None:
                    drawn = permuted_scores(X, recording.data, split, found, orders=orders)
                    null.setdefault(method, []).append(drawn)
    stacked = stack_scores(scores, spaces, label="held-out r (mean of folds)", title=title)
    nulls = {method: np.array(drawn) for method, drawn in null.items()}
    return Encoding(
        tuple(spaces), scores, recording, split, stacked, nulls, dict(encoders), tuple(delays)
    )


def _score(
    encoder: Any, X: np.ndarray, sizes: list[int], recording: Recording, split: Split, *, keep: bool
) -> Scores:
    """Scores of one space by one method."""
    if not hasattr(encoder, "fit") and not hasattr(encoder, "score_folds"):
        encoder = encoder(sizes)
    Y, targets = recording.data, recording.targets
    needed = getattr(encoder, "min_features", 1)
    if X.shape[1] < needed:
        return _undefined(encoder, Y, split, targets, f"undefined: fewer than {needed} features")
    if len(sizes) > 1 and getattr(encoder, "single_space", False):
        return _undefined(encoder, Y, split, targets, "undefined: several spaces side by side")
    if hasattr(encoder, "score_folds"):
        return encoder.score_folds(X, Y, split, targets)
    return cross_validate(encoder, X, Y, split, targets=targets, keep_predictions=keep)


def _undefined(encoder: Any, Y: np.ndarray, split: Split, targets: Any, why: str) -> Scores:
    folds = list(split.split(Y))
    return Scores(
        np.full((len(folds), Y.shape[1]), np.nan),
        "r",
        targets,
        why,
        repr(split),
        n_test=[len(test) for _, test in folds],
        n_train=[len(train) for train, _ in folds],
        predictions=np.full(Y.shape, np.nan),
    )
