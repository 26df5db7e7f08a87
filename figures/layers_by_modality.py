"""Scores against the depth of a layer for each modality, and the depth that predicts best.

Bundles of mulcogbench and simulate_studies: python figures/layers_by_modality.py BUNDLE
"""

from pathlib import Path

import typer

from brainlm.plotting import (
    Panel,
    on_axes,
    plot_best_depths,
    plot_depth_curves,
    save_paper_figure,
    table_frame,
)
from brainlm.results.bundle import Bundle, load_bundle
from brainlm.workflow import options, run_command


def panels(bundle: Bundle, width: float) -> list[Panel]:
    """A panel per modality, then the preferred depths."""
    table, profiles = table_frame(bundle, "table"), table_frame(bundle, "profiles")
    layered = table[table["layer"] >= 0]
    models = list(dict.fromkeys(layered["model"]))
    parts = []
    for modality, own in layered.groupby("modality", sort=False):
        n_labels = len(models) + 1 + own["dataset"].nunique()
        curves = on_axes(plot_depth_curves, own, models, legend=2, ylabel="held-out r")
        parts.append(Panel(modality, curves, 48 + 3.4 * -(-n_labels // 2), share=0.5))
    if len(profiles):
        first = [c for c in ("dataset", "cause", "modality", "language", "method") if c in profiles]
        names = profiles[first[:1] if first[0] == "dataset" else first].agg(" | ".join, axis=1)
        if profiles["model"].nunique() > 1 if "model" in profiles else False:
            names = names + ": " + profiles["model"]
        depths = on_axes(plot_best_depths, profiles, list(names), legend=4)
        parts.append(Panel("preferred depth", depths, 20 + 3.5 * len(profiles)))
    return parts


def main(
    bundle: options.FigureBundle = Path("results/mulcogbench"),
    out: options.FigureFile = None,
    width: options.FigureWidth = 183,
) -> None:
    """Draw scores against depth, a panel per modality, and preferred depths."""
    out = out or bundle / "paper_layers_by_modality.pdf"
    for path in save_paper_figure(panels, load_bundle(bundle), out, width):
        typer.echo(str(path))


if __name__ == "__main__":
    run_command(main)
