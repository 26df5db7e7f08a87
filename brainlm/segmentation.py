"""From raw text to words: Chinese by jieba or by character, other languages by white space.

Where a data set brings its own segmentation, that comes first; this is for text that has none.
"""

from __future__ import annotations

import re
import warnings

from brainlm.errors import unknown_name
from brainlm.stimulus import Stimulus

__all__ = ["read_text", "segment", "simplify"]

LEVELS = ("word", "character")
SENTENCE_END = re.compile(
    r"(?<=[。！？!?；])(?![”’」』\"'）)。！？!?])|(?<=[。！？!?][”’」』\"'）)])|\n+"
)
ENGLISH_END = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"'”’)])\s+|\n+")


def segment(text: str, language: str, level: str = "word") -> list[str]:
    """Return the words of a text; joined again they are its characters without white space.

    Parameters
    ----------
    text : str
    language : str
        ``"zh"`` is cut by jieba (exact mode, its own dictionary), others at white space.
    level : {"word", "character"}
        "character": every character by itself; runs of Latin letters and digits stay whole.

    Notes
    -----
    Punctuation is a word of its own in Chinese and stays attached elsewhere. jieba knows
    simplified characters best: see `simplify`.
    """
    if level not in LEVELS:
        raise unknown_name("level", level, LEVELS)
    if language.split("-")[0] != "zh":
        if level == "character":
            raise ValueError(f"level='character' is for Chinese, the text is in {language!r}")
        return text.split()
    if level == "character":
        return re.findall(r"[A-Za-z0-9]+|\S", text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba's own, about its source code
        import jieba
    jieba.setLogLevel("WARNING")
    return [word for word in jieba.cut(text) if word.strip()]


def simplify(text: str) -> str:
    """Return a text with traditional Chinese characters replaced by simplified ones.

    Character by character, with wordfreq's table, so lengths and word boundaries stay; a few
    characters whose simplification depends on the word may be off.
    """
    from wordfreq.chinese import simplify_chinese

    return simplify_chinese(text)


def read_text(text: str, language: str, level: str = "word") -> Stimulus:
    """Return the stimulus of a raw text, with sentences numbered ``s1``, ``s2`` ...

    Parameters
    ----------
    text : str
    language, level
        As in `segment`.

    Notes
    -----
    A sentence ends at 。！？； and the quotes that close after them, in other languages at . ! ?
    before white space, and at line ends.
    """
    ends = SENTENCE_END if language.split("-")[0] == "zh" else ENGLISH_END
    words: list[str] = []
    labels: list[str] = []
    number = 0
    for sentence in ends.split(text):
        found = segment(sentence, language, level) if sentence else []
        if found:
            number += 1
            words += found
            labels += [f"s{number}"] * len(found)
    return Stimulus(words, language, sentence=labels)
