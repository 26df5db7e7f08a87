"""CIFTI and surfaces of one's own: values, names, places, and files that are something else."""

import nibabel as nib
import numpy as np
import pytest
from support.images import save_cifti, save_surface

from brainlm.errors import CorruptDataError
from brainlm.io import images
from brainlm.io.images import load_image, open_cifti, open_surfaces
from brainlm.io.own_images import from_cifti, from_surfaces


@pytest.fixture
def cifti(tmp_path, rng):
    return tmp_path / "bold.dtseries.nii", save_cifti(tmp_path / "bold.dtseries.nii", rng)


@pytest.fixture
def surfaces(tmp_path, rng):
    paths = [tmp_path / f"hemi-{side}.func.gii" for side in "LR"]
    data = [rng.normal(size=(6, 4)), rng.normal(size=(6, 3))]
    data[0][:, 2] = np.nan  # the medial wall, as fMRIPrep marks it
    data[1][:, 0] = 0  # and as others do
    for path, values, name in zip(paths, data, ("CortexLeft", "CortexRight"), strict=True):
        save_surface(path, values, name)
    return paths, data


def test_grayordinates_keep_values_names_and_clock_however_small_the_blocks(cifti, monkeypatch):
    path, data = cifti
    monkeypatch.setattr(images, "BLOCK", 3 * 8 * data.shape[1])
    recording = from_cifti(path, first_sample=1)
    np.testing.assert_array_equal(recording.data, data)
    assert recording.target_names.tolist() == [
        "CORTEX_LEFT 0",
        "CORTEX_LEFT 2",
        "CORTEX_RIGHT 1",
        "THALAMUS_LEFT 1,1,1",
        "THALAMUS_LEFT 1,1,2",
    ]
    assert recording.times.tolist() == (1 + 2 * np.arange(8)).tolist()
    assert recording.positions is None  # vertices have no place without their mesh


def test_a_cifti_file_is_not_read_when_it_is_opened(cifti, monkeypatch):
    from nibabel.arrayproxy import ArrayProxy

    monkeypatch.setattr(ArrayProxy, "__getitem__", lambda *_: pytest.fail("read"))
    monkeypatch.setattr(ArrayProxy, "__array__", lambda *_: pytest.fail("read"))
    assert open_cifti(cifti[0]).n_samples == 8


def test_other_cifti_files_are_refused(tmp_path, rng, cifti):
    image = nib.load(cifti[0])
    scalar = nib.cifti2.ScalarAxis(["t"])
    nib.save(
        nib.Cifti2Image(image.get_fdata()[:1], (scalar, image.header.get_axis(1))),
        tmp_path / "x.dscalar.nii",
    )
    with pytest.raises(ValueError, match="expected samples x grayordinates"):
        from_cifti(tmp_path / "x.dscalar.nii")
    save_cifti(tmp_path / "hz.dtseries.nii", rng, unit="HERTZ")
    with pytest.raises(ValueError, match="a time series in seconds is needed"):
        from_cifti(tmp_path / "hz.dtseries.nii")
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2, 3)), np.eye(4)), tmp_path / "bold.nii")
    with pytest.raises(ValueError, match="is not a CIFTI file"):
        from_cifti(tmp_path / "bold.nii")


def test_hemispheres_stand_side_by_side_without_the_medial_wall(surfaces):
    paths, data = surfaces
    recording = from_surfaces(*paths)
    assert recording.target_names.tolist() == ["left 0", "left 1", "left 3", "right 1", "right 2"]
    expected = np.hstack([data[0][:, [0, 1, 3]], data[1][:, 1:]])
    np.testing.assert_allclose(recording.data, expected, rtol=1e-6)
    assert recording.times.tolist() == [0, 2, 4, 6, 8, 10]  # TimeStep is in milliseconds
    assert recording.notes == ("2 vertices without data left out",)


def test_hemispheres_that_are_swapped_or_cut_are_noticed(surfaces, tmp_path, rng):
    (left, right), _ = surfaces
    with pytest.raises(ValueError, match=r"hemi-R.*is of the right hemisphere"):
        from_surfaces(right, left)
    save_surface(right, rng.normal(size=(5, 3)))
    with pytest.raises(ValueError, match="the hemispheres have 6 and 5 samples"):
        from_surfaces(left, right)
    save_surface(right, rng.normal(size=(6, 3)), step=1500.0)
    with pytest.raises(ValueError, match=r"sampling intervals \[2\.0, 1\.5\]"):
        from_surfaces(left, right)
    mesh = tmp_path / "mask.nii"
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2)), np.eye(4)), mesh)
    with pytest.raises(ValueError, match="is not a GIFTI surface"):
        from_surfaces(left, mesh)


def test_one_array_of_vertices_by_samples_is_read_too(tmp_path, rng):
    data = rng.normal(size=(4, 6)).astype(np.float32)  # vertices x samples, as Workbench writes it
    for side in "LR":
        array = nib.gifti.GiftiDataArray(data)
        nib.save(nib.GiftiImage(darrays=[array]), tmp_path / f"{side}.shape.gii")
    series = open_surfaces(tmp_path / "L.shape.gii", tmp_path / "R.shape.gii")
    np.testing.assert_array_equal(np.vstack(list(series.blocks()))[:, :4], data.T)
    with pytest.raises(ValueError, match="sampling_interval: the file does not say it"):
        from_surfaces(tmp_path / "L.shape.gii", tmp_path / "R.shape.gii")


def test_a_header_that_declares_more_than_the_file_can_hold_is_refused(tmp_path):
    path = tmp_path / "bold.nii"
    image = nib.Nifti1Image(np.ones((2, 2, 2, 3), dtype=np.float32), np.eye(4))
    nib.save(image, path)
    content = bytearray(path.read_bytes())
    content[42:50] = np.array([30000] * 4, dtype="<i2").tobytes()  # dim[1:5]
    path.write_bytes(content)
    with pytest.raises(CorruptDataError, match="declares 3240000000000000000 bytes"):
        load_image(path)
