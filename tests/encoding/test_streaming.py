import tracemalloc

import h5py
import nibabel as nib
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

import brainlm.compute.lazy_arrays
import brainlm.encoding.cross_validation
import brainlm.storage.long_recordings
from brainlm._validation import is_mapped
from brainlm.compute.lazy_arrays import TargetView, bad_columns
from brainlm.encoding._ridge.cost import fold_bytes
from brainlm.encoding.banded import BandedRidgeEncoder
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks, LeaveOneRunOut
from brainlm.io.own_images import from_image

pytestmark = pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")
BLOCKS = ContiguousBlocks(4, gap=3)


def data(rng, n_features=30, n_targets=23, dtype=np.float64):
    X = rng.standard_normal((160, n_features))
    Y = X @ rng.standard_normal((n_features, n_targets)) + 6 * rng.standard_normal((160, n_targets))
    return X.astype(dtype), Y.astype(dtype)


@pytest.fixture(params=["memory map", "HDF5", "Zarr", "array"])
def stored(request, tmp_path):
    """Put an array where it is not in memory."""

    def put(Y):
        if request.param == "array":
            return Y
        if request.param == "memory map":
            np.save(tmp_path / "y.npy", Y)
            return np.load(tmp_path / "y.npy", mmap_mode="r")
        if request.param == "HDF5":
            file = h5py.File(tmp_path / "y.h5", "w")
            return file.create_dataset("data", data=Y, chunks=(40, 5))
        zarr = pytest.importorskip("zarr")
        return zarr.create_array(str(tmp_path / "y.zarr"), data=Y, chunks=(40, 5))

    return put


@pytest.mark.parametrize("alpha_per", ["target", "all", "group"])
@pytest.mark.parametrize("n_features", [30, 200])
@pytest.mark.parametrize("metric", ["r", "r2"])
def test_streamed_scores_equal_those_of_fit_and_predict(
    rng, stored, monkeypatch, alpha_per, n_features, metric
):
    X, Y = data(rng, n_features)
    encoder = RidgeEncoder(alpha_per=alpha_per, groups=["a"] * 10 + ["b"] * 13)
    plain = cross_validate(encoder, X, Y, BLOCKS, metric=metric, keep_predictions=True)
    monkeypatch.setattr(
        brainlm.encoding._ridge.streaming, "READ_BYTES", 160 * 8 * 4
    )  # four targets at a time
    streamed = cross_validate(
        encoder, X, stored(Y), BLOCKS, metric=metric, keep_predictions=True, max_memory="2GB"
    )
    np.testing.assert_allclose(streamed.values, plain.values, atol=1e-9)
    np.testing.assert_array_equal(streamed.alphas, plain.alphas)
    np.testing.assert_allclose(streamed.predictions, plain.predictions, atol=1e-8)
    assert streamed.encoder == plain.encoder


def test_a_pipeline_is_streamed_with_its_steps_learned_in_the_training_fold(rng, stored):
    X, Y = data(rng)
    runs = np.repeat(list("abcd"), 40)
    encoder = make_pipeline(PCA(5, svd_solver="full"), RidgeEncoder([1.0, 10.0, 100.0]))
    plain = cross_validate(encoder, X, Y, LeaveOneRunOut(runs))
    streamed = cross_validate(encoder, X, stored(Y), LeaveOneRunOut(runs), max_memory=10**9)
    np.testing.assert_allclose(streamed.values, plain.values, atol=1e-9)


def test_targets_without_a_score_are_found_and_masked_in_storage(rng, stored):
    X, Y = data(rng)
    Y[:, 4] = 1.0
    Y[7, 11] = np.nan
    place = stored(Y)
    np.testing.assert_array_equal(np.flatnonzero(bad_columns(place)), [4, 11])
    with pytest.raises(ValueError, match="Y"):
        cross_validate(RidgeEncoder(), X, place, BLOCKS)
    masked = cross_validate(RidgeEncoder(), X, place, BLOCKS, mask_targets=True)
    good = np.setdiff1d(np.arange(23), [4, 11])
    plain = cross_validate(RidgeEncoder(), X, Y[:, good], BLOCKS)
    np.testing.assert_allclose(masked.values[:, good], plain.values, atol=1e-9)
    assert np.isnan(masked.values[:, [4, 11]]).all()
    assert "2 of 23" in masked.notes[0]


def test_other_encoders_load_stored_targets(rng, stored):
    X, Y = data(rng)
    encoder = BandedRidgeEncoder([10, 20], n_draws=3)
    np.testing.assert_allclose(
        cross_validate(encoder, X, stored(Y), BLOCKS).values,
        cross_validate(encoder, X, Y, BLOCKS).values,
    )


def test_too_little_memory_is_said_before_anything_is_computed(rng):
    X, Y = data(rng)
    with pytest.raises(MemoryError, match=r"max_memory is 0.01 GB.*needs 0.0\d GB"):
        cross_validate(RidgeEncoder(), X, Y, BLOCKS, max_memory="10MB")
    with pytest.raises(ValueError, match="'4 gigs' is not a size"):
        cross_validate(RidgeEncoder(), X, Y, BLOCKS, max_memory="4 gigs")
    with pytest.raises(ValueError, match="positive"):
        cross_validate(RidgeEncoder(), X, Y, BLOCKS, max_memory=0)


@pytest.mark.long
@pytest.mark.parametrize(("n_features", "search"), [(100, "exact"), (700, "exact"), (700, "fast")])
def test_memory_stays_below_what_was_allowed(rng, tmp_path, n_features, search, monkeypatch):
    monkeypatch.setattr(brainlm.encoding._ridge.search, "SMALL", 0.0)
    X = rng.standard_normal((600, n_features)).astype(np.float32)
    Y = rng.standard_normal((600, 20_000)).astype(np.float32)
    np.save(tmp_path / "y.npy", Y)
    del Y
    place = np.load(tmp_path / "y.npy", mmap_mode="r")
    encoder = RidgeEncoder(np.logspace(0, 5, 6), search=search)
    limit = fold_bytes(450, 150, n_features, 6) + (60 << 20)
    tracemalloc.start()
    try:
        cross_validate(encoder, X, place, BLOCKS, max_memory=limit)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


def test_a_view_reads_rows_and_columns_as_indexing_does(rng, stored):
    Y = rng.standard_normal((160, 23))
    rows, columns = np.r_[3:50, 90:120], np.array([0, 1, 5, 6, 20])
    view = TargetView(stored(Y), rows, columns, at_most=160 * 8 * 2)
    assert view.shape == (77, 5)
    for block in (slice(0, 2), slice(1, 5), slice(4, 5), slice(0, 5), slice(2, 2)):
        np.testing.assert_array_equal(view[:, block], Y[rows][:, columns][:, block])
    with pytest.raises(IndexError, match="as \\[:, a:b\\]"):
        view[3:5, 0:2]


def test_targets_of_the_wrong_shape_are_named(rng):
    X, Y = data(rng)
    with pytest.raises(ValueError, match="Y must be"):
        cross_validate(RidgeEncoder(), X, Y[..., None], BLOCKS)
    with pytest.raises(ValueError, match="columns of Y: 23, targets: 2"):
        cross_validate(RidgeEncoder(), X, Y, BLOCKS, targets=["a", "b"])


def test_a_run_of_images_is_streamed_through_its_mask(rng, tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(brainlm.storage.long_recordings, "LARGEST_IN_MEMORY", 100)
    X, Y = data(rng, n_targets=27, dtype=np.float32)
    volume = np.zeros((4, 3, 3, 160), dtype=np.float32)
    volume[:3] = Y.T.reshape(3, 3, 3, 160)
    mask = np.zeros((4, 3, 3), dtype=np.uint8)
    mask[:3] = 1
    path = tmp_path / "bold.nii.gz"
    nib.save(nib.Nifti1Image(volume, np.eye(4)), path)
    nib.save(nib.Nifti1Image(mask, np.eye(4)), tmp_path / "mask.nii.gz")
    recording = from_image(path, tmp_path / "mask.nii.gz", 2.0)
    assert is_mapped(recording.data)
    found = cross_validate(RidgeEncoder(), X, recording.data, BLOCKS)
    expected = cross_validate(RidgeEncoder(), X, Y, BLOCKS)
    np.testing.assert_allclose(found.values, expected.values, atol=1e-4)
