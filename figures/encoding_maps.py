"""Maps of held-out scores on the cortex, the winner of each voxel, and the searchlight.

Bundles of simulate_regions, and of `brainlm encode` with a brain image:
python figures/encoding_maps.py BUNDLE
"""

from functools import partial
from pathlib import Path

import typer

from brainlm.data.brain_maps import BrainMaps, winners
from brainlm.plotting import (
    Panel,
    brain_rows_height,
    bundle_maps,
    draw_brain_rows,
    save_paper_figure,
)
from brainlm.results.bundle import Bundle, load_bundle
from brainlm.workflow import options, run_command

MOST_SUBJECTS = 2


def panel(title: str, rows: list[tuple[BrainMaps, str]], width: float) -> Panel:
    """Four views of each map, two panels beside each other where there is room."""
    height = brain_rows_height(len(rows), width if width <= 120 else width / 2)
    return Panel(title, partial(draw_brain_rows, rows), height, share=0.5)


def panels(bundle: Bundle, width: float) -> list[Panel]:
    """Scores of each space by subject, winners, and the searchlight where there is one."""
    maps = list(bundle_maps(bundle).values())[:MOST_SUBJECTS]
    parts = []
    for each in maps:
        unit = "" if each.unit == "1" else f", {each.unit}"
        rows = [(each, str(name)) for name in each.names]
        parts.append(panel(f"{each.subject}{unit}", rows, width))
    won = [(winners(each), "winner") for each in maps if each.n_maps > 1]
    if won:
        parts.append(panel("best space of each voxel", won, width))
    if "searchlight" in bundle.arrays:
        light = BrainMaps.from_xarray(bundle.arrays["searchlight"])
        rows = [(light, str(name)) for name in light.names]
        parts.append(panel(f"searchlight, {light.unit}", rows, width))
    return parts


def main(
    bundle: options.FigureBundle = Path("results/simulate_regions"),
    out: options.FigureFile = None,
    width: options.FigureWidth = 183,
) -> None:
    """Draw scores, winners and the searchlight on both hemispheres."""
    out = out or bundle / "paper_encoding_maps.pdf"
    for path in save_paper_figure(panels, load_bundle(bundle), out, width):
        typer.echo(str(path))


if __name__ == "__main__":
    run_command(main)
