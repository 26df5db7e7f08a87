"""Nulls of a mapping and of a soft prompt: responses shifted in a circle against the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from brainlm.decoding.decoder import StoryDecoder
from brainlm.decoding.embedding import MappingScores
from brainlm.decoding.soft_prompt import prompt_loss
from brainlm.decoding.stories import Story
from brainlm.decoding.story_scores import score_story_mapping
from brainlm.stats.permutation import permutation_p

if TYPE_CHECKING:
    import xarray


def shifted_stories(story: Story, n: int, seed: int = 0) -> Iterator[Story]:
    """Yield a story with its responses shifted in a circle, by at least a tenth of it."""
    n_samples = len(story.times)
    least = max(1, n_samples // 10)
    shifts = np.random.default_rng(seed).integers(least, n_samples - least, n)
    return (replace(story, responses=np.roll(story.responses, s, axis=0)) for s in shifts)


def shifted_mappings(
    decoder: StoryDecoder, story: Story, n: int, seed: int = 0
) -> list[MappingScores]:
    """Score the mapping of `shifted_stories`."""
    return [score_story_mapping(decoder, each) for each in shifted_stories(story, n, seed)]


def score_story_prompt(
    decoder: StoryDecoder, story: Story, n: int, seed: int = 0
) -> dict[str, float]:
    """Return how well the soft prompt predicts the words of a held-out story, and its null.

    Returns
    -------
    dict
        ``prompt_loss``, in nats per token; ``prompt_null``, its mean over ``n`` `shifted_stories`;
        ``prompt_share``, the share of those whose loss is higher. NaN for a story too short to hold
        a word with all of its responses. Empty without a soft prompt.
    """
    if decoder.prompt is None:
        return {}
    model, prompt = decoder.embedder.model, decoder.prompt
    moved = (story, *shifted_stories(story, n, seed))
    loss, *null = (prompt_loss(model, prompt, decoder.prompt_examples(each)) for each in moved)
    share = float(np.mean(np.array(null) > loss)) if np.isfinite(loss) else np.nan
    return {"prompt_loss": loss, "prompt_null": float(np.mean(null)), "prompt_share": share}


def compare_mappings(
    decoders: Mapping[str, StoryDecoder], story: Story, n_shifts: int
) -> xarray.Dataset:
    """Return ``mapper_r`` and ``mapper_2v2`` of a story, with their nulls and p values.

    Parameters
    ----------
    decoders : mapping of str to StoryDecoder
        By mapper.
    story : Story
        Held out.
    n_shifts : int
        Of `shifted_mappings`.
    """
    import xarray

    found = np.array([_measures(score_story_mapping(d, story)) for d in decoders.values()])
    null = np.array(
        [[_measures(s) for s in shifted_mappings(d, story, n_shifts)] for d in decoders.values()]
    )
    data: dict[str, tuple] = {}
    for i, name in enumerate(("mapper_r", "mapper_2v2")):
        data[name] = ("mapper", found[:, i])
        data[f"{name}_null"] = (("mapper", "shift"), null[..., i])
        data[f"{name}_p"] = ("mapper", permutation_p(found[:, i], null[..., i].T))
    return xarray.Dataset(data, coords={"mapper": list(decoders)})


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


def _measures(scores: MappingScores) -> tuple[float, float]:
    return float(scores.r.mean()), scores.pairwise
