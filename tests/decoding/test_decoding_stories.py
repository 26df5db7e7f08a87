"""Simulated subjects from folder to text: what is planted is found, and nothing else."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from conftest_words import WORDS
from scipy.stats import t

from brainlm import Stimulus
from brainlm.decoding.beam_search import Beam
from brainlm.decoding.conditions import (
    SCORERS,
    Condition,
    block_derangement,
    brain_scorer,
    build_conditions,
    random_conditions,
    smooth_noise,
)
from brainlm.decoding.decoder import Settings, fit_story_decoder, reduce_responses
from brainlm.decoding.proposals import Nucleus
from brainlm.decoding.simulated_subjects import LEAD, Simulation, simulate_stories, time_words
from brainlm.decoding.stimulus_model import RowWindow
from brainlm.decoding.stories import stories_of
from brainlm.decoding.story_folder import write_layout
from brainlm.decoding.story_scores import score_story_mapping
from brainlm.decoding.story_study import DecodingStudy, decode_conditions
from brainlm.decoding.text_scores import TextMetrics
from brainlm.decoding.tuning import choose_weight
from brainlm.decoding.word_rate import count_words, fit_word_rate, spread_words
from brainlm.decoding.words import clean_words, read_states
from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.io import read_stories
from brainlm.storage.store import PartStore

SETTINGS = Settings(
    layer=2, context=4, n_components=32, n_targets=80, n_inputs=60, n_frequent=0, longest=12
)
BEAM = Beam(6, nucleus=Nucleus(mass=1, ratio=1e-3, most=10, beyond=0.6, no_repeats=False))
OPTIONS = {
    "language": "en",
    "tier": "word",
    "first_sample": LEAD,
    "sampling_interval": 2.0,
    "unit": "a.u.",
}


@pytest.fixture(scope="module")
def stimulus():
    rng = np.random.default_rng(0)
    parts = [rng.choice(WORDS, n).tolist() for n in (500, 500, 500, 60, 60)]
    # Slowly spoken, two words in a sample: what a few dimensions can tell apart.
    times = [(np.arange(len(words)) + 0.05, np.full(len(words), 0.9)) for words in parts]
    return Stimulus(
        [w for words in parts for w in words],
        "en",
        np.concatenate([t[0] for t in times]),
        np.concatenate([t[1] for t in times]),
        run=np.repeat([f"s{i}" for i in range(5)], [len(words) for words in parts]),
    )


def _study(tiny, stimulus, folder, snr):
    simulation = Simulation(100, snr, responding=0.9, n_components=32, layer=2, context=4)
    responses = simulate_stories(tiny, stimulus, simulation)
    write_layout(folder, "S1", stimulus, responses, ("s3", "s4"))
    train = stories_of(
        *read_stories(
            folder / "data_train",
            "S1",
            pattern="train_response/{subject}/{story}.hf5",
            words="train_stimulus/{story}.TextGrid",
            counts="respdict.json",
            trimmed=10,
            **OPTIONS,
        )
    )
    test = stories_of(
        *read_stories(
            folder / "data_test",
            "S1",
            pattern="test_response/{subject}/perceived_speech/{story}.hf5",
            words="test_stimulus/perceived_speech/{story}.TextGrid",
            **OPTIONS,
        )
    )
    return train, test, fit_story_decoder(tiny, train, SETTINGS), responses


@pytest.fixture(scope="module")
def study(tiny, stimulus, tmp_path_factory):
    return _study(tiny, stimulus, tmp_path_factory.mktemp("s") / "study", 20.0)


def test_the_folders_are_those_of_the_public_code(study, stimulus, tmp_path, tiny):
    train, test, _, responses = study
    assert [story.name for story in (*train, *test)] == ["s0", "s1", "s2", "s3", "s4"]
    raw = responses["s1"]
    z = (raw - raw.mean(0)) / raw.std(0)
    np.testing.assert_allclose(train[1].responses, z, atol=1e-4)
    mine = stimulus.run == "s1"
    assert list(train[1].words) == stimulus.words[mine].tolist()
    np.testing.assert_allclose(train[1].onset, stimulus.onset[mine], atol=1e-4)
    folder = write_layout(tmp_path / "x", "S1", stimulus, responses, ("s4",))
    assert json.loads((folder / "data_train/respdict.json").read_text())["s1"] == len(raw) + 10
    assert (folder / "data_train/ROIs/S1.json").is_file()
    assert (folder / "data_test/eval_segments.json").is_file()
    with pytest.raises(FileExistsError, match="choose another folder"):
        write_layout(folder, "S1", stimulus, responses)


def _gain_of(decoder, scorer, words, middle, times):
    """What a scorer gives to a whole text."""
    states = read_states(decoder.embedder.model, words, "en", layer=2, context=4)
    steps = decoder.embedder.space.project(states) / decoder.scale.scale
    rows, total = RowWindow(decoder.stimulus_model(middle, times), scorer.reach), 0.0
    for step in steps.astype(np.float32):
        total += scorer.gains(rows, np.zeros(1, int), step[None])[0]
        rows.advance(np.zeros(1, int), step[None])
    return total


@pytest.mark.long
def test_planted_text_is_mapped_and_preferred_to_any_other(study):
    _, test, decoder, _ = study
    story, rng = test[1], np.random.default_rng(0)
    scores = score_story_mapping(decoder, story)
    assert scores.r.mean() > 0.3
    assert scores.pairwise > 0.9
    inside = story.middle < story.times[-5]
    words, middle = list(np.array(story.words)[inside]), story.middle[inside]
    others = [rng.choice(WORDS, len(words)).tolist() for _ in range(19)]
    noise = smooth_noise(story.responses.shape, rng)
    for name in SCORERS:
        ranks = []
        for Y in (story.responses, noise):
            scorer = brain_scorer(decoder, Y, name)
            own = _gain_of(decoder, scorer, words, middle, story.times)
            rest = [_gain_of(decoder, scorer, each, middle, story.times) for each in others]
            ranks.append(sum(own <= each for each in rest))
        assert ranks[0] == 0  # the brain prefers what was said to all 19 others
        assert ranks[1] > 0  # noise does not


def test_the_reference_is_never_seen(study):
    _, test, decoder, _ = study
    story = test[1]
    half = len(story.words) // 2
    other = replace(
        story,
        words=("moon",) * half,
        onset=story.onset[:half] * 0.9,
        middle=story.middle[:half] * 0.9,
    )
    scorers = {"MapGuide": ("similarity", BEAM)}
    texts = []
    for version in (story, other):
        conditions = build_conditions(decoder, version, ("wrong story", test[0].responses), scorers)
        del conditions["ceiling"]  # the only one that may look
        chosen = {name: conditions[name] for name in ("MapGuide: brain", "language model")}
        texts.append({k: v.words for k, v in decode_conditions(decoder, chosen).items()})
    assert texts[0] == texts[1]
    assert len(texts[0]["MapGuide: brain"]) not in (half, len(story.words))


@pytest.mark.long
def test_a_subject_without_signal_has_no_gain(tiny, stimulus, tmp_path):
    _, test, decoder, _ = _study(tiny, stimulus, tmp_path / "none", 0.0)
    story = test[1]
    # Without signal the word rate hears nothing either: words at an even rate.
    middle = np.arange(story.times[0], story.times[-8], 1.0)
    conditions = {
        f"{name}: brain": Condition(
            brain_scorer(decoder, story.responses, name), middle, story.times, BEAM
        )
        for name in ("likelihood", "similarity")
    }
    study = DecodingStudy(decoder, TextMetrics(["bleu-1", "bleu-2"]), n_null=9)
    found = study.reconstruct(story, conditions)
    assert float(found["p"].mean()) > 0.2
    assert float(np.abs(found["whole_gain"]).max()) < 0.15
    one_more = found["whole_null"].std("null", ddof=1) * np.sqrt(1 + 1 / 9)
    np.testing.assert_allclose(found["whole_p"], t.sf(found["whole_gain"] / one_more, 8))
    assert (found["z"] < 3).all()
    assert abs(score_story_mapping(decoder, story).r.mean()) < 0.1


def test_interrupted_reconstructions_go_on(study, tmp_path, monkeypatch):
    _, test, decoder, _ = study
    story = test[1]
    conditions = {
        "a": Condition(
            brain_scorer(decoder, story.responses, "mixture"),
            np.arange(12.0, 16, 0.4),
            story.times,
            BEAM,
        )
    }
    conditions |= random_conditions(conditions, 2)
    store = PartStore(tmp_path)
    first = decode_conditions(decoder, conditions, store, key={"k": 1})
    monkeypatch.setattr(type(decoder), "decode_all", None)  # nothing may be decoded again
    again = decode_conditions(decoder, conditions, store, key={"k": 1})
    assert {n: r.words for n, r in first.items()} == {n: r.words for n, r in again.items()}
    with pytest.raises(TypeError):
        decode_conditions(decoder, conditions, store, key={"k": 2})
    next(tmp_path.glob("*.part")).write_text("{")
    with pytest.warns(UserWarning, match="computed again"), pytest.raises(TypeError):
        decode_conditions(decoder, conditions, store, key={"k": 1})


def test_word_rate_finds_planted_counts(rng):
    counts = rng.integers(1, 7, 200).astype(float)
    times = 10 + 2.0 * np.arange(200)
    onset = np.concatenate([t + 2 * np.arange(n) / n for t, n in zip(times, counts, strict=True)])
    Y = np.zeros((200, 3))
    Y[2:] += counts[:-2, None] * [1, 2, 0]
    Y += 0.01 * rng.standard_normal(Y.shape)
    rate = fit_word_rate(
        [Y[:100], Y[100:]],
        [times[:100], times[100:]],
        [onset[onset < times[100]], onset[onset >= times[100]]],
    )
    middle = rate.predict(Y, times)
    found = count_words(middle, times[:-4], 2.0)
    np.testing.assert_array_equal(found, counts[:-4])
    np.testing.assert_allclose(
        spread_words(np.array([2, 0, 1]), np.array([0, 2, 4.0]), 2.0), [0.5, 1.5, 5.0]
    )
    with pytest.raises(ValueError, match=r"every 1.5 s, those of training every 2 s"):
        rate.predict(Y, 1.5 * np.arange(200))
    with pytest.raises(ValueError, match="predicts no word at all"):
        rate.predict(Y - np.array([100, 200, 0]), times)
    with pytest.raises(ValueError, match=r"in a sample of 2 s, the training stories have 6 at"):
        rate.predict(50 * Y, times)
    with pytest.raises(CorruptDataError, match="no word in its recorded time"):
        fit_word_rate([Y], [times], [onset + 5000])


def test_components_without_variance_are_left_out(rng):
    parts = [rng.standard_normal((12, 40)) for _ in range(3)]
    Y = np.concatenate([part - part.mean(axis=0) for part in parts]).astype(np.float32)
    found = reduce_responses(Y, 100)
    assert found.n_components_ == 33  # a sample of each story follows from the others
    assert found.transform(Y).std(axis=0).min() > 1e-3
    assert reduce_responses(Y, 20).n_components_ == 20
    twice = np.hstack([Y[:, :5], Y[:, :5]])
    assert reduce_responses(twice, 10).n_components_ == 5


def test_noise_and_blocks(rng):
    order = block_derangement(43, rng)
    assert sorted(order) == list(range(43))
    assert (order != np.arange(43)).all()
    with pytest.raises(ValueError, match="too few to permute"):
        block_derangement(10, rng)
    silent = Simulation(400, 0.0)
    from brainlm.decoding.simulated_subjects import _noise

    noise = _noise((600, 400), silent, rng)
    assert noise.std() == pytest.approx(1, abs=0.02)
    responses_after = np.mean(noise[1:] * noise[:-1])
    assert responses_after == pytest.approx(0.4, abs=0.03)
    assert np.mean(noise[:, 0::20] * noise[:, 1::20]) == pytest.approx(0.3, abs=0.06)


def test_states_of_several_texts_are_those_of_each(tiny):
    texts = [["the", "dog", "runs"], ["moon"], ["a", "wonderful", "night", "in", "red"]]
    joined = read_states(
        tiny,
        [w for t in texts for w in t],
        "en",
        layer=2,
        context=3,
        lengths=[len(t) for t in texts],
    )
    each = [read_states(tiny, text, "en", layer=2, context=3) for text in texts]
    np.testing.assert_allclose(joined, np.concatenate(each), atol=1e-5)


def test_spoken_words_have_plausible_times(rng):
    onset, duration = time_words(["a", "elephant"] * 300, rng)
    assert (onset[1:] >= (onset + duration)[:-1] - 1e-9).all()
    assert duration[1::2].mean() > duration[::2].mean()
    assert 600 / (onset[-1] + duration[-1]) == pytest.approx(2.7, abs=0.4)  # words per second


def test_words_as_they_are_transcribed():
    words, place = clean_words(["“Hello,”", "—", "Don’t", "X"], "en")
    assert words == ["hello", "don't", "x"]
    assert place.tolist() == [0, 2, 3]
    words, place = clean_words(["天气，", "很好"], "zh", "character")
    assert words == ["天", "气", "很", "好"]
    assert place.tolist() == [0, 0, 1, 1]


def test_context_in_seconds_is_so_many_words_of_the_training_stories(study, tiny):
    train, _, decoder, _ = study  # a word per second
    seconds = replace(SETTINGS, context=99, context_seconds=4.0)
    own = fit_story_decoder(tiny, train[:2], seconds)
    assert own.settings.context == own.embedder.context == 4
    assert decoder.settings.context == SETTINGS.context
    with pytest.raises(ValueError, match=r"context_seconds=0.1 holds no word: .* 1 words per sec"):
        fit_story_decoder(tiny, train[:2], replace(SETTINGS, context_seconds=0.1))


@pytest.mark.parametrize("control", ["noise input", "permuted brain"])
def test_controls_are_drawn_several_times(study, control):
    _, test, decoder, _ = study
    scorers = {"Tang": ("likelihood", BEAM)}
    conditions = build_conditions(decoder, test[1], ("wrong story", test[0].responses), scorers)
    drawn = [conditions[f"Tang: {control}{k}"].scorer._evidence for k in ("", " 2", " 3")]
    assert f"Tang: {control} 4" not in conditions
    assert all(not np.allclose(a, b) for a, b in itertools.combinations(drawn, 2))
    other = "training block", test[0].responses
    fewer = build_conditions(decoder, test[1], other, scorers, n_draws=1)
    np.testing.assert_array_equal(fewer[f"Tang: {control}"].scorer._evidence, drawn[0])
    assert "Tang: training block" in fewer
    assert "Tang: wrong story" not in fewer


def test_bad_input_is_refused(study, tiny):
    train, test, decoder, _ = study
    with pytest.raises(ValueError, match="at least two training stories, got 1"):
        fit_story_decoder(tiny, train[:1], SETTINGS)
    odd = replace(train[1], responses=train[1].responses[:, :50])
    with pytest.raises(ValueError, match="stories differ in their voxels"):
        fit_story_decoder(tiny, [train[0], odd], SETTINGS)
    with pytest.raises(UnknownNameError, match="likelihood, similarity, mixture"):
        brain_scorer(decoder, test[0].responses, "magic")
    short = "wrong story", test[0].responses[:10]
    with pytest.raises(ValueError, match="wrong story has 10 samples"):
        build_conditions(decoder, test[1], short, {"x": ("similarity", BEAM)})
    with pytest.raises(ValueError, match="snr must be 0 or more"):
        Simulation(snr=-1)
    assert choose_weight({0.0: 0.2, 0.5: 0.3, 1.0: 0.3}) == 0.5
