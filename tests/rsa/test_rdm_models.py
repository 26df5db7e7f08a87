import numpy as np
import pytest
from scipy.spatial.distance import squareform

from brainlm.errors import UnknownNameError
from brainlm.rsa.rdm import compare_rdms, rdm
from brainlm.rsa.rdm_models import bootstrap_rdms, compare_partial, rdm_noise_ceiling, regress_rdms


@pytest.fixture
def subjects(rng):
    """RDMs of six subjects who share a part of their distances."""
    shared = rng.standard_normal((12, 20))
    return np.array([rdm(shared + 1.5 * rng.standard_normal((12, 20))) for _ in range(6)])


def rsatoolbox_rdms(rdms):
    from rsatoolbox.rdm import RDMs

    return RDMs(np.atleast_2d(rdms))


@pytest.mark.parametrize(("ours", "theirs"), [("pearson", "corr"), ("spearman", "spearman")])
def test_noise_ceiling_is_that_of_rsatoolbox(subjects, ours, theirs):
    from rsatoolbox.inference.noise_ceiling import boot_noise_ceiling

    expected = boot_noise_ceiling(rsatoolbox_rdms(subjects), method=theirs)
    found = rdm_noise_ceiling(subjects, ours)
    np.testing.assert_allclose(found, np.ravel(expected), atol=0.005)
    assert found[0] < found[1]


def test_partial_correlation_is_that_of_the_formula_and_removes_a_shared_cause(rng):
    shared = rng.standard_normal(190)
    a, b = shared + 0.5 * rng.standard_normal((2, 190))
    r = np.corrcoef([a, b, shared])
    formula = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    assert compare_partial(a, b, shared, "pearson") == pytest.approx(formula)
    assert compare_rdms(a, b) > 0.7
    assert abs(compare_partial(a, b, shared)) < 0.15
    # identity: a control without any relation changes nothing
    other = rng.standard_normal(190)
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


@pytest.mark.filterwarnings("ignore")  # of rsatoolbox's own dependencies
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("cosine", "cosine"),
        ("rho-a", "rho-a"),
        ("whitened cosine", "cosine_cov"),
        ("whitened pearson", "corr_cov"),
    ],
)
def test_comparisons_are_those_of_rsatoolbox(rng, ours, theirs):
    import rsatoolbox

    first, second = rng.integers(0, 9, (2, 66)) + 0.5
    expected = rsatoolbox.rdm.compare(rsatoolbox_rdms(first), rsatoolbox_rdms(second), theirs)
    assert compare_rdms(first, second, ours) == pytest.approx(float(expected[0, 0]))
    assert compare_rdms(first, first, ours) == pytest.approx(1, abs=0.1 * (ours == "rho-a"))
    assert compare_rdms(squareform(first), second, ours) == compare_rdms(first, second, ours)


def test_whitening_is_that_by_the_covariance_of_the_pairs(rng):
    pairs = np.array(np.triu_indices(7, k=1)).T
    C = np.zeros((len(pairs), 7))
    C[np.arange(len(pairs)), pairs[:, 0]], C[np.arange(len(pairs)), pairs[:, 1]] = 1, -1
    inverse = np.linalg.inv((C @ C.T) ** 2)
    x, y = rng.random((2, len(pairs)))
    by_hand = x @ inverse @ y / np.sqrt(x @ inverse @ x * (y @ inverse @ y))
    assert compare_rdms(x, y, "whitened cosine") == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (np.array([1, np.nan, 2]), "first RDM has 1 of 3 values that are NaN"),
        (np.ones(5), "has 5 distances, which no number of items has"),
        (np.eye(3), "1 on its diagonal"),
        (np.array([[0, 1, 2], [1, 0, 3], [9, 3, 0.0]]), "square and not symmetric"),
        (np.ones((2, 3)), r"must have shape \(n_pairs,\) or \(n_items, n_items\), got \(2, 3\)"),
    ],
)
def test_what_is_no_rdm_is_refused(broken, message):
    with pytest.raises(ValueError, match=message):
        compare_rdms(broken, np.array([1.0, 2, 3]))


def simulated(rng, n_subjects=8, n_items=16):
    """Subjects of one model with noise of their own; the model of another is beside it."""
    base = rng.standard_normal((n_items, 40))
    return (
        np.array([rdm(base + 2 * rng.standard_normal(base.shape)) for _ in range(n_subjects)]),
        np.array([rdm(base), rdm(base[:, :4])]),
    )


@pytest.mark.parametrize("method", ["spearman", "pearson", "cosine", "kendall", "tau-a", "rho-a"])
def test_the_value_of_the_bootstrap_is_the_mean_comparison(rng, method):
    rdms, models = simulated(rng, n_subjects=3, n_items=8)
    found = bootstrap_rdms(rdms, models, method, n_draws=2)
    each = [[compare_rdms(own, model, method) for model in models] for own in rdms]
    np.testing.assert_allclose(found.values, np.mean(each, axis=0))


@pytest.mark.long
def test_the_bootstrap_covers_the_error_over_new_items_and_subjects():
    studies, said = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found = bootstrap_rdms(*simulated(rng), n_draws=60, seed=seed)
        studies.append(found.values)
        said.append(np.diag(found.covariance))
    ratio = np.mean(said, axis=0) / np.var(studies, axis=0)
    assert (ratio > 1).all()
    assert (ratio < 3.6).all()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_the_bootstrap_over_items_is_that_of_rsatoolbox(rng):
    import rsatoolbox

    rdms, models = simulated(rng)
    theirs = rsatoolbox.inference.eval_bootstrap_pattern(
        [rsatoolbox.model.ModelFixed(str(i), model) for i, model in enumerate(models)],
        rsatoolbox_rdms(rdms),
        method="rho-a",
        N=250,
    )
    found = bootstrap_rdms(rdms, models, over=("items",), n_draws=1000)
    np.testing.assert_allclose(found.standard_error**2, theirs.model_var, rtol=0.35)


def test_the_bootstrap_over_subjects_is_that_of_their_mean(rng):
    rdms, models = simulated(rng, n_subjects=20)
    found = bootstrap_rdms(rdms, models, "spearman", over=("subjects",), n_draws=4000)
    each = np.array([[compare_rdms(own, model) for model in models] for own in rdms])
    np.testing.assert_allclose(found.values, each.mean(axis=0))
    np.testing.assert_allclose(found.covariance, np.cov(each.T, ddof=0) / 20, rtol=0.15, atol=2e-6)
    better, error = found.difference(0, 1)
    assert better == pytest.approx((each[:, 0] - each[:, 1]).mean())
    assert error == pytest.approx((each[:, 0] - each[:, 1]).std() / np.sqrt(20), rel=0.1)


def test_the_bootstrap_says_what_it_cannot_do(rng):
    rdms, models = simulated(rng)
    with pytest.raises(UnknownNameError, match="whitened"):
        bootstrap_rdms(rdms, models, "whitened cosine")
    with pytest.raises(ValueError, match=r"there is one; give over=\('items',\)"):
        bootstrap_rdms(rdms[:1], models)
    with pytest.raises(UnknownNameError, match="words"):
        bootstrap_rdms(rdms, models, over=("words",))


def test_tau_a_is_that_of_rsatoolbox(rng):
    import rsatoolbox

    first, second = rng.integers(0, 6, (2, 66)).astype(float)  # many ties
    theirs = rsatoolbox.rdm.compare(rsatoolbox_rdms(first), rsatoolbox_rdms(second), method="tau-a")
    assert compare_rdms(first, second, "tau-a") == pytest.approx(float(theirs[0, 0]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rdm_noise_ceiling(np.ones((1, 6))), "two or more"),
        (lambda: compare_partial(np.ones(3), np.ones(3), np.ones(4)), "other pairs"),
        (lambda: compare_partial(np.ones(3), np.ones(3), np.ones(3), "tau"), "Choices"),
        (lambda: regress_rdms(np.ones((1, 5)), np.arange(5.0)), "constant"),
    ],
)
def test_bad_rdms_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
