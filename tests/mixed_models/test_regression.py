import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from brainlm.encoding.splits import Groups
from brainlm.mixed_models.formula import fit_formula
from brainlm.mixed_models.gains import held_out_gain, likelihood_gain
from brainlm.mixed_models.regression import MixedModelWarning, fit_mixed


def trials(rng, *, effect=0.5, n_subjects=20, n_items=30):
    subject, item = np.divmod(np.arange(n_subjects * n_items), n_items)
    surprisal, length = rng.standard_normal((2, n_items))
    y = effect * surprisal[item] + 0.3 * length[item] + rng.standard_normal(n_subjects)[subject]
    y = y + 0.3 * rng.standard_normal(n_items)[item] + rng.standard_normal(len(item))
    return pd.DataFrame(
        {
            "rt": y,
            "surprisal": surprisal[item],
            "length": length[item],
            "subject": subject.astype(str),
            "item": item.astype(str),
            "sentence": (item // 3).astype(str),
        }
    )


def test_crossed_effects_are_those_of_the_formula_interface(rng):
    from statsmodels.formula.api import mixedlm

    table = trials(rng)
    found = fit_mixed(
        table, "rt", ["surprisal", "length"], subject="subject", item="item", slopes=()
    )
    theirs = mixedlm(
        "rt ~ surprisal + length",
        table.assign(one=1),
        groups="one",
        vc_formula={"subject": "0 + C(subject)", "item": "0 + C(item)"},
    ).fit(reml=False)
    np.testing.assert_allclose(found.terms["coefficient"], theirs.fe_params, atol=1e-4)
    assert found.log_likelihood == pytest.approx(theirs.llf, abs=1e-4)
    np.testing.assert_allclose(found.terms["se"], theirs.bse_fe * np.sqrt(20 / 19), rtol=1e-3)
    assert np.isnan(found.terms.loc["surprisal", "p"])  # no slopes, no test
    assert 0.2 < found.variances["subject"] < 3
    assert (found.n_trials, found.n_subjects, found.n_items) == (600, 20, 30)
    assert (found.n_units, found.df) == (20, 19)


def slopes_vary(table, rng, sd=0.7):
    n = table["subject"].nunique()
    return table.assign(
        rt=table["rt"]
        + (sd * rng.standard_normal(n))[table["subject"].astype(int)] * table["surprisal"]
    )


@pytest.mark.parametrize(("effect", "least", "most"), [(0.7, 0, 0.01), (0.0, 0.05, 1)])
def test_gain_of_an_effect_is_found_and_of_none_is_not(rng, effect, least, most):
    table = slopes_vary(trials(rng, effect=effect, n_items=20), rng)
    smaller, larger = (
        fit_mixed(table, "rt", fixed, subject="subject", item="item", slopes=["surprisal"])
        for fixed in (["length"], ["length", "surprisal"])
    )
    gain = likelihood_gain(smaller, larger)
    assert least <= gain.p <= most
    assert gain.per_trial == pytest.approx(gain.chi2 / 2 / 400)
    assert larger.formula == (
        "rt ~ 1 + length + surprisal + (1 + center(surprisal) || subject) + (1 | item)"
    )
    same = fit_formula(larger.formula, table, reml=False)
    assert same.log_likelihood == pytest.approx(larger.log_likelihood, abs=1e-6)
    with pytest.raises(ValueError, match="not nested"):
        likelihood_gain(larger, smaller)
    with pytest.raises(ValueError, match=r"slopes=\['surprisal'\]"):
        likelihood_gain(
            fit_mixed(table, "rt", ["length"], subject="subject", item="item", slopes=()), larger
        )


def test_readers_are_the_units_of_a_balanced_table(rng):
    from scipy.stats import ttest_1samp

    table = slopes_vary(trials(rng, effect=0.3, n_subjects=8), rng)
    table["surprisal"] -= table["surprisal"].mean()
    smaller, larger = (
        fit_mixed(table, "rt", fixed, subject="subject", slopes=["surprisal"])
        for fixed in ([], ["surprisal"])
    )
    slope = [np.polyfit(t["surprisal"], t["rt"], 1)[0] for _, t in table.groupby("subject")]
    expected = ttest_1samp(slope, 0)
    assert larger.df == expected.df
    assert larger.terms.loc["surprisal", "t"] == pytest.approx(expected.statistic, rel=1e-3)
    assert larger.terms.loc["surprisal", "p"] == pytest.approx(expected.pvalue, rel=1e-2)
    assert likelihood_gain(smaller, larger).p == pytest.approx(expected.pvalue, rel=1e-2)
    assert 0.2 < larger.variances["surprisal by subject"] < 2
    assert larger.n_items == 0


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
def test_small_variances_do_not_warn(rng, unit):
    table = slopes_vary(trials(rng), rng)
    table["log rt"] = unit * table["rt"]
    found = fit_mixed(
        table, "log rt", ["surprisal"], subject="subject", item="item", correlated=True
    )
    assert found.notes == ()
    assert found.formula == (
        "`log rt` ~ 1 + surprisal + (1 + center(surprisal) | subject) + (1 | item)"
    )
    same = fit_formula(found.formula, table, reml=False)
    assert same.log_likelihood == pytest.approx(found.log_likelihood, abs=1e-6)
    r = found.correlations["subject"].loc["subject", "surprisal by subject"]
    covariance = same.covariances["subject"].to_numpy()
    assert r == pytest.approx(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
    smaller = fit_mixed(table, "log rt", [], subject="subject", item="item", slopes=["surprisal"])
    with pytest.raises(ValueError, match="must vary by subject"):
        likelihood_gain(smaller, found)  # correlated in one of them only


def test_a_variance_of_zero_is_a_warning(rng):
    table = trials(rng).assign(rt=rng.standard_normal(600))
    table["rt"] -= table.groupby("item")["rt"].transform("mean")
    with pytest.warns(MixedModelWarning, match="the variance of 'item' is zero"):
        found = fit_mixed(table, "rt", ["surprisal"], subject="subject", item="item", slopes=())
    assert found.variances["item"] == 0


def test_slopes_by_item_exist_where_a_predictor_varies_within_items(rng):
    table = slopes_vary(trials(rng, n_items=15), rng)
    table["load"] = rng.standard_normal(len(table))
    table["rt"] += table["load"] * rng.standard_normal(15)[table["item"].astype(int)]
    table["rt"] += table["load"] * rng.standard_normal(20)[table["subject"].astype(int)]
    found = fit_mixed(table, "rt", ["surprisal", "load"], subject="subject", item="item")
    assert set(found.variances) == {
        "subject",
        "surprisal by subject",
        "load by subject",
        "item",
        "load by item",
        "residual",
    }
    assert (found.n_units, found.df) == (15, 13)  # one item goes to surprisal, one to the mean
    assert found.terms["p"].notna().all()


def test_held_out_gain_is_the_difference_of_gaussian_densities(rng):
    table = trials(rng, effect=1.0)
    gain, log_likelihood = held_out_gain(
        table, "rt", ["length"], ["surprisal"], groups="sentence", subject="subject", n_splits=5
    )
    assert gain.mean > 0.1
    assert gain.low > 0
    assert -2.5 < log_likelihood < -1
    nothing, _ = held_out_gain(
        trials(rng, effect=0.0), "rt", ["length"], ["surprisal"], groups="sentence"
    )
    assert abs(nothing.mean) < 0.02
    exact = table.assign(rt=table["surprisal"] + 1e-3 * rng.standard_normal(len(table)))
    assert held_out_gain(exact, "rt", ["length"], ["surprisal"], groups="sentence")[0].mean > 3


def test_held_out_gain_is_that_of_dummies(rng):
    table = trials(rng, n_subjects=6).iloc[rng.permutation(180)[:150]]
    table["age"] = rng.standard_normal(6)[table["subject"].astype(int)]  # constant within subjects
    gain, log_likelihood = held_out_gain(
        table,
        "rt",
        ["length", "age"],
        ["surprisal"],
        groups="sentence",
        subject="subject",
        n_splits=4,
    )
    y, dummies = table["rt"].to_numpy(), pd.get_dummies(table["subject"]).to_numpy(float)
    found = []
    for names in (["length"], ["length", "surprisal"]):  # age is a sum of the dummies
        X, means = np.hstack([dummies, table[names]]), []
        for train, test in Groups(table["sentence"].to_numpy(), 4).split(y):
            w = np.linalg.lstsq(X[train], y[train])[0]
            sd = np.sqrt(np.sum((y[train] - X[train] @ w) ** 2) / (len(train) - X.shape[1]))
            means.append(norm.logpdf(y[test], X[test] @ w, sd).mean())
        found.append(np.mean(means))
    assert log_likelihood == pytest.approx(found[1])
    assert gain.mean == pytest.approx(found[1] - found[0])
    nothing, _ = held_out_gain(table, "rt", [], ["age"], groups="sentence", subject="subject")
    assert nothing.mean == pytest.approx(0)


def test_readers_of_one_fold_are_named(rng):
    table = trials(rng)
    last = table["sentence"].isin(["8", "9"])
    rare = table[last | (table["subject"] != "7")]
    with pytest.raises(
        ValueError, match=r"subject '7' .* one of 2 folds.*use more folds \(up to 10"
    ):
        held_out_gain(
            rare, "rt", ["length"], ["surprisal"], groups="sentence", subject="subject", n_splits=2
        )
    gain, _ = held_out_gain(
        rare, "rt", ["length"], ["surprisal"], groups="sentence", subject="subject", n_splits=10
    )
    assert np.isfinite(gain.mean)
    once = table[(table["sentence"] == "9") | (table["subject"] != "7")]
    with pytest.raises(ValueError, match=r"subject '7' .*leave it out"):
        held_out_gain(once, "rt", [], ["surprisal"], groups="sentence", subject="subject")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fixed": ["surprise"]}, "Did you mean 'surprisal'"),
        ({"slopes": ["lenght"]}, "Did you mean 'length'"),
        ({"subject": "few"}, "2 levels"),
        ({"fixed": ["gap"]}, "1 of 600 trials"),
        ({"subject": "hole"}, "'hole' is missing in 200 of 600 trials"),
        ({"fixed": ["one"]}, "constant"),
        ({"fixed": ["length", "length"]}, "twice"),
        ({"fixed": ["length", "surprisal", "both"]}, "rank 3 of 4"),
    ],
)
def test_bad_tables_are_refused(rng, change, message):
    table = trials(rng).assign(one=1.0)
    table["both"] = table["length"] + table["surprisal"]
    table["few"] = np.arange(600) % 2
    table["hole"] = ["a", None, "b"] * 200
    table["gap"] = np.r_[np.nan, np.arange(599.0)]
    options = {"fixed": ["surprisal"], "subject": "subject", **change}
    with pytest.raises(ValueError, match=message):
        fit_mixed(table, "rt", options.pop("fixed"), **options)
