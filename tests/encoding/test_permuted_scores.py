import numpy as np
import pytest
from scipy.stats import binom

import brainlm.encoding._ridge.refitted as refitted
import brainlm.encoding.permuted_scores as permuted
from brainlm.data.scores import pearson
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.permuted_scores import _row_correlations, permuted_scores, shared_orders
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.similarity import SimilarityEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.stats.permutation import max_statistic_p, permutation_p, permute_blocks

pytestmark = pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")


def _smooth(rng, n_samples, n_columns, memory=0.7):
    """First-order autoregressive noise."""
    noise = rng.standard_normal((n_samples, n_columns))
    for t in range(1, n_samples):
        noise[t] += memory * noise[t - 1]
    return noise


@pytest.mark.parametrize("n_features", [8, 90])  # primal and kernel form
def test_the_null_is_that_of_cross_validating_permuted_responses(rng, n_features):
    X, Y = rng.standard_normal((60, n_features)), rng.standard_normal((60, 5))
    split = ContiguousBlocks(3, gap=2)
    scores = cross_validate(RidgeEncoder([1.0, 100.0]), X, Y, split)
    found = permuted_scores(X, Y, split, scores, block=6, n_permutations=5, seed=3)
    same = np.random.default_rng(3)
    for row in found:
        permuted = Y[permute_blocks(60, 6, same)]
        for v in range(5):
            r = []
            for (train, test), alphas in zip(split.split(X), scores.alphas, strict=True):
                encoder = RidgeEncoder([alphas[v]]).fit(X[train], permuted[train, v])
                r.append(np.corrcoef(encoder.predict(X[test]), permuted[test, v])[0, 1])
            assert row[v] == pytest.approx(np.tanh(np.arctanh(r).mean()), abs=1e-6)


@pytest.mark.long
def test_false_positives_of_autocorrelated_noise_stay_at_their_level(rng):
    """400 independent studies: features and responses smooth in time, and unrelated."""
    split, rejected = ContiguousBlocks(3, gap=5), 0
    for _ in range(400):
        X, Y = _smooth(rng, 240, 3), _smooth(rng, 240, 1)
        scores = cross_validate(RidgeEncoder([10.0]), X, Y, split)
        null = permuted_scores(X, Y, split, scores, block=16, n_permutations=59)
        rejected += permutation_p(scores.mean, null)[0] <= 0.05
    low, high = binom.interval(0.999, 400, 0.05)
    assert low <= rejected <= high


def test_power_grows_with_a_planted_effect(rng):
    split, found = ContiguousBlocks(3, gap=5), []
    X = _smooth(rng, 240, 3)
    for strength in (0.0, 0.3, 2.0):
        Y = _smooth(rng, 240, 40) + strength * X @ rng.standard_normal((3, 40))
        scores = cross_validate(RidgeEncoder([10.0]), X, Y, split)
        null = permuted_scores(X, Y, split, scores, block=16, n_permutations=59)
        found.append((permutation_p(scores.mean, null) <= 0.05).mean())
    assert found[0] < 0.25
    assert found[0] < found[1] < found[2]
    assert found[2] > 0.9


def test_scores_without_penalties_are_refused(rng):
    X, Y = rng.standard_normal((40, 6)), rng.standard_normal((40, 2))
    split = ContiguousBlocks(3)
    scores = cross_validate(SimilarityEncoder(), X, Y, split)
    with pytest.raises(ValueError, match="alphas of a RidgeEncoder"):
        permuted_scores(X, Y, split, scores, block=4)
    with pytest.raises(ValueError, match="give block or orders"):
        permuted_scores(X, Y, split, cross_validate(RidgeEncoder([1.0]), X, Y, split))


def test_noise_that_subjects_share_is_in_the_null_of_their_mean(rng):
    """Four subjects who heard one story and share .8 of their variance; none is explained."""
    words, split, rejected = np.arange(120).astype(str), ContiguousBlocks(2, gap=5), 0
    rows = [np.sort(rng.choice(120, 118, replace=False)) for _ in range(4)]  # two are rejected
    orders = [shared_orders(words, words == "", r, block=12, n_permutations=19) for r in rows]
    for _ in range(30):
        X, noise, mean, null = _smooth(rng, 120, 3), 2 * _smooth(rng, 120, 4), 0.0, 0.0
        for kept, order in zip(rows, orders, strict=True):
            Y = (noise + _smooth(rng, 120, 4))[kept]
            scores = cross_validate(RidgeEncoder([10.0]), X[kept], Y, split)
            mean = mean + scores.mean
            null = null + permuted_scores(X[kept], Y, split, scores, orders=order)
        rejected += max_statistic_p(mean, null).min() <= 0.05
    assert rejected <= 5  # with probability .997 at level .05; 14 if each is permuted by itself


def test_orders_are_shared_by_all_who_heard_the_words_of_a_run(rng):
    words = rng.choice(["a", "the", "cat", "saw", "dog"], 200)
    runs = np.repeat(["1", "2"], 100)
    options = {"block": 10, "n_permutations": 20}
    whole = shared_orders(words, runs, np.arange(200), **options)
    assert (np.sort(whole, axis=1) == np.arange(200)).all()
    assert (whole[:, :100] < 100).all()
    later = shared_orders(words[100:], runs[100:], np.arange(100), **options)
    np.testing.assert_array_equal(whole[:, 100:] - 100, later)
    other = shared_orders(words[::-1], runs, np.arange(200), **options)
    assert (other == whole).mean() < 0.2
    rows = np.delete(np.arange(200), [3, 50, 51, 120])
    fewer = rows[shared_orders(words, runs, rows, **options)]
    assert (np.sort(fewer, axis=1) == rows).all()
    assert (fewer == whole[:, rows]).mean() > 0.95


def test_correlations_of_rows_are_those_of_the_scores(rng):
    A, B = rng.standard_normal((6, 40)), rng.standard_normal((6, 40))
    A[1] = 3.7  # predicts nothing
    B[2] = -0.2  # has no score
    A[3] = B[3] + 1
    expected = pearson(A.T, B.T)
    np.testing.assert_allclose(_row_correlations(A.copy(), B.copy()), expected, atol=1e-12)
    assert expected[1] == 0
    assert np.isnan(expected[2])
    assert expected[3] == pytest.approx(1)


@pytest.mark.parametrize("scale", [1e-13, 1e6])
def test_units_of_the_responses_do_not_matter(rng, scale):
    X, Y = rng.standard_normal((60, 8)), rng.standard_normal((60, 5))
    split = ContiguousBlocks(3, gap=2)
    scores = cross_validate(RidgeEncoder([1.0, 100.0]), X, Y, split)
    given = {"block": 6, "n_permutations": 3}
    found = permuted_scores(X, scale * Y, split, scores, **given)
    np.testing.assert_allclose(found, permuted_scores(X, Y, split, scores, **given), atol=1e-6)


def test_penalties_are_kept_or_chosen_again(rng):
    X, Y = rng.standard_normal((90, 12)), rng.standard_normal((90, 3))
    split = ContiguousBlocks(3, gap=2)
    orders = np.array([rng.permutation(90) for _ in range(4)])
    one = cross_validate(RidgeEncoder([10.0]), X, Y, split)
    kept = permuted_scores(X, Y, split, one, orders=orders)
    chosen = permuted_scores(X, Y, split, one, orders=orders, encoder=RidgeEncoder([10.0]))
    np.testing.assert_allclose(kept, chosen, atol=1e-6)
    encoder = RidgeEncoder([1.0, 1e4], warn_edge=False)
    scores = cross_validate(encoder, X, Y, split)
    chosen = permuted_scores(X, Y, split, scores, orders=orders, encoder=encoder)
    expected = [cross_validate(encoder, X, Y[order], split).mean for order in orders]
    np.testing.assert_allclose(chosen, expected, atol=1e-10)
    encoder = RidgeEncoder([1.0, 10.0], alpha_per="all")
    with pytest.raises(ValueError, match="alpha_per='target'"):
        permuted_scores(X, Y, split, scores, orders=orders, encoder=encoder)


def _both_ways(monkeypatch, X, Y, split, scores, **given):
    """The null from sums over blocks of samples, and that of every fold by itself."""
    orders = np.array([permute_blocks(len(X), 20, np.random.default_rng(k)) for k in range(7)])
    found = permuted_scores(X, Y, split, scores, orders=orders, **given)
    with monkeypatch.context() as without:
        without.setattr(permuted, "refitted_scores", lambda *_, **__: None)
        expected = permuted_scores(X, Y, split, scores, orders=orders, **given)
    return found, expected


@pytest.mark.parametrize("at_once", [5, 1024])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_over_blocks_give_the_null_of_every_fold(
    rng, monkeypatch, dtype, standardize, at_once
):
    monkeypatch.setattr(refitted, "AT_ONCE", at_once)
    X = (rng.standard_normal((400, 30)) * np.logspace(0, -2, 30) + 5).astype(dtype)
    Y = (X[:, :3] + 3 * rng.standard_normal((400, 3))).astype(dtype)
    split = ContiguousBlocks(4, 3, runs=np.repeat(["a", "b"], 200))
    encoder = RidgeEncoder(np.logspace(0, 4, 9), standardize=standardize)
    scores = cross_validate(encoder, X, Y, split)
    found, expected = _both_ways(monkeypatch, X, Y, split, scores, standardize=standardize)
    np.testing.assert_allclose(found, expected, atol=1e-6 if dtype == np.float64 else 1e-4)
    assert np.isfinite(found).all()
    tensors, _ = _both_ways(monkeypatch, X, Y, split, scores, standardize=standardize, device="cpu")
    np.testing.assert_allclose(tensors, found, atol=1e-6 if dtype == np.float64 else 1e-4)


def test_a_rare_answer_has_no_score_where_it_is_missing(rng, monkeypatch):
    X, Y = rng.standard_normal((400, 6)), rng.standard_normal((400, 2))
    split = ContiguousBlocks(4, 3)
    scores = cross_validate(RidgeEncoder([10.0]), X, Y, split)
    Y[:, 1] = 0
    Y[130:140, 1] = 1  # all in one block of responses
    found, expected = _both_ways(monkeypatch, X, Y, split, scores)
    assert np.isnan(found[:, 1]).all()
    assert np.isnan(expected[:, 1]).all()
    np.testing.assert_allclose(found[:, 0], expected[:, 0], atol=1e-6)


def test_responses_that_do_not_vary_in_training_predict_nothing(rng):
    X, Y = rng.standard_normal((400, 6)), np.zeros((400, 1))
    Y[30:60, 0] = rng.standard_normal(30)
    folds = [(np.arange(100, 400), np.arange(100))]
    z = refitted.refitted_scores(X, Y, folds, np.full((1, 1), 10.0), np.arange(400)[None])
    assert z[0, 0] == 0
