"""What is kept on disk is whole and right, or computed again: any damage, any link, any swap."""

import os
import warnings

import h5py
import numpy as np
import pytest
import xarray

from brainlm.batch.dask_tasks import hash_inputs
from brainlm.compute.lazy_arrays import open_stored
from brainlm.errors import CorruptDataError
from brainlm.storage import long_recordings as series
from brainlm.storage.long_recordings import stack_blocks
from brainlm.storage.store import PartStore, cached_arrays
from brainlm.storage.whole_files import checksum, read_checked, write_checked


def damaged(content, rng):
    """Change, cut, lengthen, or shuffle a part of some bytes."""
    content = bytearray(content)
    kind = rng.integers(5)
    place = int(rng.integers(len(content)))
    if kind == 0:
        content[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del content[place:]
    elif kind == 2:
        content += b"\0" * int(rng.integers(1, 9))
    elif kind == 3:
        size = int(rng.integers(1, 600))
        content[place : place + size] = bytes(len(content[place : place + size]))
    else:
        content[place:], content[:place] = content[:place], content[place:]
    return bytes(content)


def test_no_damaged_part_is_taken_as_good(tmp_path, rng):
    store, key = PartStore(tmp_path), {"a": 1}
    store.save(key, xarray.Dataset({"x": ("y", rng.standard_normal(50))}, attrs={"note": "of us"}))
    whole = store.path(key).read_bytes()
    for _ in range(300):
        content = damaged(whole, rng)
        if content == whole:
            continue
        store.path(key).write_bytes(content)
        with pytest.warns(UserWarning, match="damaged, computed again"):
            assert store.load(key) is None
        assert not store.path(key).exists()  # so that a rerun is not stopped by it
    store.path(key).write_bytes(whole)
    assert store.load(key).attrs == {"note": "of us"}


def test_a_checked_file_is_what_was_written(tmp_path):
    path = tmp_path / "new" / "x.part"
    assert read_checked(path) is None
    for content in (b"", b"a", os.urandom(100_000)):
        write_checked(path, content)
        assert read_checked(path) == content
    assert [each.name for each in path.parent.iterdir()] == ["x.part"]


@pytest.mark.parametrize("swap", ["words", "sectors", "opposite bits", "blocks"])
def test_the_checksum_of_a_large_file_sees_any_swap(tmp_path, swap, rng):
    path = tmp_path / "values.npy"
    values = rng.integers(0, 255, (1 << 24) + 4096, dtype=np.uint8)
    values.tofile(path)
    before = checksum(path)
    if swap == "words":
        values[8:16], values[16:24] = values[16:24].copy(), values[8:16].copy()
    elif swap == "sectors":
        values[:512], values[512:1024] = values[512:1024].copy(), values[:512].copy()
    elif swap == "opposite bits":
        values[0], values[8] = 1, 0
        values.tofile(path)
        before = checksum(path)
        values[0], values[8] = 0, 1
    else:
        half = 1 << 23
        values[:half], values[half : 2 * half] = (
            values[half : 2 * half].copy(),
            values[:half].copy(),
        )
    values.tofile(path)
    assert checksum(path) != before


def test_an_embedding_with_swapped_words_is_built_again(tmp_path):
    def build():
        return cached_arrays(
            tmp_path,
            "k",
            names=["a"],
            shape=(4, 4),
            n_steps=1,
            compute=lambda _: (np.arange(4), np.arange(16.0).reshape(1, 4, 4)),
        )

    build()
    path = tmp_path / "k" / "values.npy"
    content = bytearray(path.read_bytes())
    content[-8:-4], content[-4:] = content[-4:], content[-8:-4]
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="corrupt cache entry, built again"):
        np.testing.assert_array_equal(build()[0], np.arange(16.0).reshape(4, 4))


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(series, "LARGEST_IN_MEMORY", 100)
    path = tmp_path / "bold.nii"
    path.write_bytes(b"first")
    return path


@pytest.mark.parametrize("damage", ["zeroed", "cut", "range", "gone"])
def test_a_damaged_series_is_written_again(source, damage, rng):
    data = rng.normal(size=(60, 9)).astype(np.float32)
    stack_blocks(iter([data]), data.shape, [source], 0)
    (path,) = (source.parent / "cache" / "series").glob("*.npy")
    content = path.read_bytes()
    if damage == "zeroed":
        path.write_bytes(content[:-400] + bytes(400))
    elif damage == "cut":
        path.write_bytes(content[:-400])
    elif damage == "range":
        path.with_suffix(".range").write_bytes(b"x")
        series._seen.clear()
    else:
        path.with_suffix(".range").unlink()
        series._seen.clear()
    with pytest.warns(UserWarning, match="damaged"):
        found = stack_blocks(iter([data]), data.shape, [source], 0)
    np.testing.assert_array_equal(found, data)


def test_a_source_replaced_under_its_old_date_is_read_anew(source, rng):
    first, second = rng.normal(size=(2, 60, 9)).astype(np.float32)
    stack_blocks(iter([first]), first.shape, [source], 0)
    date = source.stat()
    source.write_bytes(b"other")  # of the same size
    os.utime(source, ns=(date.st_atime_ns, date.st_mtime_ns))
    found = stack_blocks(iter([second]), second.shape, [source], 0)
    np.testing.assert_array_equal(found, second)


def test_a_part_left_by_a_killed_process_is_no_hindrance(source, rng):
    data = rng.normal(size=(60, 9)).astype(np.float32)
    stack_blocks(iter([data]), data.shape, [source], 0)
    (path,) = (source.parent / "cache" / "series").glob("*.npy")
    path.rename(path.with_suffix(".part"))
    np.testing.assert_array_equal(stack_blocks(iter([data]), data.shape, [source], 0), data)
    assert sorted(p.suffix for p in path.parent.iterdir()) == [".lock", ".npy", ".range"]


@pytest.mark.parametrize("kind", ["external link", "soft to external", "virtual", "external raw"])
def test_hdf5_arrays_with_their_values_elsewhere_are_refused(tmp_path, kind):
    path, other = tmp_path / "x.h5", tmp_path / "other.h5"
    values = np.arange(12.0).reshape(4, 3)
    with h5py.File(other, "w") as file:
        file["y"] = values
    with h5py.File(path, "w") as file:
        if kind == "virtual":
            layout = h5py.VirtualLayout((4, 3), dtype=float)
            layout[:] = h5py.VirtualSource(other, "y", shape=(4, 3))
            file.create_virtual_dataset("x", layout)
        elif kind == "external raw":
            values.tofile(tmp_path / "raw.bin")
            file.create_dataset("x", (4, 3), float, external=[(tmp_path / "raw.bin", 0, 96)])
        elif kind == "external link":
            file["x"] = h5py.ExternalLink(other, "y")
        else:
            file["hidden"] = h5py.ExternalLink(other, "y")
            file["x"] = h5py.SoftLink("/hidden")
        file["own"] = values
        file["inside"] = h5py.SoftLink("/own")
    with pytest.raises(CorruptDataError, match=r"x\.h5:x: is a link to another file"):
        open_stored(f"{path}:x")
    for name in ("own", "inside"):
        np.testing.assert_array_equal(open_stored(f"{path}:{name}")[:], values)


class OneFolder:
    """A study of one place."""

    def __init__(self, place):
        self.place = str(place)

    def places(self):
        return [self.place]


def test_the_hash_of_a_folder_follows_links_and_ends(tmp_path):
    folder, real = tmp_path / "x.zarr", tmp_path / "real"
    folder.mkdir()
    real.mkdir()
    (real / "chunk").write_bytes(b"1")
    (folder / "array").symlink_to(real, target_is_directory=True)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = hash_inputs(OneFolder(folder))
        (real / "chunk").write_bytes(b"2")
        after = hash_inputs(OneFolder(folder))
    assert before != after
