import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from brainlm.ridge import Standardizer, edge_counts, fit_ridge, solve_ridge_cv
from brainlm.splits import ContiguousBlocks

ALPHAS = np.logspace(-2, 6, 9)


def _loop(X, Y, folds, alphas):
    """The cross-validated R2 with scikit-learn, one alpha and one fold at a time."""
    error, baseline = np.zeros((len(alphas), Y.shape[1])), np.zeros(Y.shape[1])
    for train, test in folds:
        scale = X[train].std(axis=0)
        scale[scale == 0] = 1
        Z = (X - X[train].mean(axis=0)) / scale
        baseline += np.square(Y[test] - Y[train].mean(axis=0)).mean(axis=0)
        for i, alpha in enumerate(alphas):
            predicted = Ridge(alpha, solver="svd").fit(Z[train], Y[train]).predict(Z[test])
            error[i] += np.square(Y[test] - predicted.reshape(len(test), -1)).mean(axis=0)
    return 1 - error / baseline


@settings(deadline=None, max_examples=30)
@given(
    st.integers(20, 60), st.integers(1, 90), st.integers(1, 5), st.floats(1e-4, 1e4),
    st.booleans(), st.integers(0, 10**6),
)  # fmt: skip
def test_curve_equals_scikit_learn_for_every_shape(n, p, v, scale, collinear, seed):
    rng = np.random.default_rng(seed)
    X = scale * rng.standard_normal((n, p))
    if collinear and p > 1:
        X[:, -1] = 2 * X[:, 0]
    Y = X[:, :1] / scale + rng.standard_normal((n, v))
    folds = list(ContiguousBlocks(4).split(X))
    found = solve_ridge_cv(X, Y, folds, ALPHAS)
    np.testing.assert_allclose(found, _loop(X, Y, folds, ALPHAS), rtol=1e-6, atol=1e-7)


def test_float32_agrees_with_float64(rng):
    X = rng.standard_normal((200, 300))
    Y = X[:, :20] + 3 * rng.standard_normal((200, 20))
    folds = list(ContiguousBlocks(4).split(X))
    double = solve_ridge_cv(X, Y, folds, ALPHAS)
    single = solve_ridge_cv(X.astype(np.float32), Y.astype(np.float32), folds, ALPHAS)
    np.testing.assert_allclose(single, double, atol=1e-4)


def test_blocks_of_targets_change_nothing(rng, monkeypatch):
    X, Y = rng.standard_normal((60, 10)), rng.standard_normal((60, 23))
    folds = list(ContiguousBlocks(3).split(X))
    whole = solve_ridge_cv(X, Y, folds, ALPHAS)
    monkeypatch.setattr("brainlm.ridge.BLOCK_COLUMNS", 5 * len(ALPHAS))
    np.testing.assert_allclose(solve_ridge_cv(X, Y, folds, ALPHAS), whole)


def test_primal_and_kernel_forms_are_the_same_regression(rng):
    X, Y = rng.standard_normal((50, 50)), rng.standard_normal((50, 3))
    primal = fit_ridge(X)
    wide = fit_ridge(np.hstack([X, np.zeros((50, 1))]))  # one feature more: the kernel form
    assert primal.primal
    assert not wide.primal
    alphas = np.array([1.0, 10.0, 100.0])
    W = primal.weights(primal.project_targets(Y), alphas)
    dual = wide.weights(wide.project_targets(Y), alphas)
    np.testing.assert_allclose((wide.X.T @ dual)[:-1], W, atol=1e-9)


def test_a_constant_feature_becomes_zero_however_large(rng):
    X = np.full((30, 1), 0.1) * 1e8
    learned = Standardizer.learn(X, scale=True)
    assert learned.scale[0] == 1
    assert np.abs(learned.apply(X)).max() < 1e-6


def test_edges_are_counted():
    assert edge_counts(np.array([1.0, 1.0, 10.0, 100.0]), np.array([1.0, 10.0, 100.0])) == (2, 1)


@pytest.mark.parametrize("n_features", [5, 80])
def test_noise_has_no_cross_validated_r2_above_zero(rng, n_features):
    X, Y = rng.standard_normal((60, n_features)), rng.standard_normal((60, 200))
    curve = solve_ridge_cv(X, Y, list(ContiguousBlocks(5).split(X)), ALPHAS)
    assert curve.mean(axis=1).max() < 0.01
