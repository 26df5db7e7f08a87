from __future__ import annotations

import pytest

from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.io import read_region_rows
from brainlm.io.region_rows import RegionRowsOptions

HEADER = ",UID,Network,ROI,T_1,T_2,T_3,Language,Passage\n"
TABLE = HEADER + (
    "1,11,L,PostTemp,1,2,3,German,2\n"
    "2,11,L,IFG,4,5,6,German,2\n"
    "3,11,L,PostTemp,7,8,9,German,1\n"
    "4,11,L,IFG,10,11,12,German,1\n"
    "5,11,L,AngG,0,0,0,German,1\n"
    "6,7,L,PostTemp,0,0,1,Hindi,1\n"
    "7,12,L,PostTemp,1,0,1,German,1\n"
    "8,12,L,IFG,1,0,0,German,1\n"
)
OPTIONS = {
    "path": "rows.csv",
    "where": {"Language": "German"},
    "person": "UID",
    "target": "ROI",
    "run": "Passage",
    "sample": "T_",
    "targets": ["IFG", "PostTemp"],
    "words": "transcribed/Passage_{run}/de.csv",
    "word": "text",
    "onset": "start",
    "offset": "end",
    "until": 2.0,
    "first_sample": -2.0,
    "sampling_interval": 2.0,
    "language": "de",
    "modality": "fmri",
    "unit": "percent",
}


@pytest.fixture
def layout(tmp_path):
    (tmp_path / "rows.csv").write_text(TABLE)
    words = {"1": 'Zu,0,0.4\n"Türen,",0.4,1.5\n ,1.5,1.6\nspät,1.9,2.1\n', "2": "Ja,0,1\n"}
    for run, rows in words.items():
        folder = tmp_path / "transcribed" / f"Passage_{run}"
        folder.mkdir(parents=True)
        (folder / "de.csv").write_text("text,start,end\n" + rows)
    return tmp_path


def test_rows_become_columns_and_runs_follow_their_numbers(layout):
    stimulus, recording = read_region_rows(layout, "11", **OPTIONS)
    assert recording.data.tolist() == [[10, 7], [11, 8], [12, 9], [4, 1], [5, 2], [6, 3]]
    assert recording.target_names.tolist() == ["IFG", "PostTemp"]
    assert recording.times.tolist() == [-2, 0, 2, -2, 0, 2]
    assert recording.run.tolist() == ["1"] * 3 + ["2"] * 3
    assert stimulus.words.tolist() == ["Zu", "Türen,", "Ja"]  # the blank is no word
    assert stimulus.run.tolist() == ["1", "1", "2"]
    assert recording.notes == ("1 words end after 2.0 s, where the sound was cut",)


def test_people_are_those_of_the_chosen_rows(layout):
    given = RegionRowsOptions.of(OPTIONS)
    assert given.subjects(layout) == ["11", "12"]
    assert given.found_files(layout, "12") == ("rows.csv", "transcribed/Passage_1/de.csv")
    assert given.paths(None) == ("rows.csv",)
    with pytest.raises(UnknownNameError, match=r"'7'.*11, 12"):
        read_region_rows(layout, "7", **OPTIONS)
    with pytest.raises(UnknownNameError, match=r"11, 12"):
        read_region_rows(layout, **OPTIONS)


def test_without_runs_all_is_one(layout):
    words = "transcribed/Passage_2/de.csv"
    given = OPTIONS | {"run": None, "words": words, "until": None}
    stimulus, recording = read_region_rows(layout, "12", **given)
    assert recording.runs == stimulus.runs == ["1"]
    assert recording.data.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert recording.notes == ()


def test_runs_are_ordered_as_numbers(layout):
    table = HEADER + "".join(
        f"1,11,L,IFG,{n},{n},{n},German,{n}\n1,11,L,PostTemp,0,0,0,German,{n}\n" for n in (10, 9)
    )
    (layout / "rows.csv").write_text(table)
    given = OPTIONS | {"words": "transcribed/Passage_1/de.csv"}
    _, recording = read_region_rows(layout, "11", **given)
    assert recording.runs == ["9", "10"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("2,11,L,IFG,4,5,6,German,2\n", ""), "run '2' of these rows has 0 rows for region 'IFG'"),
        (("5,11,L,AngG", "5,11,L,IFG"), "run '1' of these rows has 2 rows for region 'IFG'"),
        (("7,8,9,German", "7,x,9,German"), "'x' is not a number"),
        (("T_1,T_2,T_3", "S_1,S_2,S_3"), "no column is named 'T_' and a number"),
        (("T_1,T_2,T_3", "T_1,T_2,T_4"), "T_3"),
        ((",German,", ",Greek,"), "'German'"),
    ],
)
def test_what_does_not_fit_is_refused(layout, change, message):
    (layout / "rows.csv").write_text(TABLE.replace(*change))
    with pytest.raises(CorruptDataError, match=message):
        read_region_rows(layout, "11", **OPTIONS)
