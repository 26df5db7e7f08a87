import numpy as np
import pytest
from matplotlib.figure import Figure

from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import UnknownNameError
from brainlm.plotting.summary import describe, plot_recording


@pytest.fixture
def opened(rng):
    stimulus = Stimulus(["one", "two", "three"], "en", onset=[1.0, 2, 30], duration=[0.5] * 3)
    recording = Recording(
        rng.normal(size=(10, 4)), list("abcd"), "fmri", "a.u.", times=2.0 * np.arange(10)
    ).noted("mended")
    return stimulus, recording


def test_words_outside_of_the_recorded_time_are_counted(opened):
    text = describe(*opened)
    assert "1: 0.00 to 20.00 s every 2 s, 2 words, 1 outside" in text
    assert "note     mended" in text
    assert "begins   one two three" in text


def test_items_without_a_response_are_counted(rng):
    stimulus = Stimulus(["a", "b"], "en", item=["1", "2"])
    recording = Recording(rng.normal(size=(2, 1)), ["n400"], "eeg", "V", items=["2", "2"])
    assert "items: 1 with a response, 1 without" in describe(stimulus, recording)
    assert "Stimulus" in describe(stimulus, None)
    assert "Recording" in describe(None, recording)


def test_words_stand_at_their_onsets_above_the_lines(opened):
    ax = plot_recording(*opened, Figure().subplots(), targets=["b", "d"])
    assert [text.get_text() for text in ax.texts] == ["one", "two", "three"]
    assert [text.get_position()[0] for text in ax.texts] == [1, 2, 30]
    assert [line.get_label() for line in ax.get_lines()] == ["b", "d"]
    assert ax.get_lines()[0].get_xdata().tolist() == opened[1].times.tolist()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["b", "d"]


def test_what_cannot_be_drawn_is_refused(opened):
    stimulus, recording = opened
    with pytest.raises(ValueError, match="words with times"):
        plot_recording(Stimulus(["a"], "en"), recording, Figure().subplots())
    with pytest.raises(UnknownNameError, match="target 'z'"):
        plot_recording(stimulus, recording, Figure().subplots(), targets=["z"])
    with pytest.raises(ValueError, match="run '9' is not in the recording"):
        plot_recording(stimulus, recording, Figure().subplots(), run="9")
