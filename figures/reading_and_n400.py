"""Surprisal in reading times and the N400: held-out gains, effects in mixed models, spill-over.

A bundle of reading: python figures/reading_and_n400.py BUNDLE
"""

from pathlib import Path

import pandas as pd
import typer

from brainlm.plotting import (
    Panel,
    is_component,
    on_axes,
    plot_mixed_effects,
    plot_reading_gains,
    plot_spillover,
    save_paper_figure,
    table_frame,
)
from brainlm.results.bundle import Bundle, load_bundle
from brainlm.workflow import options, run_command


def height(table: pd.DataFrame) -> float:
    """Millimetres of a row per measure of each data set."""
    return 20 + 3.9 * len(table[["dataset", "measure"]].drop_duplicates())


def panels(bundle: Bundle, width: float) -> list[Panel]:
    """Gains of reading times and of components, then effects and spill-over."""
    gains, mixed = table_frame(bundle, "gains"), table_frame(bundle, "mixed")
    component = is_component(gains)
    parts = [
        Panel(title, on_axes(plot_reading_gains, own, legend=3), height(own), share=0.5)
        for title, own in (
            ("reading times and fixations (filled: q ≤ .05)", gains[~component]),
            ("event-related potentials", gains[component]),
        )
        if len(own)
    ]
    if len(mixed):
        models = list(dict.fromkeys(mixed["model"]))
        effects = on_axes(plot_mixed_effects, mixed, legend=3)
        title = "mixed models, 95 % intervals"
        parts.append(Panel(title, effects, max(48, height(mixed)), share=0.5))
        spillover = on_axes(plot_spillover, mixed, models[0], legend=2)
        parts.append(Panel("spill-over from the words before", spillover, 48, share=0.5))
    return parts


def main(
    bundle: options.FigureBundle = Path("results/reading"),
    out: options.FigureFile = None,
    width: options.FigureWidth = 183,
) -> None:
    """Draw gains from surprisal on held-out sentences, and effects of mixed models."""
    out = out or bundle / "paper_reading_and_n400.pdf"
    for path in save_paper_figure(panels, load_bundle(bundle), out, width):
        typer.echo(str(path))


if __name__ == "__main__":
    run_command(main)
