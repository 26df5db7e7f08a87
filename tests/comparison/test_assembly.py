"""Tasks and families: made in memory, and the data sets themselves where they are."""

from dataclasses import replace

import numpy as np
import pytest
from support.comparison_tasks import array_source, word_task

from brainlm.comparison.feature_families import common_words, training_sentences
from brainlm.comparison.feature_spaces import FeatureSpace, control_space
from brainlm.comparison.layer_scores import control_design, layer_part, rows_of
from brainlm.comparison.layer_statistics import depth_difference, layer_profile
from brainlm.comparison.opening import _averaged, _check_words, _common, open_assembly
from brainlm.comparison.selection import choose_datasets, materials, parse_models
from brainlm.comparison.simulated_assemblies import autoregressive, simulate_fmri, simulate_meg
from brainlm.comparison.simulated_epochs import simulate_epochs
from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.folders import is_on_disk
from brainlm.encoding.align import align
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.permuted_scores import permuted_scores
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.stats.permutation import max_statistic_p

pytestmark = pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")


@pytest.fixture(scope="module")
def story():
    """Layers of a made-up model, from which each is a step away from the one before it."""
    rng = np.random.default_rng(5)
    n_words = 500
    duration = rng.uniform(0.2, 0.5, n_words)
    onset = np.r_[0, np.cumsum(duration)[:-1]]
    stimulus = Stimulus(
        [f"w{i % 300}" for i in range(n_words)],
        "en",
        onset,
        duration,
        item=[f"i{i}" for i in range(n_words)],
    )
    values = [rng.standard_normal((n_words, 20))]
    for _ in range(4):
        values.append(0.6 * values[-1] + 0.8 * rng.standard_normal((n_words, 20)))
    return [Features(f"layer {i}", v, stimulus, origin={"layer": i}) for i, v in enumerate(values)]


def profile_of(task, story, method):
    source = FeatureSpace(
        "m",
        "causal",
        ("en",),
        lambda s: np.ones(s.n_words, dtype=bool),
        lambda s, words, level: story,
        4,
        {},
    )
    words = np.ones(task.stimulus.n_words, dtype=bool)
    part = layer_part(task, source, words, n_permutations=19, method=method, n_random=4)
    rows = [row for row in rows_of(part) if row["family"] != "random"]
    part = part.sel(space=[row["space"] for row in rows])
    depths, chance = np.array([row["depth"] for row in rows]), part["null"].mean("permutation")
    ratio, random = part.attrs["test_ratio"], part["random"].mean("fold").values.T
    scores = part["fold_score"].values.T
    return layer_profile(scores, depths, ratio, chance=chance.values, random=random), rows


@pytest.mark.long
@pytest.mark.parametrize("method", ["ridge", "similarity"])
def test_planted_layers_and_the_difference_of_modalities_are_found(story, method):
    meg = simulate_meg(story[1], story[0], n_targets=5, subjects=5)
    fmri = simulate_fmri(story[4], story[0], n_targets=5, subjects=5, noise=1.0)
    shallow, _ = profile_of(meg, story, method)
    deep, rows = profile_of(fmri, story, method)
    assert shallow.best_depth == 0.25
    assert deep.best_depth == 1
    assert depth_difference(deep, shallow)[1] < 0.05
    assert rows[4]["p"] == 0.05
    assert rows[4]["unit"] == "fold"


def test_nothing_is_found_where_nothing_was_planted(story):
    nothing = simulate_meg(None, story[0], n_targets=5, subjects=5, seed=1)
    profile, rows = profile_of(nothing, story, "ridge")
    assert max(abs(row["score"]) for row in rows) < 0.1
    assert profile.p > 0.05
    silent, rows = profile_of(
        simulate_fmri(None, story[0], n_targets=5, subjects=5), story, "ridge"
    )
    assert max(row["score"] for row in rows) < 0.1
    assert silent.p > 0.05


def epochs(cause, story, planted):
    positions = {f"C{i}": (0.01 * i, 0.0, 0.1) for i in range(4)}
    return simulate_epochs(
        cause, story[0], positions=positions, times=(0.0, 0.1, 0.2), planted=planted, seed=2
    )


def test_epochs_respond_at_the_planted_channels_and_times_only(story):
    planted = np.zeros((4, 3), dtype=bool)
    planted[1, 2] = planted[3, 1] = True
    split = ContiguousBlocks(5, gap=20)
    for cause, expected in ((story[2], planted.ravel()), (None, np.zeros(12, dtype=bool))):
        recording = epochs(cause, story, planted)
        X = align(story[2], recording).X
        found = cross_validate(RidgeEncoder(warn_edge=False), X, recording.data, split)
        null = permuted_scores(X, recording.data, split, found, block=20, n_permutations=99)
        assert (max_statistic_p(found.mean, null) <= 0.05).tolist() == expected.tolist()
    assert recording.target_names[5] == "C1@200ms"
    np.testing.assert_allclose(recording.positions[5], (0.01, 0, 0.1))


def test_the_planted_mask_must_fit_the_channels(story):
    with pytest.raises(ValueError, match=r"\(4, 3\), got \(3, 4\)"):
        epochs(story[0], story, np.zeros((3, 4)))


def test_noise_is_autocorrelated_as_said(rng):
    e = autoregressive(20_000, 2, rng, rho=0.6)
    np.testing.assert_allclose(e.std(axis=0), 1, atol=0.05)
    np.testing.assert_allclose((e[1:] * e[:-1]).mean(axis=0), 0.6, atol=0.05)
    with pytest.raises(ValueError, match="rho"):
        autoregressive(10, 1, rng, rho=1.0)


def test_null_responses_keep_order_where_items_are_a_sequence(rng):
    task = word_task(rng, rng.standard_normal((100, 5)))
    assert sorted(task.shuffled(1)[0]) == list(range(100))
    assert task.null == "items permuted"
    text = replace(task, level="sentence")
    steps = np.diff(text.shuffled(1)[0])
    assert (steps == 1).sum() == 98  # one joint
    assert text.null == "responses shifted in a circle"


def test_lists_of_items_are_averaged_over_the_subjects_who_saw_them():
    def seen(subject, first, value):
        words = [f"w{i}" for i in range(first, first + 30)]
        stimulus = Stimulus(words, "en", text=words)
        data = np.full((30, 1), value) + np.arange(first, first + 30)[:, None]
        return subject, stimulus, Recording(data, ["n400"], "eeg", "uV", items=words)

    opened = [seen(f"s{k}", 0, k) for k in range(6)] + [seen(f"t{k}", 15, 10) for k in range(5)]
    stimulus, recording = _averaged(opened, "made")
    assert stimulus.n_words == 45
    row = dict(zip(recording.items, recording.data[:, 0], strict=True))
    assert row["w0"] == 2.5
    assert row["w20"] == pytest.approx((20 * 11 + 15 + 50) / 11)
    with pytest.raises(ValueError, match="open more subjects"):
        _averaged(opened[:3], "made")


def test_families_with_low_coverage_are_left_out_and_named(rng):
    layer = rng.standard_normal((100, 20))
    task = word_task(rng, layer)
    every = array_source("m", [layer])
    few = FeatureSpace("few", "embodied", ("en",), lambda s: np.arange(100) < 5, every.embed)
    kept, words, note = common_words(task, [every, few])
    assert kept == [every]
    assert words.all()
    assert "few 5%" in note


def test_controls_have_the_word_rate_of_a_story_and_are_never_cut(story):
    task = simulate_fmri(None, story[0], n_targets=2, subjects=3)
    half = np.arange(task.stimulus.n_words) % 2 == 0
    whole, cut = (control_design(t, task.stimulus) for t in (task, task.on_words(half)))
    np.testing.assert_array_equal(whole, cut)
    # The last of six controls, at each of four delays, is the number of words (Lanczos).
    rate = Features("rate", np.ones((task.stimulus.n_words, 1)), task.stimulus)
    np.testing.assert_array_equal(whole[:, 5::6], task.design(rate))
    names = control_space(timed=False).identity["controls"]
    assert names == ["word_length", "zipf_frequency", "word_position"]


@pytest.mark.parametrize(("step", "delays"), [(2.0, 4), (1.5, 5), (3.0, 3)])
def test_delays_and_gaps_are_those_of_seconds_whatever_the_interval(story, step, delays):
    stimulus = story[0].stimulus
    n = int(stimulus.onset[-1] // step) + 2
    recording = Recording(
        np.random.default_rng(0).standard_normal((n, 2)),
        ["a", "b"],
        "fmri",
        "z",
        times=step * np.arange(n),
    )
    task = replace(simulate_fmri(None, story[0], n_targets=2, subjects=3), recording=recording)
    assert task.design(story[0]).shape == (n, delays * 20)
    assert task.gap == np.ceil(16 / step)


def test_sentences_move_with_their_text_in_the_null(rng):
    words = [f"w{i}" for i in range(240)]
    sentences = [f"s{i // 3}" for i in range(240)]
    texts = [f"t{i // 12}" for i in range(240)]
    stimulus = Stimulus(words, "en", text=texts, sentence=sentences, item=sentences)
    items = list(dict.fromkeys(sentences))
    recording = Recording(rng.standard_normal((80, 2)), ["a", "b"], "fmri", "z", items=items)
    task = replace(
        word_task(rng, rng.standard_normal((80, 5))),
        stimulus=stimulus,
        recording=recording,
        level="sentence",
    )
    order = task.shuffled(1)[0].reshape(20, 4)
    assert (np.diff(order, axis=1) == 1).all()
    assert (order[:, 0] % 4 == 0).all()
    assert task.null == "texts permuted"


def test_data_sets_of_the_same_sentences_are_one_material(rng):
    def text(name, sentences):
        words = [w for s in sentences for w in s.split()]
        labels = [str(i) for i, s in enumerate(sentences) for _ in s.split()]
        stimulus = Stimulus(words, "en", text=labels, sentence=labels)
        return replace(
            word_task(rng, rng.standard_normal((9, 5))),
            name=name,
            level="sentence",
            stimulus=stimulus,
        )

    gaze, eeg = text("gaze", ["a b", "c d", "e f"]), text("eeg", ["A b", "c d", "x y", "z z"])
    other = text("other", ["a d", "b c", "e e"])
    assert materials([gaze, eeg, other]) == {"gaze": "gaze", "eeg": "gaze", "other": "other"}


def test_sentences_of_the_task_are_no_training_text():
    def text(*sentences):
        words = [w for s in sentences for w in s.split()]
        labels = [str(i) for i, s in enumerate(sentences) for _ in s.split()]
        return Stimulus(words, "en", text=["t"] * len(words), sentence=labels)

    own, other = text("a b c", "d e f"), text("a b c", "x y z")
    task = type("T", (), {"stimulus": own, "language": "en"})()
    assert training_sentences(task, [own, other]) == [["x", "y", "z"]]


def test_options_are_read_and_bad_ones_refused(tmp_path):
    assert parse_models("minilm:en, gemma3", ["en", "zh"]) == {
        "minilm": ("en",),
        "gemma3": ("en", "zh"),
    }
    with pytest.raises(UnknownNameError, match="twice"):
        parse_models("a,a", ["en"])
    with pytest.raises(UnknownNameError, match="empty"):
        parse_models(" ", ["en"])
    with pytest.raises(UnknownNameError, match="Did you mean 'provo'"):
        choose_datasets("prvo", [])
    with pytest.raises(DataMissingError, match="brainlm datasets moth"):
        choose_datasets("moth", [], tmp_path)
    if not is_on_disk("provo"):
        pytest.skip("needs the data set provo: brainlm datasets provo says where it is")
    names, languages, notes = choose_datasets("en", ["provo", "moth", "bsc-gaze"])
    assert (names, languages) == (["provo"], ["en"])
    assert "moth" in notes[0]


@pytest.mark.parametrize(
    ("name", "options", "level", "n_samples"),
    [
        ("binder-en", {}, "word", 534),
        ("ucl-gaze", {"max_items": 200}, "sentence", 200),
        ("zuco1-nr", {"max_subjects": 3, "max_items": 300}, "sentence", 300),
        ("alice-fmri", {"max_subjects": 3}, "discourse", 362),
    ],
)
def test_data_sets_of_every_kind_become_tasks(name, options, level, n_samples):
    if not is_on_disk(name):
        pytest.skip(f"needs the data set {name}: brainlm datasets {name} says where it is")
    task = open_assembly(name, **options)
    assert (task.level, task.recording.n_samples) == (level, n_samples)
    assert np.isfinite(task.recording.data).all()
    train, test = next(iter(task.split.split(task.recording.data)))
    assert not set(train) & set(test)
    if task.subjects:
        assert task.ceiling().shape[0] == len(task.subjects)


def test_items_that_mean_other_words_to_other_subjects_are_refused():
    def seen(subject, word):
        return subject, Stimulus([word], "en", text=["1"], item=["i1"]), None

    _check_words([seen("a", "cat"), seen("b", "cat")], "made")
    with pytest.raises(CorruptDataError, match="'i1' is 'dog' to subject 'b' and 'cat'"):
        _check_words([seen("a", "cat"), seen("b", "dog")], "made")


def test_subjects_who_saw_the_items_in_another_order_are_compared_item_by_item(rng):
    values = rng.standard_normal((6, 1))
    items = [str(k) for k in range(6)]
    order = rng.permutation(6)
    first = Recording(values, ["x"], "eye-tracking", "ms", items=items, subject="a")
    other = Recording(
        values[order], ["x"], "eye-tracking", "ms", items=np.array(items)[order], subject="b"
    )
    same, moved = _common([first, other])
    assert same is first
    assert moved.items.tolist() == items
    np.testing.assert_array_equal(moved.data, values)
    assert "items of b in the order of a" in moved.notes
