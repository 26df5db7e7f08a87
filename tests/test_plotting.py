import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray
from support.pictures import check_pictures
from support.scores_for_tests import by_fold, by_subject

from brainlm.plotting import (
    FIGURES,
    draw,
    plot_geometry,
    plot_layer_curve,
    plot_surprisal,
    plot_target_bars,
    save_figures,
)
from brainlm.results.bundle import load_bundle, save_bundle


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
    best = dataset["fold_score"].sel(analysis="one", space="layer 1").mean("fold").values
    heights = [patch.get_height() for patch in ax.patches[:2]]
    np.testing.assert_allclose(heights, best)  # layer 1 is best in every fold
    plt.close("all")


@pytest.mark.long
@pytest.mark.parametrize("make", [lambda rng: by_fold(rng)[1], by_subject])
def test_figures_are_drawn_from_the_bundle_and_drawn_again_alike(rng, tmp_path, make):
    folder = save_bundle(
        tmp_path / "bundle",
        analysis="test",
        arrays={"scores": make(rng)},
        config={},
        inputs={},
        figures=["layer_curve", "target_bars"],
    )
    save_figures(load_bundle(folder))
    check_pictures(folder, ["layer_curve", "target_bars"])
    for path in save_figures(load_bundle(folder), tmp_path / "again"):
        if path.suffix == ".png":
            np.testing.assert_array_equal(plt.imread(path), plt.imread(folder / path.name))


def test_rdm_pair_and_unknown_figures(rng, tmp_path):
    rdms = xarray.Dataset(
        {"first": ("pair", rng.random(500)), "second": ("pair", rng.random(500))},
        attrs={"labels": ["first", "second"], "title": "two"},
    )
    folder = save_bundle(
        tmp_path / "bundle",
        analysis="test",
        arrays={"rdms": rdms},
        config={},
        inputs={},
        figures=["rdm_pair"],
    )
    save_figures(load_bundle(folder))
    check_pictures(folder, ["rdm_pair"])
    with pytest.raises(ValueError, match="Did you mean 'rdm_pair'"):
        draw(load_bundle(folder), "rdm_pairs")
    assert set(FIGURES) >= {"layer_curve", "target_bars", "decoding_null"}


def text_arrays(rng, words):
    """Geometry of three layers and the surprisal of some words, as an analysis saves them."""
    names = ("mean_similarity", "mean_correlation", "effective_dimension", "norm")
    whose = {"model": "tiny", "n_words": len(words), "title": "test"}
    table = {name: ("layer", 0.1 + 0.8 * rng.random(3)) for name in names}
    bits = 10 * rng.random(len(words))
    return {
        "geometry": xarray.Dataset(table, coords={"layer": [0, 1, 2]}, attrs=whose),
        "surprisal": xarray.Dataset(
            {"surprisal": ("word", bits)},
            coords={"text": ("word", words)},
            attrs={**whose, "context": "3"},
        ),
    }


@pytest.mark.long
def test_geometry_and_surprisal_are_drawn_from_the_bundle_and_show_their_numbers(rng, tmp_path):
    words = [f"word{i}" for i in range(70)]
    arrays = text_arrays(rng, words)
    folder = save_bundle(
        tmp_path / "bundle",
        analysis="test",
        arrays=arrays,
        config={},
        inputs={},
        figures=["geometry", "surprisal"],
    )
    bundle = load_bundle(folder)
    save_figures(bundle)
    for path in save_figures(bundle, tmp_path / "again"):
        if path.suffix == ".png":
            np.testing.assert_array_equal(plt.imread(path), plt.imread(folder / path.name))
    figure = draw(bundle, "geometry")
    assert "n = 70 words" in figure.get_suptitle()
    for ax, name in zip(figure.axes, arrays["geometry"], strict=True):
        assert ax.lines[0].get_xdata().tolist() == [0, 1, 2]
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), arrays["geometry"][name])
    assert figure.axes[-1].get_yscale() == "log"
    figure = draw(bundle, "surprisal")
    heights = [bar.get_height() for ax in figure.axes for bar in ax.patches]
    np.testing.assert_allclose(heights, arrays["surprisal"]["surprisal"])
    labels = [tick.get_text() for ax in figure.axes for tick in ax.get_xticklabels()]
    assert labels == words
    assert figure.axes[0].get_ylabel() == "surprisal (bits)"
    with pytest.raises(ValueError, match="Choices: mean_similarity"):
        plot_geometry(arrays["geometry"], "size", figure.axes[0])
    plt.close("all")


def test_words_that_no_font_can_write_have_numbers():
    _, ax = plt.subplots()
    plot_surprisal(np.array([1.0, 2.0]), ["\U00013000\U00013001", "a"], ax, first=31)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["31", "32"]
    assert "no font here" in ax.get_xlabel()
    plt.close("all")


def test_targets_and_spaces_of_the_heat_map_are_those_of_the_scores(rng, tmp_path):
    _, dataset = by_fold(rng)
    folder = save_bundle(
        tmp_path / "b", analysis="t", config={}, inputs={}, arrays={"scores": dataset}
    )
    figure = draw(load_bundle(folder), "target_heat_map")
    ax = figure.axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["layer 0", "layer 1", "GloVe"]
    mean = dataset["score"].sel(analysis="one").mean("fold")
    expected = [
        f"{float(mean.sel(space=s, target=t)):.2f}"
        for t in "ab"
        for s in ("layer 0", "layer 1", "GloVe")
    ]
    assert [text.get_text() for text in ax.texts] == expected
    plt.close("all")
