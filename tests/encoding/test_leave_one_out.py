"""RidgeEncoder with folds of one sample each, in closed form."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import LeaveOneOut
from sklearn.preprocessing import StandardScaler

from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks

ALPHAS = np.logspace(-1, 4, 11)


@pytest.mark.parametrize("n_features", [1, 8, 30, 150])  # primal and kernel form
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_chooses_what_scikit_learn_chooses(rng, n_features, dtype):
    X = (rng.standard_normal((60, n_features)) + 3).astype(dtype)
    Y = (X[:, :1] + 2 * rng.standard_normal((60, 4)) - 5).astype(dtype)
    ours = RidgeEncoder(ALPHAS, cv=LeaveOneOut(), warn_edge=False).fit(X, Y)
    Z = StandardScaler().fit_transform(X.astype(float))
    theirs = RidgeCV(ALPHAS, alpha_per_target=True).fit(Z, Y.astype(float))
    np.testing.assert_allclose(ours.alpha_, theirs.alpha_)
    np.testing.assert_allclose(
        ours.predict(X), theirs.predict(Z), rtol=0, atol=1e-9 if dtype == np.float64 else 1e-3
    )
    error = (1 - ours.cv_r2_) * Y.astype(float).var(axis=0) * (60 / 59) ** 2
    np.testing.assert_allclose(
        error, -theirs.best_score_, rtol=1e-9 if dtype == np.float64 else 1e-3
    )


@pytest.mark.parametrize("n_features", [5, 70])
def test_it_is_the_folds_of_one_sample_each(rng, n_features):
    X, Y = rng.standard_normal((40, n_features)), rng.standard_normal((40, 3))
    folds = [(np.delete(np.arange(40), i), np.array([i])) for i in range(40)]
    closed = RidgeEncoder(ALPHAS, cv=LeaveOneOut(), warn_edge=False).fit(X, Y)
    one_by_one = RidgeEncoder(ALPHAS, cv=folds, warn_edge=False).fit(X, Y)
    np.testing.assert_allclose(closed.cv_curve_, one_by_one.cv_curve_, atol=1e-10)


def test_layers_tensors_and_outer_folds_take_it_too(rng):
    torch = pytest.importorskip("torch")
    X, Y = rng.standard_normal((60, 12)), rng.standard_normal((60, 3))
    encoder = RidgeEncoder(ALPHAS, cv=LeaveOneOut(), warn_edge=False)
    alone = RidgeEncoder(**encoder.get_params()).fit(X, Y)
    (layer,) = encoder.fit_layers([X], Y)
    tensor = RidgeEncoder(**encoder.get_params()).fit(torch.from_numpy(X), torch.from_numpy(Y))
    for other in (layer, tensor):
        np.testing.assert_allclose(other.cv_curve_, alone.cv_curve_, atol=1e-12)
    split = ContiguousBlocks(3)
    train, _ = next(split.split(X))
    scores = cross_validate(encoder, X, Y, split)
    expected = RidgeEncoder(**encoder.get_params()).fit(X[train], Y[train])
    np.testing.assert_allclose(scores.alphas[0], expected.alpha_)


def test_penalties_lost_in_rounding_go_the_long_way(rng):
    X, Y = rng.standard_normal((30, 4)), rng.standard_normal((30, 2))
    grid = np.logspace(-12, 2, 8)
    found = RidgeEncoder(grid, cv=LeaveOneOut(), warn_edge=False).fit(X, Y)
    Z = StandardScaler().fit_transform(X)
    theirs = RidgeCV(grid, alpha_per_target=True).fit(Z, Y)
    np.testing.assert_allclose(found.alpha_, theirs.alpha_)


def test_exact_data_score_one_and_noise_does_not(rng):
    X = rng.standard_normal((300, 10))
    Y = np.c_[X @ rng.standard_normal(10), rng.standard_normal(300)]
    fitted = RidgeEncoder(np.logspace(-6, 5, 12), cv=LeaveOneOut(), warn_edge=False).fit(X, Y)
    assert fitted.cv_r2_[0] > 1 - 1e-9
    assert abs(fitted.cv_r2_[1]) < 0.05
