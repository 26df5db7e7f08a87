"""Golden cases of the official scores of CogBench, on made-up responses in its shapes."""

from __future__ import annotations

import numpy as np
from golden.cases import Arrays, arrays, register

from brainlm.encoding.cogbench import (
    eye_tracking,
    fmri,
    mean_pattern_score,
    predict_words,
    story_features,
    top_tenth,
    word_fmri,
)
from brainlm.encoding.cogbench_sensors import choose_sensors, meg

case = register("cogbench")


def parts(n: int, *edges: int) -> list[str]:
    """Return train, dev and (with two edges) test labels of n rows."""
    names = ["train", "dev", "test"]
    return [names[sum(row >= edge for edge in edges)] for row in range(n)]


def seen(X: np.ndarray, n_targets: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Return noisy linear views of X."""
    signal = X @ rng.standard_normal((X.shape[1], n_targets))
    return signal / signal.std(axis=0) + noise * rng.standard_normal(signal.shape)


@case
def words() -> Arrays:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 16))
    Y = seen(X, 40, 1.0, rng) + 2 * rng.standard_normal(40)
    Y[:, 3] = 0
    labels = {"dev": parts(120, 90), "test": parts(120, 70, 95), "none": None}
    folds = {name: predict_words(X, Y, label) for name, label in labels.items()}
    return arrays(
        score={name: word_fmri(X, Y, label) for name, label in labels.items()},
        predicted={name: [fold.predicted for fold in each] for name, each in folds.items()},
        mean_pattern={name: mean_pattern_score(each) for name, each in folds.items()},
        top=top_tenth(X, seen(X, 16, 0.5, rng)),
    )


@case
def stories() -> Arrays:
    rng = np.random.default_rng(1)
    ends = 13 + np.cumsum(rng.uniform(0.1, 0.7, 300))
    X = story_features(rng.standard_normal((300, 8)), ends, 150)
    Y = seen(X, 12, 0.7, rng)
    groups, n = np.repeat(["a", "b"], 6), len(X)
    return arrays(
        features=X,
        dev=fmri(X, Y, parts(n, n // 2), groups),
        test=fmri(X, Y, parts(n, n // 2, 3 * n // 4), groups),
        folds=fmri(X, Y),
    )


@case
def sensors() -> Arrays:
    rng = np.random.default_rng(2)
    X = rng.standard_normal((1200, 6))
    Y = np.hstack([seen(X, 8, 1.0, rng), rng.standard_normal((1200, 52))])
    return arrays(
        chosen=choose_sensors(X, Y, share=0.1),
        other_shuffle=choose_sensors(X, Y, share=0.1, seed=1),
        score=meg(X, Y),
    )


@case
def gaze() -> Arrays:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((90, 12))
    return arrays(score=eye_tracking(X, seen(X, 9, 1.0, rng)))
