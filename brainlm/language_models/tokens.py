"""Words and tokens: the tokens of a model that belong to each word.

In languages with spaces the words of one text are joined and tokenised once, as running text. A
token belongs to every word whose characters it covers:

- the space before a word counts as part of it, so the tokens of byte-level BPE and SentencePiece
  that begin at the space belong to the word that follows;
- the several tokens of one emoji share its characters, so all belong to the same word;
- a token that reaches across a space belongs to both words; ``Tokens.n_shared`` counts such
  tokens, which only a tokenizer that does not split at spaces can make.

An isolated word is spelled as it is inside running text, with the space before it (`spell`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlm.data.segmentation import WITHOUT_SPACES

# Between documents in the pre-training of GPT-2, Pythia, OLMo, SmolLM2, Qwen and many others.
SEPARATOR = "<|endoftext|>"
# Tokens that only the format of a chat puts before a text: <|im_start|>, <start_of_turn>, <|user|>.
CHAT_MARKER = re.compile(
    r"im_(start|end|sep)|turn|eot_id|eom_id|header_id|\binst\b|<\W?(user|assistant|system|end)\W?>",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of one text, without special ones, and the range of them that each word owns.

    Parameters
    ----------
    ids : array of int, shape (n_tokens,)
        Token ids.
    start, stop : array of int, shape (n_words,)
        Word i owns ``ids[start[i]:stop[i]]``; ranges rise, and never are empty.
    n_shared : int
        Tokens that belong to more than one word.
    """

    ids: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    n_shared: int = 0

    @property
    def n_words(self) -> int:
        """Number of words."""
        return len(self.start)

    def as_one(self) -> Tokens:
        """Return the same tokens as those of a single unit, the whole text."""
        return Tokens(self.ids, self.start[:1], self.stop[-1:])


@dataclass(frozen=True)
class Frame:
    """The special tokens before and after every input of a model."""

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prefix) + len(self.suffix)


def frame_of(tokenizer: Any, kind: str, separator: str | None = None) -> Frame:
    """Return the frame of a tokenizer.

    Parameters
    ----------
    tokenizer : transformers tokenizer
    kind : {"causal", "masked", "encoder"}
        A masked model gets what its tokenizer adds, such as ``[CLS]`` and ``[SEP]``. A causal
        model gets the token that separated documents in training, even if its tokenizer would
        not add it.
    separator : str, optional
        That token. Default (our rule): ``<|endoftext|>`` where the vocabulary has it, else the
        beginning-of-text token, else the end-of-text token.

    Raises
    ------
    ValueError
        The separator is not in the vocabulary, or is given for a masked model.

    Warns
    -----
    UserWarning
        The default is a token of the chat format, with which no document began in pre-training.
    """
    if kind != "causal":
        if separator is not None:
            raise ValueError(
                f"separator={separator!r} is for causal models; this one is {kind} and reads a "
                "text between the special tokens that its tokenizer adds: leave separator out"
            )
        encoded = tokenizer("a", return_special_tokens_mask=True)
        ids, special = encoded["input_ids"], encoded["special_tokens_mask"]
        first = special.index(0)
        last = len(special) - special[::-1].index(0)
        return Frame(tuple(ids[:first]), tuple(ids[last:]))
    vocabulary = tokenizer.get_vocab()
    if separator is not None:
        if separator not in vocabulary:
            raise ValueError(
                f"separator={separator!r} is not in the vocabulary; its special tokens are "
                f"{', '.join(tokenizer.all_special_tokens)}"
            )
        return Frame((vocabulary[separator],), ())
    named = (tokenizer.bos_token, tokenizer.eos_token)
    chosen = next((name for name in (SEPARATOR, *named) if name in vocabulary), None)
    if chosen is None:
        return Frame((), ())
    if CHAT_MARKER.search(chosen):
        warnings.warn(
            f"the tokenizer of {tokenizer.name_or_path or 'this model'} begins a text with "
            f"{chosen!r}, a token of the chat format: hidden states and surprisal behind it are "
            "not those of running text. Name the token that separated documents in pre-training: "
            "LanguageModel(..., separator='<|endoftext|>') or the like",
            stacklevel=2,
        )
    return Frame((vocabulary[chosen],), ())


def writes_spaces(language: str) -> bool:
    """Return whether a language writes spaces between words."""
    return language.split("-")[0] not in WITHOUT_SPACES


def join_words(words: Sequence[str], language: str) -> tuple[str, np.ndarray]:
    """Return the running text of words and where each ends in it.

    Parameters
    ----------
    words : sequence of str, shape (n_words,)
        Words in order.
    language : str
        Words are joined by one space, in languages written without spaces by nothing.

    Returns
    -------
    str, array of int of shape (n_words,)
        The text, and the character after each word.
    """
    space = " " if writes_spaces(language) else ""
    lengths = np.array([len(word) for word in words]) + len(space)
    return space.join(words), np.cumsum(lengths) - len(space)


def spell(tokenizer: Any, words: Sequence[str], language: str) -> list[tuple[int, ...]]:
    """Return the tokens of each word as running text has them, whatever follows the word.

    A word is tokenised behind a line feed and, in languages with spaces, a space; the tokens that
    cover any of its characters or that space are its own. So ``dog`` is ``Ġdog`` or ``▁dog``
    where the vocabulary has such tokens, and ``dog`` in WordPiece. The line feed keeps a
    tokenizer from adding a space where the language has none (ours).

    Returns
    -------
    list of tuple of int, shape (n_words,)
        Empty where the tokenizer drops all characters of a word.
    """
    lead = "\n" + (" " if writes_spaces(language) else "")
    spelled = []
    for ids, offsets in _encode(tokenizer, [lead + word for word in words]):
        begin, end = np.array(offsets, dtype=int).reshape(-1, 2).T
        own = (end > begin) & (end > 1)
        known = (own & (end > len(lead))).any()
        spelled.append(tuple(ids[int(own.argmax()) :]) if known else ())
    return spelled


def tokenize(
    tokenizer: Any,
    texts: Sequence[Sequence[str]],
    language: str,
    by_word: Sequence[bool] | None = None,
) -> list[Tokens]:
    """Return the tokens of each text (a sequence of words).

    In a language written without spaces a token of running text can hold the end of one word and
    the beginning of the next, so that a causal model would see the future. Its words are
    therefore spelled one by one (`spell`), and no token belongs to two.

    Parameters
    ----------
    tokenizer : transformers tokenizer
    texts : sequence of sequences of str
    language : str
    by_word : sequence of bool, optional
        Which texts are spelled word by word in any language, as isolated words are. Default: none.

    Raises
    ------
    ValueError
        A word has no token: the tokenizer drops its characters.
    """
    spaced = writes_spaces(language)
    alone = [not spaced or bool(one) for one in (by_word or [False] * len(texts))]
    rows = list(zip(texts, alone, strict=True))
    unique = list(dict.fromkeys(word for words, one in rows if one for word in words))
    spelled = dict(zip(unique, spell(tokenizer, unique, language), strict=True))
    joined = [join_words(words, language) for words, one in rows if not one]
    running = zip(joined, _encode(tokenizer, [text for text, _ in joined]), strict=True)
    tokens = []
    for words, one in rows:
        if one:
            tokens.append(_chain(words, [spelled[word] for word in words]))
        else:
            (text, ends), (ids, offsets) = next(running)
            tokens.append(_match(words, text, ends, ids, offsets))
    return tokens


def _encode(tokenizer: Any, texts: list[str]) -> list[tuple[list[int], list[tuple[int, int]]]]:
    """Return token ids of each text, without special ones, and the characters each covers."""
    if not texts:
        return []
    encoded = tokenizer(
        texts,
        add_special_tokens=False,
        return_offsets_mapping=True,
        return_attention_mask=False,
        truncation=False,
        padding=False,
        verbose=False,
    )
    return list(zip(encoded["input_ids"], encoded["offset_mapping"], strict=True))


def _chain(words: Sequence[str], spelled: Sequence[tuple[int, ...]]) -> Tokens:
    """Return the tokens of words that were spelled one by one."""
    count = np.array([len(ids) for ids in spelled])
    _check_lost(words, np.flatnonzero(count == 0))
    stop = np.cumsum(count)
    return Tokens(np.concatenate([np.array(ids, dtype=int) for ids in spelled]), stop - count, stop)


def _match(
    words: Sequence[str], text: str, ends: np.ndarray, ids: list[int], offsets: list[tuple]
) -> Tokens:
    """Match tokens to words; word i owns the characters from the end of word i - 1 to its own."""
    begin, end = np.array(offsets, dtype=int).reshape(-1, 2).T
    space = np.zeros(len(text) + 1, dtype=bool)
    if len(text) > sum(map(len, words)):
        space[ends[:-1]] = True
    # A token that ends with the space between two words is not a part of the later one.
    end = end - (space[end - 1] & (end - begin > 1))
    token = np.flatnonzero(end > begin)  # an empty span covers no character of any word
    first = np.searchsorted(ends, begin[token], side="right")
    last = np.searchsorted(ends, end[token] - 1, side="right")
    only_space = space[begin[token]] & (end[token] - begin[token] == 1)
    start = np.full(len(words), len(ids))
    stop = np.zeros(len(words), dtype=int)
    for reach in range(int((last - first).max(initial=0)) + 1):
        word = np.minimum(first + reach, last)
        np.minimum.at(start, word, token)
        np.maximum.at(stop, word[~only_space], token[~only_space] + 1)
    _check_lost(words, np.flatnonzero(stop <= start))
    return Tokens(np.array(ids, dtype=int), start, stop, int((last > first).sum()))


def _check_lost(words: Sequence[str], lost: np.ndarray) -> None:
    """Raise for words without a token."""
    if len(lost):
        i = int(lost[0])
        raise ValueError(
            f"words[{i}] {words[i]!r} of the text that begins {' '.join(words)[:30]!r} has no "
            f"token: the tokenizer drops its characters ({len(lost)} such words). Select the other "
            "words, or use another model"
        )
