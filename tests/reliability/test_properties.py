"""Properties of readers: written and read is the same, cut off is an error, order is kept."""

import json
import tempfile
import warnings
from pathlib import Path

import h5py
import mne
import nibabel as nib
import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat
from support.families import FAMILIES, edf
from support.images import save_cifti
from support.recordings import save_events

from brainlm.compute.lazy_arrays import read_stored
from brainlm.errors import CorruptDataError
from brainlm.io import (
    read_bids,
    read_epoch_files,
    read_meeg,
    read_tables,
    read_word_pairs,
    read_word_times,
)
from brainlm.io.matlab import read_mat
from brainlm.results.bundle import load_bundle, save_bundle

QUICK = settings(max_examples=15, derandomize=True, deadline=None, database=None)
LETTERS = st.characters(categories=("L", "N", "P"), exclude_characters='{}"')
WORDS = st.lists(st.text(LETTERS, min_size=1, max_size=8), min_size=2, max_size=12)
SINGLE = st.floats(-1e6, 1e6, width=32)
# Lines of text may end early without any fault, and BrainVision's samples have no declared length.
OPEN_ENDED = (".tsv", ".csv", ".txt", ".vhdr", ".eeg")


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def folder():
    return tempfile.TemporaryDirectory()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_file_that_is_cut_off_is_an_error(family, tmp_path, rng):
    family.write(tmp_path)
    whole = family.read(tmp_path)
    paths = [p for p in sorted(tmp_path.rglob("*")) if p.is_file() and family.takes(p)]
    for path in (path for path in paths if path.suffix not in OPEN_ENDED):
        content = path.read_bytes()
        for end in {0, *rng.integers(len(content), size=5).tolist(), len(content) - 1}:
            path.write_bytes(content[:end])
            try:
                found = family.read(tmp_path)
            except (ValueError, FileNotFoundError):
                continue
            assert found == whole, f"{path.name} cut off after {end} of {len(content)} bytes"
        path.write_bytes(content)


@pytest.mark.parametrize("n_lost", [1, 2, 3, 4, 8])
def test_brainvision_that_ends_within_a_sample_is_an_error(tmp_path, n_lost):
    family = next(each for each in FAMILIES if each.name == "BrainVision")
    family.write(tmp_path)
    path = tmp_path / "sub-1_eeg.eeg"
    path.write_bytes(path.read_bytes()[:-n_lost])
    if n_lost % 4:
        with pytest.raises(
            CorruptDataError, match=r"sub-1_eeg\.vhdr.*not whole samples of 4 bytes"
        ):
            family.read(tmp_path)
    else:
        family.read(tmp_path)  # a shorter recording, which holds all words


@QUICK
@given(WORDS)
def test_words_of_events_are_read_as_they_were_written(words):
    with folder() as name:
        base = Path(name)
        save_cifti(base / "sub-1_bold.dtseries.nii", np.random.default_rng(0), 20)
        rows = [f"{2 * i}.5\t0.25\t{word}" for i, word in enumerate(words)]
        save_events(base / "sub-1_events.tsv", rows, "onset\tduration\tword")
        options = {"language": "en", "word": "word", "unit": "a.u."}
        stimulus, _ = read_bids(base, "1", pattern="sub-{subject}_bold.dtseries.nii", **options)
    assert stimulus.words.tolist() == words
    assert stimulus.onset.tolist() == [2 * i + 0.5 for i in range(len(words))]


@QUICK
@given(WORDS, st.randoms(use_true_random=False))
def test_rows_in_another_order_are_the_same_rows_in_that_order(words, random):
    words = [f"{word}{i}" for i, word in enumerate(words)]
    values = [float(i) for i in range(len(words))]
    rows = list(zip(words, values, strict=True))
    random.shuffle(rows)
    table = {"path": "x.tsv", "word": "word", "columns": ["a"]}
    with folder() as name:
        lines = [f"{word}\t{value}" for word, value in rows]
        (Path(name) / "x.tsv").write_text("\n".join(["word\ta", *lines]), encoding="utf-8")
        stimulus, ratings = read_tables(Path(name), language="en", unit="1", tables=[table])
        (Path(name) / "p.tsv").write_text(
            "\n".join(["word1\tword2\tsimilarity", *(f"{w}\tx\t{v}" for w, v in rows)]), "utf-8"
        )
        pairs = read_word_pairs(Path(name), path="p.tsv", language="en", unit="1")
    assert stimulus.words.tolist() == [word for word, _ in rows]
    assert ratings.data[:, 0].tolist() == [value for _, value in rows]
    assert pairs.similarity.tolist() == [value for _, value in rows]


@QUICK
@given(st.permutations(range(4)))
def test_words_out_of_order_are_an_error_or_sorted(order):
    lines = [f"{w},{t},{t + 0.5}" for t, w in enumerate(["once", "upon", "a", "time"])]
    with folder() as name:
        text = "\n".join(["word,onset,offset", *(lines[i] for i in order)])
        (Path(name) / "x.csv").write_text(text)
        try:
            stimulus, _ = read_word_times(Path(name), files=["x.csv"], language="en")
        except CorruptDataError as error:
            assert "x.csv" in str(error)  # noqa: PT017 - either is right
            assert list(order) != [0, 1, 2, 3]
        else:
            assert stimulus.words.tolist() == ["once", "upon", "a", "time"]


@QUICK
@given(st.permutations(["trans_x", "rot_z", "other"]), st.integers(0, 9))
def test_columns_of_confounds_in_another_order_change_nothing(order, seed):
    rng = np.random.default_rng(seed)
    values = dict(zip(["trans_x", "rot_z", "other"], rng.normal(size=(3, 8)), strict=True))
    found = []
    for names in (["trans_x", "rot_z", "other"], order):
        with folder() as name:
            base = Path(name)
            save_cifti(base / "sub-1_bold.dtseries.nii", np.random.default_rng(0), 8)
            save_events(base / "sub-1_events.tsv", ["1.0\t0.2\tonce"], "onset\tduration\tword")
            rows = ["\t".join(repr(float(values[n][i])) for n in names) for i in range(8)]
            (base / "c.tsv").write_text("\n".join(["\t".join(names), *rows]))
            options = {"language": "en", "word": "word", "unit": "a.u.", "confounds": "c.tsv"}
            pattern = "sub-{subject}_bold.dtseries.nii"
            options |= {"regress_out": ["trans_x", "rot_z"], "pattern": pattern}
            found.append(read_bids(base, "1", **options)[1].data)
    np.testing.assert_array_equal(*found)


@QUICK
@given(st.lists(SINGLE, min_size=6, max_size=6))
def test_values_of_every_kind_of_array_survive(values):
    array = np.array(values, dtype=np.float32).reshape(2, 3)
    with folder() as name:
        base = Path(name)
        np.save(base / "x.npy", array)
        with h5py.File(base / "x.h5", "w") as file:
            file["x"] = array
        savemat(base / "x.mat", {"x": array})
        dataset = xarray.Dataset({"x": (("a", "b"), array)}, attrs={"note": "ä\n时"})
        save_bundle(base / "out", analysis="t", arrays={"x": dataset}, config={}, inputs={})
        bundle = load_bundle(base / "out").arrays["x"]
        for found in (
            read_stored(str(base / "x.npy")),
            read_stored(f"{base / 'x.h5'}:x"),
            read_mat(base / "x.mat")["x"],
            bundle["x"].values,
        ):
            assert found.tobytes() == array.tobytes()
        assert bundle.attrs == {"note": "ä\n时"}


@QUICK
@given(st.integers(0, 99))
def test_samples_of_cifti_fif_and_edf_survive(seed):
    rng = np.random.default_rng(seed)
    with folder() as name:
        base = Path(name)
        save_events(base / "sub-1_events.tsv", ["1.0\t0.2\tonce"], "onset\tduration\tword")
        written = save_cifti(base / "sub-1_bold.dtseries.nii", rng)
        options = {"language": "en", "word": "word", "unit": "a.u."}
        pattern = "sub-{subject}_bold.dtseries.nii"
        assert (read_bids(base, "1", pattern=pattern, **options)[1].data == written).all()
        info = mne.create_info(["Fz", "Pz"], 50.0, "eeg")
        samples = rng.normal(size=(2, 200)) * 1e-5
        raw = mne.io.RawArray(samples, info, verbose="error")
        raw.save(base / "sub-1_eeg.fif", verbose="error")
        options = {"sidecars": False, "channels": "eeg", "language": "en"}
        options |= {"events": {"word": "word"}}
        _, found = read_meeg(base, "1", pattern="sub-{subject}_eeg.fif", **options)
        np.testing.assert_allclose(found.data.T, samples, rtol=1e-6)
        edf(base / "sub-1_eeg.edf")
        _, found = read_meeg(base, "1", pattern="sub-{subject}_eeg.edf", **options)
        counts = np.frombuffer((base / "sub-1_eeg.edf").read_bytes()[256 * 3 :], "<i2")
        counts = counts.reshape(10, 2, 50).transpose(0, 2, 1).reshape(-1, 2)
        volts = ((counts + 32768.0) * 6554 / 65535 - 3277) * 1e-6
        np.testing.assert_allclose(found.data, volts, atol=1e-11)


@QUICK
@given(WORDS)
def test_metadata_of_epochs_and_records_of_bundles_survive(words):
    import pandas as pd

    with folder() as name:
        base = Path(name)
        info = mne.create_info(["Fz"], 50.0, "eeg")
        n = len(words)
        events = np.column_stack([np.arange(n) * 50 + 10, np.zeros(n, int), np.ones(n, int)])
        data = np.random.default_rng(0).normal(size=(n, 1, 5)) * 1e-6
        epochs = mne.EpochsArray(data, info, events, tmin=-0.02, verbose="error")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            epochs.metadata = pd.DataFrame({"word": words})
            epochs.save(base / "s1-epo.fif", verbose="error")
        options = {"pattern": "s{subject}-epo.fif", "channels": "eeg", "word": "word"}
        stimulus, recording = read_epoch_files(base, "1", language="en", **options)
        assert stimulus.words.tolist() == words
        np.testing.assert_allclose(recording.data, data[:, 0], rtol=1e-6)
        save_bundle(base / "out", analysis="t", arrays={}, config={"w": words}, inputs={})
        assert load_bundle(base / "out").record["config"] == {"w": words}


def test_images_of_every_type_survive(tmp_path, rng):
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), tmp_path / "mask.nii")
    save_events(tmp_path / "sub-1_events.tsv", ["1.0\t0.2\tonce"], "onset\tduration\tword")
    for kind in (np.int16, np.uint8, np.float32, np.float64):
        values = (50 + 20 * rng.normal(size=(2, 2, 2, 6))).astype(kind)
        image = nib.Nifti1Image(values, np.eye(4))
        image.header.set_zooms((1, 1, 1, 2))
        image.header.set_xyzt_units("mm", "sec")
        nib.save(image, tmp_path / "sub-1_bold.nii.gz")
        given = {"pattern": "sub-{subject}_bold.nii.gz", "mask": "mask.nii", "language": "en"}
        _, found = read_bids(tmp_path, "1", word="word", unit="a.u.", **given)
        np.testing.assert_array_equal(found.data.T, values.reshape(8, 6).astype(np.float32))


def test_participants_and_keys_in_another_order_change_nothing(tmp_path):
    family = next(each for each in FAMILIES if each.name.startswith("participants"))
    family.write(tmp_path)
    whole = family.read(tmp_path)
    head, *rows = (tmp_path / "participants.tsv").read_text().splitlines()
    (tmp_path / "participants.tsv").write_text("\n".join([head, *rows[::-1]]) + "\n")
    for path in tmp_path.rglob("*.json"):
        path.write_text(json.dumps(dict(reversed(json.loads(path.read_text()).items()))))
    assert family.read(tmp_path) == whole
    (path,) = tmp_path.rglob("*_channels.tsv")
    head, *rows = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([head, *rows[::-1]]) + "\n", encoding="utf-8")
    with pytest.raises(CorruptDataError, match="Channel mismatch"):  # no guess which is right
        family.read(tmp_path)
