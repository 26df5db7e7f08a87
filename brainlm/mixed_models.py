"""Mixed-effects regression of single trials (statsmodels), and what a predictor adds to it.

Reading times and ERPs of single trials vary by subject and by item at once; a regression over all
trials that ignores this counts people and words many times over. Random intercepts of both are
crossed; held-out log-likelihood says what a predictor is worth on sentences that were not fitted.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.errors import UnknownNameError, unknown_name
from brainlm.paired import Difference, fold_difference

if TYPE_CHECKING:
    import pandas

__all__ = ["Gain", "MixedFit", "MixedModelWarning", "fit_mixed", "held_out_gain", "likelihood_gain"]


class MixedModelWarning(UserWarning):
    """A mixed model did not converge, or one of its variances is zero."""


@dataclass(frozen=True, eq=False)
class MixedFit:
    """A fitted mixed-effects regression (maximum likelihood).

    Attributes
    ----------
    terms : DataFrame
        Index = fixed effect, columns ``coefficient``, ``se``, ``z``, ``p`` (Wald).
    log_likelihood : float
    variances : dict of str to float
        Of the random effects and of the residual, in squared units of the response.
    n_trials, n_subjects, n_items : int
        ``n_items`` is 0 without random items.
    formula : str
    notes : tuple of str
        Warnings of the optimisation.
    """

    terms: pandas.DataFrame
    log_likelihood: float
    variances: dict[str, float]
    n_trials: int
    n_subjects: int
    n_items: int
    formula: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Gain:
    """Likelihood-ratio test of added predictors.

    Attributes
    ----------
    chi2, p : float
    df : int
    per_trial : float
        Gain of log-likelihood per trial, in nats, on the fitted data.
    """

    chi2: float
    df: int
    p: float
    per_trial: float


def fit_mixed(
    table: pandas.DataFrame,
    response: str,
    fixed: Sequence[str],
    *,
    subject: str,
    item: str | None = None,
    slopes: Sequence[str] = (),
) -> MixedFit:
    """Fit ``y = X b + u_subject + w_item + e`` by maximum likelihood.

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
    slopes : sequence of str
        Fixed effects that also vary by subject (independent of its intercept).

    Raises
    ------
    UnknownNameError
        A column that is not there.
    ValueError
        Missing values, fewer than five subjects or items, a constant response or predictor.

    Notes
    -----
    Variance components of statsmodels, with all trials as one group, so that subjects and items
    can cross. Time grows with the cube of n_subjects + n_items.

    References
    ----------
    Baayen, Davidson & Bates 2008, doi 10.1016/j.jml.2007.12.005.
    """
    import pandas

    data = _checked(table, response, fixed, [subject, *([item] if item else [])], slopes)
    effects = {"subject": (data[subject], None)}
    effects |= {f"{name} by subject": (data[subject], data[name]) for name in slopes}
    if item is not None:
        effects["item"] = (data[item], None)
    design = np.column_stack([np.ones(len(data)), *(data[name].to_numpy(float) for name in fixed)])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError(
            f"the predictors {list(fixed)} are not independent on these {len(data)} trials (rank "
            f"{np.linalg.matrix_rank(design)} of {design.shape[1]} with the intercept): leave out "
            "those that are sums of others"
        )
    fitted, notes = _best_fit(
        data[response].to_numpy(float), design, _components(effects), response
    )
    if notes:
        warnings.warn(f"{response}: {'; '.join(notes)}", MixedModelWarning, stacklevel=2)
    n_fixed = len(fixed) + 1
    terms = pandas.DataFrame(
        {
            "coefficient": fitted.params[:n_fixed], "se": fitted.bse[:n_fixed],
            "z": fitted.tvalues[:n_fixed], "p": fitted.pvalues[:n_fixed],
        },
        index=["intercept", *fixed],
    )  # fmt: skip
    variances = dict(zip(effects, (float(v) for v in fitted.vcomp), strict=True))
    random = " + ".join(f"(1 | {name})" for name in effects)
    return MixedFit(
        terms, float(fitted.llf), {**variances, "residual": float(fitted.scale)}, len(data),
        int(data[subject].nunique()), 0 if item is None else int(data[item].nunique()),
        f"{response} ~ {' + '.join(['1', *fixed])} + {random}", notes,
    )  # fmt: skip


def _best_fit(
    y: np.ndarray, design: np.ndarray, components: Any, name: str
) -> tuple[Any, tuple[str, ...]]:
    """The most likely fit of three optimisers: each alone may stop at a saddle or a border."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    best: Any = None
    notes: tuple[str, ...] = ()
    for method in ("lbfgs", "cg", "powell"):
        model = MixedLM(y, design, groups=np.ones(len(y)), exog_vc=components)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                fitted = model.fit(reml=False, method=[method])
            except np.linalg.LinAlgError:
                continue
        if fitted.converged and (best is None or fitted.llf > best.llf + 1e-6):
            best = fitted
            notes = tuple(dict.fromkeys(str(w.message).split("\n")[0] for w in caught))
    if best is None:
        raise ValueError(
            f"the mixed model of {name!r} did not converge: standardise the predictors, leave out "
            "slopes, or use more trials per subject and item"
        )
    return best, notes


def _components(effects: dict[str, tuple[Any, Any]]) -> Any:
    """Design matrices of the random effects, all trials in one group."""
    import pandas
    from statsmodels.regression.mixed_linear_model import VCSpec

    matrices, columns = [], []
    for labels, slope in effects.values():
        codes, names = pandas.factorize(labels)
        Z = np.zeros((len(labels), len(names)))
        Z[np.arange(len(labels)), codes] = 1.0 if slope is None else slope.to_numpy(float)
        matrices.append([Z])
        columns.append([[str(name) for name in names]])
    return VCSpec(list(effects), columns, matrices)


def likelihood_gain(smaller: MixedFit, larger: MixedFit) -> Gain:
    """Test predictors that ``larger`` has and ``smaller`` has not (likelihood ratio, chi-square).

    Raises
    ------
    ValueError
        The fits are not nested, or were made on other trials.
    """
    from scipy.stats import chi2

    added = [name for name in larger.terms.index if name not in smaller.terms.index]
    nested = set(smaller.terms.index) <= set(larger.terms.index)
    if not added or not nested or smaller.n_trials != larger.n_trials:
        raise ValueError(
            f"{smaller.formula!r} ({smaller.n_trials} trials) is not nested in {larger.formula!r} "
            f"({larger.n_trials} trials): fit both on the same trials, one with more predictors"
        )
    ratio = 2 * (larger.log_likelihood - smaller.log_likelihood)
    ratio = max(ratio, 0.0)  # two optimisations may end 1e-8 apart
    p = float(chi2.sf(ratio, len(added)))
    return Gain(float(ratio), len(added), p, float(ratio / 2 / larger.n_trials))


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
        Column with an intercept each; all must occur in every training set.
    n_splits : int
        Folds, of neighbouring groups; they are the units of the test.

    Returns
    -------
    gain : Difference
        In nats per trial over folds, with the interval and the two-sided p value of
        `brainlm.paired.fold_difference`: for new sentences and these subjects.
    log_likelihood : float
        Mean log-density of a held-out trial under the larger model, in nats.

    References
    ----------
    Goodkind & Bicknell 2018; Wilcox et al. 2020, arXiv 2006.01912 (delta log-likelihood).
    """
    from brainlm.splits import Groups

    labels = [groups, *([subject] if subject else [])]
    data = _checked(table, response, [*baseline, *added], labels, (), fewest=2)
    y = data[response].to_numpy(float)
    larger = data[[*baseline, *added]].to_numpy(float)
    smaller = larger[:, : len(baseline)]
    people = np.ones((len(data), 1))
    if subject is not None:
        people = (data[subject].to_numpy()[:, None] == np.unique(data[subject])[None]).astype(float)
    density: list[list[float]] = []
    sizes: list[tuple[int, int]] = []
    for train, test in Groups(data[groups].astype(str).to_numpy(), n_splits).split(y):
        if (people[train].sum(axis=0) == 0).any():
            raise ValueError(f"a {subject} has trials in one fold only: use fewer folds")
        pair = [_density(np.hstack([people, X]), y, train, test) for X in (smaller, larger)]
        density.append(pair)
        sizes.append((len(test), len(train)))
    small, large = np.array(density).T
    n_test, n_train = np.array(sizes).mean(axis=0)
    return fold_difference(large, small, n_test / n_train), float(large.mean())


def _density(X: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    """Mean Gaussian log-density of the test trials, in nats."""
    from scipy.stats import norm

    weights, _, rank, _ = np.linalg.lstsq(X[train], y[train], rcond=None)
    residual = y[train] - X[train] @ weights
    scale = np.sqrt(np.square(residual).sum() / (len(train) - rank))
    return float(norm.logpdf(y[test], X[test] @ weights, scale).mean())


def _checked(
    table: pandas.DataFrame,
    response: str,
    fixed: Sequence[str],
    labels: Sequence[str],
    slopes: Sequence[str],
    fewest: int = 5,
) -> pandas.DataFrame:
    for name in (response, *fixed, *labels):
        if name not in table:
            raise unknown_name("column", name, table.columns)
    unknown = [name for name in slopes if name not in fixed]
    if unknown:
        raise UnknownNameError(f"slopes {unknown} are no fixed effects: add them to fixed")
    if len(set(fixed)) < len(fixed):
        raise ValueError(f"fixed names a predictor twice: {list(fixed)}")
    data = table[list(dict.fromkeys([response, *fixed, *labels]))]
    numbers = data[[response, *fixed]].to_numpy(float)
    bad = ~np.isfinite(numbers)
    if bad.any():
        name = [response, *fixed][int(np.argmax(bad.any(axis=0)))]
        raise ValueError(
            f"{int(bad.any(axis=1).sum())} of {len(data)} trials have missing values (the first "
            f"column with some: {name!r}): drop them before, and say so"
        )
    for name in (response, *fixed):
        if np.ptp(data[name].to_numpy(float)) == 0:
            raise ValueError(f"{name!r} is constant over all {len(data)} trials: leave it out")
    for name in labels:
        if data[name].nunique() < fewest:
            raise ValueError(
                f"{name!r} has {data[name].nunique()} levels, too few: at least {fewest} are needed"
            )
    return data
