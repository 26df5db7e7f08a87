"""Paper figures: lettered panels on a page whose size is given in millimetres.

A figure is a list of `Panel`. Panels fill rows from left to right; in a single column each has its
own row. Sizes are final: print the file at 100 %.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainlm.errors import UnknownNameError, unknown_name
from brainlm.plotting._style import MM, fit_texts, lay_out
from brainlm.plotting.changes import Changes, changed
from brainlm.plotting.glyphs import styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from brainlm.results.bundle import Bundle

ONE_COLUMN, TWO_COLUMNS = 89, 183  # mm
STYLE = Path(__file__).parent / "paper.mplstyle"
# Settings of size and layout, which are the page's, and of the window system.
OURS = ("backend", "interactive", "toolbar", "figure.figsize", "figure.autolayout", "webagg",
        "figure.constrained_layout", "figure.subplot", "savefig.bbox", "figure.dpi")  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """A panel of a paper figure.

    Attributes
    ----------
    title : str
        A few words beside the letter.
    draw : callable
        Draws into a `matplotlib.figure.SubFigure`; see `on_axes`.
    height : float
        Millimetres, letter and legend included.
    share : float
        Share of the width where the figure has two columns.
    """

    title: str
    draw: Callable[[SubFigure], Any]
    height: float
    share: float = 1.0


@contextmanager
def paper_style(style: Any = None) -> Iterator[None]:
    """Draw in brainlm's style at the size of print: 7 to 8 points, no cropping.

    What you have changed in ``matplotlib.rcParams``, by ``plt.style.use`` or in a matplotlibrc
    file goes before brainlm's style. ``style`` is one of matplotlib's, or several, on top of it.

    Raises
    ------
    UnknownNameError
        There is no such style, nor a file of that name.
    """
    import matplotlib.pyplot as plt

    styles = [style] if isinstance(style, str | dict | Path) else list(style or ())
    own = _own_settings()
    for name in styles:
        try:
            with plt.style.context(name):
                pass
        except OSError:  # neither a style nor a file, address or module that holds one
            raise unknown_name("style", name, plt.style.available) from None
    with styled(), plt.style.context([STYLE, own, *styles]):
        yield


def _own_settings() -> dict[str, Any]:
    """Return the settings that differ from those that matplotlib ships, but for sizes."""
    import matplotlib as mpl

    names = [name for name in mpl.rcParams if not name.startswith(OURS)]
    own = {name: mpl.rcParams[name] for name in names}
    return {name: value for name, value in own.items() if value != mpl.rcParamsDefault[name]}


def on_axes(
    plot: Callable[..., Any],
    *arguments: Any,
    legend: int = 0,
    xlabel: str | None = None,
    ylabel: str | None = None,
    **options: Any,
) -> Callable[[SubFigure], Axes]:
    """Return a function that draws a plot into a panel with a single pair of axes.

    Parameters
    ----------
    plot : callable
        Takes ``arguments``, then ``ax``.
    *arguments
        Of ``plot``, before ``ax``.
    legend : int
        Columns of a legend below the axes; 0: no legend.
    xlabel, ylabel : str, optional
        Instead of those of the plot.
    **options
        Of ``plot``.
    """

    def draw(part: SubFigure) -> Axes:
        ax = part.subplots()
        plot(*arguments, ax, **options)
        for side in ("left", "center"):
            ax.set_title("", loc=side)  # the panel has one
        ax.set_xlabel(ax.get_xlabel() if xlabel is None else xlabel)
        ax.set_ylabel(ax.get_ylabel() if ylabel is None else ylabel)
        if legend:
            handles, labels = ax.get_legend_handles_labels()
            part.legend(handles, labels, loc="outside lower center", ncols=legend)
        return ax

    return draw


def paper_figure(panels: Sequence[Panel], width: float) -> Figure:
    """Return a figure of lettered panels; call it inside `paper_style`.

    Parameters
    ----------
    panels : sequence of Panel
    width : float
        Millimetres. Up to 120, each panel has a row of its own.
    """
    import matplotlib.pyplot as plt

    rows = _rows(panels, width)
    heights = [max(panel.height for panel in row) for row in rows]
    figure = plt.figure(figsize=(width * MM, sum(heights) * MM), layout="constrained")
    bands = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
    letters = iter(string.ascii_lowercase)
    for band, row in zip(bands, rows, strict=True):
        shares = [panel.share for panel in row]
        parts = band.subfigures(1, len(row), width_ratios=shares, squeeze=False)[0]
        for part, panel in zip(parts, row, strict=True):
            panel.draw(part)
            _title(part, next(letters), panel.title)
    fit_texts(figure)
    if not any(ax.get_subplotspec() for ax in figure.axes):  # of brains: nothing to lay out
        figure.set_layout_engine("none")
    lay_out(figure)  # while the style holds
    return figure


def _rows(panels: Sequence[Panel], width: float) -> list[list[Panel]]:
    """Panels in rows whose shares add up to at most 1."""
    rows: list[list[Panel]] = []
    for panel in panels:
        full = not rows or sum(each.share for each in rows[-1]) + panel.share > 1.001
        if full or width <= 120:
            rows.append([])
        rows[-1].append(panel)
    return rows


def _title(part: SubFigure, letter: str, title: str) -> None:
    """Write a bold letter at the upper left, and the title beside it."""
    from matplotlib.text import Annotation

    inset = 0.5 * MM * part.get_figure(root=True).dpi / part.bbox.width
    bold = part.suptitle(letter, x=inset, ha="left", weight="bold", family="DejaVu Sans")
    beside: dict[str, Any] = {"xycoords": bold, "xytext": (4, 0), "textcoords": "offset points"}
    words = Annotation(title, (1, 0), **beside, va="bottom", annotation_clip=False)
    part.add_artist(words).set_in_layout(False)


def draw_paper_figure(
    panels: Callable[[Bundle, float], list[Panel]], bundle: Bundle, width: float
) -> Figure:
    """Return the figure whose panels a script of ``figures/`` makes from a bundle.

    Raises
    ------
    UnknownNameError
        The bundle holds nothing that the figure could be drawn from.
    """
    with paper_style(), changed(Changes(), bundle):
        try:
            found = panels(bundle, width)
        except KeyError as error:
            raise UnknownNameError(_nothing(bundle, f"it has no {error}")) from error
        if not found:
            raise UnknownNameError(_nothing(bundle, "it has none of the arrays of its panels"))
        return paper_figure(found, width)


def _nothing(bundle: Bundle, why: str) -> str:
    arrays = ", ".join(bundle.arrays) or "(none)"
    return (
        f"{bundle.folder}: this figure cannot be drawn from it, {why}. Its arrays: {arrays}; "
        "figures/README.md lists the analyses that save what each figure needs"
    )


def save_paper_figure(
    panels: Callable[[Bundle, float], list[Panel]], bundle: Bundle, path: Path, width: float
) -> list[Path]:
    """Draw a paper figure and save it as PDF (vectors) and PNG (300 dpi); return both paths.

    Parameters
    ----------
    panels : callable
        ``(bundle, width)`` to a list of `Panel`.
    bundle : Bundle
    path : Path
        Its suffix is replaced.
    width : float
        Millimetres.
    """
    import matplotlib.pyplot as plt

    figure = draw_paper_figure(panels, bundle, width)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = []
    with paper_style():
        lay_out(figure)
        figure.set_layout_engine("none")  # once is enough for both files
        for suffix in (".pdf", ".png"):
            written.append(path.with_suffix(suffix))
            figure.savefig(written[-1])
    plt.close(figure)
    return written
