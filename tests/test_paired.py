import itertools

import numpy as np
import pytest

from brainlm.paired import block_means, bootstrap_mean, paired_difference


def test_few_units_get_the_exact_sign_flip_p():
    a, b = np.array([3.0, 2.0, 4.0, 1.0]), np.array([1.0, 1.0, 1.0, 2.0])
    found = paired_difference(a, b)
    flips = [np.dot(s, a - b) for s in itertools.product((1, -1), repeat=4)]
    assert found.p == np.mean(np.abs(flips) >= abs((a - b).sum()))
    assert (found.mean, found.n_units, found.exact) == (1.25, 4, True)
    assert paired_difference(b, a).mean == -found.mean
    assert paired_difference(b, a).p == found.p


def test_interval_is_that_of_the_paired_t_test(rng):
    from scipy.stats import ttest_rel

    a, b = rng.standard_normal((2, 30))
    found = paired_difference(a, b)
    low, high = ttest_rel(a, b).confidence_interval()
    np.testing.assert_allclose([found.low, found.high], [low, high])
    assert not found.exact
    assert abs(found.p - ttest_rel(a, b).pvalue) < 0.03


def test_equal_models_have_p_one_and_a_clear_effect_the_smallest(rng):
    a = rng.standard_normal(10)
    assert paired_difference(a, a).p == 1
    assert paired_difference(a + 100, a).p == 2 / 2**10
    assert paired_difference(np.r_[a, a] + 100, np.r_[a, a], n_flips=99).p == 1 / 100


def test_false_positives_are_as_rare_as_said(rng):
    hits = [paired_difference(*rng.standard_normal((2, 8))).p <= 0.05 for _ in range(1000)]
    assert 36 <= sum(hits) <= 66  # binomial(1000, .05), 95 %


def test_blocks_stay_inside_runs_and_keep_the_mean():
    values, runs = np.arange(12.0), np.repeat(["a", "b"], 6)
    np.testing.assert_allclose(block_means(values, 3, runs), [1, 4, 7, 10])
    assert block_means(values[:, None], 5).shape == (2, 1)
    assert block_means(values, 4).mean() == values.mean()


def test_bootstrap_agrees_with_scipy_and_both_factors_are_widest(rng):
    from scipy.stats import bootstrap

    subject, item = rng.standard_normal((20, 1)), 2 * rng.standard_normal((1, 30))
    values = 1 + subject + item + rng.standard_normal((20, 30))
    found = {over: bootstrap_mean(values, over=over) for over in ("subjects", "items", "both")}
    theirs = bootstrap((values.mean(axis=1),), np.mean, method="percentile", rng=rng)
    interval = theirs.confidence_interval
    np.testing.assert_allclose(
        [found["subjects"].low, found["subjects"].high], [interval.low, interval.high], atol=0.06
    )
    width = {over: each.high - each.low for over, each in found.items()}
    assert width["both"] > max(width["subjects"], width["items"])
    assert all(each.mean == values.mean() for each in found.values())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: paired_difference(np.ones(3), np.ones(4)), "paired"),
        (lambda: paired_difference(np.ones(2), np.ones(2)), "got 2 units"),
        (lambda: paired_difference(np.array([1, 2, np.nan]), np.ones(3)), "1 of them not finite"),
        (lambda: bootstrap_mean(np.ones((4, 4)), over="item"), "Did you mean 'items'"),
        (lambda: bootstrap_mean(np.ones((1, 4))), "1 subjects"),
        (lambda: bootstrap_mean(np.full((3, 4), np.nan)), "finite"),
        (lambda: block_means(np.ones(5), 6), "got 6"),
        (lambda: block_means(np.ones(5), 2, np.ones(4)), "4 entries for 5"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
