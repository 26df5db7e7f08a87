"""Words of the miniature data sets: frequent English and Chinese ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import wordfreq

VOCABULARY = 3600
N_TOLD = 120  # of the most frequent words: those of all stories
CHINESE_TOLD = (*"我你他小", "王子", "星球", "玫瑰", "狐狸", "沙漠", "飞机", *"说看很好在是花")


@cache
def english_words(n: int = VOCABULARY) -> tuple[str, ...]:
    """Return frequent English words in lower case, letters only, the most frequent first."""
    found = [w for w in wordfreq.top_n_list("en", n + 2000) if w.isascii() and w.isalpha()]
    return tuple(found[:n])


@cache
def chinese_words(n: int = 600) -> tuple[str, ...]:
    """Return frequent Chinese words of two characters."""
    found = wordfreq.top_n_list("zh", 10 * n)
    return tuple(w for w in found if len(w) == 2 and all("\u4e00" <= c <= "\u9fff" for c in w))[:n]


def say(words: Sequence[str], n: int, seed: int) -> list[str]:
    """Return words at random: text without syntax."""
    return np.random.default_rng(seed).choice(words, n).tolist()
