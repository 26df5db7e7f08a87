"""Huth-lab layout: preprocessed HDF5 per story, TextGrids with two tiers, a JSON of counts."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from layouts import textgrid

from brainlm import series
from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.readers import read_stories
from brainlm.readers.stories import StoriesOptions

OPTIONS = {
    "pattern": "derivative/preprocessed_data/{subject}/{story}.hf5",
    "keys": ["data", "resp"],
    "words": "derivative/TextGrids/{story}.TextGrid",
    "tier": "word",
    "skip": ["sp", "{BR}"],
    "language": "en",
    "first_sample": 10.0,
    "sampling_interval": 2.0,
    "counts": "derivative/respdict.json",
    "trimmed": 20,
    "unit": "z",
}
STORIES = {"alternateithicatom": 7, "wheretheressmoke": 5}


@pytest.fixture
def layout(tmp_path, rng):
    base = tmp_path / "derivative"
    (base / "TextGrids").mkdir(parents=True)
    for subject in ("UTS01", "UTS02"):
        (base / "preprocessed_data" / subject).mkdir(parents=True)
        for i, (story, n_samples) in enumerate(STORIES.items()):
            if (subject, i) == ("UTS02", 0):
                continue  # not every subject heard every story
            path = base / "preprocessed_data" / subject / f"{story}.hf5"
            with h5py.File(path, "w") as file:
                key = "resp" if i else "data"
                file.create_dataset(key, data=rng.normal(size=(n_samples, 3)), compression="gzip")
    for i, story in enumerate(STORIES):
        text = textgrid([(0.0, 1.0, "{BR}"), (1.0, 1.5, "I"), (1.5, 12.0, "walked")])
        encoding = "utf-16" if i else "utf-8"  # as Praat saves them
        (base / "TextGrids" / f"{story}.TextGrid").write_text(text, encoding=encoding)
    (base / "respdict.json").write_text(json.dumps({s: n + 20 for s, n in STORIES.items()}))
    return tmp_path


def test_stories_are_runs_with_a_clock_of_their_own(layout):
    stimulus, recording = read_stories(layout, "UTS01", **OPTIONS)
    assert stimulus.words.tolist() == ["I", "walked"] * 2
    assert stimulus.runs == recording.runs == list(STORIES)
    assert recording.data.shape == (12, 3)
    assert recording.times[:2].tolist() == recording.times[7:9].tolist() == [10, 12]
    path = layout / "derivative/preprocessed_data/UTS01/wheretheressmoke.hf5"
    with h5py.File(path) as file:
        np.testing.assert_allclose(recording.data[7:], file["resp"][:], rtol=1e-6)


def test_a_subject_has_the_stories_that_were_heard(layout):
    stimulus, recording = read_stories(layout, "UTS02", **OPTIONS)
    assert stimulus.runs == recording.runs == ["wheretheressmoke"]
    named = {**OPTIONS, "stories": list(STORIES)}
    with pytest.raises(DataMissingError, match="alternateithicatom"):
        read_stories(layout, "UTS02", **named)
    declared = {**named, "without": {"UTS02": ["alternateithicatom"]}}
    _, recording = read_stories(layout, "UTS02", **declared)
    assert recording.notes == ("UTS02 has no story alternateithicatom",)


def test_unknown_subjects_are_answered_with_the_choices(layout):
    with pytest.raises(UnknownNameError, match=r"'UTS09'.*UTS01, UTS02"):
        read_stories(layout, "UTS09", **{**OPTIONS, "stories": list(STORIES)})


def test_long_recordings_are_mapped(layout, monkeypatch):
    _, whole = read_stories(layout, "UTS01", **OPTIONS)
    monkeypatch.setenv("BRAINLM_CACHE", str(layout / "cache"))
    monkeypatch.setattr(series, "LARGEST_IN_MEMORY", 10)
    _, mapped = read_stories(layout, "UTS01", **OPTIONS)
    assert isinstance(mapped.data.base, np.memmap)
    np.testing.assert_array_equal(mapped.data, whole.data)


def spoil(layout, what):
    base = layout / "derivative"
    path = base / "preprocessed_data/UTS01/wheretheressmoke.hf5"
    if what == "cut":
        path.write_bytes(path.read_bytes()[:900])
    elif what == "annex":
        path.write_text("/annex/objects/MD5E-s1--0.hf5\n")
    elif what == "count":
        (base / "respdict.json").write_text(json.dumps(dict.fromkeys(STORIES, 26)))
    elif what == "json":
        (base / "respdict.json").write_text("{}")
    else:
        with h5py.File(path, "w") as file:
            shape = {"wide": (5, 4), "flat": (5,)}.get(what, (5, 3))
            data = np.zeros(shape) if what != "nan" else np.full(shape, np.nan)
            file.create_dataset("other" if what == "key" else "data", data=data)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("cut", r"wheretheressmoke\.hf5: (not a readable|broken)"),
        ("annex", "git-annex pointer"),
        ("count", r"alternateithicatom\.hf5: 7 samples, respdict\.json says 6"),
        ("json", r"respdict\.json: no number of samples"),
        ("key", r"has none of data, resp; it has \['other'\]"),
        ("wide", r"wheretheressmoke\.hf5: 4 targets"),
        ("flat", "is no matrix of numbers"),
        ("nan", "NaN or infinite"),
    ],
)
def test_what_is_broken_is_named(layout, what, message):
    spoil(layout, what)
    with pytest.raises(CorruptDataError, match=message):
        read_stories(layout, "UTS01", **OPTIONS)


def test_the_files_of_a_subject_are_named(layout):
    files = StoriesOptions.model_validate(OPTIONS, strict=False).found_files(layout, "UTS01")
    assert all((layout / name).is_file() for name in files)
    assert len(files) == 5
