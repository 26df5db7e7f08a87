import numpy as np
import pytest

from brainlm.decoding.beam_cache import BeamCache
from brainlm.decoding.beam_search import Beam, CandidateEmbedder, decode_text, decode_texts
from brainlm.decoding.proposals import Nucleus, repeats
from brainlm.decoding.scorers import EmbeddingSimilarity, LanguageModelOnly, RandomScorer
from brainlm.decoding.stimulus_model import (
    StimulusModel,
    learn_row_scale,
    learn_space,
    word_weights,
)

EVERY = Nucleus(mass=1, ratio=1e-9, most=100, beyond=0, no_repeats=False)


@pytest.fixture(scope="module")
def scene(tiny, vocabulary):
    """An embedder, and a text of 12 words at known times with its embedding."""
    rng = np.random.default_rng(4)
    words = rng.integers(0, len(vocabulary), 300)
    states = _states(tiny, vocabulary, words, 2)
    space = learn_space(states, 32)
    times = 1.0 * np.arange(150)
    weights = word_weights(0.5 * np.arange(300) + 0.2, times)
    embedding = space.project(states)
    scale = learn_row_scale(weights @ embedding, embedding)
    embedder = CandidateEmbedder(tiny, vocabulary, space, context=4, layer=2)
    test = rng.integers(0, len(vocabulary), 12)
    stimulus_model = StimulusModel(word_weights(0.5 * np.arange(12) + 0.2, times[:6]), scale)
    rows = stimulus_model._weights @ space.project(_states(tiny, vocabulary, test, 2))
    return embedder, stimulus_model, (rows - scale.mean) / scale.scale, test


def _states(model, vocabulary, words, layer):
    cache = BeamCache(model, vocabulary, context=4)
    found = []
    for word in words:
        found.append(cache.states([[vocabulary.tokens[word]]], layer)[0])
        cache.advance(np.array([0]), np.array([word]))
    return np.array(found)


@pytest.mark.long
def test_exact_embedding_and_a_wide_beam_give_the_text_back(scene):
    embedder, stimulus_model, truth, test = scene
    beam = Beam(width=150, extensions=60, nucleus=EVERY)
    found = decode_text(embedder, stimulus_model, EmbeddingSimilarity(truth), beam)
    said = [embedder.vocabulary.words[i] for i in test]
    assert np.mean([a == b for a, b in zip(found.words, said, strict=True)]) >= 0.9
    assert found.n_candidates > 11 * 150 * 25


@pytest.mark.long
def test_noise_gives_no_gain(scene, rng):
    embedder, stimulus_model, truth, test = scene
    said = [embedder.vocabulary.words[i] for i in test]
    beam = Beam(width=20, nucleus=EVERY)

    def hits(scorer):
        words = decode_text(embedder, stimulus_model, scorer, beam).words
        return np.mean([a == b for a, b in zip(words, said, strict=True)])

    noise = [hits(EmbeddingSimilarity(rng.standard_normal(truth.shape))) for _ in range(4)]
    random = [hits(RandomScorer(seed)) for seed in range(4)]
    assert np.mean(noise) < 0.15
    assert abs(np.mean(noise) - np.mean(random)) < 0.15


def test_the_language_model_alone_prefers_likely_words(scene):
    embedder, stimulus_model, truth, _ = scene
    alone = decode_text(
        embedder, stimulus_model, LanguageModelOnly(), Beam(width=20, lm_weight=1, nucleus=EVERY)
    )
    guided = decode_text(
        embedder, stimulus_model, EmbeddingSimilarity(truth), Beam(20, nucleus=EVERY)
    )
    assert alone.log_p > guided.log_p
    assert alone.score == 0


def test_a_model_that_is_sure_of_its_repetition_does_not_repeat_it(scene):
    embedder, _, _, _ = scene
    weights = word_weights(0.5 * np.arange(40) + 0.2, 1.0 * np.arange(20))
    scale = learn_row_scale(np.ones((2, 32)) * [[0], [1]], np.ones((2, 32)))
    surest = Nucleus(mass=1e-6, ratio=1, most=30, beyond=0)  # a single word
    beam = Beam(1, lm_weight=1, nucleus=surest)
    words = decode_text(embedder, StimulusModel(weights, scale), LanguageModelOnly(), beam).words
    vocabulary = embedder.vocabulary
    index = {word: i for i, word in enumerate(vocabulary.words)}
    context = 2 * embedder.context
    for i in range(1, len(words)):
        before = np.array([index[word] for word in words[max(0, i - context) : i]])
        assert not repeats(np.array([index[words[i]]]), before, vocabulary).any(), words[: i + 1]


def test_the_search_is_deterministic(scene):
    embedder, stimulus_model, truth, _ = scene
    beam = Beam(width=10)
    first, second = (
        decode_text(embedder, stimulus_model, EmbeddingSimilarity(truth), beam) for _ in range(2)
    )
    assert first.words == second.words


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        Beam(width=0)
    with pytest.raises(ValueError, match="lm_weight"):
        Beam(lm_weight=-1)
    with pytest.raises(ValueError, match="ratio must be between 0 and 1, got 2"):
        Nucleus(ratio=2)


@pytest.mark.long
@pytest.mark.parametrize("nucleus", [EVERY, Nucleus(mass=1e-6, ratio=1, most=30, beyond=0)])
def test_searches_at_once_find_what_each_finds_alone(scene, nucleus):
    embedder, stimulus_model, truth, _ = scene
    noise = np.random.default_rng(1).standard_normal(truth.shape)

    def scorers():
        yield from (EmbeddingSimilarity(truth), LanguageModelOnly(), EmbeddingSimilarity(noise))
        yield from (RandomScorer(seed) for seed in (3, 4))

    beams = [Beam(6, lm_weight=weight, nucleus=nucleus) for weight in (0, 1, 0.3, 0, 0)]
    alone = [
        decode_text(embedder, stimulus_model, *pair) for pair in zip(scorers(), beams, strict=True)
    ]
    together = decode_texts(embedder, stimulus_model, list(scorers()), beams)
    # Random gains fall on other words as soon as rounding moves one candidate over an edge.
    assert [each.words for each in together[:3]] == [each.words for each in alone[:3]]
    for one, same in zip(together[:3], alone[:3], strict=True):
        assert one.log_p == pytest.approx(same.log_p, rel=1e-4)
        assert one.score == pytest.approx(same.score, rel=1e-3)
    for one, same in zip(together, alone, strict=True):
        assert one.n_candidates == pytest.approx(same.n_candidates, rel=0.02)
    with pytest.raises(ValueError, match="beams of the same width and nucleus"):
        decode_texts(embedder, stimulus_model, list(scorers())[:2], [Beam(2), Beam(3)])
