import numpy as np
import pytest
from scipy.stats import ortho_group

from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.shared_space import fit_shared_space, leave_one_subject_out, map_subject
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.errors import UnknownNameError

SPLIT = ContiguousBlocks(4, gap=2)


def subjects(rng, n=240, n_voxels=12, noise=1.0, count=5, signal=True):
    """One response to six features, turned by a rotation of each subject's own."""
    X = rng.standard_normal((n, 6))
    shared = X @ rng.standard_normal((6, n_voxels)) * signal
    turned = [shared @ ortho_group.rvs(n_voxels, random_state=k) for k in range(count)]
    return X, [each + noise * rng.standard_normal(each.shape) for each in turned]


def test_a_rotation_is_undone(rng):
    first = rng.standard_normal((200, 8))
    first = (first - first.mean(0)) / first.std(0)
    whiten = np.linalg.cholesky(np.linalg.inv(first.T @ first / 200))  # rotations keep z-scores
    first = first @ whiten
    others = [first @ ortho_group.rvs(8, random_state=k) for k in range(3)]
    space = fit_shared_space(others)
    for W, own in zip(space.maps, others, strict=True):
        np.testing.assert_allclose(W.T @ W, np.eye(8), atol=1e-9)
        np.testing.assert_allclose(own @ W, space.template, atol=1e-6)
    np.testing.assert_allclose(map_subject(first, space.template) @ np.eye(8),
                               map_subject(first, space.template))  # fmt: skip
    np.testing.assert_allclose(
        first @ map_subject(first, space.template), space.template, atol=1e-6
    )


def test_the_shared_response_model_finds_planted_responses(rng):
    G = rng.standard_normal((300, 4))
    maps = [np.linalg.qr(rng.standard_normal((size, 4)))[0] for size in (20, 30, 25)]
    data = [G @ W.T + 0.1 * rng.standard_normal((300, len(W))) for W in maps]
    space = fit_shared_space(data, "srm", n_shared=4)
    assert [W.shape for W in space.maps] == [(20, 4), (30, 4), (25, 4)]
    fitted = space.template @ np.linalg.lstsq(space.template, G, rcond=None)[0]
    assert np.corrcoef(fitted.ravel(), G.ravel())[0, 1] > 0.97


def test_alignment_predicts_a_new_subject_where_voxels_do_not_match(rng):
    X, responses = subjects(rng)
    found = {
        method: np.mean([s.mean.mean() for s in leave_one_subject_out(X, responses, SPLIT, method,
                                                                      **more)])
        for method, more in (
            ("procrustes", {}), ("srm", {"n_shared": 6}), ("ridge", {}), ("anatomy", {})
        )
    }  # fmt: skip
    own = np.mean(
        [cross_validate(RidgeEncoder(warn_edge=False), X, Y, SPLIT).mean.mean() for Y in responses]
    )
    assert found["anatomy"] < 0.3
    for method in ("procrustes", "srm"):
        assert found[method] > 0.9 * own
    assert found["ridge"] > found["anatomy"]


@pytest.mark.parametrize("method", ["procrustes", "srm", "ridge", "anatomy"])
def test_noise_scores_nothing(rng, method):
    X, responses = subjects(rng, signal=False)
    scores = leave_one_subject_out(X, responses, SPLIT, method)
    assert abs(np.mean([s.mean for s in scores])) < 0.03


def test_noise_that_subjects_share_at_test_time_only_is_no_score(rng):
    """Shared responses without a tie to the features: alignment must not bring them in."""
    X, responses = subjects(rng)
    noise = rng.standard_normal(X.shape)
    scores = leave_one_subject_out(noise, responses, SPLIT, "procrustes")
    assert abs(np.mean([s.mean for s in scores])) < 0.04


def test_test_samples_have_no_part_in_the_prediction(rng):
    X, responses = subjects(rng)
    train, test = next(iter(SPLIT.split(X)))
    changed = [Y.copy() for Y in responses]
    for Y in changed[1:]:
        Y[test] = rng.standard_normal((len(test), Y.shape[1]))
    first, again = (
        leave_one_subject_out(X, each, [(train, test)])[0].values for each in (responses, changed)
    )
    np.testing.assert_array_equal(first, again)


def test_bad_input_is_named(rng):
    X, responses = subjects(rng)
    with pytest.raises(ValueError, match=r"subject 1\D+100"):
        leave_one_subject_out(X, [responses[0], responses[1][:100], responses[2]], SPLIT)
    with pytest.raises(ValueError, match=r"got \[12, 10\]: use method='srm'"):
        fit_shared_space([responses[0], responses[1][:, :10]])
    with pytest.raises(ValueError, match="n_shared must lie between 1 and 12, got 40"):
        fit_shared_space(responses, "srm", n_shared=40)
    with pytest.raises(ValueError, match="1 voxels of subject 0 are constant"):
        fit_shared_space([np.c_[responses[0], np.ones(240)], np.c_[responses[1], X[:, 0]]])
    with pytest.raises(UnknownNameError, match="hyper"):
        leave_one_subject_out(X, responses, SPLIT, "hyper")
    with pytest.raises(ValueError, match="one to test are needed, got 2"):
        leave_one_subject_out(X, responses[:2], SPLIT)
