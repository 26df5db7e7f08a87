import numpy as np
import pytest

from brainlm.stats.ranking import rank_models


def test_ranks_wins_and_friedman_by_hand():
    scores = np.array([[0.9, 0.5, 0.1], [0.8, 0.8, 0.2], [0.7, 0.3, 0.4], [0.6, 0.5, 0.4]])
    found = rank_models(scores, ["a", "b", "c"])
    np.testing.assert_array_equal(found.ranks, [[1, 2, 3], [1.5, 1.5, 3], [1, 3, 2], [1, 2, 3]])
    np.testing.assert_allclose(found.mean, [1.125, 2.125, 2.75])
    assert found.wins.tolist() == [4, 1, 0]
    # Demsar's table: q(.05, 3 models) = 2.343
    assert found.critical_difference == pytest.approx(2.343 * np.sqrt(3 * 4 / (6 * 4)), abs=1e-3)
    assert (found.low <= found.mean).all()
    assert (found.mean <= found.high).all()


def test_noise_has_no_winner_and_one_that_always_wins_is_found(rng):
    scores = rng.standard_normal((12, 5))
    assert rank_models(scores, list("abcde")).p > 0.05
    scores[:, 2] += 10
    found = rank_models(scores, list("abcde"))
    assert found.p < 0.05
    assert found.mean[2] == 1
    assert found.high[2] == 1


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.ones((3, 2)), "shape"),
        (np.ones((2, 3)), "got 3 and 2"),
        (np.array([[1, 2, 3], [1, np.nan, 3], [1, 2, 3]]), "model 'b' on data set 1"),
    ],
)
def test_bad_tables_are_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        rank_models(scores, ["a", "b", "c"])


def test_data_sets_of_one_material_count_once():
    scores = np.array([[3, 2, 1], [3, 2, 1], [1, 2, 3], [3, 1, 2.0]])
    found = rank_models(scores, ["a", "b", "c"], groups=["x", "x", "y", "z"])
    np.testing.assert_array_equal(found.ranks, [[1, 2, 3], [3, 2, 1], [1, 3, 2]])
    assert found.wins.tolist() == [2, 0, 1]
    with pytest.raises(ValueError, match="three or more groups of data sets, got 2"):
        rank_models(scores, ["a", "b", "c"], groups=["x", "x", "y", "y"])
