"""EvLab's Alice in miniature: wide tables of regions and transcribed words, in several languages.

All data sets share one folder, as in the authors' repository. Regions of the left hemisphere follow
a layer of ``gemma3``, those of the right hemisphere nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from miniatures.words import N_TOLD, chinese_words, english_words, say

from brainlm import LanguageModel, Stimulus
from brainlm.encoding.align import resample

N_SAMPLES = 142
REGIONS = [
    f"Lang_{side}_{name}"
    for side in ("LH", "RH")
    for name in ("IFGorb", "IFG", "MFG", "AntTemp", "PostTemp", "AngG")
]
TIMES = -12.0 + 2.0 * np.arange(N_SAMPLES)
HEADER = [f"T_{k}" for k in range(1, N_SAMPLES + 1)]


def told(words: Sequence[str], code: str, seed: int) -> Stimulus:
    """Return a passage of 250 seconds."""
    rng = np.random.default_rng(seed)
    gaps = rng.uniform(0.25, 0.9, 420)
    onset = np.cumsum(gaps)
    return Stimulus(say(words, 420, seed), code, onset - gaps[0], 0.8 * np.r_[gaps[1:], 0.3])


def responses(passage: Stimulus, models: Path, rng: np.random.Generator) -> np.ndarray:
    """Return the time courses of one listener, (n_regions, n_samples)."""
    english = Stimulus(passage.words, "en", passage.onset, passage.duration)
    (layer,) = LanguageModel(models / "gemma3").embed(english, [6], context=8)
    values = (layer.values - layer.values.mean(axis=0)) / layer.values.std(axis=0)
    X = resample(values, passage.onset, passage.duration, TIMES, method="lanczos")
    X = np.vstack([np.zeros((2, X.shape[1])), X[:-2]])  # four seconds later
    weights = np.random.default_rng(9).standard_normal((X.shape[1], len(REGIONS)))
    signal = X @ weights
    signal = signal / signal.std(axis=0)
    signal[:, len(REGIONS) // 2 :] = 0
    return (signal + 0.5 * rng.standard_normal(signal.shape)).T


def write_words(path: Path, passage: Stimulus) -> None:
    """Write a table of a speech recogniser: text, start, end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = zip(passage.words, passage.onset, passage.onset + passage.duration, strict=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "start", "end"], *rows])


def write_table(path: Path, header: list[str], rows: list[list]) -> None:
    """Append rows to a wide table; its header is written once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([*([header] if new else []), *rows])


def alice(language: str, code: str) -> Callable[[Path, Path], tuple[dict, dict]]:
    """Return the writer of a language with one passage and two listeners."""

    def write(folder: Path, models: Path) -> tuple[dict, dict]:
        home = folder.parent / "evlab-alice"
        passage = told(english_words(N_TOLD), code, len(language))
        write_words(home / f"transcribed/{code}.csv", passage)
        rng, rows = np.random.default_rng(len(language)), []
        for person in ("11", "12"):
            for region, series in zip(REGIONS, responses(passage, models, rng), strict=True):
                about = [language, person, "1", "x", "Lang", region]
                rows.append([*about, *np.round(series, 4)])
        header = ["Language", "UID", "Run", "IPS", "Network", "ROI", *HEADER]
        write_table(home / "data/Alice_Story_TimeSeries.csv", header, rows)
        return {}, {}

    return write


def passages(language: str, code: str) -> Callable[[Path, Path], tuple[dict, dict]]:
    """Return the writer of a language with three passages and three listeners."""

    def write(folder: Path, models: Path) -> tuple[dict, dict]:
        home = folder.parent / "evlab-alice" / "confirmatory"
        words = chinese_words()[:N_TOLD] if code == "zh" else english_words(N_TOLD)
        rng, rows = np.random.default_rng(len(language)), []
        for number in (1, 2, 3):
            passage = told(words, code, 10 * len(language) + number)
            write_words(home / f"transcribed/Passage_{number}/{code}.csv", passage)
            for person in ("21", "22", "23"):
                for region, series in zip(REGIONS, responses(passage, models, rng), strict=True):
                    about = ["0", person, "p", "1", "x", "Lang", region]
                    rows.append([*about, *np.round(series, 4), language, number])
        header = ["", "UID", "Path", "Run", "IPS", "Network", "ROI", *HEADER]
        write_table(
            home / "data/confirmatory_time_series.csv", [*header, "Language", "Passage"], rows
        )
        return {}, {}

    return write


LANGUAGES = {
    "evlab-alice-fr": alice("French", "fr"),
    "evlab-alice-mr": alice("Marathi", "mr"),
    "evlab-passages-zh": passages("Mandarin", "zh"),
    "evlab-passages-de": passages("German", "de"),
}
