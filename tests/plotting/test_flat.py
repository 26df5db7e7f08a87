import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from nilearn.datasets import fetch_surf_fsaverage
from nilearn.surface import load_surf_mesh

from brainlm.data.brain_maps import BrainMaps
from brainlm.plotting.flat import flat_view, plot_flat

N = 10242


def faces_of_the_left():
    return load_surf_mesh(fetch_surf_fsaverage("fsaverage5")["flat_left"]).faces


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_values_above_the_threshold_cover_the_sulci(ax):
    shown = set(faces_of_the_left()[100:120].ravel())
    texture = np.zeros(N)
    texture[list(shown)] = 2.0
    plot_flat(texture, "left", ax, threshold=1.0)
    sulci, values = ax.collections
    assert set(np.unique(values._triangulation.triangles)) == shown
    assert values.get_clim() == (-2.0, 2.0)
    assert len(sulci._triangulation.triangles) > 15_000


def test_borders_run_between_regions(ax):
    regions, faces = np.zeros(N, dtype=int), faces_of_the_left()
    regions[faces[100]] = 1
    plot_flat(np.zeros(N), "left", ax, regions=regions)
    (lines,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    mixed = [face for face in faces if len(set(regions[face])) == 2]
    assert len(lines.get_segments()) == len(mixed)


@pytest.mark.long
def test_labels_and_values_of_a_volume(rng):
    affine = np.diag([8.0, 8, 8, 1])
    affine[:3, 3] = -90, -126, -72
    mask = np.ones((24, 29, 24), dtype=bool)
    numbers = (np.arange(mask.sum()) % 2 + 1)[None]
    labelled = BrainMaps(numbers, ["winner"], mask, "map", affine, labels={1: "a", 2: "b"})
    values = BrainMaps(rng.standard_normal((1, mask.sum())), ["r"], mask, "r", affine)
    for maps, n_axes in ((labelled, 2), (values, 3)):  # values have a scale
        figure = flat_view(maps, regions=labelled)
        assert len(figure.axes) == n_axes
        plt.close(figure)


def test_another_mesh_is_named(ax):
    with pytest.raises(ValueError, match="texture has 10 values, fsaverage5 has 10242 vertices"):
        plot_flat(np.zeros(10), "left", ax)
    with pytest.raises(ValueError, match="regions has 3 values"):
        plot_flat(np.zeros(N), "left", ax, regions=[0, 1, 2])
