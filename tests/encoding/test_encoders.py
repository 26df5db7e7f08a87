import warnings

import numpy as np
import pytest
from himalaya.ridge import RidgeCV as HimalayaRidgeCV
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from brainlm.data.scores import pearson
from brainlm.encoding.block_scaler import BlockScaler
from brainlm.encoding.delays import delay
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.encoding.similarity import SimilarityEncoder
from brainlm.encoding.splits import ContiguousBlocks

ALPHAS = np.logspace(-1, 5, 13)


def _why_a_check_cannot_pass(estimator):
    if isinstance(estimator, SimilarityEncoder) and not estimator.center:
        # Its random integer rows can be flat, and a flat row has no correlation with any other.
        return {"check_estimators_dtypes": "a flat row has no similarity without centring"}
    return {}


@parametrize_with_checks(
    [
        RidgeEncoder(warn_edge=False),
        RidgeEncoder(alpha_per="all", standardize=False, cv=3, warn_edge=False),
        SimilarityEncoder(),
        SimilarityEncoder(center=False),
        SimilarityEncoder(standardize=True),
        SimilarityEncoder(form="mulcogbench"),
        BlockScaler(),
    ],
    expected_failed_checks=_why_a_check_cannot_pass,
)
@pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API.*")
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)


def _problem(rng, n_samples=120, n_features=30, n_targets=7, noise=1.0, dtype=float):
    X = rng.standard_normal((n_samples, n_features)) * np.linspace(0.1, 5, n_features) + 3
    W = rng.standard_normal((n_features, n_targets))
    Y = X @ W + noise * 5 * rng.standard_normal((n_samples, n_targets)) - 7
    return X.astype(dtype), Y.astype(dtype)


@pytest.mark.parametrize("n_features", [30, 200])  # primal and kernel form
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ridge_equals_scikit_learn_grid_search_for_each_target(rng, n_features, dtype):
    X, Y = _problem(rng, n_features=n_features, dtype=dtype)
    ours = RidgeEncoder(ALPHAS, cv=4, warn_edge=False).fit(X, Y)
    folds = list(ContiguousBlocks(4).split(X))
    X_new = X[:20] + 1
    for v in range(Y.shape[1]):
        search = make_pipeline(
            StandardScaler(),
            GridSearchCV(
                Ridge(solver="svd"), {"alpha": ALPHAS}, cv=folds, scoring="neg_mean_squared_error"
            ),
        ).fit(X.astype(float), Y[:, v].astype(float))
        assert ours.alpha_[v] == search[-1].best_params_["alpha"]
        theirs = search.predict(X_new)
        tolerance = 1e-9 if dtype is np.float64 else 1e-5
        limits = {"rtol": tolerance, "atol": tolerance * np.abs(theirs).max()}
        np.testing.assert_allclose(ours.predict(X_new)[:, v], theirs, **limits)


def test_ridge_equals_himalaya_without_standardising(rng):
    X, Y = _problem(rng)
    X -= X.mean(axis=0)
    folds = list(ContiguousBlocks(4).split(X))
    ours = RidgeEncoder(ALPHAS, cv=folds, standardize=False, warn_edge=False).fit(X, Y)
    theirs = HimalayaRidgeCV(alphas=ALPHAS, cv=folds, fit_intercept=True).fit(X, Y)
    np.testing.assert_allclose(ours.alpha_, theirs.best_alphas_)
    np.testing.assert_allclose(ours.coef_.T, theirs.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)


@pytest.mark.parametrize("n_features", [30, 200])
def test_coefficients_and_intercept_make_the_prediction(rng, n_features):
    X, Y = _problem(rng, n_features=n_features)
    encoder = RidgeEncoder(ALPHAS, warn_edge=False).fit(X, Y)
    np.testing.assert_allclose(X @ encoder.coef_.T + encoder.intercept_, encoder.predict(X))


def test_the_identity_of_scale_multiplying_a_feature_changes_nothing(rng):
    X, Y = _problem(rng)
    plain = RidgeEncoder(ALPHAS, warn_edge=False).fit(X, Y).predict(X)
    scaled = RidgeEncoder(ALPHAS, warn_edge=False).fit(X * 1e4 - 5, Y).predict(X * 1e4 - 5)
    np.testing.assert_allclose(plain, scaled, rtol=1e-6)


def test_planted_weights_are_recovered(rng):
    X, Y = _problem(rng, n_samples=2000, noise=0.01)
    W = np.linalg.lstsq(X - X.mean(0), Y - Y.mean(0))[0]
    encoder = RidgeEncoder(np.logspace(-4, 5, 19), warn_edge=False).fit(X, Y)
    np.testing.assert_allclose(encoder.coef_.T, W, atol=1e-3)


def test_alphas_on_the_edge_of_the_grid_are_told_with_numbers(rng):
    X, Y = _problem(rng, noise=0.0)
    with pytest.warns(AlphaEdgeWarning, match=r"7 of 7 alphas are on the lower edge .*\(100\)"):
        RidgeEncoder([100.0, 1000.0]).fit(X, Y)


def test_one_alpha_for_all_targets_is_the_best_on_average(rng):
    X, Y = _problem(rng)
    encoder = RidgeEncoder(ALPHAS, alpha_per="all").fit(X, Y)
    assert len(set(encoder.alpha_)) == 1
    assert encoder.alpha_[0] == ALPHAS[encoder.cv_curve_.mean(axis=1).argmax()]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda Y: np.where(np.arange(7) == 2, np.nan, Y), "NaN"),
        (lambda Y: np.where(np.arange(7) == 2, 0.0, Y), "1 of 7 targets are constant .*all zero"),
        (lambda Y: np.where(np.arange(7) == 2, 5.5, Y), "1 of 7 targets are constant"),
    ],
)
@pytest.mark.parametrize("encoder", [RidgeEncoder(), SimilarityEncoder()])
def test_targets_without_a_score_are_refused(rng, encoder, change, message):
    X, Y = _problem(rng)
    with pytest.raises(ValueError, match=message):
        encoder.fit(X, change(Y))


@pytest.mark.parametrize("alphas", [[], [0.0, 1.0], [-1.0], [10.0, 1.0], [1.0, 1.0], [np.nan]])
def test_alphas_that_are_not_positive_and_rising_are_refused(rng, alphas):
    with pytest.raises(ValueError, match="alphas must"):
        RidgeEncoder(alphas).fit(*_problem(rng))


def test_unknown_choices_are_answered_with_the_choices(rng):
    X, Y = _problem(rng)
    with pytest.raises(ValueError, match="target, group, all"):
        RidgeEncoder(alpha_per="voxel").fit(X, Y)
    with pytest.raises(ValueError, match="anderson, mulcogbench"):
        SimilarityEncoder(form="andersen").fit(X, Y)


def _clusters(rng, n_clusters=8, n_each=6, n_features=40, n_targets=3):
    """Items of balanced clusters, orthogonal in the embedding: similarity encoding is exact."""
    basis = np.linalg.qr(rng.standard_normal((n_features, n_clusters)))[0].T
    basis -= basis.mean(axis=1, keepdims=True)
    label = np.tile(np.arange(n_clusters), n_each)
    return basis[label], rng.standard_normal((n_clusters, n_targets))[label]


@pytest.mark.parametrize("form", ["anderson", "mulcogbench"])
def test_similarity_encoding_of_exact_data_scores_one(rng, form):
    X, Y = _clusters(rng)
    train, test = np.arange(8, 48), np.arange(8)
    encoder = SimilarityEncoder(form).fit(X[train], Y[train])
    r = pearson(encoder.predict(X[test]), Y[test])
    assert (r > 0.99).all()


def test_similarity_encoder_equals_the_formula_written_out(rng):
    X, Y = rng.standard_normal((30, 12)) + 1, rng.standard_normal((30, 4))
    predicted = SimilarityEncoder(center=False).fit(X[:20], Y[:20]).predict(X[20:])
    for i, x in enumerate(X[20:]):
        w = np.array([np.corrcoef(x, other)[0, 1] for other in X[:20]])
        np.testing.assert_allclose(predicted[i], (w / np.abs(w).sum()) @ Y[:20])


def test_blocks_get_equal_total_variance(rng):
    X = rng.standard_normal((200, 12)) * 7 + 3
    scaled = BlockScaler([2, 10]).fit_transform(X)
    total = [scaled[:, :2].var(axis=0).sum(), scaled[:, 2:].var(axis=0).sum()]
    np.testing.assert_allclose(total, 1)
    with pytest.raises(ValueError, match="add up to 11, X has 12"):
        BlockScaler([1, 10]).fit(X)


def test_estimators_show_no_warning_when_all_is_well(rng):
    X, Y = _problem(rng)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RidgeEncoder(np.logspace(-6, 9, 31)).fit(X, Y).predict(X)
        SimilarityEncoder().fit(X, Y).predict(X)


@pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")
def test_the_grid_widens_itself_where_the_edge_predicts_something(rng):
    X = rng.standard_normal((200, 5))
    Y = np.c_[X @ np.ones(5), rng.standard_normal(200)]  # exact: the smallest alpha; noise: none
    narrow = RidgeEncoder([1.0, 10.0]).fit(X, Y)
    wide = RidgeEncoder([1.0, 10.0], widen=True).fit(X, Y)
    assert narrow.alpha_[0] == 1.0
    assert wide.alpha_[0] == pytest.approx(1e-6)  # two decades, three times
    assert wide.alphas_[-1] == 10.0  # noise alone does not widen
    np.testing.assert_allclose(np.diff(np.log10(wide.alphas_))[:-1], 0.5)
    np.testing.assert_allclose(
        wide.cv_curve_, RidgeEncoder(wide.alphas_).fit(X, Y).cv_curve_, atol=1e-9
    )


def test_weights_per_delay_are_those_of_the_delayed_copies(rng):
    X = delay(rng.standard_normal((200, 3)), [1, 2])
    fitted = RidgeEncoder([1.0], warn_edge=False).fit(X, rng.standard_normal((200, 4)))
    per_delay = fitted.coef_per_delay(2)
    assert per_delay.shape == (2, 4, 3)
    np.testing.assert_array_equal(per_delay[1], fitted.coef_[:, 3:])
    with pytest.raises(ValueError, match="n_delays=4"):
        fitted.coef_per_delay(4)
