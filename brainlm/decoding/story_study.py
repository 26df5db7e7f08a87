"""Decoding of one story under all conditions: reconstructions, resumed after an interruption.

A `DecodingStudy` decodes the brain, its controls and the random null, and then scores all of them
against the reference, which no search has seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm._progress import bar
from brainlm.decoding.beam_search import Beam, Reconstruction
from brainlm.decoding.conditions import Condition, build_conditions, random_conditions
from brainlm.decoding.decoder import StoryDecoder
from brainlm.decoding.mapping_null import score_story_prompt
from brainlm.decoding.names import LABELS
from brainlm.decoding.null_scores import Window
from brainlm.decoding.stories import Story, story_key
from brainlm.decoding.story_scores import (
    score_story_mapping,
    score_whole,
    score_windows,
    tabulate_story,
)
from brainlm.decoding.text_scores import TextMetrics
from brainlm.storage.store import PartStore

if TYPE_CHECKING:
    import xarray

TOGETHER = 160  # hypotheses of several conditions that pass through the language model at once


def published_scorers(beam: int) -> dict[str, tuple[str, Beam]]:
    """Return both published scorers by their labels, with a beam of so many hypotheses."""
    return {LABELS[name]: (name, Beam(beam)) for name in ("likelihood", "similarity")}


@dataclass(frozen=True, eq=False)
class DecodingStudy:
    """A fitted decoder, and how its reconstructions are compared with their nulls.

    Attributes
    ----------
    decoder : StoryDecoder
    metrics : TextMetrics
    n_null : int
        Reconstructions of the published null.
    n_draws : int
        Draws of noise input, and of the permuted brain.
    store : PartStore, optional
        Every finished batch of reconstructions is saved there and not computed again.
    n_jobs : int
        Processes; each holds the language model.
    progress : bool
    """

    decoder: StoryDecoder
    metrics: TextMetrics
    n_null: int = 10
    n_draws: int = 3
    store: PartStore | None = None
    n_jobs: int = 1
    progress: bool = False

    def run(
        self,
        story: Story,
        other: tuple[str, np.ndarray],
        scorers: Mapping[str, tuple[str, Beam]],
        *,
        weights: tuple[float, float] = (1, 1),
        seed: int = 0,
    ) -> xarray.Dataset:
        """Decode a story under all conditions, and score the texts.

        Parameters
        ----------
        story, other, scorers, weights, seed
            As in `brainlm.decoding.conditions.build_conditions`.

        Returns
        -------
        xarray.Dataset
            See `brainlm.decoding.story_scores`.
        """
        conditions = build_conditions(
            self.decoder, story, other, scorers, weights=weights, n_draws=self.n_draws, seed=seed
        )
        inputs = {"other": np.asarray(other[1]), "weights": list(weights)}
        return self.reconstruct(story, conditions, seed=seed, inputs=inputs)

    def reconstruct(
        self,
        story: Story,
        conditions: Mapping[str, Condition],
        *,
        seed: int = 0,
        inputs: Mapping[str, Any] | None = None,
    ) -> xarray.Dataset:
        """Decode conditions and the null, and score the texts against the reference.

        Parameters
        ----------
        story : Story
            The reference.
        conditions : mapping of str to Condition
        seed : int
            Of the null.
        inputs : mapping, optional
            Anything else that the conditions depend on, besides decoder, story and ``seed``.
        """
        every = {**conditions, **random_conditions(conditions, self.n_null, seed)}
        key = {"decoder": self.decoder.key, "story": story_key(story), "seed": seed}
        found = self.decode(every, {**key, **(inputs or {})})
        middle = next(iter(conditions.values())).middle
        starts = windows_of(middle, story)
        language = self.decoder.embedder.vocabulary.language
        scores, whole = (
            np.stack([f(found[n], middle, story, starts, self.metrics, language) for n in every])
            for f in (score_windows, score_whole)
        )
        texts = {name: found[name].words for name in conditions}
        return tabulate_story(scores, whole, starts, self.metrics.names, texts, middle, story)

    def decode(
        self, conditions: Mapping[str, Condition], key: Mapping[str, Any]
    ) -> dict[str, Reconstruction]:
        """Decode conditions that depend on ``key``; see `decode_conditions`."""
        return decode_conditions(
            self.decoder,
            conditions,
            self.store,
            key=key,
            n_jobs=self.n_jobs,
            progress=self.progress,
        )

    def mapping(self, story: Story) -> dict[str, float]:
        """Return ``mapping_r`` and ``mapping_2v2`` of the decoded embedding of a story.

        And the loss of the soft prompt, where there is one
        (`brainlm.decoding.mapping_null.score_story_prompt`), with as many shifts as the null has.
        """
        found = score_story_mapping(self.decoder, story)
        mapping = {"mapping_r": float(found.r.mean()), "mapping_2v2": found.pairwise}
        return {**mapping, **score_story_prompt(self.decoder, story, self.n_null)}


def windows_of(middle: np.ndarray, story: Story) -> np.ndarray:
    """Return the starts of the windows that both the predicted and the true words fill."""
    first, last = max(middle[0], story.middle[0]), min(middle[-1], story.middle[-1])
    return Window().starts(first, last)


def decode_conditions(
    decoder: StoryDecoder,
    conditions: Mapping[str, Condition],
    store: PartStore | None = None,
    *,
    key: Mapping[str, Any] | None = None,
    n_jobs: int = 1,
    progress: bool = False,
) -> dict[str, Reconstruction]:
    """Decode conditions, many at once, in parallel processes where asked.

    Parameters
    ----------
    decoder : StoryDecoder
    conditions : mapping of str to Condition
    store : PartStore, optional
        Every finished batch is saved there and not computed again.
    key : mapping, optional
        All that the conditions depend on, besides their names, word times and beams.
    n_jobs : int
        Processes; each holds the language model.
    progress : bool
    """
    from joblib import Parallel, delayed

    def decode(names: list[str]) -> list[Reconstruction]:
        batch = [conditions[name] for name in names]
        scorers, beams = [each.scorer for each in batch], [each.beam for each in batch]
        part = _part_key(names, batch, key or {})
        saved = None if store is None else store.load_json(part)
        if saved is not None:
            return [Reconstruction(**{**each, "words": tuple(each["words"])}) for each in saved]
        results = decoder.decode_all(scorers, batch[0].middle, batch[0].times, beams)
        if store is not None:
            store.save_json(part, [asdict(each) for each in results])
        return results

    batches = _batches(conditions)
    found: Any = (decode(names) for names in batches)
    if n_jobs > 1:
        parallel = Parallel(n_jobs=n_jobs, return_as="generator")
        found = parallel(delayed(decode)(names) for names in batches)
    found = bar(found, "decode", progress=progress, total=len(batches))
    results = dict(zip(chain(*batches), chain(*found), strict=True))
    return {name: results[name] for name in conditions}


def _part_key(names: list[str], batch: list[Condition], key: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a batch depends on: rounding differs with the texts decoded at once."""
    beams = [asdict(each.beam) for each in batch]
    times = {"middle": batch[0].middle, "times": batch[0].times}
    return {**key, "conditions": names, "beams": beams, **times}


def _batches(conditions: Mapping[str, Condition]) -> list[list[str]]:
    """Group conditions with the same word times, width and nucleus, up to `TOGETHER` hypotheses."""
    batches: dict[tuple, list[list[str]]] = {}
    for name, each in conditions.items():
        like = (each.middle.tobytes(), each.times.tobytes(), each.beam.width, each.beam.nucleus)
        mine = batches.setdefault(like, [[]])
        if (len(mine[-1]) + 1) * each.beam.width > TOGETHER and mine[-1]:
            mine.append([])
        mine[-1].append(name)
    return [batch for mine in batches.values() for batch in mine]
