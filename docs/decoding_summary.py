"""Sentences and figures of the summary of decoding_results.md, from its tables."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from page_summary import Sections, measured, numbers, panels, said, section, table_with, tables_of

SIMULATED = "Simulated subjects"
CHINESE = "Simulated Chinese"
COLOURS = {"Tang": "#0072B2", "MapGuide": "#D55E00"}


def levels(sections: Sections, name: str) -> dict[str, pd.DataFrame]:
    """Signal to noise -> gains of all conditions in bleu-1."""
    text = section(sections, name)
    found = re.findall(r"^Signal to noise ([\d.]+); mapping", text, flags=re.MULTILINE)
    tables = [table for table in tables_of(text) if {"condition", "bleu-1"} <= set(table.columns)]
    return {
        snr: measured(table, "bleu-1").dropna(subset=["gain"])
        for snr, table in zip(found, tables, strict=True)
    }


def row_of(table: pd.DataFrame, condition: str) -> pd.Series | None:
    """The row of a condition, whatever number of draws stands behind it."""
    own = table[table["condition"].str.replace(r" \(\d+ draws\)", "", regex=True) == condition]
    return own.iloc[0] if len(own) else None


def guides(table: pd.DataFrame) -> list[str]:
    """Guides whose brain is in a table."""
    return [c.split(":")[0] for c in table["condition"] if c.endswith(": brain")]


def listed(table: pd.DataFrame, condition: str) -> str:
    """Gains of a condition, of each guide."""
    rows = [(guide, row_of(table, f"{guide}: {condition}")) for guide in guides(table)]
    return ", ".join(f"{guide} {said(row)}" for guide, row in rows if row is not None)


def with_signal(sections: Sections) -> str:
    """Gain where there is a signal, and of noise input."""
    found = levels(sections, SIMULATED)
    if not found:
        return ""
    snr, table = max(found.items(), key=lambda each: float(each[0]))
    text = f"**Signal to noise {snr}.** Gain of the brain in bleu-1: {listed(table, 'brain')}"
    noise = listed(table, "noise input")
    text += f"; of noise input: {noise}" if noise else ""
    ceiling = row_of(table, "ceiling")
    text += f"; ceiling {said(ceiling)}" if ceiling is not None else ""
    return f"{text}."


def without_signal(sections: Sections) -> str:
    """Gain where there is no signal."""
    found = levels(sections, SIMULATED)
    return (
        f"**No signal.** Gain of the brain in bleu-1: {listed(found['0'], 'brain')}."
        if "0" in found
        else ""
    )


def compared(sections: Sections) -> str:
    """Which guide gains more."""
    found = re.findall(
        r"^- SNR ([\d.]+): ([+-][\d.]+ \[[^]]+\]), \*\*(.+?)\*\*",
        section(sections, SIMULATED),
        flags=re.MULTILINE,
    )
    each = "; ".join(f"SNR {snr} {gain}, {verdict}" for snr, gain, verdict in found)
    return f"**MapGuide minus Tang** in bleu-1, noise input taken off: {each}." if each else ""


def grid(sections: Sections) -> pd.DataFrame:
    """The decoders of the grid of mappers, data and noise."""
    table = table_with(
        section(sections, "Ablations"), "factor", "snr", "mapper", "mapping_r", "bleu-1"
    )
    return numbers(table[table["factor"] == "grid"], "snr", "mapping_r", "bleu-1")


def mapping(sections: Sections) -> str:
    """How far the mapping foretells the text."""
    found = re.search(
        r"Over the (\d+) decoders .* gain in bleu-1 correlate with r = (-?[\d.]+)\.",
        section(sections, "Ablations"),
    )
    if not found:
        return ""
    table = grid(sections)
    signal = table[table["snr"] > 0]
    text = (
        f"**Mapping and text.** Over {found[1]} decoders the accuracy of the map from brain to "
        f"embeddings and the gain in bleu-1 correlate with r = {found[2]}"
    )
    if len(signal) > 2:
        r = signal["mapping_r"].corr(signal["bleu-1"])
        text += f", among the {len(signal)} with a signal with r = {r:.2f}"
    return f"{text}."


def order(sections: Sections) -> str:
    """How near the permuted brain comes to the brain, where it gains more than half as much."""
    found = levels(sections, SIMULATED)
    if not found:
        return ""
    snr, table = max(found.items(), key=lambda each: float(each[0]))
    pairs = [
        (row_of(table, f"{guide}: brain"), row_of(table, f"{guide}: permuted brain"))
        for guide in guides(table)
    ]
    if not any(other is not None and other["gain"] > row["gain"] / 2 for row, other in pairs):
        return ""
    return (
        f"Little of the gain is the order of the words: at signal to noise {snr} the same brain "
        f"with its samples in another order gains {listed(table, 'permuted brain')} in bleu-1."
    )


def chinese(sections: Sections) -> str:
    """How little the Chinese subjects decide."""
    found = levels(sections, CHINESE)
    if not found:
        return ""
    snr, table = max(found.items(), key=lambda each: float(each[0]))
    sizes = re.search(r"stories (\d+), subjects (\d+)", section(sections, CHINESE))
    n = f" ({sizes[1]} stories, {sizes[2]} subjects)" if sizes else ""
    return (
        f"Chinese{n}: at signal to noise {snr} the brain gains {listed(table, 'brain')} in bleu-1."
    )


def single_runs(sections: Sections) -> str:
    """The limits of the ablations."""
    text = section(sections, "Ablations")
    return tables_of(text) and (
        "The table of ablations has one number for each variant and no interval: small differences "
        "between two values of a factor show nothing."
    )


def contradictions(sections: Sections) -> str:
    """How many cautions the sections begin with."""
    counts = {name: text.count("**Caution") for name, text in sections.items()}
    each = ", ".join(f"{n} in {name!r}" for name, n in counts.items() if n)
    return each and (
        f"Controls contradict the score in some metrics (lines that begin with Caution): {each}."
    )


def gain_figure(sections: Sections) -> plt.Figure | None:
    """Gains of all conditions at each level of signal."""
    found = levels(sections, SIMULATED)
    if not found:
        return None
    figure, axes = panels(*[2.2] * len(found))
    for ax, (snr, table) in zip(axes, found.items(), strict=True):
        place = np.arange(len(table))[::-1]
        guide = table["condition"].str.split(":").str[0]
        for y, row, colour in zip(place, table.itertuples(), guide.map(COLOURS).fillna("0.4"),
                                  strict=True):  # fmt: skip
            ax.plot([row.low, row.high], [y, y], color=colour, lw=1.2)
            ax.plot(row.gain, y, "o", ms=4, color=colour)
        ax.axvline(0, color="black", lw=0.5)
        ax.set_yticks(place, table["condition"])
        ax.set_title(f"signal to noise {snr}", loc="left")
        ax.set_xlabel("gain in bleu-1")
    low, high = (f(*(ax.get_xlim()[end] for ax in axes)) for f, end in ((min, 0), (max, 1)))
    for ax in axes:
        ax.set_xlim(low, high)
    return figure


def mapping_figure(sections: Sections) -> plt.Figure | None:
    """Accuracy of the map against the gain, decoders of the grid and single factors."""
    table = grid(sections)
    if not len(table):
        return None
    figure, (ax,) = panels(2.8)
    for (snr, own), colour in zip(
        table.groupby("snr"), ("0.6", "#56B4E9", "#0072B2"), strict=False
    ):
        label = f"signal to noise {snr:g}"
        ax.plot(own["mapping_r"], own["bleu-1"], "o", ms=4, color=colour, label=label)
    ax.axhline(0, color="black", lw=0.5)
    ax.set(xlabel="held-out r of the map from brain to embeddings", ylabel="gain in bleu-1")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


FOUND = (with_signal, without_signal, compared, mapping)
FAILS = (order, contradictions, single_runs, chinese)
FIGURES = (
    (
        "gains.png",
        "Gain in bleu-1 over random reconstructions, with 95 % intervals over stories and "
        "simulated subjects. Without a signal, all gains but the ceiling's should be about 0.",
        gain_figure,
    ),
    (
        "mapping.png",
        "Accuracy of the map and gain of the text. Each point is a decoder of the grid (mapper, "
        "data and noise); grey ones have no signal.",
        mapping_figure,
    ),
)
