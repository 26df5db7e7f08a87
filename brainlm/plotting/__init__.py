"""Figures, drawn from result bundles only.

One function draws one thing: data in, ``ax`` in and out. ``FIGURES`` maps the names that bundles
list to functions that draw a whole figure from a bundle, so every figure can be drawn again
without computing anything.

The scores of a bundle are an ``xarray.Dataset`` with

- ``score`` over the dimensions ``analysis``, ``space``, ``target`` and one of ``subject`` and
  ``fold`` (the *units* whose spread is shown);
- the coordinates ``kind`` (``brainlm.encoding.encode.KINDS``) and ``layer`` of each space (-1 where
  there is none);
- optionally ``ceiling`` over ``subject`` and ``target``;
- of epochs, optionally ``p`` over ``analysis``, ``space`` and ``target`` (named "channel@100ms"),
  and ``position`` over ``target`` and ``axis``, in metres, with the attribute ``modality``;
- the attributes ``label`` (of the score axis) and ``title``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainlm.errors import UnknownNameError, unknown_name
from brainlm.plotting._style import fit_texts, lay_out, mark_debug, on_page, plot_heat_map
from brainlm.plotting.brain import (
    brain_maps,
    brain_rows_height,
    bundle_maps,
    draw_brain_rows,
    searchlight_brain,
    surface_views,
    winner_brain,
)
from brainlm.plotting.cogbench import COGBENCH_METRICS, cogbench, draw_cogbench, plot_cogbench
from brainlm.plotting.decoding_accuracy import (
    decoding_curve,
    decoding_null,
    plot_accuracy_curve,
    plot_null,
)
from brainlm.plotting.depth import (
    layers_by_level,
    layers_by_modality,
    plot_best_depths,
    plot_depth_curves,
)
from brainlm.plotting.diagnostics import alphas, plot_alphas
from brainlm.plotting.factors import context_and_size, plot_factor_scores
from brainlm.plotting.flat import flat_maps, flat_view, plot_flat
from brainlm.plotting.forest import plot_forest, plot_grouped_forest
from brainlm.plotting.languages import language_gains, plot_language_gains
from brainlm.plotting.layers import (
    layer_curve,
    plot_layer_curve,
    plot_target_bars,
    target_bars,
    target_heat_map,
)
from brainlm.plotting.mapping import ablations, mapping_and_text, plot_factor, plot_mapping_and_text
from brainlm.plotting.new_person import new_person, plot_new_person
from brainlm.plotting.paper import (
    ONE_COLUMN,
    TWO_COLUMNS,
    Panel,
    draw_paper_figure,
    on_axes,
    paper_style,
    save_paper_figure,
)
from brainlm.plotting.rdms import plot_scatter, rdm_pair, similarity_and_rsa
from brainlm.plotting.reading import (
    is_component,
    plot_mixed_effects,
    plot_reading_gains,
    plot_spillover,
    reading_effects,
    reading_gains,
)
from brainlm.plotting.reconstruction import (
    draw_conditions,
    plot_conditions,
    plot_gain,
    plot_mapping_gain,
    plot_over_controls,
    reconstruction_gain,
    reconstruction_scores,
    reconstruction_text,
    shown_level,
    shown_metrics,
)
from brainlm.plotting.sensors import (
    added_effects,
    draw_time_course,
    draw_topographies,
    plot_time_course,
    plot_topographies,
    scores_over_time,
    time_course,
    topographies,
)
from brainlm.plotting.studies import (
    context_gains,
    coverage,
    critical_difference,
    model_by_dataset,
    paired_bars,
    plot_best_scores,
    plot_critical_difference,
    plot_ranks,
    plot_unique_variance,
    plot_winners,
    table_frame,
    unique_variance,
    winners,
)
from brainlm.plotting.text_columns import plot_text_timeline, timeline_lines
from brainlm.plotting.text_measures import geometry, plot_geometry, plot_surprisal, surprisal
from brainlm.plotting.verdict import plot_verdict, verdict
from brainlm.plotting.volumes import glass_brain, glass_brains, winner_map

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

__all__ = [
    "COGBENCH_METRICS",
    "FIGURES",
    "ONE_COLUMN",
    "TWO_COLUMNS",
    "FigureWarning",
    "Panel",
    "brain_rows_height",
    "bundle_maps",
    "draw",
    "draw_brain_rows",
    "draw_cogbench",
    "draw_conditions",
    "draw_paper_figure",
    "draw_time_course",
    "draw_topographies",
    "flat_view",
    "glass_brain",
    "is_component",
    "on_axes",
    "plot_accuracy_curve",
    "plot_alphas",
    "plot_best_depths",
    "plot_best_scores",
    "plot_cogbench",
    "plot_conditions",
    "plot_critical_difference",
    "plot_depth_curves",
    "plot_factor",
    "plot_factor_scores",
    "plot_flat",
    "plot_forest",
    "plot_gain",
    "plot_geometry",
    "plot_grouped_forest",
    "plot_heat_map",
    "plot_language_gains",
    "plot_layer_curve",
    "plot_mapping_and_text",
    "plot_mapping_gain",
    "plot_mixed_effects",
    "plot_new_person",
    "plot_null",
    "plot_over_controls",
    "plot_ranks",
    "plot_reading_gains",
    "plot_scatter",
    "plot_spillover",
    "plot_surprisal",
    "plot_target_bars",
    "plot_text_timeline",
    "plot_time_course",
    "plot_topographies",
    "plot_unique_variance",
    "plot_verdict",
    "plot_winners",
    "save_figures",
    "save_paper_figure",
    "scores_over_time",
    "shown_level",
    "shown_metrics",
    "surface_views",
    "table_frame",
    "timeline_lines",
    "winner_map",
]

FIGURES: dict[str, Callable[[Bundle], Figure]] = {
    "layer_curve": layer_curve,
    "target_bars": target_bars,
    "similarity_and_rsa": similarity_and_rsa,
    "rdm_pair": rdm_pair,
    "decoding_curve": decoding_curve,
    "decoding_null": decoding_null,
    "reconstruction_gain": reconstruction_gain,
    "reconstruction_scores": reconstruction_scores,
    "reconstruction_text": reconstruction_text,
    "new_person": new_person,
    "ablations": ablations,
    "mapping_and_text": mapping_and_text,
    "geometry": geometry,
    "surprisal": surprisal,
    "alphas": alphas,
    "model_by_dataset": model_by_dataset,
    "layers_by_level": layers_by_level,
    "layers_by_modality": layers_by_modality,
    "cogbench": cogbench,
    "context_and_size": context_and_size,
    "context_gains": context_gains,
    "winners": winners,
    "unique_variance": unique_variance,
    "critical_difference": critical_difference,
    "reading_effects": reading_effects,
    "reading_gains": reading_gains,
    "target_heat_map": target_heat_map,
    "paired_bars": paired_bars,
    "coverage": coverage,
    "brain_maps": brain_maps,
    "flat_maps": flat_maps,
    "glass_brains": glass_brains,
    "searchlight_brain": searchlight_brain,
    "winner_brain": winner_brain,
    "time_course": time_course,
    "added_effects": added_effects,
    "language_gains": language_gains,
    "topographies": topographies,
    "verdict": verdict,
}


class FigureWarning(UserWarning):
    """A figure of a result bundle could not be drawn; its results are kept."""


def draw(bundle: Bundle, name: str, *, width: float = TWO_COLUMNS, style: Any = None) -> Figure:
    """Return the named figure of a bundle, drawn at the size of print with text of 7 to 8 points.

    Parameters
    ----------
    bundle : Bundle
    name : str
        One of ``FIGURES``.
    width : float
        Of the page in millimetres, which no figure is wider than: 89 is one column, 183 are two.
        Panels that do not fit side by side stand below each other.
    style : str, path, dict or list of these, optional
        matplotlib styles on top of brainlm's, such as ``"ggplot"`` or ``{"font.family": "Arial"}``.

    Raises
    ------
    UnknownNameError
        There is no such figure, or the bundle holds nothing that it could be drawn from.
    """
    if name not in FIGURES:
        raise unknown_name("figure", name, FIGURES)
    with paper_style(style), on_page(width):
        try:
            figure = FIGURES[name](bundle)
        except KeyError as error:
            raise UnknownNameError(
                f"{bundle.folder}: {name!r} cannot be drawn from it, it has no {error}. Its "
                f"figures: {', '.join(bundle.record['figures']) or '(none)'}"
            ) from error
        if bundle.record.get("config", {}).get("debug"):
            mark_debug(figure)
        fit_texts(figure)
        lay_out(figure)  # while the style holds
    return figure


def save_figures(
    bundle: Bundle,
    folder: Path | None = None,
    names: Sequence[str] | None = None,
    *,
    formats: Sequence[str] = ("png", "pdf"),
    width: float = TWO_COLUMNS,
    style: Any = None,
) -> list[Path]:
    """Draw figures of a bundle, each in every format; return their paths.

    Parameters
    ----------
    bundle : Bundle
    folder : Path, optional
        Where to; default: into the bundle.
    names : sequence of str, optional
        Which; default: all that the bundle lists.
    formats : sequence of str
        Of matplotlib: "png" (300 dpi), "pdf", "svg", ...
    width, style
        As in `draw`.

    Raises
    ------
    UnknownNameError
        There is no such format, style or, among ``names``, figure.

    Warns
    -----
    FigureWarning
        A figure that the bundle lists cannot be drawn; the others are. One that is asked for by
        name raises instead.
    """
    import matplotlib.pyplot as plt
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    for suffix in formats:
        if suffix not in known:
            raise unknown_name("format", suffix, known)
    folder = bundle.folder if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with paper_style(style):  # one that is not there is an error before anything is drawn
        written = []
    for name in bundle.record["figures"] if names is None else names:
        try:
            figure = draw(bundle, name, width=width, style=style)
            with paper_style(style):
                figure.set_layout_engine("none")  # it is laid out: once is enough for all formats
                for suffix in formats:
                    path = folder / f"{name}.{suffix}"
                    figure.savefig(path)
                    written.append(path)
            plt.close(figure)
        except Exception as error:
            if names is not None:
                raise
            plt.close("all")
            warnings.warn(
                f"the figure {name!r} could not be drawn ({type(error).__name__}: {error}); the "
                f"results are kept: brainlm plot {bundle.folder} --figure {name}",
                FigureWarning,
                stacklevel=2,
            )
    return written
