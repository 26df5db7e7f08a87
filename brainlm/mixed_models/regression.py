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
from brainlm.stats.paired import Difference, fold_difference

if TYPE_CHECKING:
    import pandas

__all__ = ["Gain", "MixedFit", "MixedModelWarning", "fit_mixed", "held_out_gain", "likelihood_gain"]


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


@dataclass(frozen=True)
class Gain:
    """Likelihood-ratio test of added predictors.

    Attributes
    ----------
    chi2 : float
        Twice the difference of log-likelihoods.
    df, df_residual : int
        Added predictors, and the degrees of freedom left for the F distribution of ``p``.
    p : float
    per_trial : float
        Gain of log-likelihood per trial, in nats, on the fitted data.
    """

    chi2: float
    df: int
    df_residual: int
    p: float
    per_trial: float


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
    data = _checked(table, response, fixed, list(factors.values()), slopes)
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


def likelihood_gain(smaller: MixedFit, larger: MixedFit) -> Gain:
    """Test predictors that ``larger`` has and ``smaller`` has not (likelihood ratio).

    With N units, df degrees of freedom (`MixedFit`) and q added predictors::

        F = (exp(chi2 / N) - 1) * (df + 1 - q) / q    on (q, df + 1 - q) degrees of freedom

    Our own approximation: Hotelling's test of q mean slopes of N subjects, with which it agrees in
    a balanced table; chi-square, its limit for many units, rejects too often with few readers.

    Raises
    ------
    ValueError
        The fits are not nested, were made on other trials, or the effects of the added predictors
        do not vary by subject and item in both.
    """
    from scipy.stats import f as fisher

    added = [name for name in larger.terms.index if name not in smaller.terms.index]
    nested = set(smaller.terms.index) <= set(larger.terms.index)
    if not added or not nested or smaller.n_trials != larger.n_trials:
        raise ValueError(
            f"{smaller.formula!r} ({smaller.n_trials} trials) is not nested in {larger.formula!r} "
            f"({larger.n_trials} trials): fit both on the same trials, one with more predictors"
        )
    random = [(set(fit.variances), set(fit.correlations)) for fit in (smaller, larger)]
    if random[0] != random[1] or larger.terms.loc[added, "p"].isna().any():
        raise ValueError(
            f"the effects of {added} must vary by subject and item in both {smaller.formula!r} and "
            f"{larger.formula!r}, and other effects alike: fit both with slopes={added}"
        )
    ratio = 2 * (larger.log_likelihood - smaller.log_likelihood)
    ratio = max(ratio, 0.0)  # two optimisations may end 1e-8 apart
    q, residual = len(added), larger.df + 1 - len(added)
    if residual < 1:
        raise ValueError(
            f"{q} added predictors for {larger.df} degrees of freedom: test fewer at a time"
        )
    p = float(fisher.sf(np.expm1(ratio / larger.n_units) * residual / q, q, residual))
    return Gain(float(ratio), q, residual, p, float(ratio / 2 / larger.n_trials))


def held_out_gain(
    table: pandas.DataFrame,
    response: str,
    baseline: Sequence[str],
    added: Sequence[str],
    *,
    groups: str,
    subject: str | None = None,
    n_splits: int = 10,
) -> tuple[Difference, float]:
    """Gain of log-likelihood per trial on held-out sentences when predictors are added.

    Whole groups are left out. On the training trials, ``y = X b`` is fitted by least squares (with
    an intercept per subject where ``subject`` is given), its residual variance gives the Gaussian
    log-density of each held-out trial, and the gain is the difference between both models.

    Parameters
    ----------
    table : DataFrame
        A row per trial (or per word, for means over readers).
    response : str
    baseline, added : sequence of str
        Columns.
    groups : str
        Column that is never on both sides: sentences or texts.
    subject : str, optional
        Column with an intercept each; all must occur in every training set. It is removed by
        subtracting means, so that thousands of subjects cost no more than one.
    n_splits : int
        Folds, of neighbouring groups; they are the units of the test.

    Returns
    -------
    gain : Difference
        In nats per trial over folds, with the interval and the two-sided p value of
        `brainlm.stats.paired.fold_difference`: for new sentences and these subjects.
    log_likelihood : float
        Mean log-density of a held-out trial under the larger model, in nats.

    References
    ----------
    Goodkind & Bicknell 2018; Wilcox et al. 2020, arXiv 2006.01912 (delta log-likelihood).
    """
    import pandas

    from brainlm.encoding.splits import Groups

    labels = [groups, *([subject] if subject else [])]
    data = _checked(table, response, [*baseline, *added], labels, (), fewest=2)
    y = data[response].to_numpy(float)
    larger = data[[*baseline, *added]].to_numpy(float)
    smaller = larger[:, : len(baseline)]
    people, names = np.zeros(len(y), int), np.array(["all"])
    if subject is not None:
        people, names = pandas.factorize(data[subject])
    sentences = data[groups].astype(str).to_numpy()
    density: list[list[float]] = []
    sizes: list[tuple[int, int]] = []
    for train, test in Groups(sentences, n_splits).split(y):
        unseen = np.setdiff1d(people, people[train])
        if len(unseen):
            alone = len(set(sentences[people == unseen[0]])) == 1
            advice = "leave it out" if alone else f"use more folds (up to {len(set(sentences))})"
            raise ValueError(
                f"all trials of {subject} {names[unseen[0]]!r} (and of {len(unseen) - 1} more) are "
                f"in one of {n_splits} folds, which leaves none to fit its intercept: {advice}"
            )
        pair = [_density(X, y, people, train, test) for X in (smaller, larger)]
        density.append(pair)
        sizes.append((len(test), len(train)))
    small, large = np.array(density).T
    n_test, n_train = np.array(sizes).mean(axis=0)
    return fold_difference(large, small, n_test / n_train), float(large.mean())


def _density(
    X: np.ndarray, y: np.ndarray, people: np.ndarray, train: np.ndarray, test: np.ndarray
) -> float:
    """Mean Gaussian log-density of the test trials, in nats.

    Least squares with an intercept per subject is least squares within subjects (Frisch-Waugh).
    """
    from scipy.stats import norm

    table = np.column_stack([X, y])
    counts = np.maximum(np.bincount(people[train]), 1)
    sums = [np.bincount(people[train], column) for column in table[train].T]
    within = table - (np.stack(sums) / counts)[:, people].T
    # Columns without variance within subjects are zero but for rounding.
    scale = np.linalg.norm(table[train, :-1] - table[train, :-1].mean(axis=0), axis=0)
    scale = np.where(scale > 0, scale, 1)
    u, sizes, v = np.linalg.svd(within[train, :-1] / scale, full_matrices=False)
    kept = sizes > 1e-9
    weights = (v[kept].T / sizes[kept]) @ (u[:, kept].T @ within[train, -1]) / scale
    residual = within[:, -1] - within[:, :-1] @ weights
    free = len(train) - len(set(people[train].tolist())) - int(kept.sum())
    spread = np.sqrt(np.square(residual[train]).sum() / free)
    return float(norm.logpdf(residual[test], scale=spread).mean())


def _checked(
    table: pandas.DataFrame,
    response: str,
    fixed: Sequence[str],
    labels: Sequence[str],
    slopes: Sequence[str],
    fewest: int = 5,
) -> pandas.DataFrame:
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
            f"column with some: {name!r}): drop them before, and say so"
        )
    for name in numeric:
        if np.ptp(data[name].to_numpy(float)) == 0:
            raise ValueError(f"{name!r} is constant over all {len(data)} trials: leave it out")
    for name in labels:
        if data[name].isna().any():
            raise ValueError(
                f"{name!r} is missing in {int(data[name].isna().sum())} of {len(data)} trials: "
                "drop them before, and say so"
            )
        if data[name].nunique() < fewest:
            raise ValueError(
                f"{name!r} has {data[name].nunique()} levels, too few: at least {fewest} are needed"
            )
    return data
