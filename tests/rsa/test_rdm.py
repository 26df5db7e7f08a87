import numpy as np
import pytest
from scipy.spatial.distance import squareform
from scipy.stats import kendalltau, pearsonr, spearmanr

from brainlm.rsa.rdm import compare_rdms, permuted_comparisons, rdm
from brainlm.stats.permutation import permutation_p


@pytest.mark.filterwarnings("ignore")  # of rsatoolbox's own dependencies
@pytest.mark.parametrize(
    ("ours", "theirs"), [("correlation", "correlation"), ("euclidean", "euclidean")]
)
def test_rdms_equal_rsatoolbox(rng, ours, theirs):
    rsatoolbox = pytest.importorskip("rsatoolbox")
    X, Y = rng.standard_normal((12, 30)), rng.standard_normal((12, 9))
    sets = [rsatoolbox.data.Dataset(each) for each in (X, Y)]
    rdms = [rsatoolbox.rdm.calc_rdm(each, method=theirs) for each in sets]
    found = [rdm(each, ours) for each in (X, Y)]
    for expected, mine in zip(rdms, found, strict=True):
        values = expected.get_vectors()[0]
        if ours == "euclidean":  # theirs is squared and divided by the number of features
            values = np.sqrt(values * (30 if mine is found[0] else 9))
        np.testing.assert_allclose(mine, values)
    rho = rsatoolbox.rdm.compare(rdms[0], rdms[1], method="spearman")[0, 0]
    assert compare_rdms(*found) == pytest.approx(rho)


def test_comparisons_equal_scipy(rng):
    first, second = rdm(rng.random((15, 8))), rdm(rng.random((15, 5)), "cosine")
    assert compare_rdms(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert compare_rdms(first, second, "pearson") == pytest.approx(
        pearsonr(first, second).statistic
    )
    assert compare_rdms(first, second, "kendall") == pytest.approx(
        kendalltau(first, second).statistic
    )


def test_an_rdm_equals_itself_and_noise_is_about_zero(rng):
    X = rng.standard_normal((80, 20))
    assert compare_rdms(rdm(X), rdm(X)) == pytest.approx(1)
    assert abs(compare_rdms(rdm(X), rdm(rng.standard_normal((80, 20))))) < 0.1
    np.testing.assert_allclose(rdm(X * 3 + 7), rdm(X))  # identity of the correlation distance


def test_permuted_comparisons_equal_permuting_the_items(rng):
    rdms = np.stack([rdm(rng.random((10, 6))) for _ in range(3)])
    reference = rdm(rng.random((10, 4)))
    found = permuted_comparisons(rdms, reference, n_permutations=4, seed=7)
    generator = np.random.default_rng(7)
    for row in found:
        order = generator.permutation(10)
        moved = squareform(squareform(reference)[np.ix_(order, order)], checks=False)
        np.testing.assert_allclose(row, [compare_rdms(each, moved) for each in rdms])


def test_false_positives_of_rsa_are_at_their_nominal_level(rng):
    reference = rdm(rng.standard_normal((30, 3)) @ rng.standard_normal((3, 12)))
    common = 20 * rng.standard_normal(40)  # anisotropic embeddings
    rdms = np.stack([rdm(common + rng.standard_normal((30, 40))) for _ in range(300)])
    rho = np.array([compare_rdms(each, reference) for each in rdms])
    p = permutation_p(rho, permuted_comparisons(rdms, reference, n_permutations=199))
    assert 0.02 < (p <= 0.05).mean() < 0.085


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rdm(np.eye(3), "manhattan"), "Choices: correlation, cosine, euclidean"),
        (lambda: rdm(np.ones((3, 1))), "single feature"),
        (lambda: rdm(np.ones((3, 4))), "no variation over features"),
        (lambda: rdm(np.zeros((3, 4)), "cosine"), "all-zero rows"),
        (lambda: compare_rdms(np.ones(3), np.ones(6)), "same items"),
        (lambda: compare_rdms(np.ones(3), np.ones(3), "tau"), "spearman, pearson, cosine, kendall"),
        (lambda: permuted_comparisons(np.ones((2, 3)), np.ones(6), n_permutations=1), "same items"),
    ],
)
def test_bad_rdms_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
