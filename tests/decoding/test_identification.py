import numpy as np
import pytest

from brainlm.decoding.identification import (
    pairwise_accuracy,
    pattern_correlations,
    rank_accuracy,
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
