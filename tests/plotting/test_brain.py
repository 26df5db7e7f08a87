import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from brainlm.data.brain_maps import BrainMaps, winners
from brainlm.plotting import draw, glass_brain, surface_views, winner_map
from brainlm.results.bundle import load_bundle, save_bundle

pytestmark = pytest.mark.filterwarnings("ignore")  # nilearn's, about its own arguments


@pytest.fixture
def maps():
    """Two maps on a coarse grid in MNI space: one to the left, one to the right of the middle."""
    affine = np.diag([8.0, 8, 8, 1])
    affine[:3, 3] = -90, -126, -72
    x = np.arange(24) * 8 - 90.0
    volume = np.broadcast_to(x[:, None, None], (24, 29, 24))
    mask = np.ones((24, 29, 24), dtype=bool)
    data = np.stack([np.maximum(-volume, 0)[mask], np.maximum(volume, 0)[mask]])
    return BrainMaps(data, ["left", "right"], mask, "mm", affine)


def painted(ax):
    """Colours (n_dots, 3), 0 to 1, of the cortex in a view."""
    picture = ax.images[0].get_array() / 255
    return picture[picture[..., 3] > 0.99][:, :3]


def test_each_hemisphere_shows_its_own_side(maps):
    figure = surface_views(maps, "left", limit=60)
    views = figure.axes[:4]
    assert [ax.get_title() for ax in views] == [
        "left, lateral",
        "right, lateral",
        "left, medial",
        "right, medial",
    ]
    assert "left (mm)" in figure.axes[-1].get_ylabel()
    for ax, own in zip(views, (True, False, True, False), strict=True):
        colours = painted(ax)
        redness = colours[:, 0] - colours[:, 2]
        assert redness.min() > -0.05  # nothing is blue: no value lies below 0
        assert (redness.max() > 0.3) == own
    plt.close("all")


def test_parcels_are_drawn_without_a_scale(maps):
    labels = BrainMaps(
        (maps.data[:1] > 0).astype(int),
        ["parcels"],
        maps.mask,
        "label",
        maps.affine,
        labels={1: "left"},
    )
    figure = surface_views(labels)
    assert len(figure.axes) == 4
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["left"]
    plt.close("all")


def test_the_winner_of_each_voxel_is_counted(maps):
    _, ax = plt.subplots(layout="none")
    winner_map(maps, ax, ["#0072B2", "#D55E00"])
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    best = maps.data.argmax(axis=0)[maps.data.max(axis=0) > 0]
    assert texts == [f"left ({np.mean(best == 0):.0%})", f"right ({np.mean(best == 1):.0%})"]
    with pytest.raises(ValueError, match="2 maps and 1 colours"):
        winner_map(maps, ax, ["#0072B2"])
    glass_brain(maps, plt.subplots(layout="none")[1], "right")
    plt.close("all")


def test_a_surface_is_not_a_volume():
    surface = BrainMaps(np.ones((2, 3)), ["a", "b"], np.ones(3, dtype=bool), "r")
    with pytest.raises(ValueError, match="surface"):
        surface_views(surface)
    with pytest.raises(ValueError, match="surface"):
        winner_map(surface, plt.subplots()[1], ["r", "g"])
    plt.close("all")


def saved(tmp_path, **maps):
    arrays = {name: each.to_xarray() for name, each in maps.items()}
    return load_bundle(
        save_bundle(tmp_path / "b", analysis="t", arrays=arrays, config={}, inputs={})
    )


def test_winners_of_a_bundle_are_coloured_on_their_own_side(maps, tmp_path):
    bundle = saved(tmp_path, maps_S1=maps)
    figure = draw(bundle, "winner_brain")
    left, _, right, _ = figure.axes[:4]
    for ax, colour in ((left, "#0072B2"), (right, "#D55E00")):
        colours = painted(ax)
        strong = colours[np.ptp(colours, axis=1) > 0.3]
        assert len(strong) > 1000
        hue = np.array(to_rgb(colour))
        assert np.corrcoef(strong.mean(axis=0), hue)[0, 1] > 0.9  # shaded by the sulci
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert texts == ["group: left 50%, right 50%"]
    plt.close("all")


def test_brain_maps_of_a_bundle_have_a_row_each_and_one_scale(maps, tmp_path):
    figure = draw(saved(tmp_path, maps=maps), "brain_maps")
    assert [text.get_text() for ax in figure.axes for text in ax.texts] == [
        "group: left",
        "group: right",
    ]
    assert len(figure.axes) == 9
    assert figure.axes[-1].get_ylabel() == "mm"
    plt.close("all")


def test_many_winners_are_layers_on_an_ordered_scale(maps):
    names = [f"layer {k}" for k in range(20)]
    data = np.abs(np.random.default_rng(0).standard_normal((20, maps.n_voxels)))
    won = winners(BrainMaps(data, names, maps.mask, "r", maps.affine))
    figure = surface_views(won)
    labels = [text.get_text() for text in figure.axes[-1].get_yticklabels()]
    assert labels == ["layer 0", "layer 4", "layer 8", "layer 11", "layer 15", "layer 19"]
    plt.close("all")


def test_a_bundle_without_maps_says_how_to_get_them(tmp_path):
    with pytest.raises(ValueError, match="the setting brain"):
        draw(saved(tmp_path), "brain_maps")
    one = BrainMaps(np.ones((1, 1)), ["a"], np.ones((1, 1, 1), bool), "r", np.eye(4))
    with pytest.raises(ValueError, match="at least two maps"):
        draw(
            load_bundle(
                save_bundle(
                    tmp_path / "one",
                    analysis="t",
                    arrays={"maps": one.to_xarray()},
                    config={},
                    inputs={},
                )
            ),
            "winner_brain",
        )


@pytest.mark.filterwarnings("error:empty mask")
def test_a_glass_brain_below_the_threshold_of_all_rows_is_empty(maps):
    glass_brain(maps, plt.subplots(layout="none")[1], threshold=1e6)
    plt.close("all")
