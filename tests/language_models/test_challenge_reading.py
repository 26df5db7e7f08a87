"""The challenge's rules of reading, against the network called word by word and line by line."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from brainlm import LanguageModel, Stimulus
from brainlm.language_models.challenge_reading import embed_for_challenge

WORDS = ["今天", "天气", "很好", "，", "我们", "一起", "去", "公园"]


@pytest.fixture(params=["llama", "bert"])
def model(request, llama_folder, bert_folder):
    return LanguageModel({"llama": llama_folder, "bert": bert_folder}[request.param])


def states(model, ids):
    """Hidden states of each layer, (n_layers + 1, n_tokens, n_features)."""
    with torch.inference_mode():
        found = model.network(torch.tensor([ids]), output_hidden_states=True).hidden_states
    return np.stack([layer[0].numpy() for layer in found])


def test_words_alone_are_the_mean_of_all_tokens(model):
    spaces = embed_for_challenge(model, Stimulus(WORDS, "zh"), "alone")
    for i, word in enumerate(WORDS):
        expected = states(model, model.tokenizer(word)["input_ids"]).mean(axis=1)
        found = np.array([space.values[i] for space in spaces])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert spaces[-1].origin["layer"] == model.n_layers
    assert spaces[0].origin["reading"] == "Chinese BabyLM challenge, alone"


def test_lines_are_lists_of_words_and_long_ones_are_cut(model):
    words = WORDS * 30
    sentence = ["a"] * 8 + ["b"] * (len(words) - 8)
    model.tokenizer.model_max_length = 64
    (space,) = embed_for_challenge(model, Stimulus(words, "zh", sentence=sentence), "lines", -1)
    special = model.tokenizer.num_special_tokens_to_add(pair=False)

    def pieces(some):
        return len(model.tokenizer(some, is_split_into_words=True)["input_ids"]) - special

    stretches, current = [words[:8]], []
    for word in words[8:]:
        if pieces([*current, word]) > 64 - special:
            stretches.append(current)
            current = []
        current.append(word)
    stretches.append(current)
    assert len(stretches) > 3
    expected = []
    for stretch in stretches:
        encoded = model.tokenizer(stretch, is_split_into_words=True)
        last, owner = states(model, encoded["input_ids"])[-1], np.array(encoded.word_ids())
        expected += [last[owner == k].mean(axis=0) for k in range(len(stretch))]
    np.testing.assert_allclose(space.values, expected, rtol=1e-5, atol=1e-5)


def test_sentences_are_running_text_read_once(model, monkeypatch):
    splits = [["今天", "天气", "很好"], ["今", "天天", "气", "很好"]]
    words = [w for split in splits for w in split]
    text = ["1/0"] * 3 + ["1/1"] * 4
    stimulus = Stimulus(words, "zh", text=text)
    counted = []
    network = model.network

    def count(input_ids, **options):
        counted.append(len(input_ids))
        return network(input_ids=input_ids, **options)

    monkeypatch.setattr(model, "network", count, raising=False)
    (space,) = embed_for_challenge(model, stimulus, "sentences", -1)
    monkeypatch.setattr(model, "network", network, raising=False)
    assert counted == [1]
    encoded = model.tokenizer("今天天气很好", add_special_tokens=False, return_offsets_mapping=True)
    last = states(model, encoded["input_ids"])[-1]
    start, stop = np.array(encoded["offset_mapping"]).T
    place = 0
    for i, word in enumerate(words):
        place = 0 if i == 3 else place
        own = (start < place + len(word)) & (stop > place)
        np.testing.assert_allclose(space.values[i], last[own].mean(axis=0), rtol=1e-5, atol=1e-5)
        place += len(word)


def test_words_without_tokens_are_zeros_and_counted(bert_folder):
    model = LanguageModel(bert_folder)
    stimulus = Stimulus(["今天", "\u200b", "天气"], "zh")
    (space,) = embed_for_challenge(model, stimulus, "lines", -1)
    assert not space.values[1].any()
    assert space.values[[0, 2]].any(axis=1).all()
    assert space.origin["words_without_tokens"] == 1
    with pytest.raises(ValueError, match="no word has a token"):
        embed_for_challenge(model, stimulus.select([1]), "lines")


def test_what_cannot_be_read_is_refused(llama_folder, tmp_path):
    model = LanguageModel(llama_folder)
    stimulus = Stimulus(["今天"] * 400, "zh")
    with pytest.raises(ValueError, match="cut the text into sentences"):
        embed_for_challenge(model, stimulus, "sentences")
    with pytest.raises(ValueError, match="alone, lines, sentences"):
        embed_for_challenge(model, stimulus, "story")
    model.kind = "encoder"
    with pytest.raises(ValueError, match="the challenge reads its decoder"):
        embed_for_challenge(model, stimulus, "alone")
