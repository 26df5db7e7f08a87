from __future__ import annotations

import numpy as np
import pytest
from support.layouts import TIMECOURSES

from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.io import read_timecourses
from brainlm.io.files import parse_number, subjects_in
from brainlm.io.timecourses import read_matrix


def test_samples_stand_on_the_clock_of_the_words(story):
    stimulus, recording = read_timecourses(story, "s1", **TIMECOURSES)
    assert stimulus.words.tolist() == ["Alice", "was"]
    expected = np.loadtxt(story / "series" / "s1-timecourses.txt")
    np.testing.assert_array_equal(recording.data, expected)
    np.testing.assert_array_equal(recording.times, [20, 22, 24, 26, 28])
    assert recording.target_names.tolist() == ["LATL", "RATL"]
    assert (recording.subject, recording.unit) == ("s1", "BOLD (a.u.)")
    assert recording.notes == ("3 intervals of story.TextGrid are not words (silences)",)
    assert stimulus.runs == recording.runs


def test_words_and_samples_share_the_name_of_the_run(story):
    stimulus, recording = read_timecourses(story, "s1", **TIMECOURSES, run="chapter-1")
    assert stimulus.runs == recording.runs == ["chapter-1"]


def test_an_unknown_subject_is_answered_with_the_choices(story):
    with pytest.raises(UnknownNameError, match=r"Choices: s1, s2"):
        read_timecourses(story, "s3", **TIMECOURSES)
    with pytest.raises(UnknownNameError):
        read_timecourses(story, "../series/s1", **TIMECOURSES)
    with pytest.raises(ValueError, match=r"subject is needed .* s1, s2"):
        read_timecourses(story, **TIMECOURSES)


def test_a_folder_without_subjects_is_missing_data(story):
    with pytest.raises(DataMissingError, match="no file matches"):
        read_timecourses(story, "s1", **(TIMECOURSES | {"pattern": "other/{subject}.txt"}))


@pytest.mark.parametrize(
    "change", [{"colour": "red"}, {"first_sample": "20"}, {"targets": "LATL"}, {"unit": None}]
)
def test_options_are_strict(story, change):
    with pytest.raises(ValueError, match=next(iter(change))):
        read_timecourses(story, "s1", **(TIMECOURSES | change))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 2\n3\n", "line 2: 1 columns, 2 in the first row"),
        ("1 2\n3 x\n", "line 2: 'x' is not a number"),
        ("1 2\n3 nan\n", "line 2: 'nan' is not a number"),
        ("1 2\n3 1_0\n", "line 2: '1_0' is not a number"),
        ("1 2\n3 1e999\n", "NaN or infinite"),
        ("1 2 3\n4 5 6\n", "columns of data: 3, targets: 2"),
        ("\n \n", "holds no numbers"),
        ("", "empty"),
        ("<html><body>Not found</body></html>", "HTML page"),
        ("../.git/annex/objects/aa/bb/MD5-s9--00\n", "git-annex pointer"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-LFS pointer"),
    ],
)
def test_what_is_no_matrix_is_refused_with_its_path(story, content, message):
    path = story / "series" / "s1-timecourses.txt"
    path.write_text(content)
    with pytest.raises(CorruptDataError, match=message) as error:
        read_timecourses(story, "s1", **TIMECOURSES)
    assert str(path) in str(error.value)


def test_blank_lines_are_passed_over_and_lines_counted_as_in_an_editor(tmp_path):
    path = tmp_path / "m.txt"
    path.write_text("1 2\n\n3 4\n")
    np.testing.assert_array_equal(read_matrix(path), [[1, 2], [3, 4]])
    path.write_text("1 2\n\n3 4 5\n")
    with pytest.raises(CorruptDataError, match="line 3"):
        read_matrix(path)


def test_a_subject_named_twice_in_a_path_must_agree(tmp_path):
    for subject, file in (("sub-1", "sub-1"), ("sub-2", "sub-1")):
        (tmp_path / subject).mkdir(exist_ok=True)
        (tmp_path / subject / f"{file}_bold.txt").write_text("1\n")
    assert subjects_in(tmp_path, "{subject}/{subject}_bold.txt") == ["sub-1"]
    with pytest.raises(ValueError, match="must hold"):
        subjects_in(tmp_path, "bold.txt")


@pytest.mark.parametrize("cell", ["1", "-1.5", "+.5", "2.", "1e-3", " 7 ", 3, 2.5])
def test_numbers_are_numbers(cell):
    assert parse_number(cell) == float(cell)


@pytest.mark.parametrize("cell", ["nan", "inf", "1_0", "", "1,5", "٣", "0x1", True, None, [1]])
def test_nothing_else_is_a_number(cell):
    with pytest.raises(ValueError, match="is not a number"):
        parse_number(cell)
