"""The equations of the docstrings in plain numpy: each gives exactly what brainlm returns."""

import numpy as np
import pytest

from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.similarity import SimilarityEncoder
from brainlm.encoding.splits import ContiguousBlocks


@pytest.fixture
def data(rng):
    """Items with means, scales and a dominant direction; new items; responses with means."""
    X = 2 * rng.standard_normal((70, 12)) * np.linspace(1, 4, 12) + rng.standard_normal(12)
    Y = X[:, :3] + 3 * rng.standard_normal((70, 3)) + [0.0, 5.0, -20.0]
    return X[:60], Y[:60], X[60:]


def test_ridge_encoder(data):
    X, Y, new = data
    alphas, folds = np.array([1.0, 10.0, 100.0, 1000.0]), list(ContiguousBlocks(4).split(X))
    fitted = RidgeEncoder(alphas, cv=folds, warn_edge=False).fit(X, Y)
    m, s = X.mean(axis=0), X.std(axis=0)
    Z, z = (X - m) / s, (new - m) / s

    def weights(Z, y, a):
        return np.linalg.solve(Z.T @ Z + a * np.eye(12), Z.T @ y)

    for v in range(3):
        y = Y[:, v]
        error, baseline = np.zeros(4), 0.0
        for train, test in folds:
            center, mean = Z[train].mean(axis=0), y[train].mean()
            baseline += np.mean((y[test] - mean) ** 2)
            for k, a in enumerate(alphas):
                w = weights(Z[train] - center, y[train] - mean, a)
                error[k] += np.mean((y[test] - mean - (Z[test] - center) @ w) ** 2)
        r2 = 1 - error / baseline
        np.testing.assert_allclose(fitted.cv_curve_[:, v], r2)
        assert fitted.alpha_[v] == alphas[r2.argmax()]
        assert fitted.cv_r2_[v] == pytest.approx(r2.max())
        predicted = y.mean() + z @ weights(Z, y - y.mean(), fitted.alpha_[v])
        np.testing.assert_allclose(fitted.predict(new)[:, v], predicted)


def _similarities(X, new, center, standardize):
    m = X.mean(axis=0) if center else 0
    s = X.std(axis=0) if standardize else 1
    return np.array([[np.corrcoef((x - m) / s, (i - m) / s)[0, 1] for i in X] for x in new])


FORMS = [(False, False), (True, False), (True, True)]  # center, standardize


@pytest.mark.parametrize(("center", "standardize"), FORMS)
def test_similarity_encoder_anderson(data, center, standardize):
    X, Y, new = data
    c = _similarities(X, new, center, standardize)
    mean = Y.mean(axis=0) if center else 0
    expected = mean + c @ (Y - mean) / np.abs(c).sum(axis=1, keepdims=True)
    encoder = SimilarityEncoder(center=center, standardize=standardize).fit(X, Y)
    np.testing.assert_allclose(encoder.predict(new), expected)


@pytest.mark.parametrize(("center", "standardize"), FORMS)
def test_similarity_encoder_mulcogbench(data, center, standardize):
    X, Y, new = data
    encoder = SimilarityEncoder("mulcogbench", center=center, standardize=standardize).fit(X, Y)
    C = (Y - Y.mean(axis=0)) / Y.std(axis=0)
    np.testing.assert_allclose(encoder.predict(new), _similarities(X, new, center, standardize) @ C)
    others = _similarities(X, X, center, standardize)
    np.fill_diagonal(others, 0)
    r = [np.corrcoef(others @ (Y[:, v] - Y[:, v].mean()), Y[:, v])[0, 1] for v in range(3)]
    np.testing.assert_allclose(encoder.score_leave_one_out(), r)


def test_cross_validate_and_the_means_of_scores(data):
    X, Y, _ = data
    split = ContiguousBlocks(7, gap=1)  # folds of 8 and 9 samples count the same
    encoder = RidgeEncoder([10.0])
    r, r2 = np.empty((2, 7, 3))
    for f, (train, test) in enumerate(split.split(X)):
        p, y = encoder.fit(X[train], Y[train]).predict(X[test]), Y[test]
        r[f] = [np.corrcoef(p[:, v], y[:, v])[0, 1] for v in range(3)]
        residual = (y - y.mean(axis=0)) - (p - p.mean(axis=0))
        r2[f] = 1 - (residual**2).sum(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    scores = cross_validate(encoder, X, Y, split)
    np.testing.assert_allclose(scores.values, r)
    np.testing.assert_allclose(scores.mean, np.tanh(np.arctanh(r).mean(axis=0)))
    np.testing.assert_allclose(cross_validate(encoder, X, Y, split, metric="r2").mean, r2.mean(0))
