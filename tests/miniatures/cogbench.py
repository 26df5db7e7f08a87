"""CogBench in miniature: what its four tasks measure follows the last layer of ``gemma3``.

Words share a mean pattern on top, sensors beyond the first ten follow nothing, and gaze depends on
the word alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from miniatures.words import chinese_words
from support.cogbench_files import (
    REGIONS,
    write_gaze,
    write_meg,
    write_responses,
    write_story,
    write_words,
)

from brainlm import LanguageModel, Stimulus
from brainlm.encoding.cogbench import story_features
from brainlm.language_models.challenge_reading import embed_for_challenge

SUBJECTS = ("01", "02")
FOLLOWING = 10  # sensors
Written = tuple[dict, dict]


def last_layer(models: Path, words: Sequence[str], reading: str, **labels: list[str]) -> np.ndarray:
    """Return the last layer of the model, centred and scaled, (n_words, n_features)."""
    stimulus = Stimulus(words, "zh", **labels)
    (space,) = embed_for_challenge(LanguageModel(models / "gemma3"), stimulus, reading, -1)
    values = space.values.astype(float)
    return (values - values.mean(axis=0)) / values.std(axis=0)


def seen(cause: np.ndarray, n_targets: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Return noisy linear views of a cause."""
    signal = cause @ rng.standard_normal((cause.shape[1], n_targets))
    return signal / signal.std(axis=0) + noise * rng.standard_normal(signal.shape)


def words(folder: Path, models: Path) -> Written:
    """Responses to 210 words, train and dev, with a mean pattern that all words share."""
    told = chinese_words()[:210]
    cause = last_layer(models, told, "alone", item=list(told), sentence=list(told))
    rng = np.random.default_rng(0)
    data = {s: seen(cause, 60, 1.0, rng) + 2 * rng.standard_normal(60) for s in SUBJECTS}
    for part, rows in {"train": slice(0, 150), "dev": slice(150, 210)}.items():
        write_words(home(folder) / part, told[rows], {s: y[rows] for s, y in data.items()})
    return {}, {}


def stories(folder: Path, models: Path) -> Written:
    """Responses to six stories of 200 words and commas, train and dev."""
    rng = np.random.default_rng(1)
    weights = {s: rng.standard_normal((32, len(REGIONS) * 3)) for s in SUBJECTS}
    for story in range(1, 7):
        part = "train" if story < 5 else "dev"
        lines = [[*rng.choice(chinese_words()[:80], 10), "，"] for _ in range(20)]
        told = [word for line in lines for word in line]
        heard = np.array([word != "，" for word in told])
        ends = 13.0 + np.cumsum(rng.uniform(0.2, 0.6, len(told)))
        ends = np.where(heard, ends, 0)
        write_story(home(folder) / part, story, lines, heard, ends)
        sentence = [str(i) for i, line in enumerate(lines) for _ in line]
        cause = last_layer(models, told, "lines", sentence=sentence)
        X = story_features(cause[heard], ends[heard], 1000)
        data = {}
        for subject, w in weights.items():
            signal = X @ w
            noisy = signal / signal.std() + 0.5 * rng.standard_normal(signal.shape)
            data[subject] = noisy.T.reshape(len(REGIONS), 3, -1)
        write_responses(home(folder) / part, story, data)
    return {}, {}


def meg(folder: Path, models: Path) -> Written:
    """Responses of 60 sensors in ten bins to two stories of one session."""
    rng = np.random.default_rng(2)
    weights = rng.standard_normal((32, FOLLOWING))
    for story in (1, 11):
        lines = [list(rng.choice(chinese_words()[:80], 20)) for _ in range(20)]
        told = [word for line in lines for word in line]
        write_story(home(folder), story, lines, [True] * len(told))
        sentence = [str(i) for i, line in enumerate(lines) for _ in line]
        signal = last_layer(models, told, "lines", sentence=sentence) @ weights
        data = {s: rng.standard_normal((len(told), 60, 10)) for s in SUBJECTS}
        for values in data.values():
            values[:, :FOLLOWING, 6:8] += (signal / signal.std(axis=0))[:, :, None]
        write_meg(home(folder), story, data)
    return {}, {}


def gaze(folder: Path, models: Path) -> Written:
    """Measures of words that follow the words alone; each sentence is cut in two ways."""
    told = chinese_words()[:150]
    rng = np.random.default_rng(3)
    cause = last_layer(models, told, "alone", item=list(told), sentence=list(told))
    values = 5 + seen(cause, 9, 0.5, rng)
    table = dict(zip(told, values.round(3), strict=True))
    sentences = []
    for _ in range(40):
        said = list(rng.choice(told, 10))
        joined = [*said[:4], said[4] + said[5], *said[6:]]
        sentences.append(("".join(said) + "。", [[*said, "。"], [*joined, "。"]]))
    write_gaze(home(folder), sentences, lambda word: table.get(word, np.zeros(9)))
    return {}, {}


def home(folder: Path) -> Path:
    """Return the folder that the cards share."""
    return folder.parent / "cogbench"


COGBENCH: dict[str, Callable[[Path, Path], Written]] = {
    "cogbench-words": words,
    "cogbench-stories": stories,
    "cogbench-meg": meg,
    "cogbench-gaze": gaze,
}
