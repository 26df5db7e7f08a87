import gzip
import pickle

import joblib
import nibabel as nib
import numpy as np
import pytest
import xarray

from brainlm.data.brain_maps import BrainMaps, paint, targets_of, winners
from brainlm.data.target_table import region_targets, voxel_targets
from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.io import read_maps

AFFINE = np.diag([2.0, 2, 2, 1])
AFFINE[:3, 3] = [-90, -126, -72]


def save(path, volume, affine=AFFINE):
    nib.save(nib.Nifti1Image(np.asarray(volume, dtype=np.float32), affine), path)


@pytest.fixture
def volume(rng):
    volume = np.zeros((3, 4, 2))
    volume[1, 2] = [1.5, -2]
    volume[2, 0, 1] = 3
    return volume


def test_voxels_that_are_never_zero_make_the_mask_and_go_back_to_their_place(tmp_path, volume):
    save(tmp_path / "1_map.nii.gz", volume)
    maps = read_maps(tmp_path, "1", pattern="{subject}_map.nii.gz", unit="z", names=["a > b"])
    assert maps.data.tolist() == [[1.5, -2, 3]]
    np.testing.assert_array_equal(maps.volume("a > b"), volume)
    np.testing.assert_array_equal(maps.image("a > b").affine, AFFINE)
    np.testing.assert_array_equal(maps.coordinates()[0], [-88, -122, -72])
    with pytest.raises(UnknownNameError, match="a > b"):
        maps.volume("b > a")


def test_maps_on_different_grids_are_refused_with_advice(tmp_path, volume):
    save(tmp_path / "a.nii", volume)
    save(tmp_path / "b.nii", volume[:2])
    with pytest.raises(CorruptDataError, match=r"b\.nii: grid of \(2, 4, 2\).*resample it"):
        read_maps(tmp_path, files=["a.nii", "b.nii"], unit="z")
    with pytest.raises(CorruptDataError, match=r"a\.nii: grid of \(3, 4, 2\).*expected \(3, 4, 3"):
        read_maps(tmp_path, files=["a.nii"], unit="z", shape=[3, 4, 3])
    save(tmp_path / "b.nii", volume, np.diag([3.0, 3, 3, 1]))
    with pytest.raises(CorruptDataError, match=r"b\.nii: its affine differs"):
        read_maps(tmp_path, files=["a.nii", "b.nii"], unit="z")


def test_parcels_of_a_surface_have_names_and_no_image(tmp_path):
    labels = np.zeros((5, 1, 1), dtype=np.float32)
    labels[[1, 3]] = [[[1]], [[2]]]
    nib.save(nib.MGHImage(labels, np.eye(4)), tmp_path / "lh.mgh")
    maps = read_maps(tmp_path, files=["lh.mgh"], unit="label", labels={"1": "IFG", "2": "MFG"})
    assert maps.volume("lh").tolist() == [0, 1, 0, 2, 0]
    assert maps.labels[2] == "MFG"
    with pytest.raises(ValueError, match="a surface has no image"):
        maps.image("lh")
    with pytest.raises(CorruptDataError, match=r"lh\.mgh: labels lack the numbers \[2\.0\]"):
        read_maps(tmp_path, files=["lh.mgh"], unit="label", labels={"1": "IFG"})


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_vectors_saved_with_joblib_are_read_without_unpickling(tmp_path, volume, rng, order, dtype):
    save(tmp_path / "mask.nii.gz", volume != 0)
    data = np.asarray(rng.normal(size=(10, 3)), dtype=dtype, order=order)
    with gzip.open(tmp_path / "isc.gz", "wb") as file:
        joblib.dump(data, file)
    maps = read_maps(tmp_path, files=["isc.gz"], mask="mask.nii.gz", unit="Pearson r")
    np.testing.assert_array_equal(maps.data, data)
    assert maps.names.tolist()[:2] == ["1", "2"]


class Harm:
    def __reduce__(self):
        return (print, ("harm",))


@pytest.mark.parametrize("content", [Harm(), {"a": 1}, [1, 2], np.array(["x"], dtype=object)])
def test_other_pickles_are_refused_and_not_run(tmp_path, volume, content, capsys):
    save(tmp_path / "mask.nii.gz", volume != 0)
    with gzip.open(tmp_path / "isc.gz", "wb") as file:
        pickle.dump(content, file)
    with pytest.raises(CorruptDataError, match=r"isc\.gz: not an array saved by joblib"):
        read_maps(tmp_path, files=["isc.gz"], mask="mask.nii.gz", unit="r")
    assert capsys.readouterr().out == ""


def test_a_mask_of_another_size_is_refused(tmp_path, volume, rng):
    save(tmp_path / "mask.nii.gz", volume != 0)
    with gzip.open(tmp_path / "isc.gz", "wb") as file:
        joblib.dump(rng.normal(size=(2, 4)), file)
    with pytest.raises(CorruptDataError, match=r"columns of data: 4, voxels in mask: 3"):
        read_maps(tmp_path, files=["isc.gz"], mask="mask.nii.gz", unit="r")
    with pytest.raises(CorruptDataError, match="name the mask"):
        read_maps(tmp_path, files=["isc.gz"], unit="r")


def test_time_series_and_cut_files_are_no_maps(tmp_path, volume):
    save(tmp_path / "a.nii", np.stack([volume, volume], axis=-1))
    with pytest.raises(CorruptDataError, match=r"a\.nii: expected one volume"):
        read_maps(tmp_path, files=["a.nii"], unit="z")
    content = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "a.nii").write_bytes(content[:-40])
    with pytest.raises(CorruptDataError, match=r"a\.nii: not a readable image"):
        read_maps(tmp_path, files=["a.nii"], unit="z")


def test_maps_are_read_only_and_complete():
    maps = BrainMaps([[1.0, 2.0]], ["a"], np.array([True, True, False]), "z")
    with pytest.raises(ValueError, match="read-only"):
        maps.data[0, 0] = 1
    with pytest.raises(ValueError, match="affine belongs to a volume"):
        BrainMaps([[1.0]], ["a"], np.ones((1, 1, 1), dtype=bool), "z")
    with pytest.raises(ValueError, match="names of maps must be unique"):
        BrainMaps([[1.0], [2.0]], ["a", "a"], np.array([True]), "z")


def test_values_go_back_to_the_voxels_or_regions_that_they_belong_to():
    numbers = np.zeros((3, 2, 2))
    numbers[0, 1], numbers[2, 0, 1] = 5, 2
    parcels = nib.Nifti1Image(numbers.astype(np.int16), AFFINE)
    regions = targets_of(parcels)
    assert regions["region"].tolist() == ["2", "5"]
    maps = paint([[0.5, -1.0]], regions[::-1], parcels, ["layer 3"], "r")
    assert maps.data.tolist() == [[0.5, 0.5, -1.0]]
    mask = nib.Nifti1Image((numbers > 0).astype(np.uint8), AFFINE)
    voxels = targets_of(mask)
    assert voxels["name"].tolist() == ["0,1,0", "0,1,1", "2,0,1"]
    maps = paint([[1, np.nan, 3]], voxels.iloc[[2, 0, 1]], mask, ["a"], "r")
    assert maps.volume("a")[2, 0, 1] == 1
    assert maps.volume("a")[0, 1].tolist() == [0, 3]
    assert maps.notes == ("1 targets without a value are not drawn",)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (voxel_targets(np.array([[1, 1, 1]])), "'1,1,1' is not a voxel above 0"),
        (voxel_targets(np.array([[5, 1, 1]])), "'5,1,1' is not a voxel above 0"),
        (region_targets(np.array([7])), "unknown region .*'7'"),
    ],
)
def test_a_target_outside_of_the_image_is_named(targets, message):
    numbers = np.zeros((3, 2, 2), dtype=np.int16)
    numbers[0, 0] = 1
    with pytest.raises(UnknownNameError, match=message):
        paint([[1.0]], targets, nib.Nifti1Image(numbers, AFFINE), ["a"], "r")
    with pytest.raises(ValueError, match="is empty"):
        targets_of(nib.Nifti1Image(np.zeros((2, 2, 2), dtype=np.int16), AFFINE))


def test_the_winner_is_the_largest_map_above_the_least(tmp_path):
    mask = np.ones((2, 2, 1), dtype=bool)
    maps = BrainMaps([[1.0, 0, -1, 3], [0, 2, -2, 4]], ["a", "b"], mask, "r", AFFINE)
    best = winners(maps)
    assert best.data.tolist() == [[1, 2, 0, 2]]
    assert dict(best.labels) == {1: "a", 2: "b"}
    for each in (maps, best, BrainMaps([[1.0]], ["c"], np.array([True, False]), "r")):
        each.to_xarray().to_netcdf(tmp_path / "maps.nc", engine="h5netcdf")
        back = BrainMaps.from_xarray(xarray.load_dataset(tmp_path / "maps.nc", engine="h5netcdf"))
        np.testing.assert_array_equal(back.data, each.data)
        np.testing.assert_array_equal(back.mask, each.mask)
        assert (repr(back), dict(back.labels)) == (repr(each), dict(each.labels))
