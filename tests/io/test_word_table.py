"""A table of words and numbers of one's own."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainlm import from_table
from brainlm.data.notes import kind_of
from brainlm.errors import CorruptDataError, UnknownNameError

RATED = pd.DataFrame(
    {
        "word": ["null", "dog", "nan", "ant"],
        "size": [1.0, 5.0, 2.0, 0.5],
        "kind": ["thing", "animal", "person", "animal"],
        "age": [9, 3, 4, 5],
    }
)


@pytest.fixture(params=[".csv", ".tsv", ".xlsx", "frame"])
def rated(request, tmp_path):
    """The same table as a file of each kind, and as a DataFrame."""
    if request.param == "frame":
        return RATED
    path = tmp_path / f"rated{request.param}"
    if request.param == ".xlsx":
        RATED.to_excel(path, index=False)
    else:
        RATED.to_csv(path, index=False, sep="\t" if request.param == ".tsv" else ",")
    return path


def test_words_and_numbers_of_every_kind_of_file(rated):
    stimulus, recording = from_table(rated)
    assert stimulus.words.tolist() == ["ant", "dog", "nan", "null"]
    assert stimulus.language == "en"
    assert stimulus.text.tolist() == recording.items.tolist() == stimulus.words.tolist()
    assert recording.target_names.tolist() == ["size", "age"]
    assert recording.data.tolist() == [[0.5, 5], [5, 3], [2, 4], [1, 9]]
    assert "columns without numbers left out: kind" in recording.notes
    assert any("taken to be English" in note for note in recording.notes)


def test_targets_and_the_column_of_words_are_chosen():
    table = RATED.rename(columns={"word": "Item"})
    _, recording = from_table(table, word="Item", targets="age", language="en")
    assert recording.target_names.tolist() == ["age"]
    assert recording.notes == ()


def test_missing_values_are_counted():
    table = RATED.assign(size=[1.0, None, 2.0, 0.5])
    stimulus, recording = from_table(table)
    assert "dog" not in stimulus.words
    (note,) = [note for note in recording.notes if kind_of(note) == "excluded"]
    assert note == "table: left out 1 of 4 words with missing values (size 1)"
    with pytest.raises(CorruptDataError, match=r"table: missing values \(size 1\)"):
        from_table(table, missing="refuse")
    _, kept = from_table(table, missing="allow")
    assert kept.missing_targets == ["size"]
    with pytest.raises(CorruptDataError, match="no word has all of its values"):
        from_table(table.assign(age=[None, 1, None, None]))
    with pytest.raises(UnknownNameError, match="missing"):
        from_table(table, missing="fill")


def test_groups_become_runs_that_lie_together():
    stimulus, recording = from_table(RATED, group="kind")
    assert recording.run.tolist() == ["thing", "animal", "animal", "person"]
    assert stimulus.words.tolist() == ["null", "ant", "dog", "nan"]
    twice = pd.concat([RATED, RATED.iloc[:1].assign(kind="other", rater="b")]).fillna(
        {"rater": "a"}
    )
    with pytest.raises(CorruptDataError, match="a word belongs to one group"):
        from_table(twice, group="kind", subject="rater")


def test_a_long_table_has_units(tmp_path):
    long = pd.concat(
        [RATED.assign(rater=who, size=RATED["size"] + k) for k, who in enumerate("ab")]
    )
    path = tmp_path / "long.csv"
    long.to_csv(path, index=False)
    stimulus, recording = from_table(path, subject="rater", targets=["size"])
    assert stimulus.n_words == 4
    assert recording.targets["subject"].tolist() == ["a", "b"]
    assert (recording.data[:, 1] - recording.data[:, 0] == 1).all()
    assert recording.origin["file"] == str(path)
    _, fewer = from_table(long.iloc[:-1], subject="rater", targets=["size"])
    assert fewer.n_samples == 3
    assert any("left out 1 of 4 words" in note for note in fewer.notes)


def test_languages_are_told_apart():
    table = RATED.assign(language=["en", "en", "fr", "fr"])
    with pytest.raises(CorruptDataError, match=r"2 languages \(en, fr\): choose one"):
        from_table(table)
    stimulus, recording = from_table(table, language="fr")
    assert (stimulus.language, stimulus.n_words) == ("fr", 2)
    assert any("kept the 2 of 4 rows in 'fr'" in note for note in recording.notes)
    with pytest.raises(CorruptDataError, match=r"language of '狗' is not known"):
        from_table(pd.DataFrame({"word": ["狗"], "size": [1.0]}))
    assert from_table(pd.DataFrame({"word": ["狗"], "size": [1.0]}), language="zh")[0].n_words == 1


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        ({}, {"word": "Word"}, r"column \(word=\) 'Word'. Did you mean 'word'"),
        ({}, {"targets": ["sise"]}, r"'sise'. Did you mean 'size'"),
        ({}, {"subject": "rater"}, r"column \(subject=\) 'rater'"),
        ({"size": [1, 2, "big", 3]}, {}, r"row 2, column 'size': 'big' is not a number: correct"),
        (
            {"word": ["a", "b", "a", "c"]},
            {},
            r"1 rows repeat a word; the first: 'a' in rows 0 and 2",
        ),
        ({"word": ["a", "b", "", "c"]}, {}, r"row 2, column 'word': '' is not text"),
        ({"size": "x", "age": "y"}, {}, "no column of numbers beside the words"),
        ({"size": [1, 2, np.inf, 3]}, {}, "infinite|not finite"),
    ],
)
def test_errors_name_column_row_value_and_fix(changes, options, said):
    with pytest.raises(ValueError, match=said):
        from_table(RATED.assign(**changes), **options)


def test_a_file_names_its_own_rows(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("word,size\nant,1\n\ndog,big\n", encoding="utf-8")
    with pytest.raises(CorruptDataError, match=r"r.csv, row 4, column 'size': 'big'"):
        from_table(path)
    with pytest.raises(FileNotFoundError):
        from_table(Path("nowhere.csv"))
    with pytest.raises(CorruptDataError, match="no rows"):
        from_table(RATED.iloc[:0])
