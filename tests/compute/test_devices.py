"""The same numbers from numpy, from torch on the processor, and from a card where there is one."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from brainlm import BandedRidgeEncoder, RidgeEncoder, SimilarityEncoder, cross_validate
from brainlm.compute.backend import cholesky as factored
from brainlm.compute.backend import eigh, inverse, place, solve
from brainlm.compute.streams import block_bytes, column_stream, resident
from brainlm.decoding.embedding import EmbeddingDecoder
from brainlm.decoding.encoding_model import EncodingModel, fit_encoding_model
from brainlm.decoding.scorers import EncodingLikelihood
from brainlm.decoding.stimulus_model import (
    RowScale,
    RowWindow,
    StimulusModel,
    row_times,
    word_weights,
)
from brainlm.encoding._ridge.search import cv_curves, solve_ridge_cv
from brainlm.encoding._ridge.solve import fit_ridge
from brainlm.encoding._ridge.streaming import read_size
from brainlm.encoding.permuted_scores import permuted_scores
from brainlm.encoding.splits import ContiguousBlocks, Groups
from brainlm.rsa.rdm import permuted_comparisons, rdm

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
LIMIT = {np.float32: 2e-5, np.float64: 1e-10}
SPLIT = ContiguousBlocks(4, gap=1)
# samples, features, targets: primal and kernel form, few and many targets
SHAPES = [(120, 20, 5), (120, 20, 90), (80, 150, 7), (80, 150, 200)]

pytestmark = pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


def _data(rng, shape, dtype=np.float64):
    n, p, v = shape
    X = rng.standard_normal((n, p)) * np.linspace(0.5, 2, p) + 1
    Y = X @ rng.standard_normal((p, v)) / np.sqrt(p) + 2 * rng.standard_normal((n, v)) + 3
    return X.astype(dtype), Y.astype(dtype)


def _host(A):
    return A.cpu().numpy() if isinstance(A, torch.Tensor) else A


def _close(found, expected, limit):
    found, expected = np.asarray(_host(found), float), np.asarray(expected, float)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= limit * max(1, np.abs(expected).max())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("given", ["arrays", "tensors", "features only"])
def test_ridge_equals_numpy_and_returns_what_went_in(rng, device, dtype, shape, given):
    X, Y = _data(rng, shape, dtype)
    new = X[:9] + 1
    options = {"alphas": np.logspace(-1, 5, 7), "search": "exact"}
    expected = RidgeEncoder(**options).fit(X, Y)
    tensor = torch.from_numpy(X).to(device)
    if given == "arrays":
        found, seen = RidgeEncoder(**options, device=device).fit(X, Y), new
    else:
        y = Y if given == "features only" else torch.from_numpy(Y).to(device)
        found, seen = RidgeEncoder(**options).fit(tensor, y), torch.from_numpy(new).to(device)
    _close(np.maximum(found.cv_curve_, -1), np.maximum(expected.cv_curve_, -1), 10 * LIMIT[dtype])
    predicted = found.predict(seen)
    assert type(predicted) is type(seen)
    assert type(found.coef_) is type(found.intercept_) is type(seen)
    assert isinstance(found.alpha_, np.ndarray)
    assert isinstance(found.cv_r2_, np.ndarray)
    if given != "arrays":
        assert predicted.device == found.coef_.device == seen.device
        assert predicted.dtype == tensor.dtype
    same = found.alpha_ == expected.alpha_  # a tie may be decided either way
    assert same.mean() > 0.95
    limit = 5 * LIMIT[dtype]
    _close(_host(predicted)[:, same], expected.predict(new)[:, same], limit)
    _close(_host(found.coef_)[same], expected.coef_[same], limit)
    _close(_host(found.intercept_)[same], expected.intercept_[same], 10 * limit)


def test_ridge_on_tensors_equals_scikit_learn(rng, device):
    X, Y = _data(rng, (60, 80, 6))
    alphas = rng.choice([0.5, 20.0, 3000.0], 6)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    expected = np.column_stack(
        [Ridge(a, solver="svd").fit(Z, y).predict(Z) for a, y in zip(alphas, Y.T, strict=True)]
    )
    tensors = [torch.from_numpy(A).to(device) for A in (X, Y)]
    fit = fit_ridge(tensors[0], smallest_alpha=0.5)
    found = fit.project(tensors[0]) @ fit.weights(tensors[1], alphas)
    _close(found, expected - Y.mean(axis=0), 1e-10)


@pytest.mark.parametrize("n_targets", [5, 100])
@pytest.mark.parametrize("n_features", [1, 30, 59, 150])
def test_the_most_extreme_penalties_equal_numpy(rng, device, n_features, n_targets):
    X = rng.standard_normal((60, n_features)) * np.linspace(1, 30, n_features) + 5
    Y = X[:, :1] + rng.standard_normal((60, n_targets))
    folds = list(ContiguousBlocks(4).split(X))
    alphas = np.logspace(-6, 12, 10)
    expected = solve_ridge_cv(X, Y, folds, alphas)
    found = solve_ridge_cv(torch.from_numpy(X).to(device), Y, folds, alphas)
    assert (np.abs(found - expected) / (1 + np.abs(expected))).max() < 1e-7


def test_scattered_folds_constants_and_a_single_target(rng, device):
    X, Y = _data(rng, (70, 90, 3))
    X[:, 4] = 7.0
    folds = list(Groups(np.arange(70) % 7, 3).split(X))
    expected = RidgeEncoder(cv=folds).fit(X, Y[:, 0])
    found = RidgeEncoder(cv=folds, device=device).fit(X, Y[:, 0])
    assert found.predict(X).shape == (70,)
    _close(found.predict(X), expected.predict(X), 1e-9)
    assert np.all(found.coef_[:, 4] == 0)


@pytest.mark.parametrize("n_features", [60, 500])
def test_the_fast_search_chooses_within_a_thousandth(rng, device, monkeypatch, n_features):
    monkeypatch.setattr("brainlm.encoding._ridge.search.SMALL", 0)
    X, Y = _data(rng, (600, n_features, 700), np.float32)
    exact = RidgeEncoder(search="exact").fit(X, Y).cv_curve_
    fast = RidgeEncoder(device=device).fit(X, Y)
    chosen = np.searchsorted(fast.alphas_, fast.alpha_)
    loss = exact.max(axis=0) - exact[chosen, np.arange(700)]
    assert np.quantile(loss, 0.97) < 1e-3
    assert not torch.backends.cuda.matmul.allow_tf32  # as it was


def test_layers_correlation_and_groups_equal_numpy(rng, device):
    X, Y = _data(rng, (90, 40, 12))
    layers = [X, X[:, ::2] ** 2]
    tensors = [torch.from_numpy(np.ascontiguousarray(layer)).to(device) for layer in layers]
    for encoder in (
        RidgeEncoder(),
        RidgeEncoder(criterion="r"),
        RidgeEncoder(alpha_per="all", standardize=False),
        RidgeEncoder([1.0, 10.0], widen=True),
    ):
        expected = [
            each.predict(layer)
            for each, layer in zip(encoder.fit_layers(layers, Y), layers, strict=True)
        ]
        found = encoder.fit_layers(tensors, torch.from_numpy(Y).to(device))
        for each, layer, right in zip(found, tensors, expected, strict=True):
            _close(each.predict(layer), right, 1e-9)
        moved = encoder.set_params(device=device).fit_layers(layers, Y)
        _close(moved[1].predict(layers[1]), expected[1], 1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_banded_ridge_equals_numpy(rng, device, dtype, shape):
    X, Y = _data(rng, shape, dtype)
    bands = [shape[1] // 2, shape[1] - shape[1] // 2]
    make = lambda **how: BandedRidgeEncoder(bands, n_draws=4, alphas=[30.0], **how)  # noqa: E731
    expected = make().fit(X, Y)
    tensors = [torch.from_numpy(A).to(device) for A in (X, Y)]
    for found, seen in ((make(device=device).fit(X, Y), X), (make().fit(*tensors), tensors[0])):
        _close(found.cv_r2_, expected.cv_r2_, 10 * LIMIT[dtype])
        same = (found.shares_ == expected.shares_).all(axis=0)
        assert same.mean() > 0.9
        predicted = found.predict(seen)
        assert type(predicted) is type(seen) is type(found.coef_)
        _close(_host(predicted)[:, same], expected.predict(X)[:, same], 5 * LIMIT[dtype])
        parts = found.predict_bands(seen)
        _close(
            _host(parts.sum(axis=0))[:, same],
            (expected.predict(X) - Y.mean(axis=0))[:, same],
            10 * LIMIT[dtype],
        )
        split = found.split_scores(seen, Y)
        _close(split[:, same], expected.split_scores(X, Y)[:, same], 1e-4)


@pytest.mark.parametrize("form", ["anderson", "mulcogbench"])
@pytest.mark.parametrize("standardize", [False, True])
def test_similarity_encoding_equals_numpy(rng, device, dtype, form, standardize):
    X, Y = _data(rng, (60, 30, 8), dtype)
    make = lambda **how: SimilarityEncoder(form, standardize=standardize, **how)  # noqa: E731
    expected = make().fit(X, Y)
    tensors = [torch.from_numpy(A).to(device) for A in (X, Y)]
    for found, seen in ((make(device=device).fit(X, Y), X), (make().fit(*tensors), tensors[0])):
        predicted = found.predict(seen[:9])
        assert type(predicted) is type(seen)
        _close(predicted, expected.predict(X[:9]), LIMIT[dtype])
        scores = found.score_leave_one_out()
        assert isinstance(scores, np.ndarray)
        _close(scores, expected.score_leave_one_out(), LIMIT[dtype])


@pytest.mark.parametrize("metric", ["r", "r2", "r2_score"])
@pytest.mark.parametrize("encoder", [RidgeEncoder([30.0]), SimilarityEncoder()])
def test_cross_validate_equals_numpy(rng, device, dtype, metric, encoder):
    X, Y = _data(rng, (90, 40, 30), dtype)
    expected = cross_validate(encoder, X, Y, SPLIT, metric=metric, keep_predictions=True)
    tensors = [torch.from_numpy(A).to(device) for A in (X, Y)]
    moved = type(encoder)(**encoder.get_params()).set_params(device=device)
    for found in (
        cross_validate(encoder, *tensors, SPLIT, metric=metric, keep_predictions=True),
        cross_validate(moved, X, Y, SPLIT, metric=metric, keep_predictions=True),
        cross_validate(moved, X, Y, SPLIT, metric=metric, keep_predictions=True, max_memory="1GB"),
    ):
        assert isinstance(found.values, np.ndarray)
        _close(found.values, expected.values, LIMIT[dtype])
        _close(found.predictions, expected.predictions, LIMIT[dtype])


def test_targets_that_only_give_columns_reach_the_device(rng, device, tmp_path):
    class Columns:
        shape, dtype = (90, 40), np.dtype(np.float64)

        def __getitem__(self, key):
            assert key[0] == slice(None)
            return Y[key]

    X, Y = _data(rng, (90, 20, 40))
    np.save(tmp_path / "Y.npy", Y)
    expected = cross_validate(RidgeEncoder(), X, Y, SPLIT).values
    for targets in (Columns(), np.load(tmp_path / "Y.npy", mmap_mode="r")):
        found = cross_validate(RidgeEncoder(device=device), X, targets, SPLIT)
        _close(found.values, expected, 1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_permuted_scores_equal_numpy(rng, device, dtype, shape):
    X, Y = _data(rng, shape, dtype)
    scores = cross_validate(RidgeEncoder([1.0, 30.0, 1000.0]), X, Y, SPLIT)
    ask = {"block": 5, "n_permutations": 6}
    expected = permuted_scores(X, Y, SPLIT, scores, **ask)
    tensors = [torch.from_numpy(A).to(device) for A in (X, Y)]
    for found in (
        permuted_scores(X, Y, SPLIT, scores, **ask, device=device),
        permuted_scores(*tensors, SPLIT, scores, **ask),
    ):
        assert found.dtype == np.float32
        _close(found, expected, max(LIMIT[dtype], 1e-6))


@pytest.mark.parametrize("metric", ["correlation", "cosine", "euclidean"])
def test_rdms_and_their_permutations_equal_numpy(rng, device, metric):
    X, _ = _data(rng, (40, 12, 1))
    expected = rdm(X, metric)
    _close(rdm(X, metric, device=device), expected, 1e-12)
    found = rdm(torch.from_numpy(X).to(device), metric)
    assert found.device.type == device
    _close(found, expected, 1e-12)
    rdms = np.array([expected, rdm(X[:, :5], metric)])
    ask = {"n_permutations": 5, "seed": 3}
    null = permuted_comparisons(rdms, expected, **ask, device=device)
    _close(null, permuted_comparisons(rdms, expected, **ask), 1e-12)


def test_embedding_decoder_equals_numpy(rng, device):
    X, Y = _data(rng, (80, 100, 12))
    runs = np.repeat(["a", "b", "c", "d"], 20)
    expected = EmbeddingDecoder().fit(X, Y, runs).predict(X)
    _close(EmbeddingDecoder(device=device).fit(X, Y, runs).predict(X), expected, 1e-9)
    tensors = [torch.from_numpy(A).to(device) for A in (X, Y)]
    found = EmbeddingDecoder().fit(*tensors, runs).predict(tensors[0])
    assert isinstance(found, torch.Tensor)
    _close(found, expected, 1e-9)
    with pytest.raises(ValueError, match="'transformer' is trained on the processor only"):
        EmbeddingDecoder("transformer", device=device).fit(X, Y, runs)


@pytest.mark.parametrize("n_targets", [12, 300])
def test_likelihood_of_the_decoder_equals_numpy(rng, device, n_targets):
    X, Y = _data(rng, (80, 8, n_targets))
    runs = np.repeat(["a", "b", "c", "d"], 20)
    ask = {"delays": (1, 2), "alphas": [10.0]}
    expected = fit_encoding_model(X, Y, runs, **ask)
    fitted = fit_encoding_model(X, Y, runs, **ask, device=device)
    assert fitted.weights.device.type == device
    times = 2.0 * np.arange(20)
    middle = np.sort(rng.uniform(1, 38, 50))
    weights = word_weights(middle, row_times(times, 2))
    stimulus_model = StimulusModel(weights, RowScale(np.zeros(4), np.ones(4)))
    rows = RowWindow(stimulus_model, 1)
    for _ in range(12):
        rows.advance(np.zeros(1, int), rng.standard_normal((1, 4)).astype(np.float32))
    steps = rng.standard_normal((30, 4)).astype(np.float32)
    gains = [
        EncodingLikelihood(model, Y[:20], 2).gains(rows, np.zeros(30, int), steps)
        for model in (expected, expected.on(device), fitted)
    ]
    for found in gains[1:]:
        assert isinstance(found, np.ndarray)
        _close(found, gains[0], 1e-5)


def test_what_is_not_there_is_an_error(rng):
    X, Y = _data(rng, (40, 10, 3))
    T, U = torch.from_numpy(X), torch.from_numpy(Y)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match=r"'cuda' is not on this machine.*device out"):
            RidgeEncoder(device="cuda").fit(X, Y)
        with pytest.raises(ValueError, match="'cuda' is not on this machine"):
            rdm(X, device="cuda")
        with pytest.raises(ValueError, match="'cuda' is not on this machine"):
            cross_validate(SimilarityEncoder(device="cuda"), X, Y, SPLIT)
    with pytest.raises(ValueError, match="'gpu' is not a torch device"):
        RidgeEncoder(device="gpu").fit(X, Y)
    with pytest.raises(ValueError, match="y a tensor on cpu: give both as tensors"):
        RidgeEncoder().fit(X, U)
    with pytest.raises(ValueError, match=r"X is torch\.float16: convert it to float32"):
        RidgeEncoder().fit(T.half(), U)
    with pytest.raises(ValueError, match="X holds NaN"):
        RidgeEncoder().fit(T / 0, U)
    with pytest.raises(ValueError, match="2 of 3 targets are constant"):
        RidgeEncoder().fit(T, U * torch.tensor([1.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match="values that are NaN or infinite"):
        RidgeEncoder(device="cpu").fit(T, U / 0)
    with pytest.raises(ValueError, match="lengths differ"):
        RidgeEncoder().fit(T, U[:-1])
    with pytest.raises(ValueError, match="X has 4 features, but RidgeEncoder is expecting 10"):
        RidgeEncoder().fit(T, U).predict(T[:, :4])
    with pytest.raises(ValueError, match="n_steps=3 is computed with numpy only"):
        BandedRidgeEncoder([5, 5], n_steps=3, device="cpu").fit(X, Y)
    with pytest.raises(ValueError, match="single feature"):
        rdm(T[:, :1])


def test_double_precision_on_mps_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ValueError, match="X is float64, which device 'mps' cannot compute with"):
        place(np.ones((3, 2)), "mps")


def test_linear_algebra_of_tensors(device):
    rng = np.random.default_rng(1)
    A = rng.standard_normal((20, 30))
    A = A @ A.T
    T = torch.from_numpy(A).to(device)
    _close(solve(factored(T.clone()), T), np.eye(20), 1e-9)
    _close(inverse(T), np.linalg.inv(A), 1e-9)
    _close(eigh(T)[0], np.linalg.eigvalsh(A), 1e-9)


def test_blocks_and_memory_of_a_device(rng, device):
    Y = rng.standard_normal((30, 11))
    ref = torch.zeros(1, dtype=torch.float32, device=device)
    blocks = [slice(0, 4), slice(4, 8), slice(8, 11)]
    parts = [(block, part) for block, part in column_stream(Y, blocks, ref)]
    assert all(part.device.type == device and part.dtype == torch.float32 for _, part in parts)
    _close(torch.cat([part for _, part in parts], dim=1), Y.astype(np.float32), 0)
    kept = [part for _, part in column_stream(Y.astype(">i2"), blocks, ref, keep_dtype=True)]
    assert kept[0].dtype == torch.int16
    assert (resident(Y, ref) is Y) == (device == "cpu")
    assert block_bytes(np.zeros(1), 123) == 123
    with pytest.raises(MemoryError, match=r"max_memory is 0\.00 GB"):
        read_size(1 << 30, 1 << 20, ref)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a card")
def test_streaming_to_a_card_equals_what_is_on_it(rng):
    X, Y = _data(rng, (300, 200, 4000), np.float32)
    folds, alphas = list(SPLIT.split(X)), np.logspace(0, 4, 5)
    fit = fit_ridge(torch.from_numpy(X).cuda(), smallest_alpha=1.0)
    there = torch.from_numpy(Y).cuda()
    for search in ("exact", "fast"):
        found = cv_curves([fit], Y, folds, alphas, search=search)[0]
        expected = cv_curves([fit], there, folds, alphas, search=search)[0]
        _close(found, expected, 1e-5)
    _close(fit.weights(Y, np.full(4000, 10.0)), fit.weights(there, np.full(4000, 10.0)).cpu(), 1e-6)


def test_models_stay_where_they_are_put(rng):
    model = EncodingModel(
        rng.standard_normal((8, 5)),
        np.zeros(5),
        rng.standard_normal((9, 5)),
        0.5,
        (1, 2),
        np.zeros(5),
    )
    assert isinstance(model.on("cpu").weights, torch.Tensor)
    assert isinstance(model.weights, np.ndarray)
    _close(
        replace(model.on("cpu"), shrinkage=1.0).products(np.ones((3, 5)))[1],
        replace(model, shrinkage=1.0).products(np.ones((3, 5)))[1],
        1e-12,
    )


def test_numpy_alone_does_not_load_torch():
    code = (
        "import sys, numpy as np, brainlm\n"
        "X = np.random.default_rng(0).standard_normal((30, 5))\n"
        "brainlm.RidgeEncoder(warn_edge=False).fit(X, X[:, :2] + 1).predict(X)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.long
def test_the_benchmark_of_cards_runs(tmp_path):
    path = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
    rows = ["--rows", "gemm,decode,larger"]
    rows += ["--out", str(tmp_path / "found.json")]
    command = [sys.executable, str(path), "--device", "cpu", "--quick", "--no-check", *rows]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "failed" not in done.stdout, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())["rows"]
    assert [row["row"] for row in found][-1].startswith("larger than the card")
    assert found[-1]["largest difference of r there"] < 1e-4
