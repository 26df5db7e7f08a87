from __future__ import annotations

import pytest

from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.io import read_word_responses

GAZE = """sentence_id,word_id,word,TRT
a,0,null,10
a,1,sheep,20
b,0,nan,
b,1,NA,40
"""
ROWS = {
    "language": "en",
    "modality": "eye-tracking",
    "unit": "ms",
    "missing": "allow",
    "words": {
        "path": "{subject}.csv",
        "word": "word",
        "sentence": "{sentence_id}",
        "item": "{sentence_id}/{n}",
    },
    "responses": {"path": "{subject}.csv", "columns": ["TRT"], "missing_values": [""]},
}
TRIALS = """subj\titem\tbefore\tnoun\tafter\tposition\tn400
s1\t1\tShe ate an\tapple\tquickly.\t3\t1.5
s1\t2\tHe flew\ta kite\tin May.\t2\t-2
s2\t1\tShe ate an\tapple\tquickly.\t3\t0.5
s2\t1\tShe ate an\tapple\tquickly.\t3\t0.25
"""
PARTS = {
    "language": "en",
    "modality": "eeg",
    "unit": "microvolt",
    "words": {
        "path": "trials.tsv",
        "sentence": "{item}",
        "parts": ["{before}", "{noun}", "{after}"],
        "item": "{item}/{n}",
    },
    "responses": {"path": "trials.tsv", "subject": "subj", "item": "{item}/2", "columns": ["n400"]},
}


def changed(options, table, **entries):
    return {**options, table: {**options[table], **entries}}


@pytest.fixture
def gaze(tmp_path):
    (tmp_path / "r1.csv").write_text(GAZE)
    return tmp_path


@pytest.fixture
def trials(tmp_path):
    (tmp_path / "trials.tsv").write_text(TRIALS)
    return tmp_path


def test_a_row_per_word_with_words_that_look_missing(gaze):
    stimulus, recording = read_word_responses(gaze, "r1", **ROWS)
    assert stimulus.words.tolist() == ["null", "sheep", "nan", "NA"]
    assert stimulus.sentence.tolist() == ["a", "a", "b", "b"]
    assert stimulus.item.tolist() == recording.items.tolist() == ["a/1", "a/2", "b/1", "b/2"]
    assert recording.data[[0, 1, 3], 0].tolist() == [10, 20, 40]
    assert recording.notes == ("r1.csv: 1 of 4 responses have missing values (kept as NaN)",)


def test_sentences_of_a_passage_are_one_text_where_the_card_says_so(gaze):
    (gaze / "r1.csv").write_text(GAZE + "c,0,end,50\n")
    stimulus, _ = read_word_responses(gaze, "r1", **changed(ROWS, "words", texts_begin=["a", "c"]))
    assert stimulus.text.tolist() == ["a", "a", "a", "a", "c"]
    assert stimulus.sentence.tolist() == ["a", "a", "b", "b", "c"]
    for begin, lacking in ((["b"], r"\[\]"), (["a", "d"], r"\['d'\]")):
        with pytest.raises(CorruptDataError, match=rf"not there \({lacking}\).* first one \('a'\)"):
            read_word_responses(gaze, "r1", **changed(ROWS, "words", texts_begin=begin))
    both = changed(ROWS, "words", texts_begin=["a"], text="{sentence_id}")
    with pytest.raises(ValueError, match=r"either text .* or texts_begin"):
        read_word_responses(gaze, "r1", **both)


def test_missing_responses_leave_their_words_in_the_sentence(gaze):
    stimulus, recording = read_word_responses(gaze, "r1", **{**ROWS, "missing": "drop"})
    assert stimulus.n_words == 4
    assert recording.items.tolist() == ["a/1", "a/2", "b/2"]


def test_missing_responses_are_refused_unless_declared(gaze):
    with pytest.raises(CorruptDataError, match=r"r1\.csv: 1 of 4 .*declare missing"):
        read_word_responses(gaze, "r1", **{**ROWS, "missing": "refuse"})


def test_trials_of_a_subject_name_the_words_they_respond_to(trials):
    stimulus, recording = read_word_responses(trials, "s1", **PARTS)
    assert " ".join(stimulus.words) == "She ate an apple quickly. He flew a kite in May."
    assert recording.items.tolist() == ["1/2", "2/2"]
    assert stimulus.words[stimulus.item == "2/2"].tolist() == ["a", "kite"]
    assert recording.data[:, 0].tolist() == [1.5, -2]


def test_a_word_may_be_responded_to_twice(trials):
    stimulus, recording = read_word_responses(trials, "s2", **PARTS)
    assert stimulus.n_words == 5
    assert recording.items.tolist() == ["1/2", "1/2"]
    assert recording.data[:, 0].tolist() == [0.5, 0.25]


def test_unknown_subject_is_answered_with_the_choices(trials, gaze):
    with pytest.raises(UnknownNameError, match=r"'s3'.*s1, s2"):
        read_word_responses(trials, "s3", **PARTS)
    with pytest.raises(UnknownNameError, match="r1"):
        read_word_responses(gaze, "r2", **ROWS)


def test_words_are_counted_and_compared_with_those_of_the_responses(trials):
    (trials / "words.csv").write_text(
        "id,number,word,rt\n1,0,She,300\n1,3,APPLE,400\n2,2,'a,200\n2,3,kite,1\n"
    )
    whole = changed(
        PARTS, "words", parts=["{before} {noun} {after}"], item="{item}/{n}", first_number=0
    )
    responses = {"path": "words.csv", "item": "{id}/{number}", "word": "word", "columns": ["rt"]}
    stimulus, recording = read_word_responses(trials, None, **{**whole, "responses": responses})
    assert stimulus.words[stimulus.item == "1/3"].tolist() == ["apple"]
    assert recording.n_samples == 4
    late = {**whole, "responses": responses, "words": {**whole["words"], "first_number": 1}}
    with pytest.raises(CorruptDataError, match=r"words\.csv: 1 of 4 .*not in the sentences"):
        read_word_responses(trials, None, **late)
    (trials / "words.csv").write_text("id,number,word,rt\n1,3,pear,400\n")
    with pytest.raises(CorruptDataError, match=r"row 2: responds to 'pear', but word '1/3'.*apple"):
        read_word_responses(trials, None, **{**whole, "responses": responses})


def test_a_sentence_with_two_texts_is_refused(trials):
    (trials / "trials.tsv").write_text(TRIALS + "s2\t1\tShe ate a\tpear\tquickly.\t3\t1\n")
    with pytest.raises(CorruptDataError, match=r"row 6: sentence '1' reads 'She ate a pear"):
        read_word_responses(trials, "s2", **PARTS)


def test_rows_out_of_order_are_sorted_only_where_declared(gaze):
    (gaze / "r1.csv").write_text("sentence_id,word_id,word,TRT\na,1,b,1\nc,0,x,3\na,0,a,2\n")
    named = changed(ROWS, "responses", item="{sentence_id}/{word_id}")
    named = changed(named, "words", item="{sentence_id}/{word_id}")
    with pytest.raises(CorruptDataError, match=r"r1\.csv: text 'a' begins again"):
        read_word_responses(gaze, "r1", **named)
    stimulus, recording = read_word_responses(
        gaze, "r1", **changed(named, "words", number="word_id")
    )
    assert stimulus.words.tolist() == ["a", "b", "x"]
    assert dict(zip(recording.items, recording.data[:, 0], strict=True)) == {
        "a/1": 1,
        "c/0": 3,
        "a/0": 2,
    }
    assert recording.notes == ("r1.csv: 3 rows brought into the order of word_id",)


def test_repeated_words_are_merged_only_where_declared_and_alike(gaze):
    (gaze / "r1.csv").write_text("sentence_id,word_id,word,TRT\na,1,b,1\na,1,b,3\n")
    named = changed(ROWS, "responses", item="{sentence_id}/{word_id}")
    named = changed(named, "words", item="{sentence_id}/{word_id}", repeated="merge")
    stimulus, recording = read_word_responses(gaze, "r1", **named)
    assert stimulus.words.tolist() == ["b"]
    assert recording.data[:, 0].tolist() == [1, 3]
    (gaze / "r1.csv").write_text("sentence_id,word_id,word,TRT\na,1,b,1\na,1,c,3\n")
    with pytest.raises(CorruptDataError, match="item 'a/1' is the word 'b' and later 'c'"):
        read_word_responses(gaze, "r1", **named)


def test_rows_without_words_are_left_out_only_where_declared(gaze):
    (gaze / "r1.csv").write_text(GAZE + "b,2,,50\n")
    with pytest.raises(CorruptDataError, match=r"r1\.csv, row 6, column 'word': '' is not text"):
        read_word_responses(gaze, "r1", **ROWS)
    declared = changed(changed(ROWS, "words", required=["word"]), "responses", required=["word"])
    stimulus, recording = read_word_responses(gaze, "r1", **declared)
    assert stimulus.n_words == recording.n_samples == 4
    assert "left out 1 of 5 rows without word" in " ".join(recording.notes)


def test_without_words_there_is_no_stimulus(trials):
    options = {name: value for name, value in PARTS.items() if name != "words"}
    stimulus, recording = read_word_responses(trials, "s1", **options)
    assert stimulus is None
    assert recording.items.tolist() == ["1/2", "2/2"]
