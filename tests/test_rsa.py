import warnings

import numpy as np
import pytest

from brainlm.rdm import compare_rdms, crossnobis, rdm
from brainlm.rsa import compare_partial, rdm_noise_ceiling, regress_rdms


@pytest.fixture
def subjects(rng):
    """RDMs of six subjects who share a part of their distances."""
    shared = rng.standard_normal((12, 20))
    return np.array([rdm(shared + 1.5 * rng.standard_normal((12, 20))) for _ in range(6)])


def rsatoolbox_rdms(rdms):
    from rsatoolbox.rdm import RDMs

    return RDMs(np.atleast_2d(rdms))


def test_tau_a_and_crossnobis_are_those_of_rsatoolbox(rng):
    import rsatoolbox

    first, second = rng.integers(0, 6, (2, 66)).astype(float)  # many ties
    theirs = rsatoolbox.rdm.compare(rsatoolbox_rdms(first), rsatoolbox_rdms(second), method="tau-a")
    assert compare_rdms(first, second, "tau-a") == pytest.approx(float(theirs[0, 0]))
    patterns = rng.standard_normal((3, 5, 8)) + rng.standard_normal((5, 8))
    root = rng.standard_normal((8, 8))
    covariance = root @ root.T + 5 * np.eye(8)
    data = rsatoolbox.data.Dataset(
        patterns.reshape(15, 8),
        obs_descriptors={"item": np.tile(np.arange(5), 3), "run": np.repeat(np.arange(3), 5)},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = rsatoolbox.rdm.calc_rdm(
            data, "crossnobis", "item", noise=np.linalg.inv(covariance), cv_descriptor="run"
        )
    np.testing.assert_allclose(crossnobis(patterns, covariance), theirs.dissimilarities[0])


def test_crossnobis_of_noise_is_zero_on_average_and_of_equal_runs_the_distance(rng):
    noise = crossnobis(rng.standard_normal((4, 60, 30)))
    assert abs(noise.mean()) < 0.02
    X = rng.standard_normal((6, 9))
    np.testing.assert_allclose(crossnobis(np.stack([X, X])), rdm(X, "euclidean") ** 2 / 9)


@pytest.mark.parametrize(("ours", "theirs"), [("pearson", "corr"), ("spearman", "spearman")])
def test_noise_ceiling_is_that_of_rsatoolbox(subjects, ours, theirs):
    from rsatoolbox.inference.noise_ceiling import boot_noise_ceiling

    expected = boot_noise_ceiling(rsatoolbox_rdms(subjects), method=theirs)
    found = rdm_noise_ceiling(subjects, ours)
    np.testing.assert_allclose(found, np.ravel(expected), atol=0.005)
    assert found[0] < found[1]


def test_partial_correlation_is_that_of_the_formula_and_removes_a_shared_cause(rng):
    shared = rng.standard_normal(200)
    a, b = shared + 0.5 * rng.standard_normal((2, 200))
    r = np.corrcoef([a, b, shared])
    formula = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    assert compare_partial(a, b, shared, "pearson") == pytest.approx(formula)
    assert compare_rdms(a, b) > 0.7
    assert abs(compare_partial(a, b, shared)) < 0.15
    # identity: a control without any relation changes nothing
    other = rng.standard_normal(200)
    other -= np.polyval(np.polyfit(a, other, 1), a)
    assert compare_partial(a, a, other, "pearson") == pytest.approx(1)


def test_regression_finds_the_weights_and_noise_gets_little(rng):
    parts = rng.standard_normal((3, 500))
    parts = (parts - parts.mean(axis=1, keepdims=True)) / parts.std(axis=1, keepdims=True)
    weights, r = regress_rdms(parts, 3 * parts[0] + parts[1])
    assert r == pytest.approx(1)
    assert weights[0] / weights[1] == pytest.approx(3)
    assert weights[2] == pytest.approx(0, abs=1e-10)
    weights, r = regress_rdms(parts, -parts[0])
    assert weights[0] == 0
    assert r < 0.2
    assert regress_rdms(parts, -parts[0], non_negative=False)[1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: crossnobis(np.ones((1, 4, 3))), "second run"),
        (lambda: crossnobis(np.ones((2, 4, 3)), np.zeros((3, 3))), "shrink"),
        (lambda: rdm_noise_ceiling(np.ones((1, 6))), "two or more"),
        (lambda: compare_partial(np.ones(3), np.ones(3), np.ones(4)), "other pairs"),
        (lambda: compare_partial(np.ones(3), np.ones(3), np.ones(3), "tau"), "Choices"),
        (lambda: regress_rdms(np.ones((1, 5)), np.arange(5.0)), "constant"),
    ],
)
def test_bad_rdms_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
