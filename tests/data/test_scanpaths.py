"""Reading measures of scanpaths that can be followed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainlm.data.scanpaths import MEASURES, reading_measures

NAN = np.nan


def measures(path, n_words, durations=None):
    """Return measure -> list over words; durations are 100, 101, 102 ... where not given."""
    ms = 100 + np.arange(len(path)) if durations is None else durations
    return dict(zip(MEASURES, reading_measures(path, ms, n_words).T.tolist(), strict=True))


def same(found, expected):
    np.testing.assert_array_equal(found, expected)


def test_straight_through():
    found = measures([0, 1, 2], 3)
    for name in ("FFD", "SFD", "GD", "GPT", "TT"):
        same(found[name], [100, 101, 102])
    same(found["n_fixations"], [1, 1, 1])
    for name in ("skipped", "regression_out", "regression_in"):
        same(found[name], [0, 0, 0])


def test_refixations_belong_to_the_first_pass():
    """0 0 1: two fixations on the first word."""
    found = measures([0, 0, 1], 2)
    same(found["FFD"], [100, 102])
    same(found["SFD"], [NAN, 102])
    same(found["GD"], [201, 102])


def test_a_regression_and_the_way_back():
    """0 1 2 1 2 3: from word 2 back to word 1, again on 2, on to 3."""
    found = measures([0, 1, 2, 1, 2, 3], 4)
    same(found["FFD"], [100, 101, 102, 105])
    same(found["GD"], [100, 101, 102, 105])
    same(found["GPT"], [100, 101, 102 + 103 + 104, 105])
    same(found["TT"], [100, 101 + 103, 102 + 104, 105])
    same(found["regression_out"], [0, 0, 1, 0])
    same(found["regression_in"], [0, 1, 0, 0])


def test_a_word_that_is_read_only_on_the_way_back_was_skipped():
    """0 2 1 3: word 1 has a total time and no first pass."""
    found = measures([0, 2, 1, 3], 4)
    same(found["skipped"], [0, 1, 0, 0])
    for name in ("FFD", "SFD", "GD", "GPT", "regression_out"):
        assert np.isnan(found[name][1])
    assert found["TT"][1] == 102
    same(found["GPT"], [100, NAN, 101 + 102, 103])
    same(found["regression_out"], [0, NAN, 1, 0])
    same(found["regression_in"], [0, 1, 0, 0])


def test_a_word_without_a_fixation():
    found = measures([0, 2], 3)
    same(found["n_fixations"], [1, 0, 1])
    same(found["skipped"], [0, 1, 0])
    assert np.isnan(found["TT"][1])
    assert np.isnan(found["regression_in"][1])


def test_the_last_word_goes_past_nothing():
    """0 1 0 1: the go-past time of word 1 is all that follows."""
    found = measures([0, 1, 0, 1], 2)
    same(found["GPT"], [100, 101 + 102 + 103])
    same(found["GD"], [100, 101])
    same(found["regression_out"], [0, 1])


def test_reading_that_begins_in_the_middle():
    """2 0 1 3: words 0 and 1 have no first pass, because word 2 was fixated before."""
    found = measures([2, 0, 1, 3], 4)
    same(found["skipped"], [1, 1, 0, 0])
    same(found["GPT"], [NAN, NAN, 100 + 101 + 102, 103])


@settings(deadline=None, max_examples=80)
@given(st.lists(st.integers(0, 5), max_size=25))
def test_identities_of_every_path(path):
    ms = np.linspace(80, 400, len(path))
    found = {k: np.array(v) for k, v in measures(path, 6, ms).items()}
    first = found["skipped"] == 0
    assert (found["FFD"][first] <= found["GD"][first]).all()
    assert (found["GD"][first] <= found["GPT"][first] + 1e-9).all()
    assert (found["GD"][first] <= found["TT"][first] + 1e-9).all()
    assert np.isnan(found["GD"][~first]).all()
    assert np.nansum(found["TT"]) == pytest.approx(ms.sum())
    assert found["n_fixations"].sum() == len(path)
    # Whatever is on a word belongs to the go-past time of exactly one first pass, once one began.
    if path:
        assert np.nansum(found["GPT"]) == pytest.approx(ms.sum())
    single = ~np.isnan(found["SFD"])
    same(found["SFD"][single], found["FFD"][single])


@pytest.mark.parametrize(
    ("path", "ms", "message"),
    [
        ([0, 3], [100, 100], "numbers from 0 to 2"),
        ([0, -1], [100, 100], "numbers from 0 to 2"),
        ([0.5], [100], "numbers from 0 to 2"),
        ([0], [0], "above 0"),
        ([0], [np.nan], "NaN"),
        ([0, 1], [100], "lengths differ"),
    ],
)
def test_what_is_no_scanpath_is_refused(path, ms, message):
    with pytest.raises(ValueError, match=message):
        reading_measures(path, ms, 3)
