import numpy as np
import pytest
import wordfreq

from brainlm.features import (
    Features,
    concatenate,
    random_like,
    random_walk,
    smooth_noise,
    word_length,
    word_position,
    word_rate,
    zipf_frequency,
)
from brainlm.recording import Recording
from brainlm.stimulus import Stimulus

STIMULUS = Stimulus(
    ["Don't", "stop", "stop", "qzxv!"], "en", text=["t1", "t1", "t2", "t2"],
    sentence=["s1", "s1", "s2", "s2"],
)  # fmt: skip


def test_controls_by_hand():
    assert word_rate(STIMULUS).values.ravel().tolist() == [1, 1, 1, 1]
    assert word_length(STIMULUS).values.ravel().tolist() == [4, 4, 4, 4]
    position = word_position(STIMULUS).values
    assert position[:, 0].tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(position[:, 1], [0, 1 / 3, 2 / 3, 1])


def test_length_counts_chinese_characters():
    words = Stimulus(["你好", "，世界。", "A型"], "zh")
    assert word_length(words).values.ravel().tolist() == [2, 2, 2]


def test_zipf_frequency_is_that_of_wordfreq_and_counts_unknown_words():
    features = zipf_frequency(STIMULUS)
    assert features.values[1, 0] == wordfreq.zipf_frequency("stop", "en")
    assert features.values[3, 0] == 0
    assert features.origin["unknown_words"] == 1


def test_random_embeddings_keep_shape_norm_and_mean_similarity(rng):
    words = Stimulus([f"w{i}" for i in range(500)], "en")
    values = rng.standard_normal((500, 60)) + 4 * rng.standard_normal(60)
    real = Features("x", values.astype(np.float32), words)
    drawn = random_like(real, seed=3)

    def geometry(x):
        similarity = np.corrcoef(x)[np.triu_indices(500, 1)].mean()
        return np.array([np.linalg.norm(x, axis=1).mean(), similarity])

    np.testing.assert_allclose(geometry(drawn.values), geometry(values), rtol=0.03)
    assert drawn.values.dtype == np.float32
    assert abs(np.corrcoef(values[:, 0], drawn.values[:, 0])[0, 1]) < 0.15
    np.testing.assert_array_equal(drawn.values, random_like(real, seed=3).values)
    repeated = Features("x", values[:4], STIMULUS)
    twice = random_like(repeated).values
    np.testing.assert_array_equal(twice[1], twice[2])


def test_random_walk_is_smooth_standardised_and_restarts_in_each_run():
    run = np.repeat(["a", "b"], 100)
    recording = Recording(
        np.random.default_rng(0).random((200, 1)), ["x"], "fmri", "BOLD",
        times=np.tile(np.arange(100.0), 2), run=run,
    )  # fmt: skip
    walk = random_walk(recording, 5).values
    for label in ("a", "b"):
        part = walk[run == label]
        np.testing.assert_allclose(part.std(axis=0), 1)
        assert np.corrcoef(part[1:, 0], part[:-1, 0])[0, 1] > 0.95
    assert not np.allclose(walk[:100], walk[100:])


def test_smooth_noise_is_alike_between_neighbours_only():
    recording = Recording(
        np.random.default_rng(0).random((300, 1)), ["x"], "fmri", "BOLD", times=np.arange(300.0)
    )
    similarity = np.corrcoef(smooth_noise(recording, 400).values)
    # Two Gaussians of width 2 that lie d apart overlap by exp(-d**2 / 16).
    for distance, expected in ((1, np.exp(-1 / 16)), (4, np.exp(-1)), (20, 0)):
        assert np.diag(similarity, distance).mean() == pytest.approx(expected, abs=0.03)


def test_concatenate_keeps_columns_and_origins():
    both = concatenate([word_rate(STIMULUS), word_position(STIMULUS)], "both")
    assert both.values.shape == (4, 3)
    assert [each["name"] for each in both.origin["concatenated"]] == ["word rate", "position"]
    assert both.level == "word"
    assert both.select_words([0, 1]).stimulus.n_words == 2
    assert both.renamed("new").name == "new"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Features("x", np.ones(4), STIMULUS), "must have shape"),
        (lambda: Features("x", np.ones((3, 2)), STIMULUS), "lengths differ"),
        (lambda: Features("x", np.full((4, 2), np.nan), STIMULUS), "values of 'x' has 8 of 8"),
        (lambda: Features("x", np.ones((4, 2)), STIMULUS, columns=["a"]), "lengths differ"),
        (lambda: concatenate([], "none"), "at least one"),
        (
            lambda: concatenate([word_rate(STIMULUS), Features("y", np.ones((4, 1)))], "z"),
            "different stimuli",
        ),
        (lambda: random_like(Features("y", np.ones((4, 1)))), "needs a feature space with words"),
        (lambda: Features("y", np.ones((4, 1))).select_words([0]), "its rows are samples"),
    ],
)
def test_bad_features_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
