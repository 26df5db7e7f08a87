"""Maps of a GLM per word: a file each, or one image with a volume per word."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from support.images import save_cifti

from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.io import read_item_maps
from brainlm.io.item_maps import ItemMapsOptions

AFFINE = np.diag([2.0, 2, 2, 1])
EACH = {
    "pattern": "glm/sub-{subject}/{item}.nii.gz",
    "mask": "mask.nii.gz",
    "labels_file": "words.txt",
    "language": "zh",
    "unit": "beta",
}
ONE = {**EACH, "pattern": "glm/sub-{subject}.nii.gz"}
WORDS = ["河流", "跑", "nan"]


@pytest.fixture
def root(tmp_path, rng):
    data = rng.normal(size=(3, 2, 2, 3)).astype(np.float32)
    (tmp_path / "glm/sub-01").mkdir(parents=True)
    for i in range(3):
        nib.save(nib.Nifti1Image(data[..., i], AFFINE), tmp_path / f"glm/sub-01/word{i + 1}.nii.gz")
    nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / "glm/sub-02.nii.gz")
    kept = np.zeros((3, 2, 2), dtype=np.uint8)
    kept[1] = 1
    nib.save(nib.Nifti1Image(kept, AFFINE), tmp_path / "mask.nii.gz")
    lines = [f"word{i}\t{word}" for i, word in enumerate(WORDS, start=1)]
    (tmp_path / "words.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path, data[1].reshape(4, 3).T


def test_a_file_per_word_and_one_file_are_the_same(root):
    folder, expected = root
    for subject, options in (("01", EACH), ("02", ONE)):
        stimulus, recording = read_item_maps(folder, subject, **options)
        assert stimulus.words.tolist() == recording.items.tolist() == WORDS
        np.testing.assert_allclose(recording.data, expected, rtol=1e-6)
        assert recording.positions[3].tolist() == [2, 2, 2]
        files = ItemMapsOptions(**options).found_files(folder, subject)
        assert all((folder / name).is_file() for name in files)
    assert ItemMapsOptions(**ONE).subjects(folder) == ["02"]


def test_rows_of_a_cifti_file_are_items_too(tmp_path, rng):
    data = save_cifti(tmp_path / "s1.dtseries.nii", rng, n_samples=3)
    (tmp_path / "words.txt").write_text("a\nb\nc\n")
    options = {**EACH, "pattern": "{subject}.dtseries.nii", "mask": None}
    _, recording = read_item_maps(tmp_path, "s1", **options)
    np.testing.assert_array_equal(recording.data, data)


def test_what_does_not_fit_is_refused(root):
    folder, _ = root
    with pytest.raises(UnknownNameError, match="'03'"):
        read_item_maps(folder, "03", **ONE)
    (folder / "words.txt").write_text("word1\nb\n")
    with pytest.raises(CorruptDataError, match="3 maps for 2 labels"):
        read_item_maps(folder, "02", **ONE)
    with pytest.raises(DataMissingError, match=r"b\.nii\.gz"):
        read_item_maps(folder, "01", **EACH)
    (folder / "words.txt").write_text("a\nb\na\n")
    with pytest.raises(CorruptDataError, match="a label comes twice: 'a'"):
        read_item_maps(folder, "02", **ONE)
    with pytest.raises(ValueError, match="mask belongs to volumes"):
        ItemMapsOptions(**{**EACH, "mask": None})
