import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import byte_level_bpe, unigram, word_piece

from brainlm.language_models.tokens import Frame, frame_of, join_words, tokenize

TOKENIZERS = {
    "byte-level BPE": byte_level_bpe(),
    "byte-level BPE without prefix space": byte_level_bpe(prefix_space=False),
    "WordPiece": word_piece(),
    "Unigram": unigram(),
}
TEXTS = {
    "contractions": ("en", ["It's", "a", "day", "they", "don't", "like", "the", "dog's", "bed"]),
    "punctuation": ("en", ["“Well,”", "she", "said", "—", "(the", "dog)", "...", "ran!"]),
    "repeated": ("en", ["the", "the", "the", "dog", "the"]),
    "emoji": ("en", ["dog", "🙂", "🙂🙂", "👩‍👩‍👧", "end"]),
    "mixed scripts": ("en", ["dog", "公园", "naïve", "Ελλάδα", "x²", "1984"]),
    "word with a space": ("en", ["New York", "is", "big"]),
    "Chinese": ("zh", ["今天", "天气", "很", "好", "，", "我们", "去", "公园", "。"]),
    "rare Chinese": ("zh", ["龘", "龘龘", "好", "鱻"]),
}


@pytest.fixture(params=list(TOKENIZERS))
def tokenizer(request):
    return TOKENIZERS[request.param]


@pytest.mark.parametrize("text", list(TEXTS))
def test_every_word_owns_tokens_and_every_token_a_word(tokenizer, text):
    language, words = TEXTS[text]
    (tokens,) = tokenize(tokenizer, [words], language)
    assert tokens.n_words == len(words)
    assert (tokens.stop > tokens.start).all()
    owned = np.zeros(len(tokens.ids), dtype=int)
    for start, stop in zip(tokens.start, tokens.stop, strict=True):
        owned[start:stop] += 1
    assert (owned >= 1).all()
    assert (owned > 1).sum() == tokens.n_shared
    if language == "en":
        assert tokens.n_shared == 0


@pytest.mark.parametrize("text", list(TEXTS))
def test_tokens_are_those_of_the_running_text(tokenizer, text):
    language, words = TEXTS[text]
    (tokens,) = tokenize(tokenizer, [words], language)
    running = tokenizer(join_words(words, language)[0], add_special_tokens=False)["input_ids"]
    assert tokens.ids.tolist() == running


def test_words_read_back_from_their_tokens():
    words = TEXTS["punctuation"][1] + TEXTS["mixed scripts"][1] + TEXTS["emoji"][1]
    tokenizer = TOKENIZERS["byte-level BPE"]
    (tokens,) = tokenize(tokenizer, [words], "en")
    read = [
        tokenizer.decode(tokens.ids[start:stop], clean_up_tokenization_spaces=False).strip()
        for start, stop in zip(tokens.start, tokens.stop, strict=True)
    ]
    assert read == words


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=6),
        min_size=1,
        max_size=8,
    )
)
def test_byte_level_tokens_partition_any_text(words):
    (tokens,) = tokenize(TOKENIZERS["byte-level BPE"], [words], "en")
    assert tokens.start[0] == 0
    assert tokens.stop[-1] == len(tokens.ids)
    np.testing.assert_array_equal(tokens.start[1:], tokens.stop[:-1])


def test_space_token_belongs_to_the_word_after_it():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {letter: i for i, letter in enumerate("Ġabc")}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    (tokens,) = tokenize(tokenizer, [["ab", "c", "a"]], "en")  # a b _ c _ a
    assert tokens.start.tolist() == [0, 2, 4]
    assert tokens.stop.tolist() == [2, 4, 6]


def test_token_with_a_space_behind_belongs_to_the_earlier_word():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = [("<unk>", 0.0), ("ab ", -1.0), ("c", -1.0), (" ", -5.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    (tokens,) = tokenize(tokenizer, [["ab", "c"]], "en")
    assert tokens.stop.tolist() == [1, 2]
    assert tokens.n_shared == 0


def test_token_across_a_word_boundary_belongs_to_both_words():
    tokenizer = TOKENIZERS["Unigram"]
    whole = tokenizer("天气很好", add_special_tokens=False, return_offsets_mapping=True)
    spans = [span for span in whole["offset_mapping"] if span[1] - span[0] > 1]
    assert spans, "the trained vocabulary has a token of several characters"
    cut = spans[0][0] + 1
    (tokens,) = tokenize(tokenizer, [["天气很好"[:cut], "天气很好"[cut:]]], "zh")
    assert tokens.n_shared == 1
    assert tokens.start[1] == tokens.stop[0] - 1


def test_word_whose_characters_are_dropped_is_named():
    with pytest.raises(ValueError, match=r"words\[1\] '\\x07' .* has no token"):
        tokenize(TOKENIZERS["WordPiece"], [["dog", "\x07", "cat"]], "en")


def test_word_of_which_only_the_space_is_left_is_named():
    from tokenizers import normalizers

    tokenizer = unigram()
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("\u200b", "")
    with pytest.raises(ValueError, match="has no token"):
        tokenize(tokenizer, [["dog", "\u200b", "cat"]], "en")


def test_saved_truncation_is_not_applied():
    tokenizer = word_piece()
    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.backend_tokenizer.enable_padding(length=128)
    (tokens,) = tokenize(tokenizer, [["dog"] * 20], "en")
    assert tokens.n_words == 20
    assert tokens.stop[-1] == len(tokens.ids)


def test_frame_of_causal_and_masked_models():
    assert frame_of(TOKENIZERS["byte-level BPE"], "causal") == Frame((0,), ())
    assert frame_of(TOKENIZERS["WordPiece"], "masked") == Frame((2,), (3,))


def test_words_are_joined_as_the_language_writes():
    assert join_words(["a", "bc"], "en")[0] == "a bc"
    text, ends = join_words(["今天", "好"], "zh-Hans")
    assert text == "今天好"
    assert ends.tolist() == [2, 3]
