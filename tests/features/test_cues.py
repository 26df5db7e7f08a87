"""Similarity of a word and the one that was shown before it."""

import numpy as np
import pytest

from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.features.cues import cue_similarity


def pairs(n):
    words = [f"w{i}" for i in range(2 * n)]
    text = [str(i // 2) for i in range(2 * n)]
    return Stimulus(words, "nl", text=text, item=words, context_only=[True, False] * n)


def test_similarity_is_the_correlation_with_the_cue(rng):
    values = 100 + 5 * rng.standard_normal((40, 12))
    found = cue_similarity(Features("layer 3", values, pairs(20), origin={"layer": 3}))
    z = (values - values.mean(axis=0)) / values.std(axis=0)
    expected = [np.corrcoef(z[2 * i], z[2 * i + 1])[0, 1] for i in range(20)]
    np.testing.assert_allclose(found.values[1::2, 0], expected)
    assert (found.values[::2] == 0).all()
    assert found.name == "similarity"
    assert found.origin["layer"] == 3


def test_a_word_like_its_cue_has_similarity_1(rng):
    values = rng.standard_normal((20, 8))
    values[1] = values[0]
    values[3] = 3 * values[2]
    found = cue_similarity(Features("x", values, pairs(10))).values[:, 0]
    assert found[1] == pytest.approx(1)
    assert found[3] > 0.7
    assert abs(found[5::2]).mean() < 0.6


def test_words_without_a_cue_are_refused(rng):
    values = rng.standard_normal((4, 5))
    with pytest.raises(ValueError, match="no word was shown before others"):
        cue_similarity(Features("x", values, Stimulus(list("abcd"), "nl")))
    mixed = Stimulus(
        list("abcd"), "nl", text=list("1122"), item=list("abcd"), context_only=[True] + [False] * 3
    )
    with pytest.raises(ValueError, match="text '2': no word was shown"):
        cue_similarity(Features("x", values, mixed))
