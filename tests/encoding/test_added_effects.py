"""What a predictor adds to others: planted effects, and a null in which the others keep theirs."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from brainlm.data.recording import Recording
from brainlm.encoding.added_effects import (
    added_effect,
    added_effects,
    effect_lines,
    effects_beyond,
    stack_effects,
)
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.errors import UnknownNameError

SPLIT = ContiguousBlocks(5, gap=5)


def correlated(rng, n=150, rho=0.7):
    """Two predictors with a correlation, (n,) each."""
    x = rng.standard_normal(n)
    return x, rho * x + np.sqrt(1 - rho**2) * rng.standard_normal(n)


def shuffled(rng, n, times=99):
    return [rng.permutation(n) for _ in range(times)]


def test_gains_are_those_of_two_regressions(rng):
    x, z = correlated(rng)
    Y = np.column_stack([x + z, z, rng.standard_normal(150)]) + rng.standard_normal((150, 3))
    found = added_effect(z[:, None], x[:, None], Y, SPLIT, [np.arange(150)])
    expected = []
    for train, test in SPLIT.split(Y):
        r = []
        for X in (np.column_stack([z, x]), z[:, None]):
            predicted = LinearRegression().fit(X[train], Y[train]).predict(X[test])
            r.append([np.corrcoef(predicted[:, t], Y[test][:, t])[0, 1] for t in range(3)])
        expected.append(np.subtract(*r))
    np.testing.assert_allclose(found.gain, expected)
    np.testing.assert_allclose(found.null[0], found.gain.mean(axis=0))  # nothing was permuted


def test_an_added_effect_is_found_where_it_was_planted_and_only_there(rng):
    x, z = correlated(rng)
    Y = 2 * z[:, None] + 0.5 * rng.standard_normal((150, 8))
    Y[:, 3] += x
    p = added_effect(z[:, None], x[:, None], Y, SPLIT, shuffled(rng, 150)).p
    assert np.flatnonzero(p <= 0.05).tolist() == [3]


def test_a_predictor_that_only_resembles_the_cause_adds_nothing():
    found = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, z = correlated(rng, 100)
        Y = z[:, None] + rng.standard_normal((100, 5))
        p = added_effect(z[:, None], x[:, None], Y, SPLIT, shuffled(rng, 100, 39)).p
        found += p.min() <= 0.05
    assert found <= 8  # 3 expected; 9 or more in one of 500 runs


def test_each_kind_is_tested_beyond_the_other():
    effects = effects_beyond(["length"], {"FAS": "data", "similarity": "model", "s": "model"})
    assert list(effects) == [
        "FAS",
        "similarity",
        "s",
        "FAS beyond similarity",
        "FAS beyond s",
        "similarity beyond FAS",
        "s beyond FAS",
    ]
    assert effects["s beyond FAS"] == (["length", "FAS"], ["s"])


def test_predictors_that_are_sums_of_others_are_refused(rng):
    x, z = correlated(rng)
    with pytest.raises(ValueError, match="sums of one another"):
        added_effect(np.column_stack([x, z]), (x - z)[:, None], x[:, None], SPLIT, [])
    recording = Recording(x[:, None], ["a"], "eeg", "z", items=[str(i) for i in range(150)])
    with pytest.raises(UnknownNameError, match="predictor"):
        added_effects(recording, {"x": x}, {"y": ([], ["y"])}, SPLIT, [])


def test_effects_of_subjects_are_averaged_on_shared_targets(rng):
    x, z = correlated(rng)
    columns = {"x": x, "z": z}
    tested, orders = effects_beyond([], {"x": "one", "z": "two"}), shuffled(rng, 150, 19)
    recordings = [
        Recording(
            x[:, None] + rng.standard_normal((150, 3)),
            names,
            "eeg",
            "z",
            items=[str(i) for i in range(150)],
        )
        for names in (["a", "b", "c"], ["b", "c", "d"])
    ]
    found = [added_effects(each, columns, tested, SPLIT, orders) for each in recordings]
    stacked = stack_effects(found, recordings)
    assert dict(stacked.sizes) == {"space": 4, "subject": 2, "target": 2}
    assert stacked["target"].values.tolist() == ["b", "c"]
    p = stacked["p"].sel(space="x beyond z").values
    assert (p == 0.05).all()
    assert (stacked["p"].sel(space="z beyond x") > 0.05).all()
    lines = effect_lines(stacked)
    assert "mean over 2 subjects" in lines[0]
    assert any("z beyond x" in line and "nowhere above chance" in line for line in lines)
    alone = stack_effects(found[:1], recordings[:1])
    assert alone["score"].dims == ("space", "fold", "target")
    other = recordings[1].select_targets(["d"])
    with pytest.raises(ValueError, match="share no target"):
        stack_effects(found, [recordings[0], other])
