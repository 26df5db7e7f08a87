"""Chinese in figures on a machine whose own fonts have none."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import font_manager

from brainlm.data.segmentation import WITHOUT_SPACES
from brainlm.plotting.glyphs import EAST_ASIAN, GlyphWarning, add_fonts, fonts_for, styled

HIEROGLYPHS = "\U00013000\U00013001"


@pytest.fixture
def bare(monkeypatch):
    """Only the fonts that matplotlib and brainlm bring."""
    family = add_fonts()
    own = [f for f in font_manager.fontManager.ttflist if "mpl-data" in f.fname or f.name == family]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    font_manager._get_font.cache_clear()


def ink(text, size=30):
    """Draw a text in the style; return the picture."""
    with styled():
        figure = plt.figure(figsize=(2, 1))
        figure.text(0.1, 0.3, text, fontsize=size)
        figure.canvas.draw()
        picture = np.asarray(figure.canvas.buffer_rgba())[..., 0].copy()
        plt.close(figure)
    return picture


@pytest.mark.parametrize("text", ["小王子", "漢語的電腦", "犬が好き", "한국어"])
def test_east_asian_scripts_are_drawn_without_fonts_of_the_system(bare, text):
    assert fonts_for(text + "abc") == ["DejaVu Sans", add_fonts()]
    first, second = ink(text[0]), ink(text[1])
    assert (first < 128).sum() > 50
    assert (first != second).any()  # no boxes, which are all alike


def test_the_common_characters_are_there():
    characters = [chr(code) for code in range(0x4E00, 0xA000)]

    def in_(encoding):
        return "".join(c for c in characters if c.encode(encoding, "ignore"))

    assert len(in_("gb2312")) == 6763
    assert fonts_for(in_("gb2312") + in_("big5") + in_("shift_jis"))
    assert (EAST_ASIAN.parent / "LICENSE.txt").read_text("utf-8").count("Apache License")
    assert "zh" in WITHOUT_SPACES


def test_a_script_without_a_font_is_one_warning_that_says_what_to_do(bare):
    assert fonts_for(HIEROGLYPHS) == []
    with pytest.warns(GlyphWarning, match="no font here has 2 characters.*Install a font") as said:
        ink(HIEROGLYPHS)
    assert len(said) == 1


def deprecated():
    with styled():
        warnings.warn("old", DeprecationWarning, stacklevel=1)


def test_other_warnings_of_a_figure_stay_as_they_are():
    with pytest.warns(DeprecationWarning, match="old"):
        deprecated()
