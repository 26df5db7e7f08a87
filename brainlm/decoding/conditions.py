"""Conditions of a reconstruction: the brain, its controls, and the random null.

A language model alone writes fluent text, and fluent text shares its common words with any other:
a score means something only against reconstructions without the brain.

- ``brain``: the responses to the test story.
- ``permuted brain``: the same responses, blocks of samples in another order, none in its place.
  ``permuted brain 2`` and so on are further draws.
- ``noise input``: smooth Gaussian noise in their place. It keeps what the decoder learned about how
  texts like those of training sound, which random numbers do not: it can score above the random
  null without any brain. ``noise input 2`` and so on are further draws.
- ``wrong story``: the responses to another story, not used in training either. Where there is none,
  it has another name: ``training story``, ``other part of the story (training)``.
- ``language model``: no brain; the likeliest text.
- ``ceiling``: the true embeddings in place of the decoded ones. It uses the reference.
- the null: beams scored by random numbers (published; Tang et al. 2023), several times.

All get the word times that the responses predict, so that no condition is longer than another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from brainlm.decoding.beam_search import Beam
from brainlm.decoding.decoder import StoryDecoder
from brainlm.decoding.names import PROMPT, SCORERS
from brainlm.decoding.scorers import (
    EmbeddingSimilarity,
    LanguageModelOnly,
    Mixture,
    RandomScorer,
    Scorer,
)
from brainlm.decoding.stories import Story
from brainlm.errors import unknown_name

BLOCK = 5  # samples that stay together in the permuted brain


@dataclass(frozen=True, eq=False)
class Condition:
    """One reconstruction to make: its scorer, the middle of its words, sample times and beam."""

    scorer: Scorer
    middle: np.ndarray
    times: np.ndarray
    beam: Beam


def brain_scorer(
    decoder: StoryDecoder, responses: np.ndarray, name: str, weights: tuple[float, float] = (1, 1)
) -> Scorer:
    """Return the scorer of a name in ``SCORERS``, or ``PROMPT``, for responses.

    ``weights`` are those of the mixture.
    """
    if name == PROMPT:
        return decoder.prompted(responses)
    if name not in SCORERS:
        raise unknown_name("scorer", name, (*SCORERS, PROMPT))
    if name == "likelihood":
        return decoder.likelihood(responses)
    if name == "similarity":
        return decoder.similarity(responses)
    return Mixture([decoder.likelihood(responses), decoder.similarity(responses)], weights)


def build_conditions(
    decoder: StoryDecoder,
    story: Story,
    other: tuple[str, np.ndarray],
    scorers: Mapping[str, tuple[str, Beam]],
    *,
    weights: tuple[float, float] = (1, 1),
    n_draws: int = 3,
    seed: int = 0,
) -> dict[str, Condition]:
    """Return all conditions but the null.

    Parameters
    ----------
    decoder : StoryDecoder
    story : Story
        The test story. Its words are used for the ceiling only.
    other : (str, array of shape (n_samples_or_more, n_targets))
        Name of a condition, such as ``"wrong story"``, and its responses.
    scorers : mapping of str to (str, Beam)
        Label -> scorer and beam, such as ``{"Tang": ("likelihood", Beam(50))}``.
    weights : (float, float)
        Of the mixture.
    n_draws : int
        Draws of noise, and of the permutation.
    seed : int
        Of permutations and noise.

    Returns
    -------
    dict
        ``"Tang: brain"``, ``"Tang: permuted brain"``, ... and ``"language model"``, ``"ceiling"``.
    """
    Y, times = np.asarray(story.responses), story.times
    inputs = {"brain": Y, **_controls(Y, n_draws, seed), other[0]: _as_long(other, len(Y))}
    middle = decoder.word_times(Y, times)
    conditions = {}
    for label, (name, beam) in scorers.items():
        for condition, responses in inputs.items():
            scorer = brain_scorer(decoder, responses, name, weights)
            conditions[f"{label}: {condition}"] = Condition(scorer, middle, times, beam)
    beam = next(iter(scorers.values()))[1]
    alone, unweighted = replace(beam, lm_weight=1.0), replace(beam, lm_weight=0.0)
    conditions["language model"] = Condition(LanguageModelOnly(), middle, times, alone)
    ceiling = EmbeddingSimilarity(decoder.true_rows(story))
    conditions["ceiling"] = Condition(ceiling, middle, times, unweighted)
    return conditions


def _controls(Y: np.ndarray, n_draws: int, seed: int) -> dict[str, np.ndarray]:
    """Return draws of the permuted brain and of noise, in the shape of the responses."""
    if n_draws < 1:
        raise ValueError(f"n_draws must be 1 or more, got {n_draws}")
    inputs = {}
    for k in range(n_draws):  # a generator each, so that more draws leave the first as they are
        order = block_derangement(len(Y), np.random.default_rng((seed, k, 0)))
        inputs[numbered_draw("permuted brain", k)] = Y[order]
    for k in range(n_draws):
        noise = smooth_noise(Y.shape, np.random.default_rng((seed, k, 1)))
        inputs[numbered_draw("noise input", k)] = noise
    return inputs


def _as_long(other: tuple[str, np.ndarray], n_samples: int) -> np.ndarray:
    name, responses = other
    if len(responses) < n_samples:
        raise ValueError(
            f"{name} has {len(responses)} samples, the test story {n_samples}: take a longer story"
        )
    return np.ascontiguousarray(responses[:n_samples])


def numbered_draw(kind: str, k: int) -> str:
    """Return the name of draw ``k`` of a control: ``"noise input"``, ``"noise input 2"``, ..."""
    return f"{kind} {k + 1}" if k else kind


def random_conditions(
    conditions: Mapping[str, Condition], n: int, seed: int = 0
) -> dict[str, Condition]:
    """Return ``n`` draws of the published null, with word times and beam of the first condition."""
    first = next(iter(conditions.values()))
    beam = replace(first.beam, lm_weight=0.0)
    return {f"null {i}": replace(first, scorer=RandomScorer(seed + i), beam=beam) for i in range(n)}


def block_derangement(n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return an order of samples in which no block of `BLOCK` samples stays where it was."""
    n_blocks = n_samples // BLOCK
    if n_blocks < 3:
        raise ValueError(
            f"{n_samples} samples are too few to permute: at least {3 * BLOCK} are needed"
        )
    parts = np.array_split(np.arange(n_samples), n_blocks)
    while True:
        order = rng.permutation(n_blocks)
        if (order != np.arange(n_blocks)).all():
            return np.concatenate([parts[i] for i in order])


def smooth_noise(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return Gaussian noise as smooth as a haemodynamic response makes it, z-scored; float32."""
    from scipy.ndimage import gaussian_filter1d

    noise = gaussian_filter1d(rng.standard_normal(shape), 1.0, axis=0)
    return ((noise - noise.mean(0)) / noise.std(0)).astype(np.float32)
