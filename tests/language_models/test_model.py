import json

import numpy as np
import pytest
from support.tiny_models import across_spaces, tiny_llama

from brainlm.data.segmentation import read_text
from brainlm.data.stimulus import Stimulus
from brainlm.errors import UnknownNameError
from brainlm.language_models import LanguageModel
from brainlm.language_models.sources import is_cached, on_hub
from brainlm.language_models.windows import choose_layers

TEXT = (
    "The dog chased the cat up the tree , and then it went home . It's a warm day ; the children "
    "don't want to go home . Alice was beginning to get very tired of sitting by her sister ."
)
WORDS = TEXT.split()


def story(words=WORDS, **labels):
    sentence = np.cumsum([0] + [word == "." for word in words[:-1]]) if not labels else None
    if sentence is not None:
        labels["sentence"] = [f"s{i}" for i in sentence]
    return Stimulus(words, "en", **labels)


def stack(features):
    return np.stack([space.values for space in features])


def last_row(model, words, layers="all", **options):
    return stack(model.embed(Stimulus(words, "en"), layers, context="document", **options))[:, -1]


def test_one_space_per_layer_with_its_origin(llama):
    stimulus = story()
    spaces = llama.embed(stimulus, context=4)
    assert [space.name for space in spaces] == ["layer 0", "layer 1", "layer 2", "layer 3"]
    assert all(space.values.shape == (len(WORDS), 32) for space in spaces)
    assert all(space.values.dtype == np.float32 and space.stimulus is stimulus for space in spaces)
    origin = json.loads(json.dumps(dict(spaces[2].origin)))
    assert origin["model"] == "tiny-llama"
    assert origin["revision"] == llama.revision
    assert (origin["layer"], origin["context"], origin["pooling"]) == (2, 4, "last")
    assert (origin["dtype"], origin["kind"]) == ("float32", "causal")
    assert (origin["special_tokens"], origin["separator"]) == (["<s>"], "<s>")
    assert origin["leading_space"] is False


def test_values_are_those_of_transformers(llama, llama_folder):
    import torch
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(llama_folder, dtype=torch.float32).eval()
    ids = llama.tokenizer("The dog chased it", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        states = network(torch.tensor([[0, *ids]]), output_hidden_states=True).hidden_states
    found = last_row(llama, ["The", "dog", "chased", "it"])
    np.testing.assert_allclose(found, torch.stack(states)[:, 0, -1].numpy(), atol=1e-4)


@pytest.mark.parametrize("pooling", ["last", "first", "mean"])
def test_pooling_takes_the_stated_tokens(llama, pooling):
    import torch

    ids = llama.tokenizer("beginning zebra", add_special_tokens=False, return_offsets_mapping=True)
    mine = [i + 1 for i, (begin, _) in enumerate(ids["offset_mapping"]) if begin >= 9]
    assert len(mine) > 2
    with torch.no_grad():
        states = llama.network(
            torch.tensor([[0, *ids["input_ids"]]]), output_hidden_states=True
        ).hidden_states[2][0]
    expected = {"last": states[mine[-1]], "first": states[mine[0]], "mean": states[mine].mean(0)}
    found = last_row(llama, ["beginning", "zebra"], 2, pooling=pooling)[0]
    np.testing.assert_allclose(found, expected[pooling].numpy(), atol=1e-4)


def test_full_context_in_windows_equals_the_whole_document(llama):
    whole = stack(llama.embed(story(), context="document"))
    windows = stack(llama.embed(story(), context=len(WORDS)))
    np.testing.assert_allclose(windows, whole, atol=1e-4)


@pytest.mark.parametrize("context", [0, 2, 7])
def test_windows_equal_one_window_at_a_time(llama, context):
    """Each word of a window has the vector of a text that begins where its window begins."""
    from brainlm.language_models.tokens import tokenize
    from brainlm.language_models.windows import overlapping_spans

    tokens = tokenize(llama.tokenizer, [WORDS], "en")
    spans = overlapping_spans(tokens, context, 511)
    assert len(spans) > 2
    found = stack(llama.embed(story(), context=context))
    for span in spans:
        for word in range(span.keep, span.stop):
            exact = last_row(llama, WORDS[span.start : word + 1])
            np.testing.assert_allclose(found[:, word], exact, atol=1e-4)


@pytest.mark.parametrize("context", ["sentence", "document", 3])
def test_causal_words_know_nothing_of_later_ones(llama, context):
    changed = ["dog" if i >= 20 and word != "." else word for i, word in enumerate(WORDS)]
    before = stack(llama.embed(story(), context=context))
    after = stack(llama.embed(story(changed), context=context))
    np.testing.assert_allclose(before[:, :20], after[:, :20], atol=1e-4)
    assert np.abs(before[:, 20] - after[:, 20]).max() > 0.01


@pytest.mark.parametrize("context", ["none", "document", 2])
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_causal_chinese_words_know_nothing_of_the_next_one(llama, context, pooling):
    """In running text one token of this model holds the end of a word and the next word."""
    words = ["今天", "天", "气很", "dog", "好", "公", "园"]
    before = stack(llama.embed(Stimulus(words, "zh"), context=context, pooling=pooling))
    for i in range(1, len(words)):
        changed = [*words[:i], "家", *words[i + 1 :]]
        after = stack(llama.embed(Stimulus(changed, "zh"), context=context, pooling=pooling))
        np.testing.assert_allclose(before[:, :i], after[:, :i], atol=1e-4)
        assert np.abs(before[:, i] - after[:, i]).max() > 0.01


def test_a_token_across_a_space_is_counted_and_warned_about(tmp_path):
    model = LanguageModel(tiny_llama(tmp_path, across_spaces()))
    with pytest.warns(UserWarning, match="1 tokens of .* belong to two words"):
        (space,) = model.embed(Stimulus(["ab", "c", "ab"], "en"), -1)
    assert space.origin["tokens_of_two_words"] == 1


def test_every_word_of_its_context_reaches_a_word(llama):
    context = 5
    before = stack(llama.embed(story(), context=context))[-1]
    for word in range(6, len(WORDS), 4):
        changed = list(WORDS)
        changed[word - context] = "sister"
        after = stack(llama.embed(story(changed), context=context))[-1]
        assert np.abs(before[word] - after[word]).max() > 1e-3


@pytest.mark.parametrize("kind", ["llama", "bert"])
@pytest.mark.parametrize("context", ["sentence", "document", 40])
def test_context_never_crosses_the_edge_of_a_text(request, kind, context):
    model = request.getfixturevalue(kind)
    labels = {"text": ["a"] * 16 + ["b"] * 14, "sentence": ["s"] * 30}
    both = stack(model.embed(story(WORDS[:30], **labels), context=context))
    alone = stack(model.embed(story(WORDS[16:30], text=["b"] * 14), context=context))
    np.testing.assert_allclose(both[:, 16:], alone, atol=1e-4)


def test_masked_model_sees_later_words_of_the_sentence_but_not_of_the_next(bert):
    before = stack(bert.embed(story(), context="sentence"))[-1]
    end = WORDS.index(".")
    changed = [*WORDS[: end - 1], "sleep", *WORDS[end:]]
    after = stack(bert.embed(story(changed), context="sentence"))[-1]
    assert np.abs(before[1] - after[1]).max() > 1e-3
    np.testing.assert_allclose(before[end + 1 :], after[end + 1 :], atol=1e-4)


def test_masked_model_with_preceding_words_sees_exactly_those(bert):
    found = stack(bert.embed(story(), context=4))
    for word in (0, 2, 10, 25):
        exact = last_row(bert, WORDS[max(0, word - 4) : word + 1])
        np.testing.assert_allclose(found[:, word], exact, atol=1e-4)


@pytest.mark.parametrize("kind", ["llama", "bert"])
@pytest.mark.parametrize("context", ["none", "sentence", 6])
def test_batches_and_padding_change_nothing(request, kind, context):
    model = request.getfixturevalue(kind)
    many = stack(model.embed(story(), context=context))
    one = LanguageModel(model.source.folder, batch_size=1)
    three = LanguageModel(model.source.folder, batch_size=3)
    np.testing.assert_allclose(many, stack(one.embed(story(), context=context)), atol=1e-4)
    np.testing.assert_allclose(many, stack(three.embed(story(), context=context)), atol=1e-4)


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_words_alone_differ_where_the_words_differ_and_only_there(request, kind):
    model = request.getfixturevalue(kind)
    stimulus = story([word.lower() for word in WORDS])
    types, index = np.unique(stimulus.words.astype(str), return_inverse=True)
    assert len(types) < len(WORDS)
    for space in model.embed(stimulus, context="none"):
        vectors = np.array([space.values[index == i][0] for i in range(len(types))])
        np.testing.assert_array_equal(space.values, vectors[index])
        distance = np.abs(vectors[:, None] - vectors[None]).max(axis=-1)
        # Layer 0 of a causal model is the embedding of the last token: equal ends, equal rows.
        if space.name != "layer 0":
            assert distance[~np.eye(len(types), dtype=bool)].min() > 1e-4


def states_of(model, tokens):
    """Hidden states of the last of the tokens, by transformers, (n_layers + 1, n_features)."""
    import torch

    ids = torch.tensor([model.tokenizer.convert_tokens_to_ids(tokens)])
    with torch.no_grad():
        states = model.network(ids, output_hidden_states=True).hidden_states
    return torch.stack(states)[:, 0, -1].numpy()


def test_isolated_words_have_the_separator_and_the_space_of_running_text_before_them(gpt2_folder):
    model = LanguageModel(gpt2_folder, separator="<pad>")
    words = ["tree", "dog", "The", "dog"]
    alone = model.embed(story(words), context="none")
    assert alone[0].origin["leading_space"] is True
    assert alone[0].origin["separator"] == "<pad>"
    np.testing.assert_allclose(stack(alone)[:, 1], states_of(model, ["<pad>", "Ġdog"]), atol=1e-4)
    texts = story(words, text=["a", "b", "c", "d"])  # isolated words are texts of one word
    for context in ("sentence", "document", 4):
        found = model.embed(texts, context=context)
        np.testing.assert_allclose(stack(found), stack(alone), atol=1e-4)
    # The first word of a longer text is not isolated, and Chinese has no space.
    found = stack(model.embed(story(["dog", "The"])))[:, 0]
    assert np.abs(found - stack(alone)[:, 1]).max() > 0.01
    chinese = model.embed(Stimulus(["天"], "zh"))
    ids = model.tokenizer.convert_ids_to_tokens(model.tokenizer("天")["input_ids"])
    np.testing.assert_allclose(stack(chinese)[:, 0], states_of(model, ["<pad>", *ids]), atol=1e-4)
    assert chinese[0].origin["leading_space"] is False


def test_cached_states_of_another_separator_are_not_reused(gpt2_folder, tmp_path):
    one, other = (
        LanguageModel(gpt2_folder, cache=tmp_path, separator=name) for name in ("<s>", "<pad>")
    )
    found = [stack(model.embed(story(["dog"]), context="none")) for model in (one, other)]
    assert np.abs(found[0] - found[1]).max() > 0.01
    assert one.identity != other.identity
    assert one.revision == other.revision


def test_neither_separator_nor_space_changes_the_tokens_of_running_text(gpt2_folder):
    one, other = (
        LanguageModel(gpt2_folder, separator=name).embed(story(), 0, context=16)[0]
        for name in ("<s>", "<pad>")
    )
    np.testing.assert_array_equal(one.values, other.values)  # layer 0: position in the input, token
    assert one.origin["leading_space"] is False


def test_unknown_separator_is_an_error(gpt2_folder, bert_folder):
    with pytest.raises(ValueError, match="separator='<bos>' is not in the vocabulary"):
        LanguageModel(gpt2_folder, separator="<bos>")
    with pytest.raises(ValueError, match="this one is masked"):
        LanguageModel(bert_folder, separator="[CLS]")


def test_sentences_are_the_means_of_their_tokens(llama):
    import torch

    (space,) = llama.embed(story(), -1, level="sentence")
    assert space.stimulus is None
    assert space.origin["sentences"] == "in order of the stimulus"
    assert space.values.shape == (3, 32)
    sentences = " ".join(WORDS).split(" . ")
    ids = llama.tokenizer(sentences[1] + " .", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        states = llama.network(torch.tensor([[0, *ids]])).last_hidden_state[0, 1:]
    np.testing.assert_allclose(space.values[1], states.mean(0).numpy(), atol=1e-4)


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_texts_are_the_means_of_their_tokens_and_know_nothing_of_each_other(request, kind):
    model = request.getfixturevalue(kind)
    two = story(WORDS[:30], text=["a"] * 16 + ["b"] * 14)
    (space,) = model.embed(two, -1, level="text", context="document")
    assert space.values.shape == (2, model.n_features)
    assert space.origin["texts"] == "in order of the stimulus"
    for row, words in zip(space.values, (WORDS[:16], WORDS[16:30]), strict=True):
        alone = Stimulus(words, "en", sentence=["s"] * len(words))
        np.testing.assert_allclose(
            row, model.embed(alone, -1, level="sentence")[0].values[0], atol=1e-4
        )


def test_sentence_in_two_texts_is_refused_as_a_unit(llama):
    stimulus = Stimulus(["a", "dog"], "en", run=["1", "1"], text=["a", "b"], sentence=["s", "s"])
    with pytest.raises(ValueError, match="is in two texts"):
        llama.embed(stimulus, level="sentence")


def test_chinese_emoji_and_mixed_scripts(llama, bert):
    chinese = Stimulus(["今天", "天气", "很", "好", "🙂", "dog", "。"], "zh")
    for model in (llama, bert):
        spaces = model.embed(chinese, context="sentence")
        assert spaces[-1].values.shape == (7, 32)
    assert spaces[0].origin["unknown_tokens"] >= 1  # WordPiece has no emoji


@pytest.mark.parametrize(
    ("layers", "expected"),
    [("all", [0, 1, 2, 3]), (-1, [3]), ([0, -2], [0, 2]), (range(2), [0, 1])],
)
def test_layers_are_chosen_as_in_python(llama, layers, expected):
    assert choose_layers(layers, 3) == expected
    chosen = llama.embed(story(), layers)
    assert [space.name for space in chosen] == [f"layer {layer}" for layer in expected]
    every = stack(llama.embed(story()))
    np.testing.assert_array_equal(stack(chosen), every[expected])


@pytest.mark.parametrize("layers", [4, -5, "last", [0, 9], True])
def test_unknown_layer_lists_the_choices(llama, layers):
    with pytest.raises(UnknownNameError, match="Choices: all, 0, 1, 2, 3"):
        llama.embed(story(), layers)


def test_layer_named_twice_is_refused(llama):
    with pytest.raises(ValueError, match="each once"):
        llama.embed(story(), [0, -4])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": "paragraph"}, "unknown context 'paragraph'"),
        ({"context": -1}, "0 or more, got -1"),
        ({"context": True}, "0 or more, got True"),
        ({"pooling": "max"}, "unknown pooling 'max'"),
        ({"level": "token"}, "unknown level 'token'"),
        ({"level": "sentence", "context": 5}, "does not apply; give context='sentence'"),
        ({"level": "text"}, "does not apply; give context='document'"),
    ],
)
def test_unknown_choices_are_named(llama, options, message):
    with pytest.raises(ValueError, match=message):
        llama.embed(story(), **options)


def test_text_longer_than_the_model_says_the_numbers(gpt2_folder):
    model = LanguageModel(gpt2_folder)
    assert model.window == 64
    long = Stimulus(WORDS * 2, "en")
    with pytest.raises(ValueError, match=r"text '1' has \d+ tokens, the model takes 63 at a time"):
        model.embed(long, context="document")
    with pytest.raises(ValueError, match=r"context=60 words needs \d+ tokens"):
        model.embed(long, context=60)
    assert len(model.embed(long, context=5)) == 3


def test_word_alone_needs_a_token_before_it(llama_folder, tmp_path):
    import shutil

    folder = shutil.copytree(llama_folder, tmp_path / "no-bos")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["bos_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    model = LanguageModel(folder)
    with pytest.raises(ValueError, match="attend only to itself"):
        model.embed(story(), context="none")
    assert len(model.embed(story(), context=3)) == 4


@pytest.mark.parametrize("device", ["cuda:7", "cpu:3", "toaster", "xpu"])
def test_device_that_is_not_there_is_an_error(llama_folder, device):
    with pytest.raises(ValueError, match="device '"):
        LanguageModel(llama_folder, device=device)


def test_reduced_precision_is_close_and_recorded(llama_folder, llama):
    half = LanguageModel(llama_folder, dtype="bfloat16")
    (space,) = half.embed(story(), 1, context="document")
    (full,) = llama.embed(story(), 1, context="document")
    assert space.values.dtype == np.float32
    assert space.origin["dtype"] == "bfloat16"
    error = np.abs(space.values - full.values).max() / np.abs(full.values).max()
    assert 0 < error < 0.05


def test_overflow_names_the_layer_and_the_dtype(llama_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "huge"
    folder.mkdir()
    for path in llama_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    weights = load_file(folder / "model.safetensors")
    weights["model.embed_tokens.weight"] *= 1e6
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="layer 0 of huge is not finite in float16"):
        LanguageModel(folder, dtype="float16").embed(story())


@pytest.mark.parametrize(
    ("options", "message"),
    [({"dtype": "int8"}, "unknown dtype 'int8'"), ({"batch_size": 0}, "at least 1, got 0")],
)
def test_options_are_checked(llama_folder, options, message):
    with pytest.raises(ValueError, match=message):
        LanguageModel(llama_folder, **options)


def test_progress_bar_only_when_asked(llama, capsys):
    llama.embed(story(), context="none")
    assert capsys.readouterr().err == ""
    llama.embed(story(), context="none", progress=True)
    assert "embed with tiny-llama" in capsys.readouterr().err


def test_model_survives_pickling(llama_folder):
    import pickle

    model = pickle.loads(pickle.dumps(LanguageModel(llama_folder)))
    assert len(model.embed(story(), -1)) == 1


def test_repr_says_what_it_is(bert):
    assert repr(bert).startswith("LanguageModel('tiny-bert', masked, 2 layers x 32, revision ")


def test_import_does_not_load_torch():
    import subprocess
    import sys

    code = "import sys, brainlm.language_models; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.long
@pytest.mark.parametrize("name", ["minilm", "mpnet", "smollm2", "gemma3", "qwen0.5b"])
def test_shipped_models_are_what_their_card_says(name):
    from brainlm.language_models import list_models

    if not is_cached(name):
        pytest.skip(
            f"{name} is not in the cache: run brainlm.language_models.fetch_model({name!r})"
        )
    card = next(model for model in list_models() if model.name == name)
    model = LanguageModel(name, dtype="bfloat16")
    assert (model.n_layers, model.n_features) == (card.n_layers, card.n_features)
    assert model.revision == card.weights
    assert model.separator == card.separator
    words = ["It's", "a", "naïve", "dog,", "isn't", "it?", "🙂", "A", "公园", "dog"]
    stimulus = Stimulus(words, "en", sentence=list("aaaaaaabbb"))
    spaces = model.embed(stimulus, context="sentence")
    assert len(spaces) == card.n_layers + 1
    cosine = np.corrcoef(model.embed(stimulus, -1, context=2)[0].values)
    assert (cosine[~np.eye(10, dtype=bool)] < 0.9999).all()


def test_minilm_knows_which_sentences_mean_the_same():
    if not is_cached("minilm"):
        pytest.skip("minilm is not in the cache: run brainlm.language_models.fetch_model('minilm')")
    sentences = ["A dog is barking", "The hound barks", "Interest rates fell again"]
    words = [word for sentence in sentences for word in sentence.split()]
    label = [str(i) for i, sentence in enumerate(sentences) for _ in sentence.split()]
    stimulus = Stimulus(words, "en", sentence=label)
    (space,) = LanguageModel("minilm").embed(stimulus, -1, level="sentence")
    similarity = np.corrcoef(space.values)
    assert similarity[0, 1] > 0.6
    assert similarity[0, 2] < 0.3


def test_a_text_and_a_list_of_words_are_taken(llama):
    text = "The dog chased the cat. It went home."
    read = llama.embed(text, -1)[0]
    assert read.stimulus.words.tolist()[:3] == ["The", "dog", "chased"]
    np.testing.assert_array_equal(read.values, llama.embed(read_text(text, "en"), -1)[0].values)
    words = ["dog", "cat", "dog"]
    alone = llama.embed(words, -1)[0]
    assert alone.origin["context"] == "none"
    np.testing.assert_array_equal(alone.values[0], alone.values[2])
    items = Stimulus(words, "en", item=list("abc"))
    expected = llama.embed(items, -1, context="none")[0]
    np.testing.assert_array_equal(alone.values, expected.values)
    with pytest.raises(ValueError, match="a list of words has no sentences: context='sentence'"):
        llama.embed(words, context="sentence")


@pytest.mark.parametrize(
    ("short", "known"),
    [
        ("gpt2", "openai-community/gpt2"),
        ("bert-base-uncased@abc", "google-bert/bert-base-uncased@abc"),
        ("org/gpt2", "org/gpt2"),
        ("smollm2", "smollm2"),
    ],
)
def test_usual_names_are_those_of_the_hub(short, known):
    assert on_hub(short) == known
