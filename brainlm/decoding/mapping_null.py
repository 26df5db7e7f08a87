"""Null of a mapping: responses shifted in a circle against the embedding of the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from brainlm.decoding.decoder import StoryDecoder
from brainlm.decoding.embedding import MappingScores
from brainlm.decoding.stories import Story
from brainlm.decoding.story_scores import score_story_mapping
from brainlm.stats.permutation import permutation_p

if TYPE_CHECKING:
    import xarray

__all__ = ["compare_mappings", "mapping_lines", "shifted_mappings"]


def shifted_mappings(
    decoder: StoryDecoder, story: Story, n: int, seed: int = 0
) -> list[MappingScores]:
    """Score the mapping of responses shifted in a circle, by at least a tenth of the story."""
    n_samples = len(story.times)
    least = n_samples // 10
    shifts = np.random.default_rng(seed).integers(least, n_samples - least, n)
    moved = (replace(story, responses=np.roll(story.responses, s, axis=0)) for s in shifts)
    return [score_story_mapping(decoder, each) for each in moved]


def compare_mappings(
    found: Mapping[str, MappingScores], null: Mapping[str, Sequence[MappingScores]]
) -> xarray.Dataset:
    """Return ``mapper_r`` and ``mapper_2v2`` over ``mapper``, with their nulls and p values.

    Parameters
    ----------
    found : mapping of str to MappingScores
        By mapper.
    null : mapping of str to sequence of MappingScores
        Of `shifted_mappings`.
    """
    import xarray

    data: dict[str, tuple] = {}
    for name in ("r", "2v2"):
        values = np.array([_score(each, name) for each in found.values()])
        nulls = np.array([[_score(each, name) for each in null[mapper]] for mapper in found])
        data[f"mapper_{name}"] = ("mapper", values)
        data[f"mapper_{name}_null"] = (("mapper", "shift"), nulls)
        data[f"mapper_{name}_p"] = ("mapper", permutation_p(values, nulls.T))
    return xarray.Dataset(data, coords={"mapper": list(found)})


def mapping_lines(scores: xarray.Dataset) -> list[str]:
    """Return a line for each mapper of `compare_mappings`."""
    lines = []
    for i, mapper in enumerate(scores["mapper"].values):
        cells = [
            f"{name} {float(scores[f'mapper_{name}'][i]):.3f} (shifted "
            f"{float(scores[f'mapper_{name}_null'][i].mean()):.3f}, p "
            f"{float(scores[f'mapper_{name}_p'][i]):.3f})"
            for name in ("r", "2v2")
        ]
        lines.append(f"{mapper:20s}{'   '.join(cells)}")
    return lines


def _score(scores: MappingScores, name: str) -> float:
    return float(scores.r.mean()) if name == "r" else scores.pairwise
