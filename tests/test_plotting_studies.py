"""Figures of the studies are drawn from their tables and show their numbers."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.pictures import check_pictures

from brainlm.comparison.layer_scores import table_of
from brainlm.plotting import FIGURES, draw, plot_critical_difference, save_figures
from brainlm.results.bundle import load_bundle, save_bundle

SETS = [
    ("gaze", "eye-tracking", "sentence"),
    ("words", "ratings", "word"),
    ("bold", "fmri", "discourse"),
]


def layered(rng):
    rows = []
    for dataset, modality, level in SETS:
        for model in ("tiny", "large"):
            for layer in range(4):
                for family in ("causal", "random"):
                    rows.append(
                        {
                            "dataset": dataset,
                            "modality": modality,
                            "level": level,
                            "language": "en",
                            "model": model,
                            "layer": layer,
                            "depth": layer / 3,
                            "family": family,
                            "score": rng.random() * (family == "causal"),
                            "method": "similarity",
                        }
                    )
    return pd.DataFrame(rows)


def about(dataset, modality, level):
    return {"dataset": dataset, "modality": modality, "level": level, "language": "en"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    table = layered(np.random.default_rng(0))
    halves = {"alone_half": 0.01, "unique_half": 0.01}
    gains = [
        {
            **about(*s),
            "model": m,
            "gain": 0.1,
            "low": 0.0,
            "high": 0.2,
            "q": 0.01,
            "measure": "FFD",
            "effect": "surprisal",
        }
        for s in SETS
        for m in ("tiny", "large")
    ]
    shares = [
        {**about(*s), "space": m, "share": x} for s in SETS for m, x in (("a", 0.3), ("b", 0.7))
    ]
    parts = [
        {**about(*s), "space": m, "alone": 0.2, "unique": 0.1, **halves}
        for s in SETS
        for m in ("a", "b")
    ]
    ranks = [
        {
            "features": "embedding",
            "model": m,
            "mean_rank": r,
            "low": r - 0.3,
            "high": r + 0.3,
            "n_datasets": 3,
            "n_materials": 3,
            "p": 0.04,
            "critical_difference": 1.1,
        }
        for m, r in (("a", 1.0), ("b", 1.9), ("c", 3.0))
    ]
    frames = {
        "table": table,
        "gains": pd.DataFrame(gains),
        "winners": pd.DataFrame(shares),
        "partition": pd.DataFrame(parts),
        "ranks": pd.DataFrame(ranks),
    }
    names = [
        "model_by_dataset",
        "layers_by_modality",
        "context_gains",
        "winners",
        "unique_variance",
        "critical_difference",
        "reading_gains",
    ]
    folder = save_bundle(
        tmp_path_factory.mktemp("studies") / "bundle",
        analysis="test",
        config={},
        inputs={},
        figures=names,
        arrays={name: table_of(frame) for name, frame in frames.items()},
    )
    save_figures(load_bundle(folder))
    check_pictures(folder, names)
    return load_bundle(folder), table


@pytest.mark.long
def test_heat_map_shows_the_best_layer_of_each_model(bundle):
    loaded, table = bundle
    figure = draw(loaded, "model_by_dataset")
    shown = {text.get_text() for text in figure.axes[0].texts}
    best = table[table["family"] == "causal"].groupby(["dataset", "model"])["score"].max()
    assert {f"{v:.2f}" for v in best} <= shown
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert labels[0] == "words (ratings, word)"
    assert labels[-1] == "bold (fmri, discourse)"


def test_layer_lines_and_forest_points_are_the_numbers_of_the_table(bundle):
    loaded, table = bundle
    figure = draw(loaded, "layers_by_modality")
    drawn = [tuple(line.get_ydata()) for ax in figure.axes for line in ax.lines]
    own = table[(table["dataset"] == "bold") & (table["model"] == "tiny")]
    for family in ("causal", "random"):
        assert tuple(own.loc[own["family"] == family, "score"]) in drawn
    points = [
        line.get_xdata()[0]
        for ax in draw(loaded, "context_gains").axes
        for line in ax.lines
        if len(line.get_xdata()) == 1
    ]
    assert points == [0.1] * 6
    widths = [bar.get_width() for bar in draw(loaded, "winners").axes[0].patches]
    np.testing.assert_allclose(sorted(widths), [0.3] * 3 + [0.7] * 3)


def test_bars_join_models_within_the_critical_difference():
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    plot_critical_difference(["a", "b", "c"], np.array([1.0, 1.9, 3.0]), 1.0, ax)
    bars = [line for line in ax.lines if line.get_linewidth() == 2.5]
    assert len(bars) == 1  # a and b; c is alone
    assert bars[0].get_ydata()[0] > 2
    assert bars[0].get_ydata()[1] < 1
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c"]


@pytest.fixture
def compared(tmp_path):
    """Two data sets x three spaces, with pairs of two versions: the bundle of navigating."""
    rows, pairs = [], []
    for dataset, modality, level in SETS[:2]:
        for space, score in (("a", 0.5), ("b", 0.4), ("c", 0.1), ("controls", 0.3)):
            rows.append(
                {
                    **about(dataset, modality, level),
                    "space": space,
                    "score": score,
                    "low": score - 0.05,
                    "high": score + 0.1,
                    "metric": "r",
                    "unit": "fold",
                    "family": "controls" if space == "controls" else "causal",
                    "n_units": 10,
                    "n_items": 200,
                    "n_targets": 4,
                    "n_subjects": 12,
                }
            )
        for first, second, p in (("a", "b", 0.2), ("a", "c", 0.001), ("b", "c", 0.04)):
            for version, value in (("full", p), ("PCA-matched", 0.0001)):
                pairs.append(
                    {
                        **about(dataset, modality, level),
                        "version": version,
                        "first": first,
                        "second": second,
                        "p": value,
                    }
                )
    arrays = {"table": table_of(pd.DataFrame(rows)), "pairs": table_of(pd.DataFrame(pairs))}
    folder = save_bundle(tmp_path / "b", analysis="t", config={}, inputs={}, arrays=arrays)
    return load_bundle(folder)


def test_lines_join_bars_whose_paired_difference_holds_over_all_pairs(compared):
    figure = draw(compared, "paired_bars")
    panels = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in panels] == [
        "words (ratings, word)\n200 items, 10 folds",
        "gaze (eye-tracking, sentence)\n200 items, 10 folds",
    ]
    for ax in panels:
        assert [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"] == [0.3]
        heights = [round(bar.get_height(), 3) for bar in ax.patches]
        assert heights == [0.5, 0.4, 0.1]
        joined = [
            tuple(line.get_xdata()[[0, -1]]) for line in ax.lines if len(line.get_xdata()) == 4
        ]
        # q = .001 * 6 / 2 and .04 * 6 / 4: of three pairs one stays.
        assert joined == [(0, 2)]


def test_coverage_counts_items_targets_and_subjects(compared):
    figure = draw(compared, "coverage")
    shown = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert shown == [["200", "200"], ["4", "4"], ["12", "12"]]
    assert [ax.get_xlabel() for ax in figure.axes] == ["items", "targets", "subjects"]


def test_every_plot_and_every_paper_figure_has_a_row_that_says_what_to_read():
    folder = Path(__file__).parent.parent / "figures"
    text = (folder / "README.md").read_text("utf-8")
    scripts = re.findall(r"^\| `(\w+)\.py` \|", text, re.M)
    assert sorted(scripts) == sorted(path.stem for path in folder.glob("*.py"))
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.M)) == sorted(FIGURES)
