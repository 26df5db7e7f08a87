"""Layer curves from arrays, tables and tensors, without any object of brainlm."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
import xarray

from brainlm import ContiguousBlocks, RidgeEncoder, cross_validate, encode
from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.encoding.splits import GapWarning
from brainlm.results.bundle import load_bundle


@pytest.fixture
def data(rng):
    layers = [rng.standard_normal((200, 8)) for _ in range(3)]
    responses = layers[1][:, :2] + rng.standard_normal((200, 2))
    return layers, pd.DataFrame(responses, columns=["LATL", "LIFG"])


def test_a_layer_curve_from_arrays(data):
    layers, responses = data
    result = encode(layers, responses, ContiguousBlocks(5))
    assert result.best_layer().layers == (1,) * 5
    assert 0.5 < result.best_layer().score < 0.9
    ax = result.plot()
    assert len(ax.lines[0].get_xdata()) == 3
    plt.close("all")
    frame = result.to_frame()
    assert set(frame["target"]) == {"LATL", "LIFG"}
    assert len(frame) == 3 * 5 * 2
    assert "best layer on the other folds: 1" in result.summary()


@pytest.mark.parametrize("kind", ["numpy", "pandas", "torch", "xarray"])
def test_every_kind_of_array_gives_the_same(data, kind):
    layers, responses = data
    expected = encode(layers, responses).scores["score"].values
    make = {
        "numpy": np.asarray,
        "pandas": pd.DataFrame,
        "torch": torch.tensor,
        "xarray": lambda a: xarray.DataArray(a, dims=("sample", "feature")),
    }[kind]
    found = encode([make(each) for each in layers], make(responses.to_numpy()))
    np.testing.assert_allclose(found.scores["score"].values, expected)


def test_spaces_have_names_in_a_mapping(data):
    layers, responses = data
    result = encode({"syntax": layers[0], "meaning": layers[1]}, responses["LATL"])
    assert result.scores["space"].values.tolist() == ["syntax", "meaning"]
    assert result.scores["target"].values.tolist() == ["LATL"]
    result.plot()
    plt.close("all")
    with pytest.raises(ValueError, match="no layers among the spaces"):
        result.best_layer()


def test_a_result_is_saved_with_its_figures(data, tmp_path):
    layers, responses = data
    encode(layers, responses).save(tmp_path / "out")
    assert (tmp_path / "out" / "layer_curve.png").is_file()
    assert load_bundle(tmp_path / "out").arrays["scores"].sizes["space"] == 3


def test_a_single_space_is_put_into_a_list(data):
    layers, responses = data
    with pytest.raises(ValueError, match="put a single one into a list"):
        encode(layers[0], responses)


def test_scores_keep_the_names_of_columns(data):
    layers, responses = data
    scores = cross_validate(RidgeEncoder(), pd.DataFrame(layers[1]), responses, 5)
    assert scores.to_frame()["name"].tolist() == ["LATL", "LIFG"]
    assert "mean r" in scores.to_frame()
    labels = [text.get_text() for text in scores.plot().get_yticklabels()]
    plt.close("all")
    assert set(labels) == {"LATL", "LIFG"}


def test_features_are_an_array(rng):
    values = rng.standard_normal((5, 3))
    np.testing.assert_array_equal(np.asarray(Features("x", values)), values)
    assert np.asarray(Features("x", values), dtype=np.float32).dtype == np.float32


def test_a_time_series_needs_a_gap(data):
    layers, responses = data
    times = np.arange(200.0)
    recording = Recording(
        responses.to_numpy(), ["a", "b"], "fmri", "z", times=times, run=["1"] * 200
    )
    with pytest.warns(GapWarning, match="gap of at least the longest delay, 1 or more"):
        encode(layers, recording)
    encode(layers, recording, ContiguousBlocks(5, gap=1, runs=recording.run))


def test_sites_of_one_block_are_separate_places_of_the_curve(data, rng):
    layers, responses = data
    names = ["layer 1.attn_out", "layer 1.mlp_out", "layer 2.attn_out"]
    sites = [
        Features(name, values, origin={"layer": int(name[6])})
        for name, values in zip(names, layers, strict=True)
    ]
    result = encode(sites, responses)
    assert result.best_layer().names == ("layer 1.mlp_out",) * 5
    assert "other folds: 1.mlp_out;" in result.summary()
    ax = result.plot()
    assert [text.get_text() for text in ax.get_xticklabels()] == [name[6:] for name in names]
    np.testing.assert_allclose(
        ax.lines[0].get_ydata(), result.scores["fold_score"].mean(("analysis", "fold", "target"))
    )
    plt.close("all")


def test_a_named_array_of_xarray_is_no_single_target(data):
    layers, responses = data
    named = xarray.DataArray(responses.to_numpy(), dims=("sample", "target"), name="bold")
    assert encode(layers, named).scores["target"].values.tolist() == ["target 0", "target 1"]
