import numpy as np
import pytest

from brainlm.stats.identification import (
    pairwise_accuracy,
    pattern_accuracy,
    pattern_correlations,
    rank_accuracy,
    top_k_accuracy,
    trialwise_score,
)


def test_accuracies_by_hand():
    similarity = np.array([[0.9, 0.5, 0.1], [0.2, 0.3, 0.4], [0.8, 0.0, 0.7]])
    # pairs: .9 + .3 > .5 + .2; .9 + .7 > .1 + .8; .3 + .7 > .4 + .0
    assert pairwise_accuracy(similarity) == 1
    np.testing.assert_allclose(rank_accuracy(similarity), [1, 0.5, 0.5])


def test_own_patterns_score_one_and_noise_about_a_half(rng):
    true = rng.standard_normal((200, 30))
    own = pattern_correlations(true, true)
    assert pairwise_accuracy(own) == 1
    assert (rank_accuracy(own) == 1).all()
    noise = pattern_correlations(rng.standard_normal((200, 30)), true)
    assert pairwise_accuracy(noise) == pytest.approx(0.5, abs=0.05)
    assert rank_accuracy(noise).mean() == pytest.approx(0.5, abs=0.05)


def test_ties_count_half():
    flat = np.ones((5, 5))
    assert pairwise_accuracy(flat) == 0.5
    assert (rank_accuracy(flat) == 0.5).all()


def test_only_pairs_of_different_groups_are_compared():
    similarity = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert pairwise_accuracy(similarity, np.array(["a", "a", "b"])) == 1
    assert pairwise_accuracy(similarity) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="no pair of items"):
        pairwise_accuracy(similarity, np.array(["a", "a", "a"]))


def test_correlations_equal_numpy(rng):
    A, B = rng.standard_normal((4, 9)), rng.standard_normal((4, 9))
    np.testing.assert_allclose(pattern_correlations(A, B), np.corrcoef(A, B)[:4, 4:])
    with pytest.raises(ValueError, match="shapes differ"):
        pattern_correlations(A, B[:3])
    with pytest.raises(ValueError, match="at least two items"):
        rank_accuracy(np.ones((1, 1)))


def test_top_k_counts_ties_by_their_share_and_exact_data_score_one(rng):
    s = np.array([[3.0, 1, 2], [5, 4, 3], [1, 1, 1]])
    assert top_k_accuracy(s, 1) == pytest.approx((1 + 0 + 1 / 3) / 3)
    assert top_k_accuracy(s, 2) == pytest.approx((1 + 1 + 2 / 3) / 3)
    assert top_k_accuracy(s, 3) == 1
    X = rng.standard_normal((40, 20))
    assert top_k_accuracy(pattern_correlations(X, X)) == 1
    noise = pattern_correlations(rng.standard_normal((400, 20)), rng.standard_normal((400, 20)))
    assert abs(top_k_accuracy(noise, 40) - 0.1) < 0.04
    with pytest.raises(ValueError, match="got 4"):
        top_k_accuracy(s, 4)


def test_a_shared_pattern_saturates_the_trialwise_score_and_not_the_pattern_accuracy(rng):
    shared = np.sqrt(0.15 / 0.85) * 2.5 * rng.standard_normal(500)
    true = shared + rng.standard_normal((300, 500))
    empty = shared + 0.3 * rng.standard_normal((300, 500))
    assert trialwise_score(empty, true) > 0.5
    assert abs(pattern_accuracy(empty, true, shared)) < 0.02
    assert pattern_accuracy(true, true, shared) == pytest.approx(1)
    assert trialwise_score(true, true, 1) == pytest.approx(1)
    with pytest.raises(ValueError, match="share"):
        trialwise_score(true, true, 0)
