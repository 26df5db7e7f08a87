"""Geometry of feature spaces: similarity of their rows and effective dimension.

In the upper layers of most language models all words point the same way (anisotropy), and what
similarity analyses find there is largely that; so it is shown beside every result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from brainlm.data.features import Features

if TYPE_CHECKING:
    import pandas

MEASURES = {
    "mean_similarity": "mean pairwise cosine",
    "mean_correlation": "mean pairwise correlation",
    "effective_dimension": "effective dimension",
    "norm": "mean norm",
}


def geometry(spaces: Sequence[Features]) -> pandas.DataFrame:
    """Return the geometry of feature spaces, a row for each.

    Parameters
    ----------
    spaces : sequence of Features
        Such as the layers of a model.

    Returns
    -------
    DataFrame, index = name of the space
        mean_similarity
            Mean cosine of all pairs of different rows: ``(|sum u|^2 - n) / (n (n - 1))`` with u
            the rows divided by their norm. Near 0 if isotropic, towards 1 if all rows agree.
        mean_correlation
            The same after each row's own mean was removed (Pearson correlation of rows).
        effective_dimension
            Participation ratio of the eigenvalues of the covariance,
            ``(sum l)^2 / sum l^2``: from 1 to the number of features.
        norm
            Mean Euclidean norm of a row.

    Raises
    ------
    ValueError
        A row is zero or constant (it has no direction), or a space has fewer than two rows.
    """
    import pandas

    rows = {}
    for space in spaces:
        X = np.asarray(space.values, dtype=float)
        if len(X) < 2:
            raise ValueError(f"{space.name!r} has one row: geometry needs at least two")
        rows[space.name] = {
            "mean_similarity": _mean_cosine(X, space.name),
            "mean_correlation": np.nan
            if X.shape[1] < 2
            else _mean_cosine(X - X.mean(axis=1, keepdims=True), space.name),
            "effective_dimension": _participation_ratio(X),
            "norm": float(np.linalg.norm(X, axis=1).mean()),
        }
    return pandas.DataFrame.from_dict(rows, orient="index")


def _mean_cosine(X: np.ndarray, name: str) -> float:
    norms = np.linalg.norm(X, axis=1)
    flat = np.flatnonzero(norms <= 1e-12 * max(norms.max(), 1e-300))
    if len(flat):
        raise ValueError(
            f"{name!r}: row {flat[0]} is zero or constant and has no direction "
            f"({len(flat)} such rows): leave them out"
        )
    total = (X / norms[:, None]).sum(axis=0)
    n = len(X)
    return float((total @ total - n) / (n * (n - 1)))


def _participation_ratio(X: np.ndarray) -> float:
    centred = X - X.mean(axis=0)
    small = centred.T @ centred if X.shape[1] <= len(X) else centred @ centred.T
    trace, squares = np.trace(small), (small**2).sum()
    return float(trace**2 / squares) if squares > 0 else 0.0
