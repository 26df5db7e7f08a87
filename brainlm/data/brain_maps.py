"""BrainMaps: values per voxel or vertex, without words or time (scores, ceilings, parcels)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainlm._validation import as_labels, check_finite, freeze, same_length
from brainlm.data.target_table import VOXEL, region_targets, voxel_targets
from brainlm.errors import UnknownNameError, unknown_name

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False)
class BrainMaps:
    """Maps on the voxels of a volume or on the vertices of a surface.

    Parameters
    ----------
    data : array of shape (n_maps, n_voxels)
        Finite values of the voxels in ``mask``, in C order.
    names : sequence of str, shape (n_maps,)
        Unique names of the maps.
    mask : bool array of shape (n_x, n_y, n_z) or (n_vertices,)
        Which voxels or vertices the columns are.
    unit : str
        Unit of ``data``; ``"label"`` for parcels, ``"map"`` for winners.
    affine : array of shape (4, 4), optional
        From voxel indices to millimetres; none on a surface.
    labels : mapping of int to str
        For parcels and winners: what each number means.
    subject : str
        Whose maps they are.
    notes : sequence of str
        Repairs and exclusions.
    """

    data: Any
    names: Any
    mask: Any
    unit: str
    affine: Any = None
    labels: Mapping[int, str] = field(default_factory=dict)
    subject: str = "group"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        data, mask = np.asarray(self.data), np.asarray(self.mask)
        if data.ndim != 2 or 0 in data.shape:
            raise ValueError(f"data must have shape (n_maps, n_voxels), got {data.shape}")
        if mask.dtype != bool or mask.ndim not in (1, 3):
            raise ValueError(f"mask must be 1-D or 3-D of bool, got {mask.shape}, {mask.dtype}")
        names = as_labels(self.names, "names")
        same_length({"rows of data": len(data), "names": len(names)})
        same_length({"columns of data": data.shape[1], "voxels in mask": int(mask.sum())})
        check_finite(data, "data")
        if len(set(names)) < len(names):
            raise ValueError("names of maps must be unique")
        if (self.affine is None) == (mask.ndim == 3):
            raise ValueError("affine belongs to a volume: give it exactly if mask is 3-D")
        affine = None if self.affine is None else freeze(np.array(self.affine, dtype=float))
        if affine is not None and affine.shape != (4, 4):
            raise ValueError(f"affine must have shape (4, 4), got {affine.shape}")
        found = set(np.unique(data).tolist()) - {0} if self.labels else set()
        if not found <= set(self.labels):
            raise ValueError(f"labels lack the numbers {sorted(found - set(self.labels))}")
        for name, value in (
            ("data", freeze(data)),
            ("mask", freeze(mask)),
            ("names", names),
            ("affine", affine),
            ("labels", MappingProxyType(dict(self.labels))),
            ("notes", tuple(self.notes)),
        ):
            object.__setattr__(self, name, value)

    @property
    def n_maps(self) -> int:
        """Number of maps."""
        return self.data.shape[0]

    @property
    def n_voxels(self) -> int:
        """Number of voxels or vertices in the mask."""
        return self.data.shape[1]

    def volume(self, name: str) -> np.ndarray:
        """Return a map on its whole grid, 0 outside of the mask."""
        if name not in self.names:
            raise unknown_name("map", name, self.names)
        whole = np.zeros(self.mask.shape, dtype=self.data.dtype)
        whole[self.mask] = self.data[list(self.names).index(name)]
        return whole

    def only(self, name: str) -> BrainMaps:
        """Return one of the maps."""
        if name not in self.names:
            raise unknown_name("map", name, self.names)
        return replace(self, data=self.data[[list(self.names).index(name)]], names=[name])

    def image(self, name: str) -> Any:
        """Return a map of a volume as a nibabel image."""
        import nibabel as nib

        if self.affine is None:
            raise ValueError("a surface has no image: take volume(name), one value per vertex")
        volume = self.volume(name)
        if volume.dtype.kind in "iu":  # other tools do not read 64 bits
            volume = volume.astype(np.int32)
        return nib.Nifti1Image(volume, self.affine)

    def coordinates(self) -> np.ndarray:
        """Return the position of each voxel in millimetres, shape (n_voxels, 3)."""
        if self.affine is None:
            raise ValueError("vertices have no coordinates without their surface mesh")
        return np.argwhere(self.mask) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def __repr__(self) -> str:
        grid = " x ".join(map(str, self.mask.shape))
        return f"BrainMaps({self.n_maps} maps, {self.n_voxels} of {grid} voxels, {self.unit!r})"

    def to_xarray(self) -> xarray.Dataset:
        """Return the maps as a data set for a bundle; `from_xarray` reads it."""
        import xarray

        places = ["x", "y", "z"] if self.mask.ndim == 3 else ["vertex"]
        variables: dict[str, Any] = {
            "value": (("map", "voxel"), self.data),
            "mask": (places, self.mask.astype(np.int8)),
        }
        if self.affine is not None:
            variables["affine"] = (("row", "column"), self.affine)
        labels = json.dumps({str(k): v for k, v in self.labels.items()}, ensure_ascii=False)
        attributes = {
            "unit": self.unit,
            "subject": self.subject,
            "labels": labels,
            "notes": json.dumps(self.notes, ensure_ascii=False),
        }
        return xarray.Dataset(variables, {"map": list(self.names)}, attributes)

    @staticmethod
    def is_in(dataset: xarray.Dataset) -> bool:
        """Return whether `to_xarray` wrote a data set."""
        return {"value", "mask"} <= set(dataset.data_vars)

    @classmethod
    def from_xarray(cls, dataset: xarray.Dataset) -> BrainMaps:
        """Return the maps that `to_xarray` wrote."""
        labels = {int(k): v for k, v in json.loads(dataset.attrs["labels"]).items()}
        return cls(
            dataset["value"].values,
            dataset["map"].values.tolist(),
            dataset["mask"].values.astype(bool),
            dataset.attrs["unit"],
            dataset["affine"].values if "affine" in dataset else None,
            labels=labels,
            subject=dataset.attrs["subject"],
            notes=tuple(json.loads(dataset.attrs["notes"])),
        )


def targets_of(image: Any) -> pd.DataFrame:
    """Return the targets that an image defines, in the order in which readers give them.

    Parameters
    ----------
    image : path or nibabel image of shape (n_x, n_y, n_z)
        With one value above 0 it is a mask: its voxels in C order. With several it is a
        parcellation: its region numbers, rising.
    """
    numbers, _ = _grid(image)
    regions = np.unique(numbers[numbers > 0])
    return region_targets(regions) if len(regions) > 1 else voxel_targets(np.argwhere(numbers > 0))


def paint(
    values: Any,
    targets: pd.DataFrame,
    image: Any,
    names: Sequence[str],
    unit: str,
    *,
    subject: str = "group",
) -> BrainMaps:
    """Place one value per target at its position in the brain.

    Parameters
    ----------
    values : array of shape (n_maps, n_targets)
        NaN: the target has no value; it is left out of the maps, and a note counts it.
    targets : DataFrame with n_targets rows
        Voxels (columns ``i``, ``j``, ``k``) or region numbers (``region``), as in the ``targets``
        of a `brainlm.Recording` of an image.
    image : path or nibabel image of shape (n_x, n_y, n_z)
        Mask or parcellation that the targets were made with.
    names : sequence of str, shape (n_maps,)
    unit : str
    subject : str

    Raises
    ------
    UnknownNameError
        A target that is not in the image.
    ValueError
        Shapes that do not fit, or a target without a place.
    """
    values = np.atleast_2d(np.asarray(values, dtype=float))
    same_length({"columns of values": values.shape[1], "targets": len(targets)})
    numbers, affine = _grid(image)
    place = np.full(numbers.shape, -1)
    if set(VOXEL) <= set(targets):
        voxels = targets[VOXEL].to_numpy(int)
        inside = ((voxels >= 0) & (voxels < numbers.shape)).all(axis=1)
        inside[inside] = numbers[tuple(voxels[inside].T)] > 0
        if not inside.all():
            stray = targets["name"].to_numpy()[~inside][0]
            raise UnknownNameError(f"target {stray!r} is not a voxel above 0 of the image")
        place[tuple(voxels.T)] = np.arange(len(targets))
    elif "region" in targets:
        regions = {f"{number:g}": number for number in np.unique(numbers[numbers > 0]).tolist()}
        for column, region in enumerate(targets["region"]):
            if region not in regions:
                raise unknown_name("region of the image", region, regions)
            place[numbers == regions[region]] = column
    else:
        raise ValueError(
            "targets: the table needs columns i, j, k (voxels) or region, it has "
            f"{list(targets.columns)}: take the targets of the recording of an image"
        )
    kept = np.isfinite(values).all(axis=0)
    place[place >= 0] = np.where(kept, np.arange(len(kept)), -1)[place[place >= 0]]
    notes = (
        (f"{int((~kept).sum())} targets without a value are not drawn",) if not kept.all() else ()
    )
    mask = place >= 0
    return BrainMaps(
        values[:, place[mask]].astype(np.float32),
        names,
        mask,
        unit,
        affine,
        subject=subject,
        notes=notes,
    )


def winners(maps: BrainMaps, least: float = 0.0) -> BrainMaps:
    """Return which map is largest in each voxel, as one labelled map.

    Parameters
    ----------
    maps : BrainMaps
        At least two, one per feature space.
    least : float
        Voxels in which no map is above this have no winner (0).
    """
    if maps.n_maps < 2:
        raise ValueError(f"a winner needs at least two maps, got {maps.n_maps}")
    best = np.where(maps.data.max(axis=0) > least, maps.data.argmax(axis=0) + 1, 0)
    labels = {k + 1: str(name) for k, name in enumerate(maps.names)}
    return BrainMaps(
        best[None].astype(np.int16),
        ["winner"],
        maps.mask,
        "map",
        maps.affine,
        labels=labels,
        subject=maps.subject,
        notes=maps.notes,
    )


def _grid(image: Any) -> tuple[np.ndarray, np.ndarray]:
    """Values and affine of a 3-D image."""
    import nibabel as nib

    loaded: Any = nib.load(image) if isinstance(image, (str, Path)) else image
    values = np.asanyarray(loaded.dataobj)
    values = values[..., 0] if values.ndim == 4 and values.shape[3] == 1 else values
    if values.ndim != 3:
        raise ValueError(f"image must be 3-D, a mask or a parcellation, got shape {values.shape}")
    if not (values > 0).any():
        raise ValueError("image is empty: no voxel is above 0")
    return values, loaded.affine
