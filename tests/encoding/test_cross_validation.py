import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from brainlm.data.scores import fisher_mean, pearson
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.encoding.similarity import SimilarityEncoder
from brainlm.encoding.splits import ContiguousBlocks, Groups

BLOCKS = ContiguousBlocks(5, gap=4)
QUIET = pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")


def _autocorrelated(rng, n_samples, n_targets, smooth=8):
    noise = rng.standard_normal((n_samples + smooth, n_targets)).cumsum(axis=0)
    return noise[smooth:] - noise[:-smooth]


@QUIET
@pytest.mark.parametrize("encoder", [RidgeEncoder(), SimilarityEncoder(form="mulcogbench")])
def test_exact_data_score_one(rng, encoder):
    X = rng.standard_normal((400, 10))
    Q = np.linalg.qr(rng.standard_normal((10, 10)))[0]
    Y = X @ Q if isinstance(encoder, RidgeEncoder) else X[:, :3] * 2 + 5
    scores = cross_validate(encoder, X, Y, BLOCKS)
    limit = 0.9999 if isinstance(encoder, RidgeEncoder) else 0.9
    assert (scores.mean > limit).all()


@QUIET
@pytest.mark.parametrize("encoder", [RidgeEncoder(), SimilarityEncoder()])
def test_noise_scores_about_zero_not_below(rng, encoder):
    X, Y = rng.standard_normal((300, 40)), _autocorrelated(rng, 300, 200)
    scores = cross_validate(encoder, X, Y, BLOCKS)
    assert abs(scores.mean.mean()) < 0.02


@QUIET
def test_autocorrelated_noise_scores_about_zero(rng):
    """The trap: concatenated out-of-fold predictions of weak models correlate at -.3."""
    X, Y = _autocorrelated(rng, 362, 20), _autocorrelated(rng, 362, 300)
    scores = cross_validate(RidgeEncoder(), X, Y, BLOCKS, keep_predictions=True)
    assert abs(scores.mean.mean()) < 0.04
    weak = cross_validate(RidgeEncoder([1e6, 1e7]), X, Y, BLOCKS, keep_predictions=True)
    assert pearson(weak.predictions, Y).mean() < -0.1  # what the fold-wise score protects from
    assert abs(weak.mean.mean()) < 0.04


@QUIET
def test_scores_equal_a_loop_written_out(rng):
    X = rng.standard_normal((100, 8))
    Y = X @ rng.standard_normal((8, 3)) + 2 * rng.standard_normal((100, 3))
    scores = cross_validate(RidgeEncoder([10.0]), X, Y, BLOCKS, targets=["a", "b", "c"])
    expected = []
    for train, test in BLOCKS.split(X):
        fitted = RidgeEncoder([10.0]).fit(X[train], Y[train])
        expected.append(
            [np.corrcoef(fitted.predict(X[test])[:, v], Y[test, v])[0, 1] for v in range(3)]
        )
    np.testing.assert_allclose(scores.values, expected)
    np.testing.assert_allclose(scores.mean, fisher_mean(np.array(expected)))
    assert list(scores.target_names) == ["a", "b", "c"]
    assert scores.n_test == [20] * 5


@QUIET
def test_test_samples_never_reach_the_training(rng):
    """Replacing all test responses by others leaves predictions and alphas as they are."""
    X, Y = rng.standard_normal((100, 8)), rng.standard_normal((100, 3))
    _, test = next(iter(BLOCKS.split(X)))
    other = Y.copy()
    other[test] = 100 * rng.standard_normal((len(test), 3))
    first = cross_validate(RidgeEncoder(), X, Y, BLOCKS, keep_predictions=True)
    second = cross_validate(RidgeEncoder(), X, other, BLOCKS, keep_predictions=True)
    np.testing.assert_array_equal(first.predictions[test], second.predictions[test])
    np.testing.assert_array_equal(first.alphas[0], second.alphas[0])


@QUIET
def test_inner_folds_are_of_the_outer_kind(rng, monkeypatch):
    seen = []
    folds = RidgeEncoder.folds
    monkeypatch.setattr(
        RidgeEncoder, "folds", lambda self, X: seen.append(self.cv) or folds(self, X)
    )
    X, Y = rng.standard_normal((100, 8)), rng.standard_normal((100, 3))
    cross_validate(RidgeEncoder(), X, Y, BLOCKS)
    assert all(isinstance(cv, ContiguousBlocks) and cv.gap == 4 for cv in seen)
    seen.clear()
    cross_validate(make_pipeline(PCA(4), RidgeEncoder()), X, Y, Groups(np.arange(100) // 5, 4))
    assert all(isinstance(cv, Groups) for cv in seen)
    seen.clear()
    cross_validate(RidgeEncoder(cv=3), X, Y, BLOCKS)
    assert len(seen) >= 5
    assert set(seen) == {3}


def test_the_edge_of_the_grid_is_reported_once_for_all_folds(rng):
    X = rng.standard_normal((100, 8))
    Y = X[:, :3] + 0.1 * rng.standard_normal((100, 3))
    with pytest.warns(AlphaEdgeWarning, match="of 15 alphas") as caught:
        scores = cross_validate(RidgeEncoder([1.0, 2.0]), X, Y, BLOCKS)
    assert len(caught) == 1
    assert "of 15 alphas" in scores.notes[0]


def test_targets_without_signal_on_the_edge_are_no_warning(rng):
    X = rng.standard_normal((400, 8))
    Y = np.c_[X[:, 0] + 3 * rng.standard_normal(400), rng.standard_normal((400, 20))]
    encoder = RidgeEncoder(np.logspace(0, 4, 9)).fit(X, Y)
    assert (encoder.alpha_ == 1e4).any()  # of noise
    scores = cross_validate(RidgeEncoder(np.logspace(0, 4, 9)), X, Y, BLOCKS)
    assert (scores.alphas == 1e4).any()
    assert "of 105 alphas" in scores.notes[0]


@QUIET
def test_r2_of_the_training_mean_is_not_above_zero(rng):
    X, Y = rng.standard_normal((100, 8)), rng.standard_normal((100, 30))
    scores = cross_validate(RidgeEncoder([1e7]), X, Y, BLOCKS, metric="r2_score")
    assert (scores.mean <= 0).all()
    exact = cross_validate(RidgeEncoder([1e-6]), X, X, BLOCKS, metric="r2")
    np.testing.assert_allclose(exact.mean, 1, atol=1e-9)


def test_scores_become_a_labelled_data_set(rng):
    X = rng.standard_normal((100, 8))
    Y = X[:, :3] + 0.1 * rng.standard_normal((100, 3))
    with pytest.warns(AlphaEdgeWarning):
        scores = cross_validate(RidgeEncoder([1.0, 2.0]), X, Y, BLOCKS)
    dataset = scores.to_xarray()
    assert dict(dataset.sizes) == {"fold": 5, "target": 3}
    assert "lower edge" in dataset.attrs["notes"]
    assert "RidgeEncoder(alphas=[1.0, 2.0])" in dataset.attrs["encoder"]
    assert "3 targets" in repr(scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, Y: (X[1:], Y), "lengths differ"),
        (lambda X, Y: (np.where(X > 2, np.inf, X), Y), "X has"),
        (lambda X, Y: (X, np.where(np.arange(100)[:, None] < 20, 1.0, Y)), "constant in a test"),
        (lambda X, Y: (X, np.zeros_like(Y)), "targets are constant"),
    ],
)
@QUIET
def test_bad_input_is_refused(rng, change, message):
    X, Y = change(rng.standard_normal((100, 8)), rng.standard_normal((100, 3)))
    with pytest.raises(ValueError, match=message):
        cross_validate(RidgeEncoder(), X, Y, BLOCKS)


def test_a_split_with_samples_on_both_sides_is_refused(rng):
    class Leaky:
        def split(self, X):
            yield np.arange(60), np.arange(50, 100)

    with pytest.raises(ValueError, match="both sides"):
        cross_validate(SimilarityEncoder(), rng.random((100, 5)), rng.random((100, 2)), Leaky())
    with pytest.raises(ValueError, match="r, spearman, r2, r2_score"):
        cross_validate(
            SimilarityEncoder(), rng.random((9, 5)), rng.random((9, 2)), BLOCKS, metric="R"
        )


def test_masked_targets_have_no_score_and_are_counted(rng):
    X, Y = rng.standard_normal((60, 5)), rng.standard_normal((60, 4))
    whole = cross_validate(RidgeEncoder([1.0]), X, Y, ContiguousBlocks(3))
    Y[:, 1], Y[7, 3] = 2.0, np.nan
    with pytest.raises(ValueError, match="NaN"):
        cross_validate(RidgeEncoder([1.0]), X, Y, ContiguousBlocks(3))
    scores = cross_validate(
        RidgeEncoder([1.0]),
        X,
        Y,
        ContiguousBlocks(3),
        targets=["a", "b", "c", "d"],
        mask_targets=True,
        keep_predictions=True,
    )
    assert np.isnan(scores.mean).tolist() == [False, True, False, True]
    np.testing.assert_allclose(scores.mean[[0, 2]], whole.mean[[0, 2]])
    assert "2 of 4 targets are constant or hold NaN and have no score: b, d" in scores.notes[-1]
    assert np.isnan(scores.predictions[:, 1]).all()
    with pytest.raises(ValueError, match="all 4 targets"):
        cross_validate(
            RidgeEncoder([1.0]), X, np.ones((60, 4)), ContiguousBlocks(3), mask_targets=True
        )


def test_the_edge_of_the_grid_is_a_note_where_the_encoder_is_told_not_to_warn(rng):
    X, Y = rng.standard_normal((60, 3)), rng.standard_normal((60, 4))
    scores = cross_validate(RidgeEncoder([1e-3, 1e-2], warn_edge=False), X, Y, BLOCKS)
    assert "20 alphas" in scores.notes[0]


# What comes in


def simple(rng, n=60):
    X = rng.standard_normal((n, 3))
    return X, X @ rng.standard_normal((3, 2)) + 0.5 * rng.standard_normal((n, 2))


def test_frames_numbers_and_given_folds_are_taken(rng):
    X, Y = simple(rng)
    encoder = RidgeEncoder([0.1, 1.0], cv=3, warn_edge=False)
    split = ContiguousBlocks(4)
    expected = cross_validate(encoder, X, Y, split)
    frames = pd.DataFrame(X), pd.DataFrame(Y, columns=["first", "second"])
    found = cross_validate(encoder, *frames, 4)
    assert list(found.target_names) == ["first", "second"]
    np.testing.assert_allclose(found.values, expected.values)
    pairs = list(split.split(X))
    np.testing.assert_allclose(cross_validate(encoder, X, Y, pairs).values, expected.values)
    masks = [tuple(np.isin(np.arange(60), side) for side in pair) for pair in pairs]
    np.testing.assert_allclose(cross_validate(encoder, X, Y, masks).values, expected.values)
    one = cross_validate(encoder, X, Y[:, 0], split)
    np.testing.assert_allclose(one.values, expected.values[:, :1])
    series = cross_validate(encoder, X, pd.Series(Y[:, 1], name="rt"), split)
    assert list(series.target_names) == ["rt"]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("five", "split must be a number of contiguous blocks"),
        ([(np.arange(40), np.arange(30, 60))], r"10 samples are on both sides of fold 0.*row 30"),
        ([(np.arange(40), np.arange(50, 70))], "rows from 50 to 69, there are 60 samples"),
        ([np.arange(40)], r"fold 0 is not a pair \(train, test\)"),
        ([(np.arange(40), np.array([0.5]))], "test of fold 0 must be row numbers"),
        ([], "is empty"),
    ],
)
def test_folds_that_are_none_are_refused(rng, split, message):
    with pytest.raises(ValueError, match=message):
        cross_validate(RidgeEncoder([1.0]), *simple(rng), split)
    if not isinstance(split, str):
        with pytest.raises(ValueError, match=message.replace("split", "cv")):
            RidgeEncoder([1.0], cv=split).fit(*simple(rng))


def test_metrics_beyond_r_and_r2(rng):
    X, Y = simple(rng)
    encoder = RidgeEncoder([1.0], warn_edge=False)
    split = ContiguousBlocks(3)
    rank = cross_validate(encoder, X, Y, split, metric="spearman", keep_predictions=True)
    test = next(iter(split.split(X)))[1]
    expected = [spearmanr(rank.predictions[test, v], Y[test, v]).statistic for v in (0, 1)]
    np.testing.assert_allclose(rank.values[0], expected)
    np.testing.assert_allclose(rank.mean, np.tanh(np.arctanh(rank.values).mean(axis=0)))

    def absolute(predicted, truth):
        return -np.abs(predicted - truth).mean(axis=0)

    own = cross_validate(encoder, X, Y, split, metric=absolute)
    assert own.metric == "absolute"
    np.testing.assert_allclose(own.values[0], absolute(rank.predictions[test], Y[test]))
    np.testing.assert_allclose(own.mean, own.values.mean(axis=0))
    with pytest.raises(ValueError, match="a score for each of 2 targets"):
        cross_validate(encoder, X, Y, split, metric=lambda p, t: 1.0)
