import itertools
import json

import numpy as np
import pytest
from support.tiny_models import across_spaces, save, tiny_llama

from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.language_models import LanguageModel, heads
from brainlm.language_models.sources import is_cached
from brainlm.language_models.tokens import spell

WORDS = "The dog chased the cat up the tree , and then it went home . It's a beginning !".split()  # noqa: SIM905
CHINESE = Stimulus(["今天", "天气", "很", "好", "，", "我们", "去", "公园", "。"], "zh")


def story(words=WORDS, **labels):
    return Stimulus(words, "en", **labels)


def next_log_p(model, ids):
    """Log probabilities after each token of one input, by transformers, (n_tokens, n_vocab)."""
    import torch

    with torch.no_grad():
        return model.headed(torch.tensor([ids])).logits[0].double().log_softmax(-1).numpy()


def by_hand(model, words, space=" "):
    """-log2 p of each word's tokens, and all log2 probabilities, one token at a time."""
    encoded = model.tokenizer(
        space.join(words), add_special_tokens=False, return_offsets_mapping=True
    )
    ids = [*model.frame.prefix, *encoded["input_ids"]]
    log_p = next_log_p(model, ids) / np.log(2)
    ends = np.cumsum([len(word) + len(space) for word in words]) - len(space)
    bits = np.zeros(len(words))
    starts = {}
    for k, (_, end) in enumerate(encoded["offset_mapping"]):
        word = int(np.searchsorted(ends, end))
        starts.setdefault(word, k)
        bits[word] -= log_p[k, ids[k + 1]]
    return bits, log_p, [*starts.values(), len(ids) - 1]


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def causal(request, llama_folder, gpt2_folder):
    return LanguageModel({"llama": llama_folder, "gpt2": gpt2_folder}[request.param])


def test_raw_surprisal_is_that_of_a_loop_over_tokens(causal):
    bits, _, _ = by_hand(causal, WORDS)
    found = causal.surprisal(story(), context="document", boundary="raw")
    np.testing.assert_allclose(found.values[:, 0], bits, atol=1e-4)
    assert json.loads(json.dumps(dict(found.origin)))["word_boundary"] == "raw: as asked"


def test_the_first_word_is_predicted_by_the_separator(gpt2_folder):
    model = LanguageModel(gpt2_folder, separator="<pad>")
    ids = model.tokenizer(["<pad>", "The"], add_special_tokens=False)["input_ids"]
    bits = -next_log_p(model, ids[0])[0, ids[1][0]] / np.log(2)
    found = model.surprisal(story(["The", "dog"]), boundary="raw")
    assert found.values[0, 0] == pytest.approx(bits, abs=1e-4)
    assert found.origin["separator"] == "<pad>"


def test_corrected_surprisal_moves_the_space_to_the_word_before(causal):
    bits, log_p, starts = by_hand(causal, WORDS)
    vocabulary = causal.tokenizer.get_vocab()
    spaced = [
        i
        for token, i in vocabulary.items()
        if token.startswith(("Ġ", "Ċ", "ĉ", "č", "<s>", "<pad>"))
    ]
    space = np.log2(np.exp2(log_p[:, spaced]).sum(axis=1))
    first_is_spaced = causal.tokenizer("The", add_special_tokens=False)["input_ids"][0] in spaced
    before = space[starts[:-1]]
    if not first_is_spaced:
        before[0] = np.log2(1 - np.exp2(space[0]))
    found = causal.surprisal(story(), context="document")
    np.testing.assert_allclose(found.values[:, 0], bits + before - space[starts[1:]], atol=1e-4)
    assert found.origin["word_boundary"].startswith("corrected")
    assert found.origin["unit"] == "bits"


def test_correction_changes_a_text_only_at_its_two_ends(causal):
    """Between words it cancels: what one word gains the next one loses."""
    _, log_p, _ = by_hand(causal, WORDS)
    raw, corrected = (
        causal.surprisal(story(), context="document", boundary=boundary).values.sum()
        for boundary in ("raw", "corrected")
    )
    begins = causal.begins_word
    first = causal.tokenizer("The", add_special_tokens=False)["input_ids"][0]
    start = np.exp2(log_p[0, begins == begins[first]]).sum()
    end = np.exp2(log_p[-1, begins]).sum()
    assert corrected - raw == pytest.approx(np.log2(start) - np.log2(end), abs=1e-3)


def test_entropy_is_that_of_the_token_after_the_context(causal):
    _, log_p, starts = by_hand(causal, WORDS)
    expected = -(np.exp2(log_p) * log_p).sum(axis=1)[starts[:-1]]
    found = causal.entropy(story(), context="document")
    np.testing.assert_allclose(found.values[:, 0], expected, atol=1e-4)
    assert 0 < found.values.min() < found.values.max() <= np.log2(causal.config.vocab_size)


def test_both_come_from_one_pass(causal, monkeypatch):
    asked = []
    forward = heads._predict
    monkeypatch.setattr(heads, "_predict", lambda *a: asked.append(1) or forward(*a))
    surprisal, entropy = causal.surprisal_and_entropy(story(), boundary="raw")
    assert len(asked) == 1
    np.testing.assert_array_equal(
        surprisal.values, causal.surprisal(story(), boundary="raw").values
    )
    np.testing.assert_array_equal(entropy.values, causal.entropy(story()).values)


@pytest.fixture(scope="module")
def two_letters(tmp_path_factory):
    """A model of all words over the letters a and b."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, PreTrainedTokenizerFast

    vocabulary = {token: i for i, token in enumerate(["<s>", "a", "b", "Ġa", "Ġb"])}
    tokenizer = Tokenizer(models.BPE({**vocabulary, "Ġ": 5}, [("Ġ", "a"), ("Ġ", "b")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>")
    config = GPT2Config(
        vocab_size=6,
        n_positions=32,
        n_embd=8,
        n_layer=1,
        n_head=1,
        initializer_range=0.5,
        bos_token_id=0,
        eos_token_id=0,
    )
    return LanguageModel(save(tmp_path_factory.mktemp("models") / "two-letters", config, fast))


def test_probabilities_of_all_next_words_sum_to_one_only_when_corrected(two_letters):
    longest = 7
    words = ["".join(w) for n in range(1, longest + 1) for w in itertools.product("ab", repeat=n)]
    texts = [word for next_word in words for word in ("ab", next_word)]
    labels = [str(i) for i in range(len(words)) for _ in range(2)]
    stimulus = Stimulus(texts, "en", text=labels)
    corrected, raw = (
        np.exp2(-two_letters.surprisal(stimulus, context="document", boundary=b).values[1::2, 0])
        for b in ("corrected", "raw")
    )
    # What is missing are longer words, the token of a space alone, and the end of the text.
    lengths = np.array([len(word) for word in words])
    by_length = np.array([corrected[lengths == n].sum() for n in range(1, longest + 1)])
    log_p = next_log_p(two_letters, [0, *two_letters.tokenizer("ab")["input_ids"]])[-1]
    p = np.exp(log_p)
    begins = two_letters.begins_word
    starts_here = (p[3] + p[4]) / p[begins].sum()
    assert corrected.sum() < 1
    assert corrected.sum() == pytest.approx(starts_here, abs=3 * by_length[-1])
    assert abs(raw.sum() - starts_here) > 0.1


def test_windows_of_a_full_context_equal_the_whole_document(causal):
    words = WORDS[:12]
    whole = causal.surprisal(story(words), context="document").values
    windows = causal.surprisal(story(words), context=len(words)).values
    np.testing.assert_allclose(windows, whole, atol=1e-4)


def test_preceding_words_are_the_context(llama):
    from brainlm.language_models.tokens import tokenize
    from brainlm.language_models.windows import overlapping_spans

    found = llama.surprisal(story(), context=3, boundary="raw").values[:, 0]
    (tokens,) = tokenize(llama.tokenizer, [WORDS], "en")
    for span in overlapping_spans([tokens], 3, 500):
        exact = by_hand(llama, WORDS[span.start : span.stop])[0]
        np.testing.assert_allclose(
            found[span.keep : span.stop], exact[span.keep - span.start :], atol=1e-4
        )


@pytest.mark.parametrize("context", ["none", "sentence", 4])
@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_batches_and_chunks_change_nothing(request, monkeypatch, kind, context):
    model = request.getfixturevalue(kind)
    words = story(WORDS[:8])
    expected = model.surprisal(words, context=context).values
    monkeypatch.setattr(heads, "LOGIT_BYTES", 1)  # one row at a time
    one = LanguageModel(model.source.folder, batch_size=1)
    np.testing.assert_allclose(one.surprisal(words, context=context).values, expected, atol=1e-4)


def test_logits_of_a_text_never_exist_at_once(llama, monkeypatch):
    sizes = []
    original = heads.head_logits

    def watched(model, rows):
        sizes.append(len(rows))
        return original(model, rows)

    monkeypatch.setattr(heads, "head_logits", watched)
    monkeypatch.setattr(heads, "LOGIT_BYTES", 5 * 4 * llama.config.vocab_size)
    llama.surprisal(story(WORDS * 5), context="document")
    assert len(sizes) > 20
    assert max(sizes) == 5


def test_masked_words_are_filled_in_from_left_to_right(bert):
    import torch

    words = ["The", "sisterhood", "dog", "bankcat", "!"]
    ids = bert.tokenizer(" ".join(words), return_offsets_mapping=True)
    offsets, ids = ids["offset_mapping"][1:-1], ids["input_ids"]
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    owner = [int(np.searchsorted(ends, end)) for _, end in offsets]
    expected = np.zeros(len(words))
    for k, word in enumerate(owner):
        hidden = [
            bert.tokenizer.mask_token_id if j >= k and owner[j] == word else ids[j + 1]
            for j in range(len(owner))
        ]
        with torch.no_grad():
            logits = bert.headed(torch.tensor([[ids[0], *hidden, ids[-1]]])).logits[0, k + 1]
        expected[word] -= logits.double().log_softmax(-1)[ids[k + 1]].item() / np.log(2)
    assert np.bincount(owner).max() > 2
    found = bert.surprisal(story(words))
    np.testing.assert_allclose(found.values[:, 0], expected, atol=1e-4)
    assert "word-l2r" in found.origin["method"]
    with pytest.raises(ValueError, match="entropy needs a causal model"):
        bert.entropy(story(words))
    with pytest.raises(ValueError, match="leave boundary at 'auto'"):
        bert.surprisal(story(words), boundary="corrected")


def test_chinese_words_are_the_sum_of_their_own_tokens_and_not_corrected(llama):
    words = ["今天", "天", "气很", "Paris", "好"]
    pieces = [
        llama.tokenizer.convert_ids_to_tokens(ids) for ids in spell(llama.tokenizer, words, "zh")
    ]
    assert "".join(itertools.chain(*pieces)).count("Ġ") == 0
    ids = llama.tokenizer.convert_tokens_to_ids(["<s>", *itertools.chain(*pieces)])
    log_p = next_log_p(llama, ids) / np.log(2)
    bits = [-log_p[k, ids[k + 1]] for k in range(len(ids) - 1)]
    edges = np.cumsum([0, *map(len, pieces)])[:-1]
    found = llama.surprisal(Stimulus(words, "zh"), context="document")
    np.testing.assert_allclose(found.values[:, 0], np.add.reduceat(bits, edges), atol=1e-3)
    assert found.origin["word_boundary"] == "raw: the language writes no spaces"
    with pytest.raises(ValueError, match="writes no spaces"):
        llama.surprisal(CHINESE, boundary="corrected")


def test_surprisal_of_a_chinese_word_does_not_depend_on_the_next(llama):
    before, after = (
        llama.surprisal(Stimulus(["今天", "天", second, "好"], "zh")).values[:2]
        for second in ("气很", "家")
    )
    np.testing.assert_allclose(before, after, atol=1e-4)


def test_token_of_two_words_counts_half_for_each(tmp_path):
    model = LanguageModel(tiny_llama(tmp_path, across_spaces()))
    ids = model.tokenizer(["<s>", "ab c"], add_special_tokens=False)["input_ids"]
    bits = -next_log_p(model, ids[0])[0, ids[1][0]] / np.log(2)
    with pytest.warns(UserWarning, match="belong to two words"):
        found = model.surprisal(story(["ab", "c", "ab"]), boundary="raw")
    assert found.origin["tokens_of_two_words"] == 1
    np.testing.assert_allclose(found.values[:2, 0], bits / 2, atol=1e-4)


def test_repeated_words_alone_have_one_value(llama):
    found = llama.surprisal(story(["dog", "The", "dog"]), context="none").values[:, 0]
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize("cap", [2.0, None])
def test_capped_logits_are_read_as_the_model_makes_them(tmp_path, cap):
    from support.tiny_models import byte_level_bpe
    from transformers import Gemma2Config

    tokenizer = byte_level_bpe()
    config = Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=64,
        initializer_range=0.5,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=1,
        final_logit_softcapping=cap,
    )
    model = LanguageModel(save(tmp_path / "gemma", config, tokenizer))
    bits, _, _ = by_hand(model, WORDS)
    found = model.surprisal(story(), context="document", boundary="raw").values[:, 0]
    np.testing.assert_allclose(found, bits, atol=1e-3)


def test_model_with_an_unknown_head_is_refused(llama_folder, monkeypatch):
    model = LanguageModel(llama_folder)
    original = heads.head_logits
    monkeypatch.setattr(heads, "head_logits", lambda model, rows: 2 * original(model, rows))
    with pytest.raises(ValueError, match="changes its logits in a way"):
        model.surprisal(story())


@pytest.mark.parametrize(
    ("options", "message"),
    [({"context": "page"}, "unknown context 'page'"), ({"boundary": "x"}, "unknown boundary 'x'")],
)
def test_unknown_choices_are_named(llama, options, message):
    with pytest.raises(UnknownNameError, match=message):
        llama.surprisal(story(), **options)


def test_embedding_and_surprisal_share_one_network(llama_folder):
    model = LanguageModel(llama_folder)
    before = model.embed(story(), -1)[0].values
    model.surprisal(story())
    assert model.network is model.headed.base_model
    np.testing.assert_array_equal(model.embed(story(), -1)[0].values, before)


def test_static_vectors_predict_nothing(tmp_path):
    path = tmp_path / "tiny.txt"
    path.write_text("the 1 0\ndog 2 0\n")
    with pytest.raises(ValueError, match="static vectors predict no words"):
        LanguageModel(path).surprisal(story())
    with pytest.raises(ValueError, match="static vectors predict no words"):
        LanguageModel(path).entropy(story())


def test_model_without_a_head_is_refused():
    if not is_cached("minilm"):
        pytest.skip("minilm is not in the cache: run brainlm.language_models.fetch_model('minilm')")
    with pytest.raises(CorruptDataError, match="published without a language-modelling head"):
        LanguageModel("minilm").surprisal(story())


def test_shipped_model_agrees_with_a_loop_and_finds_nonsense_surprising():
    if not is_cached("smollm2"):
        pytest.skip("smollm2 is not in the cache: run `brainlm fetch smollm2`")
    model = LanguageModel("smollm2")
    words = ["The", "children", "played", "in", "the", "sand", "."]
    bits, _, _ = by_hand(model, words)
    raw = model.surprisal(story(words), boundary="raw").values[:, 0]
    np.testing.assert_allclose(raw, bits, atol=1e-3)
    both = [*words, *words[:-2], "parliament", "."]
    sentence = ["plain"] * 7 + ["odd"] * 7
    found = model.surprisal(story(both, sentence=sentence)).values[:, 0]
    assert found[12] > found[5] + 5


def minicons_bits(model, words, *, corrected):
    """Surprisal of each word of a text by minicons."""
    scorer = pytest.importorskip("minicons.scorer")
    theirs = scorer.IncrementalLMScorer(model.headed, "cpu", tokenizer=model.tokenizer)
    (found,) = theirs.word_score_tokenized(
        [" ".join(words)],
        tokenize_function=str.split,
        bos_token=True,
        surprisal=True,
        base_two=True,
        bow_correction=corrected,
    )
    assert [word for word, _ in found] == words
    return np.array([bits for _, bits in found])


@pytest.mark.parametrize("name", ["gpt2", "smollm2"])
def test_surprisal_agrees_with_minicons(name, gpt2_folder):
    if name == "smollm2" and not is_cached("smollm2"):
        pytest.skip("smollm2 is not in the cache: run `brainlm fetch smollm2`")
    model = LanguageModel(gpt2_folder if name == "gpt2" else name)
    model.tokenizer.bos_token = model.separator
    words = "The children played in the sand , and it's a beginning of something else .".split()  # noqa: SIM905
    theirs = minicons_bits(model, words, corrected=False)
    ours = model.surprisal(story(words), context="document", boundary="raw").values[:, 0]
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_corrected_surprisal_agrees_with_minicons_inside_a_text(gpt2_folder, monkeypatch):
    """At both ends of a text and about line ends and special tokens the rules differ: see there."""
    model = LanguageModel(gpt2_folder)
    begins = np.zeros(len(model.tokenizer), dtype=bool)
    begins[[i for token, i in model.tokenizer.get_vocab().items() if token.startswith("Ġ")]] = True
    monkeypatch.setattr(model, "begins_word", begins)  # their rule for what begins a word
    theirs = minicons_bits(model, WORDS, corrected=True)
    ours = model.surprisal(story(), context="document").values[:, 0]
    np.testing.assert_allclose(ours[1:-1], theirs[1:-1], atol=2e-3)
    assert np.abs(ours - by_hand(model, WORDS)[0])[1:-1].max() > 0.5
