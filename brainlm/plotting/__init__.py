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

from brainlm.plotting.brain import brain_rows_height, bundle_maps, draw_brain_rows, surface_views
from brainlm.plotting.cogbench import COGBENCH_METRICS, draw_cogbench, plot_cogbench
from brainlm.plotting.decoding_accuracy import plot_accuracy_curve, plot_null
from brainlm.plotting.depth import plot_best_depths, plot_depth_curves
from brainlm.plotting.diagnostics import plot_alphas
from brainlm.plotting.drawing import FIGURES, FigureWarning, draw, save_figures
from brainlm.plotting.factors import plot_factor_scores
from brainlm.plotting.flat import flat_view, plot_flat
from brainlm.plotting.forest import plot_forest, plot_grouped_forest
from brainlm.plotting.heat_map import plot_heat_map
from brainlm.plotting.languages import plot_language_gains
from brainlm.plotting.layers import plot_layer_curve, plot_target_bars
from brainlm.plotting.mapping import plot_factor, plot_mapping_and_text
from brainlm.plotting.new_person import plot_new_person
from brainlm.plotting.paper import (
    ONE_COLUMN,
    TWO_COLUMNS,
    Panel,
    draw_paper_figure,
    on_axes,
    paper_style,
    save_paper_figure,
)
from brainlm.plotting.rdms import plot_scatter
from brainlm.plotting.reading import (
    is_component,
    plot_mixed_effects,
    plot_reading_gains,
    plot_spillover,
)
from brainlm.plotting.reconstruction import (
    draw_conditions,
    plot_conditions,
    plot_gain,
    plot_mapping_gain,
    plot_over_controls,
    shown_level,
    shown_metrics,
)
from brainlm.plotting.sensors import (
    draw_time_course,
    draw_topographies,
    plot_time_course,
    plot_topographies,
    scores_over_time,
)
from brainlm.plotting.studies import (
    plot_best_scores,
    plot_critical_difference,
    plot_ranks,
    plot_unique_variance,
    plot_winners,
    table_frame,
)
from brainlm.plotting.text_columns import plot_text_timeline, timeline_lines
from brainlm.plotting.text_measures import plot_geometry, plot_surprisal
from brainlm.plotting.verdict import plot_verdict
from brainlm.plotting.volumes import glass_brain, winner_map

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
    "paper_style",
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
