import numpy as np
import pytest

from brainlm.data.preprocessing import average_samples, high_pass
from brainlm.data.recording import Recording, sampling_interval

GOOD = {"targets": ["a", "b"], "modality": "fmri", "unit": "BOLD", "times": [0.0, 2.0, 4.0]}
DATA = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])


def test_views_and_selection():
    recording = Recording(DATA, **GOOD, run=["x", "x", "y"])
    assert (recording.n_samples, recording.n_targets, recording.runs) == (3, 2, ["x", "y"])
    one = recording.select_targets("b")
    assert one.data.ravel().tolist() == [2, 4, 7]
    assert one.notes == ("kept 1 of 2 targets",)
    early = recording.select_samples(recording.times < 3, "the first two")
    assert early.times.tolist() == [0, 2]
    assert "3 samples x 2 targets, 2 runs" in repr(recording)


def test_constant_and_missing_targets_are_named():
    data = np.array([[1, 2.0, np.nan], [1, 3, 4], [1, 4, 5]])
    recording = Recording(data, list("abc"), "ratings", "1-5", items=list("xyz"), missing="allow")
    assert recording.constant_targets == ["a"]
    assert recording.missing_targets == ["c"]


def test_high_pass_removes_drift_inside_runs_and_keeps_fast_signals(rng):
    times = np.tile(2.0 * np.arange(200), 2)
    fast = np.sin(2 * np.pi * times / 20)
    run = np.repeat(["a", "b"], 200)
    drift = times / 50 + np.where(run == "a", 100, 300)
    recording = Recording(
        np.stack([fast + drift, fast], axis=1),
        ["drifting", "clean"],
        "fmri",
        "BOLD",
        times=times,
        run=run,
    )
    filtered = high_pass(recording, period=128)
    for name in ("a", "b"):
        rows = filtered.run == name
        np.testing.assert_allclose(filtered.data[rows].mean(axis=0), 0, atol=1e-10)
        assert np.corrcoef(filtered.data[rows].T)[0, 1] > 0.99
    assert "high-passed at 128 s" in filtered.notes[-1]


def test_sampling_interval_needs_even_steps():
    assert sampling_interval(np.array([1.0, 3.0, 5.0])) == 2
    with pytest.raises(ValueError, match=r"not evenly spaced \(step 4.0000 s at 4.000 s"):
        sampling_interval(np.array([0.0, 2.0, 4.0, 8.0]))
    with pytest.raises(ValueError, match="single sample"):
        sampling_interval(np.array([0.0]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": DATA[:, 0]}, "must have shape"),
        ({"data": DATA[:0]}, "must have shape"),
        ({"data": np.where(DATA > 6, np.nan, DATA)}, r"data has 1 of 6 .* first at \[2, 1\]"),
        ({"data": np.where(DATA > 6, np.inf, DATA), "missing": "allow"}, "infinite"),
        ({"missing": "maybe"}, "refuse, allow"),
        ({"targets": ["a"]}, "lengths differ"),
        ({"targets": ["a", "a"]}, "'a' appears more than once"),
        ({"unit": " "}, "unit is empty"),
        ({"modality": "mri"}, "Did you mean 'fmri'"),
        ({"times": [0.0, 2.0]}, "lengths differ"),
        ({"times": [0.0, 2.0, 2.0]}, "does not come after"),
        ({"items": ["x", "y", "z"]}, "exactly one of times"),
        ({"times": None}, "exactly one of times"),
        ({"run": ["a", "b", "a"]}, "begins again"),
    ],
)
def test_bad_recordings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Recording(**{"data": DATA} | GOOD | change)


def test_unknown_targets_and_wrong_shapes_are_refused():
    recording = Recording(DATA, **GOOD)
    with pytest.raises(ValueError, match=r"unknown target 'c'.* Choices: a, b"):
        recording.select_targets(["a", "c"])
    with pytest.raises(ValueError, match=r"data has shape \(2, 2\)"):
        recording.with_data(DATA[:2], "cut")
    items = Recording(DATA, ["a", "b"], "ratings", "1-5", items=list("xyz"))
    with pytest.raises(ValueError, match="needs a time series"):
        high_pass(items)


def test_neighbouring_samples_are_averaged_inside_runs():
    data = np.arange(14.0).reshape(7, 2)
    times = [0, 0.5, 1, 1.5, 2, 0, 0.5]
    recording = Recording(data, ["a", "b"], "fmri", "z", times=times, run=list("1111122"))
    means = average_samples(recording, 2)
    np.testing.assert_allclose(means.data, [[1, 2], [5, 6], [11, 12]])
    assert means.times.tolist() == [0, 1, 0]
    assert means.run.tolist() == ["1", "1", "2"]
    assert "1 at the ends of runs left out" in means.notes[-1]
    assert average_samples(recording, 1) is recording
    with pytest.raises(ValueError, match="run '2' has 2 samples"):
        average_samples(recording, 3)


def test_parts_go_with_their_samples(rng):
    part = ["train"] * 4 + ["dev"] * 2
    times = {"times": [0, 1, 2, 0, 1, 2], "run": ["a"] * 3 + ["b"] * 3}
    items = {"items": list("abcdef")}
    recording = Recording(rng.random((6, 2)), ["x", "y"], "ratings", "1-5", part=part, **items)
    assert recording.select_samples([1, 5], "two").part.tolist() == ["train", "dev"]
    with pytest.raises(ValueError, match=r"'valid'.*train, dev, test"):
        Recording(rng.random((6, 2)), ["x", "y"], "ratings", "1-5", part=["valid"] * 6, **items)
    with pytest.raises(ValueError, match="run 'b' is in several parts"):
        Recording(rng.random((6, 2)), ["x", "y"], "fmri", "BOLD", part=part, **times)
    with pytest.raises(ValueError, match="part: 2"):
        Recording(rng.random((6, 2)), ["x", "y"], "ratings", "1-5", part=part[:2], **items)
