"""A simulated Chinese subject, decoded by words and by characters, with Chinese scores."""

import numpy as np
import pytest

from brainlm import Recording, Stimulus
from brainlm.decoding.beam_search import Beam, Reconstruction
from brainlm.decoding.conditions import brain_scorer, smooth_noise
from brainlm.decoding.decoder import Settings, fit_story_decoder
from brainlm.decoding.proposals import Nucleus
from brainlm.decoding.simulated_subjects import LEAD, Simulation, simulate_stories
from brainlm.decoding.stories import Story, stories_of
from brainlm.decoding.story_scores import score_story_mapping, score_whole, score_windows
from brainlm.decoding.text_scores import TextMetrics

CHINESE = "我 你 他 小 王子 星球 玫瑰 狐狸 沙漠 飞机 说 看 很 好 在 是 花".split()  # noqa: SIM905

BEAM = Beam(5, nucleus=Nucleus(mass=1, ratio=1e-4, most=12, beyond=0.9, no_repeats=False))


@pytest.fixture(scope="module")
def subject(tiny):
    rng = np.random.default_rng(0)
    parts = [rng.choice(CHINESE, n).tolist() for n in (350, 350, 60)]
    onset = [np.arange(len(words)) + 0.05 for words in parts]
    stimulus = Stimulus(
        [w for words in parts for w in words],
        "zh",
        np.concatenate(onset),
        np.full(760, 0.9),
        run=np.repeat(["a", "b", "c"], [350, 350, 60]),
    )
    simulation = Simulation(80, 30.0, responding=0.9, n_components=16, layer=2, context=2)
    responses = simulate_stories(tiny, stimulus, simulation)
    length = [len(responses[run]) for run in stimulus.runs]
    recording = Recording(
        np.concatenate([responses[run] for run in stimulus.runs]),
        targets=[f"v{i}" for i in range(80)],
        modality="fmri",
        unit="a.u.",
        times=np.concatenate([LEAD + 2.0 * np.arange(n) for n in length]),
        run=np.repeat(stimulus.runs, length),
    )
    return stimulus, recording


@pytest.mark.long
@pytest.mark.parametrize("level", ["word", "character"])
def test_chinese_is_decoded_by_words_and_by_characters(tiny, subject, level):
    *train, test = stories_of(*subject, level)
    settings = Settings(
        layer=2,
        context=2,
        n_components=16,
        n_targets=70,
        n_inputs=50,
        n_frequent=0,
        longest=12,
        level=level,
    )
    decoder = fit_story_decoder(tiny, train, settings, "zh")
    vocabulary = decoder.embedder.vocabulary
    assert vocabulary.language == "zh"
    assert not vocabulary.spaced
    longest = max(map(len, vocabulary.words))
    assert longest == (2 if level == "word" else 1)
    assert "".join(test.words) == "".join(subject[0].words[subject[0].run == "c"])
    assert score_story_mapping(decoder, test).r.mean() > 0.25
    middle = decoder.word_times(test.responses, test.times)
    rng = np.random.default_rng(1)
    metrics = TextMetrics.default(None, None, "zh", level)
    assert ("bleu-1, characters" in metrics.names) == (level == "word")
    starts = np.arange(middle[0], middle[-1] - 20, 2.0)
    scores = []
    for Y in (test.responses, smooth_noise(test.responses.shape, rng)):
        found = decoder.decode(brain_scorer(decoder, Y, "likelihood"), middle, test.times, BEAM)
        assert set(found.words) <= set(vocabulary.words)
        scores.append(score_windows(found, middle, test, starts, metrics, "zh").mean(axis=1))
    at = metrics.names.index("bleu-2")  # words in their order: few words, many chance hits
    assert scores[0][at] > scores[1][at] + 0.03


def test_characters_do_not_depend_on_who_cut_the_words():
    metrics = TextMetrics(["bleu-1", "1-wer"], ["bleu-1", "1-wer"])
    assert metrics.names == ["bleu-1", "1-wer", "bleu-1, characters", "1-wer, characters"]
    words, errors, characters, character_errors = metrics.score_words(
        [["天气", "很", "好"]], [["天", "气很", "好"]], "zh"
    )
    assert words[0] < 0.5
    assert errors[0] == pytest.approx(1 / 3)
    assert characters[0] == pytest.approx(1)
    assert character_errors[0] == pytest.approx(1)


def test_the_whole_story_is_scored_as_one_piece():
    words = ("the", "dog", "runs", "in", "the", "night") * 8
    middle = np.arange(48) + 0.5
    story = Story(words, middle - 0.5, middle, np.zeros((4, 2)), np.arange(4.0), "x")
    metrics = TextMetrics(["bleu-1", "1-wer"])
    starts = np.arange(0, 28.1)
    same = Reconstruction(words, 0.0, 0.0, 0.0, 0)
    np.testing.assert_allclose(score_whole(same, middle, story, starts, metrics, "en"), 1)
    # The order of the words of different windows counts for the whole and not inside windows.
    half = Reconstruction(words[:24] + ("moon",) * 24, 0.0, 0.0, 0.0, 0)
    whole = score_whole(half, middle, story, starts, metrics, "en")
    assert whole == pytest.approx([0.5, 0.5])
    windows = score_windows(half, middle, story, starts, metrics, "en")
    assert windows[0, 0] == pytest.approx(1)
    assert windows[0, -1] == pytest.approx(0, abs=0.06)
