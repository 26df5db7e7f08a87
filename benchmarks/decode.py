"""How fast text is decoded, and in how much memory; one run, ratios.

    python benchmarks/decode.py --model smollm2 --words 24

Prints a table and JSON. Targets: proposals 10 times faster per word than one forward pass per
hypothesis, the likelihood 20 times faster per candidate than the dense formula, ten minutes of
story with beam 50 in less than 30 minutes. Words of the model's own telling, random weights.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time

import numpy as np

from brainlm.decoding.beam_cache import BeamCache
from brainlm.decoding.beam_search import Beam, CandidateEmbedder, decode_text
from brainlm.decoding.encoding_model import EncodingModel
from brainlm.decoding.proposals import Nucleus, propose
from brainlm.decoding.scorers import EncodingLikelihood
from brainlm.decoding.stimulus_model import (
    RowScale,
    RowWindow,
    StimulusModel,
    learn_space,
    row_times,
    word_weights,
)
from brainlm.decoding.vocabulary import build_vocabulary
from brainlm.language_models import LanguageModel

CONTEXT, LAYER, TR, RATE = 16, 9, 2.0, 2.5  # RATE: words per second
TARGETS = {
    "proposals: one pass per hypothesis / shared cache": ">= 10",
    "likelihood: dense formula / products": ">= 20",
    "ten minutes of story, beam 50, minutes": "< 30",
    "peak memory, GiB": "",
}


def grown(model: LanguageModel, vocabulary, width: int, n_words: int) -> BeamCache:
    """A beam of different hypotheses of some words."""
    rng = np.random.default_rng(0)
    cache = BeamCache(model, vocabulary, CONTEXT)
    for word in range(n_words):
        found = propose(cache, Nucleus(), width if word == 0 else 0)
        chosen = rng.choice(len(found), width, replace=len(found) < width)
        cache.advance(found.parent[chosen], found.word[chosen])
    return cache


def proposals(model: LanguageModel, vocabulary, width: int, n_words: int, n_plain: int) -> dict:
    """Seconds per word: all hypotheses in the cache, against each read by itself."""
    import torch

    cache = grown(model, vocabulary, width, 2 * CONTEXT)
    rng = np.random.default_rng(1)
    start = time.perf_counter()
    for _ in range(n_words):
        found = propose(cache, Nucleus())
        chosen = rng.choice(len(found), width, replace=len(found) < width)
        cache.advance(found.parent[chosen], found.word[chosen])
    cached = (time.perf_counter() - start) / n_words
    start = time.perf_counter()
    for history in cache.history[:n_plain, -CONTEXT * 3 // 2 :]:  # the mean window
        ids = [*model.frame.prefix, *(t for w in history for t in vocabulary.tokens[w])]
        with torch.inference_mode():
            model.headed(torch.tensor([ids]), use_cache=False, logits_to_keep=1)
    plain = (time.perf_counter() - start) / n_plain * width
    return {"cached_s_per_word": cached, "plain_s_per_word": plain, "ratio": plain / cached}


def random_model(n_features: int, n_targets: int) -> tuple[EncodingModel, np.ndarray]:
    """An encoding model of random weights, and responses."""
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape, dtype=np.float32)  # noqa: E731
    model = EncodingModel(
        draw(4 * n_features, n_targets),
        draw(n_targets),
        draw(1500, n_targets) / 40,
        2 / 3,
        (1, 2, 3, 4),
        np.zeros(n_targets),
    )
    return model, draw(300, n_targets)


def stimulus_model(n_words: int, n_features: int) -> StimulusModel:
    """Words at an even rate."""
    middle = (np.arange(n_words) + 0.5) / RATE
    times = row_times(TR * np.arange(int(n_words / RATE / TR) + 8), 4)
    ones = np.ones(n_features, dtype=np.float32)
    return StimulusModel(word_weights(middle, times), RowScale(0 * ones, ones))


def likelihood(n_features: int, n_targets: int, n_candidates: int) -> dict:
    """Seconds per candidate: products, against the full formula on the affected samples."""
    model, Y = random_model(n_features, n_targets)
    start = time.perf_counter()
    scorer = EncodingLikelihood(model, Y, 4)
    once = time.perf_counter() - start
    rng = np.random.default_rng(1)
    rows = RowWindow(stimulus_model(500, n_features), scorer.reach)
    for _ in range(60):
        rows.advance(np.zeros(1, int), rng.standard_normal((1, n_features), dtype=np.float32))
    steps = rng.standard_normal((n_candidates, n_features), dtype=np.float32)
    scorer.gains(rows, np.zeros(n_candidates, int), steps)  # the blocks of G are summed once
    start = time.perf_counter()
    scorer.gains(rows, np.zeros(n_candidates, int), steps)
    products = (time.perf_counter() - start) / n_candidates
    S = model.residuals.T @ model.residuals / 3
    S.flat[:: n_targets + 1] += 2 / 3
    precision = S  # of the same size as its inverse, whose making is not timed
    affected = np.zeros((10, 4 * n_features), dtype=np.float32)
    start = time.perf_counter()
    for _ in range(2):
        difference = Y[:10] - affected @ model.weights
        np.einsum("rv,rv->", difference @ precision, difference)
    dense = (time.perf_counter() - start) / 2
    return {
        "once_s": once,
        "products_s": products,
        "dense_s": dense,
        "ratio": dense / products,
        "precision_GiB_not_made": 4 * n_targets**2 / 2**30,
    }


def story(model: LanguageModel, vocabulary, width: int, n_words: int, n_targets: int) -> dict:
    """Seconds per word of the whole search, likelihood and all."""
    n_features = 128
    encoding, Y = random_model(n_features, n_targets)
    states = np.random.default_rng(0).standard_normal((1000, model.n_features)).astype(np.float32)
    space = learn_space(states, n_features)
    embedder = CandidateEmbedder(model, vocabulary, space, CONTEXT, LAYER)
    scorer = EncodingLikelihood(encoding, Y, 4)
    room = BeamCache(model, vocabulary, CONTEXT).require_memory(width)
    start = time.perf_counter()
    found = decode_text(embedder, stimulus_model(n_words, n_features), scorer, Beam(width))
    seconds = (time.perf_counter() - start) / n_words
    return {
        "s_per_word": seconds,
        "candidates_per_word": found.n_candidates / n_words,
        "ten_minutes_min": seconds * 600 * RATE / 60,
        "estimate_GiB": room / 2**30,
    }


def main() -> None:
    import wordfreq

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--words", type=int, default=16)
    parser.add_argument("--voxels", type=int, default=10_000)
    given = parser.parse_args()
    model = LanguageModel(given.model, dtype=given.dtype)
    vocabulary = build_vocabulary(model.tokenizer, wordfreq.top_n_list("en", 5000), "en")
    parts = {
        "likelihood": lambda: likelihood(128, given.voxels, 1000),
        "proposals, beam 200": lambda: proposals(model, vocabulary, 200, given.words, 12),
        "search, beam 50": lambda: story(model, vocabulary, 50, given.words, given.voxels),
        "search, beam 200": lambda: story(model, vocabulary, 200, given.words, given.voxels),
    }
    found = {}
    for name, measure in parts.items():
        found[name] = measure()
        print(name, json.dumps(found[name]), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    values = (
        found["proposals, beam 200"]["ratio"],
        found["likelihood"]["ratio"],
        found["search, beam 50"]["ten_minutes_min"],
        peak,
    )
    for (name, target), value in zip(TARGETS.items(), values, strict=True):
        print(f"{name:52s}{value:10.1f}   {target}")
    record = {"given": vars(given), "machine": platform.machine(), "peak_GiB": peak, **found}
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
