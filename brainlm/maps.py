"""BrainMaps: values per voxel or vertex, without words or time (noise ceilings, parcels)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from brainlm._checks import as_labels, check_finite, freeze, same_length
from brainlm.errors import unknown_name

__all__ = ["BrainMaps"]


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
        Unit of ``data``; ``"label"`` for parcels.
    affine : array of shape (4, 4), optional
        From voxel indices to millimetres; none on a surface.
    labels : mapping of int to str
        For parcels: what each number means.
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
            ("data", freeze(data)), ("mask", freeze(mask)), ("names", names), ("affine", affine),
            ("labels", MappingProxyType(dict(self.labels))), ("notes", tuple(self.notes)),
        ):  # fmt: skip
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
