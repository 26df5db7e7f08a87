import numpy as np
import pytest

from brainlm.data.word_pairs import WordPairs
from brainlm.errors import CorruptDataError
from brainlm.io import read_word_pairs


def test_each_word_is_embedded_once_and_found_again():
    pairs = WordPairs(["tiger", "cat", "cat"], ["cat", "tiger", "cat"], [9, 8, 10], "en", "0-10")
    assert pairs.stimulus.words.tolist() == ["cat", "tiger"]
    assert pairs.stimulus.text.tolist() == ["cat", "tiger"]
    first, second = pairs.rows
    assert first.tolist() == [1, 0, 0]
    assert second.tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="read-only"):
        pairs.similarity[0] = 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], ["b", "c"], [1]), "lengths differ"),
        ((["a"], [" "], [1]), "second\\[0\\] is empty"),
        ((["a"], ["b"], [np.nan]), "similarity has 1 of 1 values that are NaN"),
        (([], [], []), "first is empty"),
    ],
)
def test_pairs_that_are_incomplete_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        WordPairs(*arguments, "en", "0-10")


def test_columns_in_any_order_and_marks_of_the_part_of_speech(tmp_path):
    (tmp_path / "a.csv").write_text(",similarity,word1,word2\n0,50.0,sun-n,sunny-j\n1,,,\n")
    pairs = read_word_pairs(
        tmp_path, path="a.csv", language="en", unit="0-50", endings=["-n", "-j"], required=["word1"]
    )
    assert (pairs.first[0], pairs.second[0], pairs.similarity[0]) == ("sun", "sunny", 50)
    assert len(pairs.notes) == 2
    with pytest.raises(CorruptDataError, match="'sunny-j' ends in none of -n"):
        read_word_pairs(
            tmp_path, path="a.csv", language="en", unit="0-50", endings=["-n"], required=["word1"]
        )
    with pytest.raises(CorruptDataError, match=r"a\.csv, row 3, column 'word1'"):
        read_word_pairs(tmp_path, path="a.csv", language="en", unit="0-50")
