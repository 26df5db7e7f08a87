from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import mne
import numpy as np
import pytest

from brainlm.batch.run import group_of_study
from brainlm.data.brain_maps import BrainMaps
from brainlm.data.scores import fisher_z
from brainlm.stats.group_maps import group_map, group_of_maps, surface_adjacency, volume_adjacency

MASK = np.ones((6, 6, 4), dtype=bool)


def test_maps_tell_effect_size_and_number_of_subjects(rng):
    mask = np.zeros((3, 4, 5), dtype=bool)
    mask[1] = True
    like = BrainMaps(np.zeros((1, 20)), ["any"], mask, "a.u.", np.eye(4))
    values = rng.standard_normal((12, 20))
    values[:, :5] += 3
    found = group_map(values)
    maps = found.to_maps(like)
    assert maps.names.tolist() == ["12 subjects, p <= 0.05 (max t)", "12 subjects, all voxels"]
    assert maps.unit == "Cohen's d"
    shown, every = maps.data
    np.testing.assert_allclose(every, values.mean(0) / values.std(0, ddof=1))
    assert (shown[:5] == every[:5]).all()
    assert (shown[found.p > 0.05] == 0).all()
    with pytest.raises(ValueError, match="voxels of like"):
        group_map(values[:, :9]).to_maps(like)


def test_all_sign_patterns_by_hand(rng):
    values = rng.standard_normal((5, 3)) + np.array([1.0, 0.3, 0.0])
    t = [
        mne.stats.ttest_1samp_no_p(np.array(s)[:, None] * values)
        for s in product((1, -1), repeat=5)
    ]
    largest = np.max(t, axis=1)
    observed = mne.stats.ttest_1samp_no_p(values)
    found = group_map(values)
    np.testing.assert_allclose(found.t, observed)
    np.testing.assert_allclose(found.p, [(largest >= x - 1e-12).mean() for x in observed])
    assert found.n_flips == 32
    np.testing.assert_allclose(found.effect_size, values.mean(0) / values.std(0, ddof=1))


def test_the_maximum_statistic_is_that_of_nilearn(rng):
    from nilearn.mass_univariate import permuted_ols

    values = rng.standard_normal((16, 40)) + 0.4
    theirs = permuted_ols(
        np.ones((16, 1)), values, model_intercept=False, n_perm=4000, two_sided_test=False,
        random_state=1, output_type="dict",
    )  # fmt: skip
    ours = group_map(values, n_flips=4000)
    np.testing.assert_allclose(ours.t, theirs["t"][0])
    np.testing.assert_allclose(ours.p, 10 ** -theirs["logp_max_t"][0], atol=0.03)


@pytest.mark.parametrize("method", ["max", "tfce"])
def test_a_planted_blob_is_found_and_nothing_else(rng, method):
    blob = np.zeros(MASK.shape)
    blob[1:4, 1:4, 1:3] = 1.5
    values = blob[MASK] + rng.standard_normal((16, MASK.sum()))
    found = group_map(values, method=method, adjacency=volume_adjacency(MASK), n_flips=300)
    inside = blob[MASK] > 0
    assert (found.p[inside] <= 0.05).mean() > 0.5
    assert (
        (found.p[~inside] <= 0.05).mean() < 0.1
        if method == "tfce"
        else (found.p[~inside] > 0.05).all()
    )


@pytest.mark.long
@pytest.mark.parametrize(("method", "studies"), [("max", 200), ("tfce", 10)])
def test_noise_is_found_in_one_study_of_twenty(method, studies):
    rng = np.random.default_rng(1)
    shape = (4, 4, 2)
    adjacency = volume_adjacency(np.ones(shape, dtype=bool))
    smallest = [
        group_map(
            rng.standard_normal((10, 32)), method=method, adjacency=adjacency, n_flips=60, seed=k
        ).p.min()
        for k in range(studies)
    ]
    # Binomial, 99 %: at most 18 of 200 and 3 of 10.
    assert (np.array(smallest) <= 0.05).sum() <= {200: 18, 10: 3}[studies]


def test_neighbours_share_a_face_or_an_edge():
    adjacency = volume_adjacency(np.ones((2, 2, 1), dtype=bool)).toarray() > 0
    expected = [[1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 1, 1], [0, 1, 1, 1]]
    np.testing.assert_array_equal(adjacency, np.array(expected, dtype=bool))
    faces = [[0, 1, 2], [1, 2, 3]]
    edges = surface_adjacency(faces).toarray() > 0
    assert not edges[0, 3]
    assert edges[1, 2]
    assert surface_adjacency(faces, np.array([1, 1, 0, 1], dtype=bool)).shape == (3, 3)


def test_bad_input_is_named(rng):
    with pytest.raises(ValueError, match="five subjects or more"):
        group_map(rng.standard_normal((4, 3)))
    with pytest.raises(ValueError, match="1 values not finite"):
        group_map(np.where(np.eye(6, 3) > 0, np.nan, 1.0)[[0, 3, 4, 5, 3, 3]])
    with pytest.raises(ValueError, match="needs the adjacency of 3 targets, got none"):
        group_map(rng.standard_normal((6, 3)), method="tfce")
    with pytest.raises(ValueError, match="equal in all subjects"):
        group_map(np.ones((6, 3)))


def maps_of_subjects(rng, n, planted):
    """Maps of subjects on one grid, each lacking another voxel."""
    found = []
    for subject in range(n):
        mask = np.ones((4, 5, 3), dtype=bool)
        mask.flat[subject] = False
        data = rng.normal(0, 0.02, (2, 60)) + np.outer([0.3, 0], planted)
        names, whose = ["layer", "baseline"], f"S{subject}"
        kept = data[:, mask.ravel()]
        found.append(BrainMaps(kept, names, mask, "r", np.eye(4), subject=whose))
    return found


def test_maps_of_subjects_are_tested_where_all_have_them(rng):
    planted = np.arange(60) >= 40
    maps = maps_of_subjects(rng, 8, planted)
    found = group_of_maps(maps)
    assert list(found.names) == [
        "layer: 8 subjects, p <= 0.05 (max t)",
        "baseline: 8 subjects, p <= 0.05 (max t)",
    ]
    assert found.mask.sum() == 60 - 8
    layer, baseline = (found.volume(name).ravel() for name in found.names)
    np.testing.assert_array_equal(layer > 0, planted)
    assert not baseline.any()
    values = np.array([each.volume("layer")[found.mask] for each in maps])
    direct = group_map(fisher_z(values))
    expected = np.where(direct.p <= 0.05, direct.effect_size, 0)
    np.testing.assert_allclose(found.data[0], expected, rtol=1e-12)


def test_maps_that_cannot_be_compared_are_named(rng):
    maps = maps_of_subjects(rng, 6, np.ones(60))
    with pytest.raises(ValueError, match="five subjects or more"):
        group_of_maps(maps[:4])
    shifted = replace(maps[1], affine=2 * np.eye(4))
    with pytest.raises(ValueError, match="S1: its maps are on another grid than those of S0"):
        group_of_maps([maps[0], shifted])


def test_a_study_has_group_maps_from_five_subjects_on(rng):
    subjects = maps_of_subjects(rng, 5, np.ones(60))
    maps = {f"maps_{each.subject}": each.to_xarray() for each in subjects}
    study = SimpleNamespace(metric="r")
    assert BrainMaps.from_xarray(group_of_study(study, maps)).n_maps == 2
    assert group_of_study(study, dict(list(maps.items())[:4])) is None
    assert group_of_study(study, {}) is None
