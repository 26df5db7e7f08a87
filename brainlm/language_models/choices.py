"""What can be asked of a model: which layers, which context, and so which texts go in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from brainlm.errors import unknown_name
from brainlm.language_models.tokens import writes_spaces
from brainlm.language_models.windows import POOLINGS
from brainlm.stimulus import Stimulus

__all__ = ["LEVELS", "Units", "check_choices", "choose_layers", "units"]

# What a row can stand for, and the only context that it takes (None: any).
LEVELS: dict[str, str | None] = {"word": None, "sentence": "sentence", "text": "document"}


@dataclass(frozen=True, eq=False)
class Units:
    """The texts that a model reads, one after the other.

    Parameters
    ----------
    texts : list of lists of str, shape (n_units,)
        The words of each.
    labels : list of str, shape (n_units,)
        A name for each, for messages.
    isolated : array of bool, shape (n_units,)
        Which are isolated words: all with context "none", else texts of a single word.
    language : str
        Language code.
    copies : array of int, shape (n_words,), optional
        With context "none", the unit of each word of the stimulus: equal words are read once.
    """

    texts: list[list[str]]
    labels: list[str]
    isolated: np.ndarray
    language: str
    copies: np.ndarray | None = None

    @property
    def leading_space(self) -> bool:
        """Whether isolated words are read with the space that running text has before them."""
        return bool(self.isolated.any()) and writes_spaces(self.language)


def choose_layers(layers: Any, n_layers: int) -> list[int]:
    """Return the chosen layers as numbers from 0 to ``n_layers``; negative ones count back."""
    wanted = range(n_layers + 1) if isinstance(layers, str) and layers == "all" else layers
    wanted = [wanted] if isinstance(wanted, int | np.integer | str) else list(wanted)
    chosen = []
    for layer in wanted:
        known = isinstance(layer, int | np.integer) and not isinstance(layer, bool)
        if not known or not -n_layers - 1 <= layer <= n_layers:
            raise unknown_name("layer", layer, ["all", *range(n_layers + 1)])
        chosen.append(int(layer) % (n_layers + 1))
    if len(set(chosen)) < len(chosen) or not chosen:
        raise ValueError(f"layers must name at least one layer and each once, got {layers!r}")
    return chosen


def check_choices(context: int | str, pooling: str | None, level: str) -> None:
    """Raise for a context, pooling or level that does not exist."""
    if level not in LEVELS:
        raise unknown_name("level", level, LEVELS)
    if pooling is not None and pooling not in POOLINGS:
        raise unknown_name("pooling", pooling, POOLINGS)
    if isinstance(context, str):
        if context not in ("none", "sentence", "document"):
            raise unknown_name("context", context, ("none", "sentence", "document", "an int"))
    elif isinstance(context, bool) or not isinstance(context, int | np.integer) or context < 0:
        raise ValueError(f"context must be a number of preceding words, 0 or more, got {context!r}")
    if LEVELS[level] not in (None, context):
        raise ValueError(
            f"level={level!r} embeds each {level} by itself: context={context!r} does not apply; "
            f"give context={LEVELS[level]!r}"
        )


def units(stimulus: Stimulus, context: int | str, level: str) -> Units:
    """Return the texts to tokenise."""
    if context == "none":
        words, copies = np.unique(stimulus.words.astype(str), return_inverse=True)
        return Units(
            [[str(word)] for word in words],
            [f"word {word!r}" for word in words],
            np.ones(len(words), dtype=bool),
            stimulus.language,
            copies,
        )
    names = stimulus.sentence if context == "sentence" else stimulus.text
    new_text = np.r_[True, stimulus.text[1:] != stimulus.text[:-1], True]
    edges = np.flatnonzero(new_text | np.r_[True, names[1:] != names[:-1], True])
    kind = "sentence" if context == "sentence" else "text"
    pairs = list(pairwise(edges))
    if level == "sentence" and len(pairs) > len(set(names)):
        raise ValueError(
            "a sentence of the stimulus lies in two texts, and no context crosses the edge of a "
            "text: give each part a sentence label of its own"
        )
    return Units(
        [stimulus.words[start:stop].tolist() for start, stop in pairs],
        [f"{kind} {names[start]!r}" for start, _ in pairs],
        new_text[edges[:-1]] & new_text[edges[:-1] + 1],
        stimulus.language,
    )
