"""What used to become a wrong number in silence is right, or an error that says what to do."""

import nibabel as nib
import numpy as np
import pytest

from brainlm import (
    BandedRidgeEncoder,
    ContiguousBlocks,
    Groups,
    LeaveOneRunOut,
    RidgeEncoder,
    SimilarityEncoder,
    cross_validate,
    delay,
    from_image,
)
from brainlm.errors import CorruptDataError
from brainlm.io.files import is_json_number, read_json
from brainlm.io.textgrid import read_intervals, read_textgrid

pytestmark = pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")


@pytest.mark.parametrize("value", [True, "2.0", "1_0", None, [2], {}, 10**400, float("nan")])
def test_only_numbers_of_json_are_numbers(value):
    assert not is_json_number(value)
    assert is_json_number(2)
    assert is_json_number(0.71)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a": ' + "1" * 5000 + "}", "\x00"])
def test_hostile_json_is_one_clear_error(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(CorruptDataError, match=r"x\.json: no JSON that can be read"):
        read_json(path)


def textgrid(path, tiers, counts=None):
    """Write tiers (name -> words of a second each); counts may lie."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "0", "9", "<exists>"]
    lines.append(str(len(tiers)))
    for k, (name, words) in enumerate(tiers):
        n = len(words) if counts is None else counts[k]
        lines += ['"IntervalTier"', f'"{name}"', "0", "9", str(n)]
        for i, word in enumerate(words):
            lines += [str(i), str(i + 1), f'"{word}"']
    path.write_text("\n".join(lines))
    return path


def test_a_textgrid_with_a_count_that_is_too_small_is_no_shorter_story(tmp_path):
    words = ["once", "upon", "a", "time"]
    path = textgrid(tmp_path / "x.TextGrid", [("words", words)])
    assert read_textgrid(path, "en").words.tolist() == words
    for n in (0, 1, 2, 3):
        textgrid(path, [("words", words)], [n])
        with pytest.raises(CorruptDataError, match="a count is wrong"):
            read_intervals(path)
    textgrid(path, [("words", words)], [5])
    with pytest.raises(CorruptDataError, match="cut off"):
        read_intervals(path)


def test_two_tiers_of_one_name_are_no_guess(tmp_path):
    tiers = [("words", ["a"]), ("words", ["b"]), ("phones", ["c"])]
    path = textgrid(tmp_path / "x.TextGrid", tiers)
    for tier in (None, "words"):
        with pytest.raises(CorruptDataError, match="two interval tiers are called 'words'"):
            read_intervals(path, tier)
    assert [each.label for each in read_intervals(path, "phones")] == ["c"]


ENCODERS = {
    "ridge": RidgeEncoder(),
    "ridge, not standardised": RidgeEncoder(standardize=False),
    "similarity": SimilarityEncoder(),
    "banded": BandedRidgeEncoder([4, 6], n_draws=3),
}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", ENCODERS)
def test_the_unit_of_the_features_never_makes_a_score_of_zero(name, dtype, rng):
    X = rng.normal(size=(120, 10))
    Y, split = X @ rng.normal(size=(10, 3)), ContiguousBlocks(3)
    small, large = [-36, -23, -15, -5], [5, 13, 19, 30]
    exponents = small + large if dtype == "f4" else [-300, -162, -20, -5, 5, 20, 155]
    at_one = cross_validate(ENCODERS[name], X.astype(dtype), Y.astype(dtype), split).mean
    assert at_one.min() > 0.5
    scored = 0
    for exponent in exponents:
        scaled = (X * 10.0**exponent).astype(dtype)
        try:
            r = cross_validate(ENCODERS[name], scaled, Y.astype(dtype), split).mean
        except ValueError as error:
            assert "X varies by" in str(error)  # noqa: PT017 - either is right
            assert "rescale X" in str(error)  # noqa: PT017
        else:
            scored += 1
            assert r.min() > 0.5, exponent
    assert scored >= 1


@pytest.mark.parametrize("unit", [1e-30, 1e-13, 1e13, 1e30])
def test_the_unit_of_the_targets_changes_nothing(unit, rng):
    X = rng.normal(size=(120, 10)).astype("f4")
    Y = (X @ rng.normal(size=(10, 3))).astype("f4")
    split = ContiguousBlocks(3)
    r = cross_validate(RidgeEncoder(), X, (Y * np.float64(unit)).astype("f4"), split).mean
    np.testing.assert_allclose(r, cross_validate(RidgeEncoder(), X, Y, split).mean, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ContiguousBlocks(4.9), "n_splits must be a whole number from 2 on, got 4.9"),
        (lambda: ContiguousBlocks(True), "n_splits must be a whole number"),
        (lambda: ContiguousBlocks(5, gap=2.7), "gap must be a whole number of samples"),
        (lambda: ContiguousBlocks(5, gap="2"), "gap must be a whole number of samples"),
        (lambda: ContiguousBlocks(5, runs=[1.0, float("nan")]), r"runs\[1\] is missing"),
        (lambda: ContiguousBlocks(5, runs=["a", None]), r"runs\[1\] is missing"),
        (lambda: LeaveOneRunOut(["a", None, "b"]), r"runs\[1\] is missing"),
        (lambda: Groups(["a", "b", "c"], 2.5), "n_splits must be a whole number"),
        (lambda: delay(np.ones((9, 1)), [1.5]), "whole numbers of samples"),
        (lambda: delay(np.ones((9, 1)), [1, 9]), "run 0 has 9 samples, a longer delay leaves"),
        (lambda: delay(np.ones((9, 1)), [-4], np.repeat(["a", "b"], [5, 4])), "run 'b' has 4"),
    ],
)
def test_half_samples_and_missing_runs_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda z: 1e9 + z, "subtract the mean of each"),
        (lambda z: (1e9 + 5 * z).astype(np.int32), "subtract the mean of each"),
        (lambda z: (z + 1j).astype(np.complex64), "complex values; save their magnitude"),
    ],
)
def test_images_that_single_precision_cannot_hold_are_refused(tmp_path, data, message, rng):
    values = data(rng.normal(size=(3, 3, 3, 40)))
    image = nib.Nifti1Image(values, np.eye(4))
    image.header.set_zooms((1, 1, 1, 2))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / "bold.nii")
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)), tmp_path / "mask.nii")
    with pytest.raises(CorruptDataError, match=message):
        from_image(tmp_path / "bold.nii", tmp_path / "mask.nii", 2.0)


def test_usual_images_of_long_types_are_read(tmp_path, rng):
    values = 10_000 + 50 * rng.normal(size=(3, 3, 3, 40))
    image = nib.Nifti1Image(values, np.eye(4))
    image.header.set_zooms((1, 1, 1, 2))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / "bold.nii")
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)), tmp_path / "mask.nii")
    found = from_image(tmp_path / "bold.nii", tmp_path / "mask.nii", 2.0)
    np.testing.assert_allclose(found.data, values.reshape(27, 40).T, rtol=1e-6)
