"""Encode responses by many feature spaces and several methods, in one labelled result."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm._progress import bar
from brainlm.compute.backend import host, is_tensor
from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.data.scores import Scores
from brainlm.encoding.align import align
from brainlm.encoding.block_scaler import ridge_of_blocks
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.delays import warn_without_delays
from brainlm.encoding.encoding_result import Encoding
from brainlm.encoding.folds import as_split
from brainlm.encoding.labelled_scores import stack_scores
from brainlm.encoding.permuted_scores import permuted_scores
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks, GapWarning, Split
from brainlm.errors import unknown_name
from brainlm.features.baselines import random_like

if TYPE_CHECKING:
    pass

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

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.standard_normal((60, 4)), rng.standard_normal((60, 2))
    >>> spaces = [brainlm.Space(brainlm.Features("layer 6", X), "layer", 6)]
    >>> result = brainlm.encode(spaces, Y, brainlm.ContiguousBlocks(3, gap=2))
    >>> result.to_frame()["space"].unique().tolist()
    ['layer 6']
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

    Examples
    --------
    >>> stimulus = brainlm.Stimulus(["the", "old", "man", "sleeps"], "en")
    >>> values = np.random.default_rng(0).standard_normal((4, 6))
    >>> layer = brainlm.Features("layer 3", values, stimulus, origin={"layer": 3})
    >>> [space.name for space in brainlm.with_baselines([layer], [brainlm.word_length(stimulus)])]
    ['layer 3', 'random (layer 3)', 'word length']
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
        Space(each, "untrained", int(each.origin["layer"]), f"{each.origin['model']} {each.name}")
        for each in layers
    ]


def encode(
    spaces: Any,
    recording: Any,
    split: Any = 5,
    encoders: Mapping[str, Any] | None = None,
    *,
    delays: Sequence[int] | None = None,
    orders: np.ndarray | None = None,
    dtype: Any = None,
    title: str = "",
    keep_predictions: bool = True,
    progress: bool = False,
) -> Encoding:
    """Score every feature space by every method on the same folds.

    Parameters
    ----------
    spaces : sequence of Space, Features or array, or mapping of str to array
        Arrays and DataFrames are (n_samples, n_features): layers in order where they come as a
        list, named references where they come as a mapping. Features of a language model are
        layers, other features references.
    recording : Recording, array or DataFrame of shape (n_samples, n_targets)
        Columns of a DataFrame name the targets. Targets of several subjects side by side have a
        column ``subject`` (`brainlm.data.recording.side_by_side`); the scores then have a dimension
        ``subject``.
    split : Split or int
        As in `brainlm.cross_validate`: a number is that many contiguous blocks without a gap, for
        items; a time series needs ``ContiguousBlocks(5, gap=...)``.
    encoders : mapping of str to estimator or callable, optional
        Method -> a scikit-learn estimator, an object with ``score_folds(X, Y, split, targets)``
        that returns Scores, or a function of the number of columns of each block that returns an
        estimator. Default: "ridge", `brainlm.RidgeEncoder`, several blocks weighted alike.
    delays : sequence of int, optional
        Samples, of features with a row per word, such as ``delays_between(2.0)`` for fMRI.
        Default: none.
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
        With ``plot()``, ``summary()``, ``to_frame()``, ``best_layer()`` and ``save(folder)``.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> layers = [rng.standard_normal((200, 10)) for _ in range(3)]
    >>> responses = layers[1][:, :2] + rng.standard_normal((200, 2))
    >>> encode(layers, responses).best_layer().layers
    (1, 1, 1, 1, 1)

    Warns
    -----
    GapWarning
        A time series in contiguous blocks whose gap is shorter than the longest delay.
    DelayWarning
        Words and fMRI without delays.

    Notes
    -----
    A method with ``min_features`` has no score (NaN) for smaller spaces, and one with
    ``single_space`` (similarities, which depend on the units of features) none for several side by
    side.
    """
    spaces, recording, split = _spaces(spaces), as_recording(recording), as_split(split)
    encoders = {"ridge": _ridge} if encoders is None else encoders
    if delays is None:
        delays = (0,)
        if not any("Delayer" in repr(encoder) for encoder in encoders.values()):
            words = (part for space in spaces for part in space.features if part.level == "word")
            for part in itertools.islice(words, 1):
                warn_without_delays(part, recording)
    _check_gap(recording, split, delays)
    scores: dict[str, list[Scores]] = {method: [] for method in encoders}
    null: dict[str, list[np.ndarray]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)  # kept in the notes
        for space in bar(spaces, "spaces", progress=progress, unit="space"):
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


def _check_gap(recording: Recording, split: Any, delays: Sequence[int]) -> None:
    """Warn where folds of a time series touch, which `cross_validate` cannot see from arrays."""
    least = max(1, *map(abs, delays))
    if recording.times is None or not isinstance(split, ContiguousBlocks) or split.gap >= least:
        return
    warnings.warn(
        f"{split!r} of a time series: neighbouring samples share stimulus and noise; give "
        f"ContiguousBlocks a gap of at least the longest delay, {least} or more samples, and runs",
        GapWarning,
        stacklevel=3,
    )


def _spaces(spaces: Any) -> list[Space]:
    """Convert features, arrays and tables into spaces."""
    if hasattr(spaces, "shape") or isinstance(spaces, Features | Space):
        raise ValueError(
            "spaces must be a list or a mapping of feature spaces; put a single one into a list"
        )
    if isinstance(spaces, Mapping):
        return [_space(each, str(name), "reference", -1) for name, each in spaces.items()]
    return [_space(each, f"layer {k}", "layer", k) for k, each in enumerate(spaces)]


def _space(given: Any, name: str, kind: str, layer: int) -> Space:
    if isinstance(given, Space):
        return given
    if isinstance(given, Features):
        number = given.origin.get("layer")  # as LanguageModel.embed returns them
        return Space(given) if number is None else Space(given, "layer", int(number))
    if is_tensor(given):
        given = given.detach()
    values = given.to_numpy() if hasattr(given, "to_numpy") else np.asarray(host(given))
    if values.ndim == 1:
        values = values[:, None]
    return Space(Features(name, values), kind, layer)


def as_recording(given: Any) -> Recording:
    """Convert an array or a table into a recording; its rows are the items."""
    if isinstance(given, Recording):
        return given
    names = [str(name) for name in given.columns] if hasattr(given, "columns") else None
    if names is None and given.ndim == 1 and getattr(given, "name", None) is not None:
        names = [str(given.name)]
    values = given.to_numpy() if hasattr(given, "to_numpy") else np.asarray(host(given))
    values = values[:, None] if values.ndim == 1 else values
    if names is None:
        names = [f"target {k}" for k in range(values.shape[1])]
    return Recording(values, names, "other", "a.u.", items=[str(k) for k in range(len(values))])


def _ridge(sizes: Sequence[int]) -> Any:
    return RidgeEncoder() if len(sizes) == 1 else ridge_of_blocks(sizes)


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
