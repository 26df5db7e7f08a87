from __future__ import annotations

import pickle

import numpy as np
import pytest
from support.layouts import PASSAGES

from brainlm.errors import CorruptDataError
from brainlm.io import read_passages


def test_sentences_are_items_and_passages_are_texts_with_their_topic(patterns):
    stimulus, recording = read_passages(patterns, **PASSAGES)
    assert stimulus.words.tolist() == ["A", "piano.", "It", "is", "loud.", "The", "violin."]
    assert list(dict.fromkeys(stimulus.text)) == ["music/piano", "music/violin"]
    assert recording.items.tolist() == ["music/piano/1", "music/piano/2", "music/violin/1"]
    assert list(dict.fromkeys(stimulus.sentence)) == recording.items.tolist()
    assert recording.target_names.tolist() == ["PC1", "PC2", "PC3"]
    assert {text.split("/")[0] for text in stimulus.text} == {"music"}
    original = pickle.loads((patterns / "patterns.pkl").read_bytes())
    np.testing.assert_array_equal(
        recording.data, np.vstack([original[0]["fmri"], original[1]["fmri"]])
    )


def change(content, how):
    if how == "no passage":
        del content[1]
    elif how == "list":
        return list(content.values())
    elif how == "no fmri":
        del content[0]["fmri"]
    elif how == "no dict":
        content[0] = 3
    elif how == "rows":
        content[0]["fmri"] = content[0]["fmri"][:1]
    elif how == "whole numbers":
        content[0]["fmri"] = content[0]["fmri"].astype(int)
    elif how == "columns":
        content[1]["fmri"] = content[1]["fmri"][:, :2]
    elif how == "text":
        content[1]["words"] = ["The violin."]
    elif how == "no words":
        content[1]["words"] = [[]]
    elif how == "nan":
        content[0]["fmri"][1, 2] = np.nan
    return content


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no passage", "expected a dict of passages 0 to 1, got a dict with 1 keys"),
        ("list", "got list"),
        ("no fmri", "passage 0: has no 'words' or no 'fmri'"),
        ("no dict", "passage 0: has no"),
        ("rows", r"passage 0: 2 sentences, but 'fmri' has shape \(1, 3\)"),
        ("whole numbers", "dtype int64"),
        ("columns", "differ in their number of targets"),
        ("text", "passage 1: 'words' must be a list of lists"),
        ("no words", "passage 1: 'words' must be a list of lists"),
        ("nan", "1 of 9 values that are NaN"),
    ],
)
def test_what_has_another_layout_is_refused_with_its_path(patterns, how, message):
    path = patterns / "patterns.pkl"
    path.write_bytes(pickle.dumps(change(pickle.loads(path.read_bytes()), how)))
    with pytest.raises(CorruptDataError, match=message) as error:
        read_passages(patterns, **PASSAGES)
    assert str(path) in str(error.value)
