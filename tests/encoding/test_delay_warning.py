"""fMRI aligned without delays warns, once and only there."""

import warnings

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from brainlm import ContiguousBlocks, Recording, RidgeEncoder, Stimulus, align, encode, word_length
from brainlm.encoding.delays import DelayWarning
from brainlm.encoding.temporal_response import Delayer


def told(modality="fmri"):
    rng = np.random.default_rng(0)
    onset = np.arange(0.0, 120, 0.5)
    words = ["a" * (1 + k % 5) for k in range(len(onset))]
    stimulus = Stimulus(words, "en", onset=onset, duration=[0.4] * len(onset))
    times = np.arange(0.0, 120, 2)
    data = rng.standard_normal((60, 2))
    return word_length(stimulus), Recording(data, ["a", "b"], modality, "a.u.", times=times)


def test_align_and_encode_warn_in_one_line():
    length, recording = told()
    for call in (
        lambda: align(length, recording),
        lambda: encode([length], recording, ContiguousBlocks(3, gap=4)),
    ):
        with pytest.warns(DelayWarning, match=r"pass delays=delays_between\(step\)") as caught:
            call()
        (warning,) = [each for each in caught if each.category is DelayWarning]
        assert "\n" not in str(warning.message)
        assert warning.filename == __file__


@pytest.mark.parametrize(
    "call",
    [
        lambda length, recording: align(length, recording, delays=[0]),
        lambda length, recording: align(length, recording, method="hrf"),
        lambda length, recording: encode(
            [length], recording, ContiguousBlocks(3, gap=4), delays=[2, 3]
        ),
        lambda length, recording: encode(
            [length],
            recording,
            ContiguousBlocks(3, gap=4),
            {"response": make_pipeline(Delayer([1, 2]), RidgeEncoder())},
        ),
    ],
)
def test_delays_that_are_said_do_not_warn(call):
    with warnings.catch_warnings():
        warnings.simplefilter("error", DelayWarning)
        call(*told())


def test_other_modalities_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error", DelayWarning)
        align(*told("meg"))
