import itertools

import numpy as np
import pytest

from brainlm.stats.paired import (
    block_means,
    fold_difference,
    fold_half_width,
    null_difference_p,
    paired_difference,
    random_difference_p,
)


def test_few_units_get_the_exact_sign_flip_p():
    a, b = np.array([3.0, 2.0, 4.0, 1.0]), np.array([1.0, 1.0, 1.0, 2.0])
    found = paired_difference(a, b)
    flips = [np.dot(s, a - b) for s in itertools.product((1, -1), repeat=4)]
    assert found.p == np.mean(np.abs(flips) >= abs((a - b).sum()))
    assert (found.mean, found.n_units, found.test) == (1.25, 4, "exact sign flips")
    assert paired_difference(b, a).mean == -found.mean
    assert paired_difference(b, a).p == found.p


def test_interval_is_that_of_the_paired_t_test(rng):
    from scipy.stats import ttest_rel

    a, b = rng.standard_normal((2, 30))
    found = paired_difference(a, b)
    low, high = ttest_rel(a, b).confidence_interval()
    np.testing.assert_allclose([found.low, found.high], [low, high])
    assert found.test == "sign flips"
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


def test_folds_are_corrected_for_the_training_samples_they_share():
    a, b = np.array([0.5, 0.4, 0.6, 0.3, 0.5]), np.array([0.4, 0.4, 0.5, 0.1, 0.3])
    found = fold_difference(a, b, ratio=0.25)
    # By hand: mean .12, variance .007, error sqrt((1/5 + 1/4) .007) = .05612, t = 2.138, 4 df.
    assert found.mean == pytest.approx(0.12)
    assert found.p == pytest.approx(0.09929, abs=1e-4)
    half = 2.7764451 * np.sqrt(0.45 * 0.007)
    np.testing.assert_allclose([found.low, found.high], [0.12 - half, 0.12 + half])
    np.testing.assert_allclose(fold_half_width(np.c_[a - b, a - b], 0.25), [half, half])
    assert fold_difference(a, a, 0.25).p == 1
    assert fold_difference(a + 1, a, 0.25).p == pytest.approx(0, abs=1e-12)


def test_a_difference_is_judged_by_the_null_of_both_models():
    null_a, null_b = np.arange(19.0), np.zeros(19)
    assert null_difference_p(20.0, null_a, null_b) == 2 / 20
    assert null_difference_p(-1.0, null_a, null_b) == 2 / 20
    assert null_difference_p(9.0, null_a, null_b) == 1
    assert null_difference_p(20.0, null_a, null_a) == 2 / 20


def test_random_embeddings_differ_from_each_other_as_often_as_said(rng):
    scores = rng.normal(0.4, 0.05, (2000, 21))  # the first of 21 draws is the observed one
    hits = [
        random_difference_p(x[0] - y[0], x[1:], y[1:]) <= 0.05
        for x, y in zip(scores[:1000], scores[1000:], strict=True)
    ]
    assert 36 <= sum(hits) <= 66  # binomial(1000, .05), 95 %
    # One score against 20 draws is the prediction interval of a t distribution.
    from scipy.stats import t

    x = scores[0]
    value = (x[0] - x[1:].mean()) / (x[1:].std(ddof=1) * np.sqrt(1 + 1 / 20))
    assert random_difference_p(x[0], x[1:], np.zeros(20)) == pytest.approx(2 * t.sf(abs(value), 19))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: paired_difference(np.ones(3), np.ones(4)), "paired"),
        (lambda: paired_difference(np.ones(2), np.ones(2)), "got 2 units"),
        (lambda: paired_difference(np.array([1, 2, np.nan]), np.ones(3)), "1 of them not finite"),
        (lambda: fold_difference(np.ones(3), np.ones(3), 0.0), "above 0, got 0.0"),
        (lambda: null_difference_p(np.nan, np.ones(3), np.ones(3)), "finite null scores"),
        (lambda: random_difference_p(0.0, np.ones(2), np.ones(3)), "got 2 and 3"),
        (lambda: block_means(np.ones(5), 6), "got 6"),
        (lambda: block_means(np.ones(5), 2, np.ones(4)), "4 entries for 5"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
