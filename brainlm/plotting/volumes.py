"""Maps of a volume through a transparent brain, and winners on slices."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from brainlm.data.brain_maps import BrainMaps, winners
from brainlm.plotting._style import page_size
from brainlm.plotting.brain import brain_scale, bundle_maps, scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle


def glass_brains(bundle: Bundle) -> Figure:
    """Draw every brain map of a bundle through a transparent brain, a row each.

    Only maps of volumes, on one scale; of all together the upper fifth of the absolute values.
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
        len(rows), 1, figsize=page_size(7, 2.4 * len(rows)), squeeze=False, layout="none"
    )
    limit = max(brain_scale(maps, name) for maps, name in rows)  # one scale for all rows
    every = [np.abs(maps.volume(name)[maps.mask]) for maps, name in rows]
    threshold = float(np.quantile(np.concatenate(every), 0.8))  # or a baseline of noise has blobs
    for (maps, name), ax in zip(rows, axes[:, 0], strict=True):
        glass_brain(maps, ax, name, limit=limit, threshold=threshold)
        ax.set_title(f"{maps.subject}: {name} ({maps.unit})", fontsize=9)
    return figure


def glass_brain(
    maps: BrainMaps,
    ax: Axes,
    name: str | None = None,
    *,
    threshold: float | None = None,
    limit: float | None = None,
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
    limit : float, optional
        End of the colour scale. Default: the 99th percentile of the absolute values.
    """
    from nilearn.plotting import plot_glass_brain

    name = str(maps.names[0]) if name is None else name
    image, values = maps.image(name), np.abs(maps.volume(name)[maps.mask])
    scale = scale_of([(maps, name)], limit)
    with warnings.catch_warnings():  # a row below the threshold of all rows has no blob
        warnings.filterwarnings("ignore", "empty mask")
        plot_glass_brain(
            image,
            axes=ax,
            colorbar=True,
            plot_abs=False,
            display_mode="lyr",
            **scale.options,
            symmetric_cbar=scale.low == -scale.high,  # all three, or 0 is not white
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
        raise ValueError("these maps are on a surface: only volumes are drawn")
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
