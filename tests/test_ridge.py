import numpy as np

from brainlm.ridge import Standardizer, edge_counts, fit_ridge


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


def test_edges_are_counted():
    assert edge_counts(np.array([1.0, 1.0, 10.0, 100.0]), np.array([1.0, 10.0, 100.0])) == (2, 1)
