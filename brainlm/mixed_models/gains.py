"""Gain of added predictors: likelihood ratios and held-out log-likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from brainlm.mixed_models.regression import MixedFit, checked_table
from brainlm.stats.paired import Difference, fold_difference

if TYPE_CHECKING:
    import pandas


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


def likelihood_gain(smaller: MixedFit, larger: MixedFit) -> Gain:
    """Test predictors that only ``larger`` has (likelihood ratio).

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
    data = checked_table(table, response, [*baseline, *added], labels, (), fewest=2)
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
