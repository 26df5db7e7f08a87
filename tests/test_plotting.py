import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray
from scores_for_tests import by_fold, by_subject

from brainlm.bundle import load_bundle, save_bundle
from brainlm.plotting import FIGURES, draw, plot_layer_curve, plot_target_bars, save_figures


def test_layer_curve_draws_the_means(rng):
    _, dataset = by_fold(rng)
    _, ax = plt.subplots()
    assert plot_layer_curve(dataset, "one", ax) is ax
    layers, curve = ax.lines[0].get_data()
    assert list(layers) == [0, 1]
    np.testing.assert_allclose(
        curve, dataset["score"].sel(analysis="one").isel(space=[0, 1]).mean(("fold", "target"))
    )
    assert ax.get_xlabel().startswith("layer")
    plt.close("all")


def test_bars_show_the_held_out_layer_and_the_references(rng):
    dataset = by_subject(rng)
    _, ax = plt.subplots()
    plot_target_bars(dataset, "one", ax)
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["noise ceiling", "best layer (held out)", "GloVe"]
    best = dataset["score"].sel(analysis="one", space="layer 1").mean("subject").values
    heights = [patch.get_height() for patch in ax.patches[:2]]
    np.testing.assert_allclose(heights, best)  # layer 1 is best for every subject
    plt.close("all")


@pytest.mark.parametrize("make", [lambda rng: by_fold(rng)[1], by_subject])
def test_figures_are_drawn_from_the_bundle_and_drawn_again_alike(rng, tmp_path, make):
    folder = save_bundle(
        tmp_path / "bundle", analysis="test", arrays={"scores": make(rng)}, config={}, inputs={},
        figures=["layer_curve", "target_bars"],
    )  # fmt: skip
    for path in save_figures(load_bundle(folder), tmp_path / "again"):
        assert path.stat().st_size > 5000
        if path.suffix == ".png":
            np.testing.assert_array_equal(plt.imread(path), plt.imread(folder / path.name))


def test_rdm_pair_and_unknown_figures(rng, tmp_path):
    rdms = xarray.Dataset(
        {"first": ("pair", rng.random(500)), "second": ("pair", rng.random(500))},
        attrs={"labels": ["first", "second"], "title": "two"},
    )
    folder = save_bundle(
        tmp_path / "bundle", analysis="test", arrays={"rdms": rdms}, config={}, inputs={},
        figures=["rdm_pair"],
    )  # fmt: skip
    assert (folder / "rdm_pair.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match="Did you mean 'rdm_pair'"):
        draw(load_bundle(folder), "rdm_pairs")
    assert set(FIGURES) >= {"layer_curve", "target_bars", "decoding_null"}
