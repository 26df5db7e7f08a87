import numpy as np
import pytest
from scipy import sparse

from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.similarity import SimilarityEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.rsa.searchlight import pattern_searchlight, searchlight, volume_neighbourhoods


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
