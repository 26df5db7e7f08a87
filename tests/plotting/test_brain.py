import matplotlib.pyplot as plt
import numpy as np
import pytest

from brainlm.maps import BrainMaps
from brainlm.plotting import glass_brain, surface_views, winner_map

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


def test_each_hemisphere_shows_its_own_side(maps):
    figure = surface_views(maps, "left", limit=60)
    views = figure.axes[:4]
    assert [ax.get_title() for ax in views] == [
        "left, lateral", "right, lateral", "left, medial", "right, medial",
    ]  # fmt: skip
    assert "left (mm)" in figure.axes[-1].get_ylabel()
    for ax, own in zip(views, (True, False, True, False), strict=True):
        colours = ax.collections[0].get_facecolor()
        redness = colours[:, 0] - colours[:, 2]
        assert redness.min() > -0.05  # nothing is blue: no value lies below 0
        assert (redness.max() > 0.3) == own
    plt.close("all")


def test_parcels_are_drawn_without_a_scale(maps):
    labels = BrainMaps(
        (maps.data[:1] > 0).astype(int), ["parcels"], maps.mask, "label", maps.affine,
        labels={1: "left"},
    )  # fmt: skip
    assert len(surface_views(labels).axes) == 4
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
