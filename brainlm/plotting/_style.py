"""Common style of the figures: colours, panels, intervals of the mean."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.stats.paired import fold_half_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MM = 1 / 25.4  # inches
PAGE: ContextVar[float] = ContextVar("page", default=183.0)  # mm
COLUMN = 120.0  # mm: narrower pages are single columns
SMALLEST, LARGEST = 7, 8  # points
PRINTED = 0.8  # size of a figure with text of 7 points, of its size with 9
NARROWEST = 0.62  # least width of a panel, as a share of its preferred width
LEAST_HEIGHT = 0.9
FEW_TICKS = 1.3  # inches: narrower axes have three
LOWEST = 1.2  # inches, of a panel among others below each other
CHARACTER = 0.063  # inches: mean width of a character of 8 points

# Okabe & Ito's palette: told apart with every kind of colour vision.
COLOURS = {
    "layer": "#0072B2",
    "combined": "#D55E00",
    "with empty": "#5D3A9B",
    "untrained": "#56B4E9",
    "random": "#8C8C8C",
    "ceiling": "#555555",
}
MODEL_COLOURS = ("#0072B2", "#D55E00", "#5D3A9B", "#009E73", "#E69F00", "#CC79A7", "#56B4E9")
REFERENCE_COLOURS = ("#009E73", "#E69F00", "#CC79A7", "#7A4B1E", "#000000")


def interval(values: np.ndarray, ratio: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Mean and half-width of its 95 % interval (t) over the first axis (the units).

    ``ratio`` is n_test / n_train where the units are folds, see
    `brainlm.stats.paired.fold_difference`.
    """
    half = fold_half_width(values, ratio) if len(values) > 1 else 0.0
    return values.mean(axis=0), np.broadcast_to(half, values.shape[1:])


@contextmanager
def on_page(width: float) -> Iterator[None]:
    """Draw figures that are no wider than a page, in millimetres."""
    if not 60 <= width <= 400:
        raise ValueError(f"width must lie between 60 and 400 mm (89 is one column), got {width}")
    token = PAGE.set(width)
    try:
        yield
    finally:
        PAGE.reset(token)


def page_size(width: float, height: float) -> tuple[float, float]:
    """Return the size of a figure in inches, no wider than the page (`PAGE`).

    Parameters
    ----------
    width, height : float
        Inches at which text of 9 points looks right. Printed with 7 points the figure is smaller;
        where the page is narrower still, it loses less of its height than of its width.
    """
    page, wanted = PAGE.get() * MM, PRINTED * width
    return min(page, wanted), PRINTED * height * max(min(1.0, page / wanted), LEAST_HEIGHT)


def panels(
    n: int, width: float, height: float, *, columns: int | None = None, sharey: bool = False
) -> tuple[Figure, list[Any]]:
    """Return a figure of ``n`` panels, each of that size in inches at 9 points, and its axes.

    Panels are side by side, ``columns`` at most, and one below the other on a narrow page.
    """
    import matplotlib.pyplot as plt

    room = int(PAGE.get() * MM // (NARROWEST * PRINTED * width))
    columns = max(1, min(n if columns is None else columns, n, room))
    rows = -(-n // columns)
    columns = -(-n // rows)  # four panels are two and two, not three and one
    total, _ = page_size(width * columns, height)
    tall = PRINTED * height * max(min(1.0, total / (PRINTED * width * columns)), LEAST_HEIGHT)
    tall = max(tall, LOWEST) if rows > 1 else tall
    figure, axes = plt.subplots(
        rows, columns, figsize=(total, tall * rows), squeeze=False, sharey=sharey
    )
    for ax in axes.flat[n:]:
        ax.set_axis_off()
    return figure, list(axes.flat[:n])


def fit_texts(figure: Figure) -> None:
    """Set all texts to print size, wrap titles and labels, and draw fewer ticks on narrow axes."""
    from matplotlib.text import Text
    from matplotlib.ticker import AutoLocator, MaxNLocator

    for ax in figure.axes:
        if isinstance(ax.xaxis.get_major_locator(), AutoLocator):
            ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    for text in figure.findobj(Text):
        text.set_fontsize(min(max(text.get_fontsize(), SMALLEST), LARGEST))
    _wrap(getattr(figure, "_suptitle", None), figure.get_figwidth())
    lay_out(figure)  # so that the axes have their sizes
    axes: list[Any] = figure.axes
    for ax in axes:
        box = ax.get_window_extent()
        width, height = box.width / figure.dpi, box.height / figure.dpi
        if isinstance(ax.xaxis.get_major_locator(), MaxNLocator) and width < FEW_TICKS:
            ax.xaxis.set_major_locator(_fewer(ax.xaxis.get_major_locator(), 3))
        _part_ticks(ax)
        _wrap(ax.xaxis.label, width + 0.2)
        _wrap(ax.yaxis.label, height + 0.1)
        for text in (ax.title, ax._left_title, ax._right_title):
            _wrap(text, width + 0.2)


def lay_out(figure: Figure) -> None:
    """Place the axes of a figure; nothing is drawn, which would take most of the time."""
    engine = figure.get_layout_engine()
    if engine is not None:  # axes without one, such as brains, are in their places
        engine.execute(figure)


def _part_ticks(ax: Any) -> None:
    """Draw fewer ticks along x where their labels overlap; names, which all count, are turned."""
    from matplotlib.ticker import MaxNLocator

    for n in (4, 3, 2):
        boxes = [
            label.get_window_extent()
            for label in ax.get_xticklabels()
            if label.get_text() and label.get_visible() and not label.get_rotation()
        ]
        boxes.sort(key=lambda box: box.x0)
        if all(a.x1 <= b.x0 for a, b in itertools.pairwise(boxes)):
            return
        locator = ax.xaxis.get_major_locator()
        if not isinstance(locator, MaxNLocator):
            ax.tick_params(axis="x", rotation=40)
            return
        ax.xaxis.set_major_locator(_fewer(locator, n))


def _fewer(locator: Any, n: int) -> Any:
    """Return a locator of at most ``n`` intervals; numbers of layers stay whole."""
    from matplotlib.ticker import MaxNLocator

    whole = bool(locator._integer)  # matplotlib tells it no other way
    steps = [1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10]
    return MaxNLocator(n, steps=steps, integer=whole)


def whole_numbers(ax: Axes) -> None:
    """Write whole numbers below an axis, such as those of layers."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))


def share_limits(axes: Sequence[Axes], side: str) -> None:
    """Give panels that are compared the same limits along ``side``, x or y."""
    ends = np.array([getattr(ax, f"get_{side}lim")() for ax in axes])
    for ax in axes:
        getattr(ax, f"set_{side}lim")(ends.min(), ends.max())


def only_first_column(axes: Sequence[Axes], *, ticks: bool = True) -> None:
    """Remove the label of the y axis, and its ticks' too, from all but the first column."""
    for ax in axes:
        place = ax.get_subplotspec()
        if place is not None and not place.is_first_col():
            ax.set_ylabel("")
            if ticks:
                ax.tick_params(labelleft=False)


def mark_debug(figure: Figure) -> None:
    """Write below a figure that it shows a short trial run."""
    figure.supxlabel(
        "debug run: a small part of the data", x=0.99, ha="right", color="#B45309", fontsize=7
    )


def _wrap(text: Any, inches: float) -> None:
    """Break the lines of a text that are longer than there is room for."""
    if text is None or not text.get_text():
        return
    width = max(12, int(inches / (CHARACTER * text.get_fontsize() / LARGEST)))
    lines = [textwrap.fill(line, width) for line in text.get_text().splitlines()]
    text.set_text("\n".join(lines))


def shared_legend(figure: Figure | SubFigure, ax: Axes) -> None:
    """Put the legend of ``ax`` below all panels, in as many columns as fit."""
    handles, labels = ax.get_legend_handles_labels()
    inches = figure.bbox.width / figure.get_figure(root=True).dpi
    longest = max(map(len, labels), default=1) * CHARACTER + 0.35  # inches, with its line
    columns = max(1, min(4, len(labels), int(inches / longest)))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
