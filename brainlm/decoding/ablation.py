"""Ablation: the contribution of each part of decoder, data and search to a reconstruction.

Variants change one factor at a time around a default. `decode_variant` trains on all stories but
the last two, takes the units of gains from the last but one, and decodes the beginning of the last.
All variants of the same data share the word times, which are predicted from all responses, and so
the null: variants differ by the words alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from brainlm._progress import bar
from brainlm.decoding._contrastive import Training
from brainlm.decoding.beam_search import Beam
from brainlm.decoding.conditions import Condition, brain_scorer, random_conditions
from brainlm.decoding.decoder import (
    Settings,
    StoryDecoder,
    fit_story_decoder,
    fit_word_rate_of_stories,
    reduce_responses,
)
from brainlm.decoding.embedding import EmbeddingDecoder
from brainlm.decoding.names import FACTORS, MAPPERS, SCORERS
from brainlm.decoding.null_scores import compare_to_null
from brainlm.decoding.scorers import Scorer
from brainlm.decoding.stories import Story, first_seconds
from brainlm.decoding.story_scores import score_story_mapping, score_windows
from brainlm.decoding.story_study import decode_conditions, windows_of
from brainlm.decoding.text_scores import TextMetrics
from brainlm.decoding.tuning import gain_sd
from brainlm.errors import unknown_name
from brainlm.language_models import LanguageModel
from brainlm.storage.store import PartStore

TUNING = 30.0  # seconds of the last but one story that units of gains are measured on


@dataclass(frozen=True)
class Variant:
    """One setting of data, decoder and search.

    Attributes
    ----------
    snr : float
        Of the simulated subject.
    minutes : float
        Of training data, from the first story on; 0: all.
    n_targets, n_inputs, n_components
        As in `brainlm.decoding.decoder.Settings`. ``n_inputs`` counts brain dimensions.
    mapper, masking, contrast
        As in `brainlm.decoding.embedding.EmbeddingDecoder` and `contrastive.Training`.
    scorer : str
        Of `brainlm.decoding.names.SCORERS`; the mixture weighs both scorers alike.
    lm_weight : float
        In standard deviations of the scorer's gains on the tuning story.
    width, extensions : int
        Of the beam.
    """

    snr: float = 1.0
    minutes: float = 0.0
    n_targets: int = 500
    n_inputs: int = 128
    n_components: int = 128
    mapper: str = "ridge"
    masking: float = 0.4
    contrast: float = 0.1
    scorer: str = "similarity"
    lm_weight: float = 0.0
    width: int = 8
    extensions: int = 5

    def __post_init__(self) -> None:
        if self.mapper not in MAPPERS:
            raise unknown_name("mapper", self.mapper, MAPPERS)
        if self.scorer not in SCORERS:
            raise unknown_name("scorer", self.scorer, SCORERS)


def one_at_a_time(default: Variant, names: Iterable[str] = FACTORS) -> list[tuple[str, Variant]]:
    """Yield one variant for every value of every factor, otherwise as in ``default``."""
    variants = []
    for name in names:
        if name not in FACTORS:
            raise unknown_name("factor", name, FACTORS)
        values, given = FACTORS[name]
        variants += [(name, replace(default, **{**given, name: value})) for value in values]
    return variants


def grid(
    default: Variant, snrs: Iterable[float], minutes: Iterable[float]
) -> list[tuple[str, Variant]]:
    """Return mappers x amounts of data x noise, for mapping accuracy against text score."""
    return [
        ("grid", replace(default, snr=snr, minutes=amount, mapper=mapper))
        for snr, amount, mapper in product(snrs, minutes, MAPPERS)
    ]


@dataclass(frozen=True, eq=False)
class AblationStudy:
    """Model, data, metrics and settings common to all variants.

    Attributes
    ----------
    model : LanguageModel
    stories : callable
        From a signal-to-noise ratio to the stories: training, tuning, test.
    metrics : TextMetrics
    settings : Settings
        Those that no variant changes.
    seconds : float
        Of the test story.
    n_null : int
    store : PartStore, optional
        Every finished variant is saved there and not computed again.
    """

    model: LanguageModel
    stories: Callable[[float], list[Story]]
    metrics: TextMetrics
    settings: Settings
    seconds: float
    n_null: int
    store: PartStore | None = None

    def split(self, variant: Variant) -> tuple[list[Story], Story, Story]:
        """Return training stories, the tuning story and the test story of a variant."""
        *train, tuning, test = self.stories(variant.snr)
        if variant.minutes:
            train = first_minutes(train, variant.minutes)
        return train, first_seconds(tuning, TUNING), first_seconds(test, self.seconds)

    def key(self, variant: Variant) -> dict[str, Any]:
        """Return everything that the result of a variant depends on."""
        names = [f.name for f in fields(self.settings) if f.name != "mapper"]
        stories = self.stories(variant.snr)
        return {
            "variant": asdict(variant),
            "settings": {name: getattr(self.settings, name) for name in names},
            "metrics": self.metrics.names,
            "seconds": self.seconds,
            "n_null": self.n_null,
            "model": self.model.identity,
            "responses": [story.responses for story in stories],
            "words": [story.words for story in stories],
        }


def first_minutes(stories: list[Story], minutes: float) -> list[Story]:
    """Return the first stories, the last of them cut, that make up so many minutes."""
    left, kept = 60 * minutes, []
    for story in stories:
        step = story.times[1] - story.times[0]
        if left < 40 * step:  # a stub would be no story to leave out
            break
        kept.append(first_seconds(story, left))
        left -= len(story.times) * step
    if len(kept) < 2:
        raise ValueError(f"minutes={minutes:g}: less than two training stories; give more minutes")
    return kept


def fit_variant(study: AblationStudy, variant: Variant, train: list[Story]) -> StoryDecoder:
    """Learn the decoder of a variant."""
    training = Training(masking=variant.masking, contrast=variant.contrast)
    mapper = EmbeddingDecoder(variant.mapper, standardize=False, settings=training)
    settings = replace(
        study.settings,
        n_targets=variant.n_targets,
        n_inputs=variant.n_inputs,
        n_components=variant.n_components,
        mapper=mapper,
    )
    return fit_story_decoder(study.model, train, settings)


def predict_word_times(train: list[Story], story: Story, settings: Settings) -> np.ndarray:
    """Return the word times that all responses together predict."""
    Y = np.concatenate([each.responses for each in train])
    inputs = reduce_responses(Y, settings.n_inputs)
    rate = fit_word_rate_of_stories(train, inputs, settings.delays)
    return rate.predict(inputs.transform(story.responses), story.times)


def decode_variant(study: AblationStudy, variant: Variant) -> dict[str, dict[str, float]]:
    """Fit, decode and score one variant.

    Returns
    -------
    dict
        By metric: what `brainlm.decoding.null_scores.compare_to_null` returns; under ``"mapping"``,
        ``r``, ``cosine`` and ``2v2`` of the decoded embedding of the test story.
    """
    train, tuning, test = study.split(variant)
    decoder = fit_variant(study, variant, train)
    middle = predict_word_times(train, test, study.settings)
    scorer, beam = scorer_and_beam(study, variant, decoder, (train, tuning, test))
    text = Condition(scorer, middle, test.times, beam)
    null = random_conditions({"text": text}, study.n_null)
    key = {"words": decoder.embedder.vocabulary.words, "model": study.model.identity}
    found = decode_conditions(decoder, {"text": text})
    found |= decode_conditions(decoder, null, study.store, key=key)
    starts, language = windows_of(middle, test), decoder.embedder.vocabulary.language
    scores = np.array(
        [
            score_windows(each, middle, test, starts, study.metrics, language)
            for each in found.values()
        ]
    )
    result = {
        metric: compare_to_null(scores[0, m], scores[1:, m])
        for m, metric in enumerate(study.metrics.names)
        if np.isfinite(scores[0, m]).any()
    }
    quality = score_story_mapping(decoder, test)
    r = float(quality.r.mean())
    result["mapping"] = {"r": r, "cosine": quality.cosine, "2v2": quality.pairwise}
    return result


def scorer_and_beam(
    study: AblationStudy,
    variant: Variant,
    decoder: StoryDecoder,
    stories: tuple[list[Story], Story, Story],
) -> tuple[Scorer, Beam]:
    """Return scorer and beam; their weights are in units of gains on the tuning story."""
    train, tuning, test = stories
    mixed = variant.scorer == "mixture"
    names = ("likelihood", "similarity") if mixed else (variant.scorer,)
    units = [1.0] * len(names)
    if mixed or variant.lm_weight:
        middle = predict_word_times(train, tuning, study.settings)
        units = [gain_sd(decoder, tuning, middle, name) for name in names]
    # Gains of a mixture are divided by their deviations, so its own deviation is about 1.
    scale = 1.0 if mixed else units[0]
    weights = (1 / units[0], 1 / units[-1])
    beam = Beam(variant.width, variant.extensions, lm_weight=variant.lm_weight * scale)
    return brain_scorer(decoder, test.responses, variant.scorer, weights), beam


def decode_variants(
    study: AblationStudy, variants: Iterable[Variant], *, progress: bool = False
) -> dict[Variant, dict[str, dict[str, float]]]:
    """Decode variants, each once; those that an earlier run finished are loaded."""
    found: dict[Variant, dict[str, dict[str, float]]] = {}
    unique = list(dict.fromkeys(variants))
    for variant in bar(unique, "variants", progress=progress):
        key = study.key(variant)
        saved = None if study.store is None else study.store.load_json(key)
        found[variant] = decode_variant(study, variant) if saved is None else saved
        if study.store is not None and saved is None:
            study.store.save_json(key, found[variant])
    return found


def ablation_table(
    variants: Iterable[tuple[str, Variant]], found: Mapping[Variant, dict[str, dict[str, float]]]
) -> pd.DataFrame:
    """Return one row per factor, variant and metric."""
    rows = []
    for factor, variant in variants:
        result = dict(found[variant])
        mapping = {f"mapping_{name}": value for name, value in result.pop("mapping").items()}
        value = "" if factor == "grid" else str(getattr(variant, factor))
        rows += [
            {
                "factor": factor,
                "value": value,
                **asdict(variant),
                **mapping,
                "metric": metric,
                **each,
            }
            for metric, each in result.items()
        ]
    return pd.DataFrame(rows)


def ablation_lines(table: pd.DataFrame) -> list[str]:
    """Return gains and z of all variants as text, a column per metric, and the mean null."""
    lines = []
    for factor, rows in table.groupby("factor", sort=False):
        labels = ["snr", "minutes", "mapper"] if factor == "grid" else ["value"]
        wide = rows.pivot_table(
            index=[*labels, "mapping_r"], columns="metric", values=["gain", "z"], sort=False
        )
        lines.append(f"\n{factor}\n{wide.round(3).to_string()}")
    null = table.groupby("metric", sort=False)["null"].mean().round(3)
    return [*lines, f"\nmean score of random reconstructions\n{null.to_string()}"]
