"""Long series: what opening and reading cost, and that nothing is lost on the way to the disk."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from brainlm.data.recording import Recording
from brainlm.errors import CorruptDataError
from brainlm.storage import long_recordings as series
from brainlm.storage.long_recordings import constant_columns, stack_blocks


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(series, "LARGEST_IN_MEMORY", 4 * 70 * 11)  # 11 samples of 70 targets
    path = tmp_path / "bold.nii"
    path.write_bytes(b"x")
    return path


def cut(data, sizes):
    """Yield blocks of these sizes, over and over."""
    start = 0
    while start < len(data):
        for size in sizes:
            if start < len(data):
                yield data[start : start + size]
                start += size


@pytest.mark.parametrize("sizes", [[1], [7, 1, 30], [100]])
def test_blocks_of_any_size_become_the_same_array(source, sizes, rng):
    data = rng.normal(size=(100, 70)).astype(np.float32)
    mapped = stack_blocks(cut(data, sizes), data.shape, [source], sizes)
    np.testing.assert_array_equal(mapped, data)
    assert mapped.flags.f_contiguous  # the samples of a target lie side by side
    again = stack_blocks(iter([]), data.shape, [source], sizes)  # from the cache
    np.testing.assert_array_equal(again, data)


def test_what_is_broken_does_not_stay_in_the_cache(source, rng):
    data = rng.normal(size=(100, 70)).astype(np.float32)
    data[77, 5] = np.nan
    with pytest.raises(CorruptDataError, match=r"bold\.nii: rows 77 to 87 has 1 of 770 values"):
        stack_blocks(iter([data]), data.shape, [source], 0)
    with pytest.raises(CorruptDataError, match="60 samples, its header says 100"):
        stack_blocks(iter([data[:60]]), data.shape, [source], 0)
    with pytest.raises(CorruptDataError, match="does not fit into"):
        stack_blocks(iter([data[:, :69]]), data.shape, [source], 0)
    assert list((source.parent / "cache" / "series").glob("*.npy")) == []
    data[77, 5] = 0
    np.testing.assert_array_equal(stack_blocks(iter([data]), data.shape, [source], 0), data)


def test_constant_targets_are_known_without_reading(source, rng):
    data = rng.normal(size=(100, 70)).astype(np.float32)
    data[:, [3, 60]] = 5, 0
    data[50, 60] = 1e-3
    mapped = stack_blocks(iter([data]), data.shape, [source], 0)
    assert constant_columns(mapped).tolist() == [3]
    recording = Recording(mapped, range(70), "fmri", "a.u.", times=range(100))
    assert constant_columns(recording.data).tolist() == [3]
    assert recording.constant_targets == ["3"]
    assert constant_columns(mapped[:, :9]) is None
    assert constant_columns(data) is None


OPEN = """
import resource, sys, time
from pathlib import Path
import numpy as np
import brainlm.io.own_images, nibabel, mmap
folder = Path(sys.argv[1])
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, start = used(), time.perf_counter()
recording = brainlm.io.own_images.from_image(folder / "bold.nii", folder / "mask.nii", 2.0)
opened, grown = time.perf_counter() - start, used() - before
start = time.perf_counter()
block = np.array(recording.data[:, 500:600])
print(opened, grown, time.perf_counter() - start, used() - before, block.std() > 0)
"""


def save_series(folder, grid, n_samples):
    """Write an image of int16 volumes and a mask of all voxels, without holding it."""
    import nibabel as nib

    header = nib.Nifti1Header()
    header.set_data_shape((*grid, n_samples))
    header.set_data_dtype(np.int16)
    header.set_zooms((2, 2, 2, 2))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    rng = np.random.default_rng(0)
    volume = rng.integers(0, 99, np.prod(grid)).astype(np.int16)
    with open(folder / "bold.nii", "wb") as file:
        file.write(header.binaryblock + b"\0" * 4)
        for _ in range(n_samples):
            file.write(np.roll(volume, rng.integers(len(volume))).tobytes())
    nib.save(
        nib.Nifti1Image(np.ones(grid, dtype=np.uint8), header.get_best_affine()),
        folder / "mask.nii",
    )


@pytest.mark.long
def test_opening_a_series_larger_than_memory_takes_megabytes_and_a_block_of_targets_that_block(
    tmp_path, monkeypatch
):
    """A tenth of 100,000 voxels x 10,000 samples; figures of the whole are in the changelog."""
    grid, n_samples = (25, 20, 20), 8_000  # 320 MB of float32
    save_series(tmp_path, grid, n_samples)
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    for again in (False, True):
        done = subprocess.run(
            [sys.executable, "-c", OPEN, str(tmp_path)], capture_output=True, text=True, check=True
        )
        opened, grown, reading, with_block, varies = done.stdout.split()
        assert varies == "True"
        assert float(opened) < (3 if again else 60)
        assert float(grown) < (100 if again else 700)  # MB, however long the series is
        assert float(with_block) < (150 if again else 700)
        assert float(reading) < 0.5
