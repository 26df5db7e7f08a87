"""Labelled results: scores, penalties, predictions and folds of many spaces as xarray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.data.scores import Scores
from brainlm.data.target_table import target_coordinates
from brainlm.encoding.splits import FixedSplit, Split
from brainlm.stats.paired import fold_half_width

if TYPE_CHECKING:
    import pandas
    import xarray

    from brainlm.encoding.encode import Space


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
