"""Effects of predictors in one regression, with intervals over readers, texts or sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas

__all__ = ["effects_over_subjects", "effects_over_units"]


def effects_over_units(
    table: pandas.DataFrame, measure: str, predictors: Sequence[str], *, units: str
) -> pandas.DataFrame:
    """Return the coefficients of one regression, with intervals over independent units.

    Words of one text are not independent, so each unit is left out in turn (jackknife). With G
    units, the variance of a coefficient b is (G - 1) / G times the sum of the squared changes of b
    when a unit is left out; t has G - 1 degrees of freedom.

    Parameters
    ----------
    table : DataFrame
        A row per word.
    measure : str
        Column of the response.
    predictors : sequence of str
        Columns; a constant is added.
    units : str
        Column with the unit of each row, such as its text. At least three.

    Returns
    -------
    DataFrame
        Index: the predictors; columns ``coefficient``, ``low``, ``high`` (95 %), ``t``, ``p`` and
        ``n_units``.

    Raises
    ------
    ValueError
        There are fewer than three units, or the predictors are sums of each other, also without
        one of the units.
    """
    X, y = _design(table, measure, predictors)
    labels = table[units].to_numpy()
    names = list(dict.fromkeys(labels))
    if len(names) < 3:
        raise ValueError(f"{units}: {len(names)} units, an interval over them needs three")
    whole = _solve(X, y)
    without = np.array([_solve(X[labels != name], y[labels != name]) for name in names])
    n = len(names)
    se = np.sqrt((n - 1) / n * ((without - whole) ** 2).sum(axis=0))
    return _tested(whole[1:], se[1:], n, predictors)


def effects_over_subjects(
    table: pandas.DataFrame, measure: str, predictors: Sequence[str], *, subject: str = "subject"
) -> pandas.DataFrame:
    """Return the mean over subjects of the coefficients of each one's own regression.

    The t test is that of the mean. A subject whose trials cannot tell the predictors apart is left
    out (``n_units`` counts the others).

    Parameters
    ----------
    table : DataFrame
        A row per trial.
    measure, predictors
        As in `effects_over_units`.
    subject : str
        Column with the subject of each row.

    Returns
    -------
    DataFrame
        As of `effects_over_units`.

    Raises
    ------
    ValueError
        Fewer than three subjects are left.
    """
    found = []
    for _, own in table.groupby(subject, sort=False):
        try:
            found.append(_solve(*_design(own, measure, predictors))[1:])
        except ValueError:
            continue
    n = len(found)
    if n < 3:
        raise ValueError(f"{subject}: {n} with enough trials, an interval over them needs three")
    values = np.array(found)
    se = values.std(axis=0, ddof=1) / np.sqrt(n)
    return _tested(values.mean(axis=0), se, n, predictors)


def _design(
    table: pandas.DataFrame, measure: str, predictors: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    values = table[list(predictors)].to_numpy(dtype=float)
    return np.column_stack([np.ones(len(table)), values]), table[measure].to_numpy(dtype=float)


def _solve(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    coefficients, _, rank, _ = np.linalg.lstsq(X, y, rcond=1e-8)
    if rank < X.shape[1]:
        raise ValueError(f"predictors are sums of each other: rank {rank} of {X.shape[1]} columns")
    return coefficients


def _tested(
    coefficient: np.ndarray, se: np.ndarray, n: int, predictors: Sequence[str]
) -> pandas.DataFrame:
    import pandas as pd
    from scipy.stats import t as student

    half = student.ppf(0.975, n - 1) * se
    with np.errstate(divide="ignore", invalid="ignore"):  # a perfect fit has no error
        t = coefficient / se
    columns = {
        "coefficient": coefficient,
        "low": coefficient - half,
        "high": coefficient + half,
        "t": t,
        "p": 2 * student.sf(np.abs(t), n - 1),
        "n_units": n,
    }
    return pd.DataFrame(columns, index=list(predictors))
