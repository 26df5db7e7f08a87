"""More small layouts to damage: each writes its files, and opening them gives shapes to compare."""

from __future__ import annotations

import gzip

import h5py
import joblib
import nibabel as nib
import numpy as np
import pyarrow
import pyarrow.parquet
from scipy.io import savemat
from support.images import save_cifti, save_surface
from support.layouts import textgrid
from support.recordings import save_events, save_raw

from brainlm.io import (
    read_bids,
    read_maps,
    read_meeg,
    read_patterns,
    read_word_pairs,
    read_word_times,
)
from brainlm.io.sheets import read_sheet
from brainlm.language_models.vector_files import read_vectors
from brainlm.language_models.word_vectors import _read_shipped

EVENTS = ("1.0\t0.5\tonce", "2.0\t0.4\tnull")
HEADER = "onset\tduration\tword"
PATTERNS = {"data": "x", "language": "en", "modality": "fmri", "unit": "a.u."}


def sizes(opened):
    """Return what must not change: the shape of responses and the number of words."""
    stimulus, recording = opened
    if recording is None:
        return (stimulus.n_words, len(stimulus.runs))
    assert np.isfinite(recording.data).all()
    return (*recording.data.shape, stimulus.n_words)


def bids_options(pattern):
    return {"pattern": pattern, "language": "en", "word": "word", "unit": "a.u."}


def cifti(folder):
    save_cifti(folder / "sub-1_bold.dtseries.nii", np.random.default_rng(0))
    save_events(folder / "sub-1_events.tsv", EVENTS, HEADER)


def open_cifti(folder):
    return sizes(read_bids(folder, "1", **bids_options("sub-{subject}_bold.dtseries.nii")))


def gifti(folder):
    rng = np.random.default_rng(0)
    for side, name in (("L", "CortexLeft"), ("R", "CortexRight")):
        path = folder / f"sub-1_hemi-{side}_bold.func.gii"
        save_surface(path, rng.normal(size=(6, 3)), name)
    save_events(folder / "sub-1_events.tsv", EVENTS, HEADER)


def open_gifti(folder):
    pattern = "sub-{subject}_hemi-{hemisphere}_bold.func.gii"
    return sizes(read_bids(folder, "1", **bids_options(pattern)))


def mat_plain(folder):
    labels = np.empty((3, 1), dtype=object)
    labels[:, 0] = ["Bees sting.", "Run!", "Go."]
    x = np.random.default_rng(0).normal(size=(3, 4))
    savemat(folder / "1.mat", {"x": x, "labels": labels})


def open_mat_plain(folder):
    return sizes(read_patterns(folder, "1", pattern="{subject}.mat", labels="labels", **PATTERNS))


def mat_new(folder):
    path = folder / "times.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        references = np.empty((1, 3), dtype=h5py.ref_dtype)
        for i, word in enumerate(("once", "null", "a")):
            codes = np.array([[ord(c)] for c in word], dtype=np.uint16)
            entry = file.create_dataset(f"#refs#/{i}", data=codes, fletcher32=True)
            entry.attrs["MATLAB_class"] = np.bytes_("char")
            references[0, i] = entry.ref
        file.create_dataset("word", data=references, dtype=h5py.ref_dtype)
        file["word"].attrs["MATLAB_class"] = np.bytes_("cell")
        for name, values in (("onset", [0.0, 1, 2]), ("offset", [0.5, 1.5, 2.5])):
            file.create_dataset(name, data=np.array([values]))
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")


def open_mat_new(folder):
    return sizes(read_word_times(folder, files=["times.mat"], language="en"))


def pairs(folder):
    (folder / "pairs.csv").write_text("word1,word2,similarity\ntiger,cat,7.35\ncat,nan,0.5\n")


def open_pairs(folder):
    found = read_word_pairs(folder, path="pairs.csv", language="en", unit="0-10")
    assert np.isfinite(found.similarity).all()
    return (found.n_pairs,)


def word_times(folder):
    table = ",word,onset,offset\n0,当,0.0,0.18\n1,null,0.5,0.7\n"
    (folder / "a.csv").write_text(table, encoding="utf-8")
    (folder / "b.csv").write_text(table, encoding="utf-16")


def open_word_times(folder):
    return sizes(read_word_times(folder, files=["a.csv", "b.csv"], language="zh"))


def grids(folder):
    (folder / "a.TextGrid").write_text(textgrid())
    (folder / "b.TextGrid").write_text(textgrid(style="short"), encoding="utf-16")


def open_grids(folder):
    return sizes(read_word_times(folder, files=["a.TextGrid", "b.TextGrid"], language="en"))


def maps(folder):
    volume = np.zeros((3, 4, 2), dtype=np.float32)
    volume[1, 2] = [1.5, -2]
    nib.save(nib.Nifti1Image(volume, np.eye(4)), folder / "a.nii")
    nib.save(nib.Nifti1Image((volume != 0).astype(np.uint8), np.eye(4)), folder / "mask.nii.gz")
    nib.save(nib.MGHImage(volume, np.eye(4)), folder / "b.mgz")


def open_maps(folder):
    found = [
        read_maps(folder, files=["a.nii"], mask="mask.nii.gz", shape=[3, 4, 2], unit="z"),
        read_maps(folder, files=["b.mgz"], shape=[3, 4, 2], unit="z"),
    ]
    return tuple(each.n_maps for each in found)


def joblib_maps(folder):
    mask = np.ones((2, 2, 2), dtype=np.uint8)
    nib.save(nib.Nifti1Image(mask, np.eye(4)), folder / "mask.nii.gz")
    with gzip.open(folder / "isc.gz", "wb") as file:
        joblib.dump(np.random.default_rng(0).normal(size=(2, 8)), file)


def open_joblib_maps(folder):
    return read_maps(folder, files=["isc.gz"], mask="mask.nii.gz", unit="r").data.shape[:1]


def npz(folder):
    names = {"rows": np.array(["a", "b", "c"]), "columns": np.array(["x", "y"])}
    matrix = np.random.default_rng(0).normal(size=(3, 2))
    np.savez_compressed(folder / "a.npz", matrix=matrix, **names)


def open_npz(folder):
    sheet = read_sheet(folder / "a.npz")
    return (len(sheet.rows), len(sheet.header))


def npy(folder):
    np.save(folder / "v.npy", np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))
    words = pyarrow.table({"word": ["a", "b", "c", "null"]})
    pyarrow.parquet.write_table(words, folder / "w.parquet")


def open_npy(folder):
    words, vectors = _read_shipped(folder)
    return (len(words), *vectors.shape)


def vectors(folder):
    (folder / "v.txt").write_text("the 1 0.5\ndog 2 0\nnull 3 1e-3\n")


def open_vectors(folder):
    words, values = read_vectors(folder / "v.txt")
    return (len(words), *values.shape)


def fif(folder):
    save_raw(folder / "sub-1_meg.fif", [1.0, 3.5], seconds=6.0)
    save_events(folder / "sub-1_events.tsv", ["1.0\t0.2\tonce", "3.5\t0.2\tnull"], HEADER)


def open_fif(folder):
    return sizes(
        read_meeg(
            folder,
            "1",
            pattern="sub-{subject}_meg.fif",
            sidecars=False,
            channels="mag",
            language="en",
            events={"word": "word"},
            epochs={"tmin": -0.1, "tmax": 0.1},
        )
    )


MORE = {
    "cifti": (cifti, open_cifti),
    "gifti": (gifti, open_gifti),
    "mat": (mat_plain, open_mat_plain),
    "mat 7.3": (mat_new, open_mat_new),
    "pairs": (pairs, open_pairs),
    "word times": (word_times, open_word_times),
    "TextGrids": (grids, open_grids),
    "maps": (maps, open_maps),
    "joblib maps": (joblib_maps, open_joblib_maps),
    "npz": (npz, open_npz),
    "npy": (npy, open_npy),
    "vectors": (vectors, open_vectors),
    "fif": (fif, open_fif),
}
