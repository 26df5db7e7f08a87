"""MEG around words in a folder of one's own, with the card that its owner wrote."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pandas as pd
from support.recordings import RATE, make_raw, save_events

CARD = """
name = "mine"
title = "A folder of my own"
modality = "meg"
languages = ["en"]
level = "discourse"
licence = "none"
noncommercial = false
folder = ["mine"]

[[references]]
text = "Nobody (2020)."
bibtex = "@misc{{nobody}}"
url = "https://example.org"

[source]
how = "manual"
pages = ["https://example.org"]
instructions = "It is here."

[open]
reader = "meeg"

[open.options]
pattern = "sub-{{subject}}/meg/sub-{{subject}}_task-story_meg.fif"
sidecars = false
channels = "mag"
language = "en"
events = {{ word = "word" }}
{epochs}

[facts]
n_subjects = 2
n_samples = [1, 100000]
n_targets = [6, 42]
n_words = {n_words}
n_runs = 1
unit = "T"
"""
EPOCHS = "epochs = { tmin = -0.2, tmax = 0.49, bin_width = 0.1 }"
WORDS = ("a", "cat", "house", "elephants", "understandable")


def meg_folder(
    root: Path, n_words: int = 200, epochs: str = EPOCHS, subjects: tuple[str, ...] = ("01", "02")
) -> Path:
    """Write MEG whose third sensor answers the length of a word 200 ms after its onset."""
    onsets = 1 + 0.8 * np.arange(n_words)
    places = np.array([(0.05 * x, 0.05 * y, 0.1) for x in (-1, 0, 1) for y in (-1, 1)])
    for seed, subject in enumerate(subjects):
        rng = np.random.default_rng(seed)
        words = rng.choice(WORDS, n_words)
        raw = make_raw([], seconds=onsets[-1] + 2, n_channels=6)
        data = rng.normal(size=(7, raw.n_times)) * 1e-12
        for word, onset in zip(words, onsets, strict=True):
            first = round((onset + 0.2) * RATE)
            data[2, first : first + 10] += 1e-13 * len(word)
        data[-1] = 0
        raw = mne.io.RawArray(data, raw.info, verbose="error")
        for channel, place in zip(raw.info["chs"], places, strict=False):
            channel["loc"][:3] = place
        folder = root / "mine" / f"sub-{subject}" / "meg"
        folder.mkdir(parents=True)
        raw.save(folder / f"sub-{subject}_task-story_meg.fif", verbose="error")
        rows = [f"{onset:.1f}\t0.3\t{w}" for onset, w in zip(onsets, words, strict=True)]
        save_events(folder / f"sub-{subject}_task-story_events.tsv", rows, "onset\tduration\tword")
    card = root / "mine.toml"
    card.write_text(CARD.format(epochs=epochs, n_words=n_words), encoding="utf-8")
    return card


PAIR_CARD = """
name = "pairs"
modality = "eeg"
languages = ["en"]

[open]
reader = "epoch-files"

[open.options]
pattern = "s{subject}-epo.fif"
channels = "eeg"
word = "target"
before = ["cue"]
covariates = { association = "strength" }
language = "en"
"""


def pair_folder(root: Path, n_pairs: int = 240) -> Path:
    """Write EEG of word pairs whose second channel answers their association 20 ms after onset."""
    rng = np.random.default_rng(0)
    words = [f"{a}{b}" for a in WORDS for b in ("", "s", "ed")]
    table = pd.DataFrame(rng.choice(words, (n_pairs, 2)), columns=["cue", "target"])
    table["strength"] = rng.random(n_pairs)
    data = rng.standard_normal((n_pairs, 3, 4))
    data[:, 1, 2] += 6 * table["strength"]
    info = mne.create_info(["Fz", "Pz", "Oz"], 50.0, "eeg")
    events = np.column_stack([50 * np.arange(n_pairs), [0] * n_pairs, [1] * n_pairs])
    epochs = mne.EpochsArray(1e-6 * data, info, events, tmin=-0.02, verbose="error")
    epochs.metadata = table
    epochs.save(root / "s01-epo.fif", overwrite=True, verbose="error")
    card = root / "pairs.toml"
    card.write_text(PAIR_CARD, encoding="utf-8")
    return card
