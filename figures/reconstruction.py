"""Reconstructed texts: scores over their nulls, brain against controls, gains, text over time.

Bundles of decode_story_* and decode_pereira2018_text: python figures/reconstruction.py BUNDLE
"""

from functools import partial
from pathlib import Path

import typer

from brainlm.decoding.controls import brain_conditions, cautions
from brainlm.plotting import (
    Panel,
    draw_conditions,
    on_axes,
    plot_gain,
    plot_mapping_gain,
    plot_over_controls,
    plot_text_timeline,
    save_paper_figure,
    shown_level,
    shown_metrics,
    timeline_lines,
)
from brainlm.results.bundle import Bundle, load_bundle
from brainlm.workflow import options, run_command


def panels(bundle: Bundle, width: float) -> list[Panel]:
    """Scores with the null; gains, where there are levels; the text, where it has times."""
    scores, level = bundle.arrays["scores"], shown_level(bundle)
    narrow = width <= 120
    metrics = shown_metrics(level)[: 2 if narrow else 4]
    conditions = partial(draw_conditions, level, metrics)
    parts = [Panel("scores", conditions, 24 + 3.6 * level.sizes["condition"])]
    if "over" in scores:
        over = on_axes(plot_over_controls, scores, legend=2)
        rows = scores.sizes["brain"] * len(shown_metrics(scores))
        height = 26 + rows * max(4, 2 * scores.sizes["control"])
        parts.append(Panel("brain minus controls (filled: q ≤ .05)", over, height))
    if "snr" in scores.dims:
        ylabel = f"gain in {metrics[0]}"
        sorted_scores = scores.sortby("snr")
        gain = on_axes(plot_gain, sorted_scores, metrics[0], legend=2, ylabel=ylabel)
        parts.append(Panel("gain and signal", gain, 52, share=0.5))
        mapping = on_axes(plot_mapping_gain, sorted_scores, metrics[0], legend=2)
        parts.append(Panel("gain and mapping", mapping, 52, share=0.5))
    text = bundle.arrays.get("example", scores)
    if "middle" in text:
        size = {"seconds": 5.0, "most": 2} if narrow else {"seconds": 10.0, "most": 3}
        brain = brain_conditions(text["condition"].values)[0]
        letters = {"characters": int((width - 6) / 1.54)}  # mm of a letter of 7 points
        write = on_axes(plot_text_timeline, text, brain, metrics[0], **letters, **size)
        title = f"{brain}; green: in both texts"
        parts.append(Panel(title, write, 30 + 10 * timeline_lines(text, brain, **size)))
    return parts


def main(
    bundle: options.FigureBundle = Path("results/decode_story_simulated"),
    out: options.FigureFile = None,
    width: options.FigureWidth = 183,
) -> None:
    """Draw reconstructions with their nulls and controls; cautions are for the caption."""
    out, found = out or bundle / "paper_reconstruction.pdf", load_bundle(bundle)
    for path in save_paper_figure(panels, found, out, width):
        typer.echo(str(path))
    for line in cautions(found.arrays["scores"]):
        typer.echo(line)


if __name__ == "__main__":
    run_command(main)
