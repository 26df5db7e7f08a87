"""Scores of CogBench by layer: the official ones, and what they hide.

Bundles of cogbench: python figures/cogbench.py BUNDLE
"""

from functools import partial
from pathlib import Path

import typer

from brainlm.plotting import COGBENCH_METRICS, Panel, draw_cogbench, save_paper_figure, table_frame
from brainlm.results.bundle import Bundle, load_bundle
from brainlm.workflow import options, run_command

LEGEND = 14  # mm
NARROW = ("official", "beyond", "pairwise")  # what has room in one column


def panels(bundle: Bundle, width: float) -> list[Panel]:
    """A panel per score, a pair of axes per task; in one column without r alone."""
    table, published = table_frame(bundle, "table"), table_frame(bundle, "published")
    columns = 4 if width > 120 else 2
    rows = -(-table["task"].nunique() // columns)
    parts = []
    for metric in COGBENCH_METRICS if columns == 4 else NARROW:
        first = metric == "official"
        draw = partial(draw_cogbench, table, published, metric, columns=columns, legend=first)
        height = 40 if columns == 4 else 34
        parts.append(
            Panel(COGBENCH_METRICS[metric], draw, height * rows + first * LEGEND * (4 // columns))
        )
    return parts


def main(
    bundle: options.FigureBundle = Path("results/cogbench"),
    out: options.FigureFile = None,
    width: options.FigureWidth = 183,
) -> None:
    """Draw the scores of CogBench by layer, with their baselines."""
    out = out or bundle / "paper_cogbench.pdf"
    for path in save_paper_figure(panels, load_bundle(bundle), out, width):
        typer.echo(str(path))


if __name__ == "__main__":
    run_command(main)
