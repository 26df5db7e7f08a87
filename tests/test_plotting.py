import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

from brainlm.bundle import load_bundle, save_bundle
from brainlm.comparison import Space, score_table, stack_folds, stack_predictions, stack_scores
from brainlm.features import Features
from brainlm.plotting import FIGURES, draw, plot_layer_curve, plot_target_bars
from brainlm.scores import Scores
from brainlm.splits import ContiguousBlocks

KINDS = ["layer", "layer", "random", "random", "reference"]


def _spaces():
    names = ["layer 0", "layer 1", "random 0", "random 1", "GloVe"]
    layers = [0, 1, 0, 1, -1]
    return [
        Space(Features(name, np.ones((20, 3))), kind, layer)
        for name, kind, layer in zip(names, KINDS, layers, strict=True)
    ]


def _scores(rng, targets, level):
    values = np.clip(rng.standard_normal((4, len(targets))) * 0.05 + level, -1, 1)
    return Scores(
        values, "r", targets, "encoder", "split", n_test=[5] * 4,
        alphas=np.ones((4, len(targets))), predictions=rng.standard_normal((20, len(targets))),
    )  # fmt: skip


def _by_fold(rng):
    levels = [0.3, 0.5, 0.0, 0.0, 0.4]
    scores = {name: [_scores(rng, ["a", "b"], x) for x in levels] for name in ("one", "two")}
    return scores, stack_scores(scores, _spaces(), label="r", title="test")


def _by_subject(rng):
    targets = [f"{subject}/{target}" for subject in ("s1", "s2", "s3") for target in "ab"]
    scores = {"one": [_scores(rng, targets, level) for level in (0.3, 0.5, 0.0, 0.0, 0.4)]}
    dataset = stack_scores(scores, _spaces(), label="r", title="test", subjects=["s1", "s2", "s3"])
    dataset["ceiling"] = (("subject", "target"), np.full((3, 2), 0.6))
    return dataset


def test_stacked_scores_keep_every_value_in_its_place(rng):
    scores, dataset = _by_fold(rng)
    np.testing.assert_array_equal(
        dataset["score"].sel({"analysis": "two", "space": "GloVe"}), scores["two"][4].values
    )
    assert dict(dataset.sizes) == {"analysis": 2, "space": 5, "fold": 4, "target": 2, "column": 2}
    subjects = _by_subject(rng)
    assert dict(subjects["score"].sizes) == {"analysis": 1, "space": 5, "subject": 3, "target": 2}
    predictions = stack_predictions(scores, _spaces())
    assert predictions["prediction"].shape == (2, 5, 20, 2)
    role = stack_folds(ContiguousBlocks(4, gap=1), 20)["role"].values
    assert role[0].tolist() == [2] * 5 + [0] + [1] * 14


def test_table_gives_mean_and_interval_and_a_dash_where_there_is_no_score(rng):
    _, dataset = _by_fold(rng)
    dataset["score"][1, 4] = np.nan
    table = score_table(dataset)
    values = dataset["score"].sel({"analysis": "one", "space": "layer 0"}).mean("target").values
    half = 3.182446305284263 * values.std(ddof=1) / 2  # t(3), .975
    assert table.loc["layer 0", "one"] == f"{values.mean():6.3f} ± {half:.3f}"
    assert table.loc["GloVe", "two"] == "-"


def test_layer_curve_draws_the_means(rng):
    _, dataset = _by_fold(rng)
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
    dataset = _by_subject(rng)
    _, ax = plt.subplots()
    plot_target_bars(dataset, "one", ax)
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["noise ceiling", "best layer (held out)", "GloVe"]
    best = dataset["score"].sel(analysis="one", space="layer 1").mean("subject").values
    heights = [patch.get_height() for patch in ax.patches[:2]]
    np.testing.assert_allclose(heights, best)  # layer 1 is best for every subject
    plt.close("all")


@pytest.mark.parametrize("make", [lambda rng: _by_fold(rng)[1], _by_subject])
def test_figures_are_drawn_from_the_bundle_and_drawn_again_alike(rng, tmp_path, make):
    folder = save_bundle(
        tmp_path / "bundle", analysis="test", arrays={"scores": make(rng)}, config={}, inputs={},
        figures=["layer_curve", "target_bars"],
    )  # fmt: skip
    from brainlm.plotting import save_figures

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
