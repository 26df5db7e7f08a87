"""A small study on disk: one array in each kind of storage."""

import h5py
import numpy as np
import zarr

RUNS = np.repeat(["one", "two", "three"], 40).astype(object)


def write_study(folder, noise=0.5):
    """Two subjects; the responses follow space A and not space B."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 6))
    np.save(folder / "a.npy", X)
    for subject in ("S1", "S2"):
        np.save(folder / f"b_{subject}.npy", rng.standard_normal((120, 4)))
    first = X @ rng.standard_normal((6, 12)) + noise * rng.standard_normal((120, 12))
    second = X @ rng.standard_normal((6, 9)) + noise * rng.standard_normal((120, 9))
    zarr.create_array(str(folder / "S1.zarr"), data=first, chunks=(60, 4))
    with h5py.File(folder / "S2.h5", "w") as file:
        file["data"] = second.astype(np.float32)
        file["other"] = np.ones(3)
        file["runs"] = RUNS.astype("S5")
    path = folder / "study.toml"
    path.write_text(
        'folds = "runs"\n'
        'runs = "S2.h5:runs"\n'
        '[features]\nA = "a.npy"\nB = "b_{subject}.npy"\n'
        '[targets]\nS1 = "S1.zarr"\nS2 = "S2.h5:data"\n'
    )
    return path
