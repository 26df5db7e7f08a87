from dataclasses import replace

import numpy as np
import pytest

from brainlm.decoding.encoding_model import EncodingModel, fit_encoding_model
from brainlm.decoding.scorers import EmbeddingSimilarity, EncodingLikelihood, Mixture
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

F, V, N, BEFORE = 5, 12, 20, 4
DELAYS = (1, 2, 3, 4)


@pytest.fixture
def setting(rng):
    times = 2.0 * np.arange(N)
    rows = row_times(times, BEFORE)
    middle = np.sort(rng.uniform(rows[0] + 1, times[-1] + 1.5, 60))
    scale = RowScale(rng.standard_normal(F), rng.uniform(0.5, 2, F), 3.0)
    stimulus_model = StimulusModel(word_weights(middle, rows), scale)
    model = EncodingModel(
        rng.standard_normal((4 * F, V)),
        rng.standard_normal(V),
        rng.standard_normal((30, V)) / np.sqrt(30),
        0.6,
        DELAYS,
        np.zeros(V),
    )
    return stimulus_model, model, rng.standard_normal((N, V)), middle, rows


def _dense(model, Y, stimulus_rows):
    """The formula as published: every sample, the inverse of the full covariance."""
    S = (1 - model.shrinkage) * model.residuals.T @ model.residuals
    P = np.linalg.inv(S + model.shrinkage * np.eye(V))
    X = np.hstack([stimulus_rows[BEFORE - d : BEFORE - d + N] for d in DELAYS])
    diff = Y - X @ model.weights - model.intercept
    return -0.5 * np.einsum("rv,vw,rw->", diff, P, diff)


def _text_rows(stimulus_model, embedding):
    L = stimulus_model._weights.toarray()[:, : len(embedding)]
    return (L @ embedding - stimulus_model.scale.mean) / stimulus_model.scale.scale


def test_gains_add_up_to_the_dense_likelihood_from_edge_to_edge(setting, rng):
    stimulus_model, model, Y, _, _ = setting
    scorer = EncodingLikelihood(model, Y, BEFORE)
    rows = RowWindow(stimulus_model, scorer.reach)
    words = rng.standard_normal((stimulus_model.n_words, F))
    total, before = 0.0, _dense(model, Y, _text_rows(stimulus_model, words[:0]))
    for i, word in enumerate(words):
        others = rng.standard_normal((3, F))
        steps = (np.vstack([others, word]) / stimulus_model.scale.scale).astype(np.float32)
        gains = scorer.gains(rows, np.zeros(4, int), steps)
        for j in range(3):
            tried = np.vstack([words[:i], others[j]])
            expected = _dense(model, Y, _text_rows(stimulus_model, tried)) - before - total
            assert gains[j] == pytest.approx(expected, rel=1e-3, abs=0.02)
        total += gains[3]
        rows.advance(np.zeros(1, int), steps[3:])
    assert total == pytest.approx(
        _dense(model, Y, _text_rows(stimulus_model, words)) - before, rel=1e-3
    )


def test_gains_of_the_similarity_add_up_to_the_mean_cosine(setting, rng):
    stimulus_model, _, _, _, _ = setting
    decoded = rng.standard_normal((stimulus_model.n_rows, F))
    scorer = EmbeddingSimilarity(decoded)
    rows = RowWindow(stimulus_model, scorer.reach)
    words = rng.standard_normal((stimulus_model.n_words, F))
    total = 0.0
    for word in words:
        steps = (word / stimulus_model.scale.scale)[None].astype(np.float32)
        total += scorer.gains(rows, np.zeros(1, int), steps)[0]
        rows.advance(np.zeros(1, int), steps)

    def similarity(z, expected_power):
        sizes = np.sqrt((z**2).sum(axis=1) + expected_power)
        return np.sum([a @ b / s for a, b, s in zip(z, unit, sizes, strict=True)])

    length = np.linalg.norm(decoded, axis=1)
    unit = decoded / length.mean()
    every = stimulus_model.expected_power(0, np.arange(stimulus_model.n_rows))
    L = stimulus_model._weights.toarray()
    np.testing.assert_allclose(every, 3.0 * (L**2).sum(axis=1))
    started = similarity(_text_rows(stimulus_model, words[:0]), every)
    # Once all words are there nothing is to come, and what is left is the cosine.
    cosines = similarity(_text_rows(stimulus_model, words), 0 * every)
    assert total == pytest.approx(cosines - started, abs=1e-3)
    # A finished row counts by its cosine times how long its decoded row is.
    assert similarity(decoded, 0 * every) == pytest.approx((length / length.mean()).sum())


def test_a_row_that_has_only_begun_counts_little(setting, rng):
    stimulus_model, _, _, _, _ = setting
    decoded = rng.standard_normal((stimulus_model.n_rows, F))
    zero = RowScale(np.zeros(F), np.ones(F), 3.0)
    stimulus_model = StimulusModel(stimulus_model._weights, zero)
    touched, weights = stimulus_model.rows_of(0)
    step = decoded[touched[-1]][None].astype(np.float32)
    rows = RowWindow(stimulus_model, 0)
    gain = EmbeddingSimilarity(decoded).gains(rows, np.zeros(1, int), step)[0]
    expected_power = stimulus_model.expected_power(1, touched)
    mean = np.linalg.norm(decoded, axis=1).mean()
    expected = [
        w * step[0] @ decoded[k] / mean / np.sqrt(w**2 * (step**2).sum() + left)
        for k, w, left in zip(touched, weights, expected_power, strict=True)
    ]
    assert gain == pytest.approx(np.sum(expected), abs=1e-4)
    plain = np.sign(weights) @ [step[0] @ decoded[k] / mean / np.linalg.norm(step) for k in touched]
    assert abs(gain - plain) > 0.1  # what cosines of single words would have said


def test_a_mixture_weighs_its_guides(setting, rng):
    stimulus_model, model, Y, _, _ = setting
    scorers = [EncodingLikelihood(model, Y, BEFORE), EmbeddingSimilarity(np.ones((N + BEFORE, F)))]
    mixture = Mixture(scorers, [0.5, 2.0])
    rows = RowWindow(stimulus_model, mixture.reach)
    steps = rng.standard_normal((4, F)).astype(np.float32)
    parents = np.zeros(4, int)
    each = [scorer.gains(rows, parents, steps) for scorer in scorers]
    np.testing.assert_allclose(
        mixture.gains(rows, parents, steps), 0.5 * each[0] + 2 * each[1], rtol=1e-5
    )
    with pytest.raises(ValueError, match="2 scorers need as many weights, got 1"):
        Mixture(scorers, [1.0])


def test_true_words_gain_most_where_the_noise_is_small(setting, rng):
    stimulus_model, model, _, _, _ = setting
    words = rng.standard_normal((stimulus_model.n_words, F))
    z = _text_rows(stimulus_model, words)
    X = np.hstack([z[BEFORE - d : BEFORE - d + N] for d in DELAYS])
    Y = X @ model.weights + model.intercept + 0.01 * rng.standard_normal((N, V))
    scorer = EncodingLikelihood(model, Y, BEFORE)
    own = _dense(model, Y, z)
    worse = [
        _dense(model, Y, _text_rows(stimulus_model, rng.permutation(words))) for _ in range(20)
    ]
    assert own > max(worse)
    assert scorer.n_samples == N


def test_story_rows_and_scales(rng):
    times = row_times(10 + 2.0 * np.arange(30), 4)
    assert times[0] == 2.0
    middle = np.sort(rng.uniform(4, 60, 90))
    embedding = rng.standard_normal((90, F))
    rows = story_rows(embedding, middle, times)
    scale = learn_row_scale(rows, embedding)
    assert scale.power == pytest.approx(((embedding / scale.scale) ** 2).sum(axis=1).mean())
    z = (rows - scale.mean) / scale.scale
    np.testing.assert_allclose(z.std(axis=0), 1)
    with pytest.raises(ValueError, match="different clocks"):
        StimulusModel(word_weights(middle + 1000, times), scale)


def test_space_rotates_without_loss(rng):
    states = rng.standard_normal((200, 7)) * [1, 5, 1, 1, 1, 1, 1] + 3
    full, part = learn_space(states), learn_space(states, 7)
    a, b = full.project(states), part.project(states)
    np.testing.assert_allclose(a.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(a.std(axis=0), 1)
    np.testing.assert_allclose(a @ a.T, b @ b.T, atol=1e-8)  # the geometry stays
    with pytest.raises(ValueError, match="n_components must be from 1 to 7, got 8"):
        learn_space(states, 8)


def test_noise_is_that_of_runs_left_out(rng):
    runs = np.repeat(["a", "b", "c"], 150)
    X = rng.standard_normal((450, 8))
    W = rng.standard_normal((8, 6))
    mixing = rng.standard_normal((6, 6))
    Y = X @ W + rng.standard_normal((450, 6)) @ mixing
    model = fit_encoding_model(X, Y, runs, delays=(0,), shrinkage=0.5)
    C = model.residuals.T @ model.residuals
    true = mixing.T @ mixing
    assert np.trace(C) / 6 == pytest.approx(1)
    np.testing.assert_allclose(C, true / np.trace(true) * 6, atol=0.25)
    np.testing.assert_allclose(model.weights, W, atol=0.5)
    for part in (model, replace(model, residuals=model.residuals[:4])):  # more, fewer than targets
        G, b = part.products(Y)
        P = np.linalg.inv(0.5 * part.residuals.T @ part.residuals + 0.5 * np.eye(6))
        W = part.weights
        np.testing.assert_allclose(G, W @ P @ W.T, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(b, (Y - part.intercept) @ P @ W.T, rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="at least two runs"):
        fit_encoding_model(X, Y, np.array(["a"] * 450), delays=(0,))
    with pytest.raises(ValueError, match="shrinkage"):
        fit_encoding_model(X, Y, runs, delays=(0,), shrinkage=0.0)
