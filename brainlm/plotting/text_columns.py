"""Reference and reconstruction side by side, matching words marked, with the score beneath."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

import numpy as np

from brainlm.plotting._style import COLOURS
from brainlm.plotting.glyphs import fonts_for

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

LINE = 10.0  # seconds of text in a passage
TIME = 7  # characters for the time at the left
GAP = 3  # characters between the columns
MARK = "#d7ecd9"  # behind words that match: no font has bold Chinese
MOST_LINES = 4  # of a passage
TEXT_SHARE = 0.7  # of the height; the score has the rest
Marked = list[tuple[str, bool]]  # words, and whether the other text has them


def mark_matches(reference: Sequence[str], said: Sequence[str]) -> tuple[Marked, Marked]:
    """Say which words of two texts match: each word of one matches one of the other.

    Parameters
    ----------
    reference, said : sequence of str
        Words of the same stretch of time.

    Returns
    -------
    reference, said : list of (word, bool)
        Case does not count.
    """
    shared = Counter(map(str.casefold, reference)) & Counter(map(str.casefold, said))
    marked = []
    for words in (reference, said):
        left = shared.copy()
        found = []
        for word in words:
            found.append((word, left[word.casefold()] > 0))
            left[word.casefold()] -= 1
        marked.append(found)
    return marked[0], marked[1]


def passages(
    scores: xarray.Dataset, condition: str, seconds: float = LINE
) -> list[tuple[float, Marked, Marked]]:
    """Return start, reference words and reconstructed words of each stretch of a text.

    Parameters
    ----------
    scores : xarray.Dataset
        Of one text (`brainlm.decoding.story_scores`).
    condition : str
    seconds : float
        Of a stretch.
    """
    reference = str(scores["reference_text"].values).split(" ")
    said = str(scores["text"].sel(condition=condition).values).split(" ")
    times, middle = scores["reference_middle"].values, scores["middle"].values[: len(said)]
    first, last = float(middle[0]), float(max(middle[-1], times[-1]))
    found = []
    for start in np.arange(first, last + 1e-9, seconds):
        texts = [
            [w for w, t in zip(words, at, strict=True) if start <= t < start + seconds]
            for words, at in ((reference, times), (said, middle))
        ]
        found.append((float(start), *mark_matches(*texts)))
    return found


def timeline_lines(
    scores: xarray.Dataset, condition: str, seconds: float = LINE, most: int = 4
) -> int:
    """Return how many passages `plot_text_timeline` writes, of ``seconds`` each."""
    return max(1, min(most, len(passages(scores, condition, seconds)) - 1))


def plot_text_timeline(
    scores: xarray.Dataset,
    condition: str,
    metric: str,
    ax: Axes,
    *,
    characters: int = 110,
    seconds: float = LINE,
    most: int = 4,
) -> Axes:
    """Write reference and reconstruction in two columns, the windowed score on an axis beneath.

    Words that the other text has in the same stretch are bold on green.

    Parameters
    ----------
    scores : xarray.Dataset
        Of one text.
    condition, metric : str
    ax : matplotlib.axes.Axes
    characters : int
        Width in Latin letters; a Chinese character is twice as wide.
    seconds : float
        Of a stretch of text.
    most : int
        Stretches.
    """
    shown = passages(scores, condition, seconds)[: timeline_lines(scores, condition, seconds, most)]
    letters = "".join(word for _, *texts in shown for text in texts for word, _ in text)
    fonts = ["DejaVu Sans Mono", *fonts_for(letters)]
    column = (characters - TIME - GAP) // 2
    y = -1.3
    for left, name in ((TIME, "reference"), (TIME + column + GAP, condition)):
        ax.text(left, 0, name, fontsize=7, va="top", color="#5a6675")
    for start, *texts in shown:
        ax.text(0, y, f"{start:.0f} s", fontsize=7, va="top", color="#5a6675")
        heights = []
        for k, words in enumerate(texts):
            lines = _lines(words, column)
            _write(
                lines, ax, TIME + k * (column + GAP), y, fonts, COLOURS["layer"] if k else "black"
            )
            heights.append(len(lines))
        y -= max(heights) + 0.5
    ax.set_xlim(0, characters)
    ax.set_ylim(y / TEXT_SHARE, 0)
    ax.axis("off")
    end = shown[-1][0] + seconds
    box = (TIME / characters, 0.09, 1 - TIME / characters, 1 - TEXT_SHARE - 0.12)
    _plot_windows(scores, condition, metric, ax.inset_axes(box), shown[0][0], end)
    return ax


def _plot_windows(
    scores: xarray.Dataset, condition: str, metric: str, ax: Axes, start: float, end: float
) -> None:
    """Draw the score of the windows over time, over the band of random reconstructions."""
    times = scores["window"].values
    inside = (times >= start) & (times <= end)
    curve = scores["window_score"].sel(condition=condition, metric=metric).values[inside]
    null = scores["null_score"].sel(metric=metric).transpose("null", "window").values[:, inside]
    low, high = np.nanquantile(null, [0.025, 0.975], axis=0)
    x = times[inside]
    grey = COLOURS["random"]
    ax.fill_between(x, low, high, color=grey, alpha=0.35, lw=0, label="95 % of the null")
    ax.plot(x, curve, color=COLOURS["layer"], lw=1.2, label=condition)
    ax.set_xlim(start, end)
    ax.set_ylim(bottom=min(0.0, float(np.nanmin([curve.min(), low.min()]))))
    ax.set_xlabel("seconds (start of 20-s windows)", fontsize=7, labelpad=1)
    ax.set_ylabel(metric, fontsize=7)
    ax.tick_params(labelsize=7)


def _lines(words: Marked, width: int) -> list[Marked]:
    """Break marked words into lines; the last one ends with an ellipsis where words are left."""
    lines: list[Marked] = [[]]
    used = 0
    for word, same in words:
        room = _width(word)
        if lines[-1] and used + room > width:
            if len(lines) == MOST_LINES:
                lines[-1][-1] = ("…", False)
                break
            lines.append([])
            used = 0
        lines[-1].append((word, same))
        used += room + 1
    return lines


def _width(word: str) -> int:
    """Return the width of a word in Latin letters."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in word)


def _write(
    lines: list[Marked], ax: Axes, left: int, y: float, fonts: list[str], colour: str
) -> None:
    """Write lines of words, each word at its place, as letters have one width."""
    for row, words in enumerate(lines):
        x = left
        for word, same in words:
            given: dict[str, Any] = {
                "color": colour,
                "family": fonts,
                "alpha": 1.0 if same else 0.75,
            }
            if same:
                given["weight"] = "bold" if word.isascii() else "normal"
                given["bbox"] = {"facecolor": MARK, "edgecolor": "none", "pad": 0.6}
            ax.text(x, y - row, word, fontsize=7, va="top", **given)
            x += _width(word) + 1
