"""Stories cut from recordings, in memory and on disk."""

import numpy as np
import pytest

from brainlm import Recording, RidgeEncoder, Stimulus
from brainlm.compute.lazy_arrays import TargetView
from brainlm.data.preprocessing import high_pass
from brainlm.decoding.encoding_model import choose_targets
from brainlm.decoding.stories import (
    RunResponses,
    StackedResponses,
    first_seconds,
    load_story,
    stories_of,
    story_key,
)
from brainlm.encoding.splits import Groups

STEP = 0.71


@pytest.fixture
def heard(rng):
    """Two runs of 100 and 83 samples, with drifts, and their words."""
    n_samples = (100, 83)
    data = rng.standard_normal((sum(n_samples), 6)) + 900
    data += np.concatenate([np.linspace(0, 5, n) for n in n_samples])[:, None]
    times = np.concatenate([STEP * np.arange(n) for n in n_samples])
    runs = np.repeat(["a", "b"], n_samples)
    recording = Recording(
        data.astype(np.float32), [f"v{i}" for i in range(6)], "fmri", "a.u.", times=times, run=runs
    )
    onset = np.tile(10 + np.arange(20.0), 2)
    stimulus = Stimulus(["dog"] * 40, "en", onset, np.full(40, 0.5), run=np.repeat(["a", "b"], 20))
    return stimulus, recording


def mapped(recording, folder):
    """The same recording on disk, the samples of a target side by side."""
    path = folder / "data.npy"
    np.save(path, np.asfortranarray(recording.data))
    return Recording(
        np.load(path, mmap_mode="r"),
        recording.targets,
        "fmri",
        "a.u.",
        times=recording.times,
        run=recording.run,
    )


def z(values):
    return (values - values.mean(axis=0)) / values.std(axis=0)


def test_samples_are_averaged_and_begin_where_the_first_of_them_did(heard):
    stimulus, recording = heard
    first, second = stories_of(stimulus, recording, average=3)
    whole = recording.data[:99].astype(float).reshape(33, 3, 6).mean(axis=1)
    np.testing.assert_allclose(first.responses, z(whole), atol=1e-3)
    np.testing.assert_allclose(first.times, STEP * 3 * np.arange(33))
    assert second.responses.shape == (27, 6)  # two samples fill no third
    np.testing.assert_allclose(second.times, STEP * 3 * np.arange(27))
    plain = stories_of(stimulus, recording)[0]
    np.testing.assert_allclose(plain.responses, z(recording.data[:100].astype(float)), atol=1e-3)


def test_drifts_are_taken_out_as_high_pass_does(heard):
    stimulus, recording = heard
    stories = stories_of(stimulus, recording, period=40)
    filtered = high_pass(recording, 40).data
    for story, rows in zip(stories, (slice(100), slice(100, None)), strict=True):
        np.testing.assert_allclose(story.responses, z(filtered[rows]), atol=2e-3)
    drift = np.linspace(-1, 1, 100)
    raw, clean = (s[0].responses.T @ drift for s in (stories_of(stimulus, recording), stories))
    assert np.abs(clean).max() < 0.3 * np.abs(raw).min()


def test_responses_stay_on_disk_and_are_the_same(heard, tmp_path):
    stimulus, recording = heard
    options = {"average": 2, "period": 40.0}
    memory = stories_of(stimulus, recording, **options)
    disk = stories_of(stimulus, mapped(recording, tmp_path), **options)
    for a, b in zip(memory, disk, strict=True):
        assert isinstance(a.responses, np.ndarray)
        assert isinstance(b.responses, RunResponses)
        assert len(b.responses) == len(a.times)
        np.testing.assert_array_equal(np.asarray(b.responses), a.responses)
        np.testing.assert_allclose(b.responses[:, [4, 1]], a.responses[:, [4, 1]], atol=1e-5)
        part = first_seconds(b, 20)
        np.testing.assert_array_equal(part.responses, a.responses[: len(part.times)])
        assert story_key(b) == story_key(a) != story_key(part)
        np.testing.assert_array_equal(load_story(b).responses, a.responses)
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(disk[0].responses, copy=False)


def test_best_targets_are_the_same_from_disk_and_by_the_encoder(rng):
    n_samples, signal = 40, np.array([0, 3, 0, 2, 0, 4, 0, 0])
    parts = [
        (rng.standard_normal((n_samples, 5)), rng.standard_normal((n_samples, 8)))
        for _ in range(12)
    ]
    weights = rng.standard_normal((5, 8)) * signal
    responses = [(X @ weights + noise).astype(np.float32) for X, noise in parts]
    X = np.concatenate([X for X, _ in parts]).astype(np.float32)
    runs = np.repeat([f"run {k}" for k in range(12)], n_samples)
    stacked = StackedResponses(responses)
    np.testing.assert_array_equal(choose_targets(X, TargetView(stacked), runs, 3), [1, 3, 5])
    Y = np.concatenate(responses)
    fitted = RidgeEncoder(cv=Groups(runs, 10), warn_edge=False).fit(X, Y)  # ten folds of runs
    for n in (1, 2, 5):
        best = np.sort(np.argsort(-fitted.cv_r2_)[:n])
        np.testing.assert_array_equal(choose_targets(X, Y, runs, n), best)
    np.testing.assert_array_equal(choose_targets(X, Y, runs, 8), np.arange(8))


def test_what_makes_no_story_is_refused(heard):
    stimulus, recording = heard
    with pytest.raises(ValueError, match="average must be at least 1 sample, got 0"):
        stories_of(stimulus, recording, average=0)
    flat = recording.data.copy()
    flat[100:, 2] = 7
    with pytest.raises(ValueError, match="run 'b': 1 targets are constant"):
        stories_of(stimulus, recording.with_data(flat, "flat"))
    items = Recording(
        recording.data, recording.targets, "fmri", "a.u.", items=[f"i{k}" for k in range(183)]
    )
    with pytest.raises(ValueError, match="has no times"):
        stories_of(stimulus, items)
