"""WordPairs: rated similarity of pairs of words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlm._validation import as_labels, check_finite, freeze, same_length
from brainlm.data.stimulus import Stimulus


@dataclass(frozen=True, eq=False)
class WordPairs:
    """Pairs of words with their rated similarity or relatedness.

    Parameters
    ----------
    first, second : sequence of str, shape (n_pairs,)
        The two words of each pair; the same pair may come twice.
    similarity : sequence of float, shape (n_pairs,)
        Finite; larger is more similar.
    language : str
        Language code of the words.
    unit : str
        Scale, such as ``"similarity 0-10"``.
    notes : sequence of str
        Repairs and exclusions.
    """

    first: Any
    second: Any
    similarity: Any
    language: str
    unit: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        first, second = as_labels(self.first, "first"), as_labels(self.second, "second")
        similarity = np.array(self.similarity, dtype=float)
        same_length({"first": len(first), "second": len(second), "similarity": len(similarity)})
        if len(first) == 0:
            raise ValueError("first is empty: give at least one pair")
        check_finite(similarity, "similarity")
        for name, value in (("first", first), ("second", second)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "similarity", freeze(similarity))
        object.__setattr__(self, "notes", tuple(self.notes))

    @property
    def n_pairs(self) -> int:
        """Number of pairs."""
        return len(self.first)

    @property
    def stimulus(self) -> Stimulus:
        """Return every word once, sorted, each as a separate text, for a model to embed."""
        words = sorted({*self.first, *self.second})
        return Stimulus(words, self.language, text=words)

    @property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the first and of the second word of each pair in `stimulus`."""
        place = {word: i for i, word in enumerate(self.stimulus.words)}
        return tuple(  # type: ignore[return-value]
            np.array([place[word] for word in words]) for words in (self.first, self.second)
        )

    def __repr__(self) -> str:
        return f"WordPairs({self.n_pairs} pairs, {self.language!r}, unit {self.unit!r})"
