import numpy as np
import pytest

from brainlm.banded import BandedRidgeEncoder
from brainlm.partition import Partition, partition_variance
from brainlm.splits import ContiguousBlocks


def test_parts_of_overlapping_sets_are_the_areas_of_their_diagram():
    areas = {("a",): 1.0, ("b",): 2.0, ("c",): 4.0, ("a", "b"): 8.0, ("a", "c"): 16.0}
    areas |= {("b", "c"): 32.0, ("a", "b", "c"): 64.0}
    r2 = {
        own: np.array([sum(v for names, v in areas.items() if set(names) & set(own))])
        for own in areas
    }
    partition = Partition(("a", "b", "c"), r2)
    assert {names: float(v[0]) for names, v in partition.parts.items()} == areas
    assert partition.unique("b")[0] == 2.0


@pytest.mark.filterwarnings("ignore::brainlm.encoders.AlphaEdgeWarning")
def test_planted_unique_and_shared_variance_is_recovered(rng):
    common, own_a, own_b = (rng.standard_normal((1500, 4)) for _ in range(3))
    spaces = {"a": np.hstack([common, own_a]), "b": np.hstack([common, own_b])}
    # a third each from what is common, from a's own and from noise; b has nothing of its own
    Y = np.stack([common[:, 0] + own_a[:, 1] + rng.standard_normal(1500)], axis=1)
    encoder = BandedRidgeEncoder(n_draws=6)
    found = partition_variance(spaces, Y, ContiguousBlocks(5), encoder=encoder)
    assert found.joint[0] == pytest.approx(2 / 3, abs=0.05)
    assert found.unique("a")[0] == pytest.approx(1 / 3, abs=0.05)
    assert found.unique("b")[0] == pytest.approx(0, abs=0.02)
    assert found.parts["a", "b"][0] == pytest.approx(1 / 3, abs=0.05)
    np.testing.assert_allclose(sum(found.parts.values()), found.joint)


def test_one_space_cannot_be_partitioned(rng):
    with pytest.raises(ValueError, match="2 to 5 feature spaces, got 1"):
        partition_variance({"a": rng.standard_normal((9, 2))}, np.ones((9, 1)), ContiguousBlocks(2))
