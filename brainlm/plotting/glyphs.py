"""Fonts for every script: DejaVu Sans, a shipped font for East Asian scripts, and others.

matplotlib itself brings no font with Chinese characters, and a machine need not have one.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

STYLE = Path(__file__).parent / "brainlm.mplstyle"
EAST_ASIAN = Path(__file__).parent / "fonts" / "DroidSansFallback.ttf"
MISSING = re.compile(r"Glyph \d+ \(.*?\) missing from font")


class GlyphWarning(UserWarning):
    """No font has some characters of a figure."""


@cache
def add_fonts() -> str:
    """Register the shipped font with matplotlib; return the name of its family."""
    from matplotlib import font_manager

    font_manager.fontManager.addfont(EAST_ASIAN)
    return font_manager.FontProperties(fname=EAST_ASIAN).get_name()


def fonts_for(text: str) -> list[str]:
    """Return font families that together have every character of a text; empty if none do.

    DejaVu Sans, then the font that ships, then whatever else is on this machine.
    """
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    first = ("DejaVu Sans", add_fonts())
    every = font_manager.fontManager.ttflist
    # "Last Resort" has every character, as a picture of the name of its script.
    files = {font.name: font.fname for font in every if "Last Resort" not in font.name}
    lacking = {ord(character) for character in text}
    families = []
    for family in (*first, *sorted(set(files) - set(first))):
        if not lacking:
            break
        found = lacking & set(FT2Font(files[family]).get_charmap())
        if found or family == first[0]:
            families.append(family)
        lacking -= found
    return [] if lacking else families


@contextmanager
def styled() -> Iterator[None]:
    """Draw in brainlm's style; warn once about characters that no font has.

    Warns
    -----
    GlyphWarning
    """
    import matplotlib.pyplot as plt

    add_fonts()
    with warnings.catch_warnings(record=True) as said, plt.style.context(STYLE):
        warnings.simplefilter("always")
        yield
    glyphs = {str(each.message) for each in said if MISSING.match(str(each.message))}
    for each in said:
        if str(each.message) not in glyphs:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if glyphs:
        characters = "".join(chr(int(text.split()[1])) for text in sorted(glyphs))
        warnings.warn(
            f"no font here has {len(characters)} characters of a figure ({characters[:20]}), which "
            "are drawn as boxes. Install a font of their script, such as a Noto font, and add it "
            "to matplotlib's font.family",
            GlyphWarning,
            stacklevel=4,
        )
