import numpy as np
import pandas as pd
import pytest

from brainlm.mixed_models import fit_mixed, held_out_gain, likelihood_gain


def trials(rng, *, effect=0.5, n_subjects=20, n_items=30):
    subject, item = np.divmod(np.arange(n_subjects * n_items), n_items)
    surprisal, length = rng.standard_normal((2, n_items))
    y = effect * surprisal[item] + 0.3 * length[item] + rng.standard_normal(n_subjects)[subject]
    y = y + 0.3 * rng.standard_normal(n_items)[item] + rng.standard_normal(len(item))
    return pd.DataFrame(
        {
            "rt": y, "surprisal": surprisal[item], "length": length[item],
            "subject": subject.astype(str), "item": item.astype(str),
            "sentence": (item // 3).astype(str),
        }
    )  # fmt: skip


def test_crossed_effects_are_those_of_the_formula_interface(rng):
    from statsmodels.formula.api import mixedlm

    table = trials(rng)
    found = fit_mixed(table, "rt", ["surprisal", "length"], subject="subject", item="item")
    theirs = mixedlm(
        "rt ~ surprisal + length", table.assign(one=1), groups="one",
        vc_formula={"subject": "0 + C(subject)", "item": "0 + C(item)"},
    ).fit(reml=False)  # fmt: skip
    np.testing.assert_allclose(found.terms["coefficient"], theirs.fe_params, atol=1e-3)
    assert found.log_likelihood == pytest.approx(theirs.llf, abs=1e-2)
    assert found.terms.loc["surprisal", "p"] < 0.001
    assert 0.2 < found.variances["subject"] < 3
    assert (found.n_trials, found.n_subjects, found.n_items) == (600, 20, 30)


def test_gain_of_an_effect_is_found_and_of_none_is_not(rng):
    for effect, least, most in ((0.5, 0, 0.001), (0.0, 0.05, 1)):
        table = trials(rng, effect=effect)
        names = {"subject": "subject", "item": "item"}
        smaller = fit_mixed(table, "rt", ["length"], **names)
        larger = fit_mixed(table, "rt", ["length", "surprisal"], **names)
        gain = likelihood_gain(smaller, larger)
        assert least <= gain.p <= most
        assert gain.per_trial == pytest.approx(gain.chi2 / 2 / 600)
    with pytest.raises(ValueError, match="not nested"):
        likelihood_gain(larger, smaller)


def test_slopes_by_subject_get_their_variance(rng):
    table = trials(rng, n_subjects=40)
    slope = rng.standard_normal(40)[table["subject"].astype(int)]
    table["rt"] += slope * table["surprisal"]
    found = fit_mixed(table, "rt", ["surprisal"], subject="subject", slopes=["surprisal"])
    assert 0.4 < found.variances["surprisal by subject"] < 2
    assert found.n_items == 0


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fixed": ["surprise"]}, "Did you mean 'surprisal'"),
        ({"slopes": ["length"]}, "no fixed effects"),
        ({"subject": "few"}, "2 levels"),
        ({"fixed": ["gap"]}, "1 of 600 trials"),
        ({"fixed": ["one"]}, "constant"),
        ({"fixed": ["length", "length"]}, "twice"),
        ({"fixed": ["length", "surprisal", "both"]}, "rank 3 of 4"),
    ],
)
def test_bad_tables_are_refused(rng, change, message):
    table = trials(rng).assign(one=1.0)
    table["both"] = table["length"] + table["surprisal"]
    table["few"] = np.arange(600) % 2
    table["gap"] = np.r_[np.nan, np.arange(599.0)]
    options = {"fixed": ["surprisal"], "subject": "subject", **change}
    with pytest.raises(ValueError, match=message):
        fit_mixed(table, "rt", options.pop("fixed"), **options)
