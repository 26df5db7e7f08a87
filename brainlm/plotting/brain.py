"""Maps of a volume on both hemispheres: scores, winners, searchlights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.data.brain_maps import BrainMaps, winners
from brainlm.plotting._style import REFERENCE_COLOURS, page_size
from brainlm.plotting.changes import ColourScale, colour_of, colour_scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

    from brainlm.results.bundle import Bundle

VIEWS = ("lateral", "medial")
SIDES = ("left", "right")
HEAD, LINE, FOOT = 8.5, 3.4, 9.0  # mm of a panel: letter and views, name of a row, scale
MOST_NAMED = 12  # labels that a legend lists
PICTURE_DPI = 220  # of a view 4 inches wide: 600 dots an inch where four stand side by side


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


def scale_of(rows: Sequence[tuple[BrainMaps, str]], limit: float | None = None) -> ColourScale:
    """Return one colour scale for maps: signed where one has values below 0, else from 0.

    Parameters
    ----------
    rows : sequence of (BrainMaps, str)
        Maps and the name of one of them.
    limit : float, optional
        Its end. Default: the greatest `brain_scale`.
    """
    least = min(float(maps.volume(name)[maps.mask].min(initial=0.0)) for maps, name in rows)
    if limit is None:
        limit = max(brain_scale(maps, name) for maps, name in rows)
    return colour_scale(-limit if least < 0 else 0.0, limit)


def label_colours(maps: BrainMaps) -> list[Any]:
    """Return a colour per label: up to seven distinct ones; more labels are layers, in order."""
    import matplotlib as mpl

    few = ("#0072B2", "#D55E00", *REFERENCE_COLOURS)
    n = max(maps.labels)
    if n <= len(few):
        return [colour_of(maps.labels.get(k, k), few[k - 1]) for k in range(1, n + 1)]
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
    figure, axes = plt.subplots(len(VIEWS), 2, figsize=page_size(6.4, 5), layout="none")
    scale = scale_of([(maps, name)], limit)
    _surfaces(maps, name, axes.T, mesh, scale, threshold)
    if maps.labels:
        _legend(figure, maps, axes)
    else:
        _scale(figure, axes, f"{name} ({maps.unit})", scale)
    return figure


def _surfaces(
    maps: BrainMaps,
    name: str,
    axes: np.ndarray,
    mesh: str,
    scale: ColourScale,
    threshold: float | None,
) -> None:
    """Draw a map into axes (n_sides, n_views)."""
    pictures = _pictures(maps, name, mesh, scale, threshold)
    for side, row in zip(SIDES, axes, strict=True):
        for view, ax in zip(VIEWS, row, strict=True):
            ax.imshow(pictures[side, view])
            ax.set_axis_off()
            ax.set_title(f"{side}, {view}", fontsize=8)


def _pictures(
    maps: BrainMaps, name: str, mesh: str, scale: ColourScale, threshold: float | None
) -> dict[tuple[str, str], np.ndarray]:
    """Paint each view once, (n_rows, n_columns, 4), all cut to one size.

    matplotlib sorts and shades the 20,000 triangles of a view anew whenever a figure is drawn,
    and a saved figure is drawn several times.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from nilearn.datasets import fetch_surf_fsaverage

    meshes, pictures = fetch_surf_fsaverage(mesh), {}
    for side in SIDES:
        texture = texture_of(maps, name, meshes, side)
        for view in VIEWS:
            figure = Figure(figsize=(4, 4), dpi=PICTURE_DPI)
            figure.set_layout_engine("none")
            canvas = FigureCanvasAgg(figure)
            ax = figure.add_axes((0, 0, 1, 1), projection="3d")
            place = {"hemi": side, "view": view, "axes": ax, "figure": figure}
            place |= {"bg_map": meshes[f"sulc_{side}"], "bg_on_data": True, "colorbar": False}
            with np.errstate(invalid="ignore"):
                _paint(maps, texture, meshes[f"infl_{side}"], scale, threshold, place)
            figure.patch.set_visible(False)
            ax.patch.set_visible(False)
            canvas.draw()
            pictures[side, view] = np.asarray(canvas.buffer_rgba()).copy()
    drawn = np.any([each[..., 3] > 0 for each in pictures.values()], axis=0)
    rows, columns = (np.flatnonzero(drawn.any(axis=k)) for k in (1, 0))
    cut = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return {key: each[cut] for key, each in pictures.items()}


def texture_of(maps: BrainMaps, name: str, meshes: Any, side: str) -> np.ndarray:
    """Return the value of a map at each vertex of a hemisphere."""
    from nilearn.surface import vol_to_surf

    return vol_to_surf(
        maps.image(name),
        meshes[f"pial_{side}"],
        inner_mesh=meshes[f"white_{side}"],
        interpolation="nearest_most_frequent" if maps.labels else "linear",
    )


def _paint(
    maps: BrainMaps,
    texture: np.ndarray,
    surface: str,
    scale: ColourScale,
    threshold: float | None,
    place: dict[str, Any],
) -> None:
    """Draw labels or values of vertices on a surface."""
    from matplotlib.colors import ListedColormap
    from nilearn.plotting import plot_surf_roi, plot_surf_stat_map

    if maps.labels:
        colours = label_colours(maps)
        plot_surf_roi(
            surface,
            roi_map=np.where(texture == 0, np.nan, texture),  # no label: bare cortex
            cmap=ListedColormap(colours),
            vmin=1,
            vmax=len(colours),
            **place,
        )
    else:
        plot_surf_stat_map(
            surface,
            stat_map=texture,
            **scale.options,
            symmetric_cbar=scale.low == -scale.high,  # all three, or 0 is not white
            threshold=threshold or 1e-9,
            **place,
        )


def _scale(figure: Figure | SubFigure, axes: np.ndarray, label: str, scale: ColourScale) -> None:
    figure.colorbar(scale.mappable, ax=axes, shrink=0.5, pad=0.02).set_label(label)


def _legend(figure: Figure | SubFigure, maps: BrainMaps, axes: np.ndarray) -> None:
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


def group_map(bundle: Bundle) -> Figure:
    """Draw the effect size over subjects where it is significant, a row per space."""
    if "group" not in bundle.arrays:
        raise ValueError(
            f"{bundle.folder}: has no group map: it takes five subjects or more with maps on one "
            "grid (`brainlm encode` with the setting brain)"
        )
    found = BrainMaps.from_xarray(bundle.arrays["group"])
    return _rows(bundle, [(found, str(name)) for name in found.names])


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
    height = 2.0 * len(rows) + 0.8
    figure, axes = plt.subplots(
        len(rows), 4, figsize=page_size(9, height), layout="none", squeeze=False
    )
    figure.subplots_adjust(0.02, 0.4 / height, 0.97, 1 - 0.4 / height, 0, 0.25)
    scale = scale_of(rows)
    for (maps, name), row in zip(rows, axes, strict=True):
        _surfaces(maps, name, row.reshape(2, 2), "fsaverage5", scale, None)
        place = {"xycoords": "axes fraction", "textcoords": "offset points"}
        row[0].annotate(_row_title(maps, name), (0, 1), (0, 17), **place)
    if rows[0][0].labels:
        _legend(figure, rows[0][0], axes)
    else:
        _scale(figure, axes, rows[0][0].unit, scale)
    return figure


def _row_title(maps: BrainMaps, name: str) -> str:
    named = _shares(maps) if 0 < len(maps.labels) <= MOST_NAMED else name
    return f"{maps.subject}: {named}"


def draw_brain_rows(rows: list[tuple[BrainMaps, str]], part: SubFigure) -> None:
    """Draw maps on both hemispheres into a panel of a paper figure, a row each, on one scale.

    Parameters
    ----------
    rows : list of (BrainMaps, str)
        Maps and the name of one of them; all have labels, or none has.
    part : SubFigure
        Its height is best given by `brain_rows_height`.
    """
    inch = part.get_figure(root=True).dpi
    width, height = part.bbox.width / inch * 25.4, part.bbox.height / inch * 25.4
    view = (height - HEAD - FOOT) / len(rows) - LINE
    scale = scale_of(rows)
    several = len({maps.subject for maps, _ in rows}) > 1
    for k, (maps, name) in enumerate(rows):
        top = height - HEAD - k * (view + LINE)
        title = _row_title(maps, name) if several or maps.labels else name
        part.text(1 / width, top / height, title, va="top")
        low = (top - LINE - view) / height
        axes = [part.add_axes((j / 4 + 0.005, low, 0.24, view / height)) for j in range(4)]
        views = np.array(axes, dtype=object).reshape(2, 2)
        _surfaces(maps, name, views, "fsaverage5", scale, None)
        for ax in axes:
            ax.set_title("")
            ax.set_anchor("N")  # below the name of its row, however high the row
    for j, (side, seen) in enumerate((side, seen) for side in SIDES for seen in VIEWS):
        y = 1 - (HEAD - LINE) / height
        part.text((j + 0.5) / 4, y, f"{side}, {seen}", ha="center", va="top")
    if rows[0][0].labels:
        _legend(part, rows[0][0], np.array(axes))
    else:
        _scale_below(part, rows[0][0].unit, scale, height)


def brain_rows_height(n_rows: int, width: float) -> float:
    """Return the height of a panel of brains, in mm, for its width in mm."""
    return HEAD + FOOT + n_rows * (LINE + 0.155 * width)


def _scale_below(part: SubFigure, unit: str, scale: ColourScale, height: float) -> None:
    place = part.add_axes((0.3, 5 / height, 0.3, 1.4 / height))
    ticks = sorted({scale.low, 0.0, scale.high}) if scale.low <= 0 else [scale.low, scale.high]
    part.colorbar(scale.mappable, cax=place, orientation="horizontal", ticks=ticks)
    place.set_xticklabels([f"{tick:.2g}" for tick in ticks])
    place.text(1.1, 0.5, "" if unit == "1" else unit, transform=place.transAxes, va="center")
