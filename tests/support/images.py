"""Small CIFTI and GIFTI time series, as fMRIPrep and the HCP pipelines write them."""

from __future__ import annotations

import nibabel as nib
import numpy as np
from nibabel.cifti2 import BrainModelAxis, SeriesAxis

N_GRAYORDINATES = 5


def save_cifti(path, rng, n_samples=8, step=2.0, unit="SECOND"):
    """Two cortical vertices on the left, one on the right, two thalamic voxels; return values."""
    grid = np.zeros((3, 3, 3), dtype=bool)
    grid[1, 1, 1:] = True
    cortex = [
        BrainModelAxis.from_mask(np.array(kept, dtype=bool), name=f"CIFTI_STRUCTURE_CORTEX_{side}")
        for kept, side in (([1, 0, 1], "LEFT"), ([0, 1, 0], "RIGHT"))
    ]
    deep = BrainModelAxis.from_mask(
        grid, affine=np.diag([2.0, 2, 2, 1]), name="CIFTI_STRUCTURE_THALAMUS_LEFT"
    )
    data = rng.normal(size=(n_samples, N_GRAYORDINATES)).astype(np.float32)
    axes = (SeriesAxis(0, step, n_samples, unit=unit), cortex[0] + cortex[1] + deep)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Cifti2Image(data, axes), path)
    return data


def save_surface(path, data, structure=None, step=2000.0):
    """Write (n_samples, n_vertices) as one array per sample, as fMRIPrep does."""
    meta = {"TimeStep": str(step)}
    arrays = [
        nib.gifti.GiftiDataArray(
            row.astype(np.float32), intent="NIFTI_INTENT_TIME_SERIES", meta=meta
        )
        for row in data
    ]
    about = {} if structure is None else {"AnatomicalStructurePrimary": structure}
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.GiftiImage(darrays=arrays, meta=nib.gifti.GiftiMetaData(about)), path)
