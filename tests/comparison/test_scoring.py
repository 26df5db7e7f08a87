import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from support.comparison_tasks import array_source, word_task

from brainlm.comparison.feature_spaces import FeatureSpace, permuted_space, shared_words
from brainlm.comparison.layer_scores import job_key, layer_part, rows_of, table_of
from brainlm.comparison.scoring import check_space, fixed_ridge, score_ridge, score_similarity
from brainlm.comparison.space_scores import fit_controls
from brainlm.comparison.table import tidy
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.similarity import SimilarityEncoder, leave_one_out_scores
from brainlm.encoding.splits import ContiguousBlocks

SPLIT = ContiguousBlocks(5)
pytestmark = pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")


def test_similarity_scores_are_those_of_the_encoder_and_of_the_published_rule(rng):
    X, Y = rng.standard_normal((80, 20)) + 2, rng.standard_normal((80, 4))
    found = score_similarity(X, Y, SPLIT)
    expected = cross_validate(SimilarityEncoder(standardize=True), X, Y, SPLIT).values
    centred = cross_validate(SimilarityEncoder(), X, Y, SPLIT).values
    np.testing.assert_allclose(found.values, expected, atol=1e-4)
    np.testing.assert_allclose(found.centred, centred, atol=1e-4)
    np.testing.assert_allclose(
        found.published, leave_one_out_scores(X.astype(np.float32), Y, center=False), atol=1e-4
    )
    assert np.isnan(found.p)


def test_null_responses_are_scored_as_if_they_were_the_true_ones(rng):
    X, Y = rng.standard_normal((60, 10)), rng.standard_normal((60, 3))
    orders = [rng.permutation(60) for _ in range(3)]
    for score in (score_similarity, score_ridge):
        found = score(X, Y, SPLIT, orders=orders)
        again = [score(X, Y[order], SPLIT, orders=[np.arange(60)]).observed for order in orders]
        np.testing.assert_allclose(found.null, again, atol=1e-4)


def test_null_responses_do_not_change_the_scores(rng):
    X, Y = rng.standard_normal((90, 10)), rng.standard_normal((90, 3))
    alone = score_ridge(X, Y, SPLIT)
    beside = score_ridge(X, Y, SPLIT, orders=[rng.permutation(90) for _ in range(5)])
    np.testing.assert_allclose(beside.values, alone.values, atol=1e-10)
    np.testing.assert_array_equal(beside.alphas, alone.alphas)
    encoder = RidgeEncoder(alpha_per="all")
    with pytest.raises(ValueError, match="alpha_per"):
        score_ridge(X, Y, SPLIT, encoder=encoder, orders=[rng.permutation(90)])


def test_what_a_space_adds_to_controls_is_found_and_nothing_else(rng):
    """Responses of controls + space: both together score 1; of controls alone: nothing is added."""
    n = 300
    C, X = rng.standard_normal((n, 2)), rng.standard_normal((n, 4))
    both = C @ rng.standard_normal((2, 3)) + X @ rng.standard_normal((4, 3))
    only = C @ rng.standard_normal((2, 3)) + 1e-3 * rng.standard_normal((n, 3))
    for Y, added in ((both, True), (only, False)):
        controls = fit_controls(C, Y, SPLIT)
        ridge = score_ridge(X, Y, SPLIT, controls=controls)
        similar = score_similarity(X, Y, SPLIT, controls=controls, published=False)
        if added:
            assert (ridge.beyond + controls.values).min() > 0.97
            assert similar.beyond.min() > 0
        else:
            assert controls.values.min() > 0.999
            assert max(abs(ridge.beyond).max(), abs(similar.beyond).max()) < 1e-3


def test_the_interval_is_that_of_folds_on_fishers_scale(rng):
    X, Y = rng.standard_normal((80, 10)), rng.standard_normal((80, 3))
    found = score_similarity(X, Y, SPLIT, published=False)
    assert found.test_ratio == 0.25
    z = np.arctanh(found.values)
    assert found.score == pytest.approx(np.tanh(z.mean()))
    half = 2.7764451 * np.sqrt((1 / 5 + 1 / 4) * z.mean(axis=1).var(ddof=1))
    np.testing.assert_allclose(
        found.interval(), np.tanh([z.mean() - half, z.mean() + half]), rtol=1e-6
    )


def test_exact_data_score_one_and_noise_is_not_significant(rng):
    label = np.tile(np.arange(8), 20)
    Y = rng.standard_normal((8, 4))[label]
    orders = [rng.permutation(160) for _ in range(99)]
    exact = score_similarity(np.eye(8)[label] + 1e-6 * rng.standard_normal((160, 8)), Y, SPLIT)
    assert exact.values.mean() > 0.99
    other = np.random.default_rng(1)
    noise = score_similarity(
        other.standard_normal((160, 30)), other.standard_normal((160, 20)), SPLIT, orders=orders
    )
    assert abs(noise.values.mean()) < 0.05
    assert noise.p > 0.05
    ridge = score_ridge(np.eye(8)[label], Y, SPLIT)
    assert ridge.values.mean() > 0.99
    np.testing.assert_array_equal(
        ridge.values, cross_validate(RidgeEncoder(), np.eye(8)[label], Y, SPLIT).values
    )


@pytest.mark.filterwarnings("ignore::brainlm.features.baselines.UnknownWordsWarning")
def test_a_part_finds_the_planted_layer_and_its_random_twin_finds_nothing(rng):
    layers = [rng.standard_normal((200, 30)) for _ in range(3)]
    task = word_task(rng, layers[2])
    source = array_source("model", layers)
    part = layer_part(task, source, np.ones(200, dtype=bool), n_permutations=99)
    table = tidy(rows_of(part)).set_index("space")
    assert table["rank"].idxmin() == "model layer 2"
    assert table.loc["model layer 2", "p"] == 0.01
    assert table.loc["model layer 2", "q"] == pytest.approx(0.03)
    assert abs(table.loc["random (model layer 2)", "score"]) < 0.1
    assert table.loc["model layer 1", "p"] > 0.02
    assert np.isnan(table.loc["random (model layer 1)", "rank"])
    assert table["n_items"].unique().tolist() == [200]
    assert part["fold_score"].shape == part["fold_beyond"].shape == (6, 5)
    assert part["random"].shape == part["random_beyond"].shape == (3, 10, 5)
    assert abs(part["control"].values).max() < 0.5
    assert table_of(table.reset_index())["space"].sizes == {"row": 6}
    row = json.loads(part.attrs["rows"])[0]
    assert {"n_subjects", "folds", "alpha_low", "ceiling", "null", "p"} <= set(row)


@pytest.mark.filterwarnings("ignore::brainlm.features.baselines.UnknownWordsWarning")
def test_folds_are_units_and_subjects_give_a_ceiling(rng):
    layer = rng.standard_normal((150, 20))
    task = word_task(rng, layer, subjects=("a", "b", "c", "d"), noise=0.5)
    assert task.ceiling().shape == (4, 5)
    part = layer_part(
        task, array_source("m", [layer, layer]), np.ones(150, dtype=bool), n_permutations=9
    )
    row = rows_of(part)[2]
    assert (row["unit"], row["n_units"], row["n_subjects"], row["n_targets"]) == ("fold", 5, 4, 5)
    assert row["ceiling"] > 0.8
    assert tidy([row])["normalised"].iloc[0] == pytest.approx(row["score"] / row["ceiling"])


def test_all_are_compared_on_the_words_that_all_have(rng):
    layer = rng.standard_normal((100, 20))
    task = word_task(rng, layer)
    every = array_source("m", [layer, layer])
    half = FeatureSpace("half", "static", ("en",), lambda s: np.arange(100) % 2 == 0, every.embed)
    words = shared_words(task.stimulus, [every, half])
    assert words.sum() == 50
    on = task.on_words(words)
    assert on.recording.n_samples == 50
    assert "50 of 100 items" in on.recording.notes[-1]
    other = FeatureSpace("other", "static", ("en",), lambda s: np.arange(100) % 2 == 1, every.embed)
    with pytest.raises(ValueError, match=r"no word is covered by all .*half 50%, other 50%"):
        shared_words(task.stimulus, [half, other])
    with pytest.raises(ValueError, match="made: the representations share the words of 10 of 100"):
        task.on_words(np.arange(100) < 10)
    assert job_key(task, every, words) != job_key(task, every, words, permutations=3)


def test_permuted_sources_keep_the_vectors_and_lose_the_words(rng):
    layer = rng.standard_normal((60, 5))
    task = word_task(rng, layer)
    source = array_source("m", [layer])
    mask = np.ones(60, dtype=bool)
    plain = source.embed(task.stimulus, mask, "word")[0].values
    moved = permuted_space(source).embed(task.stimulus, mask, "word")[0].values
    np.testing.assert_array_equal(np.sort(plain, axis=0), np.sort(moved, axis=0))
    assert (plain != moved).any(axis=1).mean() > 0.9


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((10, 1)), "1 feature"),
        (np.repeat(np.arange(15.0).reshape(5, 3), 2, axis=0), "'w0' and 'w1'"),
        (np.full((10, 4), np.nan), "NaN"),
    ],
)
def test_spaces_that_cannot_be_compared_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        check_space(X, [f"w{i}" for i in range(10)], "space")


def test_targets_that_are_constant_in_a_fold_are_left_out_and_named(rng):
    task = word_task(rng, rng.standard_normal((100, 5)))
    data = task.recording.data.copy()
    data[:20, 1] = 3.0
    whole = replace(task, recording=task.recording.with_data(data, "changed"))
    kept = whole.scorable().recording
    assert kept.target_names.tolist() == ["t0", "t2", "t3", "t4"]
    assert "1 of 5 targets, constant in a test fold: t1" in kept.notes[-1]
    assert task.scorable() is task


def test_targets_without_a_null_score_count_on_neither_side(rng):
    X, Y = rng.standard_normal((60, 10)), rng.standard_normal((60, 3))
    Y[:, 2] = 0
    Y[::13, 2] = 1  # rare: five items, so that some order leaves a fold without it
    orders = [rng.permutation(60) for _ in range(49)]
    for score in (score_similarity, score_ridge):
        found = score(X, Y, ContiguousBlocks(4), orders=orders)
        alone = score(X, Y[:, :2], ContiguousBlocks(4), orders=orders)
        assert np.isfinite(found.null).all()
        assert found.p == alone.p
    with pytest.raises(ValueError, match="fewer folds"):
        score_similarity(X, Y[:, 2:], ContiguousBlocks(4), orders=orders)


def test_random_draws_are_scored_with_one_penalty_by_the_same_ridge(rng):
    X, Y = rng.standard_normal((90, 10)), rng.standard_normal((90, 3))
    Y += X[:, :3]
    fixed = fixed_ridge(RidgeEncoder(), X, Y)
    assert [name for name, _ in fixed.steps] == ["standardscaler", "ridge"]
    same = RidgeEncoder(alphas=[fixed[-1].alpha])
    np.testing.assert_allclose(
        score_ridge(X, Y, SPLIT, encoder=fixed).values,
        score_ridge(X, Y, SPLIT, encoder=same).values,
        atol=1e-8,
    )
    short = fixed_ridge(make_pipeline(PCA(4), RidgeEncoder()), X, Y)
    assert [name for name, _ in short.steps] == ["pca", "standardscaler", "ridge"]
