import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

from brainlm.plotting import draw, plot_alphas
from brainlm.results.bundle import load_bundle, save_bundle


@pytest.fixture
def scores():
    alpha = np.full((2, 3, 2, 4), np.nan)
    alpha[0, :2] = 10.0  # two layers
    alpha[0, 0, 0, 0] = 1.0
    alpha[0, 2] = 100.0  # the reference
    return xarray.Dataset(
        {
            "alpha": (("analysis", "space", "fold", "column"), alpha),
            "score": (("analysis", "space", "fold", "target"), np.zeros((2, 3, 2, 4))),
        },
        coords={
            "analysis": ["ridge", "similarity"],
            "space": ["a", "b", "c"],
            "kind": ("space", ["layer", "layer", "reference"]),
        },
        attrs={"title": "a test"},
    )


def test_shares_of_the_choices_are_drawn_by_kind(scores):
    _, ax = plt.subplots()
    plot_alphas(scores, "ridge", ax)
    layers, reference = (dict(zip(*line.get_data(), strict=True)) for line in ax.lines)
    assert layers == {1.0: 1 / 16, 10.0: 15 / 16, 100.0: 0.0}
    assert reference == {1.0: 0.0, 10.0: 0.0, 100.0: 1.0}
    assert "4 targets x 2 folds" in ax.get_ylabel()
    plt.close("all")


def test_a_bundle_without_penalties_says_so(scores, tmp_path):
    def saved(name, dataset):
        return load_bundle(
            save_bundle(
                tmp_path / name, analysis="t", arrays={"scores": dataset}, config={}, inputs={}
            )
        )

    assert draw(saved("with", scores), "alphas").axes[0].get_title() == "a test\nridge"
    with pytest.raises(ValueError, match="have no penalties"):
        draw(saved("without", scores.drop_vars("alpha")), "alphas")
    with pytest.raises(ValueError, match="none of its analyses"):
        draw(saved("none", scores.isel(analysis=[1])), "alphas")
