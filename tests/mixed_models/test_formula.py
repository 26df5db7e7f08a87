"""lme4's and lmerTest's estimates (made by tests/oracles/lme4.R), statsmodels, and identities."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy

from brainlm.mixed_models import _fit as _mixed
from brainlm.mixed_models import _likelihood as _mixed_likelihood
from brainlm.mixed_models._likelihood import Factor, cross_products, profile
from brainlm.mixed_models.formula import fit_formula, likelihood_ratio
from brainlm.mixed_models.regression import MixedModelWarning

TOL = 1e-4
ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "lme4.json").read_text("utf-8"))


def small(name):
    return pd.DataFrame({k: v for k, v in ORACLE["data"][name].items() if k != "source"})


def ucl(name):
    path = Path(os.environ.get("BRAINLM_DATA", "nowhere"), "ucl_subjects", "analysis", name)
    if not path.is_file():
        pytest.skip(f"needs ucl_subjects/analysis/{name} under BRAINLM_DATA")
    table = pd.read_csv(path, sep="\t", keep_default_na=False, na_values=[""])
    table = table[~table["reject_data"] & ~table["reject_word"]]
    return table.assign(prevfix=table["prevfix"].astype(float)) if "prevfix" in table else table


def data_of(name):
    files = {"ucl_gaze": "data_ET.csv", "ucl_erp": "data_EEG.csv"}
    return ucl(files[name]) if name in files else small(name)


def named(fit):
    return f"{fit['data']}, {fit['formula']}, {'REML' if fit['reml'] else 'ML'}"


@pytest.mark.parametrize("theirs", ORACLE["fits"], ids=named)
def test_estimates_are_those_of_lme4_and_lmertest(theirs):
    found = fit_formula(theirs["formula"], data_of(theirs["data"]), reml=theirs["reml"])
    assert found.n_trials == theirs["n_trials"]
    assert found.log_likelihood == pytest.approx(theirs["log_likelihood"], abs=1e-4)
    se = np.array(theirs["se"])
    np.testing.assert_allclose(
        found.terms["coefficient"] / se, theirs["coefficient"] / se, atol=TOL
    )
    np.testing.assert_allclose(found.terms["se"], se, rtol=TOL)
    np.testing.assert_allclose(found.terms["df"], theirs["df"], rtol=1e-3)
    assert found.residual == pytest.approx(theirs["residual"], rel=TOL)
    theirs_of: dict[frozenset, list[np.ndarray]] = {}
    for name, covariance in theirs["covariances"].items():  # "a.1": a second term of the factor a
        parts = frozenset(part for part in re.split("[:.]", name) if not part.isdigit())
        theirs_of.setdefault(parts, []).append(np.array(covariance))
    assert {frozenset(name.split(":")) for name in found.covariances} == set(theirs_of)
    for name, ours in found.covariances.items():
        expected = theirs_of[frozenset(name.split(":"))]
        if len(expected) > 1:
            variances = np.sort(np.diag(ours))
            np.testing.assert_allclose(variances, np.sort(np.ravel(expected)), rtol=TOL)
            continue
        sd = np.sqrt(np.diag(expected[0]))
        scale = np.outer(sd, sd)
        np.testing.assert_allclose(ours / scale, expected[0] / scale, atol=TOL)


def study(rng, n_subjects=15, n_items=25, n_trials=600):
    """Crossed subjects and items, unbalanced, with correlated slopes of both."""
    s, i = rng.integers(0, n_subjects, n_trials), rng.integers(0, n_items, n_trials)
    x, z = rng.standard_normal((2, n_trials))
    by_s = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 0.8]], n_subjects)[s]
    by_i = rng.multivariate_normal([0, 0], [[0.5, -0.2], [-0.2, 0.3]], n_items)[i]
    y = 2 + 0.4 * x + by_s[:, 0] + by_i[:, 0] + by_s[:, 1] * x + by_i[:, 1] * z
    y = y + rng.standard_normal(n_trials)
    return pd.DataFrame({"y": y, "x": x, "z": z, "s": s, "i": i.astype(str)})


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("share", [0.05, 2.0])  # products dense, and sparse
def test_profile_is_the_likelihood_of_the_dense_model(rng, monkeypatch, reml, share):
    monkeypatch.setattr(_mixed_likelihood, "DENSE", share)
    table = study(rng, n_trials=200)
    X = np.column_stack([np.ones(200), table["x"], table["z"]])
    y, codes = table["y"].to_numpy(), [pd.factorize(table[name])[0] for name in ("i", "s")]
    codes.append(codes[1] // 3)
    factors = [
        Factor(codes[0], X[:, [0, 2]], (2,)),
        Factor(codes[1], X, (2, 1)),
        Factor(codes[2], X[:, :1], (1,)),
    ]
    roots = [rng.standard_normal((k, k)) for k in (2, 3, 1)]
    roots[1] = scipy.linalg.block_diag(roots[1][:2, :2], 0.3)
    products = cross_products(y, X, factors)

    def dense(roots):
        V = np.eye(200)
        for factor, L in zip(factors, roots, strict=True):
            Z = np.zeros((200, factor.n_levels * len(L)))
            for j in range(len(L)):
                Z[np.arange(200), factor.codes * len(L) + j] = factor.columns[:, j]
            V += Z @ np.kron(np.eye(factor.n_levels), L @ L.T) @ Z.T
        A = X.T @ np.linalg.solve(V, X)
        b = np.linalg.solve(A, X.T @ np.linalg.solve(V, y))
        rss, n = (y - X @ b) @ np.linalg.solve(V, y - X @ b), 200 - 3 * reml
        logs = np.linalg.slogdet(V)[1] + reml * np.linalg.slogdet(A)[1]
        return logs + n * (1 + np.log(2 * np.pi * rss / n)), b, np.linalg.inv(A)

    step = profile(roots, products, reml)
    deviance, b, covariance = dense(roots)
    assert step.deviance == pytest.approx(deviance, rel=1e-12)
    np.testing.assert_allclose(step.coefficients, b)
    np.testing.assert_allclose(step.covariance, covariance)
    for g, (L, slope) in enumerate(zip(roots, step.slopes, strict=True)):
        for entry in np.ndindex(L.shape):
            if L[entry] != 0:
                ends = []
                for move in (-1e-5, 1e-5):
                    moved = [M.copy() for M in roots]
                    moved[g][entry] += move
                    ends.append(dense(moved)[0])
                expected = (ends[1] - ends[0]) / 2e-5
                assert 2 * (slope @ L)[entry] == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("reml", [True, False])
def test_nested_models_are_those_of_statsmodels(rng, reml):
    from statsmodels.regression.mixed_linear_model import MixedLM

    table = study(rng)
    found = fit_formula("y ~ x + z + (1 + x | s)", table, reml=reml)
    theirs = MixedLM.from_formula("y ~ x + z", table, re_formula="1 + x", groups="s").fit(reml=reml)
    assert found.log_likelihood == pytest.approx(theirs.llf, abs=1e-4)
    np.testing.assert_allclose(found.terms["coefficient"], theirs.fe_params, atol=1e-4)
    np.testing.assert_allclose(found.covariances["s"], theirs.cov_re, atol=1e-3)


def test_estimates_follow_the_units_and_warnings_do_not(rng):
    table = study(rng)
    formula = "y ~ x + z + (1 + x | s) + (1 + z | i)"
    plain = fit_formula(formula, table)
    other = fit_formula(
        formula, table.assign(y=1e-3 * table["y"] + 7, x=1e4 * table["x"], z=table["z"] / 50)
    )
    units = np.array([1, 1e-4, 50]) * 1e-3
    np.testing.assert_allclose(
        other.terms["coefficient"] - [7, 0, 0], plain.terms["coefficient"] * units, rtol=1e-5
    )
    np.testing.assert_allclose(other.terms["df"], plain.terms["df"], rtol=1e-3)
    scale = np.outer(units[:2], units[:2])
    np.testing.assert_allclose(other.covariances["s"], plain.covariances["s"] * scale, rtol=1e-3)
    assert not plain.notes
    assert not other.notes


def test_no_start_finds_a_higher_likelihood(rng):
    """Small studies with variances of zero, where optimisers stop at false borders."""
    from scipy.optimize import minimize

    for _ in range(6):
        table = study(rng, n_subjects=6, n_items=8, n_trials=90)
        table["y"] = rng.standard_normal(90) + 0.3 * (rng.standard_normal(6) * [[1]])[0][table["s"]]
        X = np.column_stack([np.ones(90), table["x"]])
        factors = [
            Factor(pd.factorize(table["i"])[0], X, (2,)),
            Factor(pd.factorize(table["s"])[0], X, (2,)),
        ]
        found = _mixed.fit(table["y"].to_numpy(), X, factors, reml=False)
        products = cross_products(table["y"].to_numpy(), X, factors)

        def deviance(theta, products=products):
            roots = list(theta.reshape(2, 2, 2))
            step = profile(roots, products, False)
            slopes = [2 * g @ L for g, L in zip(step.slopes, roots, strict=True)]
            return step.deviance, np.ravel(slopes)

        best = min(
            minimize(deviance, rng.standard_normal(8), jac=True, method="L-BFGS-B").fun
            for _ in range(5)
        )
        assert -2 * found.log_likelihood < best + 1e-4


def test_a_variance_of_zero_is_zero_and_said(rng):
    table = study(rng).assign(y=rng.standard_normal(600))
    table["y"] -= table.groupby("s")["y"].transform("mean")
    with pytest.warns(MixedModelWarning, match=r"the variance of 'Intercept \| s' is zero"):
        found = fit_formula("y ~ x + (1 | s)", table)
    assert found.covariances["s"].iloc[0, 0] == 0
    least = np.linalg.lstsq(np.column_stack([np.ones(600), table["x"]]), table["y"])[0]
    np.testing.assert_allclose(found.terms["coefficient"], least)


@pytest.mark.filterwarnings("ignore::brainlm.mixed_models.regression.MixedModelWarning")
def test_formulas_of_one_model_agree(rng):
    table = study(rng).assign(**{"a name": lambda t: t["x"], "half": lambda t: t["s"] % 2})
    bars = fit_formula("y ~ x + (1 + x || s) + (1 | i)", table)
    for formula in (
        "y ~ 1 + x + (1 | s) + (0 + x | s) + (1 | i)",
        "y ~ (1 | i) + (1 + x || s) + x",
        "y ~ `a name` + (1 + `a name` || s) + (1 | i)",
    ):
        other = fit_formula(formula, table)
        assert other.log_likelihood == pytest.approx(bars.log_likelihood, abs=1e-6)
    assert list(other.terms.index) == ["Intercept", "a name"]
    assert np.isnan(bars.covariances["s"].loc["x", "Intercept"])
    assert (bars.n_parameters, bars.n_levels) == (6, {"s": 15, "i": 25})
    nested = fit_formula("y ~ x + (1 | half / s)", table, reml=False)
    assert nested.n_levels == {"half": 2, "half:s": 15}


def test_likelihood_ratios_count_parameters(rng):
    table = study(rng)
    fits = [
        fit_formula(f"y ~ {fixed} + (1 + x {bar} s) + (1 | i)", table, reml=False)
        for fixed, bar in (("1", "|"), ("x", "||"), ("x", "|"))
    ]
    slope = likelihood_ratio(fits[0], fits[2])
    ratio = 2 * (fits[2].log_likelihood - fits[0].log_likelihood)
    assert (slope.df, slope.chi2) == (1, pytest.approx(ratio))
    assert slope.p == pytest.approx(scipy.stats.chi2.sf(ratio, 1))
    assert likelihood_ratio(fits[1], fits[2]).df == 1
    with pytest.raises(ValueError, match="is not nested"):
        likelihood_ratio(fits[2], fits[0])
    both = [fit_formula(f"y ~ {fixed} + (1 | s)", table) for fixed in ("1", "x")]
    with pytest.raises(ValueError, match="reml=False"):
        likelihood_ratio(*both)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ X + (1 | s)", "unknown column 'X'"),
        ("y ~ x + (1 | S)", "unknown column 'S'"),
        ("y ~ x + (1 + zz | s)", "Did you mean 'z'"),
        ("y ~ x", "no random effects"),
        ("y ~ x * (1 | s)", "no random effects that can be read"),
        ("y + x", "one '~'"),
        ("y ~ x +* z + (1 | s)", "cannot be computed"),
        ("y ~ x + z + twice + (1 | s)", "rank 3 of 4"),
        ("y ~ gap + (1 | s)", "missing"),
        ("log(0 * x) ~ x + (1 | s)", "infinite in 600 of 600"),
        ("y ~ text + (1 | s)", "text with 600 values"),
        ("i ~ x + (1 | s)", "must be one column of numbers"),
        ("y ~ x + (1 | one)", "one level"),
        ("y ~ x + (1 | hole)", "missing levels"),
        ("y ~ x + (1 | trial)", "600 levels with 1 random effects each"),
        ("y ~ x + (1 | s) + (1 + x | s)", "name one twice"),
        ("x ~ x + (1 | s)", "predict every trial exactly"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_bad_formulas_are_refused(rng, formula, message):
    table = study(rng).assign(one=1, trial=np.arange(600), text=lambda t: t["y"].astype(str))
    table["twice"] = 2 * table["x"]
    table["gap"] = np.r_[np.nan, np.arange(599.0)]
    table["hole"] = ["a", None, "b"] * 200
    with pytest.raises(ValueError, match=message):
        fit_formula(formula, table)
