"""Sentences and figures of the summary of findings.md, from its tables."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from page_summary import Sections, measured, numbers, panels, said, section, table_with

from brainlm.plotting import plot_grouped_forest

ALPHA = 0.05
OVER = ("brain - control", "bleu-1")


def contrasts(sections: Sections) -> pd.DataFrame:
    """Gains over the controls in the MulCogBench study, with the modality."""
    text = section(sections, "MulCogBench")
    table = table_with(text, "dataset", "model", "over controls", "q controls", "q static")
    kinds = table_with(text, "dataset", "modality", "r", "permuted").drop_duplicates("dataset")
    table = numbers(measured(table, "over controls"), "q controls", "q static")
    return table.merge(kinds[["dataset", "modality"]], on="dataset", how="left")


def scores(sections: Sections) -> pd.DataFrame:
    """Scores of each model on each data set in the MulCogBench study."""
    text = section(sections, "MulCogBench")
    table = table_with(text, "dataset", "modality", "model", "r", "static", "controls", "permuted")
    return numbers(measured(table, "r"), "static", "controls", "permuted")


def over_controls(sections: Sections) -> str:
    """Pairs in which a model adds to the controls, and the largest gain of each modality."""
    table = contrasts(sections)
    if not len(table):
        return ""
    hit = table[(table["q controls"] <= ALPHA) & (table["gain"] > 0)]
    best = hit.loc[hit.groupby("modality", sort=False)["gain"].idxmax()]
    largest = "; ".join(
        f"{row['modality']} {said(row)} ({row['dataset']}, {row['model']})"
        for _, row in best.iterrows()
    )
    return (
        f"**Similarity encoding.** A model adds to word length, frequency and position in "
        f"{len(hit)} of {len(table)} pairs of data set and model (q <= .05). The largest gain in r "
        f"of each modality: {largest}."
    )


def over_static(sections: Sections) -> str:
    """Pairs in which a model is better or worse than static vectors."""
    table = contrasts(sections)
    if not len(table):
        return ""
    table = measured(table, "over static")
    hit = table[table["q static"] <= ALPHA]
    better, worse = hit[hit["gain"] > 0], hit[hit["gain"] < 0]
    text = f"**Static vectors.** A model is better than them in {len(better)} pairs"
    if len(better):
        row = better.loc[better["gain"].idxmax()]
        text += f" (most: {said(row)}, {row['dataset']}, {row['model']})"
    text += f" and worse in {len(worse)}"
    if len(worse):
        row = worse.loc[worse["gain"].idxmin()]
        text += f" (most: {said(row)}, {row['dataset']}, {row['model']})"
    return f"{text}, of {len(table)}."


def ridge(sections: Sections) -> str:
    """Pairs in which embeddings add to controls by ridge encoding."""
    table = table_with(section(sections, "Survey"), "dataset", "model", "gain", "permuted", "q")
    if not len(table):
        return ""
    table = numbers(measured(table, "gain"), "q")
    hit = table[(table["q"] <= ALPHA) & (table["gain"] > 0)]
    text = f"**Ridge encoding.** Embeddings add to the controls in {len(hit)} of {len(table)} pairs"
    brains = hit[hit["dataset"].isin(["ucl-erp", "pereira2018", "alice-fmri", "nieuwland2018"])]
    if len(brains):
        best = brains.loc[brains.groupby("dataset", sort=False)["gain"].idxmax()]
        text += ". On brain data: " + "; ".join(
            f"{row['dataset']} {said(row)} ({row['model']})" for _, row in best.iterrows()
        )
    return f"{text}."


def ranks(sections: Sections) -> str:
    """Which model has the best mean rank, and how often it loses."""
    table = table_with(section(sections, "Survey"), "model", "mean_rank", "low", "high", "lost")
    if not len(table):
        return ""
    first = numbers(table, "mean_rank", "low", "high").iloc[0]
    return (
        f"**No model wins everywhere.** {first['model']} has the best mean rank "
        f"({first['mean_rank']:.2f} [{first['low']:.2f}, {first['high']:.2f}]), and another model "
        f"is significantly better on {first['lost']} data sets."
    )


def surprisal(sections: Sections) -> str:
    """Measures in which surprisal gains, on held-out sentences and in single trials."""
    text = section(sections, "Reading")
    table = table_with(text, "dataset", "measure", "model", "gain", "low", "high", "q")
    if not len(table):
        return ""
    table = numbers(table, "gain", "low", "high", "q")
    hit = table[(table["q"] <= ALPHA) & (table["gain"] > 0)]
    line = (
        f"**Surprisal.** It gains log-likelihood on held-out sentences in {len(hit)} of "
        f"{len(table)} pairs of measure and model"
    )
    if len(hit):
        row = hit.loc[hit["gain"].idxmax()]
        name = f"{row['dataset']} {row['measure']}, {row['model']}"
        line += f" (most: {said(row, 4)} nats per word, {name})"
    mixed = table_with(text, "dataset", "coefficient", "chi2", "q")
    if len(mixed):
        n = int((numbers(mixed, "q")["q"] <= ALPHA).sum())
        line += f", and is significant in {n} of {len(mixed)} mixed models of single trials"
    return f"{line}."


def planted(sections: Sections) -> str:
    """Whether what was planted is found, and nothing else."""
    profiles = table_with(
        section(sections, "Simulated companions"),
        "method",
        "cause",
        "planted_depth",
        "best_depth",
        "smallest_q",
    )
    lines = []
    if len(profiles):
        profiles = numbers(profiles, "planted_depth", "best_depth", "smallest_q")
        own = profiles[(profiles["cause"] == "planted")]
        near = int(((own["best_depth"] - own["planted_depth"]).abs() <= 0.15).sum())
        empty = profiles[profiles["cause"] == "nothing"]
        false = int((empty["smallest_q"] <= ALPHA).sum())
        lines.append(
            f"the planted layer is found (within .15 of the depth) in {near} of {len(own)} cases, "
            f"and a layer where there is none in {false} of {len(empty)}"
        )
    regions = table_with(
        section(sections, "Simulated regions"), "region", "n_outside", "found_outside"
    )
    if len(regions):
        regions = numbers(regions, "n_outside", "found_outside")
        lines.append(
            f"{int(regions['found_outside'].sum())} of {int(regions['n_outside'].sum())} voxels "
            "outside the planted regions are above chance"
        )
    return f"**Where the answer is known** (simulations): {'; '.join(lines)}." if lines else ""


def text_of(sections: Sections, name: str) -> pd.DataFrame:
    """Brain minus control in bleu-1, with its p."""
    table = measured(table_with(section(sections, name), *OVER), "bleu-1")
    return table.assign(control=table["brain - control"])


def sentences(sections: Sections) -> str:
    """Text from the brain of one reader."""
    table = text_of(sections, "Text from the brain: sentences")
    own = table[table["control"] == "brain - noise input"]
    if not len(own):
        return ""
    line = f"**Text from fMRI, sentences of Pereira.** bleu-1 {said(own.iloc[0])} over noise input"
    if "identification" in own:
        row = measured(own, "identification").iloc[0]
        line += f", identification {said(row)}"
    null = table[table["control"] == "brain - language model"]
    if len(null):
        line += f"; bleu-1 {said(null.iloc[0])} over the language model without a brain"
    return f"{line} (one reader)."


def undecided(sections: Sections) -> str:
    """Data sets on which no model adds to the controls."""
    table = contrasts(sections)
    hit = set(table.loc[(table["q controls"] <= ALPHA) & (table["gain"] > 0), "dataset"])
    lines = []
    for name, own in table.groupby("dataset", sort=False):
        if name not in hit:
            row = own.loc[own["gain"].idxmax()]
            lines.append(f"{name} (best: {said(row)}, {row['model']})")
    return f"No model adds to the controls on {', '.join(lines)}." if lines else ""


def trivial(sections: Sections) -> str:
    """How much of a score is left when word types are permuted."""
    table = scores(sections)
    own = table[table["modality"] == "eye-tracking"]
    if not len(own):
        return ""
    share = (own["permuted"] / own["gain"]).median()
    below = int((own["controls"] > own["gain"]).sum())
    return (
        f"A high r is not yet meaning: in eye tracking the same models with word types permuted "
        f"reach {share:.0%} of the score (median of {len(own)} pairs), and length, frequency and "
        f"position alone predict better than the model in {below}."
    )


def below_zero(sections: Sections) -> str:
    """Data sets whose joint R2 is below 0."""
    table = table_with(section(sections, "Navigating"), "dataset", "space", "joint", "note")
    if not len(table):
        return ""
    joint = numbers(table, "joint").drop_duplicates("dataset").set_index("dataset")["joint"]
    names = ", ".join(f"{name} ({value:.4f})" for name, value in joint.items() if value < 0)
    return names and (
        f"Banded ridge of several spaces overfits where data are few or noisy. The joint R2 is "
        f"below 0, and its parts mean nothing, on {names}."
    )


def published_form(sections: Sections) -> str:
    """How often the published form of similarity encoding falls below the centred one."""
    found = re.search(
        r"published form.*? for (\d+) of (\d+) representations", section(sections, "MulCogBench")
    )
    return found and (
        f"The published form of similarity encoding is more than .1 below the z-scored one for "
        f"{found[1]} of {found[2]} representations: "
        "see [the example](examples/similarity_trap.rst)."
    )


def minutes(sections: Sections) -> str:
    """Text from the brain of listeners to one story."""
    name = "Text from the brain: minutes"
    table = text_of(sections, name)
    own = table[table["control"].str.endswith("noise input")]
    if not len(own) or (own["low"] > 0).any():
        return ""
    each = "; ".join(f"{row['control'].split(':')[0]} {said(row)}" for _, row in own.iterrows())
    n = section(sections, name).count("**Caution")
    return (
        f"Text from the regions of the listeners to Alice is not above noise input: bleu-1 {each}. "
        f"Cautions that a control contradicts the score: {n}."
    )


def missing(sections: Sections) -> str:
    """How much could not be tested."""
    text = section(sections, "What could not be tested")
    lists = re.findall(r"not tested, not on this machine: (.*)", text)
    absent = {name.strip() for each in lists for name in each.split(",")}
    meg = ", all MEG among them" if "no MEG data" in section(sections, "MulCogBench") else ""
    return absent and (
        f"{len(absent)} data sets and resources{meg}, were not on the machine: see the last "
        "section."
    )


def added_figure(sections: Sections) -> plt.Figure | None:
    """Gain of each model over the controls."""
    table = contrasts(sections)
    if not len(table):
        return None
    figure, axes = panels(1.8, 3.2)
    words = table["modality"] == "ratings"
    for ax, own, title in ((axes[0], table[words], "ratings of words"),
                           (axes[1], table[~words], "gaze, EEG and fMRI")):  # fmt: skip
        if len(own):
            plot_grouped_forest(own, ax, row="dataset", group="model", q="q controls")
        ax.set_title(title, loc="left")
        ax.set_xlabel("r of model and controls - r of controls")
    handles, labels = axes[1 if len(table[~words]) else 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def score_figure(sections: Sections) -> plt.Figure | None:
    """Score of the best model of each data set, and of its references."""
    table = scores(sections)
    if not len(table):
        return None
    best = table.loc[table.groupby("dataset", sort=False)["gain"].idxmax()]
    figure, (ax,) = panels(3.8)
    place = np.arange(len(best))[::-1]
    ax.hlines(place, best["low"], best["high"], color="#0072B2", lw=1.2)
    for column, marker, colour, label in (
        ("gain", "o", "#0072B2", "best model"),
        ("static", "D", "#E69F00", "static vectors"),
        ("controls", "s", "#009E73", "length, frequency, position"),
        ("permuted", "x", "0.4", "the model, word types permuted"),
    ):
        ax.plot(best[column], place, marker, color=colour, ms=4, label=label)
    ax.axvline(0, color="black", lw=0.5)
    ax.set_yticks(place, [f"{r.dataset} ({r.modality})" for r in best.itertuples()])
    ax.set_xlabel("held-out r of similarity encoding")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def text_figure(sections: Sections) -> plt.Figure | None:
    """Brain minus control in bleu-1, sentences and minutes."""
    parts = [("sentences of Pereira", text_of(sections, "Text from the brain: sentences")),
             ("minutes of Alice", text_of(sections, "Text from the brain: minutes"))]  # fmt: skip
    parts = [(title, table) for title, table in parts if len(table)]
    if not parts:
        return None
    figure, axes = panels(*[1.4] * len(parts))
    for ax, (title, table) in zip(axes, parts, strict=True):
        place = np.arange(len(table))[::-1]
        ax.hlines(place, table["low"], table["high"], color="#0072B2")
        ax.plot(table["gain"], place, "o", ms=4, color="#0072B2")
        ax.axvline(0, color="black", lw=0.5)
        ax.set_yticks(place, table["control"].str.replace("brain - ", "brain minus "))
        ax.set_ylim(-0.6, len(table) - 0.4)
        ax.set(xlabel="difference in bleu-1")
        ax.set_title(title, loc="left")
    return figure


FOUND = (over_controls, over_static, ridge, ranks, surprisal, sentences, planted)
FAILS = (undecided, trivial, below_zero, published_form, minutes, missing)
FIGURES = (
    (
        "added.png",
        "What a model adds to word length, frequency and position, by similarity encoding. Lines "
        "are 95 % intervals over folds; hollow points have q > .05. Both panels have a scale of "
        "their own.",
        added_figure,
    ),
    (
        "scores.png",
        "The best model of each data set and its references. Where a reference is near the model, "
        "the score is not evidence of meaning.",
        score_figure,
    ),
    (
        "text.png",
        "Text from fMRI: bleu-1 of the brain minus that of a control through the same decoder, "
        "with 95 % intervals (sentences: over 48 topics; minutes: over draws of the control).",
        text_figure,
    ),
)
