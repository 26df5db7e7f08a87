"""Encoders of other subjects, by every alignment, compared with each subject's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainlm._progress import bar
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.folds import as_split
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.shared_space import leave_one_subject_out
from brainlm.stats.paired import fold_difference
from brainlm.stats.permutation import fdr

if TYPE_CHECKING:
    import xarray

OWN = "own encoder"
NAMES = {
    "anatomy": "others, same regions",
    "procrustes": "others, Procrustes",
    "srm": "others, shared response",
    "ridge": "others, ridge",
}


def alignment_scores(
    X: Any,
    responses: Sequence[np.ndarray],
    split: Any,
    targets: Sequence[str],
    *,
    encoder: Any = None,
    n_shared: int | None = None,
) -> xarray.Dataset:
    """Score the encoder of each subject, and that of the others by every alignment, on same folds.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Features of the samples that all subjects share.
    responses : sequence of array, each (n_samples, n_targets)
        Of three subjects or more.
    split : Split
    targets : sequence of str
        Names.
    encoder : estimator, optional
        Default: ``RidgeEncoder(warn_edge=False)``.
    n_shared : int, optional
        Dimensions of the shared response model, see `fit_shared_space`.

    Returns
    -------
    xarray.Dataset
        ``subject_score`` (space, subject, fold, target); ``score`` (analysis, space, fold, target),
        its mean over subjects, as the figures take it.
    """
    import xarray

    encoder = RidgeEncoder(warn_edge=False) if encoder is None else encoder
    split = as_split(split)
    own = [cross_validate(encoder, X, Y, split) for Y in bar(responses, "own encoders")]
    every = {OWN: own}
    for method in bar(NAMES, "alignments"):
        every[NAMES[method]] = leave_one_subject_out(
            X, responses, split, method, encoder=encoder, n_shared=n_shared
        )
    values = np.array([[each.values for each in found] for found in every.values()])
    names = list(every)
    return xarray.Dataset(
        {
            "subject_score": (("space", "subject", "fold", "target"), values),
            "score": (("analysis", "space", "fold", "target"), values.mean(axis=1)[None]),
        },
        coords={
            "analysis": ["ridge encoding"],
            "space": names,
            "kind": ("space", ["reference"] * len(names)),
            "layer": ("space", [-1] * len(names)),
            "target": list(targets),
        },
        attrs={
            "test_ratio": own[0].test_ratio,
            "n_samples": len(X),
            "label": "held-out r (mean of folds)",
        },
    )


def alignment_table(scores: xarray.Dataset) -> pd.DataFrame:
    """Test each alignment against the subjects' own encoders and against the same regions.

    Subjects who heard one story share its noise, so scores are averaged over subjects and targets,
    and folds are the units (`brainlm.stats.paired.fold_difference`).

    Parameters
    ----------
    scores : xarray.Dataset
        From `alignment_scores`.

    Returns
    -------
    DataFrame
        ``encoder``, ``r``, and for ``own`` and ``anatomy`` the gain over it with ``low``, ``high``,
        ``p`` and ``q``: ``over_own``, ``over_own_low``, ..., ``over_anatomy_q``.
    """
    ratio = scores.attrs["test_ratio"]
    by_fold = scores["score"].isel(analysis=0).mean("target")
    others = {"over_own": OWN, "over_anatomy": NAMES["anatomy"]}
    rows = []
    for name in scores["space"].values:
        own = by_fold.sel(space=name).values
        row: dict[str, Any] = {"encoder": str(name), "r": float(own.mean())}
        for column, other in others.items():
            found = fold_difference(own, by_fold.sel(space=other).values, ratio)
            same = str(name) == other
            row |= {column: found.mean, f"{column}_low": found.low, f"{column}_high": found.high}
            row[f"{column}_p"] = 1.0 if same else found.p
        rows.append(row)
    table = pd.DataFrame(rows)
    for column, other in others.items():
        tested = table["encoder"] != other
        table[f"{column}_q"] = 1.0
        table.loc[tested, f"{column}_q"] = fdr(table.loc[tested, f"{column}_p"].to_numpy())
    return table
