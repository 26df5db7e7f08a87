"""Mixed-effects regressions from lme4 formulas, with the tests of lmerTest.

`brainlm.mixed_models.regression.fit_mixed` chooses the random effects and tests for few readers;
here all of it is chosen by the formula. The likelihood is that of ``brainlm.mixed_models._fit``.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.errors import unknown_name
from brainlm.mixed_models._fit import Factor, MixedModelWarning, fit, singular_notes

if TYPE_CHECKING:
    import pandas

RANDOM = re.compile(r"(?:^|\+)\s*\(((?:[^()|]|\([^()]*\))+)(\|\|?)([^()|]+)\)")

MOST_LEVELS = 100  # of a categorical fixed effect


@dataclass(frozen=True, eq=False)
class FormulaFit:
    """A fitted linear mixed model.

    Attributes
    ----------
    terms : DataFrame
        Index = fixed effect, columns ``coefficient``, ``se``, ``df`` (Satterthwaite), ``t``, ``p``.
    covariances : dict of str to DataFrame
        Of the random effects of each grouping factor, in squared units of the response; NaN where
        the formula makes two effects independent.
    residual : float
        Residual variance.
    log_likelihood : float
        The restricted one where ``reml``.
    reml : bool
    n_trials : int
    n_levels : dict of str to int
        Of each grouping factor.
    n_parameters : int
        Fixed effects, variances and covariances.
    formula : str
    notes : tuple of str
        Variances that are zero and correlations of 1 or -1.
    """

    terms: pandas.DataFrame
    covariances: dict[str, pandas.DataFrame]
    residual: float
    log_likelihood: float
    reml: bool
    n_trials: int
    n_levels: dict[str, int]
    n_parameters: int
    formula: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LikelihoodRatio:
    """Likelihood-ratio test of nested models.

    Attributes
    ----------
    chi2 : float
        Twice the difference of log-likelihoods.
    df : int
        Difference of the numbers of parameters.
    p : float
    """

    chi2: float
    df: int
    p: float


def fit_formula(formula: str, table: pandas.DataFrame, *, reml: bool = True) -> FormulaFit:
    """Fit ``y = X b + Z u + e`` by restricted maximum likelihood, or by maximum likelihood.

    Parameters
    ----------
    formula : str
        ``response ~ fixed + (random | factor) + ...``, as in lme4. ``(1 + x | g)``: intercepts and
        slopes of x vary by g and are correlated; ``(1 + x || g)``: they are independent. ``g`` is a
        column, an interaction ``a:b``, or ``a/b`` (``a`` and ``a:b``). Names with spaces
        stand in backticks. The rest is read by patsy: ``a * b``, ``log(x)``, ``center(x)``.
    table : DataFrame
        A row per trial.
    reml : bool
        Likelihoods of models with other fixed effects are compared with ``reml=False``.

    Raises
    ------
    UnknownNameError
        A column that is not there.
    ValueError
        A formula that cannot be read or has no random effects, missing values, dependent
        predictors, or too few trials for the random effects.

    Warns
    -----
    MixedModelWarning
        A variance is zero, or a correlation 1 or -1.

    Notes
    -----
    Degrees of freedom are Satterthwaite's, as in lmerTest. They are for one coefficient at a time;
    with fewer than about ten subjects see `brainlm.mixed_models.regression.fit_mixed`.

    References
    ----------
    Bates, Maechler, Bolker & Walker 2015, doi 10.18637/jss.v067.i01; Kuznetsova, Brockhoff &
    Christensen 2017, doi 10.18637/jss.v082.i13.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> trials = pandas.DataFrame({"reader": np.repeat(list("abcdefgh"), 40)})
    >>> trials["surprisal"] = rng.exponential(5, 320)
    >>> trials["rt"] = 300 + 4 * trials["surprisal"] + rng.normal(0, 20, 320)
    >>> trials["rt"] += np.repeat(rng.normal(0, 50, 8), 40)
    >>> fit = fit_formula("rt ~ surprisal + (1 | reader)", trials)
    >>> bool(fit.terms.loc["surprisal", "p"] < 0.001)
    True
    """
    import pandas
    from scipy.stats import t as student

    response, fixed, random = _parts(formula)
    y, _ = _matrix(f"0 + {response}", table)
    if y.shape[1] != 1:
        raise ValueError(f"the response {response!r} must be one column of numbers")
    X, names = _matrix(fixed, table)
    factors, effects = _factors(random, table)
    rank = np.linalg.matrix_rank(X) if names else -1
    if rank < X.shape[1]:
        raise ValueError(
            f"the fixed effects {names} are not independent on these {len(y)} trials (rank {rank} "
            f"of {X.shape[1]}): leave out those that are sums of others"
        )
    found = fit(y[:, 0], X, list(factors.values()), reml=reml)
    notes = singular_notes(
        found, list(factors.values()), [[f"{e} | {g}" for e in effects[g]] for g in factors]
    )
    if notes:
        warnings.warn(f"{formula}: {'; '.join(notes)}", MixedModelWarning, stacklevel=2)
    se = np.sqrt(np.diag(found.covariance))
    t = found.coefficients / se
    columns = {
        "coefficient": found.coefficients,
        "se": se,
        "df": found.df,
        "t": t,
        "p": 2 * student.sf(np.abs(t), found.df),
    }
    covariances = {}
    for (group, factor), covariance in zip(factors.items(), found.covariances, strict=True):
        block = np.repeat(np.arange(len(factor.blocks)), factor.blocks)
        together = np.where(block[:, None] == block, covariance, np.nan)
        covariances[group] = pandas.DataFrame(together, effects[group], effects[group])
    return FormulaFit(
        pandas.DataFrame(columns, index=names),
        covariances,
        found.residual,
        found.log_likelihood,
        reml,
        len(y),
        {group: factor.n_levels for group, factor in factors.items()},
        found.n_parameters,
        formula,
        notes,
    )


def likelihood_ratio(smaller: FormulaFit, larger: FormulaFit) -> LikelihoodRatio:
    """Test the terms that only ``larger`` has, against chi-square.

    For fixed effects of few readers chi-square rejects too often
    (`brainlm.mixed_models.gains.likelihood_gain`); for a variance, which is zero at the border
    of what it can be, too rarely.

    Raises
    ------
    ValueError
        The fits are not nested, were made on other trials, or their likelihoods cannot be compared.
    """
    from scipy.stats import chi2

    df = larger.n_parameters - smaller.n_parameters
    parts = [
        {f"{group}: {name}" for group, names in fit.covariances.items() for name in names}
        for fit in (smaller, larger)
    ]
    nested = parts[0] <= parts[1] and set(smaller.terms.index) <= set(larger.terms.index)
    responses = {_parts(fit.formula)[0] for fit in (smaller, larger)}
    if df < 1 or not nested or smaller.n_trials != larger.n_trials or len(responses) > 1:
        raise ValueError(
            f"{smaller.formula!r} ({smaller.n_trials} trials) is not nested in {larger.formula!r} "
            f"({larger.n_trials} trials): fit both on the same trials, one with more effects"
        )
    same = list(smaller.terms.index) == list(larger.terms.index)
    if smaller.reml != larger.reml or (larger.reml and not same):
        raise ValueError(
            "restricted likelihoods of models with other fixed effects cannot be compared: fit "
            "both with reml=False"
        )
    ratio = max(2 * (larger.log_likelihood - smaller.log_likelihood), 0.0)
    return LikelihoodRatio(ratio, df, float(chi2.sf(ratio, df)))


def _parts(formula: str) -> tuple[str, str, list[tuple[str, bool, str]]]:
    """Response, fixed effects, and (effects, whether correlated, factor) of each random term."""
    if formula.count("~") != 1:
        raise ValueError(
            f"formula {formula!r} must have one '~', as in 'rt ~ surprisal + (1 | reader)'"
        )
    response, right = (part.strip() for part in formula.split("~"))
    fixed = RANDOM.sub("", right).strip().lstrip("+").strip() or "1"
    random = [
        (effects.strip(), bar == "|", group.strip())
        for effects, bar, group in RANDOM.findall(right)
    ]
    if not random or "|" in fixed or not response:
        raise ValueError(
            f"formula {formula!r} has no random effects that can be read: write them as "
            "'(1 + x | reader)', after a '+'"
        )
    return response, fixed, random


def _quoted(effects: str) -> str:
    """Names in backticks as patsy writes them."""
    return re.sub(r"`([^`]*)`", r'Q("\1")', effects)


def _matrix(effects: str, table: pandas.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Design matrix of one side of a formula, by patsy, and its column names."""
    import pandas
    import patsy

    for name in map(str, table.columns):
        used = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", effects)
        if used and not pandas.api.types.is_numeric_dtype(table[name]):
            n_levels = table[name].nunique()
            if n_levels > MOST_LEVELS:
                raise ValueError(
                    f"column {name!r} is text with {n_levels} values, which would be as many fixed "
                    "effects: convert it to numbers, or let it be random, as in '(1 | word)'"
                )
    functions = {"np": np, "log": np.log, "exp": np.exp, "sqrt": np.sqrt}
    try:
        found = patsy.dmatrix(
            _quoted(effects),
            table,
            eval_env=patsy.EvalEnvironment([functions]),
            NA_action=patsy.NAAction(on_NA="raise"),
        )
    except (patsy.PatsyError, SyntaxError) as error:
        if isinstance(error.__cause__, NameError):
            raise unknown_name("column", error.__cause__.name, table.columns) from error
        raise ValueError(f"{effects!r} cannot be computed: {str(error).splitlines()[0]}") from error
    names = [re.sub(r'Q\("([^"]*)"\)', r"\1", name) for name in found.design_info.column_names]
    bad = ~np.isfinite(found).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{effects!r} is infinite in {int(bad.sum())} of {len(table)} trials (the first: row "
            f"{int(np.argmax(bad))}): drop them first, and report it"
        )
    return np.asarray(found), names


def _factors(
    random: list[tuple[str, bool, str]], table: pandas.DataFrame
) -> tuple[dict[str, Factor], dict[str, list[str]]]:
    """Each grouping factor with its columns, and their names."""
    import patsy

    parts: dict[str, list[tuple[np.ndarray, list[str]]]] = {}
    for effects, correlated, group in random:
        terms = [effects]
        if not correlated:
            found = patsy.ModelDesc.from_formula(_quoted(effects)).rhs_termlist
            terms = [f"0 + {term.name()}" if term.factors else "1" for term in found]
        steps = [step.strip() for step in group.split("/")]
        for depth in range(len(steps)):
            name = ":".join(steps[: depth + 1])
            parts.setdefault(name, []).extend(_matrix(term, table) for term in terms)
    factors, labels = {}, {}
    for group, blocks in parts.items():
        labels[group] = [name for _, names in blocks for name in names]
        if len(set(labels[group])) < len(labels[group]):
            raise ValueError(f"the random effects of {group!r} name one twice: {labels[group]}")
        columns = np.hstack([Z for Z, _ in blocks])
        factors[group] = Factor(_codes(group, table), columns, tuple(Z.shape[1] for Z, _ in blocks))
    return factors, labels


def _codes(group: str, table: pandas.DataFrame) -> Any:
    names = [name.strip().strip("`") for name in group.split(":")]
    for name in names:
        if name not in table:
            raise unknown_name("column", name, table.columns)
    labels = table[names]
    if labels.isna().to_numpy().any():
        raise ValueError(f"{group!r} has missing levels: drop these trials first, and report it")
    codes = labels.groupby(names, sort=False, observed=True).ngroup().to_numpy()
    if codes.max() < 1:
        raise ValueError(f"{group!r} has one level: at least two are needed")
    return codes
