"""Huth-lab layout: preprocessed HDF5 per story, TextGrids with two tiers, a JSON of counts."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from scipy.io import savemat
from support.layouts import textgrid

from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.io import read_stories
from brainlm.io.story_files import StoriesOptions
from brainlm.storage import long_recordings as series

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
        ("flat", "is not a matrix of numbers"),
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


# MATLAB files per region and story, voxels x samples, words in MATLAB files of their own

REGIONS = {
    "pattern": "fmri/{region}/{subject}/story_{story}.mat",
    "keys": ["fmri_response"],
    "targets_first": True,
    "regions": ["Language", "Vision"],
    "words": "time/story_{story}_word_time.mat",
    "word_columns": {"onset": "start", "offset": "end", "skip": ["，"]},
    "language": "zh",
    "stories": ["1", "2", "10"],
    "first_sample": 0.0,
    "sampling_interval": 0.71,
    "unit": "z",
}


@pytest.fixture
def regions(tmp_path, rng):
    data = {}
    (tmp_path / "time").mkdir()
    for story, n_samples in (("1", 7), ("2", 1), ("10", 105)):
        for region, n_voxels in (("Language", 3), ("Vision", 2)):
            path = tmp_path / f"fmri/{region}/01/story_{story}.mat"
            path.parent.mkdir(parents=True, exist_ok=True)
            data[region, story] = rng.normal(size=(n_voxels, n_samples))
            savemat(path, {"fmri_response": data[region, story]})
        words = np.array(["从前", "，", "有"], dtype=object)
        times = {"start": [0.0, 0.2, 0.3], "end": [0.2, 0.2, 0.5]}
        savemat(tmp_path / f"time/story_{story}_word_time.mat", {"word": words, **times})
    return tmp_path, data


def test_regions_stand_side_by_side(regions):
    folder, data = regions
    stimulus, recording = read_stories(folder, "01", **REGIONS)
    assert recording.target_names.tolist() == [
        "Language 1",
        "Language 2",
        "Language 3",
        "Vision 1",
        "Vision 2",
    ]
    expected = np.vstack(
        [np.vstack([data[r, s] for r in REGIONS["regions"]]).T for s in ("1", "2", "10")]
    )
    np.testing.assert_allclose(recording.data, expected, rtol=1e-6)
    assert recording.runs == ["1", "2", "10"]
    assert stimulus.words.tolist() == ["从前", "有"] * 3
    assert StoriesOptions.model_validate(REGIONS, strict=False).subjects(folder) == ["01"]


def test_regions_of_another_length_or_width_are_refused(regions):
    folder, data = regions
    path = folder / "fmri/Vision/01/story_10.mat"
    savemat(path, {"fmri_response": data["Vision", "10"][:, :-1]})
    with pytest.raises(CorruptDataError, match=r"104 samples, .*105: regions of a story"):
        read_stories(folder, "01", **REGIONS)
    savemat(path, {"fmri_response": data["Language", "10"]})
    with pytest.raises(CorruptDataError, match=r"story_10\.mat: 3 targets"):
        read_stories(folder, "01", **REGIONS)
    savemat(path, {"response": data["Vision", "10"]})
    with pytest.raises(CorruptDataError, match="unknown variable 'fmri_response'"):
        read_stories(folder, "01", **REGIONS)


def test_a_data_set_larger_than_its_file_is_refused_unread(layout):
    path = layout / "derivative/preprocessed_data/UTS01/wheretheressmoke.hf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", shape=(10**9, 3), dtype="f8", chunks=(1000, 3))
    with pytest.raises(CorruptDataError, match=r"wheretheressmoke.*declares 24000000000 bytes"):
        read_stories(layout, "UTS01", **OPTIONS)
