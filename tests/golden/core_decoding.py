"""Golden cases of decoding: mappers, text scores, word times, scorers and controls."""

from __future__ import annotations

import numpy as np
import xarray
from golden.cases import Arrays, arrays, register
from golden.made import WORDS, linear, speller

from brainlm.decoding._contrastive import Training
from brainlm.decoding.controls import compare_over_units, compare_to_draws, nan_fdr
from brainlm.decoding.embedding import EmbeddingDecoder, responses_after, score_mapping
from brainlm.decoding.encoding_model import choose_targets, fit_encoding_model
from brainlm.decoding.null_scores import (
    Window,
    compare_to_null,
    cut_windows,
    identify_windows,
    null_half_width,
    null_z,
)
from brainlm.decoding.replication import compare_gains, crossed_interval, summarise
from brainlm.decoding.scorers import EmbeddingSimilarity, EncodingLikelihood, Mixture, RandomScorer
from brainlm.decoding.sentences import sentence_rows
from brainlm.decoding.simulated_subjects import time_words
from brainlm.decoding.stimulus_model import (
    RowScale,
    RowWindow,
    StimulusModel,
    learn_row_scale,
    learn_space,
    row_times,
    story_rows,
    word_weights,
)
from brainlm.decoding.text_scores import (
    BertScore,
    inverse_document_frequency,
    sentence_similarity,
    text_scores,
)
from brainlm.decoding.vocabulary import content_stems
from brainlm.decoding.word_rate import count_words, fit_word_rate, spread_words
from brainlm.decoding.words import clean_words
from brainlm.stats.identification import (
    pairwise_accuracy,
    pattern_accuracy,
    pattern_correlations,
    rank_accuracy,
    top_k_accuracy,
    trialwise_score,
)

case = register("decoding")
THREADS = 1e-6  # sums in single precision follow the number of threads
NAMES = [
    "brain",
    "permuted brain",
    "permuted brain 2",
    "noise input",
    "noise input 2",
    "noise input 3",
    "language model",
    "ceiling",
]


@case(single=True, tolerance=THREADS)
def mappers() -> Arrays:
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((300, 4)).astype(np.float32)
    X = Y @ rng.standard_normal((4, 12)).astype(np.float32)
    X += 0.3 * rng.standard_normal(X.shape).astype(np.float32)
    runs, found = np.repeat(["a", "b", "c"], 100), {}
    fit, test = runs != "c", runs == "c"
    fast = Training(epochs=4, patience=3, batch=64, rate=3e-3, width=16, n_layers=1)
    for name in ("ridge", "linear-contrastive", "transformer"):
        decoder = EmbeddingDecoder(name, n_lags=4, settings=fast).fit(X[fit], Y[fit], runs[fit])
        predicted = decoder.predict(X[test])
        scores = score_mapping(predicted, Y[test], Y[fit].mean(axis=0), np.arange(100) // 5)
        found[name] = {"predicted": predicted, "scores": scores}
    return arrays(mapper=found, lagged=list(responses_after(X.astype(float), (1, 2))))


@case
def identification() -> Arrays:
    rng = np.random.default_rng(1)
    true = rng.standard_normal((40, 15))
    predicted = true + 2 * rng.standard_normal((40, 15))
    similarity, groups = pattern_correlations(predicted, true), np.arange(40) // 8
    mean = rng.standard_normal(15)
    return arrays(
        correlations=similarity,
        pairwise=np.array([pairwise_accuracy(similarity), pairwise_accuracy(similarity, groups)]),
        rank=rank_accuracy(similarity),
        top=np.array([top_k_accuracy(similarity, k) for k in (1, 5)]),
        pattern=pattern_accuracy(predicted, true, mean),
        trialwise=trialwise_score(predicted, true),
    )


@case(single=True)
def text_metrics() -> Arrays:
    rng = np.random.default_rng(2)
    true = [rng.choice(WORDS, 8).tolist() for _ in range(6)]
    said = [list(text) for text in true]
    for text in said:
        text[2], text[5] = "stones", "walking"
    said[3] = said[3][:4]
    chinese = [["今天", "天气", "很", "好"]], [["今天", "天", "很", "好"]]
    idf = inverse_document_frequency(true)
    score = BertScore(speller(), 2, idf)
    return arrays(
        scores=text_scores(true, said),
        chinese=text_scores(*chinese, language="zh"),
        idf=dict(sorted(idf.items())),
        bert=score.score(true, said),
        sentences=sentence_similarity(speller(), true, said),
    )


@case
def windows() -> Arrays:
    rng = np.random.default_rng(3)
    times = np.sort(rng.uniform(0, 90, 120))
    starts = Window(20, 5).starts(0, 90)
    cut = cut_windows(rng.choice(WORDS, 120).tolist(), times, starts, 20)
    null = rng.standard_normal((9, 60))
    return arrays(
        starts=starts,
        words=np.array([" ".join(words) for words in cut]),
        identified=identify_windows(rng.standard_normal((15, 15)), starts, 20),
        z=list(null_z(null[0], null[1:])),
        reach=null_half_width(null),
        compared=compare_to_null(null[0] + 1, null[1:], 10),
    )


@case
def word_times() -> Arrays:
    rng = np.random.default_rng(4)
    counts = rng.integers(1, 7, 120).astype(float)
    times = 10 + 2.0 * np.arange(120)
    onset = np.concatenate([t + 2 * np.arange(n) / n for t, n in zip(times, counts, strict=True)])
    Y = rng.standard_normal((120, 3)) / 3
    Y[2:] += counts[:-2, None] * [1, 2, 0]
    half = onset < times[60]
    rate = fit_word_rate([Y[:60], Y[60:]], [times[:60], times[60:]], [onset[half], onset[~half]])
    words = ["a", "elephant", "night"] * 20
    cleaned = clean_words(["“Hello,”", "—", "Don’t", "X"], "en")
    characters = clean_words(["天气，", "很好"], "zh", "character")
    return arrays(
        predicted=rate.predict(Y, times),
        counts=count_words(onset, times, 2.0),
        spread=spread_words(np.array([2, 0, 1]), np.array([0, 2, 4.0]), 2.0),
        spoken=list(time_words(words, np.random.default_rng(5))),
        words=np.array(cleaned[0] + characters[0]),
        places=[cleaned[1], characters[1]],
        stems=content_stems(WORDS, "en"),
    )


@case
def encoding_models() -> Arrays:
    X, Y, runs = linear(p=8, v=12)
    models = {
        "full": fit_encoding_model(X, Y, runs, delays=(0,)),
        "delayed": fit_encoding_model(np.hstack([X, X]), Y, runs, delays=(1, 2), shrinkage=0.5),
    }
    return arrays(
        model={
            name: {
                "weights": m.weights,
                "intercept": m.intercept,
                "covariance": np.asarray(m.residuals).T @ np.asarray(m.residuals),
                "r2": m.r2,
                "products": list(m.products(Y)),
            }
            for name, m in models.items()
        },
        chosen=choose_targets(X, Y, runs, 5),
    )


@case
def timelines() -> Arrays:
    rng = np.random.default_rng(6)
    times = row_times(2.0 * np.arange(20), 4)
    middle = np.sort(rng.uniform(times[0] + 1, times[-1] + 1, 60))
    states = rng.standard_normal((60, 7)) * [1, 5, 1, 1, 1, 1, 1] + 3
    space = learn_space(states, 5)
    embedding = space.project(states)
    rows = story_rows(embedding, middle, times)
    scale = learn_row_scale(rows, embedding)
    weights = word_weights(middle, times)
    stimulus_model = StimulusModel(weights, scale)
    return arrays(
        times=times,
        weights=weights,
        embedding=embedding,
        whole=learn_space(states).project(states),
        rows=rows,
        scale=[scale.mean, scale.scale, np.array(scale.power)],
        blank=stimulus_model.blank,
        to_come=stimulus_model.expected_power(5, np.arange(10)),
        column=list(stimulus_model.rows_of(7)),
        lengths=sentence_rows(embedding, np.array([10, 20, 30])),
    )


@case(single=True)
def guides() -> Arrays:
    rng = np.random.default_rng(7)
    n, v, f, before = 20, 12, 5, 4
    times = row_times(2.0 * np.arange(n), before)
    middle = np.sort(rng.uniform(times[0] + 1, 39, 60))
    scale = RowScale(rng.standard_normal(f), rng.uniform(0.5, 2, f), 3.0)
    X, Y = rng.standard_normal((80, 4 * f)), rng.standard_normal((80, v))
    model = fit_encoding_model(X, Y, np.repeat(list("abcd"), 20), delays=(1, 2, 3, 4))
    each = [
        EncodingLikelihood(model, Y[:n], before),
        EmbeddingSimilarity(rng.standard_normal((n + before, f))),
    ]
    each.append(Mixture(each[:2], [0.5, 2.0]))
    found = []
    for scorer in each:
        draws = np.random.default_rng(8)
        rows = RowWindow(StimulusModel(word_weights(middle, times), scale), scorer.reach)
        for _ in range(6):
            steps = draws.standard_normal((4, f)).astype(np.float32)
            found.append(scorer.gains(rows, np.zeros(4, int), steps))
            rows.advance(np.zeros(1, int), steps[:1])
    random = RandomScorer(3).gains(rows, np.zeros(4, int), steps)
    return arrays(gains=np.array(found), random=random)


@case
def controls() -> Arrays:
    rng = np.random.default_rng(12)
    scores = 0.2 + 0.1 * rng.standard_normal((8, 2, 30))
    units = np.repeat([f"t{i}" for i in range(10)], 3)
    return arrays(
        draws=compare_to_draws(scores, NAMES, ["bleu-1", "chrf"]),
        units=compare_over_units(scores, NAMES, ["bleu-1", "chrf"], units),
        q=nan_fdr(np.array([0.01, np.nan, 0.04, 0.5])),
    )


@case
def replication() -> Arrays:
    rng = np.random.default_rng(13)
    kinds = ("brain", "noise input", "noise input 2")
    names = [f"{scorer}: {kind}" for scorer in ("Tang", "MapGuide") for kind in kinds]
    dims = ("snr", "subject", "story", "condition", "metric")
    score = 0.2 + 0.01 * rng.standard_normal((1, 3, 5, 6, 1))
    null = 0.15 + 0.01 * rng.standard_normal((1, 3, 5, 6, 1))
    cells = xarray.Dataset(
        {
            "score": (dims, score),
            "gain": (dims, score - 0.15),
            "null_mean": (dims, 0 * score + 0.15),
            "share": (dims, 0 * score),
            "z": (dims, 0 * score),
            "null_score": ((*dims[:3], "null", "metric"), null),
            "mapping_r": (dims[:3], score[..., 0, 0]),
        },
        coords={
            "snr": [3.0],
            "subject": range(3),
            "condition": names,
            "story": [f"s{i}" for i in range(5)],
            "metric": ["bleu-1"],
        },
    )
    return arrays(
        interval=crossed_interval(score[0, ..., 0, 0]),
        summary=summarise(cells),
        gains=compare_gains(cells, "bleu-1"),
    )
