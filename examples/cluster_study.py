"""
A study on several processes
============================

Feature spaces and responses lie in files; workers read them, and every finished task is a file of
its own, so that a killed run goes on where it was. The same call takes the address of a scheduler
or ``slurm:40``.
"""

# sphinx_gallery_thumbnail_path = 'layer_curve.png'

import tempfile
from pathlib import Path

import h5py
import numpy as np

from brainlm.batch.dask_tasks import collect, hash_inputs, leakage_notes, open_cluster, run_study
from brainlm.batch.study_reading import read_study

if __name__ == "__main__":  # the processes of a local cluster import this file
    rng = np.random.default_rng(0)
    folder = Path(tempfile.mkdtemp())
    layers = {f"layer {k}": rng.standard_normal((300, 30)).astype("float32") for k in (1, 2)}
    with h5py.File(folder / "features.h5", "w") as file:
        for name, values in layers.items():
            file[name] = values
    for subject in ("S1", "S2"):
        Y = np.roll(layers["layer 2"], 2, axis=0) @ rng.standard_normal((30, 400)) / 3
        np.save(folder / f"{subject}.npy", (Y + rng.standard_normal(Y.shape)).astype("float32"))
    (folder / "study.toml").write_text(
        "delays = [1, 2, 3]\ntargets_per_task = 200\n[features]\n"
        '"layer 1" = "features.h5:layer 1"\n"layer 2" = "features.h5:layer 2"\n'
        '[targets]\nS1 = "S1.npy"\nS2 = "S2.npy"\n'
    )
    study = read_study(folder / "study.toml")
    hashes = hash_inputs(study)
    with open_cluster("local:2") as client:
        paths = run_study(study, folder / "parts", hashes, client=client)
    arrays, _ = collect(study, paths)
    for name, scores in arrays.items():
        print(name, {s: round(float(scores.score.sel(space=s).mean()), 3) for s in study.spaces})
    print(*leakage_notes(arrays), sep="\n")
