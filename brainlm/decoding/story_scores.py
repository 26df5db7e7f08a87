"""Scores of the reconstructions of one story under all conditions, and of their null.

`tabulate_story` returns an ``xarray.Dataset`` that goes into a bundle as it is:

- ``window_score`` over ``condition``, ``metric``, ``window``; ``null_score`` over ``null``,
  ``metric``, ``window``;
- ``score``, ``half``, ``null_mean``, ``null_half``, ``gain``, ``z``, ``z_window``, ``share``, ``p``
  and ``q`` over ``condition`` and ``metric`` (`brainlm.decoding.null_scores.compare_to_null`);
- ``over`` and its interval, ``over_p`` and ``over_q`` over ``brain``, ``control`` and ``metric``:
  the brain minus the draws of each control (`brainlm.decoding.controls.compare_to_draws`);
- ``whole_score``, ``whole_gain``, ``whole_z`` and ``whole_p`` over ``condition`` and ``metric``,
  ``whole_null`` over ``null`` and ``metric``: the text as one piece (NaN where a score needs an
  encoder, whose window is shorter);
- ``text`` over ``condition`` (words with spaces between) and ``reference_text``; ``middle`` and
  ``reference_middle``, the times of their words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from brainlm.decoding.beam_search import Reconstruction
from brainlm.decoding.controls import compare_to_draws, nan_fdr
from brainlm.decoding.decoder import StoryDecoder
from brainlm.decoding.embedding import MappingScores, score_mapping
from brainlm.decoding.null_scores import (
    Window,
    compare_to_null,
    cut_windows,
    identify_windows,
    null_z,
)
from brainlm.decoding.stories import Story
from brainlm.decoding.text_scores import (
    TextMetrics,
    inverse_document_frequency,
    sentence_similarity,
)
from brainlm.language_models import LanguageModel

if TYPE_CHECKING:
    import xarray

STATISTICS = ("score", "half", "null_mean", "null_half", "gain", "z", "z_window", "share", "p")


def idf_of_stories(stories: Sequence[Story], n_words: int = 50) -> dict[str, float]:
    """Return the inverse document frequency of words, over pieces of training stories."""
    return inverse_document_frequency(
        [list(s.words[i : i + n_words]) for s in stories for i in range(0, len(s.words), n_words)]
    )


def score_windows(
    result: Reconstruction,
    middle: np.ndarray,
    story: Story,
    starts: np.ndarray,
    metrics: TextMetrics,
    language: str,
) -> np.ndarray:
    """Return all scores of all windows, (n_metrics, n_windows); NaN where there is no reference."""
    length = Window().length
    said = cut_windows(result.words, middle, starts, length)
    true = cut_windows(story.words, story.middle, starts, length)
    rows = metrics.score_words(true, said, language)
    if metrics.bert is not None:
        rows.append(metrics.bert.score(true, said)["recall"])
    if metrics.sentences is not None:
        rows += _sentences(metrics.sentences, true, said, starts, length, language)
    return np.array(rows)


def score_whole(
    result: Reconstruction,
    middle: np.ndarray,
    story: Story,
    starts: np.ndarray,
    metrics: TextMetrics,
    language: str,
) -> np.ndarray:
    """Return the scores of the text of all windows as one piece, (n_metrics,)."""
    first, length = starts[:1], starts[-1] - starts[0] + Window().length
    true = cut_windows(story.words, story.middle, first, length)
    said = cut_windows(result.words, middle, first, length)
    found = np.full(len(metrics.names), np.nan)
    rows = [row[0] for row in metrics.score_words(true, said, language)]
    found[: len(rows)] = rows
    return found


def score_story_mapping(decoder: StoryDecoder, story: Story) -> MappingScores:
    """Score the mapping of a held-out story: decoded rows against those of its text.

    Among rows at least as far apart as the delays reach, for 2v2, rank and top-k.
    """
    rows, known = decoder.decoded_rows(story.responses)
    true = decoder.true_rows(story)
    apart = slice(None, None, max(decoder.settings.delays) + 1)
    thin = score_mapping(rows[known][apart], true[known][apart], np.zeros(rows.shape[1]))
    whole = score_mapping(rows[known], true[known], np.zeros(rows.shape[1]))
    return MappingScores(whole.r, whole.cosine, thin.pairwise, thin.rank, thin.top_1, thin.top_10)


def _sentences(
    model: LanguageModel,
    true: list[list[str]],
    said: list[list[str]],
    starts: np.ndarray,
    length: float,
    language: str,
) -> list[np.ndarray]:
    own, rank = np.full((2, len(starts)), np.nan)
    kept = np.array([bool(a) and bool(b) for a, b in zip(true, said, strict=True)])
    if kept.any():
        pairs = [(a, b) for a, b in zip(true, said, strict=True) if a and b]
        similarity = sentence_similarity(
            model, [a for a, _ in pairs], [b for _, b in pairs], language
        )
        own[kept] = np.diag(similarity)
        there = starts[kept]
        if (np.abs(there[:, None] - there) >= length).any(axis=1).all():
            rank[kept] = identify_windows(similarity, there, length)
    return [own, rank]


def tabulate_story(
    scores: np.ndarray,
    whole: np.ndarray,
    starts: np.ndarray,
    metrics: Sequence[str],
    texts: Mapping[str, Sequence[str]],
    middle: np.ndarray,
    story: Story,
) -> xarray.Dataset:
    """Compare the scores of conditions with those of the null reconstructions.

    Parameters
    ----------
    scores : array of shape (n_conditions + n_null, n_metrics, n_windows)
        Conditions first, in the order of ``texts``.
    whole : array of shape (n_conditions + n_null, n_metrics)
        Of the text as one piece.
    starts : array of shape (n_windows,)
    metrics : sequence of str
    texts : mapping of str to sequence of str
        Words of each condition.
    middle : array of shape (n_words,)
        Predicted times of these words.
    story : Story
        The reference.
    """
    import xarray

    names, dims = list(texts), ("condition", "metric")
    observed, null = scores[: len(names)], scores[len(names) :]
    table = _statistics(observed, null)
    result = xarray.Dataset(
        {
            **{name: (dims, table[i]) for i, name in enumerate(STATISTICS)},
            "q": (dims, nan_fdr(table[-1])),
            "window_score": ((*dims, "window"), observed),
            "null_score": (("null", "metric", "window"), null),
            **_whole_text(whole[: len(names)], whole[len(names) :]),
            "text": ("condition", [_joined(texts[name]) for name in names]),
            "middle": ("word", middle),
            "reference_text": _joined(story.words),
            "reference_middle": ("reference_word", story.middle),
        },
        coords={
            "condition": names,
            "metric": list(metrics),
            "window": starts,
            "word": np.arange(len(middle)),
        },
        attrs={"window_s": Window().length, "story": story.name},
    )
    return result.merge(compare_to_draws(observed, names, metrics))


def _statistics(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return all `STATISTICS`, (n_statistics, n_conditions, n_metrics)."""
    table = np.full((len(STATISTICS), *observed.shape[:2]), np.nan)
    for m in range(observed.shape[1]):
        if not np.isfinite(observed[:, m]).any():
            continue  # too short a text for this score
        for c in range(len(observed)):
            row = compare_to_null(observed[c, m], null[:, m])
            row["null_mean"] = row.pop("null")
            table[:, c, m] = [row[name] for name in STATISTICS]
    return table


def _whole_text(whole: np.ndarray, null: np.ndarray) -> dict[str, tuple]:
    """Return scores, gains and tests of the text as one piece."""
    dims = ("condition", "metric")
    tests = [null_z(row, null) for row in whole]
    return {
        "whole_score": (dims, whole),
        "whole_gain": (dims, whole - null.mean(axis=0)),
        "whole_z": (dims, np.array([z for z, _ in tests])),
        "whole_p": (dims, np.array([p for _, p in tests])),
        "whole_null": (("null", "metric"), null),
    }


def _joined(words: Sequence[str]) -> str:
    """Return words with spaces between; a space inside a word ("a lot") is written ``_``."""
    return " ".join("_".join(word.split()) for word in words)
