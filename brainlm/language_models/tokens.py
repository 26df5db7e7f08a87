"""Words and tokens: which tokens of a model belong to which word, by character overlap.

The words of one text are joined and tokenised once, as running text. A token belongs to every
word whose characters it covers:

- the space before a word counts as part of it, so the tokens of byte-level BPE and SentencePiece
  that begin at the space belong to the word that follows;
- the several tokens of one emoji or one Chinese character share its characters, so all belong to
  the same word;
- a token that reaches across a boundary between words (possible in Chinese, which has no spaces)
  belongs to both words. The earlier one then shares a token with its neighbour and, in a causal
  model, sees that much of it; ``Tokens.n_shared`` counts such tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Frame", "Tokens", "frame_of", "join_words", "tokenize"]

WITHOUT_SPACES = ("zh", "ja", "th", "lo", "km", "my")


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
    """The special tokens that stand before and after every input of a model."""

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prefix) + len(self.suffix)


def frame_of(tokenizer: Any, kind: str) -> Frame:
    """Return the frame of a tokenizer.

    A causal model gets its beginning-of-text token (where it has none, its end-of-text token: in
    training that is what stood before a text) even if the tokenizer would not add it; a masked
    model gets what its tokenizer adds, such as ``[CLS]`` and ``[SEP]``.
    """
    if kind == "causal":
        begin = tokenizer.bos_token_id
        begin = tokenizer.eos_token_id if begin is None else begin
        return Frame(() if begin is None else (begin,), ())
    encoded = tokenizer("a", return_special_tokens_mask=True)
    ids, special = encoded["input_ids"], encoded["special_tokens_mask"]
    first = special.index(0)
    last = len(special) - special[::-1].index(0)
    return Frame(tuple(ids[:first]), tuple(ids[last:]))


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
    space = "" if language.split("-")[0] in WITHOUT_SPACES else " "
    lengths = np.array([len(word) for word in words]) + len(space)
    return space.join(words), np.cumsum(lengths) - len(space)


def tokenize(tokenizer: Any, texts: Sequence[Sequence[str]], language: str) -> list[Tokens]:
    """Return the tokens of each text (a sequence of words).

    Raises
    ------
    ValueError
        A word has no token: the tokenizer drops its characters.
    """
    joined = [join_words(words, language) for words in texts]
    encoded = tokenizer(
        [text for text, _ in joined],
        add_special_tokens=False,
        return_offsets_mapping=True,
        return_attention_mask=False,
        truncation=False,
        padding=False,
        verbose=False,
    )
    rows = zip(texts, joined, encoded["input_ids"], encoded["offset_mapping"], strict=True)
    return [_match(words, *text, ids, offsets) for words, text, ids, offsets in rows]


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
    lost = np.flatnonzero(stop <= start)
    if len(lost):
        i = int(lost[0])
        raise ValueError(
            f"words[{i}] {words[i]!r} of the text that begins {text[:30]!r} has no token: the "
            f"tokenizer drops its characters ({len(lost)} such words). Select the other words, "
            "or use another model"
        )
    return Tokens(np.array(ids, dtype=int), start, stop, int((last > first).sum()))
