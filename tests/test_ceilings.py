import numpy as np
import pytest

from brainlm.ceilings import leave_one_subject_out
from brainlm.scores import fisher_mean


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
