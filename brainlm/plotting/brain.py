"""Brains: surface views, glass brains, winners, from the maps of a volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.maps import BrainMaps

__all__ = ["glass_brain", "surface_views", "winner_map"]

VIEWS = ("lateral", "medial")


def surface_views(
    maps: BrainMaps,
    name: str | None = None,
    *,
    threshold: float | None = None,
    limit: float | None = None,
    mesh: str = "fsaverage5",
) -> Figure:
    """Draw a map on both hemispheres, from outside and from inside.

    Values are averaged along the line from the white to the pial surface of each vertex.

    Parameters
    ----------
    maps : BrainMaps
        Of a volume in MNI space; parcels (``labels``) take the value of the nearest voxel.
    name : str, optional
        Default: the first map.
    threshold : float, optional
        Smaller absolute values are not drawn. Default: everything but 0.
    limit : float, optional
        End of the colour scale. Default: the 99th percentile of the absolute values.
    mesh : str
        An fsaverage mesh; "fsaverage5" comes with nilearn, finer ones are fetched.
    """
    import matplotlib.pyplot as plt
    from nilearn.datasets import fetch_surf_fsaverage
    from nilearn.plotting import plot_surf_roi, plot_surf_stat_map
    from nilearn.surface import vol_to_surf

    name = str(maps.names[0]) if name is None else name
    image = maps.image(name)
    meshes = fetch_surf_fsaverage(mesh)
    values = maps.volume(name)[maps.mask]
    parcels = bool(maps.labels)
    limit = float(np.quantile(np.abs(values[values != 0]), 0.99)) if limit is None else limit
    figure, axes = plt.subplots(
        len(VIEWS), 2, figsize=(6.4, 5), subplot_kw={"projection": "3d"}, layout="none"
    )
    for column, side in enumerate(("left", "right")):
        texture = vol_to_surf(
            image, meshes[f"pial_{side}"], inner_mesh=meshes[f"white_{side}"],
            interpolation="nearest_most_frequent" if parcels else "linear",
        )  # fmt: skip
        if parcels:
            texture = np.where(texture == 0, np.nan, texture)  # no parcel: bare cortex
        for row, view in enumerate(VIEWS):
            common = {
                "hemi": side, "view": view, "bg_map": meshes[f"sulc_{side}"], "bg_on_data": True,
                "axes": axes[row, column], "figure": figure, "colorbar": False,
            }  # fmt: skip
            with np.errstate(invalid="ignore"):
                if parcels:
                    plot_surf_roi(meshes[f"infl_{side}"], roi_map=texture, cmap="tab20", **common)
                else:
                    plot_surf_stat_map(
                        meshes[f"infl_{side}"], stat_map=texture, cmap="RdBu_r",
                        vmin=-limit, vmax=limit, symmetric_cbar=True,  # both, or 0 is not white
                        threshold=threshold or 1e-9, **common,
                    )  # fmt: skip
            axes[row, column].set_title(f"{side}, {view}", fontsize=8, y=0.95)
    if not parcels:
        scale = plt.cm.ScalarMappable(plt.Normalize(-limit, limit), "RdBu_r")
        bar = figure.colorbar(scale, ax=axes, shrink=0.5, pad=0.02)
        bar.set_label(f"{name} ({maps.unit})")
    return figure


def glass_brain(
    maps: BrainMaps, ax: Axes, name: str | None = None, *, threshold: float | None = None
) -> Axes:
    """Draw a map through a transparent brain, the largest absolute value along each line.

    Parameters
    ----------
    maps : BrainMaps
        Of a volume in MNI space.
    ax : Axes
        Its place is taken by three views.
    name : str, optional
        Default: the first map.
    threshold : float, optional
        Smaller absolute values are not drawn. Default: the 80th percentile.
    """
    from nilearn.plotting import plot_glass_brain

    name = str(maps.names[0]) if name is None else name
    image, values = maps.image(name), np.abs(maps.volume(name)[maps.mask])
    plot_glass_brain(
        image, axes=ax, colorbar=True, plot_abs=False, display_mode="lyr",
        threshold=float(np.quantile(values, 0.8)) if threshold is None else threshold,
    )  # fmt: skip
    ax.set_title(f"{name} ({maps.unit})", fontsize=9)
    return ax


def winner_map(maps: BrainMaps, ax: Axes, colours: Sequence[str], *, least: float = 0.0) -> Axes:
    """Draw which map is largest in each voxel, on three slices through the language areas.

    Parameters
    ----------
    maps : BrainMaps
        One map per feature space.
    ax : Axes
    colours : sequence of str
        One per map.
    least : float
        Voxels in which no map is above this are not drawn.
    """
    import nibabel
    from matplotlib.colors import ListedColormap
    from matplotlib.lines import Line2D
    from nilearn.plotting import plot_roi

    if len(colours) != maps.n_maps or maps.n_maps < 2:
        raise ValueError(f"{maps.n_maps} maps and {len(colours)} colours: at least two, one each")
    if maps.affine is None:
        raise ValueError("these maps lie on a surface: only volumes are drawn")
    winner = np.where(maps.data.max(axis=0) > least, maps.data.argmax(axis=0) + 1, 0)
    volume = np.zeros(maps.mask.shape, dtype=np.int16)
    volume[maps.mask] = winner
    plot_roi(
        nibabel.Nifti1Image(volume, maps.affine), axes=ax, display_mode="x",
        cut_coords=[-54, -46, 54], cmap=ListedColormap(list(colours)), vmin=1, vmax=maps.n_maps,
        colorbar=False, annotate=True, draw_cross=False,
    )  # fmt: skip
    shares = [float(np.mean(winner[winner > 0] == k + 1)) for k in range(maps.n_maps)]
    handles = [
        Line2D([], [], marker="s", ls="", color=colour, label=f"{name} ({share:.0%})")
        for name, colour, share in zip(maps.names, colours, shares, strict=True)
    ]
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, -0.18), ncols=maps.n_maps)
    return ax
