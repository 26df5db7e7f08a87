"""Figures of a language model on a text: geometry by layer, surprisal by word.

Bundles hold ``geometry``, the measures of `brainlm.features.geometry.MEASURES` over ``layer``, and
``surprisal``, the variable ``surprisal`` (bits) over ``word`` with the coordinate ``text`` (the
words as written). The attributes ``model``, ``n_words`` and ``title`` say whose they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from brainlm.errors import unknown_name
from brainlm.features.geometry import MEASURES
from brainlm.plotting._style import COLOURS, page_size, panels
from brainlm.plotting.glyphs import fonts_for

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

WORDS_PER_ROW, MOST_ROWS = 30, 4


def plot_geometry(table: xarray.Dataset, measure: str, ax: Axes) -> Axes:
    """Draw one measure of `brainlm.features.geometry.geometry` against layer.

    Parameters
    ----------
    table : xarray.Dataset
        The measures over ``layer``.
    measure : str
        One of `brainlm.features.geometry.MEASURES`.
    ax : matplotlib.axes.Axes
    """
    from matplotlib.ticker import MaxNLocator

    if measure not in MEASURES:
        raise unknown_name("measure", measure, MEASURES)
    ax.plot(table["layer"], table[measure], "o-", ms=3, color=COLOURS["layer"])
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("layer (0 = input embeddings)")
    ax.set_ylabel(MEASURES[measure])
    if measure == "norm":
        ax.set_yscale("log")  # norms grow a thousandfold in some models
    elif measure != "effective_dimension":
        ax.set_ylim(min(0, float(table[measure].min()) - 0.05), 1)
    return ax


def geometry(bundle: Bundle) -> Figure:
    """Draw every measure of the geometry against layer."""
    table = bundle.arrays["geometry"]
    figure, axes = panels(len(MEASURES), 3.0, 2.8)
    for ax, measure in zip(axes, MEASURES, strict=True):
        plot_geometry(table, measure, ax)
    figure.suptitle(
        f"{table.attrs['title']} ({table.attrs['model']}, n = {table.attrs['n_words']} words)",
        fontsize=10,
    )
    return figure


def plot_surprisal(values: np.ndarray, words: list[str], ax: Axes, first: int = 1) -> Axes:
    """Draw the surprisal of successive words as bars, each over its word.

    Parameters
    ----------
    values : array of shape (n_words,)
        Bits.
    words : list of str
        As written. Where no font of this machine has their characters, their numbers stand there.
    ax : matplotlib.axes.Axes
    first : int
        Number of the first word in its text.
    """
    ax.bar(np.arange(len(values)), values, color=COLOURS["layer"])
    fonts = fonts_for("".join(words))
    if fonts:
        ax.set_xticks(np.arange(len(words)), words, rotation=90, fontfamily=fonts)
    else:
        numbers = [str(first + i) for i in range(len(words))]
        ax.set_xticks(np.arange(len(words)), numbers, rotation=90)
        ax.set_xlabel("number of the word (no font here has its characters)")
    ax.set_xlim(-0.6, max(len(values), 1) - 0.4)
    ax.set_ylabel("surprisal (bits)")
    return ax


def surprisal(bundle: Bundle) -> Figure:
    """Draw surprisal along the first words of a text, in lines like the text."""
    import matplotlib.pyplot as plt

    table = bundle.arrays["surprisal"]
    shown = min(table.sizes["word"], WORDS_PER_ROW * MOST_ROWS)
    n_rows = -(-shown // WORDS_PER_ROW)
    figure, axes = plt.subplots(
        n_rows, 1, figsize=page_size(9, 1.9 * n_rows), squeeze=False, sharey=True
    )
    for i, ax in enumerate(axes[:, 0]):
        rows = slice(i * WORDS_PER_ROW, min((i + 1) * WORDS_PER_ROW, shown))
        words = [str(word) for word in table["text"].values[rows]]
        plot_surprisal(table["surprisal"].values[rows], words, ax, rows.start + 1)
        ax.set_xlim(-0.6, WORDS_PER_ROW - 0.4)  # bars of all lines are equally wide
    figure.suptitle(
        f"{table.attrs['title']} ({table.attrs['model']}, context {table.attrs['context']}; "
        f"first {shown} of {table.attrs['n_words']} words)",
        fontsize=10,
    )
    return figure
