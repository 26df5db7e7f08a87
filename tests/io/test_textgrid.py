from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from praatio import textgrid as praatio
from support.layouts import INTERVALS, textgrid

from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.io import read_textgrid
from brainlm.io.textgrid import read_intervals


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("style", ["long", "short"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_words_and_times_are_read_without_silences(tmp_path, style, encoding):
    path = write(tmp_path / "a.TextGrid", textgrid(style=style), encoding)
    stimulus = read_textgrid(path, "en")
    assert stimulus.words.tolist() == ["Alice", "was"]
    np.testing.assert_array_equal(stimulus.onset, [1.0, 1.5])
    np.testing.assert_array_equal(stimulus.duration, [0.5, 0.5])


def test_windows_line_ends_and_chinese_words(tmp_path):
    text = textgrid([(0.0, 1.0, "小王子"), (1.0, 2.0, "说")]).replace("\n", "\r\n")
    stimulus = read_textgrid(write(tmp_path / "a.TextGrid", text, "utf-16"), "zh")
    assert stimulus.words.tolist() == ["小王子", "说"]


def test_skip_decides_what_is_no_word(tmp_path):
    path = write(tmp_path / "a.TextGrid", textgrid())
    assert read_textgrid(path, "en", skip=()).words.tolist() == ["sp", "Alice", "was", "sp"]


LABELS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=5)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(labels=st.lists(LABELS, min_size=1, max_size=6), style=st.sampled_from(["long", "short"]))
def test_any_label_comes_back_as_it_was_written(tmp_path, labels, style):
    intervals = [(float(i), i + 1.0, label) for i, label in enumerate(labels)]
    path = write(tmp_path / "a.TextGrid", textgrid(intervals, style=style))
    assert [(e.start, e.end, e.label) for e in read_intervals(path)] == intervals


@pytest.mark.parametrize("style", ["long", "short"])
def test_praatio_reads_the_same(tmp_path, style):
    path = write(tmp_path / "a.TextGrid", textgrid(style=style))
    theirs = praatio.openTextgrid(str(path), includeEmptyIntervals=False).getTier("word").entries
    ours = [entry for entry in read_intervals(path) if entry.label]
    assert [(e.start, e.end, e.label) for e in ours] == [tuple(e) for e in theirs]


def test_a_tier_must_be_named_when_there_are_two(tmp_path):
    one = textgrid()
    tier = one[one.index("    item [1]:") :]
    two = one.replace("size = 1 ", "size = 2 ", 1) + tier.replace('"word"', '"phone"')
    path = write(tmp_path / "a.TextGrid", two)
    with pytest.raises(ValueError, match=r"interval tiers: \['word', 'phone'\]"):
        read_textgrid(path, "en")
    assert read_textgrid(path, "en", tier="phone").n_words == 2
    with pytest.raises(UnknownNameError, match="Choices: word, phone"):
        read_textgrid(path, "en", tier="words")


def test_a_point_tier_has_no_words(tmp_path):
    text = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n0\n2\n<exists>\n1\n'
        '"TextTier"\n"clicks"\n0\n2\n1\n0.5\n"click"\n'
    )
    with pytest.raises(ValueError, match=r"interval tiers: \[\]"):
        read_textgrid(write(tmp_path / "a.TextGrid", text), "en")


@pytest.mark.parametrize("style", ["long", "short"])
def test_a_truncated_file_is_an_error_and_not_a_shorter_story(tmp_path, style):
    text = textgrid(style=style)
    cut = text.rindex("2.0")
    with pytest.raises(CorruptDataError, match=r"a\.TextGrid: ends where"):
        read_textgrid(write(tmp_path / "a.TextGrid", text[:cut]), "en")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "ends where a string"),
        ('"ooTextFile" "Sound"', "not a TextGrid"),
        (textgrid().replace('"IntervalTier"', '"Tier"'), "class 'Tier' is unknown"),
        (textgrid().replace("size = 5", "size = 2.5"), "2.5 found where a count"),
        (textgrid().replace("size = 1 ", "size = -1 "), "-1.0 found where a count"),
        (textgrid().replace("xmax = 1.5", 'xmax = "late"', 1), "'late' found where a number"),
        (textgrid().replace('"was "', "2.0", 1), "2.0 found where a string"),
        (textgrid().replace("xmax = 1.5", "xmax = 1.9", 1), "overlaps"),
        (textgrid([(0.0, 1.0, "sp")]), "words is empty"),
        ("", "empty"),
        ("<!DOCTYPE html><html>404</html>", "HTML page"),
        ("/annex/objects/SHA256E-s1--0.TextGrid\n", "git-annex pointer"),
    ],
)
def test_what_is_no_textgrid_is_refused_with_its_path(tmp_path, text, message):
    path = write(tmp_path / "a.TextGrid", text)
    with pytest.raises(CorruptDataError, match=message) as error:
        read_textgrid(path, "en")
    assert str(path) in str(error.value)


def test_a_file_in_another_encoding_is_refused(tmp_path):
    path = write(tmp_path / "a.TextGrid", textgrid([(0.0, 1.0, "é")]), "latin-1")
    with pytest.raises(CorruptDataError, match="convert it to UTF-8"):
        read_textgrid(path, "fr")


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(DataMissingError, match="no such file"):
        read_textgrid(tmp_path / "a.TextGrid", "en")


def test_empty_intervals_are_kept_by_read_intervals(tmp_path):
    path = write(tmp_path / "a.TextGrid", textgrid())
    assert len(read_intervals(path)) == len(INTERVALS)
