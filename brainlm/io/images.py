"""Time series in image files: volumes, CIFTI and surfaces, opened without reading them.

Only headers are read on opening (a GIFTI surface, which is text, is read whole); the values come in
blocks of samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainlm.compute.memory import check_declared
from brainlm.data.target_table import region_targets, voxel_targets
from brainlm.io.gifti import check_gifti

BLOCK = 1 << 26  # bytes of an image that are read at a time
SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}  # units of NIfTI
PLAUSIBLE = (0.05, 20.0)  # seconds between volumes
HEMISPHERES = {"L": "left", "R": "right"}


@dataclass(frozen=True)
class ImageSeries:
    """An opened time series of shape (n_samples, n_targets).

    Attributes
    ----------
    sources : sequence of path
        The files; none for an image that was made in memory.
    n_samples : int
    targets : DataFrame
        Table of the targets: voxels (``i, j, k``), grayordinates and vertices (``region`` and
        number), or regions. ``x, y, z`` in millimetres; vertices have none without their mesh.
    sampling_interval : float, optional
        Seconds, as the header says.
    blocks : callable
        Gives the values again with each call, as an iterator over arrays of rows.
    """

    sources: tuple[Path, ...]
    n_samples: int
    targets: pd.DataFrame
    sampling_interval: float | None
    blocks: Callable[[], Iterator[np.ndarray]]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the targets."""
        return tuple(self.targets["name"])

    def same_targets(self, other: ImageSeries) -> bool:
        """Whether both series have the same targets in the same order."""
        mine, theirs = self.targets, other.targets
        return mine is theirs or mine["name"].tolist() == theirs["name"].tolist()

    def select(self, kept: np.ndarray) -> ImageSeries:
        """Return the series of some targets (a mask)."""
        if kept.all():
            return self
        return ImageSeries(
            self.sources,
            self.n_samples,
            self.targets[kept],
            self.sampling_interval,
            lambda: (block[:, kept] for block in self.blocks()),
        )


def load_image(image: Any) -> Any:
    """Return a nibabel image; a path is opened, its header checked against the size of the file."""
    import nibabel as nib

    if not isinstance(image, (str, Path)):
        return image
    # The file stays open, so that a compressed one is read once through and not again per block.
    is_gifti = str(image).endswith(".gii")
    if is_gifti and Path(image).is_file():
        check_gifti(Path(image))
    options = {} if is_gifti else {"keep_file_open": True}
    loaded: Any = nib.load(image, **options)
    if loaded.get_filename() is None:  # nibabel forgets it for GIFTI
        loaded.set_filename(str(image))
    if hasattr(loaded, "shape"):
        n_values = int(np.prod(np.array(loaded.shape, dtype=object)))
        check_declared(Path(image), n_values * loaded.get_data_dtype().itemsize)
    return loaded


def template_mask(image: Any) -> Any:
    """Return which voxels of an image in MNI space are in the brain of the MNI152 template.

    The mask that ships with nilearn (`nilearn.datasets.load_mni152_brain_mask`) on the grid of the
    image, each voxel as the nearest one of the template; nothing of the image but its grid is used.

    Parameters
    ----------
    image : path or nibabel image of shape (n_x, n_y, n_z, ...)

    Raises
    ------
    ValueError
        No voxel lies in that brain: the image is not in MNI space, or covers none of it.
    """
    image = load_image(image)
    return _template_mask(tuple(image.shape[:3]), tuple(map(float, image.affine.ravel())))


@lru_cache(maxsize=4)  # the runs of a subject share a grid
def _template_mask(shape: tuple[int, ...], affine: tuple[float, ...]) -> Any:
    import nibabel as nib
    from nilearn.datasets import load_mni152_brain_mask
    from nilearn.image import resample_to_img

    grid = nib.Nifti1Image(np.zeros(shape, dtype=np.uint8), np.reshape(affine, (4, 4)))
    brain = load_mni152_brain_mask(resolution=1)
    try:
        mask: Any = resample_to_img(
            brain, grid, interpolation="nearest", force_resample=True, copy_header=True
        )
    except ValueError:  # the grids do not meet at all
        mask = grid
    if not np.asanyarray(mask.dataobj).any():
        raise ValueError(
            f"no voxel of the grid {shape} is in the brain of the MNI152 template: is the image "
            "in MNI space? Give a mask of its own space otherwise"
        )
    return mask


def _source(image: Any) -> tuple[Path, ...]:
    name = image.get_filename()
    return () if name is None else (Path(name),)


def open_volumes(image: Any, mask: Any, labels: Any = None) -> ImageSeries:
    """Open a 4-D image through a mask; with labels, as the means of regions.

    Parameters
    ----------
    image : path or nibabel image of shape (n_x, n_y, n_z, n_samples)
    mask, labels : path or nibabel image of shape (n_x, n_y, n_z)
        Voxels above 0 are kept; region number of each voxel, 0 outside.

    Raises
    ------
    ValueError
        When grids differ, or the mask is empty.
    """
    image, mask = load_image(image), load_image(mask)
    if len(image.shape) != 4:
        raise ValueError(f"image must be 4-D (volumes over time), got shape {image.shape}")
    _check_same_grid(image, mask, "mask")
    kept = np.asanyarray(mask.dataobj).squeeze() > 0
    regions = None
    if labels is not None:
        labels = load_image(labels)
        _check_same_grid(image, labels, "labels")
        numbers = np.asanyarray(labels.dataobj).squeeze()
        kept = kept & (numbers > 0)
        regions = numbers[kept]
    if not kept.any():
        raise ValueError("mask is empty: no voxel is above 0 (and has a label)")
    if regions is None:
        targets = _voxel_table(
            kept.tobytes(), kept.shape, np.asarray(image.affine, float).tobytes()
        )
    else:
        numbers = np.unique(regions)
        places = _places(np.argwhere(kept), image.affine)
        centres = np.stack([places[regions == r].mean(axis=0) for r in numbers])
        targets = region_targets(numbers).assign(**dict(zip("xyz", centres.T, strict=True)))
    return ImageSeries(
        _source(image),
        image.shape[3],
        targets,
        _time_step(image.header),
        lambda: _masked_blocks(image, kept, regions),
    )


def _places(voxels: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return the positions of voxels in millimetres, (n_voxels, 3)."""
    return voxels @ affine[:3, :3].T + affine[:3, 3]


@lru_cache(maxsize=4)  # hundreds of images share one mask
def _voxel_table(mask: bytes, shape: tuple[int, ...], affine: bytes) -> pd.DataFrame:
    voxels = np.argwhere(np.frombuffer(mask, bool).reshape(shape))
    places = _places(voxels, np.frombuffer(affine).reshape(4, 4))
    return voxel_targets(voxels).assign(**dict(zip("xyz", places.T, strict=True)))


def _check_same_grid(image: Any, other: Any, name: str) -> None:
    shape = tuple(other.shape[:3])
    extra = tuple(other.shape[3:])
    if set(extra) - {1} or image.shape[:3] != shape:
        raise ValueError(
            f"{name} has grid {tuple(other.shape)} and the image {image.shape[:3]}: take the "
            f"{name} of the same space, or resample one to the other "
            "(nilearn.image.resample_to_img)"
        )
    if not np.allclose(image.affine, other.affine, atol=1e-3):
        raise ValueError(
            f"{name} and image have one grid but differ in their affines: take the {name} of the "
            "same space, or resample one to the other (nilearn.image.resample_to_img)"
        )


def _time_step(header: Any) -> float | None:
    """Return the seconds between volumes that a header declares; None where it declares none.

    A header whose axis is not one of time (Hz, ppm, rad/s) declares none, nor does one without a
    unit that holds the 1 which nibabel and others write where nothing is known.
    """
    if not hasattr(header, "get_zooms") or not hasattr(header, "get_xyzt_units"):
        return None
    step, unit = float(header.get_zooms()[3]), header.get_xyzt_units()[1]
    if step <= 0 or unit not in SECONDS or (unit == "unknown" and step == 1):
        return None
    return step * SECONDS[unit]


def check_sampling_interval(step: float) -> float:
    """Return seconds between samples that an image can have; raise for others.

    Raises
    ------
    ValueError
        ``step`` lies outside of .05 to 20 s: its unit is wrong, or it is none.
    """
    shortest, longest = PLAUSIBLE
    if not shortest <= step <= longest:
        raise ValueError(
            f"a volume every {step:g} s is outside of {shortest:g} to {longest:g} s: the unit "
            "of the header or sidecar is wrong, or it holds no repetition time; declare "
            "sampling_interval (in seconds)"
        )
    return step


def other_header(series: Iterable[ImageSeries], step: float) -> tuple[str, ...]:
    """Return a note where headers give another sampling interval than ``step`` (seconds)."""
    said = [each.sampling_interval for each in series if each.sampling_interval is not None]
    other = [other for other in dict.fromkeys(said) if abs(other - step) > 1e-3]
    headers = ", ".join(f"{each:g}" for each in other)
    return (f"sampling interval {step:g} s as declared; headers say {headers} s",) if other else ()


def _masked_blocks(image: Any, mask: np.ndarray, labels: np.ndarray | None) -> Iterator[np.ndarray]:
    """Yield rows over the voxels of the mask; only slices of the image are read."""
    step = max(1, BLOCK // (int(np.prod(image.shape[:3])) * 8))
    regions = None if labels is None else np.unique(labels)
    for start in range(0, image.shape[3], step):
        block = np.asanyarray(image.dataobj[..., start : start + step])[mask].T
        if regions is not None:
            block = np.column_stack([block[:, labels == region].mean(axis=1) for region in regions])
        yield block


def open_cifti(image: Any) -> ImageSeries:
    """Open a dense CIFTI time series (``.dtseries.nii``): cortical vertices and deep voxels.

    Raises
    ------
    ValueError
        When it is no dense time series, or not in seconds.
    """
    import nibabel as nib
    from nibabel.cifti2 import BrainModelAxis, SeriesAxis

    image = load_image(image)
    if not isinstance(image, nib.Cifti2Image):
        raise ValueError("image is not a CIFTI file (.dtseries.nii)")
    axes = [image.header.get_axis(i) for i in range(image.ndim)]
    if len(axes) != 2 or not isinstance(axes[0], SeriesAxis):
        kinds = [type(axis).__name__ for axis in axes]
        raise ValueError(f"expected samples x grayordinates (a .dtseries.nii), got axes {kinds}")
    samples, models = axes
    if not isinstance(models, BrainModelAxis):
        raise ValueError(f"expected grayordinates, got {type(models).__name__}: no dense series")
    if samples.unit != "SECOND" or image.shape != (len(samples), len(models)):
        raise ValueError(
            f"its samples are in {samples.unit}s, {image.shape} values for {len(samples)} samples "
            f"x {len(models)} grayordinates: a time series in seconds is needed"
        )
    deep = models.volume_mask
    regions = [str(name).removeprefix("CIFTI_STRUCTURE_") for name in models.name]
    numbers = [
        vertex if vertex >= 0 else ",".join(map(str, voxel))
        for vertex, voxel in zip(models.vertex, models.voxel.tolist(), strict=True)
    ]
    names = [f"{region} {number}" for region, number in zip(regions, numbers, strict=True)]
    targets = pd.DataFrame({"name": names, "region": regions})
    if deep.all():
        places = models.voxel @ models.affine[:3, :3].T + models.affine[:3, 3]
        targets = targets.assign(x=places[:, 0], y=places[:, 1], z=places[:, 2])
    step = max(1, BLOCK // (8 * len(models)))
    return ImageSeries(
        _source(image),
        len(samples),
        targets,
        float(samples.step),
        lambda: (
            np.asanyarray(image.dataobj[start : start + step])
            for start in range(0, len(samples), step)
        ),
    )


def open_surfaces(left: Any, right: Any) -> ImageSeries:
    """Open the time series of both hemispheres (``.func.gii``, ``.shape.gii``), left then right.

    Raises
    ------
    ValueError
        When an image is no surface, or the hemispheres have other numbers of samples or are
        swapped.
    """
    images = [load_image(left), load_image(right)]
    series = [_surface_rows(image, side) for image, side in zip(images, HEMISPHERES, strict=True)]
    lengths = [len(rows) for rows, _ in series]
    if lengths[0] != lengths[1]:
        raise ValueError(f"the hemispheres have {lengths[0]} and {lengths[1]} samples: one is cut")
    steps = [step for _, step in series if step is not None]
    if steps and max(steps) - min(steps) > 1e-3:
        raise ValueError(f"the hemispheres have sampling intervals {steps}")
    vertices = [
        (f"{side} {i}", side)
        for (rows, _), side in zip(series, HEMISPHERES.values(), strict=True)
        for i in range(rows.shape[1])
    ]
    rows_of = [rows for rows, _ in series]
    step = max(1, BLOCK // (8 * len(vertices)))
    return ImageSeries(
        tuple(path for image in images for path in _source(image)),
        lengths[0],
        pd.DataFrame(vertices, columns=["name", "region"]),
        steps[0] if steps else None,
        lambda: (
            np.hstack([rows[start : start + step] for rows in rows_of])
            for start in range(0, lengths[0], step)
        ),
    )


def _surface_rows(image: Any, side: str) -> tuple[np.ndarray, float | None]:
    """Return (n_samples, n_vertices) and the sampling interval in seconds, where it is said."""
    import nibabel as nib

    if not isinstance(image, nib.GiftiImage) or not image.darrays:
        raise ValueError("image is not a GIFTI surface (.func.gii), or an empty one")
    said = str(image.meta.get("AnatomicalStructurePrimary", "")).lower()
    other = {"L": "right", "R": "left"}[side]
    if other in said:
        raise ValueError(f"{image.get_filename()}: is of the {other} hemisphere ({said})")
    arrays = [np.asarray(array.data) for array in image.darrays]
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1 or len(next(iter(shapes))) > 2 or (arrays[0].ndim == 2 and len(arrays) > 1):
        raise ValueError(f"{image.get_filename()}: samples differ in shape: {sorted(shapes)[:3]}")
    # One array per sample, or one array of vertices x samples.
    rows = arrays[0].T if arrays[0].ndim == 2 else np.stack(arrays)
    step = image.darrays[0].meta.get("TimeStep", image.meta.get("TimeStep"))
    return rows, None if step is None else float(step) / 1000  # TimeStep is in milliseconds


def changing(series: Sequence[ImageSeries]) -> np.ndarray:
    """Return which targets are finite and change in every one of these runs (reads them all)."""
    kept = np.ones(len(series[0].targets), dtype=bool)
    for each in series:
        lowest, highest = _extremes(each.blocks())
        kept &= np.isfinite(lowest) & np.isfinite(highest) & (highest > lowest)
    return kept


def _extremes(blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(block.min(axis=0), block.max(axis=0)) for block in blocks]
    return np.min([low for low, _ in pairs], axis=0), np.max([high for _, high in pairs], axis=0)
