"""Tiny data sets in exactly the layouts that the readers know."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from layouts import textgrid


@pytest.fixture
def story(tmp_path) -> Path:
    """Two subjects x 5 samples x 2 targets, and a TextGrid of two words."""
    (tmp_path / "series").mkdir()
    rng = np.random.default_rng(1)
    for subject in ("s1", "s2"):
        np.savetxt(tmp_path / "series" / f"{subject}-timecourses.txt", rng.normal(100, 1, (5, 2)))
    (tmp_path / "story.TextGrid").write_text(textgrid())
    return tmp_path


@pytest.fixture
def patterns(tmp_path) -> Path:
    """Two passages of 2 and 1 sentences x 3 targets."""
    rng = np.random.default_rng(2)
    content = {
        0: {"index2trial": 0, "words": [["A", "piano."], ["It", "is", "loud."]]},
        1: {"index2trial": 1, "words": [["The", "violin."]]},
    }
    for entry in content.values():
        entry["fmri"] = rng.normal(size=(len(entry["words"]), 3)).astype("float32")
    (tmp_path / "patterns.pkl").write_bytes(pickle.dumps(content, protocol=4))
    return tmp_path


@pytest.fixture
def norms(tmp_path) -> Path:
    """Two tables that share three words, two of which look like missing values."""
    (tmp_path / "senses.csv").write_text(
        "Word,Visual,Auditory,Dominant\nnull,1.5,0.0,visual\nnan,0.5,2,auditory\n"
        "dog,4.1,3,visual\nice cream,3.5,1,visual\n"
    )
    (tmp_path / "concreteness.tsv").write_text(
        "Word\tBrysbaert\tMRC\ndog\t4.9\t600\nnan\t2.5\t\nnull\t1.5\t\nzoo\t\t500\nice cream\t5\t\n"
    )
    return tmp_path


@pytest.fixture
def sheet(tmp_path) -> Path:
    """A Chinese sheet: header, a row of types, a row of English names, three words."""
    book = openpyxl.Workbook()
    for row in (
        ["SurveyID", "EngID", "EngWords", "words", 1, 2, None],
        ["type:", None, None, None, "感觉", "感觉", None],
        ["name:", None, None, None, "Vision", "Arousal", None],
        [1, 27, "used", "使用", 1.5, 2, None],
        [2, 231, "used", "习惯的", 0.5, 3.25, None],
        [3, 5, "null", "零", 0, 6, None],
    ):
        book.active.append(row)
    book.save(tmp_path / "ratings.xlsx")
    return tmp_path
