"""Selection, order, labels, colours and limits of any figure; one colour for each name."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figure_bundles import bundle_for
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer

from brainlm.comparison.layer_scores import table_of
from brainlm.data.brain_maps import BrainMaps
from brainlm.errors import UnknownNameError
from brainlm.plotting import draw, save_figures
from brainlm.plotting._palette import palette
from brainlm.plotting.brain import scale_of
from brainlm.plotting.changes import Changes, changed

COMPARED = [  # panels of these share a side
    ("context_gains", "x"),
    ("reading_gains", "x"),
    ("reading_effects", "x"),
    ("unique_variance", "x"),
    ("language_gains", "x"),
    ("layers_by_level", "y"),
    ("layers_by_modality", "y"),
    ("context_and_size", "y"),
    ("paired_bars", "y"),
    ("decoding_curve", "y"),
    ("new_person", "y"),
]


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def legend(figure):
    return [text.get_text() for each in figure.legends for text in each.get_texts()]


def ticks(ax, side="x"):
    return [label.get_text() for label in getattr(ax, f"get_{side}ticklabels")()]


def bar_colours(figure):
    return {
        each.get_label(): to_hex(each.patches[0].get_facecolor())
        for ax in figure.axes
        for each in ax.containers
        if isinstance(each, BarContainer)
    }


def test_a_curve_is_selected_renamed_coloured_and_cut():
    figure = draw(
        bundle_for("layer_curve"),
        "layer_curve",
        width=89,
        select=["layer", "reference"],
        labels={"layers": "SmolLM2", "r": "held-out correlation"},
        colours={"layers": "black"},
        ylim=(None, 0.5),
    )
    (ax,) = figure.axes
    assert legend(figure) == ["SmolLM2", "GloVe", "noise ceiling (others)"]
    assert to_hex(ax.lines[0].get_color()) == "#000000"
    assert ax.get_ylabel() == "held-out correlation"
    assert ax.get_ylim()[1] == 0.5


def test_an_order_holds_for_legends_panels_and_rows():
    bundle = bundle_for("layers_by_level")
    figure = draw(bundle, "layers_by_level", order=["gaze", "large"])
    assert legend(figure)[:2] == ["large", "tiny"]
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["sentence", "word"]
    figure = draw(bundle_for("winners"), "winners", order=["gaze", "b"])
    assert ticks(figure.axes[0], "y")[0].startswith("gaze")
    assert legend(figure) == ["b", "a"]
    rows = draw(bundle_for("reading_effects"), "reading_effects", order=["words"])
    assert ticks(rows.axes[0], "y") == ["en, words: FFD", "en, gaze: FFD"]


def test_a_selection_keeps_the_colours_of_the_whole_figure():
    bundle = bundle_for("paired_bars")
    whole = draw(bundle, "paired_bars").axes[0]
    figure = draw(bundle, "paired_bars", select=["c", "a"], labels={"words": "Ratings (65)"})
    part = figure.axes[0]
    assert ticks(part) == ["a", "c"]
    assert [to_hex(p.get_facecolor()) for p in part.patches] == [
        to_hex(p.get_facecolor()) for p in (whole.patches[0], whole.patches[2])
    ]
    assert part.get_title(loc="left").startswith("Ratings (65) (ratings, word)")


def test_a_heat_map_takes_an_order_names_and_a_scale():
    figure = draw(
        bundle_for("target_heat_map"),
        "target_heat_map",
        order=["b", "GloVe"],
        labels={"a": "Temporal"},
        clim=(-1, 1),
    )
    ax = figure.axes[0]
    assert ticks(ax, "y") == ["b", "Temporal"]
    assert ticks(ax) == ["GloVe", "layer 0", "layer 1"]
    assert ax.images[0].get_clim() == (-1, 1)
    assert len(ax.get_xticks()) == ax.images[0].get_array().shape[1]


def test_scales_begin_at_0_where_no_value_is_below_it():
    mask = np.ones((2, 2, 2), dtype=bool)
    values = np.linspace(0, 0.8, 8)
    above = BrainMaps(values[None], ["r"], mask, "r", np.eye(4), subject="S1")
    signed = BrainMaps(values[None] - 0.2, ["r"], mask, "r", np.eye(4), subject="S2")
    one = scale_of([(above, "r")])
    assert (one.colours, one.low) == ("Reds", 0.0)
    both = scale_of([(above, "r"), (signed, "r")])
    assert (both.colours, both.low) == ("RdBu_r", -both.high)
    assert both.high == one.high  # the greatest of all rows
    with changed(Changes(clim=(0, 0.5)), bundle_for("layer_curve")):
        assert scale_of([(signed, "r")]) == ("Reds", 0, 0.5)


@pytest.mark.parametrize(("name", "side"), COMPARED)
def test_panels_that_are_compared_share_an_axis(name, side):
    axes = [ax for ax in draw(bundle_for(name), name).axes if ax.axison]
    limits = {getattr(ax, f"get_{side}lim")() for ax in axes}
    assert len(axes) > 1
    assert len(limits) == 1


def test_a_model_has_one_colour_though_tables_have_another_order():
    bundle = bundle_for("context_gains")
    mixed = bundle.arrays["mixed"].to_dataframe().iloc[::-1]
    bundle = replace(bundle, arrays={**bundle.arrays, "effects": bundle.arrays["effects"]})
    bundle.arrays["effects"] = table_of(
        pd.DataFrame(bundle.arrays["effects"].to_dataframe().iloc[::-1])
    )
    bundle.arrays["mixed"] = table_of(pd.DataFrame(mixed))
    curves = draw(bundle, "layers_by_modality")
    effects = draw(bundle, "reading_effects")
    found = []
    for figure in (curves, effects):
        handles = figure.legends[0].legend_handles
        named = zip(legend(figure), handles, strict=True)
        found.append({name: to_hex(h.get_color()) for name, h in named if name in palette(bundle)})
    assert found[0] == found[1] == {"tiny": "#0072b2", "large": "#d55e00"}


def test_spaces_have_one_colour_in_all_figures_and_none_has_that_of_a_model():
    bundle = bundle_for("winners")
    names = palette(bundle)
    for name in ("winners", "unique_variance"):
        bars = bar_colours(draw(bundle, name))
        assert bars == {space: names[space].lower() for space in "ab"}
    assert names["a"] != names["b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"select": ["GloVee"]}, "unknown name to select 'GloVee'. Did you mean 'GloVe'"),
        ({"order": ["reference "]}, "unknown name to order .*Did you mean 'reference'"),
        ({"labels": {"layrs": "x"}}, "unknown label 'layrs'. Did you mean 'layers'"),
        ({"colours": {"GoVe": "red"}}, "unknown name with a colour 'GoVe'. Did you mean 'GloVe'"),
        ({"colours": {"GloVe": "rood"}}, "'rood' of 'GloVe' is no colour"),
        ({"colors": {}}, "unknown argument 'colors'. Did you mean 'colours'"),
        ({"ylim": (1, 0)}, "ylim: two numbers"),
        ({"clim": (0, 1)}, "clim: the figure has no colour scale"),
        ({"select": "GloVe"}, "select: a list of names"),
        ({"select": ["GloVe", "s1"]}, None),
    ],
)
def test_wrong_changes_are_named(changes, message, tmp_path):
    bundle = bundle_for("layer_curve")
    if message is None:  # a reference alone can be drawn
        draw(bundle, "layer_curve", **changes)
        return
    with pytest.raises(UnknownNameError, match=message):
        draw(bundle, "layer_curve", **changes)
    with pytest.raises(UnknownNameError, match=message):
        save_figures(bundle, tmp_path, ["layer_curve"], formats=["png"], **changes)


def test_settings_of_the_user_hold_but_for_the_size():
    own = {"axes.facecolor": "0.9", "axes.grid": True, "figure.figsize": (1, 1)}
    with plt.rc_context(own):
        figure = draw(bundle_for("alphas"), "alphas", width=89)
    assert figure.axes[0].get_facecolor()[0] == pytest.approx(0.9)
    assert figure.axes[0].xaxis.get_gridlines()[0].get_visible()
    assert figure.get_figwidth() > 3
    with plt.rc_context(own):
        figure = draw(bundle_for("alphas"), "alphas", style={"axes.facecolor": "white"})
    assert figure.axes[0].get_facecolor()[0] == 1.0
