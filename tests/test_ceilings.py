import numpy as np
import pytest

from brainlm.data.scores import fisher_mean
from brainlm.stats.noise_ceiling import (
    leave_one_subject_out,
    normalised,
    region_ceiling,
    repeat_ceiling,
    split_half,
)


def test_equal_subjects_reach_one_and_independent_ones_zero(rng):
    same = np.tile(rng.standard_normal((100, 5)), (4, 1, 1))
    np.testing.assert_allclose(leave_one_subject_out(same), 1)
    noise = rng.standard_normal((10, 400, 20))
    assert abs(leave_one_subject_out(noise).mean()) < 0.02


def test_ceiling_equals_the_loop_written_out(rng):
    data = rng.standard_normal((5, 60, 3)) + rng.standard_normal((60, 3))
    folds = np.array_split(np.arange(60), 3)
    found = leave_one_subject_out(data, folds)
    for s in range(5):
        others = np.delete(data, s, axis=0).mean(axis=0)
        r = [[np.corrcoef(others[f, v], data[s, f, v])[0, 1] for v in range(3)] for f in folds]
        np.testing.assert_allclose(found[s], fisher_mean(np.array(r)))


def test_planted_signal_to_noise_gives_the_expected_correlation(rng):
    n, noise = 8, 2.0
    data = rng.standard_normal((20000, 1)) + noise * rng.standard_normal((n, 20000, 1))
    expected = 1 / np.sqrt((1 + noise**2) * (1 + noise**2 / (n - 1)))
    assert leave_one_subject_out(data).mean() == pytest.approx(expected, abs=0.01)


def test_a_single_subject_has_no_ceiling(rng):
    with pytest.raises(ValueError, match="two subjects or more"):
        leave_one_subject_out(rng.random((1, 10, 2)))


def test_split_half_agrees_with_the_planted_reliability(rng):
    """With noise as strong as the signal, the mean of R has reliability R / (R + 1)."""
    signal = rng.standard_normal((4000, 2))
    data = signal + rng.standard_normal((8, 4000, 2))
    np.testing.assert_allclose(split_half(data, n_splits=20), 8 / 9, atol=0.01)
    np.testing.assert_allclose(repeat_ceiling(data), np.sqrt(8 / 9), atol=0.01)
    noise = rng.standard_normal((8, 4000, 2))
    assert (np.abs(split_half(noise, n_splits=20)) < 0.15).all()
    assert (repeat_ceiling(noise) < 0.4).all()
    same = np.repeat(signal[None], 4, axis=0)
    np.testing.assert_allclose(split_half(same, n_splits=2), 1)
    np.testing.assert_allclose(repeat_ceiling(same), 1)


def test_an_odd_number_of_repetitions_has_the_reliability_of_all(rng):
    data = np.sqrt(4 / 9) * rng.standard_normal((3000, 4)) + rng.standard_normal((3, 3000, 4))
    np.testing.assert_allclose(split_half(data, n_splits=10).mean(), 4 / 7, atol=0.02)


def test_opposed_halves_are_bounded_and_noise_is_as_often_below_zero(rng):
    one = rng.standard_normal((50, 1))
    np.testing.assert_allclose(split_half(np.array([one, -one]), n_splits=2), -1)
    noise = split_half(rng.standard_normal((3, 20, 400)), n_splits=5)
    assert np.abs(noise).max() <= 1
    assert abs(noise.mean()) < 0.05


def test_two_repetitions_are_the_formula_of_spearman_and_brown(rng):
    data = rng.standard_normal((200, 1)) + rng.standard_normal((2, 200, 1))
    r = np.corrcoef(data[0, :, 0], data[1, :, 0])[0, 1]
    np.testing.assert_allclose(split_half(data, n_splits=3), 2 * r / (1 + r))


def test_region_ceiling_and_normalised_scores():
    isc = np.array([[0.1, 0.3, 0.5, 0.9], [0.1, 0.3, 0.5, 0.9]])
    found = region_ceiling(isc, np.array([1, 1, 2, 0]))
    assert found == pytest.approx({1: 0.2, 2: 0.5})
    np.testing.assert_allclose(normalised([0.1, 0.2, 0.3], [0.2, 0.01, 0.3]), [0.5, np.nan, 1.0])
    with pytest.raises(ValueError, match="one grid"):
        region_ceiling(isc, np.ones(3))
    with pytest.raises(ValueError, match="two repetitions"):
        split_half(np.ones((1, 5, 2)))
