from __future__ import annotations

import zipfile

import numpy as np
import pandas as pd
import pyreadr
import pytest

from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.io.sheets import read_sheet


def test_r_data_keep_words_that_look_missing_and_whole_numbers(tmp_path):
    frame = pd.DataFrame(
        {"Word": ["null", "nan", "dog"], "item": [19.0, 2.0, 3.0], "rt": [1.5, np.nan, 3.0]}
    )
    pyreadr.write_rdata(tmp_path / "norms.rda", frame, df_name="norms")
    sheet = read_sheet(tmp_path / "norms.rda")
    assert sheet.header == ["Word", "item", "rt"]
    assert sheet.texts("Word") == ["null", "nan", "dog"]
    assert sheet.texts("item") == ["19", "2", "3"]
    np.testing.assert_array_equal(sheet.numbers("rt", [""]), [1.5, np.nan, 3])
    with pytest.raises(UnknownNameError, match=r"data frame of .*norms"):
        read_sheet(tmp_path / "norms.rda", sheet="norm")


def test_what_is_no_r_data_is_refused(tmp_path):
    (tmp_path / "a.rda").write_bytes(b"RDX2\nnothing")
    with pytest.raises(CorruptDataError, match=r"a\.rda: not a readable R file"):
        read_sheet(tmp_path / "a.rda")


def test_a_matrix_with_names_of_rows_and_columns(tmp_path):
    np.savez(
        tmp_path / "a.npz",
        vectors=np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8),
        features=["big", "alive", "red"],
        stimuli=["bear", "nan"],
    )
    sheet = read_sheet(tmp_path / "a.npz")
    assert sheet.header == ["stimuli", "big", "alive", "red"]
    assert sheet.texts("stimuli") == ["bear", "nan"]
    np.testing.assert_array_equal(sheet.numbers("red"), [3, 6])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.zeros(3)}, "expected one matrix of numbers"),
        ({"a": np.zeros((2, 3)), "b": ["x", "y"]}, "no names for each row and column"),
        ({"a": np.zeros((2, 2)), "b": ["x", "y"]}, "no names for each row and column"),
        ({"a": np.array([{"x": 1}], dtype=object)}, "not a readable NPZ"),
    ],
)
def test_other_archives_are_refused_and_never_unpickled(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(CorruptDataError, match=rf"a\.npz: .*{message}"):
        read_sheet(tmp_path / "a.npz")


def test_an_archive_that_unpacks_to_too_much_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr("brainlm.io.cells.LARGEST_TABLE", 1000)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(5000))
    with pytest.raises(CorruptDataError, match="unpacks to more than 1000 bytes"):
        read_sheet(tmp_path / "a.npz")


def test_text_without_header_between_blanks(tmp_path):
    (tmp_path / "a.txt").write_text("座椅 坐椅 4.0 4 4 \n繁琐 烦琐 3.5 3 4 \n", encoding="utf-8")
    sheet = read_sheet(tmp_path / "a.txt", delimiter=" ", header=["a", "b", "mean", "r1", "r2"])
    assert sheet.texts("b") == ["坐椅", "烦琐"]
    assert sheet.lines == [1, 2]
    with pytest.raises(CorruptDataError, match="row 1: 5 cells under a header of 3"):
        read_sheet(tmp_path / "a.txt", delimiter=" ", header=["a", "b", "mean"])


def test_rows_are_chosen_by_value_with_advice(tmp_path):
    (tmp_path / "a.csv").write_text("language,x\nen,1\nzh,2\n")
    sheet = read_sheet(tmp_path / "a.csv")
    assert sheet.where({"language": "zh"}).lines == [3]
    with pytest.raises(CorruptDataError, match=r"unknown value of language 'zz'.*en, zh"):
        sheet.where({"language": "zz"})


def test_records_in_json_are_rows_and_their_lists_too(tmp_path):
    path = tmp_path / "gaze.json"
    path.write_text(
        '[{"id": "a", "word": ["从前", "nan"], "FFD": [201.5, null]}]', encoding="utf-8"
    )
    sheet = read_sheet(path)
    assert sheet.header == ["id", "word", "FFD", "n"]
    assert sheet.texts("word") == ["从前", "nan"]
    np.testing.assert_array_equal(sheet.numbers("FFD", [""]), [201.5, np.nan])
    assert sheet.texts("n") == ["1", "2"]
    path.write_text('{"狗": {"GD": 250}, "猫": {"GD": 240}}', encoding="utf-8")
    assert read_sheet(path).texts("key") == ["狗", "猫"]
    for content, message in (
        ("[1]", "no list or dict of records"),
        ("{", "no JSON"),
        ('[{"a": [1, 2], "b": [1]}]', "lengths"),
    ):
        path.write_text(content)
        with pytest.raises(CorruptDataError, match=message):
            read_sheet(path)


def test_a_part_of_a_large_table_is_read_line_by_line(tmp_path, monkeypatch):
    path = tmp_path / "ia.csv"
    rows = [f"p{i % 3},w{i},{i}" for i in range(30)]
    path.write_text("id,word,time\n" + "\n".join(rows) + "\n")
    whole = read_sheet(path, columns=["word", "time"], where={"id": "p1"})
    monkeypatch.setattr("brainlm.io.cells.LARGEST_TEXT", 10)
    part = read_sheet(path, columns=["word", "time"], where={"id": "p1"})
    assert part == whole
    assert part.header == ["word", "time"]
    assert part.rows[0] == ["w1", "1"]
    with pytest.raises(CorruptDataError, match=r"unknown value of id 'p9'.*p0, p1, p2"):
        read_sheet(path, columns=["word"], where={"id": "p9"})
    path.write_bytes(path.read_bytes() + b"\xff\xfe,1,2\n")
    with pytest.raises(CorruptDataError, match="no UTF-8"):
        read_sheet(path)


def test_quotation_marks_may_be_characters(tmp_path):
    path = tmp_path / "all_stories.tok"
    path.write_text('word\tzone\titem\n"Come\t1\t1\nhere,"\t2\t1\n')
    assert read_sheet(path, delimiter="\t", quotes=False).texts("word") == ['"Come', 'here,"']
