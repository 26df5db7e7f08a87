"""Brain figures: surface views, glass brains and winners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.data.brain_maps import BrainMaps, winners
from brainlm.plotting._style import REFERENCE_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

__all__ = [
    "brain_maps",
    "brain_scale",
    "bundle_maps",
    "glass_brain",
    "glass_brains",
    "label_colours",
    "searchlight_brain",
    "surface_views",
    "winner_brain",
    "winner_map",
]

VIEWS = ("lateral", "medial")
SIDES = ("left", "right")
MOST_NAMED = 12  # labels that a legend lists


def bundle_maps(bundle: Bundle) -> dict[str, BrainMaps]:
    """Return the brain maps of a bundle by the name of their array (``maps``, ``maps_S1`` ...)."""
    return {
        name: BrainMaps.from_xarray(dataset)
        for name, dataset in bundle.arrays.items()
        if name.partition("_")[0] == "maps"
    }


def brain_scale(maps: BrainMaps, name: str) -> float:
    """Return the end of a map's colour scale: the 99th percentile of its absolute values."""
    values = np.abs(maps.volume(name)[maps.mask])
    return float(np.quantile(values[values > 0], 0.99)) if values.any() else 1.0


def label_colours(maps: BrainMaps) -> list[Any]:
    """Return a colour per label: up to seven are told apart; more winners are layers, in order."""
    import matplotlib as mpl

    few = ("#0072B2", "#D55E00", *REFERENCE_COLOURS)
    n = max(maps.labels)
    if n <= len(few):
        return list(few[:n])
    if maps.unit == "label":  # of parcels neighbours must differ
        return list(mpl.colormaps["tab20"](np.arange(n) % 20))
    return list(mpl.colormaps["viridis"](np.linspace(0, 1, n)))


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
        Of a volume in MNI space; parcels and winners (``labels``) take the value of the nearest
        voxels. Up to 12 labels are listed.
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

    name = str(maps.names[0]) if name is None else name
    figure, axes = plt.subplots(
        len(VIEWS), 2, figsize=(6.4, 5), subplot_kw={"projection": "3d"}, layout="none"
    )
    limit = brain_scale(maps, name) if limit is None else limit
    _surfaces(maps, name, axes.T, mesh, limit, threshold)
    if maps.labels:
        _legend(figure, maps, axes)
    else:
        _scale(figure, axes, f"{name} ({maps.unit})", limit)
    return figure


def _surfaces(
    maps: BrainMaps, name: str, axes: np.ndarray, mesh: str, limit: float, threshold: float | None
) -> None:
    """Draw a map into axes (n_sides, n_views)."""
    from matplotlib.colors import ListedColormap
    from nilearn.datasets import fetch_surf_fsaverage
    from nilearn.plotting import plot_surf_roi, plot_surf_stat_map
    from nilearn.surface import vol_to_surf

    image, meshes = maps.image(name), fetch_surf_fsaverage(mesh)
    for side, row in zip(SIDES, axes, strict=True):
        texture = vol_to_surf(
            image,
            meshes[f"pial_{side}"],
            inner_mesh=meshes[f"white_{side}"],
            interpolation="nearest_most_frequent" if maps.labels else "linear",
        )
        for view, ax in zip(VIEWS, row, strict=True):
            common = {
                "hemi": side,
                "view": view,
                "bg_map": meshes[f"sulc_{side}"],
                "bg_on_data": True,
                "axes": ax,
                "figure": ax.figure,
                "colorbar": False,
            }
            with np.errstate(invalid="ignore"):
                if maps.labels:
                    colours = label_colours(maps)
                    plot_surf_roi(
                        meshes[f"infl_{side}"],
                        roi_map=np.where(texture == 0, np.nan, texture),  # no label: bare cortex
                        cmap=ListedColormap(colours),
                        vmin=1,
                        vmax=len(colours),
                        **common,
                    )
                else:
                    plot_surf_stat_map(
                        meshes[f"infl_{side}"],
                        stat_map=texture,
                        cmap="RdBu_r",
                        vmin=-limit,
                        vmax=limit,
                        symmetric_cbar=True,  # both, or 0 is not white
                        threshold=threshold or 1e-9,
                        **common,
                    )
            ax.set_title(f"{side}, {view}", fontsize=8, y=0.95)


def _scale(figure: Figure, axes: np.ndarray, label: str, limit: float) -> None:
    import matplotlib.pyplot as plt

    scale = plt.cm.ScalarMappable(plt.Normalize(-limit, limit), "RdBu_r")
    figure.colorbar(scale, ax=axes, shrink=0.5, pad=0.02).set_label(label)


def _legend(figure: Figure, maps: BrainMaps, axes: np.ndarray) -> None:
    """Name the labels; of many winners (layers) some, along a scale."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, NoNorm
    from matplotlib.lines import Line2D

    colours = label_colours(maps)
    if len(maps.labels) <= MOST_NAMED:
        handles = [
            Line2D([], [], marker="s", ls="", color=colours[number - 1], label=text)
            for number, text in maps.labels.items()
        ]
        figure.legend(handles=handles, loc="lower center", ncols=min(4, len(handles)))
    elif maps.unit != "label":
        scale = ScalarMappable(NoNorm(0, len(colours) - 1), ListedColormap(colours))
        ticks = np.linspace(0, len(colours) - 1, 6).round().astype(int)
        bar = figure.colorbar(scale, ax=axes, shrink=0.5, pad=0.02, ticks=ticks)
        bar.ax.set_yticklabels([maps.labels[k + 1] for k in ticks.tolist()])


def _shares(maps: BrainMaps) -> str:
    """Share of the voxels with a label that each label has."""
    values = maps.data[maps.data > 0]
    return ", ".join(f"{t} {np.mean(values == k):.0%}" for k, t in maps.labels.items())


def brain_maps(bundle: Bundle) -> Figure:
    """Draw every brain map of a bundle on both hemispheres, a row each, on one scale."""
    rows = [(each, str(name)) for each in bundle_maps(bundle).values() for name in each.names]
    return _rows(bundle, rows)


def winner_brain(bundle: Bundle) -> Figure:
    """Draw which map of a bundle is largest in each voxel (and above 0), a row per subject."""
    won = [winners(each) for each in bundle_maps(bundle).values() if each.n_maps > 1]
    if bundle_maps(bundle) and not won:
        raise ValueError(f"{bundle.folder}: a winner needs at least two maps of a subject")
    return _rows(bundle, [(each, "winner") for each in won])


def glass_brains(bundle: Bundle) -> Figure:
    """Draw every brain map of a bundle through a transparent brain, a row each.

    Only maps of volumes; of each the upper fifth of its absolute values.
    """
    import matplotlib.pyplot as plt

    rows = [
        (each, str(name))
        for each in bundle_maps(bundle).values()
        if each.affine is not None
        for name in each.names
    ]
    if not rows:
        raise ValueError(f"{bundle.folder}: has no brain maps of a volume")
    figure, axes = plt.subplots(
        len(rows), 1, figsize=(7, 2.4 * len(rows)), squeeze=False, layout="none"
    )
    for (maps, name), ax in zip(rows, axes[:, 0], strict=True):
        glass_brain(maps, ax, name)
        ax.set_title(f"{maps.subject}: {name} ({maps.unit})", fontsize=9)
    return figure


def searchlight_brain(bundle: Bundle) -> Figure:
    """Draw the score of the neighbourhood of each voxel, above chance, a row per space."""
    if "searchlight" not in bundle.arrays:
        raise ValueError(f"{bundle.folder}: has no searchlight")
    light = BrainMaps.from_xarray(bundle.arrays["searchlight"])
    return _rows(bundle, [(light, str(name)) for name in light.names])


def _rows(bundle: Bundle, rows: list[tuple[BrainMaps, str]]) -> Figure:
    import matplotlib.pyplot as plt

    if not rows:
        raise ValueError(
            f"{bundle.folder}: has no brain maps; a study gets them by the setting brain (a mask "
            "or a parcellation)"
        )
    height = 1.9 * len(rows) + 0.5
    figure, axes = plt.subplots(
        len(rows),
        4,
        figsize=(9, height),
        subplot_kw={"projection": "3d"},
        layout="none",
        squeeze=False,
    )
    figure.subplots_adjust(0.02, 0.4 / height, 0.9, 1 - 0.1 / height, 0, 0.1)
    limit = max(brain_scale(maps, name) for maps, name in rows)
    for (maps, name), row in zip(rows, axes, strict=True):
        _surfaces(maps, name, row.reshape(2, 2), "fsaverage5", limit, None)
        named = _shares(maps) if 0 < len(maps.labels) <= MOST_NAMED else name
        title = f"{maps.subject}: {named}"
        row[0].text2D(0, 1.12, title, transform=row[0].transAxes, fontsize=9)
    if rows[0][0].labels:
        _legend(figure, rows[0][0], axes)
    else:
        _scale(figure, axes, rows[0][0].unit, limit)
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
    limit = brain_scale(maps, name)
    plot_glass_brain(
        image,
        axes=ax,
        colorbar=True,
        plot_abs=False,
        display_mode="lyr",
        vmin=-limit,
        vmax=limit,
        symmetric_cbar=True,  # all three, or 0 is not white
        threshold=float(np.quantile(values, 0.8)) if threshold is None else threshold,
    )
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
    from matplotlib.colors import ListedColormap
    from matplotlib.lines import Line2D
    from nilearn.plotting import plot_roi

    if len(colours) != maps.n_maps or maps.n_maps < 2:
        raise ValueError(f"{maps.n_maps} maps and {len(colours)} colours: at least two, one each")
    if maps.affine is None:
        raise ValueError("these maps lie on a surface: only volumes are drawn")
    won = winners(maps, least)
    plot_roi(
        won.image("winner"),
        axes=ax,
        display_mode="x",
        cut_coords=[-54, -46, 54],
        cmap=ListedColormap(list(colours)),
        vmin=1,
        vmax=maps.n_maps,
        colorbar=False,
        annotate=True,
        draw_cross=False,
    )
    drawn = won.data[won.data > 0]
    handles = [
        Line2D([], [], marker="s", ls="", color=colour, label=f"{name} ({share:.0%})")
        for name, colour, share in zip(
            maps.names, colours, [np.mean(drawn == k + 1) for k in range(maps.n_maps)], strict=True
        )
    ]
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, -0.18), ncols=maps.n_maps)
    return ax
