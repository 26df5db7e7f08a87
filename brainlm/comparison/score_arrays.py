"""Comparison: many feature spaces, several methods, one data set; one table of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from brainlm.data.features import Features
from brainlm.data.scores import Scores
from brainlm.encoding.splits import Split
from brainlm.errors import unknown_name
from brainlm.stats.paired import fold_half_width

if TYPE_CHECKING:
    import pandas
    import xarray

__all__ = ["KINDS", "Space", "score_table", "stack_folds", "stack_predictions", "stack_scores"]

KINDS = ("layer", "combined", "with empty", "random", "reference")


@dataclass(frozen=True)
class Space:
    """A feature space and its part in a comparison.

    Attributes
    ----------
    features : Features
        Its name must be unique in the comparison.
    kind : {"layer", "combined", "with empty", "random", "reference"}
        A layer of the model; that layer with the controls; with an empty baseline; random
        embeddings with the geometry of that layer; or anything that the layers are compared with.
    layer : int
        Number of the layer, -1 for references.
    """

    features: Features
    kind: str
    layer: int = -1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown_name("kind", self.kind, KINDS)

    @property
    def name(self) -> str:
        """Name of the features."""
        return self.features.name


def stack_scores(
    scores: Mapping[str, Sequence[Scores]],
    spaces: Sequence[Space],
    *,
    label: str,
    title: str,
    subjects: Sequence[str] = (),
) -> xarray.Dataset:
    """Return the scores of all spaces by all methods as one labelled data set.

    Parameters
    ----------
    scores : mapping of str to sequence of Scores
        Method -> one Scores per space, in the order of ``spaces``.
    spaces : sequence of Space
    label, title : str
        Of the score axis and of the figure.
    subjects : sequence of str, optional
        When given, the targets are ``"subject/target"``, all subjects with the same targets in
        the same order; ``score`` is averaged over folds and has a dimension ``subject``. Without
        it, it has the dimension ``fold``.

    Returns
    -------
    xarray.Dataset
        ``score`` (analysis, space, subject or fold, target), ``fold_score`` (analysis, space, fold,
        target; averaged over subjects), which intervals are made of, and ``alpha`` (analysis,
        space, fold, ...) where penalties were chosen. The attribute ``test_ratio`` is
        n_test / n_train of the folds.
    """
    import xarray

    names = [space.name for space in spaces]
    if len(set(names)) < len(names):
        raise ValueError(f"spaces: names must be unique, got {names}")
    methods = list(scores)
    coords = {
        "analysis": methods,
        "space": names,
        "kind": ("space", [space.kind for space in spaces]),
        "layer": ("space", [space.layer for space in spaces]),
    }
    first = scores[methods[0]][0]
    targets = [str(target) for target in first.targets]
    folds = np.array([[each.values for each in scores[method]] for method in methods])
    if subjects:
        values = np.array([[each.mean for each in scores[method]] for method in methods])
        values = values.reshape(*values.shape[:2], len(subjects), -1)
        targets = [target.split("/", 1)[1] for target in targets[: values.shape[3]]]
        folds = folds.reshape(*folds.shape[:3], len(subjects), -1).mean(axis=3)
        dims = ("analysis", "space", "subject", "target")
        coords |= {"subject": list(subjects), "target": targets}
    else:
        values = folds
        dims = ("analysis", "space", "fold", "target")
        coords |= {"target": targets}
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
    columns = [str(target) for target in next(iter(scores.values()))[0].targets]
    return xarray.Dataset(
        {"prediction": (("analysis", "space", "sample", "column"), np.stack(list(kept.values())))},
        coords={"analysis": list(kept), "space": [s.name for s in spaces], "column": columns},
    )


def stack_folds(split: Split, n_samples: int) -> xarray.Dataset:
    """Return the folds of a split as ``role`` (fold, sample): 1 train, 2 test, 0 in the gap."""
    import xarray

    folds = list(split.split(range(n_samples)))
    role = np.zeros((len(folds), n_samples), dtype=np.int8)
    for fold, (train, test) in enumerate(folds):
        role[fold, train], role[fold, test] = 1, 2
    return xarray.Dataset({"role": (("fold", "sample"), role)})


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
