"""Draw a picture of each data set that is on this machine, as it is opened.

::

    BRAINLM_DATA=... python docs/card_pictures.py [NAME ...]

writes docs/data-pictures/NAME.png, which the page of the data set shows. The name "decoding" draws
the figure of the example of decoded sentences, for the first page.
"""

import runpy
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import brainlm
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import is_on_disk
from brainlm.datasets.open import open_responses
from brainlm.plotting.glyphs import fonts_for, styled
from brainlm.plotting.paper import paper_style

FOLDER = Path(__file__).parent / "data-pictures"
SECONDS, MOST = 60.0, 12
SHORTEN = 24


def draw_recording(stimulus, recording, ax):
    """Draw the part of a recording that fits: by its clock, by epochs, or by its items."""
    if recording.times is not None:
        draw_clock(stimulus, recording, ax)
    elif "time" in recording.targets and recording.targets["time"].nunique() > 5:
        draw_epochs(recording, ax)
    else:
        draw_items(stimulus, recording, ax)


def draw_clock(stimulus, recording, ax):
    """Draw the first minute of three targets, and the onsets of the words below."""
    first = recording.run == recording.run[0]
    times = recording.times[first]
    shown = times <= times[0] + SECONDS
    every = max(1, recording.data.shape[1] // 3)
    data = np.asarray(recording.data[first][shown][:, ::every][:, :3], dtype=float)
    scaled = (data - data.mean(axis=0)) / (data.std(axis=0) + 1e-12)
    names = recording.targets["name"].astype(str).to_numpy()[::every][:3]
    for i, name in enumerate(names):
        ax.plot(times[shown], scaled[:, i] - 4 * i, lw=0.8, label=shortened(name))
    ax.set_yticks(-4 * np.arange(len(names)), [shortened(name) for name in names])
    words = stimulus.run == recording.run[0]
    onset = stimulus.onset[words]
    onset = onset[(onset >= times[0]) & (onset <= times[0] + SECONDS)]
    ax.vlines(onset, -4 * len(names) - 0.5, -4 * len(names) + 0.5, lw=0.5, color="black")
    ax.set_xlabel(f"time (s); lines: {len(onset)} words")


def draw_epochs(recording, ax):
    """Draw the mean over items of every channel."""
    means = np.nanmean(recording.data, axis=0)
    table = recording.targets.assign(mean=means)
    for _, channel in table.groupby("channel", sort=False):
        ax.plot(1000 * channel["time"], channel["mean"], lw=0.5, color="#0072B2", alpha=0.6)
    ax.axvline(0, color="black", lw=0.5)
    ax.set_xlabel(f"time after the word (ms); {table['channel'].nunique()} channels")
    ax.set_ylabel(f"mean ({recording.unit})")


def draw_items(stimulus, recording, ax):
    """Draw the first items and targets as a table of colours, each target scaled by itself."""
    data = np.asarray(recording.data[:, :MOST], dtype=float)
    scaled = (data - np.nanmean(data, axis=0)) / (np.nanstd(data, axis=0) + 1e-12)
    rows = first_items(recording.items)
    image = ax.imshow(scaled[rows], aspect="auto", cmap="RdBu_r", vmin=-2.5, vmax=2.5)
    texts = {} if stimulus is None else dict(item_words(stimulus))
    labels = [shortened(texts.get(item, item)) for item in recording.items[rows]]
    if not fonts_for("".join(labels)):  # card_pages.NUMBERED says so below the picture
        labels = [f"text {row + 1}" for row in range(len(rows))]
    ax.set_yticks(range(len(rows)), labels)
    names = recording.targets["name"].astype(str).to_numpy()[:MOST]
    ax.set_xticks(range(len(names)), [shortened(name) for name in names], rotation=40, ha="right")
    ax.figure.colorbar(image, ax=ax, label=f"z of {shortened(recording.unit)}")


def first_items(items):
    """Return the rows of the first items, each once."""
    _, rows = np.unique(items.astype(str), return_index=True)
    return np.sort(rows)[:MOST]


def item_words(stimulus):
    """Yield each item with the beginning of its text."""
    items, rows = np.unique(stimulus.item.astype(str), return_index=True)
    for item, row in zip(items, rows, strict=True):
        yield item, " ".join(stimulus.words[row : row + 5][stimulus.item[row : row + 5] == item])


def draw_pairs(pairs, ax):
    """Draw how often each value was given."""
    ax.hist(np.asarray(pairs.similarity, dtype=float), bins=20, color="#0072B2")
    ax.set_xlabel("similarity of a pair")
    ax.set_ylabel("pairs")


def draw_words(stimulus, ax):
    """Draw the frequencies of the words."""
    zipf = brainlm.zipf_frequency(stimulus).values[:, 0]
    ax.hist(zipf, bins=30, color="#0072B2")
    ax.set_xlabel(f"Zipf frequency of the {stimulus.n_words} words")
    ax.set_ylabel("words")


def draw_maps(maps, ax):
    """Draw the first map as a glass brain; one on a surface by its values."""
    if maps.affine is None:
        ax.hist(maps.data[0], bins=60, color="#0072B2")
        ax.set_xlabel(f"{shortened(str(maps.names[0]))}: value of a vertex")
        return
    from nilearn.plotting import plot_glass_brain

    labels = maps.unit in ("label", "map")
    plot_glass_brain(
        maps.image(maps.names[0]),
        axes=ax,
        display_mode="lyrz",
        plot_abs=False,
        threshold=1e-9,  # zero is no colour
        cmap="tab20" if labels else "RdBu_r",
        colorbar=not labels,
    )
    ax.set_title(shortened(str(maps.names[0])))


def shortened(text):
    """Return a text that fits beside an axis."""
    return text if len(text) <= SHORTEN else text[: SHORTEN - 3] + "..."


def draw_decoding():
    """Write the figure of examples/decoding_sentences.py at the size of the other pictures."""
    with styled(), paper_style():
        found = runpy.run_path(str(FOLDER.parents[1] / "examples" / "decoding_sentences.py"))
        found["fig"].set_size_inches(6.4, 2.4)
        found["fig"].savefig(FOLDER / "decoding.png", dpi=110)


def draw_card(name):
    """Write the picture of a data set."""
    card = read_card(name)
    own = card.facts.n_subjects not in (None, 1)
    subject = brainlm.list_subjects(name)[0] if own else None
    with styled(), paper_style():
        figure, ax = plt.subplots(figsize=(6.4, 2.4), layout="constrained")
        if card.kind == "responses":
            draw_recording(*open_responses(name, subject, None), ax)
        elif card.kind == "words":
            draw_words(brainlm.open_stimulus(name), ax)
        elif card.kind == "pairs":
            draw_pairs(brainlm.open_pairs(name), ax)
        else:
            draw_maps(brainlm.open_maps(name, subject=subject), ax)
        FOLDER.mkdir(exist_ok=True)
        figure.savefig(FOLDER / f"{name}.png", dpi=110)
        plt.close(figure)


def main():
    """Draw the data sets that are named, or all that are here."""
    names = sys.argv[1:] or [name for name in brainlm.list_datasets() if is_on_disk(name)]
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            draw_decoding() if name == "decoding" else draw_card(name)
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
