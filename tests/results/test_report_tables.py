import numpy as np
import xarray
from scipy.stats import t
from support.bundles_for_tests import make_bundle

from brainlm.results.report import bundle_tables, comparison_table


def test_means_and_intervals_are_those_of_the_scores(bundle):
    tables, _ = bundle_tables(bundle)
    table = tables["scores: means over targets"]
    own = bundle.arrays["scores"]["score"].values[0, 0].mean(axis=1)  # two subjects
    half = t.ppf(0.975, 1) * own.std(ddof=1) / np.sqrt(2)
    first = table.iloc[0]
    assert (first["space"], first["kind"], first["layer"]) == ("layer 1", "layer", 1)
    np.testing.assert_allclose(
        [first["mean"], first["95 % from"], first["95 % to"]],
        [own.mean(), own.mean() - half, own.mean() + half],
        atol=5e-5,
    )
    assert (first["subjects"], first["targets"]) == (2, 4)
    assert np.isnan(table.iloc[2]["mean"])
    assert table.iloc[2]["targets"] == 0


def test_scores_come_first_and_rows_per_sample_stay_in_the_files(bundle):
    tables, left_out = bundle_tables(bundle)
    assert list(tables) == ["scores: means over targets", "scores: each target", "tests: p"]
    assert left_out == ["folds: role (2 fold x 50 sample)"]
    each = tables["scores: each target"]
    assert len(each) == 12
    own = bundle.arrays["scores"]["score"].values[0, 1, :, 2]
    row = each[(each.space == "random (layer 1)") & (each.target == "c")].iloc[0]
    np.testing.assert_allclose(row["mean"], own.mean(), atol=5e-5)
    np.testing.assert_allclose(row["sd over subjects"], own.std(ddof=1), atol=5e-5)
    assert tables["tests: p"].values.tolist() == [["x", 0.01], ["y", 0.5]]


def test_bundles_stand_side_by_side(bundle, tmp_path):
    other = make_bundle(tmp_path / "second", seed=1)
    table = comparison_table([bundle, other])
    assert list(table.columns) == ["analysis", "space", "first", "second"]
    expected = other.arrays["scores"]["score"].values[0, 0].mean()
    np.testing.assert_allclose(table["second"][0], expected, atol=5e-5)


def test_a_bundle_without_spaces_has_no_column(bundle, tmp_path):
    tests = {"tests": bundle.arrays["tests"]}
    other = make_bundle(tmp_path / "second", arrays=tests, figures=[])
    assert list(comparison_table([bundle, other]).columns) == ["analysis", "space", "first"]
    assert comparison_table([other]).empty


def test_a_bundle_that_names_no_analysis_stands_beside_those_that_do(bundle, tmp_path):
    scores = bundle.arrays["scores"]
    bare = make_bundle(
        tmp_path / "bare", figures=[], arrays={"scores": scores.isel(analysis=0, drop=True)}
    )
    table = comparison_table([bundle, bare])
    assert list(table.columns) == ["space", "first", "bare"]
    np.testing.assert_array_equal(table["first"], table["bare"])
    both = xarray.concat([scores, scores.assign_coords(analysis=["similarity"])], "analysis")
    two = make_bundle(tmp_path / "two", figures=[], arrays={"scores": both})
    table = comparison_table([two, bare])
    assert len(table) == 9  # three spaces, and three of each analysis: nothing is lost
    assert table["space"].str.endswith("(similarity)").sum() == 3
    assert table["two"].count() == 4
