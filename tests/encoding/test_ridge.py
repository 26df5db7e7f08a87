import numpy as np
import pytest
from sklearn.linear_model import Ridge

from brainlm.encoding._ridge.solve import Standardizer, edge_counts, fit_ridge
from brainlm.encoding.block_scaler import BlockScaler
from brainlm.encoding.ridge import RidgeEncoder


def test_primal_and_kernel_forms_are_the_same_regression(rng):
    X, Y = rng.standard_normal((50, 19)), rng.standard_normal((50, 3))
    primal = fit_ridge(X)
    wide = fit_ridge(np.hstack([X, np.zeros((50, 1))]))  # a feature too many for the primal form
    assert primal.primal
    assert not wide.primal
    alphas = np.array([1.0, 10.0, 100.0])
    W = primal.weights(Y - Y.mean(axis=0), alphas)
    dual = wide.weights(Y - Y.mean(axis=0), alphas)
    np.testing.assert_allclose((wide.X.T @ dual)[:-1], W, atol=1e-9)


def test_a_constant_feature_becomes_zero_however_large(rng):
    X = np.full((30, 1), 0.1) * 1e8
    learned = Standardizer.learn(X, scale=True)
    assert learned.scale[0] == 1
    assert np.abs(learned.apply(X)).max() < 1e-6


@pytest.mark.parametrize("value", [0.1, 3.3, 1234.567])
def test_a_constant_in_single_precision_stays_zero_and_harmless(rng, value):
    """Sums in single precision give 10,000 equal numbers a deviation of 1e-6 times their size."""
    X = rng.standard_normal((10_400, 4)).astype(np.float32)
    Y = X[:, :1] + rng.standard_normal((10_400, 1)).astype(np.float32)
    X[:10_000, 1] = value  # and something else in the test samples
    X[:, 2] = np.resize([value, np.nextafter(np.float32(value), np.float32(2000))], 10_400)
    train, test = X[:10_000], X[10_000:]
    learned = Standardizer.learn(train, scale=True)
    np.testing.assert_array_equal(learned.scale[1:3], 1)
    assert (learned.apply(train)[:, 1] == 0).all()
    np.testing.assert_allclose(BlockScaler().fit(train).transform(train)[:, 1], 0)
    np.testing.assert_allclose(learned.scale[[0, 3]], train[:, [0, 3]].std(axis=0, dtype=float))
    encoder = RidgeEncoder([1.0], warn_edge=False).fit(train, Y[:10_000])
    assert encoder.score(test, Y[10_000:]) > 0.4


def test_features_that_are_all_constant_predict_the_mean(rng):
    X, Y = np.full((30, 1), 0.3), 5 + rng.standard_normal((30, 40))
    encoder = RidgeEncoder(warn_edge=False).fit(X, Y)
    np.testing.assert_allclose(encoder.predict(X), np.tile(Y.mean(axis=0), (30, 1)))


def test_edges_are_counted():
    assert edge_counts(np.array([1.0, 1.0, 10.0, 100.0]), np.array([1.0, 10.0, 100.0])) == (2, 1)


@pytest.mark.parametrize("alpha", [1e-13, 1e-9, 1e-6])
@pytest.mark.parametrize("n_features", [30, 150])
def test_single_precision_survives_penalties_below_its_rounding(rng, alpha, n_features):
    X, new = (rng.standard_normal((n, n_features)).astype(np.float32) for n in (100, 10))
    Y = (X[:, :1] + rng.standard_normal((100, 5))).astype(np.float32)
    fit = fit_ridge(X, smallest_alpha=alpha)
    A = fit.project(new)
    Z = X.astype(float)
    m, s = Z.mean(axis=0), Z.std(axis=0)
    expected = Ridge(alpha, solver="svd", fit_intercept=False)
    expected = expected.fit((Z - m) / s, Y - Y.mean(axis=0)).predict((new - m) / s)
    assert np.abs(A @ fit.weights(Y, np.full(5, alpha)) - expected).max() < 1e-4
    R = Y - Y.mean(axis=0)
    found = fit.operator(A, alpha) @ (fit.X.T @ R if fit.primal else R)
    assert np.abs(found - expected).max() < 1e-4
