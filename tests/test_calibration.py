"""A smaller part of benchmarks/calibration.py: noise is rejected as often as said, effects more."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "calibration.py"


@pytest.fixture(scope="module")
def calibration():
    spec = importlib.util.spec_from_file_location("calibration", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "studies"),
    [
        ("similarity encoding, circular shift", 300),
        ("two models over subjects, sign flip", 1000),
        ("two models over blocks, sign flip", 1000),
    ],
)
def test_false_positives_lie_in_their_binomial_interval_and_power_grows(calibration, name, studies):
    test = calibration.TESTS[name]
    low, high = calibration.binomial_interval(studies)
    assert low <= calibration.rejection_rate(test, 0.0, studies, seed=3) <= high
    few = studies // 5
    powers = [calibration.rejection_rate(test, effect, few, seed=3) for effect in (0.2, 0.8)]
    assert powers[0] < powers[1]
    assert powers[1] > 0.6


def test_block_permutation_of_ridge_finds_an_effect(calibration):
    rate = calibration.rejection_rate(calibration.ridge_blocks, 0.8, 10, seed=0)
    assert rate >= 0.7
    assert calibration.rejection_rate(calibration.ridge_blocks, 0.0, 20, seed=0) <= 0.25
