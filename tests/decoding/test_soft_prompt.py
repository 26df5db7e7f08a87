"""The brain as a soft prompt: a planted brain helps, noise does not, the model stays as it is."""

from dataclasses import replace

import numpy as np
import pytest

from brainlm.decoding.beam_search import Beam
from brainlm.decoding.conditions import brain_scorer, build_conditions
from brainlm.decoding.decoder import Settings, fit_story_decoder
from brainlm.decoding.mapping_null import score_story_prompt
from brainlm.decoding.prompt_examples import PromptExamples, story_examples
from brainlm.decoding.prompted import PromptedModel
from brainlm.decoding.scorers import Mixture
from brainlm.decoding.soft_prompt import (
    PromptTraining,
    SoftPrompt,
    fit_soft_prompt,
    load_soft_prompt,
    prompt_loss,
    prompted_states,
)
from brainlm.decoding.stories import Story, first_seconds
from brainlm.language_models import LanguageModel
from brainlm.language_models.heads import head_logits

FAST = PromptTraining(n_prompts=2, rank=8, context=4, epochs=12, patience=4, batch=32, rate=0.02)
N_INPUTS = 12


def examples(rng, vocabulary, n=240, *, planted=True, noise=0.3):
    """Two words a sample; the responses follow the first token of the first of them."""
    tokens = vocabulary.tokens
    chosen = rng.integers(0, len(tokens), (n, 4))
    before = [tokens[a] + tokens[b] for a, b in chosen[:, :2]]
    target = [tokens[a] + tokens[b] for a, b in chosen[:, 2:]]
    code = np.random.default_rng(9).standard_normal((400, N_INPUTS))
    X = noise * rng.standard_normal((n, N_INPUTS))
    if planted:
        X += code[[tokens[word][0] for word in chosen[:, 2]]]
    return PromptExamples(before, target, X.astype(np.float32))


def gain_over_permuted(tiny, vocabulary, seed, **options):
    rng = np.random.default_rng(seed)
    train, held, test = (examples(rng, vocabulary, n, **options) for n in (240, 60, 400))
    prompt = fit_soft_prompt(tiny, train, held, FAST)
    nulls = [
        prompt_loss(tiny, prompt, test.with_inputs(test.X[rng.permutation(400)])) for _ in range(5)
    ]
    return np.mean(nulls) - prompt_loss(tiny, prompt, test)


def test_a_planted_brain_lowers_the_loss_below_that_of_the_permuted_brain(tiny, vocabulary):
    assert gain_over_permuted(tiny, vocabulary, 0) > 0.2


@pytest.mark.long
def test_a_brain_of_noise_gains_nothing(tiny, vocabulary):
    gains = [gain_over_permuted(tiny, vocabulary, seed, planted=False) for seed in (1, 2, 3)]
    assert abs(np.mean(gains)) < 0.05


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_only_the_map_is_trained(tiny_folder, vocabulary, rng, dtype):
    model = LanguageModel(tiny_folder, dtype=dtype)
    before = {name: w.clone() for name, w in model.headed.state_dict().items()}
    train, held = (examples(rng, vocabulary, n) for n in (60, 20))
    prompt = fit_soft_prompt(model, train, held, replace(FAST, epochs=1))
    for name, weights in model.headed.state_dict().items():
        assert weights.dtype == before[name].dtype
        assert weights.equal(before[name]), name
    assert all(weights.grad is None for weights in model.headed.parameters())
    assert prompt.up.shape == (8, 2, model.n_features)


def test_the_loss_by_hand(tiny, vocabulary, rng):
    import torch

    part = examples(rng, vocabulary, 60)
    prompt = fit_soft_prompt(tiny, part, part, replace(FAST, epochs=1))
    part, total, n = part.select(np.arange(3)), 0.0, 0
    embed = tiny.headed.get_input_embeddings()
    for before, target, x in zip(part.before, part.target, part.X, strict=True):
        ids = torch.tensor([*before, *target])
        vectors = torch.from_numpy(prompt.vectors(x[None])[0])
        whole = torch.cat([embed(torch.tensor(list(tiny.frame.prefix))), vectors, embed(ids)])
        logits = tiny.headed(inputs_embeds=whole[None]).logits[0].log_softmax(-1)
        start = len(whole) - len(target)
        for k, token in enumerate(target):
            total -= float(logits[start + k - 1, token].detach())
        n += len(target)
    assert prompt_loss(tiny, prompt, part) == pytest.approx(total / n, rel=1e-4)


def test_a_saved_map_is_the_same(tiny, vocabulary, rng, tmp_path):
    part = examples(rng, vocabulary, 60)
    prompt = fit_soft_prompt(tiny, part, part, replace(FAST, epochs=1))
    prompt.save(tmp_path / "prompt.safetensors")
    again = load_soft_prompt(tmp_path / "prompt.safetensors")
    assert isinstance(again, SoftPrompt)
    np.testing.assert_array_equal(again.vectors(part.X), prompt.vectors(part.X))


def test_examples_hold_the_words_of_their_sample_and_no_later_ones():
    times = 2.0 * np.arange(4)
    middle = np.array([0.5, 1.5, 2.5, 5.0])
    story = Story(tuple("abcd"), middle - 0.2, middle, np.zeros((4, 2)), times, "s")
    tokens = [(1,), (2, 3), (4,), (5,)]
    found = story_examples(story, tokens, np.arange(6.0).reshape(3, 2), np.array([-1, 1, 2]), 2)
    assert found.target == [(4,), (5,)]
    assert found.before == [(1, 2, 3), (2, 3, 4)]
    assert found.X.tolist() == [[2, 3], [4, 5]]


def stories(rng, vocabulary, n_stories=4, n_words=60):
    found = []
    for k in range(n_stories):
        chosen = rng.integers(0, len(vocabulary), n_words)
        middle = 0.5 + np.arange(n_words) * 0.8
        times = 2.0 * np.arange(int(middle[-1] // 2) + 6)
        Y = rng.standard_normal((len(times), 30)).astype(np.float32)
        words = tuple(vocabulary.words[i] for i in chosen)
        found.append(Story(words, middle - 0.2, middle, Y, times, f"story {k}"))
    return found


def test_a_decoder_with_a_soft_prompt_decodes_under_all_conditions(tiny, vocabulary, rng):
    told = stories(rng, vocabulary)
    prompt = replace(FAST, epochs=1)
    settings = Settings(
        layer=2, context=4, n_components=6, n_targets=20, n_inputs=8, n_frequent=0, prompt=prompt
    )
    decoder = fit_story_decoder(tiny, told[:3], settings)
    test, beam = told[3], Beam(3)
    scorers = {"BrainLLM": ("soft-prompt", beam)}
    conditions = build_conditions(decoder, test, ("wrong story", told[0].responses), scorers)
    names = ["BrainLLM: brain", "BrainLLM: permuted brain"]
    chosen = [conditions[name] for name in names]
    found = decoder.decode_all(
        [each.scorer for each in chosen], chosen[0].middle, test.times, [beam, beam]
    )
    assert all(len(each.words) == len(chosen[0].middle) for each in found)
    assert all(np.isfinite(each.score) and each.score < 0 for each in found)
    plain = fit_story_decoder(tiny, told[:3], replace(settings, prompt=None))
    assert plain.key != decoder.key
    with pytest.raises(ValueError, match="has no soft prompt: fit it with Settings"):
        brain_scorer(plain, test.responses, "soft-prompt")
    with pytest.raises(ValueError, match="a soft prompt is none"):
        Mixture([chosen[0].scorer], [1.0])


def test_a_story_too_short_for_its_responses_has_no_loss(tiny, vocabulary, rng):
    told = stories(rng, vocabulary)
    settings = Settings(
        layer=2,
        context=4,
        n_components=6,
        n_targets=20,
        n_inputs=8,
        n_frequent=0,
        prompt=replace(FAST, epochs=1),
    )
    decoder = fit_story_decoder(tiny, told[:3], settings)
    found = score_story_prompt(decoder, first_seconds(told[3], 10.0), 3)
    assert np.isfinite(list(found.values())).all()
    silent = replace(told[3], words=(), onset=np.zeros(0), middle=np.zeros(0))
    assert np.isnan(list(score_story_prompt(decoder, silent, 3).values())).all()
    assert score_story_prompt(replace(decoder, prompt=None), told[3], 3) == {}


def test_gains_are_probabilities_of_the_first_token(tiny, vocabulary, rng):
    from brainlm.decoding.stimulus_model import RowScale, RowWindow, StimulusModel, word_weights

    part = examples(rng, vocabulary, 60)
    prompt = fit_soft_prompt(tiny, part, part, replace(FAST, epochs=1))
    weights = word_weights(np.array([0.5, 1.5, 3.0]), 2.0 * np.arange(3))
    rows = RowWindow(StimulusModel(weights, RowScale(np.zeros(2), np.ones(2), 1.0)), 0)
    scorer = PromptedModel(tiny, vocabulary, prompt, rng.standard_normal((3, N_INPUTS)))
    every = np.arange(len(vocabulary))
    history = np.zeros((1, 2), dtype=int)
    log_p = scorer.word_gains(rows, np.zeros(len(every), dtype=int), history, every)
    first = np.array([word[0] for word in vocabulary.tokens])
    total = sum(np.exp(log_p[first == token][0]) for token in np.unique(first))
    assert total == pytest.approx(1, abs=1e-4)
    with pytest.raises(ValueError, match="scores words, not embeddings"):
        scorer.gains(rows, np.zeros(1, dtype=int), np.zeros((1, 2)))


def test_gains_of_a_search_are_those_of_texts_that_are_read_whole(tiny, vocabulary, rng):
    """Hypotheses part and die over three rows; keys and values are kept within a row."""
    import torch

    from brainlm.decoding.stimulus_model import RowScale, RowWindow, StimulusModel, word_weights

    part = examples(rng, vocabulary, 60)
    prompt = fit_soft_prompt(tiny, part, part, replace(FAST, epochs=1, context=2))
    X = rng.standard_normal((3, N_INPUTS))
    scorer = PromptedModel(tiny, vocabulary, prompt, X)
    middle = np.array([0.3, 0.8, 1.3, 1.8, 2.4, 3.0, 4.5, 5.0])
    row_of, start = [0, 0, 0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 2, 2, 4, 4]
    model = StimulusModel(
        word_weights(middle, 2.0 * np.arange(3)), RowScale(np.zeros(2), np.ones(2), 1.0)
    )
    rows, history = RowWindow(model, 0), np.zeros((1, 0), dtype=np.int32)
    for k, row in enumerate(row_of):
        words = rng.integers(0, len(vocabulary), 5)
        parents = rng.integers(0, len(history), 5)
        found = scorer.word_gains(rows, parents, history, words)
        texts = [
            [token for word in line[start[k] :] for token in vocabulary.tokens[word]]
            for line in history
        ]
        vectors = torch.from_numpy(np.repeat(prompt.vectors(X[row : row + 1]), len(texts), axis=0))
        states, first = prompted_states(tiny, vectors, texts)
        last = [first + len(text) - 1 for text in texts]
        logits = head_logits(tiny, states[torch.arange(len(texts)), last])
        known = sorted({word[0] for word in vocabulary.tokens})
        log_p = logits[:, known].log_softmax(-1).detach().numpy()
        wanted = [known.index(vocabulary.tokens[word][0]) for word in words]
        np.testing.assert_allclose(found, log_p[parents, wanted], atol=2e-4)
        history = np.c_[history[parents], words].astype(np.int32)
        rows.advance(parents, np.zeros((5, 2), dtype=np.float32))


def test_bad_input_is_named(tiny, vocabulary, rng):
    part = examples(rng, vocabulary, 4)
    with pytest.raises(ValueError, match=r"needs 20 examples to train .* got 4 and 0"):
        fit_soft_prompt(tiny, part, part.select(np.arange(0)))
