"""Vocabulary of a decoder, spelled in the tokens of a language model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlm.language_models.tokens import spell, writes_spaces

# Chinese words that repeat freely; content words do not.
FUNCTION_WORDS_ZH = (
    "的 了 是 在 我 你 他 她 它 们 这 那 就 都 也 和 有 不 着 地 得 一 上 说 要 去 到 会"
)


@dataclass(eq=False)
class Node:
    """A beginning of words: the word that ends here, and the tokens that may follow.

    Attributes
    ----------
    word : int
        Index of the word that these tokens spell, or -1.
    children : dict of int to Node
        Next token -> longer beginning.
    own, below : float
        Frequency of the word itself, and of all longer words that begin so.
    """

    word: int
    children: dict[int, Node]
    own: float = 0.0
    below: float = 0.0


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words with their tokens, as a tree of beginnings.

    Attributes
    ----------
    words : tuple of str, shape (n_vocabulary,)
    tokens : tuple of tuples of int
        Tokens of each word; in languages with spaces, with the space before it.
    stems : array of str, shape (n_vocabulary,)
        Stem of each content word, ``""`` for function words (see `content_stems`).
    root : Node
    left_out : tuple of str
        Words that the tokenizer cannot spell.
    language : str
    """

    words: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    stems: np.ndarray
    root: Node
    left_out: tuple[str, ...]
    language: str

    def __len__(self) -> int:
        return len(self.words)

    @property
    def spaced(self) -> bool:
        """Whether the language writes spaces between words."""
        return writes_spaces(self.language)

    def join(self, indices: Iterable[int]) -> str:
        """Return the running text of word indices."""
        return (" " if self.spaced else "").join(self.words[i] for i in indices)


def build_vocabulary(
    tokenizer: Any,
    words: Iterable[str],
    language: str,
    *,
    frequencies: Mapping[str, float] | None = None,
    longest: int = 4,
) -> Vocabulary:
    """Spell words in the tokens of a model.

    Parameters
    ----------
    tokenizer : transformers tokenizer
    words : iterable of str
        Words that may be decoded: those of the training stories, the most frequent ones of a
        language. Never those of the test story.
    language : str
        In languages with spaces every word is spelled with the space before it.
    frequencies : mapping of str to float, optional
        How often each word occurs; from it follows which beginnings of words are worth looking
        beyond (`brainlm.decoding.proposals.propose`). Default: wordfreq's.
    longest : int
        Words of more tokens are left out.

    Raises
    ------
    ValueError
        More than half of the words cannot be spelled: the tokenizer does not cover the language.
    """
    unique = tuple(dict.fromkeys(word for word in words if word.strip()))
    if not unique:
        raise ValueError("words is empty: a decoder needs a vocabulary")
    kept = [
        (word, ids)
        for word, ids in zip(unique, spell(tokenizer, unique, language), strict=True)
        if 0 < len(ids) <= longest and _spells(tokenizer, ids, word)
    ]
    left_out = tuple(sorted(set(unique) - {word for word, _ in kept}))
    if 2 * len(left_out) > len(unique):
        raise ValueError(
            f"the tokenizer spells {len(kept)} of {len(unique)} words of language {language!r} in "
            f"up to {longest} tokens (not, for example, {', '.join(left_out[:3])}): use a model of "
            "this language"
        )
    given = _frequencies(unique, language) if frequencies is None else frequencies
    root = Node(-1, {})
    for index, (word, ids) in enumerate(kept):
        _insert(root, ids, index, float(given.get(word, 0.0)) + 1e-9)
    names = tuple(word for word, _ in kept)
    return Vocabulary(
        names,
        tuple(ids for _, ids in kept),
        content_stems(names, language),
        root,
        left_out,
        language,
    )


def content_stems(words: Iterable[str], language: str) -> np.ndarray:
    """Return the stem of each content word and ``""`` for function words.

    English stems are Snowball's (nltk), function words scikit-learn's stop words; Chinese words
    are their own stems; in other languages every word longer than three letters is content.
    """
    names = [word.lower() for word in words]
    code = language.split("-")[0]
    if code == "en":
        from nltk.stem.snowball import SnowballStemmer
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        stem = SnowballStemmer("english").stem
        found = ["" if name in ENGLISH_STOP_WORDS else stem(name) for name in names]
    elif code == "zh":
        function = set(FUNCTION_WORDS_ZH.split())
        found = ["" if name in function else name for name in names]
    else:
        found = [name if len(name) > 3 else "" for name in names]
    return np.array(found, dtype=object)


def _spells(tokenizer: Any, ids: tuple[int, ...], word: str) -> bool:
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids:
        return False
    return tokenizer.decode(ids, clean_up_tokenization_spaces=False).strip() == word.strip()


def _frequencies(words: tuple[str, ...], language: str) -> dict[str, float]:
    import wordfreq

    code = language.split("-")[0]
    if code not in wordfreq.available_languages():
        return dict.fromkeys(words, 1e-6)
    return {word: wordfreq.word_frequency(word, code) for word in words}


def _insert(root: Node, ids: tuple[int, ...], index: int, frequency: float) -> None:
    node = root
    for token in ids:
        node.below += frequency
        node = node.children.setdefault(token, Node(-1, {}))
    if node.word < 0:  # two words of the same tokens: the first one stays
        node.word = index
    node.own += frequency
