import numpy as np
import pytest

from brainlm.encoding.similarity import (
    column_shift_and_scale,
    leave_one_out,
    leave_one_out_scores,
    similarity_predict,
)


def test_leave_one_out_equals_the_matrix_form(rng):
    X, Y = rng.standard_normal((50, 20)) + 2, rng.standard_normal((50, 3))
    M = np.corrcoef(X)
    C = (Y - Y.mean(0)) / Y.std(0)
    expected = (M - np.eye(50)) @ C
    np.testing.assert_allclose(leave_one_out(X, Y, center=False), expected, atol=1e-12)


def test_leave_one_out_is_a_sum_over_the_other_items(rng):
    """Changing the response of an item does not change its own prediction (identity)."""
    X, Y = rng.standard_normal((40, 10)), rng.standard_normal((40, 2))
    Z = X - X.mean(1, keepdims=True)
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    other = Y.copy()
    other[7] = 100.0
    # z-scoring mixes all items, so the raw weighted sums are compared
    raw = (Z @ (Z.T @ Y) - Y)[7]
    np.testing.assert_allclose((Z @ (Z.T @ other) - other)[7], raw, atol=1e-12)
    assert leave_one_out(X, other).shape == (40, 2)


def test_exact_data_score_one_and_noise_about_zero(rng):
    basis = np.linalg.qr(rng.standard_normal((30, 8)))[0].T
    label = np.tile(np.arange(8), 20)
    Y = rng.standard_normal((8, 4))[label]
    assert (leave_one_out_scores(basis[label], Y) > 0.99).all()
    noise = leave_one_out_scores(rng.standard_normal((400, 300)), rng.standard_normal((400, 50)))
    assert abs(noise.mean()) < 0.03


def test_a_common_direction_drives_the_published_form_to_minus_one_but_not_the_centred(rng):
    X = rng.standard_normal((400, 300))
    Y = X @ rng.standard_normal((300, 10)) + rng.standard_normal((400, 10))
    shifted = X + 8 * rng.standard_normal(300)
    noise = rng.standard_normal((400, 10))
    assert leave_one_out_scores(shifted, noise, center=False).mean() < -0.9
    assert abs(leave_one_out_scores(shifted, noise).mean()) < 0.05
    np.testing.assert_allclose(
        leave_one_out_scores(shifted, Y), leave_one_out_scores(X, Y), atol=1e-10
    )


def test_a_constant_added_to_the_targets_moves_the_centred_prediction_by_it(rng):
    X, Y = rng.standard_normal((60, 15)), rng.standard_normal((40, 2))
    plain = similarity_predict(X[40:], X[:40], Y)
    np.testing.assert_allclose(similarity_predict(X[40:], X[:40], Y + 50), plain + 50)


def test_blocks_of_rows_change_nothing(rng, monkeypatch):
    X, Y = rng.standard_normal((60, 15)), rng.standard_normal((40, 2))
    whole = similarity_predict(X[40:], X[:40], Y)
    monkeypatch.setattr("brainlm.encoding.similarity.BLOCK_ELEMENTS", 3 * 40)
    np.testing.assert_allclose(similarity_predict(X[40:], X[:40], Y), whole)


def test_flat_rows_and_a_single_feature_are_refused(rng):
    X = rng.standard_normal((20, 5))
    X[3] = 4.0
    with pytest.raises(ValueError, match="row 3"):
        leave_one_out(X, X, center=False)
    with pytest.raises(ValueError, match="single feature"):
        leave_one_out(X[:, :1], X)
    with pytest.raises(ValueError, match="20 items and Y 19"):
        leave_one_out(X, X[1:])


def test_blocks_of_targets_change_nothing(rng, monkeypatch):
    X, Y = rng.standard_normal((60, 15)), rng.standard_normal((60, 7))
    whole = leave_one_out_scores(X, Y, center=False)
    monkeypatch.setattr("brainlm.encoding.similarity.BLOCK_ELEMENTS", 2 * 60)
    np.testing.assert_allclose(leave_one_out_scores(X, Y, center=False), whole)
    with pytest.raises(ValueError, match="60 items and Y 59"):
        leave_one_out_scores(X, Y[1:])


def test_columns_of_large_variance_decide_unless_standardised():
    """A rogue dimension that says nothing hides those that responses were made from."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 20))
    Y = X[:, 1:] @ rng.standard_normal((19, 10))
    X[:, 0] *= 100
    centred = leave_one_out_scores(X, Y).mean()
    whole = leave_one_out_scores(X, Y, standardize=True).mean()
    assert centred < 0.2
    assert whole > 0.8
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(leave_one_out(X, Y, standardize=True), leave_one_out(Z, Y))
    train, test = X[:200], X[200:]
    A, B = ((part - train.mean(axis=0)) / train.std(axis=0) for part in (train, test))
    np.testing.assert_allclose(
        similarity_predict(test, train, Y[:200], standardize=True),
        similarity_predict(B, A, Y[:200], center=True),
        atol=1e-12,
    )


def test_a_column_that_does_not_vary_is_left_as_it_is():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 6))
    X[:, 2] = 0.1 + 0.2
    shift, scale = column_shift_and_scale(X, standardize=True)
    assert scale[2] == 1
    np.testing.assert_allclose(((X - shift) / scale).std(axis=0)[[0, 1, 3, 4, 5]], 1)
    single = np.full((10_000, 2), 0.1, np.float32)  # whose sum is wrong by 1e-6 of it
    single[:, 1] = rng.standard_normal(10_000)
    assert column_shift_and_scale(single, standardize=True)[1][0] == 1
    with pytest.raises(ValueError, match="center=True"):
        column_shift_and_scale(X, center=False, standardize=True)
