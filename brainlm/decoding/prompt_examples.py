"""Words that a sample holds, the words before them and the responses after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brainlm.decoding.stories import Story


@dataclass(frozen=True, eq=False)
class PromptExamples:
    """Words that a sample holds, what was said before, and the responses after it.

    Attributes
    ----------
    before, target : list of tuple of int
        Tokens.
    X : array of shape (n_examples, n_inputs)
    """

    before: list[tuple[int, ...]]
    target: list[tuple[int, ...]]
    X: np.ndarray

    def __len__(self) -> int:
        return len(self.target)

    def select(self, rows: np.ndarray) -> PromptExamples:
        """Return some of the examples."""
        before, target = ([each[i] for i in rows] for each in (self.before, self.target))
        return PromptExamples(before, target, self.X[rows])

    def with_inputs(self, X: np.ndarray) -> PromptExamples:
        """Return the same words with other responses, such as permuted ones."""
        return PromptExamples(self.before, self.target, X)


def story_examples(
    story: Story,
    tokens: Sequence[tuple[int, ...]],
    X: np.ndarray,
    samples: np.ndarray,
    context: int,
) -> PromptExamples:
    """Return an example for each sample that holds words and has responses after it.

    Parameters
    ----------
    story : Story
    tokens : sequence of tuple of int, shape (n_words,)
    X : array of shape (n_rows, n_inputs)
    samples : array of int, shape (n_rows,)
        The sample that each row of X follows (`brainlm.decoding.embedding.responses_after`).
    context : int
        Words.
    """
    place = np.searchsorted(story.times, story.middle, side="right") - 1
    before, target, rows = [], [], []
    for row, sample in enumerate(samples):
        inside = np.flatnonzero(place == sample)
        if sample < 0 or not len(inside):
            continue
        first = int(inside[0])
        before.append(_joined(tokens[max(0, first - context) : first]))
        target.append(_joined(tokens[first : inside[-1] + 1]))
        rows.append(row)
    return PromptExamples(before, target, X[rows])


def join_examples(parts: Sequence[PromptExamples]) -> PromptExamples:
    """Return the examples of several stories as one."""
    return PromptExamples(
        [text for part in parts for text in part.before],
        [text for part in parts for text in part.target],
        np.concatenate([part.X for part in parts]),
    )


def _joined(words: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(token for word in words for token in word)
