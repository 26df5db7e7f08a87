"""Flat maps: values on the unfolded cortex, with sulci and the borders of regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.data.brain_maps import BrainMaps
from brainlm.plotting._style import page_size
from brainlm.plotting.brain import SIDES, bundle_maps, label_colours, scale_of, texture_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

SULCI: dict[str, Any] = {"cmap": "Greys", "vmin": -2.5, "vmax": 5}  # gyri light, sulci darker
TURN = {"left": -90.0, "right": 90.0}  # degrees: the front of both halves is at the top


def plot_flat(
    texture: np.ndarray,
    side: str,
    ax: Axes,
    *,
    limit: float | None = None,
    least: float | None = None,
    threshold: float = 0.0,
    colours: Any = "RdBu_r",
    regions: np.ndarray | None = None,
    mesh: str = "fsaverage5",
) -> Axes:
    """Draw values on a flattened hemisphere of fsaverage, over its sulci.

    Parameters
    ----------
    texture : array of shape (n_vertices,)
        Values; NaN and absolute values up to ``threshold`` show the sulci.
    side : {"left", "right"}
    ax : matplotlib.axes.Axes
    limit : float, optional
        End of the colour scale. Default: the 99th percentile of the absolute values.
    least : float, optional
        Its other end. Default: ``-limit``.
    threshold : float
    colours : colormap, or sequence of colours of labels 1, 2, ...
    regions : array of int, shape (n_vertices,), optional
        Parcel of each vertex; borders between parcels are drawn.
    mesh : str
        "fsaverage5" comes with nilearn, finer ones are fetched.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    ValueError
        The texture or the regions are of another mesh.
    """
    from matplotlib.colors import ListedColormap

    points, faces, sulci = _flat_mesh(mesh, side)
    for name, given in (("texture", texture), ("regions", regions)):
        if given is not None and len(given) != len(points):
            raise ValueError(
                f"{name} has {len(given)} values, {mesh} has {len(points)} vertices on the {side}"
            )
    texture = np.asarray(texture, dtype=float)
    draw: Any = ax.tripcolor  # its stubs know no dictionaries of options
    draw(points[:, 0], points[:, 1], faces, sulci, shading="gouraud", rasterized=True, **SULCI)
    shown = np.isfinite(texture) & (abs(texture) > threshold)
    kept = faces[shown[faces].all(axis=1)]
    if len(kept):
        labels = not isinstance(colours, str) and isinstance(colours, list | tuple)
        if limit is None:
            limit = float(np.quantile(abs(texture[shown]), 0.99))
        # Labels have no values in between: a face takes that of its first vertex.
        style: dict[str, Any] = (
            {"cmap": ListedColormap(colours), "vmin": 0.5, "vmax": len(colours) + 0.5}
            if labels
            else {
                "cmap": colours,
                "vmin": -limit if least is None else least,
                "vmax": limit,
                "shading": "gouraud",
            }
        )
        values = texture[kept[:, 0]] if labels else texture
        draw(points[:, 0], points[:, 1], kept, values, rasterized=True, **style)
    if regions is not None:
        _draw_borders(points, faces, np.asarray(regions), ax)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def flat_view(
    maps: BrainMaps, name: str | None = None, *, regions: BrainMaps | None = None, **options: Any
) -> Figure:
    """Draw a map of a volume in MNI space on both flattened hemispheres.

    Parameters
    ----------
    maps : BrainMaps
        With labels, each label has a colour.
    name : str, optional
        Default: the first map.
    regions : BrainMaps, optional
        Parcels whose borders are drawn.
    **options
        ``threshold``, ``limit`` and ``mesh`` of `plot_flat`.
    """
    import matplotlib.pyplot as plt
    from nilearn.datasets import fetch_surf_fsaverage

    name = str(maps.names[0]) if name is None else name
    mesh = options.setdefault("mesh", "fsaverage5")
    if maps.labels:
        options["colours"] = label_colours(maps)
    scale = scale_of([(maps, name)], options.get("limit"))
    if not maps.labels:
        options |= {"limit": scale.high, "least": scale.low, "colours": scale.colours}
    meshes = fetch_surf_fsaverage(mesh)
    figure, axes = plt.subplots(1, 2, figsize=page_size(9, 4.2), layout="none")
    for side, ax in zip(SIDES, axes, strict=True):
        texture = texture_of(maps, name, meshes, side)
        borders = None
        if regions is not None:
            found = texture_of(regions, str(regions.names[0]), meshes, side)
            borders = np.nan_to_num(found).astype(int)
        plot_flat(texture, side, ax, regions=borders, **options)
        ax.set_title(side, fontsize=8)
    figure.subplots_adjust(0.01, 0.15, 0.99, 0.93, wspace=0.02)
    if not maps.labels:
        below = figure.add_axes((0.35, 0.12, 0.3, 0.025))
        bar = figure.colorbar(scale.mappable, cax=below, orientation="horizontal")
        bar.set_label(f"{name} ({maps.unit})", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    return figure


def flat_maps(bundle: Bundle) -> Figure:
    """Draw the first brain map of a bundle on both flattened hemispheres."""
    found: Mapping[str, BrainMaps] = bundle_maps(bundle)
    if not found:
        raise KeyError("brain map")
    return flat_view(next(iter(found.values())))


def _flat_mesh(mesh: str, side: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points in the plane, faces, and the depth of sulci of a hemisphere."""
    from nilearn.datasets import fetch_surf_fsaverage
    from nilearn.surface import load_surf_data, load_surf_mesh

    files = fetch_surf_fsaverage(mesh)
    flat = load_surf_mesh(files[f"flat_{side}"])
    angle = np.deg2rad(TURN[side])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return flat.coordinates[:, :2] @ turn.T, flat.faces, load_surf_data(files[f"sulc_{side}"])


def _draw_borders(points: np.ndarray, faces: np.ndarray, regions: np.ndarray, ax: Axes) -> None:
    """Draw a line through the middles of the edges whose ends lie in different regions."""
    from matplotlib.collections import LineCollection

    corners = regions[faces]
    lines = []
    for face, own in zip(faces, corners, strict=True):
        if len(set(own.tolist())) == 1:
            continue
        middles = [
            (points[face[i]] + points[face[j]]) / 2
            for i, j in ((0, 1), (1, 2), (2, 0))
            if own[i] != own[j]
        ]
        lines += [middles[:2]] if len(middles) == 2 else [middles[:2], middles[1:]]
    ax.add_collection(LineCollection(lines, colors="black", linewidths=0.8))
