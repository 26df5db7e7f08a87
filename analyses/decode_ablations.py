"""What does a reconstruction owe to each part of decoder, data and search?

One simulated subject (as in decode_story_simulated, planted by another model), one factor at a time
around a default: mapper, masked inputs and contrastive term of the transformer, guide, weight of
the language model, beam, extensions, voxels, minutes of training, dimensions of the brain
(principal components of the voxels: the bottleneck) and of the embedding. Then mappers x amounts of
data x noise, for the accuracy of the mapping against the score of the text. Every point is a gain
over random reconstructions with the same word times and beam. One short text: a difference between
two points is no finding by itself.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
import xarray

from brainlm.cli.app import load_analysis
from brainlm.decoding.ablation import FACTORS, Bench, Point, decode_points, grid, one_at_a_time
from brainlm.decoding.ablation import table_of as tabulate
from brainlm.decoding.conditions import GUIDES
from brainlm.decoding.decoder import Settings
from brainlm.decoding.simulated_subjects import Simulation
from brainlm.decoding.stories import Story
from brainlm.decoding.story_scores import Judges
from brainlm.decoding.text_scores import BertScore, list_metrics
from brainlm.language_models import LanguageModel
from brainlm.results.bundle import check_output, save_bundle
from brainlm.workflow import Debug, Model, Out, Overwrite, Root, choose, run_command


def main(
    model: Model = "smollm2",
    factors: Annotated[
        str, typer.Option(help=f"'all', or of {', '.join(FACTORS)}, separated by commas.")
    ] = "all",
    guide: Annotated[
        str, typer.Option(help=f"Of the default: {', '.join(GUIDES)}.")
    ] = "similarity",
    snr: Annotated[float, typer.Option(min=0, help="Signal to noise of the default.")] = 1.0,
    snrs: Annotated[str, typer.Option(help="Of mappers x data x noise; '' for none.")] = "0,0.3,2",
    minutes: Annotated[str, typer.Option(help="Of the same; 0: all.")] = "15,0",
    voxels: Annotated[int, typer.Option(min=20)] = 1000,
    seconds: Annotated[float, typer.Option(min=30, help="Of the test story.")] = 60,
    beam: Annotated[int, typer.Option(min=1, help="Of the default.")] = 8,
    null: Annotated[int, typer.Option(min=3, help="Random reconstructions.")] = 8,
    planted: Annotated[
        str, typer.Option(help="Causal model whose states are planted: another than the decoder's.")
    ] = "gemma3",
    planted_layer: Annotated[int, typer.Option(min=1, help="Layer of the planted states.")] = 9,
    same_model: Annotated[
        bool, typer.Option("--same-model", help="Plant the decoder's own model: a closed circle.")
    ] = False,
    encoder: Annotated[str, typer.Option(help="Encoder of BERTScore; '' for none.")] = "minilm",
    work: Annotated[Path | None, typer.Option(help="Kept points; a killed run goes on.")] = None,
    out: Out = Path("results/decode_ablations"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """What does a reconstruction owe to each part of decoder, data and search?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    simulated = load_analysis("decode_story_simulated")
    names = choose(factors, list(FACTORS), "factor")
    choose(guide, GUIDES, "guide")
    default = Point(
        snr=snr, n_targets=max(10, voxels // 2), guide=guide, width=beam, n_components=128
    )
    settings = Settings(layer=9, longest=1)
    if debug:
        voxels, seconds, null = 60, 36, 3
        default = Point(snr=snr, n_targets=30, n_inputs=16, n_components=16, guide=guide, width=2)
        settings = Settings(layer=9, longest=1, n_frequent=500)
    network = LanguageModel(model, dtype="bfloat16", cache=True)
    source_model = simulated.open_planted(network, planted, same_model=same_model)
    stimulus, source = simulated.open_text(network, "en", root, debug)

    @cache
    def stories(level: float) -> list[Story]:
        given = Simulation(voxels, level, layer=planted_layer)
        return simulated.through_folder(source_model, stimulus, given)

    metrics = [m for m in list_metrics() if m.startswith(("bleu-1", "meteor"))]
    bert = BertScore(LanguageModel(encoder)) if encoder and not debug else None
    bench = Bench(network, stories, Judges(metrics, bert=bert), settings, seconds, null, work)
    points = one_at_a_time(default, names)
    if snrs:
        levels = simulated.numbers(snrs, "--snrs"), simulated.numbers(minutes, "--minutes")
        points += grid(default, *levels)
    found = decode_points(bench, [point for _, point in points], progress=True)
    table = tabulate(points, found)
    report(table)
    scores = xarray.Dataset.from_dataframe(table.rename_axis("row"))
    scores.attrs["title"] = (
        f"Simulated subject, {voxels} voxels, {seconds:g} s of {source}; default: SNR {snr:g}, "
        f"{guide}, beam {default.width}; planted: {planted}"
    )
    save_bundle(
        out,
        analysis="decode_ablations",
        arrays={"table": scores},
        config={
            "model": model,
            "factors": names,
            "default": asdict(default),
            "snrs": snrs,
            "minutes": minutes,
            "voxels": voxels,
            "seconds": seconds,
            "null": null,
            "encoder": encoder,
            "text": source,
            "planted": planted,
            "planted_layer": planted_layer,
            "same_model": same_model,
            "debug": debug,
        },
        inputs={
            "model": network.origin([]),
            "planted": source_model.origin([]),
            "simulation": vars(Simulation(voxels, layer=planted_layer)),
        },
        notes=[
            "simulated responses: no finding about brains",
            *(["the decoder's own model is planted: a closed circle"] if same_model else []),
        ],
        figures=["ablations", *(["mapping_and_text"] if snrs else [])],
        overwrite=overwrite,
    )
    typer.echo(f"result bundle: {out}   ({perf_counter() - start:.0f} s)")


def report(table) -> None:
    """Print the gains of all points, a column per metric."""
    for factor, rows in table.groupby("factor", sort=False):
        labels = ["snr", "minutes", "mapper"] if factor == "grid" else ["value"]
        wide = rows.pivot_table(
            index=[*labels, "mapping_r"], columns="metric", values=["gain", "z"], sort=False
        )
        typer.echo(f"\n{factor}\n{wide.round(3).to_string()}")
    null = table.groupby("metric", sort=False)["null"].mean().round(3)
    typer.echo(f"\nmean score of random reconstructions\n{null.to_string()}")


if __name__ == "__main__":
    run_command(main)
