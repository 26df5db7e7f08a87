"""Split raw text into words: Chinese by jieba or by character, others at white space.

Where a data set brings its own segmentation, that comes first; this is for text that has none.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, DataMissingError, unknown_name

LEVELS = ("word", "character")
WITHOUT_SPACES = ("zh", "yue", "ja", "th", "lo", "km", "my", "bo", "dz")
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
        ``"zh"`` is cut by jieba (exact mode, its own dictionary), languages with spaces between
        their words at white space; others are refused.
    level : {"word", "character"}
        "character": every character by itself; runs of Latin letters and digits stay whole.

    Raises
    ------
    ValueError
        Another language that is written without spaces, or characters of one that is not Chinese.

    Notes
    -----
    Punctuation is a word of its own in Chinese and stays attached elsewhere. jieba knows
    simplified characters best: see `simplify`.
    """
    if level not in LEVELS:
        raise unknown_name("level", level, LEVELS)
    code = language.split("-")[0]
    if code != "zh":
        if code in WITHOUT_SPACES:
            raise ValueError(
                f"{language!r} is written without spaces, and brainlm cuts only Chinese into "
                "words: segment the text before (fugashi for Japanese, pythainlp for Thai) and "
                "give the words: Stimulus(words, language, sentence=...)"
            )
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


@cache
def _converter(direction: str) -> Any:
    import opencc

    return opencc.OpenCC(direction)


def simplify(text: str) -> str:
    """Return a text with traditional Chinese characters replaced by simplified ones.

    By OpenCC's phrases, then character by character; simplified text stays as it is. Convert word
    by word where word boundaries are to stay.
    """
    return _converter("t2s").convert(text)


@lru_cache(maxsize=100_000)
def _character_script(character: str) -> str | None:
    """Return the only script that a character is written in, or None where both have it.

    A traditional character has another simplified form and is not in GB 2312; a simplified one has
    another traditional form and is not in Big5. So 后 and 乾, which both scripts use, say nothing.
    """
    for script, direction, other in (
        ("traditional", "t2s", "gb2312"),
        ("simplified", "s2t", "big5"),
    ):
        if _converter(direction).convert(character) != character:
            try:
                character.encode(other)
            except UnicodeEncodeError:
                return script
    return None


def chinese_script(words: Iterable[str]) -> str | None:
    """Return which script Chinese words are written in.

    Parameters
    ----------
    words : iterable of str

    Returns
    -------
    str or None
        ``"simplified"`` or ``"traditional"``: more than nine tenths of the different characters
        that only one script has. ``"mixed"``: fewer. None: there is no such character.
    """
    found = [_character_script(character) for character in set().union(*words)]
    counts = {script: found.count(script) for script in ("simplified", "traditional")}
    total = sum(counts.values())
    if total == 0:
        return None
    script = max(counts, key=lambda name: counts[name])
    return script if counts[script] > 0.9 * total else "mixed"


def check_script(stimulus: Stimulus, script: str | None, name: str) -> None:
    """Raise when the words of a Chinese stimulus are in the other script than a table of words.

    Parameters
    ----------
    stimulus : Stimulus
        Of any language; only Chinese is checked.
    script : str, optional
        Of the table: see `chinese_script`. Where it or that of the stimulus is None or "mixed",
        nothing can be said.
    name : str
        The table, for the message.

    Raises
    ------
    ValueError
        One is simplified, the other traditional.
    """
    if stimulus.language.split("-")[0] != "zh":
        return
    own = chinese_script(stimulus.words)
    if {own, script} == {"simplified", "traditional"}:
        mend = (
            "convert the stimulus: dataclasses.replace(stimulus, words=[simplify(word) for word in "
            "stimulus.words])"
            if own == "traditional"
            else f"convert the words of {name} with simplify"
        )
        raise ValueError(
            f"the stimulus is in {own} characters, {name} in {script} ones, so that most words "
            f"would not be found: {mend}; simplify is in brainlm.data.segmentation"
        )


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

    Examples
    --------
    >>> stimulus = brainlm.read_text("The dog sleeps. It snores.", "en")
    >>> list(stimulus.words)
    ['The', 'dog', 'sleeps.', 'It', 'snores.']
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


def text_of_file(path: Path) -> str:
    """Return the text of a UTF-8 file.

    Raises
    ------
    DataMissingError, CorruptDataError
        It cannot be opened, is not UTF-8, or has no words.
    """
    try:
        content = path.read_text("utf-8")
    except OSError as error:
        raise DataMissingError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CorruptDataError(f"{path}: is not UTF-8 ({error})") from error
    if not content.strip():
        raise CorruptDataError(f"{path}: has no words")
    return content
