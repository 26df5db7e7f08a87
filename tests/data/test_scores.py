import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import r2_score

from brainlm.data.scores import Scores, fisher_mean, held_out_choice, pearson, r_squared


def test_pearson_equals_scipy_in_every_unit(rng):
    A, B = rng.standard_normal((50, 4)), rng.standard_normal((50, 4))
    expected = [pearsonr(A[:, v], B[:, v]).statistic for v in range(4)]
    np.testing.assert_allclose(pearson(A, B), expected)
    np.testing.assert_allclose(pearson(A * 1e-13, B * 1e9 + 5), expected, atol=1e-5)
    np.testing.assert_allclose(pearson(A * 1e-200, B), expected)


def test_prediction_without_variation_scores_zero_and_constant_data_have_no_score(rng):
    A, B = np.full((20, 1), 3.3), rng.standard_normal((20, 1))
    assert pearson(A, B)[0] == 0
    assert pearson(A + 1e-17 * B, B)[0] == 0
    assert np.isnan(pearson(B, A)[0])
    with pytest.raises(ValueError, match="equal in shape"):
        pearson(A, B[1:])


def test_r_squared_is_that_of_scikit_learn_or_of_centred_series(rng):
    A, B = rng.standard_normal((50, 4)) + 3, rng.standard_normal((50, 4))
    expected = r2_score(B, A, multioutput="raw_values")
    np.testing.assert_allclose(r_squared(A, B, center=False), expected)
    centred = r2_score(B - B.mean(axis=0), A - A.mean(axis=0), multioutput="raw_values")
    np.testing.assert_allclose(r_squared(A, B), centred)
    assert (r_squared(B / 3 + A / 9, B) <= pearson(B / 3 + A / 9, B) ** 2).all()
    np.testing.assert_allclose(r_squared(np.full((50, 4), 7.0), B), 0, atol=1e-12)
    assert np.isnan(r_squared(A, np.full((50, 4), 0.3))).all()


def test_fisher_mean_by_hand():
    r = np.array([[0.1], [0.9]])
    assert fisher_mean(r)[0] == pytest.approx(np.tanh((np.arctanh(0.1) + np.arctanh(0.9)) / 2))
    assert fisher_mean(np.array([[1.0], [1.0]]))[0] == pytest.approx(1)


def test_layer_of_a_unit_is_chosen_without_it():
    score = np.zeros((3, 2, 1))
    score[0] = [[0.9], [0.0]]  # the first unit alone likes layer 0
    score[1:] = [[0.1], [0.5]]
    chosen, held_out = held_out_choice(score)
    assert chosen.tolist() == [1, 0, 0]
    assert held_out.ravel().tolist() == [0.0, 0.1, 0.1]


def test_held_out_choice_of_noise_is_unbiased_where_the_maximum_is_not(rng):
    score = rng.standard_normal((400, 30, 1)) * 0.1
    assert abs(held_out_choice(score)[1].mean()) < 0.02
    assert score.max(axis=1).mean() > 0.15
    with pytest.raises(ValueError, match="two units or more"):
        held_out_choice(score[:1])


def test_scores_check_their_targets():
    with pytest.raises(ValueError, match="lengths differ"):
        Scores(np.zeros((2, 3)), "r", ["a"], "encoder", "split")
