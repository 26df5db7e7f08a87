"""Simulated listeners of the tiny stories, as a participant's own folder and as a data set."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from golden.made import WORDS, scratch, speller

from brainlm.data.stimulus import Stimulus
from brainlm.decoding.simulated_subjects import Simulation, simulate_stories
from brainlm.decoding.story_folder import write_layout

CARD = """
name = "told"
title = "Simulated stories"
modality = "fmri"
languages = ["en"]
level = "discourse"
licence = "none"
noncommercial = false
folder = ["told"]

[[references]]
text = "Nobody (2020)."
bibtex = "@misc{nobody}"
url = "https://example.org"

[source]
how = "manual"
pages = ["https://example.org"]
instructions = "It is here."

[open]
reader = "stories"

[open.options]
pattern = "data_train/train_response/{subject}/{story}.hf5"
words = "data_train/train_stimulus/{story}.TextGrid"
stories = ["s0", "s1", "s2", "s3", "s4"]
language = "en"
first_sample = 10.0
sampling_interval = 2.0
unit = "a.u."

[facts]
n_subjects = 1
n_samples = [1, 100000]
n_targets = 60
n_words = 750
n_runs = 5
unit = "a.u."
"""


@functools.cache
def told() -> Stimulus:
    """Return five stories of 150 words, two words in a second."""
    rng = np.random.default_rng(20)
    onset = np.tile(0.05 + 0.45 * np.arange(150), 5)
    runs = np.repeat([f"s{i}" for i in range(5)], 150)
    return Stimulus(rng.choice(WORDS, 750).tolist(), "en", onset, np.full(750, 0.4), run=runs)


def _written(name: str, test: tuple[str, ...]) -> Path:
    given = Simulation(60, 2.0, n_components=16, layer=2, context=4)
    responses = simulate_stories(speller(), told(), given)
    return write_layout(scratch() / name, "S1", told(), responses, test)


def told_as_folder() -> dict[str, Any]:
    """Return options for the stories in the layout of a participant's own folder."""
    return {"folder": _written("own", ("s3", "s4"))}


def told_as_data_set() -> dict[str, Any]:
    """Return options for the stories as a data set with a card."""
    _written("told", ())
    card = scratch() / "told.toml"
    card.write_text(CARD, encoding="utf-8")
    return {"dataset": str(card), "root": scratch()}
