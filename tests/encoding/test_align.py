import numpy as np
import pytest
from nilearn.glm.first_level import spm_hrf
from scipy.stats import gamma

from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.card import read_card
from brainlm.encoding.align import AlignmentWarning, align, lanczos_weights, resample
from brainlm.encoding.delays import delay, delays_between
from brainlm.features.baselines import random_walk

TR = 2.0


def _story(rng, n_words=120, start=0.3, run="1"):
    onset = start + np.arange(n_words) * 0.4
    words = [f"w{i}" for i in range(n_words)]
    stimulus = Stimulus(words, "en", onset, np.full(n_words, 0.3), run=[run] * n_words)
    return Features("x", rng.standard_normal((n_words, 3)), stimulus)


def _recording(rng, n_samples=24, first=0.0, **options):
    times = first + TR * np.arange(n_samples)
    data = rng.standard_normal((n_samples, 2))
    return Recording(data, ["a", "b"], "fmri", "BOLD", times=times, **options)


def test_lanczos_equals_the_formula_written_out(rng):
    old, new = np.sort(rng.uniform(0, 50, 80)), np.arange(1, 49, TR)
    weights = lanczos_weights(old, new, cutoff=1 / TR, n_lobes=3).toarray()
    t = (new[:, None] - old[None, :]) / TR
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = 3 * np.sin(np.pi * t) * np.sin(np.pi * t / 3) / (np.pi**2 * t**2)
    expected[t == 0] = 1
    expected[np.abs(t) > 3] = 0
    np.testing.assert_allclose(weights, expected, atol=1e-12)


def test_lanczos_keeps_a_slow_sine_and_removes_a_fast_one():
    old = np.arange(0, 400, 0.1)
    new = np.arange(20, 380, TR)
    gain = 0.1 / TR  # dense samples are summed, 20 of them per TR
    for frequency, expected in ((0.05, 1.0), (0.1, 1.0), (2.0, 0.0)):
        resampled = lanczos_weights(old, new, cutoff=1 / TR) @ np.sin(2 * np.pi * frequency * old)
        np.testing.assert_allclose(
            gain * resampled, expected * np.sin(2 * np.pi * frequency * new), atol=0.05
        )


def test_sum_and_mean_of_words_in_a_bin_by_hand():
    values = np.array([[1.0], [2.0], [4.0], [8.0]])
    onset, duration = np.array([0.0, 1.9, 2.0, 7.0]), np.full(4, 0.1)
    times = np.array([0.0, 2.0, 4.0, 6.0])
    summed = resample(values, onset, duration, times, method="sum")
    assert summed.ravel().tolist() == [3, 4, 0, 8]
    averaged = resample(values, onset, duration, times, method="mean")
    assert averaged.ravel().tolist() == [1.5, 4, 0, 8]


def test_hrf_equals_an_impulse_train_convolved_on_a_fine_grid(rng):
    onset = np.round(np.sort(rng.uniform(0, 60, 40)), 2)
    duration, values = np.full(40, 0.2), rng.standard_normal((40, 2))
    times = np.arange(0, 80, TR)
    train = np.zeros((10000, 2))
    np.add.at(train, np.round((onset + duration) * 100).astype(int), values)
    response = spm_hrf(0.01, oversampling=1, time_length=32)
    convolved = np.stack([np.convolve(train[:, k], response)[:10000] for k in range(2)], axis=1)
    middle = np.round((times + TR / 2) * 100).astype(int)
    found = resample(values, onset, duration, times, method="hrf")
    np.testing.assert_allclose(found, convolved[middle], atol=1e-6)


def test_zero_delay_is_the_identity_and_delays_move_later():
    X = np.arange(12.0).reshape(6, 2)
    np.testing.assert_array_equal(delay(X, [0]), X)
    later = delay(X, [0, 2])
    np.testing.assert_array_equal(later[:, :2], X)
    np.testing.assert_array_equal(later[2:, 2:], X[:-2])
    assert (later[:2, 2:] == 0).all()
    np.testing.assert_array_equal(delay(X, [-1])[:-1], X[1:])


def test_delays_never_cross_the_edge_of_a_run():
    X = np.arange(1.0, 9.0)[:, None]
    runs = np.repeat(["a", "b"], 4)
    assert delay(X, [1], runs).ravel().tolist() == [0, 1, 2, 3, 0, 5, 6, 7]
    assert delay(X, [-1], runs).ravel().tolist() == [2, 3, 4, 0, 6, 7, 8, 0]


def test_align_equals_resampling_then_delaying_where_no_word_comes_before(rng):
    features, recording = _story(rng, start=6.5), _recording(rng, n_samples=30)
    X, Y, runs = align(features, recording, delays=[1, 2, 3])
    stimulus = features.stimulus
    resampled = resample(features.values, stimulus.onset, stimulus.duration, recording.times)
    np.testing.assert_allclose(X, delay(resampled, [1, 2, 3]), atol=1e-12)
    np.testing.assert_array_equal(Y, recording.data)
    assert set(runs) == {"1"}


def test_words_before_the_first_sample_are_seen_through_the_delays(rng):
    features = _story(rng)
    late = _recording(rng, n_samples=15, first=10.0)
    whole = _recording(rng, n_samples=20, first=0.0)
    with pytest.warns(AlignmentWarning, match="do not reach any sample"):
        X, _, _ = align(features, late, delays=[1, 2])
    with pytest.warns(AlignmentWarning):
        expected = align(features, whole, delays=[1, 2]).X[5:]
    np.testing.assert_allclose(X, expected, atol=1e-12)


def test_runs_are_aligned_each_by_itself(rng):
    one, two = _story(rng, run="a"), _story(rng, run="b")
    stimulus = Stimulus(
        [*one.stimulus.words, *two.stimulus.words],
        "en",
        np.r_[one.stimulus.onset, two.stimulus.onset],
        np.r_[one.stimulus.duration, two.stimulus.duration],
        run=["a"] * 120 + ["b"] * 120,
    )
    both = Features("x", np.vstack([one.values, two.values]), stimulus)
    data, times = rng.standard_normal((48, 2)), np.tile(TR * np.arange(24), 2)
    run = np.repeat(["a", "b"], 24)
    recording = Recording(data, ["a", "b"], "fmri", "BOLD", times=times, run=run)
    X, _, runs = align(both, recording, delays=[1, 4])
    single = _recording(rng, run=["b"] * 24)
    np.testing.assert_allclose(X[24:], align(two, single, delays=[1, 4]).X, atol=1e-12)
    assert runs.tolist() == run.tolist()
    changed = Features("x", np.vstack([one.values * 9, two.values]), stimulus)
    np.testing.assert_array_equal(align(changed, recording, delays=[1, 4]).X[24:], X[24:])


def test_items_get_the_mean_of_the_words_of_their_sentence():
    stimulus = Stimulus(list("abcd"), "en", sentence=["s1", "s1", "s2", "s3"])
    features = Features("x", np.array([[1.0], [3.0], [5.0], [7.0]]), stimulus)
    recording = Recording(np.eye(3), list("xyz"), "ratings", "1-5", items=["s3", "s1", "s1"])
    assert align(features, recording).X.ravel().tolist() == [7, 2, 2]
    assert align(features, recording, method="sum").X.ravel().tolist() == [7, 4, 4]


def test_sample_level_features_are_delayed_inside_runs(rng):
    recording = _recording(rng)
    walk = random_walk(recording, 4, seed=1)
    np.testing.assert_array_equal(align(walk, recording).X, walk.values)
    np.testing.assert_array_equal(align(walk, recording, delays=[2]).X, delay(walk.values, [2]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"delays": [1, 1]}, "delays must be distinct"),
        ({"delays": [0.5]}, "delays must be distinct whole numbers"),
        ({"delays": []}, "delays must be"),
        ({"method": "cubic"}, "Choices: lanczos, sum, mean, hrf"),
    ],
)
def test_bad_settings_are_refused(rng, change, message):
    with pytest.raises(ValueError, match=message):
        align(_story(rng), _recording(rng), **change)


def test_clocks_and_runs_that_do_not_meet_are_refused(rng):
    with pytest.raises(ValueError, match="put both on one clock"):
        align(_story(rng, start=5000), _recording(rng))
    with pytest.raises(ValueError, match=r"runs differ: .*'2'"):
        align(_story(rng), _recording(rng, run=["2"] * 24))
    untimed = Features("x", np.ones((2, 1)), Stimulus(["a", "b"], "en"))
    with pytest.raises(ValueError, match="no times"):
        align(untimed, _recording(rng))
    with pytest.raises(ValueError, match="one row per sample"):
        align(Features("x", np.ones((3, 1))), _recording(rng))
    uneven = Recording(rng.random((4, 1)), ["a"], "fmri", "BOLD", times=[0, 2, 4, 9])
    with pytest.raises(ValueError, match="not evenly spaced"):
        align(_story(rng), uneven)
    items = Recording(np.eye(2), ["a", "b"], "ratings", "1-5", items=["s1", "s9"])
    with pytest.raises(ValueError, match="'s1'"):
        align(_story(rng), items)
    with pytest.raises(ValueError, match="need a time series"):
        align(_story(rng), items, delays=[1])


@pytest.mark.parametrize("card", ["mulcogbench-zh-stories", "cogbench-stories"])
def test_clock_of_mulcogbench_is_that_of_its_public_rule(rng, card):
    options = read_card(card).open.options
    step = options["sampling_interval"]
    end = 10.65 + np.cumsum(rng.uniform(0.15, 0.9, 300))
    values = np.c_[np.ones(300), rng.standard_normal((300, 2))]
    grid = np.zeros((30_000, 3))  # 100 Hz
    grid[(end[::-1] * 100).astype(int)] = values[::-1]  # the first word wins
    t = np.arange(0, 32, 0.01)
    response = gamma.pdf(t, 6) - gamma.pdf(t, 16) / 6
    seen = [np.convolve(column, response / response.sum())[:30_000:71] for column in grid.T]
    official = np.array(seen).T[19 : 19 + 200]

    def agreement(first):
        times = first + step * np.arange(200)
        ours = resample(values, end - 0.1, np.full(300, 0.1), times, method="hrf")
        return min(np.corrcoef(a, b)[0, 1] for a, b in zip(ours.T, official.T, strict=True))

    assert agreement(options["first_sample"]) > 0.99
    # The rule takes a volume at its start, resample at its middle.
    assert agreement(options["first_sample"] - step / 2) > 0.9999


def test_delays_are_chosen_in_seconds():
    assert delays_between(2.0) == [1, 2, 3, 4]
    assert delays_between(1.5) == [1, 2, 3, 4, 5]
    assert delays_between(0.71) == list(range(3, 12))
    assert delays_between(0.5, 0.0, 1.0) == [0, 1, 2]
    with pytest.raises(ValueError, match="step must be a positive"):
        delays_between(0.0)
    with pytest.raises(ValueError, match="must not lie before"):
        delays_between(2.0, 8.0, 2.0)


@pytest.mark.parametrize("method", ["lanczos", "hrf", "sum", "mean"])
def test_words_that_overlap_are_resampled_one_by_one(rng, method):
    """A long word ends after the short ones in it: the sum over single words is the answer."""
    onset, duration = np.array([1.0, 1.5, 2.0, 9.0]), np.array([6.0, 0.2, 0.3, 0.4])
    values, samples = rng.standard_normal((4, 2)), np.arange(0.0, 40, 2)
    found = resample(values, onset, duration, samples, method=method)
    single = [
        resample(values[i : i + 1], onset[i : i + 1], duration[i : i + 1], samples, method=method)
        for i in range(4)
    ]
    if method == "mean":
        inside = (onset >= samples[:, None]) & (onset < samples[:, None] + 2)
        single = [np.sum(single, axis=0) / np.maximum(inside.sum(axis=1), 1)[:, None]]
    np.testing.assert_allclose(found, np.sum(single, axis=0), atol=1e-12)


def test_calls_with_swapped_or_single_arguments_are_one_clear_line():
    words = Stimulus(["a", "b"], "en", onset=[0, 1], duration=[1, 1])
    space = Features("x", np.ones((2, 1)), words)
    recording = Recording(np.ones((3, 1)), ["v"], "fmri", "a.u.", times=[0, 2, 4])
    with pytest.raises(TypeError, match=r"must be Features, got Recording.*align\(features"):
        align(recording, space)
    for delays in (4, np.int64(4)):
        with pytest.raises(ValueError, match="delays must be a list of samples, got"):
            align(space, recording, delays=delays)


@pytest.mark.parametrize("method", ["lanczos", "hrf", "sum"])
def test_words_that_are_context_only_reach_no_sample(rng, method):
    """Marks that were never heard change nothing, whatever their features."""
    story = _story(rng)
    heard = story.stimulus
    every = np.repeat(np.arange(heard.n_words), 2)
    marked = Stimulus(
        heard.words[every],
        "en",
        heard.onset[every] + np.tile([0, 0.01], heard.n_words) * heard.duration[every],
        heard.duration[every] * np.tile([0.01, 0.99], heard.n_words),
        context_only=np.tile([True, False], heard.n_words),
    )
    values = rng.standard_normal((len(every), story.n_features))
    values[1::2] = story.values
    heard = marked.select(marked.counted)
    recording = _recording(rng)
    found = align(Features("x", values, marked), recording, method=method, delays=[1, 2]).X
    expected = align(Features("x", story.values, heard), recording, method=method, delays=[1, 2]).X
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_items_are_the_mean_of_the_words_that_count():
    words = Stimulus(list("ab，"), "zh", item=["s", "s", "s"], context_only=[False, False, True])
    recording = Recording([[1.0]], ["x"], "ratings", "1-5", items=["s"])
    assert align(Features("x", [[1.0], [3.0], [99.0]], words), recording).X.tolist() == [[2.0]]
