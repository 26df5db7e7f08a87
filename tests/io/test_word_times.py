from __future__ import annotations

import pytest
from support.layouts import textgrid

from brainlm.errors import CorruptDataError
from brainlm.io import read_word_times

SECTIONS = {"files": ["s1.csv", "s2.csv"], "language": "zh", "word": "text", "skip": ["sil"]}


@pytest.fixture
def sections(tmp_path):
    (tmp_path / "s1.csv").write_text(
        ",text,onset,offset\n0,当,0.0,0.18\n1,sil ,0.18,0.5\n2,我,0.5,0.7\n", encoding="utf-8"
    )
    (tmp_path / "s2.csv").write_text(
        ",text,onset,offset\n0,,0.0,0.1\n1,1920,0.1,0.5\n", encoding="utf-16"
    )
    return tmp_path


def test_each_file_is_a_run_and_silences_are_no_words(sections):
    stimulus, recording = read_word_times(sections, **SECTIONS)
    assert recording is None
    assert stimulus.words.tolist() == ["当", "我", "1920"]
    assert stimulus.run.tolist() == ["1", "1", "2"]
    assert stimulus.onset.tolist() == [0, 0.5, 0.1]
    assert stimulus.duration == pytest.approx([0.18, 0.2, 0.4])


def test_a_declared_shift_moves_every_word(sections):
    stimulus, _ = read_word_times(sections, **SECTIONS, shift=10.65, runs=["a", "b"])
    assert stimulus.onset.tolist() == [10.65, 11.15, 10.75]
    assert stimulus.runs == ["a", "b"]


def test_one_table_may_hold_several_runs(tmp_path):
    (tmp_path / "a.csv").write_text("word,onset,offset,section\na,0,1,1\nb,0.5,1,2\n")
    stimulus, _ = read_word_times(tmp_path, files=["a.csv"], language="en", run="section")
    assert stimulus.runs == ["1", "2"]


def test_text_grids_are_sections_too(tmp_path):
    (tmp_path / "a.TextGrid").write_text(textgrid())
    stimulus, _ = read_word_times(tmp_path, files=["a.TextGrid"], language="en")
    assert stimulus.words.tolist() == ["Alice", "was"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,0,2\nb,1,3\n", "overlaps the word before it"),
        ("a,1,2\nb,0,1\n", "begins before"),
        ("a,1,0\n", "is negative"),
        ("a,x,0\n", "column 'onset': 'x' is not a number"),
        ("sp,0,1\n", "holds no words besides"),
    ],
)
def test_times_that_cannot_be_are_refused_with_the_file(tmp_path, rows, message):
    (tmp_path / "a.csv").write_text("word,onset,offset\n" + rows)
    with pytest.raises(CorruptDataError, match=rf"a\.csv.*{message}"):
        read_word_times(tmp_path, files=["a.csv"], language="en")


def test_words_that_an_aligner_did_not_find_are_left_out_where_declared(tmp_path):
    (tmp_path / "align.csv").write_text("I,i,0.1,0.2\nbegan,began,,\nmy,my,0.5,0.6\n")
    options = {
        "files": ["align.csv"],
        "language": "en",
        "header": ["word", "lower", "onset", "offset"],
    }
    stimulus, _ = read_word_times(tmp_path, **options, required=["onset"])
    assert stimulus.words.tolist() == ["I", "my"]
    with pytest.raises(CorruptDataError, match="column 'onset': '' is not a number"):
        read_word_times(tmp_path, **options)


def test_talk_of_several_speakers_is_put_in_the_order_of_its_onsets(tmp_path):
    (tmp_path / "talk.csv").write_text(
        "word,onset,offset,who\nwell,0.0,1.0,A\nyes,1.2,1.5,A\nno,0.5,0.7,B\n"
    )
    options = {"files": ["talk.csv"], "language": "en"}
    with pytest.raises(CorruptDataError, match="begins before"):
        read_word_times(tmp_path, **options)
    stimulus, _ = read_word_times(tmp_path, **options, speaker="who", overlap="allow")
    assert stimulus.words.tolist() == ["well", "no", "yes"]
    assert stimulus.speaker.tolist() == ["A", "B", "A"]
