import numpy as np
import pytest

from brainlm.encoding.banded import BandedRidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.encoding.variance_partitioning import Partition, partition_variance


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


@pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")
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


@pytest.mark.parametrize("useful", [0.0, 1.0])
def test_drifting_blocks_are_charged_to_no_space(rng, useful):
    n, n_targets = 600, 20
    spaces = {name: rng.standard_normal((n, 6)) for name in ("a", "b")}
    noise, walks = rng.standard_normal((2, n, n_targets))
    rest = noise + 0.1 * walks.cumsum(axis=0)
    Y = rest + useful * spaces["a"][:, :1]
    split = ContiguousBlocks(4, gap=4)
    encoder = BandedRidgeEncoder(n_draws=8, warn_edge=False)
    found = partition_variance(spaces, Y, split, encoder=encoder)
    for name in ("a", "b"):
        assert found.unique(name).mean() <= max(found.r2[(name,)].mean(), 0) + 0.02
        assert found.joint.mean() >= found.r2[(name,)].mean() - 0.02
    assert abs(found.r2[("b",)].mean()) < 0.02
    known = [useful**2 / (useful**2 + rest[test].var(axis=0)) for _, test in split.split(Y)]
    assert found.r2[("a",)].mean() == pytest.approx(np.mean(known), abs=0.03)


def test_a_table_says_what_is_no_share_of_variance():
    def note(a, b, both):
        r2 = {("a",): np.full(2, a), ("b",): np.full(2, b), ("a", "b"): np.full(2, both)}
        return Partition(("a", "b"), r2).note("a")

    assert note(0.2, 0.1, 0.25) == ""
    assert note(-0.2, 0.1, 0.15) == "R2 alone is below 0; unique exceeds alone"
    assert note(0.2, 0.1, 0.05) == "unique R2 is below 0; joint is below alone"


def test_one_space_cannot_be_partitioned(rng):
    with pytest.raises(ValueError, match="2 to 5 feature spaces, got 1"):
        partition_variance({"a": rng.standard_normal((9, 2))}, np.ones((9, 1)), ContiguousBlocks(2))
