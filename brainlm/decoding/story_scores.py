"""One story from responses to a table: reconstructions of all conditions, their scores, their null.

The result is an ``xarray.Dataset`` that goes into a bundle as it is:

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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brainlm.decoding.beam_search import Beam, Reconstruction
from brainlm.decoding.conditions import Job, conditions, decode_jobs, nulls
from brainlm.decoding.controls import compare_to_draws, known_fdr
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
    BertScore,
    Texts,
    inverse_document_frequency,
    list_metrics,
    sentence_similarity,
    text_scores,
)
from brainlm.language_models import LanguageModel
from brainlm.language_models.tokens import writes_spaces

if TYPE_CHECKING:
    import xarray

__all__ = [
    "Judges",
    "compare_guides",
    "idf_of_stories",
    "map_story",
    "reconstruct_story",
    "score_whole",
    "score_windows",
]

BY_CHARACTER = ("1-wer", "bleu-1", "bleu-2")
STATISTICS = ("score", "half", "null_mean", "null_half", "gain", "z", "z_window", "share", "p")


@dataclass(frozen=True, eq=False)
class Judges:
    """What scores texts.

    Attributes
    ----------
    metrics : sequence of str
        Of `brainlm.decoding.text_scores.list_metrics`.
    characters : sequence of str
        Metrics that are reported over characters, too, such as ``"bleu-1, characters"``: for
        languages without spaces, whose words depend on who cut them.
    bert : BertScore, optional
        Its recall is reported as ``bertscore``.
    sentences : LanguageModel, optional
        Sentence encoder: ``sentence similarity`` and ``identification`` of the own window among
        those that do not overlap it.
    """

    metrics: Sequence[str]
    characters: Sequence[str] = ()
    bert: BertScore | None = None
    sentences: LanguageModel | None = None

    @property
    def names(self) -> list[str]:
        """Names of all scores, in order."""
        extra = ["bertscore"] * (self.bert is not None)
        if self.sentences is not None:
            extra += ["sentence similarity", "identification"]
        return [*self.metrics, *(f"{name}, characters" for name in self.characters), *extra]

    @classmethod
    def default(
        cls,
        encoder: LanguageModel | None,
        idf: dict[str, float] | None,
        language: str = "en",
        level: str = "word",
    ) -> Judges:
        """Return all scores; those of an encoder where one is given, of characters in Chinese."""
        bert = None if encoder is None else BertScore(encoder, idf=idf, language=language)
        by_character = not writes_spaces(language) and level == "word"
        return cls(list_metrics(), BY_CHARACTER if by_character else (), bert, encoder)

    def of_words(self, true: Texts, said: Texts, language: str) -> list[np.ndarray]:
        """Return the scores that need no encoder, in order, (n_texts,) each."""
        rows = list(text_scores(true, said, self.metrics, language).values())
        if self.characters:
            cut = [[list("".join(words)) for words in texts] for texts in (true, said)]
            rows += text_scores(cut[0], cut[1], self.characters, language).values()
        return rows


def reconstruct_story(
    decoder: StoryDecoder,
    story: Story,
    jobs: Mapping[str, Job],
    judges: Judges,
    *,
    n_null: int = 10,
    seed: int = 0,
    folder: Path | None = None,
    key: str = "",
    n_jobs: int = 1,
    progress: bool = False,
) -> xarray.Dataset:
    """Decode all jobs and the null, and compare them with the reference, which comes in only now.

    Parameters
    ----------
    decoder : StoryDecoder
    story : Story
        The reference.
    jobs : mapping of str to Job
        See `brainlm.decoding.conditions.conditions`.
    judges : Judges
    n_null : int
        Reconstructions of the published null.
    seed : int
        Of the null.
    folder, key, n_jobs, progress
        As in `brainlm.decoding.conditions.decode_jobs`.
    """
    middle = next(iter(jobs.values())).middle
    starts = Window().starts(max(middle[0], story.middle[0]), min(middle[-1], story.middle[-1]))
    every = {**jobs, **nulls(jobs, n_null, seed)}
    options = {"key": key, "n_jobs": n_jobs, "progress": progress}
    found = decode_jobs(decoder, every, folder, **options)  # type: ignore[arg-type]
    language = decoder.reader.vocabulary.language
    scores = np.stack(
        [score_windows(found[name], middle, story, starts, judges, language) for name in every]
    )
    whole = np.stack(
        [score_whole(found[name], middle, story, starts, judges, language) for name in every]
    )
    return _dataset(scores, whole, starts, jobs, judges, found, story)


def compare_guides(
    decoder: StoryDecoder,
    story: Story,
    other: tuple[str, np.ndarray],
    judges: Judges,
    *,
    beam: int,
    n_null: int,
    n_draws: int = 3,
    folder: Path | None = None,
    key: str = "",
    n_jobs: int = 1,
) -> xarray.Dataset:
    """Decode a story by both guides under all conditions, and score text and mapping.

    Parameters
    ----------
    decoder : StoryDecoder
    story : Story
        The reference.
    other : (str, array of shape (n_samples_or_more, n_targets))
        Name of the condition, such as ``"wrong story"``, and the responses.
    judges : Judges
    beam : int
        Hypotheses.
    n_draws : int
        As in `brainlm.decoding.conditions.conditions`.
    n_null, folder, key, n_jobs
        As in `reconstruct_story`.

    Returns
    -------
    xarray.Dataset
        That of `reconstruct_story` with ``mapping_r`` and ``mapping_2v2``.
    """
    guides = {"Tang": ("likelihood", Beam(beam)), "MapGuide": ("similarity", Beam(beam))}
    jobs = conditions(decoder, story, other[1], guides, n_draws=n_draws, other=other[0])
    study = reconstruct_story(
        decoder,
        story,
        jobs,
        judges,
        n_null=n_null,
        folder=folder,
        key=key,
        n_jobs=n_jobs,
        progress=True,
    )
    quality = map_story(decoder, story)
    study["mapping_r"], study["mapping_2v2"] = float(quality.r.mean()), quality.pairwise
    return study


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
    judges: Judges,
    language: str,
) -> np.ndarray:
    """Return all scores of all windows, (n_metrics, n_windows); NaN where there is no reference."""
    length = Window().length
    said = cut_windows(result.words, middle, starts, length)
    true = cut_windows(story.words, story.middle, starts, length)
    rows = judges.of_words(true, said, language)
    if judges.bert is not None:
        rows.append(judges.bert.score(true, said)["recall"])
    if judges.sentences is not None:
        rows += _sentences(judges.sentences, true, said, starts, length, language)
    return np.array(rows)


def score_whole(
    result: Reconstruction,
    middle: np.ndarray,
    story: Story,
    starts: np.ndarray,
    judges: Judges,
    language: str,
) -> np.ndarray:
    """Return the scores of the text of all windows as one piece, (n_metrics,)."""
    first, length = starts[:1], starts[-1] - starts[0] + Window().length
    true = cut_windows(story.words, story.middle, first, length)
    said = cut_windows(result.words, middle, first, length)
    found = np.full(len(judges.names), np.nan)
    rows = [row[0] for row in judges.of_words(true, said, language)]
    found[: len(rows)] = rows
    return found


def map_story(decoder: StoryDecoder, story: Story) -> MappingScores:
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
        similarity = sentence_similarity(
            model,
            [t for t, k in zip(true, kept, strict=True) if k],
            [s for s, k in zip(said, kept, strict=True) if k],
            language,
        )
        own[kept] = np.diag(similarity)
        there = starts[kept]
        if (np.abs(there[:, None] - there) >= length).any(axis=1).all():
            rank[kept] = identify_windows(similarity, there, length)
    return [own, rank]


def _dataset(
    scores: np.ndarray,
    whole: np.ndarray,
    starts: np.ndarray,
    jobs: Mapping[str, Job],
    judges: Judges,
    found: Mapping[str, Reconstruction],
    story: Story,
) -> xarray.Dataset:
    import xarray

    names = list(jobs)
    observed, null = scores[: len(names)], scores[len(names) :]
    whole, whole_null = whole[: len(names)], whole[len(names) :]
    whole_tests = [null_z(row, whole_null) for row in whole]
    table = np.full((len(STATISTICS), len(names), len(judges.names)), np.nan)
    for m in range(len(judges.names)):
        if not np.isfinite(observed[:, m]).any():
            continue  # too short a text for this score
        for c in range(len(names)):
            row = compare_to_null(observed[c, m], null[:, m])
            row["null_mean"] = row.pop("null")
            table[:, c, m] = [row[name] for name in STATISTICS]
    dims = ("condition", "metric")
    middle = next(iter(jobs.values())).middle
    result = xarray.Dataset(
        {
            **{name: (dims, table[i]) for i, name in enumerate(STATISTICS)},
            "q": (dims, known_fdr(table[-1])),
            "window_score": ((*dims, "window"), observed),
            "null_score": (("null", "metric", "window"), null),
            "whole_score": (dims, whole),
            "whole_gain": (dims, whole - whole_null.mean(axis=0)),
            "whole_z": (dims, np.array([z for z, _ in whole_tests])),
            "whole_p": (dims, np.array([p for _, p in whole_tests])),
            "whole_null": (("null", "metric"), whole_null),
            "text": ("condition", [_joined(found[name].words) for name in names]),
            "middle": ("word", middle),
            "reference_text": _joined(story.words),
            "reference_middle": ("reference_word", story.middle),
        },
        coords={
            "condition": names,
            "metric": judges.names,
            "window": starts,
            "word": np.arange(len(middle)),
        },
        attrs={"window_s": Window().length, "story": story.name},
    )
    return result.merge(compare_to_draws(observed, names, judges.names))


def _joined(words: Sequence[str]) -> str:
    """Return words with spaces between; a space inside a word ("a lot") is written ``_``."""
    return " ".join("_".join(word.split()) for word in words)
