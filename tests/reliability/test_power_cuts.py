"""Every store survives a kill and a power cut at each step: whole and right, or done again."""

import os
import shutil
import warnings

import numpy as np
import pytest
import xarray
from support.power_cut import interruptions, watched

from brainlm.errors import DataMissingError
from brainlm.results.bundle import load_bundle, save_bundle
from brainlm.results.output import hold_output
from brainlm.storage import long_recordings as series
from brainlm.storage import store as stores
from brainlm.storage.store import PartStore, cached_arrays

NEW, OLD = np.arange(24.0, dtype=np.float32).reshape(6, 4), np.ones((6, 4), dtype=np.float32)


def save_part(folder, values=NEW):
    PartStore(folder).save({"key": 1}, xarray.Dataset({"x": (("a", "b"), values)}))


def read_part(folder):
    found = PartStore(folder).load({"key": 1})
    return None if found is None else found["x"].values


def save_result(folder, values=NEW):
    with hold_output(folder / "out", overwrite=True):
        scores = xarray.Dataset({"x": (("a", "b"), values)})
        given = {"config": {}, "inputs": {}, "overwrite": True}
        save_bundle(folder / "out", analysis="t", arrays={"scores": scores}, **given)


def read_result(folder):
    with hold_output(folder / "out", overwrite=True):
        pass  # as the next run begins
    return load_bundle(folder / "out").arrays["scores"]["x"].values


def embed(folder):
    """Return cached values that are computed in three steps, each of which is recorded."""

    def compute(step):
        rows = np.arange(2 * step, 2 * step + 2)
        return rows, NEW[rows][None]

    return cached_arrays(folder, "k", names=["a"], shape=(6, 4), n_steps=3, compute=compute)[0]


def record(folder):
    source = folder.parent / "source.nii"
    blocks = iter([NEW[:3], NEW[3:]])
    return series.stack_blocks(blocks, NEW.shape, [source], 0)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "SECONDS_BETWEEN_RECORDS", 0)
    monkeypatch.setattr(series, "LARGEST_IN_MEMORY", 48)
    monkeypatch.setattr(series, "cache_folder", lambda: tmp_path / "here")
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def checked(disk, seed, check, cuts=2):
    """Call ``check`` on what each interruption leaves; return how many there were."""
    here, left, n = disk.root, disk.root.parent / "left", 0
    for label in interruptions(disk, left, seed, cuts):
        shutil.rmtree(here)
        shutil.move(left, here)
        series._seen.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # damaged: computed again
            check(here, label)
        n += 1
    return n


def test_a_part_is_there_and_right_or_not_there(place):
    save_part(place, OLD)
    with watched(place) as disk:
        save_part(place)
    found = []

    def check(folder, label):
        values = read_part(folder)
        found.append(-1 if values is None else values[0, 0])
        assert values is None or (values == OLD).all() or (values == NEW).all(), label
        save_part(folder)
        assert (read_part(folder) == NEW).all(), label

    assert checked(disk, 0, check) > 20
    assert set(found) == {OLD[0, 0], NEW[0, 0]}  # replaced in one step: never lost


def test_a_bundle_is_replaced_or_as_it_was(place):
    save_result(place, OLD)
    with watched(place) as disk:
        save_result(place)
    found = []

    def check(folder, label):
        values = read_result(folder)
        found.append(values[0, 0])
        assert (values == OLD).all() or (values == NEW).all(), label
        save_result(folder)
        assert (read_result(folder) == NEW).all(), label
        assert {path.name for path in folder.iterdir()} == {"out", ".out.lock"}, label

    assert checked(disk, 1, check) > 60
    assert set(found) == {OLD[0, 0], NEW[0, 0]}


def test_a_first_bundle_is_whole_or_not_there(place):
    with watched(place) as disk:
        save_result(place)
    found = []

    def check(folder, label):
        try:
            found.append(read_result(folder).tolist())
        except DataMissingError:
            found.append(None)
        save_result(folder)
        assert (read_result(folder) == NEW).all(), label

    assert checked(disk, 2, check) > 40
    assert all(each in (None, NEW.tolist()) for each in found)
    assert None in found
    assert NEW.tolist() in found


@pytest.mark.parametrize("work", [embed, record])
def test_what_is_computed_is_right_or_computed_again(place, work):
    (place.parent / "source.nii").write_bytes(b"source")
    with watched(place) as disk:
        assert (work(place) == NEW).all()

    def check(folder, label):
        np.testing.assert_array_equal(work(folder), NEW, err_msg=label)
        left = {path.suffix for path in folder.rglob("*") if path.is_file()}
        assert left <= {".json", ".npy", ".lock", ".range"}, label

    assert checked(disk, 3, check, cuts=5) > 60


def test_the_tool_finds_a_store_that_flushes_too_late(place):
    """A file that is renamed before it is flushed is lost in a power cut, not in a kill."""

    def careless(value):
        (place / "x.tmp").write_text(value)
        os.replace(place / "x.tmp", place / "x.txt")

    careless("old value")
    with watched(place) as disk:
        careless("new value")
    kills, cuts = set(), set()
    for label in interruptions(disk, place.parent / "left", 4, cuts=20):
        content = (place.parent / "left" / "x.txt").read_text()
        (kills if label.startswith("kill") else cuts).add(content)
    assert kills == {"old value", "new value"}
    assert {"", "\0" * 9} & cuts
