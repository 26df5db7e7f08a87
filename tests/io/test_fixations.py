"""Fixations in a BIDS layout, dirty cells included, and in a report of EyeLink."""

from __future__ import annotations

import numpy as np
import pytest

from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.io import read_fixations

OPTIONS = {
    "pattern": "sub-{subject}/func/sub-{subject}_task-read_run-{run}_events.tsv",
    "sentence": "SentenceID",
    "area": "AREA_ID",
    "words": "words.csv",
    "word": "Word",
    "word_sentence": "SentenceID",
    "word_area": "AREA_ID",
    "text": r"t\.(\d+)\.",
    "language": "en",
    "unit": "ms",
}
WORDS = """,Word,SentenceID,AREA_ID
0,null,t.01.01,2
1,Is,t.01.01,1
2,true.,t.01.01,3
3,Run!,t.01.02,1
4,Go.,t.02.01,1
"""
HEADER = "onset\tduration\tAREA_ID\tSentenceID\n"
FIRST = """#VALUE!\t89\t.\t.
9540\t120\t.\tt.01.01
9700\t200\t1\tt.01.01
9901\t210\t2\tt.01.01
10200\t150\t1\tt.01.01
10400\t300\t3\tt.01.01
#VALUE!\t80\t.\t.
11000\t250\t1\tt.01.02
"""


@pytest.fixture
def layout(tmp_path):
    (tmp_path / "words.csv").write_text(WORDS)
    folder = tmp_path / "sub-01/func"
    folder.mkdir(parents=True)
    (folder / "sub-01_task-read_run-1_events.tsv").write_text(HEADER + FIRST)
    (folder / "sub-01_task-read_run-2_events.tsv").write_text(HEADER + "1\t90\t1\tt.02.01\n")
    return tmp_path


def test_fixations_become_reading_measures(layout):
    stimulus, recording = read_fixations(layout, "01", **OPTIONS)
    assert stimulus.words.tolist() == ["Is", "null", "true.", "Run!", "Go."]
    assert stimulus.text.tolist() == ["01"] * 4 + ["02"]
    assert recording.items.tolist()[:3] == ["t.01.01/1", "t.01.01/2", "t.01.01/3"]
    column = dict(zip(recording.target_names, recording.data.T, strict=True))
    np.testing.assert_array_equal(column["FFD"], [200, 210, 300, 250, 90])
    np.testing.assert_array_equal(column["GPT"], [200, 360, 300, 250, 90])
    np.testing.assert_array_equal(column["TT"], [350, 210, 300, 250, 90])
    np.testing.assert_array_equal(column["regression_in"], [1, 0, 0, 0, 0])
    assert recording.notes == ("2 fixations between sentences", "1 fixations on no word")


def spoil(layout, row):
    path = layout / "sub-01/func/sub-01_task-read_run-2_events.tsv"
    path.write_text(HEADER + "1\t90\t1\tt.02.01\n" + row + "\n")


@pytest.mark.parametrize(
    ("row", "message", "note"),
    [
        ("1\t90\t2\tt.02.01", "row 3: word 2 of sentence 't.02.01', which has 1", "beyond"),
        ("1\t90\t1\tt.09.01", "row 3: sentence 't.09.01' is not in words.csv", "without words"),
        ("1\t.\t1\tt.02.01", "row 3: '.' is not a number", "without a number or a duration"),
        ("1\t90\t#VALUE!\tt.02.01", "row 3: '#VALUE!' is not a number", "without a number"),
    ],
)
def test_dirty_cells_are_errors_or_counted(layout, row, message, note):
    spoil(layout, row)
    with pytest.raises(CorruptDataError, match=message):
        read_fixations(layout, "01", **OPTIONS)
    _, recording = read_fixations(layout, "01", **OPTIONS, beyond="drop")
    assert any(note in each for each in recording.notes)
    assert recording.n_samples == 5


def test_what_does_not_fit_is_refused(layout):
    spoil(layout, "1\t90\t1\tt.01.02")
    with pytest.raises(CorruptDataError, match=r"sentence 't\.01\.02' was read before"):
        read_fixations(layout, "01", **OPTIONS)
    with pytest.raises(UnknownNameError, match="'02'"):
        read_fixations(layout, "02", **OPTIONS)
    (layout / "words.csv").write_text(WORDS.replace("t.01.01,2", "t.01.01,4"))
    with pytest.raises(CorruptDataError, match="are not numbered from 1 to 3"):
        read_fixations(layout, "01", **OPTIONS)


def test_a_report_of_eyelink(layout):
    """A file per person, interest areas by number, trials as sentences."""
    report = "TRIAL_INDEX\tCURRENT_FIX_DURATION\tCURRENT_FIX_INTEREST_AREA_INDEX\n"
    (layout / "p7.txt").write_text(report + "1\t200\t1\n1\t150\t.\n1\t180\t2\n")
    (layout / "words.txt").write_text("trial\tia\tword\n1\t1\tHello\n1\t2\tworld\n")
    given = {
        "pattern": "p{subject}.txt",
        "sentence": "TRIAL_INDEX",
        "area": "CURRENT_FIX_INTEREST_AREA_INDEX",
        "duration": "CURRENT_FIX_DURATION",
        "words": "words.txt",
        "word": "word",
        "word_sentence": "trial",
        "word_area": "ia",
        "language": "en",
        "unit": "ms",
    }
    stimulus, recording = read_fixations(layout, "7", **given)
    assert stimulus.words.tolist() == ["Hello", "world"]
    assert recording.data[:, 0].tolist() == [200, 180]
