"""Small tasks and sources for the tests of the comparison engine."""

import numpy as np

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.feature_spaces import FeatureSpace
from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus


def word_task(rng, signal, *, n_targets=5, noise=1.0, n_splits=5, subjects=()):
    """Isolated words whose responses are a linear view of ``signal`` (n_words, n_features)."""
    n_words = len(signal)
    words = [f"w{i:04d}" for i in range(n_words)]
    stimulus = Stimulus(words, "en", text=words)
    n = n_targets * max(1, len(subjects))
    weights = rng.standard_normal((signal.shape[1], n_targets))
    Y = np.tile(signal @ weights, (1, max(1, len(subjects))))
    Y = Y / Y.std(axis=0) + noise * rng.standard_normal((n_words, n))
    names = [f"{s}/t{i}" for s in subjects for i in range(n_targets)] if subjects else None
    recording = Recording(Y, names or [f"t{i}" for i in range(n)], "ratings", "z", items=words)
    return Assembly(
        "made",
        "ratings",
        "en",
        "word",
        stimulus,
        recording,
        tuple(subjects),
        n_splits,
        max(1, len(subjects)),
        {},
    )


def array_source(name, layers, family="causal"):
    """A source whose layers are given arrays over the words of the stimulus."""

    def embed(stimulus, words, level):
        return [
            Features(f"layer {i}", values, stimulus, origin={"layer": i}).select_words(words)
            for i, values in enumerate(layers)
        ]

    return FeatureSpace(
        name,
        family,
        ("en",),
        lambda s: np.ones(s.n_words, dtype=bool),
        embed,
        len(layers) - 1,
        {"name": name},
    )
