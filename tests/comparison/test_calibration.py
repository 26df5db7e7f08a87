"""A smaller part of benchmarks/calibration.py: noise is rejected as often as said, effects more."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from brainlm.stats.paired import fold_difference

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "calibration.py"


@pytest.fixture(scope="module")
def calibration():
    spec = importlib.util.spec_from_file_location("calibration", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "studies"),
    [
        ("similarity encoding, circular shift", 300),
        ("two models over subjects, sign flip", 1000),
        ("two models over blocks, sign flip", 1000),
        ("two models of items, ten folds", 200),
        ("depth of two data sets, relative curves", 400),
        ("two models, 12 listeners, ISC 0.5, folds", 200),
    ],
)
def test_false_positives_stay_below_their_binomial_limit_and_power_grows(
    calibration, name, studies
):
    test = calibration.TESTS[name]
    high = calibration.binomial_interval(studies)[1]
    assert calibration.rejection_rate(test, 0.0, studies, seed=3) <= high
    few = studies // 5
    powers = [calibration.rejection_rate(test, effect, few, seed=3) for effect in (0.2, 0.8)]
    assert powers[0] <= powers[1]
    assert powers[1] > 0.6


def test_one_shift_for_all_listeners_keeps_the_level_that_sign_flips_lose(calibration):
    """27 listeners of one story: they are no independent samples of stimuli."""
    from brainlm.stats.paired import paired_difference

    rng, hits = np.random.default_rng(0), []
    for _ in range(100):
        shared, own = rng.standard_normal(6), rng.standard_normal((27, 6))  # six blocks of a story
        difference = shared + own
        flips = paired_difference(difference.mean(axis=1), np.zeros(27), n_flips=200).p
        folds = fold_difference(difference.mean(axis=0), np.zeros(6), 0.2).p
        hits.append([flips <= 0.05, folds <= 0.05])
    flips, folds = np.mean(hits, axis=0)
    assert flips > 0.4
    assert folds <= 0.1
    test = calibration.TESTS["two models, 6 listeners, ISC 0.5"]
    assert calibration.rejection_rate(test, 0.0, 40, seed=1) <= 0.15


def test_block_permutation_of_ridge_finds_an_effect(calibration):
    rate = calibration.rejection_rate(calibration.ridge_blocks, 0.8, 10, seed=0)
    assert rate >= 0.7
    assert calibration.rejection_rate(calibration.ridge_blocks, 0.0, 20, seed=0) <= 0.25
