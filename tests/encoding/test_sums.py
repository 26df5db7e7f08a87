"""Ridge regression from sums over blocks of samples: the same numbers as fold by fold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import brainlm.encoding._ridge.together
import brainlm.encoding.ridge
from brainlm.encoding._ridge.sums import SideSums, common_blocks
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks, Groups

SPLITS = {
    "blocks": ContiguousBlocks(5, 3),
    "scattered groups": Groups(np.arange(900) % 11, 4),
    "runs": ContiguousBlocks(5, 2, runs=np.repeat(["a", "b"], 450)),
}


@pytest.fixture
def tall(rng):
    X = rng.standard_normal((900, 40)) * np.logspace(0, -2, 40) + 3
    Y = X[:, :3] + 2 * rng.standard_normal((900, 3)) - 7
    return X, Y


@pytest.fixture
def taken(monkeypatch):
    """Whether each fit went by the sums."""
    found = []
    ours = brainlm.encoding.ridge.fit_from_sums

    def spy(*args):
        found.append(ours(*args))
        return found[-1]

    monkeypatch.setattr(brainlm.encoding.ridge, "fit_from_sums", spy)
    return found


def _directly(monkeypatch, encoder, X, Y, split):
    with monkeypatch.context() as without:
        without.setattr(brainlm.encoding.ridge, "fit_from_sums", lambda *_: False)
        return cross_validate(encoder, X, Y, split)


@settings(deadline=None, max_examples=50)
@given(n=st.integers(1, 40), n_sides=st.integers(1, 12), seed=st.integers(0, 10**6))
def test_every_side_is_the_union_of_its_blocks(n, n_sides, seed):
    rng = np.random.default_rng(seed)
    sides = [np.flatnonzero(rng.random(n) < 0.5) for _ in range(n_sides)]
    member, blocks = common_blocks(sides, n)
    for side, own in zip(sides, member, strict=True):
        parts = [blocks[k] for k in np.flatnonzero(own)]
        np.testing.assert_array_equal(np.sort(np.concatenate([[], *parts])), side)


def test_sums_of_a_side_are_those_of_its_samples(tall):
    X, Y = tall
    sides = [np.arange(300), np.arange(200, 900), np.arange(0, 900, 7)]
    sums = SideSums.of(X, Y, *common_blocks(sides, 900))
    for side, found in zip(sides, sums.products, strict=True):
        D = np.hstack([np.ones((len(side), 1)), np.hstack([X, Y])[side] - sums.origin])
        np.testing.assert_allclose(found, D.T @ D, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
@pytest.mark.parametrize(
    "given",
    [{}, {"standardize": False}, {"widen": True, "alphas": [1.0, 2.0]}, {"alpha_per": "all"}],
    ids=str,
)
def test_nested_scores_are_those_of_every_fold_alone(tall, taken, monkeypatch, split, given):
    encoder = RidgeEncoder(warn_edge=False).set_params(**given)
    found = cross_validate(encoder, *tall, split)
    assert taken == [True]
    expected = _directly(monkeypatch, encoder, *tall, split)
    np.testing.assert_array_equal(found.alphas, expected.alphas)
    np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-11)
    np.testing.assert_allclose(found.inner, expected.inner, rtol=0, atol=1e-11)


def test_single_precision_is_worked_in_double(tall, taken, monkeypatch):
    X, Y = (each.astype(np.float32) for each in tall)
    encoder = RidgeEncoder(warn_edge=False)
    found = cross_validate(encoder, X, Y, SPLITS["blocks"])
    expected = _directly(monkeypatch, encoder, X, Y, SPLITS["blocks"])
    np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-6)
    fitted = RidgeEncoder(warn_edge=False).fit(X, Y)
    assert taken == [True, True]
    assert fitted.coef_.dtype == fitted.predict(X).dtype == np.float32


def test_tensors_give_what_arrays_give(tall, taken):
    torch = pytest.importorskip("torch")
    X, Y = tall
    ours = RidgeEncoder(warn_edge=False).fit(X, Y)
    theirs = RidgeEncoder(warn_edge=False, device="cpu").fit(X, Y)
    tensors = RidgeEncoder(warn_edge=False).fit(torch.from_numpy(X), torch.from_numpy(Y))
    assert taken == [True] * 3
    assert torch.is_tensor(tensors.coef_)
    for other in (theirs, tensors):
        np.testing.assert_array_equal(other.alpha_, ours.alpha_)
        np.testing.assert_allclose(np.asarray(other.coef_), ours.coef_, rtol=1e-9)


def test_layers_are_fitted_from_sums_each(tall, taken):
    X, Y = tall
    wide = np.tile(X, 30) + np.random.default_rng(1).standard_normal((900, 1200))
    narrow, other = RidgeEncoder(warn_edge=False).fit_layers([X, wide], Y)
    assert taken == [True, False]
    np.testing.assert_allclose(narrow.coef_, RidgeEncoder(warn_edge=False).fit(X, Y).coef_)
    assert other.coef_.shape == (3, 1200)


def _spoiled(X, Y, how):
    X, Y = X.copy(), Y.copy()
    if how == "constant outside of one fold":
        X[:, 5] = 0
        X[:100, 5] = 1
    elif how == "an outlier of a feature":
        X[10, 5] = 1e9
    elif how == "an outlier of a target":
        Y[10, 1] = 1e9
    elif how == "penalty below rounding":
        X[:, 1] = X[:, 0] * (1 + 1e-14)
    return X, Y


@pytest.mark.parametrize(
    "how",
    [
        "constant outside of one fold",
        "an outlier of a feature",
        "an outlier of a target",
        "penalty below rounding",
    ],
)
def test_where_rounding_counts_the_direct_way_is_taken(tall, taken, monkeypatch, how):
    X, Y = _spoiled(*tall, how)
    alphas = np.logspace(-8, 4, 7) if how == "penalty below rounding" else np.logspace(-1, 6, 8)
    encoder = RidgeEncoder(alphas, warn_edge=False)
    found = cross_validate(encoder, X, Y, SPLITS["blocks"])
    assert not taken[0]
    expected = _directly(monkeypatch, encoder, X, Y, SPLITS["blocks"])
    np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-11)


@pytest.mark.parametrize("mean", [1e3, 1e6, 1e9])
def test_means_far_above_the_deviations_cost_no_digits(tall, taken, mean):
    """The origin is removed before anything is squared: only the data's own digits are lost."""
    X, Y = tall
    near = cross_validate(RidgeEncoder(warn_edge=False), X, Y, SPLITS["blocks"])
    far = cross_validate(RidgeEncoder(warn_edge=False), X + mean, Y + mean, SPLITS["blocks"])
    assert taken == [True, True]
    np.testing.assert_allclose(far.values, near.values, rtol=0, atol=1e-13 * mean)


def test_the_bound_holds_up_to_where_it_sends_back(tall, taken, monkeypatch):
    """A feature is far off in one fold: scores agree for as long as the sums are used."""
    (X, Y), whole = tall, []
    for size in 10.0 ** np.arange(0, 8):
        moved = X.copy()
        moved[:170, 5] += size
        encoder = RidgeEncoder(np.logspace(0, 6, 7), warn_edge=False)
        found = cross_validate(encoder, moved, Y, SPLITS["blocks"])
        expected = _directly(monkeypatch, encoder, moved, Y, SPLITS["blocks"])
        np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-9)
        whole.append(taken[0])
        taken.clear()
    assert whole[0]
    assert not whole[-1]


def test_rows_that_count_twice_go_the_direct_way(tall, taken, monkeypatch):
    twice = [(np.r_[np.arange(500), np.arange(100)], np.arange(500, 900))]
    encoder = RidgeEncoder(cv=3, warn_edge=False)
    found = cross_validate(encoder, *tall, twice)
    assert not taken[0]
    expected = _directly(monkeypatch, encoder, *tall, twice)
    np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-11)


def test_exact_data_score_one_and_noise_about_zero(tall, taken, rng):
    X, _ = tall
    exact = X @ rng.standard_normal((40, 2))
    noise = rng.standard_normal((900, 50))
    encoder = RidgeEncoder(np.logspace(-6, 6, 7), warn_edge=False)
    assert cross_validate(encoder, X, exact, SPLITS["blocks"]).mean.min() > 1 - 1e-9
    assert abs(cross_validate(encoder, X, noise, SPLITS["blocks"]).mean.mean()) < 0.03
    assert all(taken)


def test_a_subclass_with_its_own_fit_is_fitted_by_it(tall):
    class Twice(RidgeEncoder):
        def fit(self, X, y):
            super().fit(X, y)
            self._weights = 2 * self._weights
            return self

    X, Y = tall
    plain = cross_validate(RidgeEncoder(warn_edge=False), X, Y, 5, keep_predictions=True)
    twice = cross_validate(Twice(warn_edge=False), X, Y, 5, keep_predictions=True)
    assert np.abs(twice.predictions - plain.predictions).max() > 0.1
