import numpy as np
import pytest

from brainlm.data.scores import fisher_mean
from brainlm.stats.noise_ceiling import leave_one_subject_out, normalised, repeat_ceiling


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


def test_the_ceiling_of_repetitions_is_the_root_of_their_reliability(rng):
    """With noise as strong as the signal, the mean of R has reliability R / (R + 1)."""
    signal = rng.standard_normal((4000, 2))
    data = signal + rng.standard_normal((8, 4000, 2))
    np.testing.assert_allclose(repeat_ceiling(data), np.sqrt(8 / 9), atol=0.01)
    assert (repeat_ceiling(rng.standard_normal((8, 4000, 2))) < 0.4).all()
    np.testing.assert_allclose(repeat_ceiling(np.repeat(signal[None], 4, axis=0)), 1)
    with pytest.raises(ValueError, match="two repetitions"):
        repeat_ceiling(np.ones((1, 5, 2)))


def test_scores_are_divided_by_their_ceiling_where_it_is_not_too_low():
    np.testing.assert_allclose(normalised([0.1, 0.2, 0.3], [0.2, 0.01, 0.3]), [0.5, np.nan, 1.0])
