import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from support.images import save_surface

from brainlm.data.recording import Recording
from brainlm.io import images
from brainlm.io.arrays import from_arrays, from_tables, from_trials
from brainlm.io.own_images import from_image, from_surfaces
from brainlm.storage import long_recordings as series

RATE = 100.0
AFFINE = np.diag([2.0, 2, 2, 1])


# Tables


def tables():
    words = pd.DataFrame({"word": ["null", "is", "red"], "onset": [0.0, 1, 2], "duration": 0.5})
    responses = pd.DataFrame({"time": [0.0, 2, 4], "LATL": [1, 2, 3], "RATL": [3.0, 2, 5]})
    return words, responses


def opened(words, responses, **options):
    given = {"language": "en", "modality": "fmri", "unit": "a.u.", **options}
    return from_tables(words, responses, **given)


def test_tables_become_words_and_time_series():
    stimulus, recording = opened(*tables())
    assert stimulus.words.tolist() == ["null", "is", "red"]
    assert recording.target_names.tolist() == ["LATL", "RATL"]
    assert recording.times.tolist() == [0, 2, 4]
    np.testing.assert_array_equal(recording.data, [[1, 3], [2, 2], [3, 5]])


def test_responses_to_items_need_words_with_these_items():
    words, _ = tables()
    words = words.assign(item=["a", "b", "c"])
    responses = pd.DataFrame({"item": ["c", "a"], "rt": [300, 200]})
    _, recording = opened(words, responses, modality="reading-times", unit="ms")
    assert recording.items.tolist() == ["c", "a"]
    with pytest.raises(ValueError, match=r"1 items are not in the words.*'d'"):
        opened(words, responses.assign(item=["c", "d"]), modality="reading-times")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w, r: (w.rename(columns={"word": "token"}), r), r"lacks the columns \['word'\]"),
        (lambda w, r: (w, r.drop(columns="time")), "exactly one of the columns 'time' and 'item'"),
        (lambda w, r: (w, r.assign(note="x")), r"columns \['note'\] are not numeric"),
        (lambda w, r: (w, r.assign(run="2")), "1 runs are not in the words"),
        (lambda w, r: (w, r.assign(LATL=[1, np.nan, 2])), "NaN"),
        (lambda w, r: (w, r.assign(time=[0, 0, 2])), "does not come after"),
    ],
)
def test_tables_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        opened(*change(*tables()))


# Images


@pytest.fixture
def image(rng):
    return nib.Nifti1Image(rng.normal(size=(4, 3, 2, 10)).astype(np.float32), AFFINE)


@pytest.fixture
def mask():
    kept = np.zeros((4, 3, 2), dtype=np.uint8)
    kept[1:3, 1] = 1
    return nib.Nifti1Image(kept, AFFINE)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_voxels_of_a_mask_keep_order_and_place_however_small_the_blocks(
    tmp_path, image, mask, monkeypatch, suffix
):
    nib.save(image, tmp_path / f"bold.{suffix}")
    monkeypatch.setattr(images, "BLOCK", 3 * 4 * 3 * 2 * 8)
    recording = from_image(tmp_path / f"bold.{suffix}", mask, 2.0, first_sample=20)
    expected = image.get_fdata()[np.asarray(mask.dataobj) > 0].T
    np.testing.assert_allclose(recording.data, expected, rtol=1e-6)
    assert recording.target_names.tolist() == ["1,1,0", "1,1,1", "2,1,0", "2,1,1"]
    assert recording.positions[3].tolist() == [4, 2, 2]
    assert recording.times[[0, -1]].tolist() == [20, 38]


def test_a_long_series_is_mapped_from_the_cache_and_not_copied(tmp_path, image, mask, monkeypatch):
    nib.save(image, tmp_path / "bold.nii")
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    whole = from_image(tmp_path / "bold.nii", mask, 2.0)
    monkeypatch.setattr(series, "LARGEST_IN_MEMORY", 100)
    mapped = from_image(tmp_path / "bold.nii", mask, 2.0)
    np.testing.assert_array_equal(mapped.data, whole.data)
    assert isinstance(mapped.data.base, np.memmap)
    assert mapped.constant_targets == []
    (file,) = (tmp_path / "cache" / "series").glob("?" * 32 + ".npy")
    changed = file.stat().st_mtime_ns
    from_image(tmp_path / "bold.nii", mask, 2.0)
    assert file.stat().st_mtime_ns == changed
    one = mapped.select_targets("2,1,0")
    np.testing.assert_array_equal(one.data[:, 0], whole.data[:, 2])


def test_a_constant_target_of_a_mapped_recording_is_found(tmp_path, rng):
    data = rng.normal(size=(200, 3)).astype(np.float32)
    data[:, 1] = 5
    data[:, 2] = 0
    data[77, 2] = 1  # between the rows that are looked at first
    np.save(tmp_path / "a.npy", data)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    recording = Recording(mapped, ["a", "b", "c"], "fmri", "a.u.", times=range(200))
    assert recording.constant_targets == ["b"]


def test_regions_are_means_of_their_voxels(image, mask):
    numbers = np.zeros((4, 3, 2), dtype=np.int16)
    numbers[1, 1], numbers[2, 1], numbers[0, 0] = 7, 3, 9
    labels = nib.Nifti1Image(numbers, AFFINE)
    recording = from_image(image, mask, 2.0, labels=labels)
    assert recording.target_names.tolist() == ["3", "7"]
    np.testing.assert_allclose(
        recording.data[:, 1], image.get_fdata()[1, 1].mean(axis=0), rtol=1e-5
    )
    np.testing.assert_array_equal(recording.positions[1], [2, 2, 1])


def test_images_on_other_grids_are_refused(image, mask):
    other = nib.Nifti1Image(np.asarray(mask.dataobj), np.eye(4))
    with pytest.raises(ValueError, match=r"mask and image have one grid.*resample"):
        from_image(image, other, 2.0)
    empty = nib.Nifti1Image(np.zeros((4, 3, 2), dtype=np.uint8), AFFINE)
    with pytest.raises(ValueError, match="mask is empty"):
        from_image(image, empty, 2.0)
    with pytest.raises(ValueError, match="must be 4-D"):
        from_image(mask, mask, 2.0)


def test_an_image_says_its_sampling_interval_in_its_own_unit(tmp_path, rng):
    left, right = (tmp_path / f"{side}.func.gii" for side in "LR")
    for path in (left, right):
        save_surface(path, rng.normal(size=(5, 3)), step=2_000_000)
    with pytest.raises(ValueError, match=r"a volume every 2000 s is outside of 0\.05 to 20 s"):
        from_surfaces(left, right)
    recording = from_surfaces(left, right, sampling_interval=2.0)
    assert recording.times[1] == 2
    assert "sampling interval 2 s as declared; headers say 2000 s" in recording.notes


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_a_missing_word_is_not_the_word_nan(missing):
    words = pd.DataFrame({"word": ["a", missing, "b"]})
    responses = pd.DataFrame({"item": ["1"], "rt": [1.0]})
    with pytest.raises(ValueError, match=r"words\[1\] is missing .*keep_default_na=False"):
        from_tables(words, responses, language="en", modality="reading", unit="ms")


def test_arrays_become_words_and_responses():
    stimulus, recording = from_arrays(
        ["a", "dog"], [180.0, 240.0], language="en", modality="eye-tracking", unit="ms"
    )
    assert recording.items.tolist() == stimulus.item.tolist() == ["1", "2"]
    stimulus, recording = from_arrays(
        ["a", "dog"],
        np.ones((3, 2)),
        language="en",
        modality="fmri",
        unit="a.u.",
        onset=[0, 1],
        duration=[1, 1],
        times=[0, 2, 4],
        targets=["L", "R"],
    )
    assert recording.target_names.tolist() == ["L", "R"]
    with pytest.raises(ValueError, match="data has 3 samples for 2 words: give times"):
        from_arrays(["a", "b"], np.ones(3), language="en", modality="fmri", unit="a.u.")


def long_tables():
    words = pd.DataFrame({"word": ["a", "dog", "ran"], "item": ["1", "2", "3"]})
    trials = pd.DataFrame(
        {"who": ["B", "B", "A"], "item": [3, 1, 2], "gaze": [3.0, 1, 2], "note": "x"}
    )
    return words, trials


def test_a_long_table_becomes_a_recording_per_subject():
    kind = {"language": "en", "modality": "eye-tracking", "unit": "ms", "measures": ["gaze"]}
    words, trials = long_tables()
    stimulus, recordings = from_trials(words, trials, subject="who", **kind)
    assert stimulus.n_words == 3
    assert list(recordings) == ["B", "A"]
    assert recordings["B"].items.tolist() == ["1", "3"]
    assert recordings["B"].data.ravel().tolist() == [1, 3]
    with pytest.raises(ValueError, match=r"1 rows repeat an item of a subject.*'3' of 'B'"):
        from_trials(words, pd.concat([trials, trials[:1]]), subject="who", **kind)
    with pytest.raises(ValueError, match=r"lacks the columns \['subject'\]"):
        from_trials(words, trials, **kind)
    with pytest.raises(ValueError, match="items are not in the words"):
        from_trials(words[:2], trials, subject="who", **kind)
