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
from brainlm.data.target_table import target_coordinates
from brainlm.encoding.align import align
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.permuted_scores import permuted_scores
from brainlm.encoding.ridge import AlphaEdgeWarning
from brainlm.encoding.splits import FixedSplit, Split
from brainlm.errors import unknown_name
from brainlm.features.baselines import random_like
from brainlm.stats.noise_ceiling import leave_one_subject_out
from brainlm.stats.paired import fold_half_width

if TYPE_CHECKING:
    import pandas
    import xarray

KINDS = ("layer", "combined", "with empty", "random", "reference")


@dataclass(frozen=True)
class Space:
    """A feature space and its part in a comparison.

    Attributes
    ----------
    features : Features or tuple of Features
        Several are fitted side by side.
    kind : {"layer", "combined", "with empty", "random", "reference"}
        A layer of the model; that layer with the controls; with an empty baseline; random
        embeddings with the geometry of that layer; or anything that the layers are compared with.
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


def with_baselines(layers: Sequence[Features], references: Sequence[Any] = ()) -> list[Space]:
    """Return layers, a random twin of each (`brainlm.random_like`), and references.

    Parameters
    ----------
    layers : sequence of Features
        With ``origin["layer"]``, as `brainlm.LanguageModel.embed` returns them.
    references : sequence of Features or Space
    """
    numbers = [int(layer.origin.get("layer", 0)) for layer in layers]
    numbered = list(zip(layers, numbers, strict=True))
    return [
        *(Space(layer, "layer", number) for layer, number in numbered),
        *(Space(random_like(layer, seed=number), "random", number) for layer, number in numbered),
        *(each if isinstance(each, Space) else Space(each) for each in references),
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
    """

    spaces: tuple[Space, ...]
    by_method: Mapping[str, Sequence[Scores]]
    recording: Recording
    split: Split
    scores: xarray.Dataset
    null: Mapping[str, np.ndarray] = field(default_factory=dict)

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
    A method with ``min_features`` has no score (NaN) for smaller spaces.
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
    return Encoding(tuple(spaces), scores, recording, split, stacked, nulls)


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


def stack_scores(
    scores: Mapping[str, Sequence[Scores]], spaces: Sequence[Space], *, label: str, title: str
) -> xarray.Dataset:
    """Return the scores of all spaces by all methods as one labelled data set.

    Parameters
    ----------
    scores : mapping of str to sequence of Scores
        Method -> one Scores per space, in the order of ``spaces``.
    spaces : sequence of Space
    label, title : str
        Of the score axis and of the figure.

    Returns
    -------
    xarray.Dataset
        ``score`` (analysis, space, fold, target), or where the targets have a column ``subject``
        (analysis, space, subject, target), averaged over folds; ``fold_score`` (analysis, space,
        fold, target; averaged over subjects), which intervals are made of; ``alpha`` (analysis,
        space, fold, ...) where penalties were chosen. The attribute ``test_ratio`` is
        n_test / n_train of the folds.
    """
    import xarray

    names = [space.name for space in spaces]
    if len(set(names)) < len(names):
        raise ValueError(f"spaces: names must be unique, got {names}")
    methods = list(scores)
    coords: dict[str, Any] = {
        "analysis": methods,
        "space": names,
        "kind": ("space", [space.kind for space in spaces]),
        "layer": ("space", [space.layer for space in spaces]),
    }
    first = scores[methods[0]][0]
    targets = first.targets
    folds = np.array([[each.values for each in scores[method]] for method in methods])
    if "subject" in targets:
        subjects = targets["subject"].unique()
        values = np.array([[each.mean for each in scores[method]] for method in methods])
        values = values.reshape(*values.shape[:2], len(subjects), -1)
        own = targets[: values.shape[3]].drop(columns="subject")
        targets = own.assign(name=own["label"]).drop(columns="label")
        folds = folds.reshape(*folds.shape[:3], len(subjects), -1).mean(axis=3)
        dims = ("analysis", "space", "subject", "target")
        coords |= {"subject": [str(subject) for subject in subjects], **target_coordinates(targets)}
    else:
        values = folds
        dims = ("analysis", "space", "fold", "target")
        coords |= target_coordinates(targets)
    dataset = xarray.Dataset({"score": (dims, values)}, coords=coords)
    dataset["fold_score"] = (("analysis", "space", "fold", "target"), folds)
    dataset["alpha"] = _stack_alphas(scores, first.values.shape)
    n_samples = int(np.sum(first.n_test))
    return dataset.assign_attrs(
        label=label,
        title=title,
        metric=first.metric,
        n_samples=n_samples,
        test_ratio=first.test_ratio,
    )


def _stack_alphas(scores: Mapping[str, Sequence[Scores]], shape: tuple) -> xarray.DataArray:
    """Chosen penalties, NaN for methods without any; dims analysis, space, fold, column."""
    import xarray

    alphas = [
        [np.full(shape, np.nan) if each.alphas is None else each.alphas for each in of_method]
        for of_method in scores.values()
    ]
    return xarray.DataArray(np.array(alphas), dims=("analysis", "space", "fold", "column"))


def stack_predictions(
    scores: Mapping[str, Sequence[Scores]], spaces: Sequence[Space]
) -> xarray.Dataset:
    """Return the out-of-fold predictions, (analysis, space, sample, column), as float32.

    Columns are the targets in the order in which they were fitted. Methods without predictions
    are left out. Correlate them within folds only (see ``stack_folds``).
    """
    import xarray

    kept = {
        method: np.stack([each.predictions for each in of_method]).astype(np.float32)
        for method, of_method in scores.items()
        if all(each.predictions is not None for each in of_method)
    }
    if not kept:
        raise ValueError("no method kept its predictions: pass keep_predictions=True")
    columns = next(iter(scores.values()))[0].target_names.astype(str)
    return xarray.Dataset(
        {"prediction": (("analysis", "space", "sample", "column"), np.stack(list(kept.values())))},
        coords={"analysis": list(kept), "space": [s.name for s in spaces], "column": columns},
    )


def stack_folds(split: Split, n_samples: int) -> xarray.Dataset:
    """Return the folds of a split as ``role`` (fold, sample): 1 train, 2 test, 0 in the gap.

    A `FixedSplit` also has ``part`` (sample): train, dev or test.
    """
    import xarray

    folds = list(split.split(range(n_samples)))
    role = np.zeros((len(folds), n_samples), dtype=np.int8)
    for fold, (train, test) in enumerate(folds):
        role[fold, train], role[fold, test] = 1, 2
    parts = {"part": ("sample", split.parts.astype(str))} if isinstance(split, FixedSplit) else {}
    return xarray.Dataset({"role": (("fold", "sample"), role)}, coords=parts)


def score_table(scores: xarray.Dataset) -> pandas.DataFrame:
    """Return mean scores with 95 % intervals over folds, one row per space, as text.

    The intervals are those of `brainlm.stats.paired.fold_difference`: they hold for new stimuli and
    these subjects. "-" stands for a score that does not exist (NaN).

    Parameters
    ----------
    scores : xarray.Dataset
        From ``stack_scores``.
    """
    import pandas

    per_fold = scores["fold_score"].mean("target").transpose("analysis", "space", "fold").values
    mean, half = per_fold.mean(axis=2), fold_half_width(per_fold, scores.attrs["test_ratio"], 2)
    cells = [
        [
            "-" if np.isnan(mean[m, s]) else f"{mean[m, s]:6.3f} ± {half[m, s]:.3f}"
            for m in range(scores.sizes["analysis"])
        ]
        for s in range(scores.sizes["space"])
    ]
    columns = [str(method) for method in scores["analysis"].values]
    return pandas.DataFrame(cells, index=list(scores["space"].values), columns=columns)
