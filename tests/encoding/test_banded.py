import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

import brainlm.encoding._ridge.search as search
import brainlm.encoding.banded as banded
from brainlm.encoding._ridge.gradient import from_deltas, to_deltas
from brainlm.encoding.banded import BandedRidgeEncoder
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks

ALPHAS = np.logspace(-1, 5, 13)


@parametrize_with_checks([BandedRidgeEncoder(n_draws=4, warn_edge=False)])
@pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API.*")
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)


def _two_bands(rng, n_samples=200, sizes=(10, 300), noise=1.0):
    """Targets 0-2 follow the small band, 3-5 the large one, 6-8 nothing."""
    X = rng.standard_normal((n_samples, sum(sizes))) * 3 + 1
    Y = noise * rng.standard_normal((n_samples, 9))
    Y[:, :3] += X[:, : sizes[0]] @ rng.standard_normal((sizes[0], 3)) / 3
    Y[:, 3:6] += X[:, sizes[0] :] @ rng.standard_normal((sizes[1], 3)) / 9
    return X, Y


@pytest.mark.parametrize("n_samples", [50, 200])  # kernel and primal form
def test_one_draw_over_bands_of_one_size_is_ridge(rng, n_samples):
    X, Y = _two_bands(rng, n_samples, sizes=(40, 40))
    banded = BandedRidgeEncoder([40, 40], n_draws=1, alphas=ALPHAS, warn_edge=False).fit(X, Y)
    plain = RidgeEncoder(ALPHAS, warn_edge=False).fit(X, Y)
    np.testing.assert_array_equal(banded.alpha_, plain.alpha_)
    np.testing.assert_allclose(banded.predict(X), plain.predict(X), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(banded.coef_, plain.coef_, rtol=1e-7, atol=1e-9)


def test_the_fit_is_the_regression_that_the_equation_says(rng):
    X, Y = _two_bands(rng, sizes=(10, 30))
    encoder = BandedRidgeEncoder([10, 30], n_draws=12, alphas=ALPHAS, warn_edge=False).fit(X, Y)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    for v in range(9):
        share = encoder.shares_[:, v]
        factor = np.sqrt(np.repeat(share * 40 / np.array([10, 30]), [10, 30]))
        theirs = Ridge(encoder.alpha_[v], solver="svd").fit(Z * factor, Y[:, v])
        np.testing.assert_allclose(encoder.predict(X)[:, v], theirs.predict(Z * factor), rtol=1e-7)


@pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")  # noise targets
def test_planted_bands_are_found_and_beat_one_penalty(rng):
    X, Y = _two_bands(rng)
    wide = np.logspace(-3, 9, 25)
    banded = BandedRidgeEncoder([10, 300], n_draws=12, alphas=wide, warn_edge=False)
    found = banded.fit(X, Y).shares_
    assert (found[0, :3] > 0.8).all()
    assert (found[1, 3:6] > 0.5).all()
    split = ContiguousBlocks(4)
    gain = (
        cross_validate(banded, X, Y, split).mean
        - cross_validate(RidgeEncoder(ALPHAS, warn_edge=False), X, Y, split).mean
    )
    assert gain[:3].mean() > 0.1  # a small space drowns beside a large one under one penalty
    assert abs(gain[6:].mean()) < 0.1


def test_split_scores_add_up_to_the_joint_score(rng):
    X, Y = _two_bands(rng)
    encoder = BandedRidgeEncoder([10, 300], alphas=ALPHAS, warn_edge=False).fit(X[:150], Y[:150])
    predicted, truth = encoder.predict(X[150:]), Y[150:] - Y[150:].mean(axis=0)
    predicted = predicted - predicted.mean(axis=0)
    joint = 1 - np.square(truth - predicted).sum(axis=0) / np.square(truth).sum(axis=0)
    split = encoder.split_scores(X[150:], Y[150:])
    np.testing.assert_allclose(split.sum(axis=0), joint, atol=1e-10)
    assert (split[0, :3] > 0.5).all()
    assert np.abs(split[1, :3]).max() < 0.1


def test_the_parts_of_the_bands_add_up_to_the_prediction(rng):
    X, Y = _two_bands(rng)
    encoder = BandedRidgeEncoder(["a"] * 10 + ["b"] * 300, n_draws=5, warn_edge=False).fit(X, Y)
    assert encoder.bands_ == ["a", "b"]
    parts = encoder.predict_bands(X).sum(axis=0) + Y.mean(axis=0)
    np.testing.assert_allclose(parts, encoder.predict(X))


@pytest.mark.parametrize(
    ("bands", "message"),
    [([10, 20], "add up to 310"), (["a", "b"], "names 2 features, X has 310"), ([0, 310], "sizes")],
)
def test_bands_that_do_not_fit_are_refused(rng, bands, message):
    with pytest.raises(ValueError, match=message):
        BandedRidgeEncoder(bands).fit(*_two_bands(rng))


def test_kernel_weights_and_shares_are_two_ways_to_say_one_thing(rng):
    sizes = np.array([3, 8])
    shares = rng.dirichlet([9, 9], size=5).T
    alpha = rng.uniform(1, 100, 5)
    found, again = from_deltas(to_deltas(shares, alpha, sizes), sizes)
    np.testing.assert_allclose(found, shares)
    np.testing.assert_allclose(again, alpha)


def test_gradient_steps_improve_the_choice_of_a_coarse_search(rng):
    n, sizes = 200, [10, 40, 40]
    X = rng.standard_normal((n, 90))
    w = rng.standard_normal((90, 6)) * np.repeat([1.0, 0.15, 0.0], sizes)[:, None]
    Y = X @ w + 2 * rng.standard_normal((n, 6))
    settings = {"n_draws": 4, "alphas": np.logspace(-1, 4, 6), "warn_edge": False}
    coarse = BandedRidgeEncoder(sizes, **settings).fit(X, Y)
    refined = BandedRidgeEncoder(sizes, n_steps=50, **settings).fit(X, Y)
    assert (refined.cv_r2_ >= coarse.cv_r2_).all()
    assert refined.cv_r2_.mean() > coarse.cv_r2_.mean() + 0.01
    np.testing.assert_allclose(refined.shares_.sum(axis=0), 1)
    for v in range(6):  # the weights are those of the equation
        penalty = refined.alpha_[v] * np.array(sizes) / (90 * refined.shares_[:, v])
        Z = (X - X.mean(axis=0)) / X.std(axis=0)
        own = np.linalg.solve(
            Z.T @ Z + np.diag(np.repeat(penalty, sizes)), Z.T @ (Y[:, v] - Y[:, v].mean())
        )
        np.testing.assert_allclose(refined.coef_[v] * X.std(axis=0), own, atol=1e-6)
    with pytest.raises(ValueError, match="alpha_per='target'"):
        BandedRidgeEncoder(sizes, n_steps=2, alpha_per="all", **settings).fit(X, Y)


@pytest.mark.parametrize("at_once", [1, 1 << 30])
def test_draws_share_a_pass_over_the_data(rng, monkeypatch, at_once):
    """From sums over blocks, and together in one search: the shares of one draw at a time."""
    monkeypatch.setattr(search, "SPACES_BYTES", at_once)
    X = rng.standard_normal((600, 24))
    X[:, 4] = 1  # carries nothing
    Y = X[:, :3] + 2 * rng.standard_normal((600, 3))
    encoder = BandedRidgeEncoder([4, 20], n_draws=8, cv=ContiguousBlocks(5, 2), warn_edge=False)
    sums = clone(encoder).fit(X, Y)
    monkeypatch.setattr(banded, "side_sums", lambda *_: None)
    direct = clone(encoder).fit(X, Y)
    np.testing.assert_array_equal(sums.shares_, direct.shares_)
    np.testing.assert_array_equal(sums.alpha_, direct.alpha_)
    np.testing.assert_allclose(sums.cv_r2_, direct.cv_r2_, atol=1e-12)
    np.testing.assert_allclose(sums.coef_, direct.coef_, atol=1e-12)
