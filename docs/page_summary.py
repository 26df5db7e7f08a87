"""Summary and figures at the top of a results page, made of the tables on that page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from brainlm.plotting import paper_style

BEGIN, END = "<!-- written from the tables below -->", "<!-- end of the summary -->"
INTERVAL = re.compile(r"(-?[\d.]+) \[(-?[\d.]+), (-?[\d.]+)\]")
Sections = dict[str, str]
WIDTH = 4.4  # inches: text of 7 points can be read on a phone
Figure = tuple[str, str, Callable[[Sections], plt.Figure | None]]  # file, caption, function


def sections_of(text: str) -> Sections:
    """Return the text under each heading of a page."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def section(sections: Sections, beginning: str) -> str:
    """Return the section whose heading begins so; empty where there is none."""
    return next((text for name, text in sections.items() if name.startswith(beginning)), "")


def tables_of(text: str) -> list[pd.DataFrame]:
    """Return the tables of a section; cells are text, "-" is missing."""
    found = []
    for block in re.findall(r"(?:^\|.*\|\n?)+", text, flags=re.MULTILINE):
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()]
        found.append(pd.DataFrame(rows[2:], columns=rows[0]).replace("-", None))
    return found


def table_with(text: str, *columns: str) -> pd.DataFrame:
    """Return the first table of a section with these columns; an empty one where there is none."""
    for table in tables_of(text):
        if set(columns) <= set(table.columns) and len(table):
            return table
    return pd.DataFrame(columns=list(columns))


def numbers(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the table with columns of numbers."""
    return table.assign(**{name: pd.to_numeric(table[name]) for name in columns})


def measured(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the table with ``gain``, ``low`` and ``high`` of the cells "0.1 [0.0, 0.2]"."""
    ends = table[column].astype(str).str.extract(INTERVAL).astype(float)
    return table.assign(gain=ends[0], low=ends[1], high=ends[2])


def said(row: pd.Series, digits: int = 3) -> str:
    """Return a gain with its interval."""
    return f"{row['gain']:.{digits}f} [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"


def with_summary(
    page: str,
    found: Sequence[Callable[[Sections], str]],
    fails: Sequence[Callable[[Sections], str]],
    figures: Sequence[Figure],
    folder: Path | None,
) -> str:
    """Return the page with its summary and figures between the marks.

    Parameters
    ----------
    page : str
        Markdown with the marks ``BEGIN`` and ``END`` after the head.
    found, fails : sequence of functions
        From the sections to a sentence, empty where their table is not on the page.
    figures : sequence of (file, caption, function)
        Drawn where their tables are on the page.
    folder : path, optional
        Where the figures go; without it none is drawn or shown.
    """
    head, rest = page.split(BEGIN)[0], page.split(END)[1]
    sections = sections_of(rest)
    lines = [BEGIN, "## Summary", ""]
    for title, parts in (("Found:", found), ("Where the methods fail:", fails)):
        bullets = [f"- {line}" for line in (part(sections) for part in parts) if line]
        lines += [title, "", *bullets, ""] if bullets else []
    if folder is not None:
        shown = [picture(sections, each, folder) for each in figures]
        lines += ["## Figures", "", *filter(None, shown)] if any(shown) else []
    return "\n".join([head + "\n".join(lines), END]) + rest


def picture(sections: Sections, figure: Figure, folder: Path) -> str:
    """Draw a figure, and return the lines that show it."""
    name, caption, draw = figure
    with paper_style():
        drawn = draw(sections)
        if drawn is None:
            return ""
        folder.mkdir(exist_ok=True)
        drawn.savefig(folder / name, dpi=150, bbox_inches="tight", pad_inches=0.06)
        plt.close(drawn)
    return f"![{caption.split('.')[0]}]({folder.name}/{name})\n\n*{caption}*\n"


def panels(*heights: float) -> tuple[plt.Figure, list[plt.Axes]]:
    """Return a figure with panels of these heights in inches, one below the other."""
    figure, axes = plt.subplots(
        len(heights),
        1,
        figsize=(WIDTH, sum(heights)),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    return figure, list(axes[:, 0])
