"""Weights of the language model and of a mixture, chosen on a story that training has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brainlm.decoding.beam_search import Beam
from brainlm.decoding.conditions import brain_scorer
from brainlm.decoding.decoder import StoryDecoder
from brainlm.decoding.null_scores import Window, cut_windows
from brainlm.decoding.stories import Story, first_seconds
from brainlm.decoding.text_scores import text_scores


def gain_sd(decoder: StoryDecoder, story: Story, middle: np.ndarray, name: str) -> float:
    """Return the standard deviation of a scorer's gains on a tuning story: the unit of weights.

    Parameters
    ----------
    decoder : StoryDecoder
    story : Story
        Never the one to be decoded.
    middle : array of shape (n_words,)
        Its predicted word times.
    name : str
        Of ``SCORERS``.
    """
    scorer = brain_scorer(decoder, story.responses, name)
    return decoder.decode(scorer, middle, story.times, Beam(4)).gain_sd


def equal_weights(decoder: StoryDecoder, story: Story, seconds: float = 30) -> tuple[float, float]:
    """Return the weights of a mixture that bring the gains of both its scorers to a deviation of 1.

    Parameters
    ----------
    decoder : StoryDecoder
    story : Story
        Never the one to be decoded.
    seconds : float
        Of the story that are decoded.
    """
    part = first_seconds(story, seconds)
    middle = decoder.word_times(part.responses, part.times)
    first, second = (gain_sd(decoder, part, middle, name) for name in ("likelihood", "similarity"))
    return 1 / first, 1 / second


def choose_weight(scores: Mapping[float, float]) -> float:
    """Return the language-model weight of the best score on a training run; ties: the smallest."""
    if not scores:
        raise ValueError("scores is empty: score at least one weight on a training run")
    return min(scores, key=lambda weight: (-scores[weight], weight))


def tune_lm_weight(
    decoder: StoryDecoder,
    story: Story,
    name: str,
    beam: int,
    weights: Sequence[float],
    *,
    mixture: tuple[float, float] = (1.0, 1.0),
    seconds: float = 50,
) -> float:
    """Choose the weight of the language model by the BLEU-1 of a tuning story.

    Parameters
    ----------
    decoder : StoryDecoder
    story : Story
        Never the one to be decoded.
    name : str
        Of ``SCORERS``.
    beam : int
        Hypotheses.
    weights : sequence of float
        To choose from, in standard deviations of the gains; ``[0]`` is published, and not tuned.
    mixture : (float, float)
        Weights of the mixture.
    seconds : float
        Of the story that are decoded.
    """
    if list(weights) == [0.0]:
        return 0.0
    part = first_seconds(story, seconds)
    scorer = brain_scorer(decoder, part.responses, name, mixture)
    middle = decoder.word_times(part.responses, part.times)
    starts = Window().starts(middle[0], middle[-1])
    true = cut_windows(story.words, story.middle, starts, Window().length)
    scores, unit = {}, 1.0
    for weight in sorted({0.0, *weights}):  # the first one measures the unit
        found = decoder.decode(scorer, middle, part.times, Beam(beam, lm_weight=weight * unit))
        unit = found.gain_sd if weight == 0 else unit
        said = cut_windows(found.words, middle, starts, Window().length)
        scores[weight * unit] = float(np.nanmean(text_scores(true, said, ["bleu-1"])["bleu-1"]))
    return choose_weight(scores)
