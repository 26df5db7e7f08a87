"""Cards of public layouts that no test machine has, opened on files written in that layout."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from brainlm.datasets import open_dataset
from brainlm.errors import CorruptDataError

GRID = (28, 28, 28)


@pytest.fixture
def concepts(tmp_path):
    """672 maps of one number each, numbered as in words.txt, over a mask of the whole grid."""
    root = tmp_path / "ds004301"
    (root / "glm" / "sub-01").mkdir(parents=True)
    for i in range(1, 673):
        volume = np.full(GRID, 1 + i % 7, dtype=np.uint8)
        volume[0, 0, 0] = i % 100  # tells which map it is
        nib.save(nib.Nifti1Image(volume, np.eye(4)), root / "glm" / "sub-01" / f"{i}.nii.gz")
    nib.save(nib.Nifti1Image(np.ones(GRID, dtype=np.uint8), np.eye(4)), root / "mask.nii.gz")
    lines = [f"{i}\t{chr(0x4E00 + i)}" for i in range(1, 673)]
    (root / "words.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def test_a_map_per_chinese_word_opens_by_its_card(concepts):
    stimulus, recording = open_dataset("concepts-zh-fmri", "01", root=concepts.parent)
    assert recording.data.shape == (672, 28**3)
    row = {str(item): i for i, item in enumerate(recording.items)}
    for number in (2, 10, 99, 671):  # maps go by number, not by the order of names
        (word,) = np.flatnonzero(stimulus.words == chr(0x4E00 + number))
        assert recording.data[row[str(stimulus.item[word])], 0] == number % 100
    (concepts / "glm" / "sub-01" / "7.nii.gz").unlink()
    with pytest.raises((CorruptDataError, FileNotFoundError), match=r"ds004301"):
        open_dataset("concepts-zh-fmri", "01", root=concepts.parent)
