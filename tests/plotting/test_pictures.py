"""Figures against pictures that somebody has looked at.

To take new ones after a change that is meant: BRAINLM_NEW_BASELINES=1 pytest tests/plotting, and
look at them.
"""

import os
import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray
from figure_bundles import MAKERS, bundle_for
from matplotlib.testing.compare import compare_images
from support.scores_for_tests import by_fold, by_subject

from brainlm.data.target_table import epoch_targets
from brainlm.plotting import FIGURES as PLOTS
from brainlm.plotting import (
    draw,
    plot_alphas,
    plot_layer_curve,
    plot_scatter,
    plot_target_bars,
    plot_time_course,
)
from brainlm.plotting.glyphs import styled

BASELINE = Path(__file__).parent / "baseline"
TOLERANCE = 12  # root mean square of grey levels: other versions of freetype draw letters otherwise


def time_course(ax):
    values = np.random.default_rng(0).normal(0.1, 0.05, (5, 30))
    targets = epoch_targets(["C0", "C1", "C2"], np.arange(10) / 10)
    plot_time_course(values, targets, ax, label="layer 3")


def penalties(ax):
    alpha = 10.0 ** np.random.default_rng(0).integers(0, 5, (1, 3, 4, 20))
    scores = xarray.Dataset(
        {"alpha": (("analysis", "space", "fold", "column"), alpha)},
        coords={"analysis": ["ridge"], "kind": ("space", ["layer", "layer", "reference"])},
    )
    plot_alphas(scores, "ridge", ax)


def scatter(ax):
    rng = np.random.default_rng(0)
    x = rng.random(300)
    plot_scatter(x, x + rng.normal(0, 0.2, 300), ax, labels=("English", "Chinese"))


FIGURES = {
    "layer_curve": lambda ax: plot_layer_curve(by_fold(np.random.default_rng(0))[1], "one", ax),
    "target_bars": lambda ax: plot_target_bars(by_subject(np.random.default_rng(0)), "one", ax),
    "time_course": time_course,
    "alphas": penalties,
    "scatter": scatter,
}


def drawn(name, folder):
    with styled():
        figure, ax = plt.subplots(figsize=(4, 3))
        FIGURES[name](ax)
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=60, bbox_inches=None)
        plt.close(figure)
    return path


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_looks_as_it_did(name, tmp_path):
    path = drawn(name, tmp_path)
    known = BASELINE / path.name
    if os.environ.get("BRAINLM_NEW_BASELINES"):
        shutil.copy(path, known)
    assert compare_images(str(known), str(path), TOLERANCE) is None


def test_every_figure_of_a_bundle_has_a_picture():
    assert set(MAKERS) == set(PLOTS)


@pytest.mark.filterwarnings("ignore")  # nilearn's, about its own arguments
@pytest.mark.parametrize("name", MAKERS)
def test_a_figure_of_a_bundle_looks_as_it_did(name, tmp_path):
    figure = draw(bundle_for(name), name)
    path = tmp_path / f"bundle_{name}.png"
    with styled():
        figure.savefig(path, dpi=45, bbox_inches=None)
    plt.close(figure)
    known = BASELINE / path.name
    if os.environ.get("BRAINLM_NEW_BASELINES"):
        shutil.copy(path, known)
    assert compare_images(str(known), str(path), TOLERANCE) is None


def test_another_figure_would_be_noticed(tmp_path):
    path = shutil.copy(drawn("alphas", tmp_path), tmp_path / "other.png")
    known = shutil.copy(BASELINE / "time_course.png", tmp_path / "known.png")
    assert compare_images(str(known), str(path), TOLERANCE) is not None
