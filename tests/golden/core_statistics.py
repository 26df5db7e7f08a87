"""Golden cases of RDMs, searchlights, noise ceilings, tests and mixed models."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pandas as pd
from golden.cases import Arrays, arrays, register
from scipy import sparse

from brainlm.encoding.splits import ContiguousBlocks
from brainlm.mixed_models.formula import fit_formula, likelihood_ratio
from brainlm.mixed_models.gains import held_out_gain, likelihood_gain
from brainlm.mixed_models.regression import fit_mixed
from brainlm.rsa.rdm import compare_rdms, permuted_comparisons, rdm
from brainlm.rsa.rdm_models import bootstrap_rdms, compare_partial, rdm_noise_ceiling, regress_rdms
from brainlm.rsa.searchlight import pattern_searchlight, volume_neighbourhoods
from brainlm.stats.noise_ceiling import leave_one_subject_out, normalised, repeat_ceiling
from brainlm.stats.paired import (
    block_means,
    fold_difference,
    fold_half_width,
    null_difference_p,
    paired_difference,
    random_difference_p,
)
from brainlm.stats.permutation import fdr, max_statistic_p, permutation_p
from brainlm.stats.ranking import rank_models

case = register("statistics")
COMPARISONS = (
    "spearman",
    "pearson",
    "kendall",
    "cosine",
    "tau-a",
    "rho-a",
    "whitened cosine",
    "whitened pearson",
)


@case
def dissimilarities() -> Arrays:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 15)) + 0.3
    metrics = ("correlation", "cosine", "euclidean")
    first, second = rng.integers(0, 9, (2, 66)) + 0.5
    rng.standard_normal(3 * 8 * 6 + 8 * 6 + 30 * 6)  # drawn when the numbers were recorded
    rdms = np.array([rdm(X + k * rng.standard_normal((20, 15))) for k in range(4)])
    return arrays(
        rdm={name: rdm(X, name) for name in metrics},
        compared={name: compare_rdms(first, second, name) for name in COMPARISONS},
        permuted=permuted_comparisons(rdms, rdm(X), n_permutations=20, seed=2),
    )


@case
def inference_on_dissimilarities() -> Arrays:
    rng = np.random.default_rng(1)
    shared = rng.standard_normal((12, 20))
    rdms = np.array([rdm(shared + 1.5 * rng.standard_normal((12, 20))) for _ in range(6)])
    models = np.array([rdm(shared + k * rng.standard_normal((12, 20))) for k in (1, 3)])
    methods = ("spearman", "pearson")
    found = {}
    for method in ("rho-a", "spearman", "cosine"):
        boot = bootstrap_rdms(rdms, models, method, n_draws=30)
        found[method] = [boot.values, boot.covariance, boot.standard_error]
        found[f"{method} difference"] = np.array(boot.difference(0, 1))
    items = bootstrap_rdms(rdms[:1], models, over=("items",), n_draws=20, seed=3)
    return arrays(
        partial={m: compare_partial(models[0], rdms[0], models[1], m) for m in methods},
        ceiling={m: np.array(rdm_noise_ceiling(rdms, m)) for m in methods},
        regressed=list(regress_rdms(models, rdms[0])),
        free=list(regress_rdms(models, -rdms[0], non_negative=False)),
        bootstrap=found,
        items=items.values,
    )


@case
def searchlights() -> Arrays:
    data = np.zeros((6, 6, 6), dtype=np.int8)
    data[1:5, 1:5, 1:5] = 1
    cube = nib.Nifti1Image(data, np.diag([2.0, 2.0, 2.0, 1.0]))
    rng = np.random.default_rng(2)
    X, Y = rng.standard_normal((30, 20)), rng.standard_normal((30, 64))
    Y[:, :20] += X
    blocks = sparse.csr_array(np.kron(np.eye(4), np.ones((16, 16))).astype(bool))
    split = ContiguousBlocks(3)
    return arrays(
        spheres=volume_neighbourhoods(cube, 2.9).astype(int),
        patterns=pattern_searchlight(Y + rng.standard_normal(Y.shape), Y, split, blocks),
    )


@case
def noise_ceilings() -> Arrays:
    rng = np.random.default_rng(3)
    data = rng.standard_normal((5, 60, 3)) + rng.standard_normal((60, 3))
    folds = np.array_split(np.arange(60), 3)
    isc = rng.uniform(0, 0.6, (4, 9))
    return arrays(
        left_out=leave_one_subject_out(data),
        in_folds=leave_one_subject_out(data, folds),
        repeats=repeat_ceiling(data),
        normalised=normalised(isc[0], isc[1]),
    )


@case
def differences() -> Arrays:
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((2, 25))
    a += 0.4
    null, other = rng.standard_normal((2, 60)) / 5
    values, runs = rng.standard_normal((40, 3)), np.repeat(["a", "b"], 20)
    pairs = {"few": paired_difference(a[:8], b[:8]), "many": paired_difference(a, b, n_flips=500)}
    return arrays(
        paired={name: _numbers(found) for name, found in pairs.items()},
        folds=_numbers(fold_difference(a[:5], b[:5], 0.25)),
        half=fold_half_width(values, 0.25),
        null=null_difference_p(0.2, null, other),
        random=random_difference_p(0.2, null, other),
        blocks=block_means(values, 4, runs),
    )


def _numbers(found: object) -> np.ndarray:
    return np.array([getattr(found, name) for name in ("mean", "low", "high", "p", "n_units")])


@case
def rankings() -> Arrays:
    rng = np.random.default_rng(5)
    scores = rng.standard_normal((8, 5)) + np.linspace(0, 1, 5)
    plain = rank_models(scores, list("abcde"))
    grouped = rank_models(scores, list("abcde"), groups=list("xxyyzzvw"))
    parts = ("ranks", "mean", "low", "high", "p", "critical_difference", "wins")
    return arrays(
        plain={name: getattr(plain, name) for name in parts},
        grouped={name: getattr(grouped, name) for name in parts},
    )


@case
def p_values() -> Arrays:
    rng = np.random.default_rng(6)
    observed, null = rng.standard_normal(12) / 2 + 1, rng.standard_normal((99, 12))
    p = permutation_p(observed, null)
    return arrays(p=p, max=max_statistic_p(observed, null), q=fdr(p))


def trials(n_subjects: int = 12, n_items: int = 20) -> pd.DataFrame:
    """Return simulated reading times of crossed subjects and items."""
    rng = np.random.default_rng(7)
    subject, item = np.divmod(np.arange(n_subjects * n_items), n_items)
    surprisal, length = rng.standard_normal((2, n_items))
    load = rng.standard_normal(len(item))
    slope = 0.5 + 0.7 * rng.standard_normal(n_subjects)
    y = slope[subject] * surprisal[item] + 0.3 * length[item] + 0.2 * load
    y = y + rng.standard_normal(n_subjects)[subject] + 0.5 * rng.standard_normal(n_items)[item]
    return pd.DataFrame(
        {
            "rt": y + rng.standard_normal(len(item)),
            "surprisal": surprisal[item],
            "length": length[item],
            "load": load,
            "subject": subject.astype(str),
            "item": item.astype(str),
            "sentence": (item // 2).astype(str),
        }
    )


@case
def mixed_models() -> Arrays:
    table, found = trials(), {}
    given = {"subject": "subject", "item": "item"}
    fits = {
        "smaller": fit_mixed(table, "rt", ["length"], slopes=["surprisal"], **given),
        "larger": fit_mixed(table, "rt", ["length", "surprisal"], slopes=["surprisal"], **given),
        "correlated": fit_mixed(table, "rt", ["surprisal"], correlated=True, **given),
        "by subject": fit_mixed(table, "rt", ["surprisal"], subject="subject"),
        "all slopes": fit_mixed(table, "rt", ["surprisal", "load"], **given),
    }
    for name, fit in fits.items():
        found[name] = {
            "terms": fit.terms,
            "log_likelihood": fit.log_likelihood,
            "variances": fit.variances,
            "correlations": fit.correlations,
            "counts": np.array([fit.n_trials, fit.n_subjects, fit.n_items, fit.n_units, fit.df]),
        }
    held_out, level = held_out_gain(
        table, "rt", ["length"], ["surprisal"], groups="sentence", subject="subject", n_splits=4
    )
    return arrays(
        fit=found,
        gain=likelihood_gain(fits["smaller"], fits["larger"]),
        held_out=_numbers(held_out),
        level=level,
    )


@case
def mixed_formulas() -> Arrays:
    table, found = trials(), {}
    smaller = "rt ~ length + (1 + surprisal | subject) + (1 | item)"
    formulas = {
        "smaller": smaller,
        "larger": smaller.replace("length", "length + surprisal"),
        "uncorrelated": "rt ~ surprisal * load + (1 + load || subject) + (1 + load || item)",
        "nested": "rt ~ surprisal + (1 | subject/sentence)",
    }
    fits = {}
    for name, formula in formulas.items():
        for reml in (True, False):
            fit = fits[name, reml] = fit_formula(formula, table, reml=reml)
            found[f"{name} {'REML' if reml else 'ML'}"] = {
                "terms": fit.terms,
                "covariances": fit.covariances,
                "residual": fit.residual,
                "log_likelihood": fit.log_likelihood,
                "n_parameters": fit.n_parameters,
            }
    ratio = likelihood_ratio(fits["smaller", False], fits["larger", False])
    return arrays(fit=found, ratio=ratio)
