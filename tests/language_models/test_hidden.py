"""Exact mode, memory, and the cache of hidden states."""

import json

import numpy as np
import pytest

from brainlm.compute import memory as _memory
from brainlm.data.stimulus import Stimulus
from brainlm.language_models import LanguageModel
from brainlm.language_models import hidden_states as hidden
from brainlm.language_models.tokens import tokenize
from brainlm.language_models.windows import overlapping_spans

WORDS = ["The", "dog", "chased", "the", "cat", "up", "the", "tree", ",", "and", "then", "it"] * 3


def story(words=WORDS):
    return Stimulus(words, "en", sentence=[f"s{i // 12}" for i in range(len(words))])


def stack(features):
    return np.stack([space.values for space in features])


def test_exact_mode_gives_each_word_its_context_and_no_more(llama):
    found = stack(llama.embed(story(), context=3, exact=True))
    for word in (0, 2, 3, 17, 35):
        alone = Stimulus(WORDS[max(0, word - 3) : word + 1], "en")
        expected = stack(llama.embed(alone, context="document"))[:, -1]
        np.testing.assert_allclose(found[:, word], expected, atol=1e-4)


def test_windows_agree_with_exact_mode_where_the_context_is_the_same(llama):
    """The first word that a window reads out has exactly the context asked for."""
    context = 4
    windows, exact = (
        stack(llama.embed(story(), context=context, exact=exact)) for exact in (False, True)
    )
    (tokens,) = tokenize(llama.tokenizer, [WORDS], "en")
    spans = overlapping_spans([tokens], context, 500)
    same = [span.keep for span in spans] + list(range(context + 1))
    np.testing.assert_allclose(windows[:, same], exact[:, same], atol=1e-4)
    others = np.setdiff1d(np.arange(len(WORDS)), same)
    assert (np.abs(windows[-1, others] - exact[-1, others]).max(axis=1) > 1e-3).all()


def test_result_larger_than_memory_is_refused_before_anything_runs(llama, monkeypatch):
    monkeypatch.setattr(_memory, "available_memory", lambda: 1000)
    monkeypatch.setattr(hidden, "_forward", None)
    with pytest.raises(MemoryError, match=r"4 layers x 36 rows x 32 features needs .*cache=True"):
        llama.embed(story())


def test_memory_is_counted():
    assert 10**6 < _memory.available_memory() < 10**15
    _memory.check_memory(1000, "a little", "")


@pytest.fixture
def counted(monkeypatch):
    """Count the forward passes."""
    passes = []
    original = hidden._forward

    def forward(model, batch, layers):
        passes.append(len(batch.inputs))
        return original(model, batch, layers)

    monkeypatch.setattr(hidden, "_forward", forward)
    return passes


def cached(llama_folder, folder, **options):
    return LanguageModel(llama_folder, cache=folder, **options)


@pytest.mark.parametrize("context", ["none", "sentence", 5])
def test_cached_values_are_those_without_a_cache(llama, llama_folder, tmp_path, counted, context):
    expected = stack(llama.embed(story(), context=context))
    model = cached(llama_folder, tmp_path)
    first = model.embed(story(), context=context)
    np.testing.assert_array_equal(stack(first), expected)
    counted.clear()
    again = cached(llama_folder, tmp_path).embed(story(), context=context)
    np.testing.assert_array_equal(stack(again), expected)
    assert counted == []
    assert dict(again[0].origin) == dict(first[0].origin)


def test_batch_size_and_name_do_not_change_the_key_but_everything_else_does(
    llama_folder, tmp_path, counted
):
    model = cached(llama_folder, tmp_path)
    model.embed(story(), context=5)
    counted.clear()
    cached(llama_folder, tmp_path, batch_size=2).embed(story(), context=5)
    assert counted == []
    changed = [*WORDS[:-1], "sister"]
    requests = [
        (model, {"stimulus": story(changed), "context": 5}),
        (model, {"stimulus": story(), "context": 6}),
        (model, {"stimulus": story(), "context": 5, "exact": True}),
        (model, {"stimulus": story(), "context": 5, "pooling": "first"}),
        (model, {"stimulus": story(), "context": 5, "layers": [1]}),
        (cached(llama_folder, tmp_path, dtype="bfloat16"), {"stimulus": story(), "context": 5}),
    ]
    for each, request in requests:
        counted.clear()
        each.embed(**request)
        assert counted, request
    entries = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(entries) == 1 + len(requests)


def test_code_version_and_weights_are_part_of_the_key(llama_folder, tmp_path, counted, monkeypatch):
    model = cached(llama_folder, tmp_path)
    model.embed(story(), -1, context=5)
    monkeypatch.setattr(hidden, "CODE_VERSION", 99)
    counted.clear()
    model.embed(story(), -1, context=5)
    assert counted
    monkeypatch.setattr(LanguageModel, "revision", "other")
    counted.clear()
    model.embed(story(), -1, context=5)
    assert counted


def test_entry_says_what_it_is(llama_folder, tmp_path):
    cached(llama_folder, tmp_path).embed(story(), [0, 2], context=5)
    (record,) = (json.loads(path.read_text()) for path in tmp_path.glob("*/entry.json"))
    assert (record["model"], record["layers"]) == ("tiny-llama", [0, 2])
    assert record["shape"] == [36, 32]
    assert {path.suffix for path in tmp_path.glob("*/*")} == {".npy", ".json"}


def test_killed_embedding_goes_on_and_ends_with_the_same_bits(
    llama, llama_folder, tmp_path, monkeypatch, counted
):
    from brainlm.storage import store as cache

    monkeypatch.setattr(cache, "SECONDS_BETWEEN_RECORDS", -1.0)
    whole = stack(
        cached(llama_folder, tmp_path / "whole", batch_size=1).embed(story(), -1, context=3)
    )
    n_batches = len(counted)
    counted.clear()
    forward = hidden._forward

    def killed(*arguments):
        if len(counted) == 4:
            raise KeyboardInterrupt
        return forward(*arguments)

    model = cached(llama_folder, tmp_path / "killed", batch_size=1)
    with monkeypatch.context() as patch:
        patch.setattr(hidden, "_forward", killed)
        with pytest.raises(KeyboardInterrupt):
            model.embed(story(), -1, context=3)
    counted.clear()
    resumed = stack(model.embed(story(), -1, context=3))
    assert len(counted) == n_batches - 4
    assert resumed.tobytes() == whole.tobytes()
