"""Mixed-effects regression of single trials, and the gain of added predictors.

Reading times and ERPs of single trials vary by subject and by item at once; a regression over all
trials that ignores this counts people and words many times over. Random intercepts of both are
crossed, and the effect of a tested predictor varies, too: people differ in how much surprisal slows
them, and a test without these slopes claims an effect in .27 of studies where there is none.
Held-out log-likelihood says what a predictor is worth on sentences that were not fitted. Models
with random effects of one's own choice: `brainlm.mixed_models.formula`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from brainlm.errors import unknown_name
from brainlm.mixed_models._fit import Factor, MixedModelWarning, fit, singular_notes

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class MixedFit:
    """A fitted mixed-effects regression (maximum likelihood).

    Attributes
    ----------
    terms : DataFrame
        Index = fixed effect, columns ``coefficient``, ``se``, ``t``, ``p`` (see `fit_mixed`). ``p``
        is NaN where the effect was not allowed to vary by subject or item.
    log_likelihood : float
    variances : dict of str to float
        Of the random effects and of the residual, in squared units of the response.
    correlations : dict of str to DataFrame
        Of the random effects of subjects and of items; empty where they are independent.
    n_trials, n_subjects, n_items : int
        ``n_items`` is 0 without random items.
    n_units, df : int
        Number of subjects, or of items where these leave fewer degrees of freedom; and the degrees
        of freedom of every test.
    formula : str
        As `brainlm.mixed_models.formula.fit_formula` reads it; ``center(x)`` is R's
        ``scale(x, scale = FALSE)``.
    notes : tuple of str
        Variances that are zero and correlations of 1 or -1.
    """

    terms: pandas.DataFrame
    log_likelihood: float
    variances: dict[str, float]
    correlations: dict[str, pandas.DataFrame]
    n_trials: int
    n_subjects: int
    n_items: int
    n_units: int
    df: int
    formula: str
    notes: tuple[str, ...]


def fit_mixed(
    table: pandas.DataFrame,
    response: str,
    fixed: Sequence[str],
    *,
    subject: str,
    item: str | None = None,
    slopes: Sequence[str] | None = None,
    correlated: bool = False,
) -> MixedFit:
    """Fit ``y = X b + Z u + e`` by maximum likelihood: intercepts and slopes vary by subject, item.

    Parameters
    ----------
    table : DataFrame
        A row per trial. Predictors are used as they are: standardise them before.
    response : str
        Column of the response.
    fixed : sequence of str
        Columns of the fixed effects; an intercept is added.
    subject, item : str
        Columns of the crossed random intercepts.
    slopes : sequence of str, optional
        Predictors whose effect varies by subject, and by item where they vary within items
        (surprisal is constant within a word). Default: all of ``fixed``. Name the tested predictors
        to save time; the others then get no p value. A predictor that is not in ``fixed`` varies
        around zero, as the smaller model of `likelihood_gain` requires.
    correlated : bool
        Whether intercepts and slopes of a subject (of an item) are correlated.

    Raises
    ------
    UnknownNameError
        A column that is not there.
    ValueError
        Missing values, fewer than five subjects or items, a constant response or predictor, no
        degrees of freedom, or a likelihood without a maximum.

    Warns
    -----
    MixedModelWarning
        A variance is zero, or a correlation 1 or -1.

    Notes
    -----
    Slopes are those of the centred predictor. Time grows with the cube of the random effects of
    subjects, and only in proportion to those of items (where these are more): 200,000 trials of
    180 readers and 2,000 words take seconds.

    Tests (our own approximation for few readers; exact for a balanced table in which the slopes of
    subjects are the main error, careful otherwise): with N levels, of which predictors constant
    within levels take k, a factor leaves ``df = N - 1 - k``. The factor with fewer counts,
    ``se = se_ML * sqrt(N / df)``, and ``p`` is that of t with df degrees of freedom.

    References
    ----------
    Baayen, Davidson & Bates 2008, doi 10.1016/j.jml.2007.12.005.
    Bates, Maechler, Bolker & Walker 2015, doi 10.18637/jss.v067.i01 (the likelihood).
    Barr, Levy, Scheepers & Tily 2013, doi 10.1016/j.jml.2012.11.001 (slopes).
    """
    import pandas
    from scipy.stats import t as student

    slopes = list(fixed if slopes is None else slopes)
    factors = {"subject": subject, **({"item": item} if item else {})}
    data = checked_table(table, response, fixed, list(factors.values()), slopes)
    within = {
        name: [kind for kind, column in factors.items() if _varies(data[name], data[column])]
        for name in dict.fromkeys([*fixed, *slopes])
    }
    varying = {k: [n for n in slopes if k in within[n]] for k in factors}
    design = np.column_stack([np.ones(len(data)), *(data[name].to_numpy(float) for name in fixed)])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError(
            f"the predictors {list(fixed)} are not independent on these {len(data)} trials (rank "
            f"{np.linalg.matrix_rank(design)} of {design.shape[1]} with the intercept): leave out "
            "those that are sums of others"
        )
    levels = {kind: int(data[column].nunique()) for kind, column in factors.items()}
    free = {k: n - 1 - sum(k not in within[name] for name in fixed) for k, n in levels.items()}
    fewest = min(free, key=free.__getitem__)
    n_units, df = levels[fewest], free[fewest]
    if df < 1:
        raise ValueError(
            f"{n_units} levels of {factors[fewest]!r} leave no degree of freedom to predictors "
            f"that are constant within them ({list(fixed)}): use fewer predictors"
        )
    units = [_factor(data, factors[kind], varying[kind], correlated) for kind in factors]
    effects = [[kind, *(f"{n} by {kind}" for n in varying[kind])] for kind in factors]
    fitted = fit(data[response].to_numpy(float), design, units, reml=False)
    notes = singular_notes(fitted, units, effects)
    if notes:
        warnings.warn(f"{response}: {'; '.join(notes)}", MixedModelWarning, stacklevel=2)
    coefficient = fitted.coefficients
    se = np.sqrt(np.diag(fitted.covariance) * n_units / df)
    testable = [True, *(name in slopes or not within[name] for name in fixed)]
    p = np.where(testable, 2 * student.sf(np.abs(coefficient / se), df), np.nan)
    terms = pandas.DataFrame(
        {"coefficient": coefficient, "se": se, "t": coefficient / se, "p": p},
        index=["intercept", *fixed],
    )
    variances: dict[str, float] = {}
    correlations: dict[str, pandas.DataFrame] = {}
    for kind, names, covariance in zip(factors, effects, fitted.covariances, strict=True):
        variances.update(zip(names, map(float, np.diag(covariance)), strict=True))
        if correlated and len(names) > 1:
            sd = np.sqrt(np.diag(covariance))
            with np.errstate(invalid="ignore"):  # a variance of zero has no correlations
                correlations[kind] = pandas.DataFrame(covariance / sd / sd[:, None], names, names)
    bar = "|" if correlated else "||"
    random = [
        f"(1{''.join(f' + center({_quoted(n)})' for n in varying[kind])} "
        f"{bar if varying[kind] else '|'} {_quoted(column)})"
        for kind, column in factors.items()
    ]
    return MixedFit(
        terms,
        fitted.log_likelihood,
        {**variances, "residual": fitted.residual},
        correlations,
        len(data),
        levels["subject"],
        levels.get("item", 0),
        n_units,
        df,
        f"{_quoted(response)} ~ {' + '.join(['1', *map(_quoted, fixed), *random])}",
        notes,
    )


def _factor(data: pandas.DataFrame, column: str, slopes: Sequence[str], correlated: bool) -> Factor:
    """Intercepts and centred slopes of subjects or items."""
    import pandas

    centred = [(data[name] - data[name].mean()).to_numpy(float) for name in slopes]
    columns = np.column_stack([np.ones(len(data)), *centred])
    k = columns.shape[1]
    return Factor(pandas.factorize(data[column])[0], columns, (k,) if correlated else (1,) * k)


def _quoted(name: str) -> str:
    """A column as a formula writes it."""
    return name if name.isidentifier() else f"`{name}`"


def _varies(values: pandas.Series, labels: pandas.Series) -> bool:
    """Whether a predictor differs between trials of the same level."""
    return bool((values.groupby(labels).nunique() > 1).any())


def checked_table(
    table: pandas.DataFrame,
    response: str,
    fixed: Sequence[str],
    labels: Sequence[str],
    slopes: Sequence[str],
    fewest: int = 5,
) -> pandas.DataFrame:
    """Return the rows of the table as floats and labels; raise where they cannot be fitted."""
    for name in (response, *fixed, *slopes, *labels):
        if name not in table:
            raise unknown_name("column", name, table.columns)
    for argument, names in (("fixed", fixed), ("slopes", slopes)):
        if len(set(names)) < len(names):
            raise ValueError(f"{argument} names a predictor twice: {list(names)}")
    numeric = list(dict.fromkeys([response, *fixed, *slopes]))
    data = table[list(dict.fromkeys([*numeric, *labels]))]
    numbers = data[numeric].to_numpy(float)
    bad = ~np.isfinite(numbers)
    if bad.any():
        name = numeric[int(np.argmax(bad.any(axis=0)))]
        raise ValueError(
            f"{int(bad.any(axis=1).sum())} of {len(data)} trials have missing values (the first "
            f"column with some: {name!r}): drop them first, and report it"
        )
    for name in numeric:
        if np.ptp(data[name].to_numpy(float)) == 0:
            raise ValueError(f"{name!r} is constant over all {len(data)} trials: leave it out")
    for name in labels:
        if data[name].isna().any():
            raise ValueError(
                f"{name!r} is missing in {int(data[name].isna().sum())} of {len(data)} trials: "
                "drop them first, and report it"
            )
        if data[name].nunique() < fewest:
            raise ValueError(
                f"{name!r} has {data[name].nunique()} levels, too few: at least {fewest} are needed"
            )
    return data
