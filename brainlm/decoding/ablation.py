"""What a reconstruction owes to each of its parts: one factor at a time around a default.

A `Point` is one setting of data, decoder and search. `decode_point` trains on all stories but the
last two, takes the scales of gains from the last but one, and decodes the beginning of the last.
All points of the same data share the word times, which are predicted from all responses, and so
the null: points differ by the words alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainlm.decoding._contrastive import Training
from brainlm.decoding.beam_search import Beam
from brainlm.decoding.conditions import GUIDES, Job, brain_guide, decode_jobs, spread_of
from brainlm.decoding.decoder import Settings, StoryDecoder, fit_story_decoder, reduce_responses
from brainlm.decoding.embedding import MAPPERS, EmbeddingDecoder
from brainlm.decoding.null_scores import Window, compare_to_null
from brainlm.decoding.scorers import RandomGuide
from brainlm.decoding.stories import Story, first_seconds
from brainlm.decoding.story_scores import Judges, map_story, score_windows
from brainlm.decoding.word_rate import fit_word_rate
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.language_models import LanguageModel
from brainlm.storage.store import content_key

__all__ = ["FACTORS", "Point", "decode_points", "grid", "one_at_a_time", "table_of"]

TUNING = 30.0  # seconds of the last but one story that scales of gains are measured on


@dataclass(frozen=True)
class Point:
    """One setting.

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
    guide : str
        Of `brainlm.decoding.conditions.GUIDES`; the mixture gives both guides equal spreads.
    lm_weight : float
        In spreads of the guide's gains, measured on the tuning story.
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
    guide: str = "similarity"
    lm_weight: float = 0.0
    width: int = 8
    extensions: int = 5

    def __post_init__(self) -> None:
        if self.mapper not in MAPPERS:
            raise unknown_name("mapper", self.mapper, MAPPERS)
        if self.guide not in GUIDES:
            raise unknown_name("guide", self.guide, GUIDES)


TRAINED = {"mapper": "transformer"}
FACTORS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "snr": ((0.0, 0.3, 1.0, 3.0), {}),
    "guide": (GUIDES, {}),
    "mapper": (MAPPERS, {}),
    "masking": ((0.0, 0.4, 0.8), TRAINED),
    "contrast": ((0.0, 0.1, 1.0), TRAINED),
    "lm_weight": ((0.0, 0.3, 1.0), {}),
    "width": ((2, 8, 16), {}),
    "extensions": ((1, 5, 20), {}),
    "n_targets": ((50, 150, 500), {}),
    "minutes": ((15.0, 30.0, 0.0), {}),
    "n_inputs": ((2, 8, 32, 128), {}),
    "n_components": ((8, 32, 128), {}),
}


def one_at_a_time(default: Point, names: Iterable[str] = FACTORS) -> list[tuple[str, Point]]:
    """Return every value of every factor, all else as in ``default``: factor and point."""
    points = []
    for name in names:
        if name not in FACTORS:
            raise unknown_name("factor", name, FACTORS)
        values, given = FACTORS[name]
        points += [(name, replace(default, **{**given, name: value})) for value in values]
    return points


def grid(
    default: Point, snrs: Iterable[float], minutes: Iterable[float]
) -> list[tuple[str, Point]]:
    """Return mappers x amounts of data x noise, for mapping accuracy against text score."""
    return [
        ("grid", replace(default, snr=snr, minutes=amount, mapper=mapper))
        for snr, amount, mapper in product(snrs, minutes, MAPPERS)
    ]


@dataclass(frozen=True, eq=False)
class Bench:
    """What all points share.

    Attributes
    ----------
    model : LanguageModel
    stories : callable
        From a signal-to-noise ratio to the stories: training, tuning, test.
    judges : Judges
    settings : Settings
        What no point changes.
    seconds : float
        Of the test story.
    n_null : int
    folder : Path, optional
        Every finished point is kept there.
    """

    model: LanguageModel
    stories: Callable[[float], list[Story]]
    judges: Judges
    settings: Settings
    seconds: float
    n_null: int
    folder: Path | None = None

    def split(self, point: Point) -> tuple[list[Story], Story, Story]:
        """Return training stories, the tuning story and the test story of a point."""
        *train, tuning, test = self.stories(point.snr)
        if point.minutes:
            train = first_minutes(train, point.minutes)
        return train, first_seconds(tuning, TUNING), first_seconds(test, self.seconds)


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


def fit_point(bench: Bench, point: Point, train: list[Story]) -> StoryDecoder:
    """Learn the decoder of a point."""
    training = Training(masking=point.masking, contrast=point.contrast)
    mapper = EmbeddingDecoder(point.mapper, standardize=False, settings=training)
    settings = replace(
        bench.settings,
        n_targets=point.n_targets,
        n_inputs=point.n_inputs,
        n_components=point.n_components,
        mapper=mapper,
    )
    return fit_story_decoder(bench.model, train, settings)


def hear(train: list[Story], story: Story, settings: Settings) -> np.ndarray:
    """Return the word times that all responses together predict."""
    Y = np.concatenate([each.responses for each in train])
    inputs = reduce_responses(Y, settings.n_inputs)
    rate = fit_word_rate(
        [inputs.transform(each.responses) for each in train],
        [each.times for each in train],
        [each.onset for each in train],
        settings.delays,
    )
    return rate.predict(inputs.transform(story.responses), story.times)


def decode_point(bench: Bench, point: Point) -> dict[str, dict[str, float]]:
    """Fit, decode and score one point.

    Returns
    -------
    dict
        By metric: what `brainlm.decoding.null_scores.compare_to_null` returns; under ``"mapping"``,
        ``r``, ``cosine`` and ``2v2`` of the decoded embedding of the test story.
    """
    train, tuning, test = bench.split(point)
    decoder = fit_point(bench, point, train)
    names = ("likelihood", "similarity") if point.guide == "mixture" else (point.guide,)
    spreads = [1.0] * len(names)
    if point.guide == "mixture" or point.lm_weight:
        heard = hear(train, tuning, bench.settings)
        spreads = [spread_of(decoder, tuning, heard, name) for name in names]
    # Gains of a mixture are divided by their spreads, so its own spread is about 1.
    scale = 1.0 if point.guide == "mixture" else spreads[0]
    weights = (1 / spreads[0], 1 / spreads[-1])
    beam = Beam(point.width, point.extensions, lm_weight=point.lm_weight * scale)
    guide = brain_guide(decoder, test.responses, point.guide, weights)
    middle = hear(train, test, bench.settings)
    search = Beam(point.width, point.extensions)
    jobs = {"text": Job(guide, middle, test.times, beam)}
    nulls = {
        f"null {k}": Job(RandomGuide(k), middle, test.times, search) for k in range(bench.n_null)
    }
    key = content_key(
        {
            "middle": middle,
            "width": point.width,
            "extensions": point.extensions,
            "words": decoder.reader.vocabulary.words,
            "revision": bench.model.identity,
        }
    )
    found = decode_jobs(decoder, jobs) | decode_jobs(decoder, nulls, bench.folder, key=key)
    starts = Window().starts(max(middle[0], test.middle[0]), min(middle[-1], test.middle[-1]))
    language = decoder.reader.vocabulary.language
    scores = np.array(
        [
            score_windows(each, middle, test, starts, bench.judges, language)
            for each in found.values()
        ]
    )
    result = {
        metric: compare_to_null(scores[0, m], scores[1:, m])
        for m, metric in enumerate(bench.judges.names)
        if np.isfinite(scores[0, m]).any()
    }
    quality = map_story(decoder, test)
    result["mapping"] = {
        "r": float(quality.r.mean()),
        "cosine": quality.cosine,
        "2v2": quality.pairwise,
    }
    return result


def decode_points(
    bench: Bench, points: Iterable[Point], *, progress: bool = False
) -> dict[Point, dict[str, dict[str, float]]]:
    """Decode points, each once; those that an earlier run finished are read from the folder."""
    from tqdm import tqdm

    found: dict[Point, dict[str, dict[str, float]]] = {}
    for point in tqdm(list(dict.fromkeys(points)), desc="points", disable=not progress):
        path = _path(bench, point)
        if path is not None and path.is_file():
            found[point] = _read(path)
            continue
        found[point] = decode_point(bench, point)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(found[point]), encoding="utf-8")
            part.replace(path)
    return found


def table_of(
    points: Iterable[tuple[str, Point]], found: Mapping[Point, dict[str, dict[str, float]]]
) -> pd.DataFrame:
    """Return one row per factor, point and metric."""
    rows = []
    for factor, point in points:
        result = dict(found[point])
        mapping = {f"mapping_{name}": value for name, value in result.pop("mapping").items()}
        value = "" if factor == "grid" else str(getattr(point, factor))
        rows += [
            {"factor": factor, "value": value, **asdict(point), **mapping, "metric": metric, **each}
            for metric, each in result.items()
        ]
    return pd.DataFrame(rows)


def _path(bench: Bench, point: Point) -> Path | None:
    if bench.folder is None:
        return None
    kept = {f.name: getattr(bench.settings, f.name) for f in fields(bench.settings)}
    del kept["mapper"]
    stories = bench.stories(point.snr)
    key = content_key(
        {
            "point": asdict(point),
            "settings": kept,
            "judges": bench.judges.names,
            "seconds": bench.seconds,
            "n_null": bench.n_null,
            "revision": bench.model.identity,
            "responses": [story.responses for story in stories],
            "statistics": "t over nulls",
            "words": [story.words for story in stories],
        }
    )
    return bench.folder / f"point-{key[:32]}.json"


def _read(path: Path) -> dict[str, dict[str, float]]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise CorruptDataError(f"{path}: not a finished point ({error}); remove it") from error
