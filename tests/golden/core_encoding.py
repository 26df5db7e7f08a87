"""Golden cases of alignment, ridge regression, cross-validation and permutation nulls."""

from __future__ import annotations

import numpy as np
from golden.cases import Arrays, arrays, register
from golden.made import linear, plain_story, series, story, vectors

from brainlm.data.preprocessing import average_samples, high_pass
from brainlm.data.scores import (
    fisher_mean,
    fisher_z,
    held_out_choice,
    pearson,
    r_squared,
    standardize_rows,
)
from brainlm.encoding._ridge.correlation import correlation_curve
from brainlm.encoding._ridge.search import choose_poles, solve_ridge_cv
from brainlm.encoding._ridge.solve import fit_ridge
from brainlm.encoding.align import align, lanczos_weights, resample
from brainlm.encoding.banded import BandedRidgeEncoder
from brainlm.encoding.cross_validation import cross_validate, score_in_folds
from brainlm.encoding.delays import delay, delays_between
from brainlm.encoding.folds import Folds
from brainlm.encoding.leakage import leakage_probe
from brainlm.encoding.permuted_scores import permuted_scores, shared_orders
from brainlm.encoding.published_pipelines import (
    RandomChunks,
    discourse_encoder,
    huth_encoder,
    meg_bin_encoder,
    scale_items,
    scale_runs,
    trim_runs,
    word_encoder,
)
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.similarity import (
    SimilarityEncoder,
    leave_one_out,
    leave_one_out_scores,
    similarity_predict,
)
from brainlm.encoding.splits import ContiguousBlocks, Groups, LeaveOneRunOut
from brainlm.encoding.variance_partitioning import partition_variance
from brainlm.features.baselines import random_walk, smooth_noise
from brainlm.stats.permutation import circular_shift, permute_blocks, permute_groups

case = register("encoding")
ALPHAS = np.logspace(-1, 5, 7)
BLOCKS = ContiguousBlocks(4, gap=3)


@case
def alignment() -> Arrays:
    stimulus, plain, times = story(), plain_story(200), 2.0 * np.arange(60)
    space, recording = vectors(stimulus), series(stimulus)
    values, place = vectors(plain).values, (plain.onset, plain.duration, times)
    methods = ("lanczos", "hrf", "mean", "sum")
    return arrays(
        aligned={m: align(space, recording, method=m, delays=(1, 2))._asdict() for m in methods},
        by_default=align(space, recording, delays=[0])._asdict(),
        delayed=delay(linear()[0], [-1, 0, 2], linear()[2]),
        delays=[np.array(delays_between(step)) for step in (0.71, 1.5, 2.0)],
        lanczos=lanczos_weights(plain.onset, times, cutoff=0.25),
        resampled={m: resample(values, *place, method=m) for m in methods},
    )


@case
def preprocessing() -> Arrays:
    recording = series(story())
    return arrays(
        high_pass=high_pass(recording, period=40).data,
        averaged=average_samples(recording, 3).data,
        averaged_times=average_samples(recording, 3).times,
        walk=random_walk(recording, 4).values,
        smooth=smooth_noise(recording, 4, width=3.0).values,
    )


@case
def ridge_solutions() -> Arrays:
    found = {}
    for p in (30, 200):  # primal and kernel form
        X, Y, _ = linear(p=p)
        fit = fit_ridge(X)
        alphas = np.array([0.1, 1, 10, 100, 1e3, 1e4])
        found[str(p)] = {
            "weights": fit.weights(Y, alphas),
            "eigenvalues": fit.eigenvalues(),
            "same": fit.project(X) @ fit.weights(Y, np.full(6, 10.0)),
            "single": RidgeEncoder([10.0]).fit(X.astype(np.float32), Y.astype(np.float32)).coef_,
        }
    return arrays(ridge=found)


@case
def choice_of_alpha() -> Arrays:
    X, Y, _ = linear()
    folds, found = list(BLOCKS.split(X)), {}
    options = {
        "per target": {},
        "exact": {"search": "exact"},
        "shared": {"alpha_per": "all"},
        "group": {"alpha_per": "group", "groups": list("aabbcc")},
        "correlation": {"criterion": "r"},
        "centred": {"standardize": False},
        "widened": {"widen": True, "alphas": [1e3, 1e4]},
    }
    for name, given in options.items():
        encoder = RidgeEncoder(**({"alphas": ALPHAS, "cv": 4} | given)).fit(X, Y)
        found[name] = {
            "alpha": encoder.alpha_,
            "alphas": encoder.alphas_,
            "r2": encoder.cv_r2_,
            "coef": encoder.coef_,
            "intercept": encoder.intercept_,
            "predicted": encoder.predict(X),
        }
    return arrays(
        encoder=found,
        curve=solve_ridge_cv(X, Y, folds, ALPHAS),
        curve_kernel=solve_ridge_cv(linear(p=200)[0], Y, folds, ALPHAS),
        curve_r=correlation_curve(X, Y, folds, ALPHAS),
    )


@case
def large_searches() -> Arrays:
    """Problems that are large enough for the fast search."""
    found = {}
    for n, p, v in ((300, 40, 300), (200, 400, 300)):
        X, Y, _ = linear(n, p, v)
        folds = list(ContiguousBlocks(4, gap=2).split(X))
        for search in ("fast", "exact"):
            curve = solve_ridge_cv(X, Y, folds, search=search)
            encoder = RidgeEncoder(cv=folds, search=search).fit(X, Y)
            found[f"{p} {search}"] = {"curve": curve, "alpha": encoder.alpha_, "r2": encoder.cv_r2_}
    poles, mixing = choose_poles(np.geomspace(1e-3, 1e5, 60), np.logspace(-2, 7, 19))
    return arrays(search=found, poles=poles, mixing=mixing)


@case
def layers_at_once() -> Arrays:
    _, Y, _ = linear()
    layers = [linear(p=p, seed=p)[0] for p in (20, 200, 30)]
    fitted = RidgeEncoder(ALPHAS, cv=4).fit_layers(layers, Y)
    return arrays(layers=[{"alpha": e.alpha_, "coef": e.coef_, "r2": e.cv_r2_} for e in fitted])


@case
def banded_ridge() -> Arrays:
    X, Y, _ = linear(p=40)
    found = {}
    for name, given in {
        "sizes": {"bands": [10, 30]},
        "names": {"bands": ["a", "b"] * 20, "seed": 3, "concentration": (1.0,)},
        "shared": {"bands": [10, 10, 20], "alpha_per": "all"},
        "descent": {"bands": [10, 30], "n_steps": 5, "n_draws": 3},
    }.items():
        encoder = BandedRidgeEncoder(**({"n_draws": 8, "alphas": ALPHAS, "cv": 4} | given))
        encoder.fit(X[:120], Y[:120])
        found[name] = {
            "shares": encoder.shares_,
            "alpha": encoder.alpha_,
            "r2": encoder.cv_r2_,
            "coef": encoder.coef_,
            "bands": encoder.predict_bands(X[120:]),
            "split": encoder.split_scores(X[120:], Y[120:]),
        }
    return arrays(banded=found)


@case
def similarity_encoding() -> Arrays:
    X, Y, _ = linear()
    held = X[120:], X[:120], Y[:120]
    encoder = SimilarityEncoder().fit(X, Y)
    forms = ("anderson", "mulcogbench")
    return arrays(
        predicted=similarity_predict(*held),
        published=similarity_predict(*held, center=False),
        standardized=similarity_predict(*held, standardize=True),
        left_out=leave_one_out(X, Y),
        scores=leave_one_out_scores(X, Y, standardize=True),
        rows=standardize_rows(X),
        encoder=encoder.score_leave_one_out(),
        forms={f: SimilarityEncoder(f).fit(X[:120], Y[:120]).predict(X[120:]) for f in forms},
    )


def _splits() -> dict[str, object]:
    _, _, runs = linear()
    return {
        "blocks": BLOCKS,
        "blocks in runs": ContiguousBlocks(4, gap=2, runs=runs),
        "groups": Groups(np.arange(160) // 7, 4),
        "groups, dealt": Groups(np.arange(160) % 9, 3, interleave=True),
        "runs": LeaveOneRunOut(runs),
        "given": Folds(
            [(np.arange(100), np.arange(100, 160)), (np.arange(60, 160), np.arange(60))]
        ),
        "number": 3,
    }


@case
def splits() -> Arrays:
    X, _, _ = linear()
    folds = {}
    for name, split in _splits().items():
        if not hasattr(split, "split"):
            continue
        for i, (train, test) in enumerate(split.split(X)):
            folds[f"{name} {i}"] = {"train": train, "test": test}
            if i == 0 and hasattr(split, "within"):
                inner = list(split.within(train).split(X[train]))
                folds[f"{name} {i} within"] = [np.r_[a, -1, b] for a, b in inner]
    return arrays(fold=folds)


@case
def cross_validation() -> Arrays:
    X, Y, _ = linear()
    found = {}
    for name, split in _splits().items():
        scores = cross_validate(RidgeEncoder(ALPHAS), X, Y, split, keep_predictions=True)
        found[name] = _parts(scores)
    for metric in ("r", "spearman", "r2", "r2_score"):
        found[metric] = _parts(cross_validate(RidgeEncoder(ALPHAS), X, Y, BLOCKS, metric=metric))
    masked = Y.copy()
    masked[:, 2] = 1
    found["masked"] = _parts(cross_validate(RidgeEncoder(), X, masked, BLOCKS, mask_targets=True))
    similar = cross_validate(SimilarityEncoder(), X, Y, BLOCKS, keep_predictions=True)
    again = score_in_folds(similar.predictions, Y, BLOCKS, encoder="again")
    banded = BandedRidgeEncoder([10, 20], n_draws=4, alphas=ALPHAS)
    found |= {"similarity": _parts(similar), "again": _parts(again)}
    found["banded"] = _parts(cross_validate(banded, X, Y, BLOCKS))
    return arrays(scores=found)


def _parts(scores: object) -> dict[str, object]:
    kept = ("values", "mean", "alphas", "predictions", "n_test", "n_train", "inner", "test_ratio")
    return {name: getattr(scores, name) for name in kept}


@case
def scores_and_choices() -> Arrays:
    rng = np.random.default_rng(4)
    A, B = rng.standard_normal((2, 50, 7))
    chosen, held_out = held_out_choice(rng.standard_normal((6, 5, 3)))
    X, Y, _ = linear()
    scores = cross_validate(RidgeEncoder(ALPHAS), X, Y, BLOCKS)
    return arrays(
        pearson=pearson(A, B),
        single=pearson(A.astype(np.float32), B.astype(np.float32)),
        r2=r_squared(A, B),
        r2_raw=r_squared(A, B, center=False),
        z=fisher_z(pearson(A, B)),
        mean=fisher_mean(pearson(A, B)),
        chosen=chosen,
        held_out=held_out,
        best=scores.mean_of_best(2),
        table=scores.to_xarray(),
    )


@case
def permutation_nulls() -> Arrays:
    found = {}
    for p in (20, 200):
        X, Y, runs = linear(p=p)
        scores = cross_validate(RidgeEncoder(ALPHAS), X, Y, BLOCKS)
        rng = np.random.default_rng(7)
        groups = np.arange(160) // 4
        orders = {
            "circular": [circular_shift(160, rng, least=10, runs=runs) for _ in range(9)],
            "groups": [permute_groups(groups, rng) for _ in range(9)],
        }
        for name, rows in orders.items():
            found[f"{name} {p}"] = permuted_scores(X, Y, BLOCKS, scores, orders=np.array(rows))
        options = {"block": 6, "n_permutations": 9, "seed": 3}
        found[f"blocks {p}"] = permuted_scores(X, Y, BLOCKS, scores, **options)
        found[f"runs {p}"] = permuted_scores(X, Y, BLOCKS, scores, runs=runs, **options)
    words = story(200)
    rows = np.delete(np.arange(200), [3, 50, 120])
    given = {"block": 10, "n_permutations": 6}
    return arrays(
        null=found,
        shared=shared_orders(words.words, words.run, rows, **given),
        blocks=permute_blocks(160, 6, np.random.default_rng(1), linear()[2]),
        circular=circular_shift(160, np.random.default_rng(1), least=10),
        groups=permute_groups(np.arange(60) // 5, np.random.default_rng(1)),
    )


@case
def variance_partitioning() -> Arrays:
    rng = np.random.default_rng(5)
    spaces = {name: rng.standard_normal((150, 5)) for name in "abc"}
    Y = spaces["a"] @ rng.standard_normal((5, 4)) + spaces["b"] @ rng.standard_normal((5, 4))
    Y = Y + 2 * rng.standard_normal((150, 4))
    encoder = BandedRidgeEncoder(n_draws=5, alphas=ALPHAS)
    found = partition_variance(spaces, Y, BLOCKS, encoder=encoder)
    return arrays(
        r2={"+".join(names): values for names, values in found.r2.items()},
        parts={"+".join(names): values for names, values in found.parts.items()},
        joint=found.joint,
        unique={name: found.unique(name) for name in spaces},
    )


@case
def leakage() -> Arrays:
    recording = high_pass(series(story()))
    runs = LeaveOneRunOut(recording.run)
    probe = leakage_probe(recording, runs, n_draws=4, n_features=10)
    shuffled = Groups(np.arange(recording.n_samples) % 5)
    other = leakage_probe(recording, shuffled, n_draws=3, n_features=6, width=3.0)
    return arrays(scores=probe.scores, p=probe.p, mean=probe.mean, shuffled=other.scores)


@case
def published_pipelines() -> Arrays:
    X, Y, runs = linear()
    chunks = [np.r_[a, -1, b] for a, b in RandomChunks(3, 10).split(X)]
    bins = ["0ms", "100ms"] * 3
    encoders = {
        "huth": huth_encoder(n_bootstraps=4, chunk=8),
        "huth, one alpha": huth_encoder(n_bootstraps=4, chunk=8, single_alpha=True, seed=2),
        "discourse": discourse_encoder(),
        "word": word_encoder(),
        "meg": meg_bin_encoder(bins),
    }
    split = ContiguousBlocks(4)
    return arrays(
        chunks=chunks,
        scores={n: _parts(cross_validate(e, X, Y, split)) for n, e in encoders.items()},
        runs=scale_runs(X, runs),
        items=scale_items(X),
        trimmed=trim_runs(runs, 4, 2),
    )
