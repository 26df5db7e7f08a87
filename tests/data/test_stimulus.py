import numpy as np
import pytest

from brainlm.data.stimulus import Stimulus

WORDS = ["the", "dog", "barks"]


def test_defaults_and_views():
    stimulus = Stimulus(WORDS, "en", [0, 0.4, 1], [0.4, 0.5, 0.5])
    assert stimulus.n_words == 3
    assert stimulus.timed
    assert stimulus.runs == ["1"]
    assert list(stimulus.blocks("sentence")) == [("1", slice(0, 3))]
    assert repr(stimulus) == "Stimulus(3 words, 'en', 1 run, 2 s)"
    part = stimulus.select(np.array([True, False, True]))
    assert part.words.tolist() == ["the", "barks"]
    assert part.onset.tolist() == [0, 1]


def test_arrays_are_read_only_and_the_callers_stay_as_they_were():
    onset = np.array([0.0, 1.0, 2.0])
    stimulus = Stimulus(WORDS, "en", onset, np.ones(3))
    with pytest.raises(ValueError, match="read-only"):
        stimulus.onset[0] = 5
    onset[0] = -1
    assert stimulus.onset[0] == 0


def test_times_start_anew_in_each_run():
    stimulus = Stimulus(WORDS, "en", [5, 6, 0], [1, 1, 1], run=["a", "a", "b"])
    assert stimulus.runs == ["a", "b"]
    assert stimulus.text.tolist() == ["a", "a", "b"]


def test_neighbours_may_touch_and_overlap_by_rounding_only():
    Stimulus(WORDS, "en", [0, 0.9995, 2], [1, 1, 1])
    with pytest.raises(ValueError, match=r"words\[1\] \('dog', run '1', onset 0.900 s\) overlaps"):
        Stimulus(WORDS, "en", [0, 0.9, 2], [1, 1, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"words": []}, "at least one word"),
        ({"words": ["a", " ", "c"]}, r"words\[1\] is empty"),
        ({"words": [["a", "b"]]}, "one-dimensional"),
        ({"onset": [0, 1, 2]}, "onset and duration go together"),
        ({"onset": [0, 1], "duration": [1, 1, 1]}, "lengths differ"),
        ({"onset": [0, np.nan, 2], "duration": [1, 1, 1]}, "onset has 1 of 3"),
        ({"onset": [0, 5, 2], "duration": [1, 1, 1]}, "begins before the word before it"),
        ({"onset": [0, 1, 2], "duration": [1, -1, 1]}, "negative"),
        ({"run": ["a", "b", "a"]}, "run 'a' begins again at row 2"),
        ({"sentence": ["1", "2", "1"]}, "sentence '1' begins again"),
        ({"text": ["1", "2"]}, "lengths differ"),
        ({"language": "English"}, "code such as 'en'"),
    ],
)
def test_bad_words_and_times_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Stimulus(**{"words": WORDS, "language": "en"} | arguments)


@pytest.mark.parametrize("word", ["a\tb", "Hello\nmy", "a\u2028b"])
def test_rows_that_ran_together_are_no_word(word):
    with pytest.raises(ValueError, match=r"words\[1\] .*holds a tab or a line end"):
        Stimulus(["one", word], "en")


def test_speakers_may_talk_at_once():
    words = {"onset": [0.0, 0.4, 0.6], "duration": [1.0, 0.1, 0.5], "speaker": ["A", "B", "B"]}
    with pytest.raises(ValueError, match=r"'no'.*overlaps.*overlap='allow'"):
        Stimulus(["well", "no", "wait"], "en", **words)
    talk = Stimulus(["well", "no", "wait"], "en", overlap="allow", **words)
    assert talk.select(np.array([True, False, True])).speaker.tolist() == ["A", "B"]
    with pytest.raises(ValueError, match=r"begins before.*sort the words by onset"):
        Stimulus(["a", "b"], "en", onset=[1, 0], duration=[1, 1], overlap="allow")
    with pytest.raises(ValueError, match="unknown value of overlap 'yes'"):
        Stimulus(["a"], "en", overlap="yes")
    with pytest.raises(ValueError, match="lengths differ"):
        Stimulus(["a"], "en", speaker=["A", "B"])


def test_words_that_are_context_only_stay_marked():
    whole = Stimulus(list("ab，c"), "zh", context_only=[False, False, True, False])
    assert whole.select([1, 2]).context_only.tolist() == [False, True]
    assert whole.counted.tolist() == [True, True, False, True]
    other = Stimulus(["d"], "zh", run=["2"])
    both = Stimulus.concatenate([whole, other])
    assert both.context_only.tolist() == [False, False, True, False, False]
    with pytest.raises(ValueError, match="marks every word"):
        Stimulus(["a"], "zh", context_only=[True])
    with pytest.raises(ValueError, match="True or False"):
        Stimulus(["a", "b"], "zh", context_only=[0, 1])
