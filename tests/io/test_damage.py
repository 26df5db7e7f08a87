"""Damaged files: every reader gives the right thing or an error with the path, nothing else."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import zipfile

import numpy as np
import pytest
from support.damages import MORE
from support.layouts import BIDS, GAZE, MATLAB, PASSAGES, R_DATA, STORIES, TABLES, TIMECOURSES, XLSX
from support.limits import bounded

from brainlm.datasets.open import open_dataset
from brainlm.errors import CorruptDataError
from brainlm.io.registry import READERS
from brainlm.storage.downloads import _fetch_members, _open_in_tar, _open_in_zip

# Of each layout; `BRAINLM_FUZZ=400 python -m pytest tests/io/test_damage.py` does 5700.
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


READS = {layout: READERS.get(layout, READERS["tables"]).options for layout in LAYOUTS}


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
    reader = layout if layout in READERS else "tables"
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
        with bounded():
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


# Text that ends early, or in which one letter differs, may be a shorter text without any fault: the
# facts of a card find that.
TEXTS = (".csv", ".tsv", ".txt", ".TextGrid")


@pytest.mark.parametrize("layout", MORE)
def test_a_damaged_file_of_any_format_is_refused_by_its_path_or_read_whole(layout, tmp_path):
    write, read = MORE[layout]
    write(tmp_path)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    shape = read(tmp_path)
    rng = np.random.default_rng(20160608)
    n_refused = 0
    for i in range(N_DAMAGES // 4):
        path = files[i % len(files)]
        original = path.read_bytes()
        path.write_bytes(damage(original, rng))
        found, problem = shape, None
        try:
            with bounded():
                found = read(tmp_path)
        except (ValueError, FileNotFoundError) as error:
            problem = str(error)
            n_refused += 1
        assert problem is None or str(tmp_path) in problem
        assert found == shape or path.suffix in TEXTS, (
            f"damage {i} of {path.name} changes the shape"
        )
        path.write_bytes(original)
    assert n_refused > 0
    assert read(tmp_path) == shape


def make_zip(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pack/data.csv", "word,value\n" * 40)


def make_tar(path):
    with tarfile.open(path, "w:gz") as archive:
        content = b"word,value\n" * 40
        entry = tarfile.TarInfo("pack/data.csv")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


ARCHIVES = {"zip": (make_zip, _open_in_zip), "tar": (make_tar, _open_in_tar)}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_a_damaged_archive_gives_the_file_or_an_error(kind, tmp_path):
    make, open_member = ARCHIVES[kind]
    path = tmp_path / "archive"
    make(path)
    original = path.read_bytes()
    digest = hashlib.sha256(b"word,value\n" * 40).hexdigest()
    members = {"pack/data.csv": digest}
    rng = np.random.default_rng(20160608)
    n_refused = 0
    for i in range(N_DAMAGES):
        path.write_bytes(damage(original, rng))
        folder = tmp_path / f"out{i}"
        problem = None
        try:
            _fetch_members("pack==1", members, folder, lambda *_: path, open_member)
        except ValueError as error:
            problem = str(error)
            n_refused += 1
        if problem is not None:
            assert "archive" in problem
            assert not list(folder.iterdir())
        else:
            assert hashlib.sha256((folder / "data.csv").read_bytes()).hexdigest() == digest
    assert n_refused > N_DAMAGES / 4


def fetch_hostile(tmp_path, path, open_member, member="pack/data.csv"):
    folder = tmp_path / "in" / "out"
    _fetch_members("pack==1", {member: "0" * 64}, folder, lambda *_: path, open_member)


def test_only_the_named_file_leaves_an_archive_and_only_into_its_folder(tmp_path):
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("../../evil", "/tmp/evil", "pack/data.csv"):
            archive.writestr(name, "x")
    before = {*tmp_path.rglob("*")}
    for member in ("pack/data.csv", "../../evil"):
        with pytest.raises(CorruptDataError, match="SHA-256 is"):
            fetch_hostile(tmp_path, path, _open_in_zip, member)
    assert {*tmp_path.rglob("*")} - before == {tmp_path / "in", tmp_path / "in" / "out"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_pipes_in_an_archive_are_no_files(tmp_path, kind):
    (tmp_path / "secret").write_text("x")
    path = tmp_path / "archive.tar"
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("pack/data.csv")
        entry.type, entry.linkname = kind, "../../secret"
        archive.addfile(entry)
    with pytest.raises(CorruptDataError, match="has no file 'pack/data"):
        fetch_hostile(tmp_path, path, _open_in_tar)


def test_archives_that_swell_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("brainlm.storage.downloads.LARGEST_MEMBER", 1 << 20)
    content = bytes(1 << 22)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pack/data.csv", content)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("pack/data.csv")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    for name, open_member in (("a.zip", _open_in_zip), ("a.tar.gz", _open_in_tar)):
        with pytest.raises(CorruptDataError, match="more than 100 times as much"):
            fetch_hostile(tmp_path, tmp_path / name, open_member)
