"""Models by data set, gains over controls and baselines, and the ranks of the models.

Bundles of mulcogbench, navigating and survey: python figures/controls_and_baselines.py BUNDLE
"""

from pathlib import Path

import typer

from brainlm.plotting import (
    Panel,
    on_axes,
    plot_best_scores,
    plot_grouped_forest,
    plot_ranks,
    plot_unique_variance,
    plot_winners,
    save_paper_figure,
    table_frame,
)
from brainlm.results.bundle import Bundle, load_bundle
from brainlm.workflow import options, run_command

OVER = {"static vectors": "", "random embeddings": "over_random_", "controls": "beyond_"}


def gains(bundle: Bundle) -> list[Panel]:
    """Gains of the models over each baseline that the bundle compared them with."""
    parts = []
    for name in ("gains", "predictability"):
        table = table_frame(bundle, name) if name in bundle.arrays else ()
        for over, prefix in OVER.items() if name == "gains" else [("controls", "")]:
            if len(table) and f"{prefix}gain" in table:
                columns = [f"{prefix}{end}" for end in ("gain", "low", "high")]
                given = {"row": "dataset", "group": "model", "columns": columns, "q": f"{prefix}q"}
                forest = on_axes(plot_grouped_forest, table, legend=3, xlabel="r", **given)
                height = 22 + table["dataset"].nunique() * max(4, 2 * table["model"].nunique())
                parts.append(Panel(f"gain over {over}", forest, height, share=1 / 3))
    return parts


def panels(bundle: Bundle, width: float) -> list[Panel]:
    """The scores, then whatever the analysis compared."""
    table = table_frame(bundle, "table")
    rows = 4.2 * table["dataset"].nunique()
    best = on_axes(plot_best_scores, table, about=width > 120, bar=False)
    score = f"best score of each model ({table['method'].iloc[0]}, held-out r)"
    parts = [Panel(score, best, 32 + rows), *gains(bundle)]
    if "winners" in bundle.arrays:
        shares = on_axes(plot_winners, table_frame(bundle, "winners"), about=False, legend=2)
        parts.append(Panel("best space of each target", shares, 34 + rows))
    if "partition" in bundle.arrays:
        partition = table_frame(bundle, "partition")
        for value in ("alone", "unique"):
            bars = on_axes(plot_unique_variance, partition, value, about=False, legend=2)
            parts.append(Panel(f"R2 {value}", bars, 34 + 2 * rows, share=0.5))
    if "ranks" in bundle.arrays:
        for kind, own in table_frame(bundle, "ranks").groupby("features", sort=False):
            height = 20 + 4.2 * len(own)
            parts.append(Panel(f"ranks, {kind}", on_axes(plot_ranks, own), height, share=0.5))
    return parts


def main(
    bundle: options.FigureBundle = Path("results/survey"),
    out: options.FigureFile = None,
    width: options.FigureWidth = 183,
) -> None:
    """Draw scores of models with their controls, baselines and ranks."""
    out = out or bundle / "paper_controls_and_baselines.pdf"
    for path in save_paper_figure(panels, load_bundle(bundle), out, width):
        typer.echo(str(path))


if __name__ == "__main__":
    run_command(main)
