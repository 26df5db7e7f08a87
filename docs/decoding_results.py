"""Write decoding_results.md from the bundles of the decoding analyses.

``python docs/decoding_results.py FOLDER > docs/decoding_results.md``, where FOLDER holds bundles
under the names of ``BUNDLES``. Every number is made of a bundle; an analysis whose bundle is not
there is said to be missing. The summary and its figures are made of the tables of the page, so they
can be renewed without the bundles: ``python docs/decoding_results.py docs/decoding_results.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray
from decoding_summary import FAILS, FIGURES, FOUND
from page_summary import BEGIN, END, with_summary

from brainlm.decoding.controls import cautions
from brainlm.errors import DataMissingError
from brainlm.results.bundle import Bundle, load_bundle

PICTURES = Path(__file__).parent / "decoding-figures"
HEAD = f"""# Decoding results

Written from result bundles by `docs/decoding_results.py`; every number stands in the bundle that is
named above it. Gain: mean score of 20-s windows minus that of random reconstructions with the same
word times and beam. Simulated subjects are no brains: they show what the machinery can do where the
signal is known. Text read from people is in [findings](findings.md).

{BEGIN}
{END}

## How to read the numbers

Intervals (95 %) are over stories and simulated subjects, both drawn at random. Permuted brain and
noise input are drawn several times for each story; their gains are means over draws. Planted are
hidden states of another model than the decoder's. The permuted brain is the same story with its
samples in another order, in blocks of five. In a short story most of what is told stays near, so it
is a null of order; wrong story and noise input are nulls of content. A line that begins with
"Caution" says where a control contradicts the score.
"""
METRICS = ("bleu-1", "bleu-1, characters", "meteor", "meteor-reduced", "bertscore", "1-wer")


def settings(bundle: Bundle) -> str:
    """What was run, in one line."""
    config = {k: v for k, v in bundle.record["config"].items() if k not in ("settings", "alphas")}
    debug = " **A debug run.**" if config.pop("debug") else ""
    listed = ", ".join(f"{key} {value}" for key, value in config.items())
    return f"Bundle `{bundle.record['analysis']}` ({listed}).{debug}"


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|" + "---|" * table.shape[1]]
    for row in table.itertuples(index=False):
        cells = [f"{v:.3f}" if isinstance(v, float) else str(v) for v in row]
        lines.append("| " + " | ".join("-" if cell == "nan" else cell for cell in cells) + " |")
    return "\n".join(lines)


def shown(scores: xarray.Dataset) -> list[str]:
    """Metrics of ``METRICS`` that have a score."""
    there = [m for m in METRICS if m in scores["metric"].values]
    return [m for m in there if np.isfinite(scores["score"].sel(metric=m)).any()]


def conditions(bundle: Bundle, title: str) -> str:
    """Cautions, then gains of all conditions, a table for each level of signal."""
    scores = bundle.arrays["scores"]
    first = [f"**{line}.**" for line in cautions(scores)]
    parts = [f"## {title}", *first, settings(bundle)]
    for snr in sorted(map(float, scores["snr"].values), reverse=True):
        each = scores.sel(snr=snr)
        rows = []
        for condition in map(str, each["condition"].values):
            draws = int(each["n_draws"].sel(condition=condition))
            cells = {"condition": f"{condition} ({draws} draws)" if draws > 1 else condition}
            for metric in shown(scores):
                at = each.sel(condition=condition, metric=metric)
                low, high = float(at["gain_low"]), float(at["gain_high"])
                cells[metric] = f"{float(at['gain']):.3f} [{low:.3f}, {high:.3f}]"
            rows.append(cells)
        null = {"condition": "mean of the random null (score)"}
        null |= {
            metric: f"{float(each['null_mean'].sel(metric=metric)[0]):.3f}"
            for metric in shown(scores)
        }
        r, pairwise = float(each["mapping_r"]), float(each["mapping_2v2"])
        parts.append(f"Signal to noise {snr:g}; mapping: r {r:.3f}, 2v2 {pairwise:.3f}.")
        parts.append(markdown(pd.DataFrame([*rows, null])))
    if "comparison" in bundle.arrays:
        parts.append(compared(bundle.arrays["comparison"]))
    return "\n\n".join(parts)


def compared(found: xarray.Dataset) -> str:
    """Which scorer gains more from the brain, in one score, and whether that is decided."""
    first, second, metric = (found.attrs[name] for name in ("first", "second", "metric"))
    lines = [
        f"{first} minus {second}, gain of the brain over noise input through the same decoder, in "
        f"{metric} alone ({found.sizes['story']} stories x {found.sizes['subject']} subjects). "
        "Without signal the true difference is 0:\n"
    ]
    for snr in sorted(map(float, found["snr"].values), reverse=True):
        each = found.sel(snr=snr)
        low, high = float(each["low"]), float(each["high"])
        lines.append(
            f"- SNR {snr:g}: {float(each['difference']):+.3f} [{low:.3f}, {high:.3f}], "
            f"**{each['verdict'].item()}**. Without taking noise input off: "
            f"{float(each['difference_raw']):+.3f}."
        )
    return "\n".join(lines)


def ablations(bundle: Bundle) -> str:
    """Gains of all variants, and how far the mapping foretells the text."""
    table = bundle.arrays["table"].to_dataframe()
    wide = table.pivot_table(
        index=["factor", "value", "snr", "minutes", "mapper", "mapping_r"],
        columns="metric",
        values="gain",
        sort=False,
    ).reset_index()
    wide.columns.name = None
    parts = ["## Ablations: one factor at a time", settings(bundle), markdown(wide)]
    for metric, rows in table[table["factor"] == "grid"].groupby("metric", sort=False):
        r = np.corrcoef(rows["mapping_r"], rows["gain"])[0, 1]
        parts.append(
            f"- Over the {len(rows)} decoders of the grid (mappers x data x noise), mapping "
            f"accuracy and gain in {metric} correlate with r = {r:.2f}."
        )
    return "\n\n".join(parts)


BUNDLES: dict[str, Callable[[Bundle], str]] = {
    "decode_story_simulated": lambda b: conditions(b, "Simulated subjects, from signal to none"),
    "decode_ablations": ablations,
    "decode_story_simulated_zh": lambda b: conditions(b, "Simulated Chinese subjects"),
}


def renew(page: Path, figures: Path | None) -> None:
    """Write the summary and the figures of a page from its tables again."""
    page.write_text(with_summary(page.read_text("utf-8"), FOUND, FAILS, FIGURES, figures), "utf-8")


def main(folder: Path, figures: Path | None = None) -> None:
    """Print the results of all bundles in a folder, and draw the figures of the summary."""
    parts = [HEAD]
    for name, write in BUNDLES.items():
        try:
            parts.append(write(load_bundle(folder / name)))
        except DataMissingError:
            parts.append(
                f"## {name}\n\nNo bundle: this analysis has not been run with the present tests."
            )
    page = "\n\n".join(parts) + "\n"
    sys.stdout.write(with_summary(page, FOUND, FAILS, FIGURES, figures))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/decoding_results.py FOLDER  (that holds the bundles)")
    given = Path(sys.argv[1])
    (renew if given.is_file() else main)(given, PICTURES)
