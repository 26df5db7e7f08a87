import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.utils.estimator_checks import parametrize_with_checks

from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.encoding.stacking import StackedEncoder, convex_weights
from brainlm.errors import UnknownNameError

SPLIT = ContiguousBlocks(4, gap=2)


@parametrize_with_checks([StackedEncoder(encoder=RidgeEncoder(warn_edge=False))])
@pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API.*")
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)


def planted(rng, n=400, noise=2.0):
    """Targets 0-1 follow the first space, 2-3 the second, 4-5 both alike, 6-9 nothing."""
    X = rng.standard_normal((n, 40))
    first, second = (
        X[:, :10] @ rng.standard_normal((10, 10)),
        X[:, 10:] @ rng.standard_normal((30, 10)) / np.sqrt(3),
    )
    Y = noise * rng.standard_normal((n, 10))
    Y[:, :2] += first[:, :2]
    Y[:, 2:4] += second[:, 2:4]
    Y[:, 4:6] += (first + second)[:, 4:6]
    return X, Y


def test_weights_are_the_optimum_that_a_general_solver_finds(rng):
    errors = rng.standard_normal((6, 50, 5)) + rng.standard_normal((1, 50, 5))
    products = np.einsum("ktv,ltv->vkl", errors, errors)
    found = convex_weights(products)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found >= 0).all()
    for E, w in zip(products, found, strict=True):
        theirs = minimize(
            lambda w, E=E: w @ E @ w / np.trace(E),
            np.full(6, 1 / 6),
            bounds=[(0, 1)] * 6,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert w @ E @ w <= theirs.fun * np.trace(E) * (1 + 1e-7)
        np.testing.assert_allclose(w, theirs.x, atol=1e-4)


def test_two_spaces_by_hand():
    # Uncorrelated errors of squares 1 and 3: weights 3/4 and 1/4.
    products = np.array([[[1.0, 0.0], [0.0, 3.0]], [[1.0, 2.0], [2.0, 9.0]]])
    # Second target: the better space alone, because errors that correlate so much do not cancel.
    np.testing.assert_allclose(convex_weights(products), [[0.75, 0.25], [1, 0]], atol=1e-6)


def test_planted_spaces_get_the_weight_and_stacking_gains_where_both_matter(rng):
    X, Y = planted(rng)
    weights = StackedEncoder([10, 30]).fit(X, Y).weights_
    assert (weights[0, :2] > 0.9).all()
    assert (weights[1, 2:4] > 0.9).all()
    assert (abs(weights[0, 4:6] - 0.5) < 0.25).all()
    stacked, best = (
        cross_validate(StackedEncoder([10, 30], weights=how), X, Y, SPLIT, metric="r2").mean
        for how in ("stacked", "best")
    )
    assert (stacked[4:6] > best[4:6] + 0.03).all()
    assert (stacked[:4] > best[:4] - 0.01).all()


def test_noise_scores_nothing(rng):
    X, Y = rng.standard_normal((600, 40)), rng.standard_normal((600, 50))
    scores = cross_validate(StackedEncoder([10, 30]), X, Y, SPLIT)
    assert abs(scores.mean.mean()) < 0.02


def test_exact_data_score_one(rng):
    X = rng.standard_normal((200, 20))
    Y = X[:, :5] @ rng.standard_normal((5, 3))
    alphas = np.logspace(-8, 2, 6)
    encoder = StackedEncoder([5, 15], encoder=RidgeEncoder(alphas, warn_edge=False))
    assert cross_validate(encoder, X, Y, SPLIT).mean.min() > 0.9999


def test_one_space_is_ridge_and_equal_spaces_share_the_weight(rng):
    X, Y = planted(rng)
    split = ContiguousBlocks(4)
    exact = RidgeEncoder(search="exact", warn_edge=False)
    one = cross_validate(StackedEncoder([40], encoder=exact), X, Y, split)
    ridge = cross_validate(exact, X, Y, split)
    np.testing.assert_allclose(one.values, ridge.values, rtol=1e-6)
    twice = StackedEncoder([40, 40]).fit(np.hstack([X, X]), Y)
    np.testing.assert_allclose(twice.weights_, 0.5, atol=1e-3)
    mean = StackedEncoder([10, 30], weights="mean").fit(X, Y)
    parts = [e.predict(x) for e, x in zip(mean.encoders_, (X[:, :10], X[:, 10:]), strict=True)]
    np.testing.assert_allclose(mean.predict(X), np.mean(parts, axis=0), rtol=1e-6, atol=1e-8)


def test_test_samples_have_no_part_in_the_weights(rng):
    X, Y = planted(rng)
    train = np.arange(300)
    other = Y.copy()
    other[300:] = rng.standard_normal((100, 10))
    a, b = (StackedEncoder([10, 30]).fit(X[train], y[train]) for y in (Y, other))
    np.testing.assert_array_equal(a.weights_, b.weights_)


def test_blocks_of_targets_change_nothing(rng, monkeypatch):
    X, Y = planted(rng)
    whole = StackedEncoder([10, 30]).fit(X, Y).weights_
    monkeypatch.setattr("brainlm.encoding.stacking.HELD", 3 * 2 * len(Y))
    np.testing.assert_allclose(StackedEncoder([10, 30]).fit(X, Y).weights_, whole, atol=1e-6)


def test_bad_input_is_named(rng):
    X, Y = planted(rng)
    with pytest.raises(ValueError, match=r"bands .* add up to 40"):
        StackedEncoder([10, 10]).fit(X, Y)
    with pytest.raises(UnknownNameError, match="weights"):
        StackedEncoder([10, 30], weights="stack").fit(X, Y)
