import numpy as np
import pytest
import torch

from brainlm import Stimulus
from brainlm.decoding.beam_cache import BeamCache, window_start
from brainlm.decoding.cached_texts import CachedTexts, read_tree
from brainlm.decoding.proposals import Nucleus, propose, repeats
from brainlm.decoding.vocabulary import build_vocabulary
from brainlm.language_models import LanguageModel
from brainlm.language_models.grouped_attention import NAME, attend, grouped_attention


def _grow(cache, n_words, rng, width=5):
    for _ in range(n_words):
        parents = rng.integers(0, len(cache), width)
        cache.advance(parents, rng.integers(0, len(cache.vocabulary), width))


def _direct(model, vocabulary, words, start):
    """Ids of a window, read by transformers without any cache or mask of ours."""
    ids = [*model.frame.prefix, *(t for w in words[start:] for t in vocabulary.tokens[w])]
    with torch.inference_mode():
        return model.headed(torch.tensor([ids]), output_hidden_states=True)


def test_cached_states_and_logits_are_those_of_a_plain_forward_pass(tiny, vocabulary, rng):
    cache = BeamCache(tiny, vocabulary, context=3)
    assert max(map(len, vocabulary.tokens)) > 2
    for n_words in (4, 1, 1, 1, 6):  # inside the first window, at its edge, after two restarts
        _grow(cache, n_words, rng)
        start = window_start(cache.history.shape[1], 3)
        candidates = [rng.choice(len(vocabulary), k) for k in (3, 0, 5, 1, 2)]
        branches = [[vocabulary.tokens[w] for w in words] for words in candidates]
        for layer in (1, 3):
            found = iter(cache.states(branches, layer))
            for history, words in zip(cache.history, candidates, strict=True):
                for word in words:
                    direct = _direct(tiny, vocabulary, [*history, word], start)
                    np.testing.assert_allclose(
                        next(found), direct.hidden_states[layer][0, -1], atol=2e-5
                    )
        for logits, history in zip(cache.logits, cache.history, strict=True):
            plain = _direct(tiny, vocabulary, history, start).logits[0, -1]
            np.testing.assert_allclose(logits, plain, atol=2e-5)


def test_states_are_the_features_that_embed_gives_in_training(tiny, vocabulary, rng):
    words = rng.integers(0, len(vocabulary), 14)
    stimulus = Stimulus([vocabulary.words[w] for w in words], "en")
    (layer,) = tiny.embed(stimulus, 2, context=3)
    cache = BeamCache(tiny, vocabulary, context=3)
    for i, word in enumerate(words):
        if i >= 6:  # before that the window holds the first word, which embed reads unspaced
            state = cache.states([[vocabulary.tokens[word]]], 2)
            np.testing.assert_allclose(state[0], layer.values[i], atol=1e-4)
        cache.advance(np.array([0]), np.array([word]))


def test_probabilities_of_words_are_those_of_the_model_within_the_vocabulary(tiny, vocabulary):
    cache = BeamCache(tiny, vocabulary, context=4)
    cache.advance(np.zeros(2, int), np.array([3, 5]))
    everything = Nucleus(mass=1, ratio=1e-9, most=500, beyond=0, no_repeats=False)
    found = propose(cache, everything, least=500)
    for parent in (0, 1):
        mine = found.parent == parent
        assert sorted(found.word[mine]) == list(range(len(vocabulary)))
        assert np.exp(found.log_p[mine]).sum() == pytest.approx(1, abs=1e-4)
        word = int(np.argmax([len(ids) for ids in vocabulary.tokens]))
        by_hand = _by_hand(tiny, vocabulary, cache.history[parent], word)
        assert found.log_p[mine][found.word[mine] == word][0] == pytest.approx(by_hand, abs=1e-3)


def _by_hand(model, vocabulary, history, word):
    total, node, said = 0.0, vocabulary.root, list(history)
    ids = [*model.frame.prefix, *(t for w in said for t in vocabulary.tokens[w])]
    for token in vocabulary.tokens[word]:
        with torch.inference_mode():
            p = model.headed(torch.tensor([ids])).logits[0, -1].softmax(-1).numpy()
        p = p[: len(model.begins_word)]
        ends = p[model.begins_word].sum() if node.word >= 0 else 0
        total += np.log(p[token] / (p[list(node.children)].sum() + ends))
        node, ids = node.children[token], [*ids, token]
    if node.children:
        with torch.inference_mode():
            p = model.headed(torch.tensor([ids])).logits[0, -1].softmax(-1).numpy()
        ends = p[: len(model.begins_word)][model.begins_word].sum()
        total += np.log(ends / (ends + p[list(node.children)].sum()))
    return total


def test_nucleus_follows_the_published_rule(tiny, vocabulary):
    cache = BeamCache(tiny, vocabulary, context=4)
    every = propose(cache, Nucleus(1, 1e-9, 500, 0, False), least=500)
    p = np.sort(np.exp(every.log_p))[::-1]
    found = propose(cache, Nucleus(0.6, 0.2, 500, 0, False))
    expected = int(((p >= 0.2 * p[0]) & (np.cumsum(p) - p < 0.6)).sum())
    assert len(found) == expected
    np.testing.assert_allclose(np.exp(found.log_p), p[:expected], rtol=1e-4)


def test_repetition_rules(vocabulary):
    at = {word: i for i, word in enumerate(vocabulary.words)}
    context = np.array([at[w] for w in ("the", "dog", "runs", "and", "the")])
    words = np.array([at[w] for w in ("dog", "cat", "running", "and", "the")])
    # "the dog" was said; running has the stem of runs; "and" and "the" are function words.
    assert repeats(words, context, vocabulary).tolist() == [True, False, True, False, False]


def test_unfit_models_and_languages_are_refused(tiny, vocabulary, tmp_path):
    with pytest.raises(ValueError, match="give from 1 to"):
        BeamCache(tiny, vocabulary, context=10_000)
    with pytest.raises(ValueError, match="vocabulary"):
        build_vocabulary(tiny.tokenizer, [], "en")
    with pytest.raises(ValueError, match="spells 0 of 3 words of language 'zh'"):
        build_vocabulary(tiny.tokenizer, ["天气公园", "孩子散步", "今天很好"], "zh")
    from brainlm.language_models.sources import is_cached

    if is_cached("minilm"):
        with pytest.raises(ValueError, match="decoding needs a causal model"):
            BeamCache(LanguageModel("minilm"), vocabulary, context=3)


def test_too_large_a_beam_is_refused_before_it_starts(tiny, vocabulary):
    with pytest.raises(MemoryError, match=r"a beam of 10000000000 .* smaller beam"):
        BeamCache(tiny, vocabulary, context=3).require_memory(10**10)


def test_what_texts_begin_with_in_common_is_read_once(tiny, vocabulary, monkeypatch):
    """Rows of the tree, equal texts included: the logits of each text read by itself."""
    read = []
    plain = CachedTexts.forward

    def count(self, ids, *others):
        read.append(tuple(ids.shape))
        return plain(self, ids, *others)

    monkeypatch.setattr(CachedTexts, "forward", count)
    single = [w for w, tokens in enumerate(vocabulary.tokens) if len(tokens) == 1][:4]
    a, b, c, d = single
    words = np.array([[a, b, c, d], [a, b, d, c], [a, b, c, d], [a, b, d, a]])
    texts = read_tree(tiny, words, vocabulary.tokens)
    assert read == [(1, 1), (1, 2), (2, 1), (3, 1)]
    for logits, history in zip(texts.logits, words, strict=True):
        expected = _direct(tiny, vocabulary, history, 0).logits[0, -1]
        np.testing.assert_allclose(logits, expected, atol=2e-5)


@pytest.mark.parametrize("n_groups", [1, 2, 6])
def test_attention_is_that_of_torch(n_groups):
    torch.manual_seed(0)
    query = torch.randn(3, 6, 4, 8)
    key, value = torch.randn(2, 3, n_groups, 9, 8)
    mask = torch.zeros(3, 1, 4, 9).masked_fill_(torch.rand(3, 1, 4, 9) < 0.3, -1e30)
    found, _ = attend(None, query, key, value, mask, scaling=0.4)
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=0.4, enable_gqa=True
    )
    torch.testing.assert_close(found, expected.transpose(1, 2))


def test_the_network_keeps_its_own_attention_outside(tiny):
    before = tiny.network.config._attn_implementation
    with grouped_attention(tiny.network):
        assert tiny.network.config._attn_implementation == NAME
    assert before == "sdpa"
    assert tiny.network.config._attn_implementation == before
