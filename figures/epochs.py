"""Scores of MEG or EEG epochs over time and over the head.

A bundle of encode_epochs: python figures/epochs.py BUNDLE
"""

from functools import partial
from pathlib import Path

import typer

from brainlm.plotting import (
    Panel,
    draw_time_course,
    draw_topographies,
    on_axes,
    save_paper_figure,
    scores_over_time,
)
from brainlm.results.bundle import Bundle, load_bundle
from brainlm.workflow import options, run_command


def panels(bundle: Bundle, width: float) -> list[Panel]:
    """The course of each space, then its heads."""
    scores = scores_over_time(bundle)
    n_heads = 3 if width <= 120 else 6
    course = on_axes(draw_time_course, scores, legend=2 if width <= 120 else 4)
    parts = [Panel("mean over channels", course, 62)]
    if {"x", "y", "z"} <= set(scores.coords):
        height = 14 + 0.8 * width / (n_heads + 1) * scores.sizes["space"]
        heads = partial(draw_topographies, scores, most=n_heads)
        parts.append(Panel("over the head", heads, height))
    return parts


def main(
    bundle: options.FigureBundle = Path("results/encode_epochs"),
    out: options.FigureFile = None,
    width: options.FigureWidth = 183,
) -> None:
    """Draw the score of each space over time and over the head."""
    out = out or bundle / "paper_epochs.pdf"
    for path in save_paper_figure(panels, load_bundle(bundle), out, width):
        typer.echo(str(path))


if __name__ == "__main__":
    run_command(main)
