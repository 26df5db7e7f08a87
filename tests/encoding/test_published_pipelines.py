"""The published pipelines against small implementations written from their formulas."""

import numpy as np
import pytest

from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.published_pipelines import (
    RandomChunks,
    discourse_encoder,
    huth_encoder,
    meg_bin_encoder,
    scale_items,
    scale_runs,
    trim_runs,
    word_encoder,
)
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks

pytestmark = pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")


def simulate(rng, n=200, p=30, v=6):
    X = rng.standard_normal((n, p)) @ np.diag(np.linspace(2, 0.1, p)) + 1
    Y = X @ rng.standard_normal((p, v)) * np.linspace(0, 0.6, v) + 3 * rng.standard_normal((n, v))
    return X, Y


def z(values, like):
    return (values - like.mean(axis=0)) / like.std(axis=0)


@pytest.mark.parametrize("single_alpha", [False, True])
@pytest.mark.parametrize("p", [30, 150])
def test_bootstrap_ridge_of_the_huth_lab(rng, single_alpha, p):
    """Singular values shrunk by s / (s^2 + a^2); a by the mean correlation over held-out chunks."""
    X, Y = simulate(rng, p=p)
    encoder = huth_encoder(n_bootstraps=6, chunk=10, single_alpha=single_alpha).fit(X, Y)
    grid = np.logspace(1, 3, 10)
    mean_r = np.zeros((10, Y.shape[1]))
    for train, test in RandomChunks(6, 10).split(X):
        U, s, Vt = np.linalg.svd(z(X[train], X[train]), full_matrices=False)
        for i, a in enumerate(grid):
            w = Vt.T @ np.diag(s / (s**2 + a**2)) @ U.T @ z(Y[train], Y[train])
            predicted = z(X[test], X[train]) @ w
            for v in range(Y.shape[1]):
                mean_r[i, v] += np.corrcoef(predicted[:, v], Y[test, v])[0, 1] / 6
    np.testing.assert_allclose(encoder.cv_curve_, mean_r, atol=1e-9)
    best = mean_r.argmax(axis=0)
    if single_alpha:
        best[:] = mean_r.mean(axis=1).argmax()
    np.testing.assert_allclose(encoder.alpha_, grid[best] ** 2)
    U, s, Vt = np.linalg.svd(z(X, X), full_matrices=False)
    for v, a in enumerate(grid[best]):
        w = Vt.T @ ((s / (s**2 + a**2)) * (U.T @ (Y[:, v] - Y[:, v].mean())))
        np.testing.assert_allclose(
            encoder.predict(X)[:, v], z(X, X) @ w + Y[:, v].mean(), atol=1e-8
        )


def by_hand(X, Y, penalties):
    """Nested 5 x 5 contiguous folds, one penalty per outer fold; r of each test fold."""
    scores, chosen = [], []
    for train, test in ContiguousBlocks(5).split(X):
        error = np.zeros((len(penalties), Y.shape[1]))
        baseline = np.zeros(Y.shape[1])
        for inner, held in ContiguousBlocks(5).split(train):
            a, b = train[inner], train[held]
            baseline += np.square(Y[b] - Y[a].mean(axis=0)).mean(axis=0)
            for i, penalty in enumerate(penalties):
                error[i] += np.square(Y[b] - ridge(X[a], Y[a], X[b], penalty)).mean(axis=0)
        penalty = penalties[(1 - error / baseline).mean(axis=1).argmax()]
        predicted = ridge(X[train], Y[train], X[test], penalty)
        scores.append([np.corrcoef(predicted[:, v], Y[test, v])[0, 1] for v in range(Y.shape[1])])
        chosen.append(penalty)
    return np.array(scores), np.array(chosen)


def ridge(X, Y, new, penalty):
    Xc, Yc = X - X.mean(axis=0), Y - Y.mean(axis=0)
    w = np.linalg.solve(Xc.T @ Xc + penalty * np.eye(X.shape[1]), Xc.T @ Yc)
    return (new - X.mean(axis=0)) @ w + Y.mean(axis=0)


def test_the_discourse_pipeline(rng):
    X, Y = simulate(rng)
    runs = np.repeat(["1", "2"], 100)
    scaled = scale_runs(X, runs)
    for run in ("1", "2"):
        own = X[runs == run]
        np.testing.assert_allclose(scaled[runs == run], (own - own.mean()) / own.std())
    found = cross_validate(discourse_encoder(), scaled, Y, ContiguousBlocks(5))
    r, chosen = by_hand(scaled, Y, np.logspace(-3, 3, 10) ** 2)
    np.testing.assert_allclose(found.values, r, atol=1e-7)
    np.testing.assert_allclose(found.alphas, np.repeat(chosen[:, None], 6, axis=1))


def test_the_word_pipeline(rng):
    X, Y = simulate(rng)
    items = scale_items(X)
    np.testing.assert_allclose(items.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(items.std(axis=1), 1)
    found = cross_validate(word_encoder(), items, Y, ContiguousBlocks(5))
    r, chosen = by_hand(items, Y, np.logspace(-4, 4, 10))
    np.testing.assert_allclose(found.values, r, atol=1e-7)
    np.testing.assert_allclose(found.alphas[:, 0], chosen)


def test_meg_bins_have_one_alpha_each_and_sensors_are_chosen_inside(rng):
    X = rng.standard_normal((300, 8))
    Y = rng.standard_normal((300, 40))  # 20 sensors x 2 bins
    Y[:, :10:2] += 2 * X[:, :5]
    bins = ["0ms", "100ms"] * 20
    scores = cross_validate(meg_bin_encoder(bins), X, Y, ContiguousBlocks(5))
    for name in ("0ms", "100ms"):
        own = np.flatnonzero(np.array(bins) == name)
        assert (scores.alphas[:, own] == scores.alphas[:, own[:1]]).all()
    assert scores.mean_of_best(5).min() > 0.7


def test_choosing_sensors_on_the_scored_data_finds_effects_in_noise_and_choosing_inside_does_not(
    rng,
):
    inside, double = [], []
    for _ in range(40):
        X, Y = rng.standard_normal((120, 10)), rng.standard_normal((120, 100))
        scores = cross_validate(RidgeEncoder([10.0]), X, Y, ContiguousBlocks(5))
        inside.append(scores.mean_of_best(10).mean())
        double.append(np.sort(scores.mean)[-10:].mean())
    assert abs(np.mean(inside)) < 0.02
    assert np.mean(double) > 0.1


def test_random_chunks_are_disjoint_and_unbroken():
    folds = list(RandomChunks(20, 10).split(np.zeros((105, 1))))
    assert len(folds) == 20
    for train, test in folds:
        assert not set(train) & set(test)
        assert len(train) + len(test) == 105
        assert len(test) == 20
        assert (np.diff(test.reshape(-1, 10), axis=1) == 1).all()
    assert {tuple(test) for _, test in folds} != {tuple(folds[0][1])}
    with pytest.raises(ValueError, match="105 samples make 2 chunks of 50"):
        next(RandomChunks(chunk=50).split(np.zeros((105, 1))))


def test_trimming_goes_by_run():
    runs = np.repeat(["a", "b"], [5, 6])
    np.testing.assert_array_equal(trim_runs(runs, 2, 1), [2, 3, 7, 8, 9])
    with pytest.raises(ValueError, match="run 'a' has 5 samples"):
        trim_runs(runs, 3, 2)


def test_scales_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="run '2'"):
        scale_runs(np.r_[np.eye(2), np.ones((2, 2))], np.array(["1", "1", "2", "2"]))
    with pytest.raises(ValueError, match="row 1"):
        scale_items(np.array([[1.0, 2.0], [3.0, 3.0]]))


def test_the_best_targets_need_inner_scores(rng):
    X, Y = rng.standard_normal((60, 3)), rng.standard_normal((60, 4))
    scores = cross_validate(RidgeEncoder(), X, Y, ContiguousBlocks(3))
    with pytest.raises(ValueError, match="between 1 and 4"):
        scores.mean_of_best(5)
    with pytest.raises(ValueError, match="criterion 'R'"):
        RidgeEncoder(criterion="R").fit(X, Y)
