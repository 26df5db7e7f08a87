"""Damaged files: every reader gives the right thing or an error with the path, nothing else."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from layouts import (
    BIDS,
    GAZE,
    MATLAB,
    PASSAGES,
    R_DATA,
    STORIES,
    TABLES,
    TIMECOURSES,
    XLSX,
)

from brainlm.datasets import open_dataset
from brainlm.readers import OPTIONS

# Of each layout; `BRAINLM_FUZZ=600 python -m pytest tests/readers/test_damage.py` does 5400.
N_DAMAGES = int(os.environ.get("BRAINLM_FUZZ", "100"))

CARD = """
name = "tiny"
title = "Tiny"
modality = "{modality}"
languages = ["en"]
level = "word"
licence = "CC0-1.0"
noncommercial = false
folder = ["tiny"]
{subjects}
[[references]]
text = "Nobody (2000)."
url = "https://example.org"
bibtex = "@misc{{nobody,}}"
[source]
how = "manual"
pages = ["https://example.org"]
instructions = "Ask."
[facts]
n_subjects = 1
n_runs = 1
unit = "{unit}"
"""
LAYOUTS = {
    "timecourses": ("story", TIMECOURSES, "s1", (5, 2, 2)),
    "passages": ("patterns", PASSAGES, "one", (3, 3, 7)),
    "tables": ("norms", TABLES, "one", (4, 3, 4)),
    "sheet": ("sheet", XLSX, "one", (3, 2, 3)),
    "word-responses": ("gaze", GAZE, "r1", (4, 1, 4)),
    "r-data": ("r_data", R_DATA, "one", (3, 1, 3)),
    "patterns": ("matlab", MATLAB, "P1", (2, 4, 3)),
    "stories": ("stories", STORIES, "s1", (5, 2, 2)),
    "bids": ("bids", BIDS, "s1", (6, 2, 2)),
}


READS = {layout: OPTIONS.get(layout, OPTIONS["tables"]) for layout in LAYOUTS}


def toml(value):
    """Write a value as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def write_card(folder, options, layout, shape):
    card = CARD.format(
        modality=options.get("modality", "fmri" if layout in ("bids", "stories") else "ratings"),
        unit=options["unit"],
        subjects=""
        if READS[layout].model_validate(options, strict=False).finds_subjects
        else 'subjects = ["one"]',
    )
    for name, value in zip(("n_samples", "n_targets", "n_words"), shape, strict=True):
        card += f"{name} = {value}\n"
    reader = layout if layout in OPTIONS else "tables"
    card += f'[open]\nreader = "{reader}"\noptions = {toml(options)}\n'
    path = folder / "tiny.toml"
    path.write_text(card, encoding="utf-8")
    return path


def damage(content, rng):
    """Cut the file somewhere, or flip one to three of its bits."""
    if rng.random() < 0.4:
        return content[: rng.integers(len(content))]
    damaged = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def attempt(card, subject, folder):
    """Return what was opened and None, or None and the error; any other exception is a failure."""
    try:
        return open_dataset(card, subject, root=folder), None
    except (ValueError, FileNotFoundError) as error:
        return None, error


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_damaged_file_gives_the_right_shape_or_an_error_with_its_path(layout, request):
    fixture, options, subject, shape = LAYOUTS[layout]
    folder = request.getfixturevalue(fixture)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "s2" not in path.name)
    card = write_card(folder, options, layout, shape)
    rng = np.random.default_rng(20160608)
    n_refused = 0
    for i in range(N_DAMAGES):
        path = files[i % len(files)]
        original = path.read_bytes()
        path.write_bytes(damage(original, rng))
        opened, error = attempt(card, subject, folder)
        path.write_bytes(original)
        if error is not None:
            assert str(folder) in str(error)
            n_refused += 1
            continue
        stimulus, recording = opened
        assert (*recording.data.shape, stimulus.n_words) == shape
        assert np.isfinite(recording.data).all()
        if recording.items is not None:
            assert set(recording.items) == set(stimulus.item)
    assert n_refused > N_DAMAGES / 4
    open_dataset(card, subject, root=folder)
