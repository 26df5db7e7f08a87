"""Write decoding_results.md from the bundles of the decoding analyses.

``python docs/decoding_results.py FOLDER > docs/decoding_results.md``, where FOLDER holds bundles
under the names of ``BUNDLES``. Every number is made of a bundle; an analysis whose bundle is not
there is said to be missing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray

from brainlm.bundle import Bundle, load_bundle
from brainlm.errors import DataMissingError

HEAD = """# What decoding reached

Written from result bundles by `docs/decoding_results.py`; every number stands in the bundle that is
named above it. Gain: mean score of 20-s windows minus that of random reconstructions with the same
word times and beam; in brackets the share of windows with z > 3 against them. Simulated subjects
are no brains: they show what the machinery can do where the signal is known. What was read from
people stands in [findings](findings.md).
These are small runs, on short texts with narrow beams; p cannot fall below 1 / (1 + number of
random reconstructions), and the z of a single window rests on so few that it varies much. The
permuted brain is the same story with its samples in another order, in blocks of five: in a test
story of a minute most of what is told stays near, so that it is a null of order rather than of
content; in one of three minutes it is both. Wrong story and noise input are nulls of content.
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


def levels(scores: xarray.Dataset) -> list[tuple[str, xarray.Dataset]]:
    """Each level of signal with its label; real data are a single one."""
    if "snr" not in scores.dims:
        return [("", scores)]
    return [(f"{snr:g}", scores.sel(snr=snr)) for snr in sorted(scores["snr"].values)[::-1]]


def shown(scores: xarray.Dataset) -> list[str]:
    """Metrics of ``METRICS`` that have a score."""
    there = [m for m in METRICS if m in scores["metric"].values]
    return [m for m in there if np.isfinite(scores["score"].sel(metric=m)).any()]


def conditions(bundle: Bundle, title: str) -> str:
    """Gains of all conditions, a table for each level of signal."""
    scores = bundle.arrays["scores"]
    parts = [f"## {title}", settings(bundle)]
    for label, each in levels(scores):
        rows = []
        for condition in map(str, each["condition"].values):
            cells = {"condition": condition}
            for metric in shown(scores):
                at = each.sel(condition=condition, metric=metric)
                share = f" ({100 * float(at['share']):.0f} %)" if "share" in at else ""
                cells[metric] = f"{float(at['gain']):.3f}{share}"
            rows.append(cells)
        null = {"condition": "mean of the random null (score)"}
        null |= {
            metric: f"{float(each['null_mean'].sel(metric=metric)[0]):.3f}"
            for metric in shown(scores)
        }
        names = [n for n in each.data_vars if n.startswith("mapping_") and not each[n].dims]
        quality = ", ".join(f"{n.removeprefix('mapping_')} {float(each[n]):.3f}" for n in names)
        head = f"Signal to noise {label}; mapping: " if label else "Mapping: "
        parts.append(f"{head}{quality}." if quality else "")
        parts.append(markdown(pd.DataFrame([*rows, null])))
    parts.append(compared(scores))
    return "\n\n".join(part for part in parts if part)


def compared(scores: xarray.Dataset) -> str:
    """How often the similarity of embeddings gains more than the likelihood, and what is left."""
    names = list(map(str, scores["condition"].values))
    if "Tang: brain" not in names:
        return ""
    noise = {
        guide: [name for name in names if name.startswith(f"{guide}: noise input")]
        for guide in ("MapGuide", "Tang")
    }
    lines = []
    for label, each in levels(scores):
        each = each.sel(metric=shown(scores))
        first, second = (
            each["gain"].sel(condition=f"{name}: brain").values for name in ("MapGuide", "Tang")
        )
        without = [each["gain"].sel(condition=noise[g]).mean("condition").values for g in noise]
        largest = float(np.abs(each["z"].sel(condition=[*noise["MapGuide"], *noise["Tang"]])).max())
        lines.append(
            f"- {f'SNR {label}: ' if label else ''}MapGuide gains more than Tang in "
            f"{int((first > second).sum())} of {len(first)} scores (mean difference "
            f"{float((first - second).mean()):+.3f}). Over noise input through the same decoder: "
            f"MapGuide {float((first - without[0]).mean()):+.3f}, Tang "
            f"{float((second - without[1]).mean()):+.3f} on average; largest |z| of noise input "
            f"against the random null {largest:.1f}."
        )
    lines.append(
        "- Where noise input lies outside the random null (|z| > 3), that null is too mild: noise "
        "still carries how the training texts sound. Compare with noise input there."
    )
    return "\n".join(lines)


def ablations(bundle: Bundle) -> str:
    """Gains of all points, and how far the mapping foretells the text."""
    table = bundle.arrays["table"].to_dataframe()
    wide = table.pivot_table(
        index=["factor", "value", "snr", "minutes", "mapper", "mapping_r"], columns="metric",
        values="gain", sort=False,
    ).reset_index()  # fmt: skip
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
    "decode_story_simulated": lambda b: conditions(b, "A simulated subject, from signal to none"),
    "decode_story_long": lambda b: conditions(b, "A simulated subject, three minutes of a story"),
    "decode_ablations": ablations,
    "decode_story_simulated_zh": lambda b: conditions(b, "A simulated Chinese subject"),
}


def main(folder: Path) -> None:
    """Print the results of all bundles in a folder."""
    parts = [HEAD]
    for name, write in BUNDLES.items():
        try:
            parts.append(write(load_bundle(folder / name)))
        except DataMissingError:
            parts.append(f"## {name}\n\nNo bundle: this analysis was not run.")
    sys.stdout.write("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/decoding_results.py FOLDER  (that holds the bundles)")
    main(Path(sys.argv[1]))
