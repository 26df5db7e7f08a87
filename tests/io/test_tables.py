from __future__ import annotations

import copy

import numpy as np
import openpyxl
import pytest
from support.layouts import TABLES, XLSX

from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.io import read_tables


def one(**changes):
    """Return options for senses.csv alone."""
    table = {"path": "senses.csv", "word": "Word", "columns": ["Visual"]}
    options = {"language": "en", "unit": "rating 0-5"}
    table |= {
        key: changes.pop(key)
        for key in list(changes)
        if key not in ("missing", "duplicates", "single_words", "sort", "item", "text")
    }
    return options | changes | {"tables": [table]}


def test_tables_are_joined_on_the_word_and_the_counts_are_noted(norms):
    stimulus, recording = read_tables(norms, **TABLES)
    assert stimulus.words.tolist() == ["null", "nan", "dog", "ice cream"]
    assert recording.target_names.tolist() == ["Visual", "Auditory", "Concreteness"]
    np.testing.assert_array_equal(
        recording.data, [[1.5, 0, 1.5], [0.5, 2, 2.5], [4.1, 3, 4.9], [3.5, 1, 5]]
    )
    assert recording.items.tolist() == stimulus.sentence.tolist() == stimulus.text.tolist()
    assert not stimulus.timed
    assert recording.modality == "ratings"
    assert recording.notes == (
        "concreteness.tsv: left out 1 of 5 rows with missing values (Concreteness 1)",
        "joined on the item, case-sensitively: 4 in all files (senses.csv 4, concreteness.tsv 4)",
    )


def test_single_words_leaves_out_expressions_and_says_how_many(norms):
    stimulus, recording = read_tables(norms, **TABLES, single_words=True)
    assert stimulus.words.tolist() == ["null", "nan", "dog"]
    assert recording.notes[-1] == "left out 1 expressions of several words"


def test_sorting_by_word_moves_the_ratings_along(norms):
    stimulus, recording = read_tables(norms, **one(sort="word"))
    assert stimulus.words.tolist() == ["dog", "ice cream", "nan", "null"]
    assert recording.data[:, 0].tolist() == [4.1, 3.5, 0.5, 1.5]


def test_a_sheet_with_description_rows_and_concept_numbers(sheet):
    stimulus, recording = read_tables(sheet, **XLSX)
    assert stimulus.words.tolist() == ["使用", "习惯的", "零"]
    assert recording.items.tolist() == ["27", "231", "5"]
    assert stimulus.text.tolist() == ["27 used", "231 used", "5 null"]
    assert recording.target_names.tolist() == ["Vision", "Arousal"]
    np.testing.assert_array_equal(recording.data, [[1.5, 2], [0.5, 3.25], [0, 6]])


def test_missing_values_are_refused_unless_declared(norms):
    (norms / "senses.csv").write_text("Word,Visual\ndog,4\nnan,na\ncat,na\n")
    with pytest.raises(CorruptDataError, match=r"row 3, column 'Visual': 'na' is not a number"):
        read_tables(norms, **one())
    with pytest.raises(CorruptDataError, match=r"missing values \(Visual 2\)"):
        read_tables(norms, **one(missing_values=["na"]))
    _, kept = read_tables(norms, **one(missing_values=["na"], missing="allow"))
    assert np.isnan(kept.data[:, 0]).tolist() == [False, True, True]
    assert kept.notes == ("senses.csv: missing values kept as NaN (Visual 2)",)
    stimulus, _ = read_tables(norms, **one(missing_values=["na"], missing="drop"))
    assert stimulus.words.tolist() == ["dog"]


def test_a_word_that_comes_twice_is_refused_unless_declared(norms):
    (norms / "senses.csv").write_text("Word,Visual,Sense\nbat,4,1\ndog,3,1\nbat,2,2\n")
    with pytest.raises(CorruptDataError, match="1 rows repeat an item \\(the first: 'bat'\\)"):
        read_tables(norms, **one())
    stimulus, recording = read_tables(norms, **one(duplicates="keep-first"))
    assert stimulus.words.tolist() == ["bat", "dog"]
    assert recording.data[:, 0].tolist() == [4, 3]
    assert recording.notes == ("senses.csv: left out 1 rows that repeat an item",)
    stimulus, recording = read_tables(norms, **one(item="{Word} {Sense}"))
    assert stimulus.words.tolist() == ["bat", "dog", "bat"]
    assert recording.items.tolist() == ["bat 1", "dog 1", "bat 2"]


def test_words_are_told_apart_by_case(norms):
    (norms / "senses.csv").write_text("Word,Visual\nPolish,1\npolish,2\n")
    assert read_tables(norms, **one())[0].words.tolist() == ["Polish", "polish"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Word,Visual\ndog,4\ncat\n", "row 3: 1 cells under a header of 2"),
        ("Word,Visual\ndog,4,5\ncat,3,3\n", "row 2: 3 cells under a header of 2"),
        ("Word,Visual\ndog,much\n", "row 2, column 'Visual': 'much' is not a number"),
        ("Word,Visual\ndog,nan\n", "'nan' is not a number"),
        ("Word,Visual\ndog,\n", "'' is not a number"),
        ("Word,Visual\n,4\n", "row 2, column 'Word': '' is not text"),
        ("Wort,Visual\ndog,4\n", "unknown column 'Word'. Did you mean 'Wort'"),
        ("Word,Visual,Visual\ndog,4,4\n", "'Visual' appears more than once"),
        ('Word,Visual\n"dog,4\n', "not a table in text format"),
        ("Word,Visual\n", "no rows under its header"),
        ("Word,Visual\ndog,1e999\n", "infinite"),
        ("", "empty"),
        ("<!DOCTYPE html>\n<html></html>", "HTML page"),
    ],
)
def test_what_is_no_table_is_refused_with_its_path(norms, content, message):
    (norms / "senses.csv").write_text(content)
    with pytest.raises(CorruptDataError, match=message) as error:
        read_tables(norms, **one())
    assert str(norms / "senses.csv") in str(error.value)


def test_tables_without_a_common_word_are_refused(norms):
    (norms / "senses.csv").write_text("Word,Visual,Auditory\nDOG,1,2\n")
    with pytest.raises(CorruptDataError, match="no item in common"):
        read_tables(norms, **TABLES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": [], "first": "Visual"}, "either columns, or both first and last"),
        ({"first": "Visual", "last": "Auditory"}, "either columns, or both first and last"),
        ({"columns": [], "first": "Auditory", "last": "Visual"}, "stands before"),
        ({"rename": {"Smell": "Olfactory"}}, "unknown column 'Smell'"),
        ({"names_row": 2}, "names_row 2 is beyond"),
        ({"item": "Word"}, "names no column"),
        ({"item": "{Word.__class__}"}, "unknown column"),
        ({"missing": "ignore"}, "missing"),
        ({"path": "senses.ods"}, "unknown kind of table"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_options_that_do_not_fit_are_refused(norms, changes, message):
    with pytest.raises(ValueError, match=message):
        read_tables(norms, **one(**changes))


def test_single_words_of_expressions_only_is_refused(norms):
    (norms / "senses.csv").write_text("Word,Visual\nice cream,1\n")
    with pytest.raises(CorruptDataError, match="leaves no word"):
        read_tables(norms, **one(single_words=True))


def test_a_broken_workbook_is_refused_with_its_path(sheet):
    path = sheet / "ratings.xlsx"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CorruptDataError, match=r"ratings\.xlsx: not a readable XLSX"):
        read_tables(sheet, **XLSX)
    path.unlink()
    with pytest.raises(DataMissingError):
        read_tables(sheet, **XLSX)


def test_the_sheet_must_be_named_when_there_are_two(sheet):
    book = openpyxl.load_workbook(sheet / "ratings.xlsx")
    book.create_sheet("notes")
    book.save(sheet / "ratings.xlsx")
    with pytest.raises(UnknownNameError, match="Choices: Sheet, notes"):
        read_tables(sheet, **XLSX)
    named = copy.deepcopy(XLSX)
    named["tables"][0]["sheet"] = "Sheet"
    assert read_tables(sheet, **named)[0].n_words == 3


def test_a_cell_that_excel_turned_into_a_truth_value_is_no_word(sheet):
    book = openpyxl.load_workbook(sheet / "ratings.xlsx")
    book.active["D4"] = True
    book.save(sheet / "ratings.xlsx")
    with pytest.raises(CorruptDataError, match="row 4, column 'words': True is not text"):
        read_tables(sheet, **XLSX)
