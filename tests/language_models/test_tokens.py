import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_models import across_spaces, byte_level_bpe, unigram, word_piece

from brainlm.language_models.tokens import Frame, frame_of, join_words, spell, tokenize

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


@pytest.mark.parametrize(
    "text", [name for name, (language, _) in TEXTS.items() if language == "en"]
)
def test_tokens_are_those_of_the_running_text(tokenizer, text):
    _, words = TEXTS[text]
    (tokens,) = tokenize(tokenizer, [words], "en")
    running = tokenizer(join_words(words, "en")[0], add_special_tokens=False)["input_ids"]
    assert tokens.ids.tolist() == running
    # Every word but the first is spelled so when it stands alone, too.
    for word, start, stop in zip(words[1:], tokens.start[1:], tokens.stop[1:], strict=True):
        assert spell(tokenizer, [word], "en") == [tuple(tokens.ids[start:stop])]


@pytest.mark.parametrize("words", [TEXTS["Chinese"][1], [*TEXTS["rare Chinese"][1], "The", "dog"]])
def test_chinese_words_are_spelled_without_their_neighbours(tokenizer, words):
    (tokens,) = tokenize(tokenizer, [words], "zh")
    assert tokens.n_shared == 0
    np.testing.assert_array_equal(tokens.start[1:], tokens.stop[:-1])
    for i, (start, stop) in enumerate(zip(tokens.start, tokens.stop, strict=True)):
        (other,) = tokenize(tokenizer, [[*words[: i + 1], "家"]], "zh")
        assert other.ids[start:stop].tolist() == tokens.ids[start:stop].tolist()
        # No space is added where the language has none.
        assert "Ġ" not in tokenizer.convert_ids_to_tokens(int(tokens.ids[start]))


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
    (tokens,) = tokenize(across_spaces(), [["ab", "c", "ab"]], "en")  # "ab c", " ", "ab"
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


def with_tokens(**named):
    """A tokenizer with special tokens."""
    tokenizer = byte_level_bpe()
    tokenizer.add_special_tokens({"additional_special_tokens": list(named.pop("also", []))})
    tokenizer.add_special_tokens(named)
    return tokenizer


def first_token(tokenizer, separator=None):
    return tokenizer.convert_ids_to_tokens(list(frame_of(tokenizer, "causal", separator).prefix))


def test_frame_of_causal_and_masked_models():
    assert frame_of(TOKENIZERS["byte-level BPE"], "causal") == Frame((0,), ())
    assert frame_of(TOKENIZERS["WordPiece"], "masked") == Frame((2,), (3,))
    with pytest.raises(ValueError, match="separator='\\[CLS\\]' is for causal models"):
        frame_of(TOKENIZERS["WordPiece"], "masked", "[CLS]")


def test_the_separator_of_documents_precedes_a_chat_marker():
    chat = with_tokens(bos_token="<|im_start|>", also=["<|endoftext|>"])
    assert first_token(chat) == ["<|endoftext|>"]
    assert first_token(chat, "<|im_start|>") == ["<|im_start|>"]
    with pytest.raises(ValueError, match=r"separator='<eos>' is not in the vocabulary.*im_start"):
        first_token(chat, "<eos>")


@pytest.mark.parametrize(
    "marker", ["<|im_start|>", "<start_of_turn>", "<|eot_id|>", "<|user|>", "[INST]"]
)
def test_a_chat_marker_as_separator_is_a_warning_that_says_what_to_pass(marker):
    with pytest.warns(UserWarning, match=r"chat format.*separator='<\|endoftext\|>'"):
        assert first_token(with_tokens(bos_token=marker)) == [marker]


@pytest.mark.parametrize("token", ["<bos>", "<|begin_of_text|>", "<|end_of_text|>", "</s>"])
def test_other_separators_are_no_warning(token):
    assert first_token(with_tokens(bos_token=token)) == [token]


def test_words_are_joined_as_the_language_writes():
    assert join_words(["a", "bc"], "en")[0] == "a bc"
    text, ends = join_words(["今天", "好"], "zh-Hans")
    assert text == "今天好"
    assert ends.tolist() == [2, 3]
