"""A small BIDS folder of one subject: bursts of words, and one voxel that follows them."""

from pathlib import Path

import nibabel as nib
import numpy as np

TR, N_SAMPLES, RUNS = 2.0, 150, ("1", "2", "3")
BEST = (1, 1, 0)  # the voxel that follows the words
CONFOUND = 5.0  # weight of a motion regressor in every voxel, where confounds are written


def write_bids(root: Path, rng: np.random.Generator, *, confounds: bool = False) -> Path:
    """Write three runs; one voxel follows two samples behind, the others are noise."""
    prepared = root / "derivatives" / "fmriprep" / "sub-01" / "func"
    raw = root / "sub-01" / "func"
    raw.mkdir(parents=True)
    prepared.mkdir(parents=True)
    for run in RUNS:
        counts = rng.integers(0, 5, N_SAMPLES - 5)  # words in each TR
        onsets = [TR * i + 0.4 * k for i, n in enumerate(counts) for k in range(n)]
        lines = [
            f"{onset:.1f}\t0.3\t{'word' if i % 2 else 'dog'}" for i, onset in enumerate(onsets)
        ]
        name = f"sub-01_task-story_run-{run}"
        (raw / f"{name}_events.tsv").write_text(
            "\n".join(["onset\tduration\tword", *lines]) + "\n", encoding="utf-8"
        )
        data = rng.normal(size=(2, 2, 2, N_SAMPLES))
        data[BEST][2 : N_SAMPLES - 3] += 2.0 * counts
        if confounds:
            data += CONFOUND * _motion(prepared / name, rng)
        image = nib.Nifti1Image(data.astype(np.float32), np.diag([8.0, 8, 8, 1]))
        image.header.set_zooms((8, 8, 8, TR))
        image.header.set_xyzt_units("mm", "sec")
        nib.save(image, prepared / f"{name}_space-MNI152_desc-preproc_bold.nii.gz")
        mask = nib.Nifti1Image(np.ones((2, 2, 2), dtype=np.uint8), np.diag([8.0, 8, 8, 1]))
        nib.save(mask, prepared / f"{name}_space-MNI152_desc-brain_mask.nii.gz")
    return root


def _motion(start: Path, rng: np.random.Generator) -> np.ndarray:
    """Write a table of motion as fMRIPrep does; return its first column, (N_SAMPLES,)."""
    values = rng.normal(size=(N_SAMPLES, 6))
    columns = {}
    names = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
    for name, series in zip(names, values.T, strict=True):
        change = np.r_[np.nan, np.diff(series)]
        columns |= {name: series, f"{name}_derivative1": change}
        columns |= {f"{name}_power2": series**2, f"{name}_derivative1_power2": change**2}
    table_of = np.column_stack(list(columns.values()))
    cells = [["n/a" if np.isnan(v) else f"{v:.6f}" for v in row] for row in table_of]
    rows = ["\t".join(columns), *map("\t".join, cells)]
    table = start.with_name(f"{start.name}_desc-confounds_timeseries.tsv")
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    table.with_suffix(".json").write_text("{}", encoding="utf-8")
    return values[:, 0]
