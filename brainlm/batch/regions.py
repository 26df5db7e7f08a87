"""Scores of a study in the language regions of each subject, and in the whole network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainlm.batch.study_file import StudyFile
from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.stats.regions import functional_regions, region_means

if TYPE_CHECKING:
    import xarray


def regions_of_study(study: StudyFile, subject: str) -> tuple[np.ndarray, dict[int, str]]:
    """Return the functional regions of a subject's targets, (n_targets,), and their names.

    Parameters
    ----------
    study : StudyFile
        With ``brain`` (a mask), ``localizer`` and ``parcels``.
    subject : str

    Raises
    ------
    DataMissingError, CorruptDataError
        An image is not there, or on another grid; the brain is a parcellation; the localiser was
        estimated from runs of the study.
    """
    mask, place = _image("brain", study.brain_of(subject))
    contrast, _ = _image("localizer", _of(study.localizer, subject), place)
    parcels, _ = _image("parcels", _of(study.parcels, subject), place)
    if len(np.unique(mask[mask > 0])) > 1:
        raise CorruptDataError(
            "localizer: brain is a parcellation, but functional regions are made of voxels: give "
            "the mask of voxels as brain"
        )
    shared = sorted(set(study.localizer_runs) & set(study.run_labels(subject)))
    if shared:
        raise CorruptDataError(
            f"localizer_runs: runs {', '.join(shared)} are scored in this study; define regions on "
            "other runs, or their scores are high by choice"
        )
    inside = parcels[mask > 0]
    numbers = np.round(inside).astype(int)
    if not np.array_equal(numbers, inside):
        raise CorruptDataError(
            f"parcels: {study.parcels} has values that are no whole numbers: give numbered parcels"
        )
    if not (numbers > 0).any():
        raise CorruptDataError(f"parcels: {study.parcels} has no parcel inside of the brain image")
    found = functional_regions(contrast[mask > 0], numbers, share=study.region_share)
    return found, {int(n): f"parcel {n}" for n in np.unique(numbers) if n}


def region_scores(study: StudyFile, arrays: Mapping[str, xarray.Dataset]) -> pd.DataFrame:
    """Return the mean score of each subject and space in every region and in the network.

    Parameters
    ----------
    study : StudyFile
    arrays : mapping of str to xarray.Dataset
        From ``brainlm.batch.dask_tasks.collect``.
    """
    rows = []
    for subject in study.targets:
        regions, labels = regions_of_study(study, subject)
        score = arrays[f"scores_{subject}"].score.mean("fold").sel(space=study.spaces)
        means = region_means(score.transpose("space", "target").values, regions, labels)
        means.insert(0, "space", study.spaces)
        means.insert(0, "subject", subject)
        rows.append(means.melt(["subject", "space"], var_name="region", value_name=study.metric))
    return pd.concat(rows, ignore_index=True)


def _of(path: str | None, subject: str) -> str | None:
    return None if path is None else path.replace("{subject}", subject)


def _image(
    setting: str, path: str | None, same_as: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Values and place (shape and affine in one array) of an image, on the grid of the brain."""
    import nibabel as nib

    if path is None:
        raise CorruptDataError(
            f"{setting} is missing: functional regions need brain, localizer and parcels"
        )
    if not Path(path).is_file():
        raise DataMissingError(f"{setting}: {path}: no such file")
    image: Any = nib.load(path)
    values = np.asanyarray(image.dataobj)
    place = np.r_[values.shape[:3], image.affine.ravel()]
    if values.ndim != 3 or (same_as is not None and not np.allclose(place, same_as, atol=1e-3)):
        raise CorruptDataError(
            f"{setting}: {path} is on another grid than the brain image: resample it, "
            "nilearn.image.resample_to_img(..., interpolation='nearest')"
        )
    return values, place
