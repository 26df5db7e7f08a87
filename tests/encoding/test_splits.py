import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.encode import encode
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks, FixedSplit, Groups, LeaveOneRunOut


def _check_disjoint_and_complete(split, n):
    tested = np.zeros(n, dtype=int)
    for train, test in split.split(np.zeros((n, 1))):
        assert not np.intersect1d(train, test).size
        assert len(train)
        assert len(test)
        tested[test] += 1
    assert (tested == 1).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 6), st.integers(0, 4), st.integers(40, 90))
def test_blocks_are_contiguous_disjoint_complete_and_keep_their_gap(n_splits, gap, n):
    split = ContiguousBlocks(n_splits, gap)
    _check_disjoint_and_complete(split, n)
    for train, test in split.split(range(n)):
        assert (np.diff(test) == 1).all()
        distance = np.abs(train[:, None] - test[None, :]).min()
        assert distance == gap + 1


def test_the_gap_stops_at_the_edge_of_a_run():
    runs = np.repeat(["a", "b"], 10)
    (train, test), _ = ContiguousBlocks(2, gap=3, runs=runs).split(range(20))
    assert test.tolist() == list(range(10))
    assert train.tolist() == list(range(10, 20))


def test_inner_folds_keep_the_gap_on_the_clock_of_the_recording():
    outer = ContiguousBlocks(5, gap=2)
    for train, test in outer.split(range(60)):
        for inner_train, inner_test in outer.within(train).split(range(len(train))):
            fit, choose = train[inner_train], train[inner_test]
            assert not np.intersect1d(choose, test).size
            assert np.abs(fit[:, None] - choose[None, :]).min() > 2


def test_within_is_nested_twice():
    outer = ContiguousBlocks(3, gap=1)
    train, _ = next(outer.split(range(60)))
    inner = outer.within(train)
    rows, _ = next(inner.split(range(len(train))))
    np.testing.assert_array_equal(inner.within(rows).positions, train[rows])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 9), min_size=12, max_size=80), st.integers(2, 4))
def test_groups_never_stand_on_both_sides(labels, n_splits):
    assume(len(set(labels)) >= n_splits)
    split = Groups(labels, n_splits)
    _check_disjoint_and_complete(split, len(labels))
    for train, test in split.split(labels):
        assert not set(np.array(labels)[train]) & set(np.array(labels)[test])


def test_interleaved_groups_are_dealt_like_cards():
    folds = list(Groups(list("aabbccddee"), 2, interleave=True).split(range(10)))
    assert folds[0][1].tolist() == [0, 1, 4, 5, 8, 9]


def test_one_fold_per_group_by_default_and_fewer_within():
    labels = list("aabbccdd")
    split = Groups(labels)
    assert split.get_n_splits() == 4
    train, test = next(split.split(labels))
    assert test.tolist() == [0, 1]
    assert split.within(train).get_n_splits() == 3
    assert Groups(labels, 4).within(train[: 2 + 2]).get_n_splits() == 2


def test_leave_one_run_out_and_its_inner_folds():
    runs = np.repeat(["r1", "r2", "r3"], 20)
    split = LeaveOneRunOut(runs)
    _check_disjoint_and_complete(split, 60)
    train, test = next(split.split(runs))
    assert set(runs[test]) == {"r1"}
    inner = split.within(train)
    assert isinstance(inner, LeaveOneRunOut)
    last_run = LeaveOneRunOut(runs[20:]).within(np.arange(20))
    assert isinstance(last_run, ContiguousBlocks)
    assert last_run.gap == 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ContiguousBlocks(1), "n_splits must be a whole number from 2 on, got 1"),
        (lambda: ContiguousBlocks(3, gap=-1), "gap must be a whole number .* got -1"),
        (lambda: list(ContiguousBlocks(5).split(range(9))), "too few"),
        (lambda: list(ContiguousBlocks(2, gap=20).split(range(10))), "leaves no training"),
        (lambda: list(ContiguousBlocks(2, runs=["a"] * 5).split(range(10))), "runs has 5"),
        (lambda: ContiguousBlocks(2, runs=list("abab")), "begins again"),
        (lambda: Groups(["a"] * 5), "single group"),
        (lambda: Groups(list("ab"), 3), "between 2 and 2"),
        (lambda: list(Groups(list("ab")).split(range(3))), "2 entries for 3 samples"),
        (lambda: LeaveOneRunOut(["a"] * 5), "needs two or more"),
    ],
)
def test_bad_splits_say_what_to_do(make, message):
    with pytest.raises(ValueError, match=message):
        make()


PARTS = ["train"] * 12 + ["dev"] * 6


def test_a_fixed_split_tests_dev_until_there_is_a_test():
    split = FixedSplit(PARTS, runs=np.repeat(["a", "b", "c"], 6))
    ((train, test),) = split.split(range(18))
    assert (train.tolist(), test.tolist()) == (list(range(12)), list(range(12, 18)))
    assert split.get_n_splits() == 1
    assert repr(split.within(train)) == "Groups(2 groups, n_splits=2)"
    one = FixedSplit(PARTS, runs=["a"] * 12 + ["b"] * 6).within(train)
    assert repr(one) == "ContiguousBlocks(n_splits=5, gap=5)"
    assert isinstance(FixedSplit(PARTS).within(train), ContiguousBlocks)
    many = FixedSplit(PARTS, runs=np.repeat(list("abcdefghi"), 2)).within(train)
    assert repr(many) == "Groups(6 groups, n_splits=5)"
    split = FixedSplit([*PARTS, "test", "test"])
    ((train, test),) = split.split(range(20))
    assert test.tolist() == [18, 19]
    ((fit, choose),) = split.within(train).split(train)
    assert train[fit].tolist() == list(range(12))
    assert train[choose].tolist() == list(range(12, 18))
    assert repr(split) == "FixedSplit(12 train, 6 dev, 2 test; tested: test)"


def test_penalties_are_chosen_on_the_dev_samples(rng):
    """Train and dev disagree about the sign of the effect: dev takes the largest penalty."""
    X = rng.standard_normal((120, 3))
    Y = X @ rng.standard_normal((3, 2))
    split = FixedSplit(["train"] * 60 + ["dev"] * 30 + ["test"] * 30)
    encoder = RidgeEncoder([1e-3, 1e3], warn_edge=False)
    scores = cross_validate(encoder, X, Y, split)
    assert (scores.alphas == 1e-3).all()
    assert (list(scores.n_train), list(scores.n_test)) == ([90], [30])
    Y[60:90] *= -1
    assert (cross_validate(encoder, X, Y, split).alphas == 1e3).all()


def test_a_bundle_keeps_the_parts(rng):
    items = [str(i) for i in range(40)]
    part = ["train"] * 20 + ["dev"] * 10 + ["test"] * 10
    X = rng.standard_normal((40, 3))
    Y = X @ rng.standard_normal((3, 2))
    recording = Recording(Y, ["x", "y"], "ratings", "1-5", items=items, part=part)
    space = Features("x", X, Stimulus(items, "en", item=items))
    encoder = RidgeEncoder([1e-3], warn_edge=False)
    found = encode([space], recording, FixedSplit(recording.part), {"ridge": encoder})
    roles = found.arrays["folds"]
    assert roles["role"].values.tolist() == [[1] * 30 + [2] * 10]
    assert roles["part"].values.tolist() == part
    assert found.settings["split"] == "FixedSplit(20 train, 10 dev, 10 test; tested: test)"
    assert (found.scores["score"] > 0.99).all()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (None, "no fixed train, dev and test"),
        (["train", "valid"], r"'valid'.*train, dev, test"),
        (["dev", "test"], "needs train samples"),
        (["train", "train"], "needs train samples"),
    ],
)
def test_parts_that_cannot_be_a_split_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        FixedSplit(parts)
    with pytest.raises(ValueError, match="18 entries for 3 samples"):
        next(FixedSplit(PARTS).split(range(3)))
