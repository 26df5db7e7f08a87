import importlib.util

import numpy as np
import pytest
import wordfreq

from brainlm.data.features import Features, concatenate, lag
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.encoding.align import align
from brainlm.errors import UnknownNameError
from brainlm.features.baselines import (
    UnknownWordsWarning,
    random_like,
    random_walk,
    smooth_noise,
    word_length,
    word_position,
    word_rate,
    zipf_frequency,
)

STIMULUS = Stimulus(
    ["Don't", "stop", "stop", "qzxv!"],
    "en",
    text=["t1", "t1", "t2", "t2"],
    sentence=["s1", "s1", "s2", "s2"],
)


def test_controls_by_hand():
    assert word_rate(STIMULUS).values.ravel().tolist() == [1, 1, 1, 1]
    assert word_length(STIMULUS).values.ravel().tolist() == [4, 4, 4, 4]
    position = word_position(STIMULUS).values
    assert position[:, 0].tolist() == [0, 1, 0, 1]
    assert position[:, 1].tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(position[:, 2], [0, 1 / 3, 2 / 3, 1])


def test_length_counts_chinese_characters():
    words = Stimulus(["你好", "，世界。", "A型"], "zh")
    assert word_length(words).values.ravel().tolist() == [2, 2, 2]


@pytest.mark.filterwarnings("ignore::brainlm.features.baselines.UnknownWordsWarning")
def test_zipf_frequency_is_that_of_wordfreq_and_counts_unknown_words():
    features = zipf_frequency(STIMULUS)
    assert features.values[1, 0] == wordfreq.zipf_frequency("stop", "en")
    assert features.values[3, 0] == features.origin["floor"] == 1.01
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
        np.random.default_rng(0).random((200, 1)),
        ["x"],
        "fmri",
        "BOLD",
        times=np.tile(np.arange(100.0), 2),
        run=run,
    )
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
    assert both.values.shape == (4, 4)
    assert [each["name"] for each in both.origin["concatenated"]] == ["word rate", "position"]
    assert both.level == "word"
    assert both.select_words([0, 1]).stimulus.n_words == 2
    assert both.renamed("new").name == "new"


def test_concatenated_spaces_remember_their_bands():
    both = concatenate([word_rate(STIMULUS), word_position(STIMULUS)], "both")
    assert dict(both.bands) == {"word rate": 1, "position": 3}
    three = concatenate([both, word_length(STIMULUS)], "three")
    assert dict(three.bands) == {"word rate": 1, "position": 3, "word length": 1}
    assert three.band_labels().tolist() == ["word rate", *["position"] * 3, "word length"]
    assert three.select_words([0, 2]).renamed("other").bands == three.bands
    start = 0
    for space in (word_rate(STIMULUS), word_position(STIMULUS), word_length(STIMULUS)):
        columns = three.values[:, three.band_labels() == space.name]
        np.testing.assert_array_equal(columns, space.values)
        start += space.n_features
    assert start == three.n_features
    assert word_position(STIMULUS).renamed("p").band_labels().tolist() == ["p"] * 3


def test_band_labels_follow_the_columns_that_align_makes():
    words = Stimulus(list("abcdef"), "en", onset=np.arange(6), duration=np.ones(6))
    recording = Recording(np.arange(6.0)[:, None], ["a"], "fmri", "BOLD", times=np.arange(6.0))
    one = Features("one", np.ones((6, 1)), words)
    two = Features("two", np.full((6, 2), 2.0), words)
    X, _, _ = align(concatenate([one, two], "both"), recording, method="sum", delays=[1, 2])
    labels = concatenate([one, two], "both").band_labels(n_delays=2)
    assert labels.shape == (X.shape[1],)
    assert set(X[-1, labels == "one"]) == {1.0}
    assert set(X[-1, labels == "two"]) == {2.0}


def test_bands_are_those_of_a_banded_ridge(rng):
    from brainlm.encoding.banded import BandedRidgeEncoder

    words = Stimulus([f"w{i}" for i in range(120)], "en")
    strong = Features("strong", rng.standard_normal((120, 3)), words)
    noise = Features("noise", rng.standard_normal((120, 5)), words)
    both = concatenate([strong, noise], "both")
    Y = strong.values @ rng.standard_normal((3, 2)) + 0.1 * rng.standard_normal((120, 2))
    encoder = BandedRidgeEncoder(both.band_labels(), n_draws=5, warn_edge=False)
    encoder.fit(both.values, Y)
    assert list(encoder.bands_) == list(both.bands)
    assert (encoder.shares_[0] > 0.5).all()


def test_mapped_values_are_not_read_whole(tmp_path):
    values = np.ones((1000, 2), dtype=np.float32)
    values[501] = np.nan
    np.save(tmp_path / "x.npy", values)
    Features("x", np.load(tmp_path / "x.npy", mmap_mode="r"))  # checked where it was written
    with pytest.raises(ValueError, match="NaN or infinite"):
        Features("x", np.load(tmp_path / "x.npy"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Features("x", np.ones(4), STIMULUS), "must have shape"),
        (lambda: Features("x", np.ones((3, 2)), STIMULUS), "lengths differ"),
        (lambda: Features("x", np.full((4, 2), np.nan), STIMULUS), "values of 'x' has 8 of 8"),
        (lambda: Features("x", np.ones((4, 2)), STIMULUS, columns=["a"]), "lengths differ"),
        (lambda: concatenate([], "none"), "at least one"),
        (lambda: concatenate([word_rate(STIMULUS)] * 2, "z"), "two bands are called 'word rate'"),
        (lambda: Features("x", np.ones((4, 3)), bands={"a": 1, "b": 1}), "3 together, got"),
        (lambda: Features("x", np.ones((4, 1)), bands={"a": 1, "b": 0}), "at least one column"),
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


def test_unknown_words_get_the_lowest_frequency_of_the_list_and_a_warning():
    words = Stimulus(["hund", "fjeldræv", "og", "."], "da")
    with pytest.warns(UnknownWordsWarning, match=r"1 of 4 words.*'fjeldræv'.*lowest.*3\.01"):
        features = zipf_frequency(words)
    lowest = min(wordfreq.get_frequency_dict("da").values())
    assert features.values[1, 0] == pytest.approx(np.log10(lowest) + 9, abs=0.01)
    assert features.values[3, 0] == features.values[1, 0]  # punctuation is no unknown word
    assert (features.values[[0, 2], 0] > 3.01).all()


@pytest.mark.parametrize(("language", "same"), [("en-GB", "en"), ("no", "nb"), ("zh-TW", "zh")])
def test_frequencies_of_a_variety_are_those_of_its_language(language, same):
    words = ["hei", "the", "人"]
    first, second = (
        zipf_frequency(Stimulus([w], code)) for code in (language, same) for w in words[:1]
    )
    np.testing.assert_array_equal(first.values, second.values)


def test_a_language_without_frequencies_is_refused():
    with pytest.raises(ValueError, match="wordfreq has no list of frequencies in 'sw'"):
        zipf_frequency(Stimulus(["habari"], "sw"))


@pytest.mark.parametrize("language", ["ja", "ko"])
def test_a_tokenizer_that_is_missing_is_named(language):
    if importlib.util.find_spec("MeCab"):
        pytest.skip("MeCab is installed")
    with pytest.raises(ValueError, match=r"pip install 'wordfreq\[cjk\]'"):
        zipf_frequency(Stimulus(["犬"], language))


def test_lag_by_hand():
    words = Stimulus(list("abcdef"), "en", text=["t"] * 6, sentence=["s"] * 4 + ["u"] * 2)
    space = Features("x", np.arange(12.0).reshape(6, 2), words)
    once = lag(space)
    assert once.values[[1, 2, 3, 5], 0].tolist() == [0, 2, 4, 8]
    assert once.values[[0, 4], 0].tolist() == [3.5, 3.5]  # the mean of those
    assert once.origin["first_words"] == 2
    assert once.name == "x, 1 back"
    assert lag(space, 2, level="text").values[2:, 1].tolist() == [1, 3, 5, 7]
    with pytest.raises(ValueError, match="no word of 'x' has 4 words before it in its sentence"):
        lag(space, 4)
    with pytest.raises(ValueError, match="n must be at least 1"):
        lag(space, 0)
    with pytest.raises(UnknownNameError, match="paragraph"):
        lag(space, level="paragraph")
