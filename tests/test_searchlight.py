import numpy as np
import pytest
from scipy import sparse

from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.similarity import SimilarityEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.rsa.rdm import rdm
from brainlm.rsa.searchlight import (
    pattern_searchlight,
    rsa_searchlight,
    searchlight,
    surface_neighbourhoods,
    volume_neighbourhoods,
)


@pytest.fixture
def cube():
    import nibabel as nib

    data = np.zeros((6, 6, 6), dtype=np.int8)
    data[1:5, 1:5, 1:5] = 1
    return nib.Nifti1Image(data, np.diag([2.0, 2.0, 2.0, 1.0]))


def test_spheres_are_those_of_the_distances_between_voxels(cube):
    found = volume_neighbourhoods(cube, 2.9).toarray()
    places = 2.0 * np.column_stack(np.nonzero(np.asarray(cube.dataobj)))
    distance = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.testing.assert_array_equal(found, distance <= 2.9)
    with pytest.raises(ValueError, match="radius"):
        volume_neighbourhoods(cube, 0)


def test_surface_neighbours_are_reached_over_edges():
    # a strip of triangles: vertex i touches i + 1 and i + 2
    faces = np.array([[i, i + 1, i + 2] for i in range(8)])
    one = surface_neighbourhoods(faces, 11, steps=1).toarray()
    assert np.flatnonzero(one[4]).tolist() == [2, 3, 4, 5, 6]
    two = surface_neighbourhoods(faces, 11, steps=2).toarray()
    assert np.flatnonzero(two[4]).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert np.flatnonzero(two[10]).tolist() == [10]  # no triangle has it
    np.testing.assert_array_equal(two, two.T)
    with pytest.raises(ValueError, match="below 5"):
        surface_neighbourhoods(faces, 5)


def test_rsa_finds_the_planted_place_only(rng, cube):
    near = volume_neighbourhoods(cube, 2.1)
    X = rng.standard_normal((30, 20))
    Y = rng.standard_normal((30, 64))
    centre = int(np.argmax(near.sum(axis=1)))
    own = near.indices[slice(*near.indptr[centre : centre + 2])]
    Y[:, own] = X[:, : len(own)] * 3
    found = rsa_searchlight(Y, rdm(X[:, : len(own)]), near)
    assert np.nanargmax(found) == centre
    assert found[centre] == pytest.approx(1)
    others = np.setdiff1d(np.arange(64), near[own].sum(axis=0).nonzero()[0])
    assert abs(np.nanmean(found[others])) < 0.1
    same = searchlight(lambda s: float(len(s)), near)
    np.testing.assert_array_equal(same, near.sum(axis=1))


def test_patterns_of_predictions_are_identified_where_they_were_planted(rng):
    X = rng.standard_normal((80, 30))
    Y = np.hstack([X @ rng.standard_normal((30, 10)), 5 * rng.standard_normal((80, 10))])
    near = sparse.csr_array(np.kron(np.eye(2), np.ones((10, 10))).astype(bool))
    split = ContiguousBlocks(4)
    scores = cross_validate(SimilarityEncoder(), X, Y, split, keep_predictions=True)
    found = pattern_searchlight(scores.predictions, Y, split, near)
    assert (found[:10] > 0.8).all()
    assert (abs(found[10:] - 0.5) < 0.12).all()
    assert pattern_searchlight(Y, Y, split, near) == pytest.approx(1)
    with pytest.raises(ValueError, match="one mask or mesh"):
        pattern_searchlight(Y[:, :5], Y[:, :5], split, near)
    assert np.isnan(searchlight(lambda own: 1.0, sparse.csr_array(np.eye(4, dtype=bool)))).all()
