"""The pipeline on simulated listeners finds what was planted, and nothing else."""

import numpy as np
import pytest

from brainlm import (
    ContiguousBlocks,
    Features,
    Recording,
    RidgeEncoder,
    Stimulus,
    align,
    cross_validate,
    high_pass,
    random_walk,
)

N_SAMPLES, TR = 360, 2.0
SPLIT = ContiguousBlocks(6, gap=8)
pytestmark = pytest.mark.filterwarnings(
    "ignore::brainlm.encoding.ridge.AlphaEdgeWarning",
    "ignore::brainlm.encoding.align.AlignmentWarning",
)


@pytest.fixture(scope="module")
def simulated():
    """Two feature spaces of one story, and targets of which half respond to the first space."""
    rng = np.random.default_rng(1)
    n_words = 2000
    duration = rng.uniform(0.15, 0.5, n_words)
    onset = np.r_[0, np.cumsum(duration)[:-1]] + 0.2
    stimulus = Stimulus([f"w{i}" for i in range(n_words)], "en", onset, duration)
    planted, other = (Features(n, rng.standard_normal((n_words, 20)), stimulus) for n in "ab")
    times = TR * np.arange(N_SAMPLES)
    empty = Recording(rng.standard_normal((N_SAMPLES, 1)), ["x"], "fmri", "BOLD", times=times)
    response = align(planted, empty, method="hrf").X  # not the filter of the analysis
    signal = response @ rng.standard_normal((20, 30))
    signal /= signal.std(axis=0)
    drift = rng.standard_normal((N_SAMPLES, 60)).cumsum(axis=0)
    noise = rng.standard_normal((N_SAMPLES, 60)) + drift / drift.std(axis=0)
    data = 100 + noise + np.hstack([signal, np.zeros((N_SAMPLES, 30))])
    names = [f"t{i}" for i in range(60)]
    recording = Recording(data, names, "fmri", "BOLD", times=times)
    return planted, other, high_pass(recording, period=128)


def _score(features, recording, delays=(1, 2, 3, 4)):
    X, Y, runs = align(features, recording, delays=delays)
    assert len(set(runs)) == 1
    return cross_validate(RidgeEncoder(), X, Y, SPLIT).mean


def test_planted_space_is_found_in_its_targets_only(simulated):
    planted, _, recording = simulated
    r = _score(planted, recording)
    assert (r[:30] > 0.3).all()
    assert abs(r[30:].mean()) < 0.03


def test_other_space_and_the_empty_baseline_find_nothing(simulated):
    _, other, recording = simulated
    assert abs(_score(other, recording).mean()) < 0.03
    assert abs(_score(random_walk(recording), recording, delays=(0,)).mean()) < 0.05


def test_circularly_shifted_features_find_nothing(simulated):
    planted, _, recording = simulated
    X, Y, _ = align(planted, recording, delays=(1, 2, 3, 4))
    r = cross_validate(RidgeEncoder(), np.roll(X, N_SAMPLES // 2, axis=0), Y, SPLIT).mean
    assert abs(r.mean()) < 0.03
