"""Tiny data sets in exactly the layouts that the readers know."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from support.layouts import textgrid


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


@pytest.fixture
def gaze(tmp_path) -> Path:
    """One reader of two sentences."""
    (tmp_path / "r1.csv").write_text(
        "sentence_id,word_id,word,TRT\na,0,null,10\na,1,sheep,20\nb,0,nan,35\nb,1,NA,40\n"
    )
    return tmp_path


@pytest.fixture
def r_data(tmp_path) -> Path:
    """A data frame of three words."""
    import pandas as pd
    import pyreadr

    frame = pd.DataFrame({"Word": ["null", "nan", "dog"], "Conc": [1.5, 2.25, 4.9]})
    pyreadr.write_rdata(tmp_path / "norms.rda", frame, df_name="norms", compress="gzip")
    return tmp_path


@pytest.fixture
def matlab(tmp_path) -> Path:
    """Two sentences x 4 voxels."""
    from scipy.io import savemat

    labels = np.empty((2, 1), dtype=object)
    labels[:, 0] = ["Bees sting.", "Run!"]
    content = {"examples": np.random.default_rng(3).normal(size=(2, 4)), "keySentences": labels}
    savemat(tmp_path / "P1.mat", content, do_compression=True)
    return tmp_path


@pytest.fixture
def stories(tmp_path) -> Path:
    """One story of 5 samples x 2 voxels."""
    import h5py

    (tmp_path / "s1").mkdir()
    with h5py.File(tmp_path / "s1" / "story.hf5", "w") as file:
        data = np.random.default_rng(4).normal(size=(5, 2))
        file.create_dataset("data", data=data, compression="gzip", fletcher32=True)
    (tmp_path / "story.TextGrid").write_text(textgrid())
    return tmp_path


@pytest.fixture
def bids(tmp_path) -> Path:
    """One run of 6 volumes, two voxels in the mask, two words."""
    import nibabel as nib

    image = nib.Nifti1Image(
        np.random.default_rng(5).normal(size=(2, 2, 2, 6)).astype(np.float32), np.eye(4)
    )
    image.header.set_zooms((1, 1, 1, 2.0))
    nib.save(image, tmp_path / "sub-s1_run-1_bold.nii.gz")
    kept = np.zeros((2, 2, 2), dtype=np.uint8)
    kept[0, 0] = 1
    nib.save(nib.Nifti1Image(kept, np.eye(4)), tmp_path / "mask.nii")
    (tmp_path / "sub-s1_run-1_events.tsv").write_text(
        "onset\tduration\tword\n1.0\t0.5\tonce\n2.0\t0.4\tnull\n"
    )
    return tmp_path
