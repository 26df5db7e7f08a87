"""CogBench in its released layout: words, stories, gaze and MEG of a few people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

MEASURES = ("FFD", "GD", "FPF", "FN", "RI", "RO", "LI_left", "LI_right", "TT")
REGIONS = ("Cognition", "Language", "Manipulation", "Memory", "Reward", "Vision")


def write_words(folder: Path, words: Sequence[str], responses: Mapping[str, np.ndarray]) -> None:
    """Write the words of one part and the responses of each subject, (n_words, n_voxels)."""
    (folder / "word").mkdir(parents=True, exist_ok=True)
    (folder / "word/word.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    (folder / "word_fmri").mkdir(exist_ok=True)
    for subject, values in responses.items():
        savemat(folder / f"word_fmri/{subject}_selected.mat", {"examples": values})


def write_story(
    folder: Path, story: int, lines: Sequence[Sequence[str]], heard: Sequence[bool], ends=None
) -> None:
    """Write the text of a story, which of its words were heard, and when they ended."""
    for name in ("story", "notPU"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    text = "\n".join(" ".join(line) for line in lines) + "\n"
    (folder / f"story/story_{story}.txt").write_text(text, encoding="utf-8")
    valid = np.array(heard, dtype=float)[:, None]
    savemat(folder / f"notPU/story_{story}.mat", {"isvalid": valid})
    if ends is not None:
        (folder / "word_time_features_postprocess").mkdir(exist_ok=True)
        path = folder / f"word_time_features_postprocess/story_{story}_word_time.mat"
        savemat(path, {"end": np.array(ends, dtype=float)[None, :]})


def write_responses(
    folder: Path, story: int, responses: Mapping[str, np.ndarray], length: int | None = None
) -> None:
    """Write the responses to a story, (n_regions, n_targets, n_samples) of each subject."""
    (folder / "node_count_bu").mkdir(parents=True, exist_ok=True)
    for subject, values in responses.items():
        for region, of_region in zip(REGIONS, values, strict=True):
            path = folder / f"fmri/{region}/{subject}/story_{story}.mat"
            path.parent.mkdir(parents=True, exist_ok=True)
            savemat(path, {"fmri_response": of_region})
        length = values.shape[2] if length is None else length
    with h5py.File(folder / f"node_count_bu/story_{story}.mat", "w") as file:
        file.create_dataset("word_feature", data=np.zeros((1, length), dtype="f4"))


def write_meg(folder: Path, story: int, responses: Mapping[str, np.ndarray]) -> None:
    """Write the responses to the heard words of a story, (n_words, n_sensors, n_bins)."""
    for subject, values in responses.items():
        path = folder / f"encoding_meg_100ms/sub-{subject}/story_{story}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        savemat(path, {"meg": values})


def write_gaze(folder: Path, sentences: Sequence[tuple[str, list[list[str]]]], measures) -> None:
    """Write sentences with their segmentations; ``measures`` maps a word to nine numbers."""
    content = {}
    for key, (sentence, segmentations) in enumerate(sentences, start=1):
        features = {
            str(n): [dict(zip(MEASURES, map(float, measures(word)), strict=True)) for word in words]
            for n, words in enumerate(segmentations)
        }
        content[str(key)] = {
            "content": sentence,
            "num": len(segmentations),
            "all_split": segmentations,
            "split_features": features,
        }
    (folder / "eye_tracking").mkdir(parents=True, exist_ok=True)
    path = folder / "eye_tracking/eye_features_sentence_level.json"
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
