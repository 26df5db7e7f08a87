import numpy as np
import pytest

from brainlm.decoding.similarity import decode_by_similarity, similarity_codes
from brainlm.encoding.splits import ContiguousBlocks

SPLIT = ContiguousBlocks(5)


def test_codes_are_correlations_with_the_training_items(rng):
    X = rng.standard_normal((12, 6)) + 3
    centred = X - X[:8].mean(axis=0)
    np.testing.assert_allclose(
        similarity_codes(X[8:], X[:8]), np.corrcoef(centred)[8:, :8], atol=1e-12
    )


def test_exact_data_score_one_noise_at_chance_and_a_linear_view_in_between(rng):
    X = rng.standard_normal((100, 50))
    exact = decode_by_similarity(X, X, SPLIT)
    assert exact.pairwise.mean() == 1
    assert exact.rank.mean() == 1
    assert exact.top[1].mean() == 1
    noise = decode_by_similarity(rng.standard_normal((100, 80)), X, SPLIT, n_targets=40)
    assert abs(noise.pairwise.mean() - 0.5) < 0.1
    assert abs(noise.top[10].mean() - 0.5) < 0.15
    assert noise.n_test.tolist() == [20] * 5
    brain = np.hstack([X @ rng.standard_normal((50, 30)), rng.standard_normal((100, 300))])
    brain += 3 * rng.standard_normal(brain.shape)
    found = decode_by_similarity(brain, X, SPLIT, n_targets=30)
    assert found.pairwise.mean() > 0.8
    assert found.pairwise.mean() > decode_by_similarity(brain, X, SPLIT).pairwise.mean() - 0.02


def test_order_of_the_voxels_changes_nothing_and_choice_is_made_in_training(rng):
    X = rng.standard_normal((60, 20))
    brain = X @ rng.standard_normal((20, 40)) + rng.standard_normal((60, 40))
    order = rng.permutation(40)
    first = decode_by_similarity(brain, X, SPLIT, n_targets=10)
    second = decode_by_similarity(brain[:, order], X, SPLIT, n_targets=10)
    np.testing.assert_allclose(first.pairwise, second.pairwise)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda X: decode_by_similarity(X, X[1:], SPLIT), "lengths differ"),
        (lambda X: decode_by_similarity(X, X, SPLIT, n_targets=1), "n_targets"),
        (lambda X: decode_by_similarity(X * np.nan, X, SPLIT), "brain has"),
    ],
)
def test_bad_input_is_refused(rng, make, message):
    with pytest.raises(ValueError, match=message):
        make(rng.standard_normal((20, 5)))
