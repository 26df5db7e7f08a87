"""What a notebook shows of the core objects."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from brainlm import ContiguousBlocks, Features, Recording, RidgeEncoder, Stimulus, cross_validate

STIMULUS = Stimulus(["A", "<b>", "&", "d"], "en", [0.0, 1, 2, 3], [0.5] * 4)


def cells(shown):
    """Every cell of what is shown; the HTML must be well formed."""
    return [cell.text for cell in ET.fromstring(shown).iter() if cell.tag in ("td", "th")]


def test_a_stimulus_shows_its_first_words():
    found = cells(STIMULUS._repr_html_())
    assert found[found.index("words") + 1] == "4"
    assert found[found.index("time") + 1] == "0.0 to 3.5 s"
    assert "<b>" in found
    untimed = cells(Stimulus(["a"], "en")._repr_html_())
    assert untimed[untimed.index("time") + 1] == "none"


def test_a_recording_shows_its_targets_and_notes(rng):
    data = rng.standard_normal((20, 7)) + np.arange(7)
    recording = Recording(
        data, list("abcdefg"), "fmri", "z", times=np.arange(20) * 2.0, notes=("one", "2", "3", "4")
    )
    shown = recording._repr_html_()
    found = cells(shown)
    assert found[found.index("sampling interval") + 1] == "2 s"
    assert found[found.index("c") + 1] == f"{data[:, 2].mean():.3f}"
    assert "f" not in found  # five are enough
    assert "and 1 more notes" in shown


def test_features_show_rows_by_word(rng):
    values = rng.standard_normal((4, 9))
    found = cells(Features("layer <3>", values, STIMULUS, origin={"layer": 3})._repr_html_())
    assert found[found.index("layer") + 1] == "3"
    assert found[found.index("A") + 1] == f"{values[0, 0]:.3f}"


@pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")
def test_scores_show_the_best_targets(rng):
    X, Y = rng.standard_normal((60, 3)), rng.standard_normal((60, 8))
    Y[:, 5] = X[:, 0]
    scores = cross_validate(RidgeEncoder(), X, Y, ContiguousBlocks(3), targets=list("abcdefgh"))
    found = cells(scores._repr_html_())
    assert found[found.index("best targets") + 2] == "f"
    assert float(found[found.index("f") + 1]) > 0.99
