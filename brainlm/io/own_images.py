"""Your own images as Recordings: volumes, CIFTI and surfaces."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.io.images import (
    ImageSeries,
    changing,
    check_sampling_interval,
    load_image,
    open_cifti,
    open_surfaces,
    open_volumes,
    other_header,
)
from brainlm.storage.long_recordings import stack_blocks

if TYPE_CHECKING:
    pass


def from_image(
    image: Any,
    mask: Any,
    sampling_interval: float,
    *,
    labels: Any = None,
    first_sample: float = 0.0,
    run: str = "1",
    subject: str = "group",
    unit: str = "BOLD (a.u.)",
) -> Recording:
    """Make a recording from a 4-D image and a mask; volumes are read in blocks.

    Parameters
    ----------
    image : path or nibabel image of shape (n_x, n_y, n_z, n_samples)
    mask : path or nibabel image of shape (n_x, n_y, n_z)
        Voxels above 0 are kept, or averaged by region where ``labels`` are given.
    sampling_interval : float
        Seconds between volumes (TR).
    labels : path or nibabel image, optional
        Region number of each voxel, 0 outside; targets are then the means of regions.
    first_sample : float
        Time of the first volume on the clock of the words.
    run, subject, unit : str
        As in `Recording`.

    Returns
    -------
    Recording
        Modality ``"fmri"``; targets are voxels named by their indices ("x,y,z"), with positions in
        millimetres, or region numbers.

    Raises
    ------
    ValueError
        When grids differ, or the mask is empty.

    Examples
    --------
    >>> import nibabel
    >>> rng = np.random.default_rng(0)
    >>> image = nibabel.Nifti1Image(rng.standard_normal((4, 4, 4, 10)).astype("float32"), np.eye(4))
    >>> mask = nibabel.Nifti1Image(np.ones((4, 4, 4), "uint8"), np.eye(4))
    >>> brainlm.from_image(image, mask, 2.0).data.shape
    (10, 64)
    """
    series = open_volumes(image, mask, labels)
    return _from_series(
        series,
        sampling_interval,
        (mask, labels),
        first_sample=first_sample,
        run=run,
        subject=subject,
        unit=unit,
    )


def from_cifti(
    image: Any,
    *,
    sampling_interval: float | None = None,
    first_sample: float = 0.0,
    run: str = "1",
    subject: str = "group",
    unit: str = "BOLD (a.u.)",
) -> Recording:
    """Make a recording from a CIFTI time series (``.dtseries.nii``), read in blocks.

    Parameters
    ----------
    image : path or nibabel image
    sampling_interval : float, optional
        Seconds between samples. Default: what the file says.
    first_sample, run, subject, unit
        As in `from_image`.

    Returns
    -------
    Recording
        Targets are grayordinates, such as "CORTEX_LEFT 5" and "THALAMUS_LEFT 3,4,5".

    Examples
    --------
    >>> recording = brainlm.from_cifti("sub-01_bold.dtseries.nii")  # doctest: +SKIP
    """
    series = open_cifti(image)
    return _from_series(
        series,
        sampling_interval,
        (),
        first_sample=first_sample,
        run=run,
        subject=subject,
        unit=unit,
    )


def from_surfaces(
    left: Any,
    right: Any,
    *,
    sampling_interval: float | None = None,
    first_sample: float = 0.0,
    run: str = "1",
    subject: str = "group",
    unit: str = "BOLD (a.u.)",
) -> Recording:
    """Make a recording from GIFTI time series of both hemispheres (``.func.gii``).

    Vertices without data (NaN, or one value throughout: the medial wall) are left out and counted
    in the notes.

    Parameters
    ----------
    left, right : path or nibabel image
    sampling_interval : float, optional
        Seconds between samples. Default: the ``TimeStep`` of the file.
    first_sample, run, subject, unit
        As in `from_image`.

    Returns
    -------
    Recording
        Targets are vertices, such as "left 5".

    Examples
    --------
    >>> recording = brainlm.from_surfaces("lh.func.gii", "rh.func.gii")  # doctest: +SKIP
    """
    series = open_surfaces(left, right)
    kept = changing([series])
    recording = _from_series(
        series.select(kept),
        sampling_interval,
        (),
        first_sample=first_sample,
        run=run,
        subject=subject,
        unit=unit,
    )
    n_empty = int((~kept).sum())
    return recording.noted(
        *([Note(f"{n_empty} vertices without data left out", "excluded")] if n_empty else [])
    )


def _from_series(
    series: ImageSeries,
    sampling_interval: float | None,
    read_with: tuple[Any, ...],
    *,
    first_sample: float,
    run: str,
    subject: str,
    unit: str,
) -> Recording:
    step = series.sampling_interval if sampling_interval is None else sampling_interval
    if step is None:
        raise ValueError("sampling_interval: the file does not say it, so give it (in seconds)")
    if sampling_interval is None:
        check_sampling_interval(step)
    shape = (series.n_samples, len(series.targets))
    if series.sources:
        key = (series.names, [_digest(each) for each in read_with])
        data = stack_blocks(series.blocks(), shape, series.sources, key)
    else:  # made in memory, so it fits there
        data = np.concatenate(list(series.blocks())).astype(np.float32)
    return Recording(
        data,
        targets=series.targets,
        modality="fmri",
        unit=unit,
        times=first_sample + step * np.arange(series.n_samples),
        run=[run] * series.n_samples,
        subject=subject,
        notes=other_header([series], step),
    )


def _digest(image: Any) -> str:
    """Name the values of a mask or of labels, by which a cached series is found."""
    if image is None:
        return ""
    values = np.asanyarray(load_image(image).dataobj)
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
