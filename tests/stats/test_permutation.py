import numpy as np
import pytest
from scipy.stats import kstest
from statsmodels.stats.multitest import multipletests

from brainlm.stats.permutation import (
    circular_shift,
    fdr,
    max_statistic_p,
    permutation_p,
    permute_blocks,
    permute_groups,
)


def test_permutation_p_by_hand():
    null = np.array([[0.1], [0.2], [0.3], [0.4]])
    assert permutation_p(np.array([0.3]), null)[0] == 3 / 5
    assert permutation_p(np.array([1.0]), null)[0] == 1 / 5
    with pytest.raises(ValueError, match="n_permutations"):
        permutation_p(np.array([0.3]), null[:0])


def test_p_values_of_noise_are_uniform(rng):
    observed, null = rng.standard_normal(2000), rng.standard_normal((199, 2000))
    assert kstest(permutation_p(observed, null), "uniform").pvalue > 0.01


def test_fdr_equals_statsmodels(rng):
    p = rng.uniform(size=(4, 25)) ** 2
    expected = multipletests(p.ravel(), method="fdr_bh")[1].reshape(p.shape)
    np.testing.assert_allclose(fdr(p), expected)


def test_groups_move_whole_and_keep_their_order(rng):
    groups = np.repeat(["a", "b", "c", "d", "e"], [3, 4, 3, 4, 3])
    order = permute_groups(groups, rng)
    assert sorted(order) == list(range(17))
    for label in set(groups):
        place = groups == label
        source = order[place]
        assert (np.diff(source) == 1).all()
        assert len(set(groups[source])) == 1
    assert any((permute_groups(groups, rng) != np.arange(17)).any() for _ in range(5))
    with pytest.raises(ValueError, match="single group"):
        permute_groups(np.array(["a", "a"]), rng)


def test_the_maximum_over_targets_by_hand():
    null = np.array([[0.1, 0.5], [0.2, 0.0], [0.3, 0.1], [0.0, 0.6]])
    np.testing.assert_allclose(max_statistic_p(np.array([0.4, 0.9]), null), [3 / 5, 1 / 5])


def test_blocks_move_whole_within_their_run(rng):
    runs = np.repeat(["a", "b"], [22, 40])
    order = permute_blocks(62, 5, rng, runs)
    assert sorted(order) == list(range(62))
    assert (runs[order] == runs).all()
    assert (np.diff(order) == 1).mean() > 0.7  # neighbours but for the edges of blocks
    with pytest.raises(ValueError, match="leaves 2 blocks in a run of 22"):
        permute_blocks(62, 9, rng, runs)


def test_circular_shifts_turn_each_run_by_at_least_the_least(rng):
    runs = np.repeat(["a", "b"], [20, 30])
    for _ in range(50):
        rows = circular_shift(50, rng, least=5, runs=runs)
        for run, length in (("a", 20), ("b", 30)):
            own = np.flatnonzero(runs == run)
            shift = (own - rows[own]) % length
            assert len(set(shift)) == 1
            assert 5 <= shift[0] <= length - 5
    with pytest.raises(ValueError, match="run of 20"):
        circular_shift(50, rng, least=10, runs=runs)
    with pytest.raises(ValueError, match="least"):
        circular_shift(50, rng, least=0)


def test_scores_without_a_value_have_no_p():
    with pytest.raises(ValueError, match="1 null and 0 observed"):
        permutation_p(np.array(0.3), np.array([0.1, np.nan]))
