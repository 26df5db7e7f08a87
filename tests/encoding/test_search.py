import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from sklearn.linear_model import Ridge

import brainlm.encoding._ridge.search
from brainlm.encoding._ridge.search import (
    FILTER_TOLERANCE,
    SMALLEST_FILTER,
    choose_poles,
    solve_ridge_cv,
)
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks, Groups

ALPHAS = np.logspace(-2, 6, 9)


def _loop(X, Y, folds, alphas):
    """The cross-validated R2 with scikit-learn, one alpha and one fold at a time."""
    X, Y = X.astype(float), Y.astype(float)
    scale = X.std(axis=0)
    scale[scale <= 1e-15 * np.abs(X.mean(axis=0))] = 1
    Z = (X - X.mean(axis=0)) / scale
    error, baseline = np.zeros((len(alphas), Y.shape[1])), np.zeros(Y.shape[1])
    for train, test in folds:
        baseline += np.square(Y[test] - Y[train].mean(axis=0)).mean(axis=0)
        for i, alpha in enumerate(alphas):
            predicted = Ridge(alpha, solver="svd").fit(Z[train], Y[train]).predict(Z[test])
            error[i] += np.square(Y[test] - predicted.reshape(len(test), -1)).mean(axis=0)
    return 1 - error / baseline


def _relative(found, expected):
    """Largest difference, in units of 1 + |R2|: a bad penalty's R2 can be -1e6."""
    return (np.abs(found - expected) / (1 + np.abs(expected))).max()


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(20, 60),
    p=st.integers(1, 90),
    v=st.sampled_from([1, 5, 70]),
    scale=st.floats(1e-6, 1e6),
    collinear=st.booleans(),
    gap=st.integers(0, 2),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 10**6),
)
def test_curve_equals_scikit_learn_for_every_shape(n, p, v, scale, collinear, gap, dtype, seed):
    rng = np.random.default_rng(seed)
    X = (scale * rng.standard_normal((n, p))).astype(dtype)
    if collinear and p > 1:
        X[:, -1] = 2 * X[:, 0]
    Y = (X[:, :1] / scale + rng.standard_normal((n, v))).astype(dtype)
    folds = list(ContiguousBlocks(4, gap).split(X))
    expected = _loop(X, Y, folds, ALPHAS)
    limit = 1e-7 if dtype is np.float64 else 2e-3
    assert _relative(solve_ridge_cv(X, Y, folds, ALPHAS), expected) < limit


@pytest.mark.parametrize("n_targets", [5, 100])  # shared decomposition, operators
@pytest.mark.parametrize("n_features", [1, 30, 59, 60, 150])
def test_the_most_extreme_penalties_equal_scikit_learn(rng, n_features, n_targets):
    X = rng.standard_normal((60, n_features)) * np.linspace(1, 30, n_features) + 5
    Y = X[:, :1] + rng.standard_normal((60, n_targets))
    folds = list(ContiguousBlocks(4).split(X))
    alphas = np.logspace(-6, 12, 10)
    assert _relative(solve_ridge_cv(X, Y, folds, alphas), _loop(X, Y, folds, alphas)) < 1e-7


def test_folds_of_groups_that_lie_scattered_equal_scikit_learn(rng):
    X, Y = rng.standard_normal((60, 80)), rng.standard_normal((60, 3))
    folds = list(Groups(np.arange(60) % 7, 3).split(X))
    assert _relative(solve_ridge_cv(X, Y, folds, ALPHAS), _loop(X, Y, folds, ALPHAS)) < 1e-9


@pytest.mark.parametrize("n_features", [20, 300])
@pytest.mark.parametrize("n_targets", [50, 400])
def test_the_fast_search_chooses_within_a_thousandth(rng, monkeypatch, n_features, n_targets):
    monkeypatch.setattr(
        brainlm.encoding._ridge.search, "SMALL", 0
    )  # fast in spite of the small problem
    spread = np.arange(1, n_features + 1) ** -0.7  # spectra of language models fall like this
    X = (rng.standard_normal((200, n_features)) * spread) @ np.linalg.qr(
        rng.standard_normal((n_features, n_features))
    )[0]
    signal = X @ rng.standard_normal((n_features, n_targets))
    signal *= rng.uniform(0, 2, n_targets) / signal.std(axis=0)
    Y = signal + rng.standard_normal((200, n_targets))
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    folds = list(ContiguousBlocks(5, 2).split(X))
    alphas = np.logspace(-1, 7, 20)
    fast = solve_ridge_cv(X, Y, folds, alphas)
    exact = solve_ridge_cv(X, Y, folds, alphas, search="exact")
    loss = exact.max(axis=0) - exact[fast.argmax(axis=0), np.arange(n_targets)]
    assert np.quantile(loss, 0.99) < 1e-3
    chosen = fast.argmax(axis=0), np.arange(n_targets)
    assert np.abs(fast[chosen] - exact[chosen]).max() < 0.01
    assert not np.array_equal(fast, exact)  # it did go the other way


@pytest.mark.parametrize("n_features", [60, 240])  # 240: as many as inner training samples
def test_the_fast_search_chooses_well_on_slow_features(rng, monkeypatch, n_features):
    n, n_targets = 300, 200
    slow = lfilter([np.sqrt(1 - 0.95**2)], [1, -0.95], rng.standard_normal((n, 440)), axis=0)
    X, noise = slow[:, :n_features], slow[:, -n_targets:]
    signal = X @ rng.standard_normal((n_features, n_targets))
    Y = signal * rng.uniform(0, 1.5, n_targets) / signal.std(axis=0) + noise
    folds = list(ContiguousBlocks(5, 4).split(X))
    exact = RidgeEncoder(cv=folds, search="exact", warn_edge=False).fit(X, Y)
    assert RidgeEncoder(cv=folds, warn_edge=False).fit(X, Y).cv_curve_ is not None  # small
    monkeypatch.setattr(brainlm.encoding._ridge.search, "SMALL", 0)
    fast = RidgeEncoder(cv=folds, warn_edge=False).fit(X, Y)
    at = np.searchsorted(fast.alphas_, fast.alpha_), np.arange(n_targets)
    loss = exact.cv_curve_.max(axis=0) - exact.cv_curve_[at]
    assert (loss < 1e-3).mean() > 0.97
    assert loss.max() < 0.05
    assert np.abs(fast.cv_r2_ - exact.cv_curve_[at]).max() < 0.05
    assert fast.cv_curve_ is None


def test_half_precision_chooses_like_single(rng, monkeypatch):
    monkeypatch.setattr(brainlm.encoding._ridge.search, "SMALL", 0)
    X = rng.standard_normal((600, 200)).astype(np.float32)
    signal = np.hstack([X, X[:, :50]])  # more targets than features: few are never rounded
    Y = signal * rng.uniform(0, 3, 250) + 5 * rng.standard_normal((600, 250))
    Y = Y.astype(np.float32)
    folds = list(ContiguousBlocks(5).split(X))
    curves = []
    for half in (True, False):
        monkeypatch.setattr(
            brainlm.encoding._ridge.search, "half_is_fast", lambda X, half=half: half
        )
        curves.append(solve_ridge_cv(X, Y, folds, ALPHAS))
    best = curves[1].max(axis=0)
    loss = best - curves[1][curves[0].argmax(axis=0), np.arange(250)]
    assert loss.max() < 1e-3
    assert not np.array_equal(*curves)


def test_poles_reproduce_the_filters_of_the_whole_grid(rng):
    eigenvalues = np.geomspace(1e-2, 1e6, 500)
    alphas = np.logspace(-1, 7, 20)
    used, mixing = choose_poles(eigenvalues, alphas)
    filters = eigenvalues[:, None] / (eigenvalues[:, None] + alphas)
    assert len(used) < 15
    error = np.abs(filters[:, used] @ mixing - filters) / np.maximum(filters, SMALLEST_FILTER)
    assert error.max() < 1.5 * FILTER_TOLERANCE
    np.testing.assert_array_equal(mixing[:, used], np.eye(len(used)))


def test_a_flat_spectrum_needs_fewer_poles():
    alphas = np.logspace(-1, 7, 20)
    flat, _ = choose_poles(np.linspace(100, 1000, 50), alphas)
    wide, _ = choose_poles(np.geomspace(1e-2, 1e6, 50), alphas)
    assert len(flat) < len(wide)


@pytest.mark.parametrize("n_features", [10, 90])
def test_blocks_of_targets_change_nothing(rng, monkeypatch, n_features):
    X, Y = rng.standard_normal((60, n_features)), rng.standard_normal((60, 83))
    folds = list(ContiguousBlocks(3).split(X))
    whole = solve_ridge_cv(X, Y, folds, ALPHAS)
    monkeypatch.setattr("brainlm.encoding._ridge.search.BLOCK_BYTES", 1)
    np.testing.assert_allclose(solve_ridge_cv(X, Y, folds, ALPHAS), whole, rtol=1e-10, atol=1e-12)


def test_targets_come_from_anything_that_gives_columns(rng, tmp_path):
    import h5py

    X, Y = rng.standard_normal((60, 10)), rng.standard_normal((60, 83))
    folds = list(ContiguousBlocks(3).split(X))
    with h5py.File(tmp_path / "responses.h5", "w") as file:
        stored = file.create_dataset("Y", data=Y)
        np.testing.assert_array_equal(
            solve_ridge_cv(X, stored, folds, ALPHAS), solve_ridge_cv(X, Y, folds, ALPHAS)
        )


@pytest.mark.parametrize("n_targets", [1, 100])
def test_the_arrays_of_the_caller_stay_as_they_were(rng, n_targets):
    X, Y = rng.standard_normal((40, 60)), 5 + rng.standard_normal((40, n_targets))
    before = X.copy(), Y.copy()
    RidgeEncoder(ALPHAS, warn_edge=False).fit(X, Y)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(Y, before[1])


def test_one_alpha_for_each_group_is_the_best_on_average(rng):
    X = rng.standard_normal((80, 20))
    Y = X[:, :6] * np.array([3, 3, 3, 0.2, 0.2, 0.2]) + rng.standard_normal((80, 6))
    groups = ["front", "front", "front", "back", "back", "back"]
    encoder = RidgeEncoder(alpha_per="group", groups=groups, warn_edge=False).fit(X, Y)
    for own in (slice(0, 3), slice(3, 6)):
        best = encoder.alphas_[encoder.cv_curve_[:, own].mean(axis=1).argmax()]
        assert set(encoder.alpha_[own]) == {best}
    assert encoder.alpha_[0] != encoder.alpha_[3]
    with pytest.raises(ValueError, match=r"group of each of 6 targets .* got 2 entries"):
        RidgeEncoder(alpha_per="group", groups=["a", "b"]).fit(X, Y)


@pytest.mark.parametrize("n_features", [5, 80])
def test_noise_has_no_cross_validated_r2_above_zero(rng, n_features):
    X, Y = rng.standard_normal((60, n_features)), rng.standard_normal((60, 200))
    curve = solve_ridge_cv(X, Y, list(ContiguousBlocks(5).split(X)), ALPHAS)
    assert curve.mean(axis=1).max() < 0.01


def test_an_unknown_search_is_answered_with_the_choices(rng):
    X, Y = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    with pytest.raises(ValueError, match="fast, exact"):
        solve_ridge_cv(X, Y, list(ContiguousBlocks(3).split(X)), search="quick")


@pytest.mark.parametrize("n_features", [30, 90])
def test_products_by_another_library_change_nothing_but_rounding(rng, monkeypatch, n_features):
    X = rng.standard_normal((60, n_features)).astype(np.float32)
    Y = (X[:, :1] + rng.standard_normal((60, 83))).astype(np.float32)
    folds = list(ContiguousBlocks(3, 1).split(X))
    fits = []
    for narrow in (False, True):
        monkeypatch.setattr("brainlm.compute.products.blas_is_narrow", lambda narrow=narrow: narrow)
        monkeypatch.setattr("brainlm.compute.products.LARGE", 1)
        curve = solve_ridge_cv(X, Y, folds, ALPHAS)
        monkeypatch.setattr(brainlm.encoding._ridge.search, "SMALL", 0)
        fits.append((curve, RidgeEncoder(ALPHAS, cv=folds, warn_edge=False).fit(X, Y).coef_))
        monkeypatch.setattr(brainlm.encoding._ridge.search, "SMALL", 2e10)
    for first, second in zip(*fits, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)


def test_a_pole_is_left_out_where_the_others_can_make_up_for_it():
    eigenvalues, alphas = np.geomspace(1e-2, 1e6, 500), np.logspace(-1, 7, 20)
    filters = eigenvalues[:, None] / (eigenvalues[:, None] + alphas)
    used, _ = choose_poles(eigenvalues, alphas)
    for k in range(len(used)):  # none is left that could go by itself
        assert (
            brainlm.encoding._ridge.search._errors(filters, np.delete(used, k)).max()
            > FILTER_TOLERANCE
        )
    greedy = np.array([0, 19])  # what adding one by one ends with
    while (
        error := brainlm.encoding._ridge.search._errors(filters, greedy)
    ).max() > FILTER_TOLERANCE:
        greedy = np.sort(np.r_[greedy, error.argmax()])
    assert len(used) < len(greedy)
