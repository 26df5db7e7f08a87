"""MATLAB files of version 7.3, which are HDF5."""

from __future__ import annotations

import h5py
import numpy as np


def write_new(path, words, name="word", **columns):
    """Write lists as MATLAB does in v7.3: transposed numbers, cells as references to UTF-16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        references = np.empty((1, len(words)), dtype=h5py.ref_dtype)
        for i, word in enumerate(words):
            codes = np.frombuffer(word.encode("utf-16-le"), dtype=np.uint16)[:, None]
            entry = file.create_dataset(f"#refs#/{i}", data=codes)
            entry.attrs["MATLAB_class"] = np.bytes_("char")
            references[0, i] = entry.ref
        file.create_dataset(name, data=references, dtype=h5py.ref_dtype)
        file[name].attrs["MATLAB_class"] = np.bytes_("cell")
        for key, values in columns.items():
            file.create_dataset(key, data=np.array([values]))
            file[key].attrs["MATLAB_class"] = np.bytes_("double")
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")
