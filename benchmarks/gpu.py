"""Brainlm on a card, beside himalaya on the same card and brainlm on the processor; one run.

    python benchmarks/gpu.py --out gpu.json              # at most eight minutes on an H100
    python benchmarks/gpu.py --device cpu --quick        # does the harness work?
    python benchmarks/gpu.py --rows ridge,host

Small problems are solved on the processor and on the card first, and the run ends where the two
differ. Then each row is printed as soon as it is there. Times are medians, after a run that is not
timed, with the card synchronised. himalaya runs with the best of its batch sizes on part of the
targets. The processor's time is that of fewer targets, multiplied. TF32 is off; the fast search
uses bfloat16.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ridge import features  # beside this script

from brainlm.decoding.embedding import EmbeddingDecoder
from brainlm.decoding.encoding_model import EncodingModel
from brainlm.decoding.scorers import EncodingLikelihood
from brainlm.decoding.stimulus_model import (
    RowScale,
    RowWindow,
    StimulusModel,
    row_times,
    word_weights,
)
from brainlm.encoding._ridge.search import Search, cv_curves
from brainlm.encoding._ridge.solve import fit_ridge
from brainlm.encoding.banded import BandedRidgeEncoder
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.permuted_scores import permuted_scores
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.similarity import SimilarityEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.rsa.rdm import permuted_comparisons, rdm

ALPHAS = np.logspace(-1, 7, 20)
FOLDS = 5
GOALS = {"ridge, exact": ">= 1.5 x himalaya, >= 0.5 of GEMM", "ridge, fast": ">= 1.5 x himalaya"}


class Bench:
    """The device, the sizes and the rows found so far."""

    def __init__(self, device: str, quick: bool, repeats: int, out: Path | None) -> None:
        self.device, self.quick, self.repeats, self.out = device, quick, repeats, out
        self.rows: list[dict] = []
        self.facts: dict[str, Any] = {"device": device, "torch": torch.__version__}
        self.facts |= {"numpy": np.__version__, "python": platform.python_version()}
        self.start = time.perf_counter()
        self.himalaya = has_himalaya(device)
        if device.startswith("cuda"):
            self.facts["card"] = torch.cuda.get_device_name(device)
            self.facts["card_GiB"] = torch.cuda.mem_get_info(device)[1] / 2**30

    def pick(self, size: int, quick: int) -> int:
        """Return the size of a problem."""
        return quick if self.quick else size

    def sync(self) -> None:
        """Wait for the card."""
        if self.device.startswith("cuda"):
            torch.cuda.synchronize(self.device)

    def seconds(self, call: Callable[[], object], repeats: int | None = None) -> float:
        """Median seconds after one run that is not timed."""
        call()
        times = []
        for _ in range(repeats or self.repeats):
            self.sync()
            begun = time.perf_counter()
            call()
            self.sync()
            times.append(time.perf_counter() - begun)
        return statistics.median(times)

    def once(self, call: Callable[[], object]) -> float:
        """Seconds of one run."""
        self.sync()
        begun = time.perf_counter()
        call()
        self.sync()
        return time.perf_counter() - begun

    def add(self, name: str, **values: Any) -> None:
        """Print a row of the table and keep it."""
        ours = values.get("brainlm_s")
        for other, ratio in (("himalaya_s", "x himalaya"), ("processor_s", "x processor")):
            if ours and values.get(other):
                values[ratio] = values[other] / ours
        values["at_s"] = round(time.perf_counter() - self.start, 1)
        self.rows.append({"row": name, **values})
        columns = ("brainlm_s", "himalaya_s", "x himalaya", "processor_s", "x processor")
        cells = [f"{values[c]:.4g}" if c in values else "" for c in columns]
        rest = [f"{k} {shown(v)}" for k, v in values.items() if k not in (*columns, "at_s")]
        cells = [name, *cells, GOALS.get(name, ""), "; ".join(rest)]
        print("| " + " | ".join(cells) + " |", flush=True)
        if self.out:
            self.out.write_text(json.dumps({**self.facts, "rows": self.rows}, indent=1))

    def tensor(self, *shape: int, seed: int = 0) -> torch.Tensor:
        """Return random numbers on the device."""
        generator = torch.Generator(self.device).manual_seed(seed)
        return torch.randn(*shape, generator=generator, device=self.device)

    def batches(self, fit: Callable[[Any, Any], object], n_targets: int) -> tuple:
        """Search himalaya's batch sizes, and keep the fastest that fits."""
        choices = [(None, 1), (None, 5), (None, None), (max(1, n_targets // 4), None)]
        times = {}
        for choice in choices:
            try:
                fit(*choice)
                times[choice] = self.once(lambda choice=choice: fit(*choice))
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
        return min(times, key=times.__getitem__)


def shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def has_himalaya(device: str) -> bool:
    try:
        from himalaya.backend import set_backend
    except ImportError:
        print("himalaya is not installed: its columns stay empty")
        return False
    set_backend("torch_cuda" if device.startswith("cuda") else "torch")
    return True


@cache
def _features(n_samples: int, n_features: int) -> np.ndarray:
    return features(n_samples, n_features, np.random.default_rng(0))


def responses(bench: Bench, X: torch.Tensor, n_targets: int) -> torch.Tensor:
    """Responses on the device; a third of them are noise."""
    signal = X @ bench.tensor(X.shape[1], n_targets, seed=1)
    strength = 0.8 * torch.rand(n_targets, device=bench.device)
    strength *= torch.rand(n_targets, device=bench.device) > 1 / 3
    signal *= strength / signal.std(dim=0)
    signal += bench.tensor(*signal.shape, seed=2)
    return signal


def data(bench: Bench, n: int, p: int, v: int) -> tuple[torch.Tensor, torch.Tensor, list]:
    X = torch.from_numpy(_features(n, p).copy()).to(bench.device)
    return X, responses(bench, X, v), list(ContiguousBlocks(FOLDS).split(np.empty(n)))


# Correctness


def correctness(bench: Bench) -> None:
    """Compare the card with the processor on small problems; end the run where they differ."""
    rng = np.random.default_rng(0)
    wrong = []

    def compare(name: str, found: Any, expected: Any, limit: float) -> None:
        found, expected = np.asarray(found, float), np.asarray(expected, float)
        off = float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))
        print(f"  {name:60s} {off:.1e}  (limit {limit:.0e})", flush=True)
        if not off <= limit:
            wrong.append(name)

    for n, p, v, dtype in (
        (300, 60, 400, "float32"),
        (300, 500, 400, "float32"),
        (300, 60, 7, "float64"),
        (300, 500, 7, "float64"),
        (900, 700, 3000, "float32"),
    ):
        X = rng.standard_normal((n, p)).astype(dtype)
        Y = (X[:, :1] + 2 * rng.standard_normal((n, v))).astype(dtype)
        single, shape = dtype == "float32", f"{n} x {p} x {v} {dtype}"
        limit = 2e-4 if single else 1e-9
        split, device = ContiguousBlocks(4, gap=2), bench.device
        # Alphas are given: a tie may be decided either way.
        one = [RidgeEncoder([30.0], device=d).fit(X, Y) for d in (None, device)]
        compare(f"ridge, predictions, {shape}", one[1].predict(X), one[0].predict(X), limit)
        both = [
            RidgeEncoder(search="exact", device=d, warn_edge=False).fit(X, Y).cv_curve_
            for d in (None, device)
        ]
        useful = [np.maximum(curve, -1) for curve in both]
        compare(f"ridge, curve of every alpha, {shape}", useful[1], useful[0], 10 * limit)
        fast = RidgeEncoder(device=device, warn_edge=False).fit(X, Y)
        at = np.searchsorted(fast.alphas_, fast.alpha_), np.arange(v)
        loss = both[0].max(axis=0) - both[0][at]
        compare(f"ridge, loss of the fast search (98 %), {shape}", np.quantile(loss, 0.98), 0, 2e-3)
        scores = [
            cross_validate(RidgeEncoder([30.0], device=d), X, Y, split, max_memory="20GB")
            for d in (None, device)
        ]
        compare(f"cross_validate, streamed, {shape}", scores[1].values, scores[0].values, limit)
        nulls = [
            permuted_scores(X, Y, split, scores[0], block=9, n_permutations=3, device=d)
            for d in (None, device)
        ]
        compare(f"null, {shape}", nulls[1], nulls[0], max(limit, 1e-6))
    X, Y = X[:, :200], Y[:, :300]
    banded = [
        BandedRidgeEncoder([100, 100], n_draws=4, alphas=[30.0], device=d).fit(X, Y)
        for d in (None, device)
    ]
    compare("banded, R2 of the choice", banded[1].cv_r2_, banded[0].cv_r2_, 1e-3)
    alike = [SimilarityEncoder(device=d).fit(X, Y) for d in (None, device)]
    compare("similarity", alike[1].predict(X), alike[0].predict(X), 1e-4)
    compare("similarity, leave one out", *(a.score_leave_one_out() for a in alike), 1e-4)
    for metric in ("correlation", "cosine", "euclidean"):
        compare(f"RDM, {metric}", rdm(X, metric, device=device), rdm(X, metric), 1e-9)
    decoders = [EmbeddingDecoder(alphas=[30.0], device=d).fit(X, Y) for d in (None, device)]
    compare("EmbeddingDecoder", decoders[1].predict(X), decoders[0].predict(X), 1e-4)
    model, Y = likelihood_model(32, 400)
    gains = [gain_of(m, Y, 32, 50)() for m in (model, model.on(device))]
    compare("likelihood", gains[1], gains[0], 1e-3)
    if bench.device.startswith("cuda"):  # what streams must equal what lies on the card
        Xd, Yd, folds = data(bench, 500, 600, 5000)
        fit = fit_ridge(Xd, smallest_alpha=0.1)
        resident = cv_curves([fit], Yd, folds, ALPHAS, search="exact")[0]
        streamed = cv_curves([fit], Yd.cpu().numpy(), folds, ALPHAS, search="exact")[0]
        compare("streamed from the host", streamed, resident, 1e-5)
        assert not torch.backends.cuda.matmul.allow_tf32
    if wrong:
        sys.exit(f"The device and the processor differ: {wrong}. Nothing was timed.")


# Rows


def gemm(bench: Bench) -> None:
    """The card's single-precision rate, TF32 off, square and in the shape of the predictions."""
    n = bench.pick(8192, 1024)
    A, B = bench.tensor(n, n), bench.tensor(n, n, seed=1)
    square = 2 * n**3 / bench.seconds(lambda: A @ B, 5) / 1e12
    k, m = bench.pick(2400, 240), bench.pick(12_000, 1200)
    A, B = bench.tensor(n, k), bench.tensor(m, k, seed=1)
    tall = 2 * n * k * m / bench.seconds(lambda: A @ B.T, 5) / 1e12
    bench.facts |= {"gemm_TFLOPs": square, "gemm_predictions_TFLOPs": tall}
    bench.add("GEMM, float32, TFLOP/s", square=square, predictions=tall)


def work(n: int, folds: list, v: int) -> float:
    """Operations of the predictions of every alpha and of the weights, all that V multiplies."""
    return 2.0 * v * (sum(len(ALPHAS) * len(te) * len(tr) for tr, te in folds) + n * n)


def kernel_ridge(X: Any, Y: Any, folds: list, batches: tuple, **how: Any) -> Any:
    from himalaya.kernel_ridge import KernelRidgeCV

    params = {"n_targets_batch": batches[0], "n_alphas_batch": batches[1]}
    return KernelRidgeCV(
        alphas=ALPHAS, fit_intercept=True, cv=folds, solver_params=params, **how
    ).fit(X, Y)


def sizes(bench: Bench) -> tuple[int, int, int]:
    return bench.pick(3000, 400), bench.pick(3072, 480), bench.pick(100_000, 2000)


def ridge(bench: Bench) -> None:
    """Both searches, data on the card."""
    n, p, v = sizes(bench)
    X, Y, folds = data(bench, n, p, v)
    found: dict[str, Any] = {}
    peaks, times = {}, {}
    for how in ("exact", "fast"):
        if bench.device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats()

        def fit(how: str = how) -> None:
            found.pop(how, None)  # or two sets of weights are on the card
            found[how] = RidgeEncoder(ALPHAS, cv=folds, search=how, warn_edge=False).fit(X, Y)

        times[how] = bench.seconds(fit)
        if bench.device.startswith("cuda"):
            peaks[how] = torch.cuda.max_memory_allocated() / 2**30
    theirs: dict[str, Any] = {}
    if bench.himalaya:
        part = Y[:, : v // 5]
        best = bench.batches(lambda t, a: kernel_ridge(X, part, folds, (t, a)), v // 5)

        def fit_theirs() -> None:
            theirs["fit"] = kernel_ridge(X, Y, folds, best)

        theirs["himalaya_s"] = bench.seconds(fit_theirs, 2)
    part = bench.pick(4000, 500)
    Xh, Yh = X.cpu().numpy(), Y[:, :part].cpu().numpy()
    exact, rate = found["exact"].cv_curve_, bench.facts.get("gemm_TFLOPs", np.nan)
    chosen = np.searchsorted(ALPHAS, found["fast"].alpha_)
    loss = exact.max(axis=0) - exact[chosen, np.arange(v)]
    for how in ("exact", "fast"):
        encoder = RidgeEncoder(ALPHAS, cv=folds, search=how, warn_edge=False)
        slow = bench.once(lambda e=encoder: e.fit(Xh, Yh)) * v / part
        extra: dict[str, Any] = {"peak GiB": peaks[how]} if how in peaks else {}
        if how == "exact":
            extra["share of GEMM"] = work(n, folds, v) / times[how] / 1e12 / rate
        else:
            extra["share within .001 of best"] = float((loss < 1e-3).mean())
        if theirs:
            extra["himalaya_s"] = theirs["himalaya_s"]
            if how == "exact":
                same = np.isclose(theirs["fit"].best_alphas_.cpu().numpy(), found[how].alpha_)
                extra |= {"same alphas as himalaya": float(same.mean()), "batches": str(best)}
        bench.add(f"ridge, {how}", brainlm_s=times[how], processor_s=slow, **extra)
    phases(bench, X, Y, folds)


def phases(bench: Bench, X: Any, Y: Any, folds: list) -> None:
    """Where the time goes: preparation, operators, the pass over the targets, weights."""
    for how in ("exact", "fast"):
        fits: list[Any] = []
        prepare = bench.once(lambda fits=fits: fits.append(fit_ridge(X, smallest_alpha=0.1)))
        fit = fits[0]
        operators = bench.once(
            lambda fit=fit, how=how: Search.of(fit, folds, ALPHAS, how, Y.shape[1])
        )
        curves = bench.once(lambda fit=fit, how=how: cv_curves([fit], Y, folds, ALPHAS, search=how))
        alphas = np.random.default_rng(0).choice(ALPHAS[4:], Y.shape[1])
        weights = bench.once(lambda fit=fit, alphas=alphas: fit.weights(Y, alphas))
        bench.add(
            f"phases of ridge, {how}, s",
            **{"prepare": prepare, "operators": operators, "operators and pass": curves},
            weights=weights,
        )
    eigh = bench.once(lambda: fit_ridge(X, smallest_alpha=0.1).decomposition)
    bench.add("prepare and eigendecomposition, s", seconds=eigh)


def host(bench: Bench) -> None:
    """The same with features and targets in the memory of the host."""
    n, p, v = sizes(bench)
    X, Y, folds = data(bench, n, p, v)
    X, Y = X.cpu().numpy(), Y.cpu().numpy()
    theirs: dict[str, float] = {}
    if bench.himalaya:
        for in_cpu in (False, True):
            try:
                theirs[f"himalaya, Y_in_cpu={in_cpu}, s"] = bench.seconds(
                    lambda c=in_cpu: kernel_ridge(X, Y, folds, (v // 5, 5), Y_in_cpu=c), 1
                )
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
    extra = {"himalaya_s": min(theirs.values())} if theirs else {}
    for how in ("exact", "fast"):
        encoder = RidgeEncoder(ALPHAS, cv=folds, search=how, device=bench.device, warn_edge=False)
        taken = bench.seconds(lambda e=encoder: e.fit(X, Y), 2)
        bench.add(f"ridge from the host, {how}", brainlm_s=taken, **extra, **theirs)

        def search_only(e: RidgeEncoder = encoder) -> None:
            e.choose(X, Y)  # streams in blocks: nothing is brought to the card whole

        bench.add(f"penalties only, streamed, {how}", brainlm_s=bench.seconds(search_only, 2))


def layers(bench: Bench) -> None:
    """Thirteen layers against the same targets."""
    n, p, v = bench.pick(3000, 300), bench.pick(3072, 320), bench.pick(20_000, 500)
    X, Y, folds = data(bench, n, p, v)
    count = bench.pick(13, 3)
    turns = [torch.linalg.qr(bench.tensor(p, p, seed=k))[0] for k in range(count)]
    spaces = [X @ turn for turn in turns]
    del turns
    encoder = RidgeEncoder(ALPHAS, cv=folds, warn_edge=False)
    one = bench.seconds(lambda: encoder.fit(spaces[0], Y), 2)
    extra = {}
    if bench.himalaya:
        fit = lambda t, a: kernel_ridge(spaces[0], Y, folds, (t, a))  # noqa: E731
        best = bench.batches(fit, v)
        extra["himalaya_s"] = count * bench.seconds(lambda: fit(*best), 1)
    taken = bench.seconds(lambda: encoder.fit_layers(spaces, Y), 1)
    bench.add(f"{count} layers", brainlm_s=taken, **extra, **{"layers / one": taken / one})


def null(bench: Bench) -> None:
    """Permutations, each a refit of every fold."""
    n, p, v = bench.pick(3000, 300), bench.pick(3072, 320), bench.pick(20_000, 500)
    X, Y, _ = data(bench, n, p, v)
    split = ContiguousBlocks(FOLDS, gap=4)
    encoder = RidgeEncoder(ALPHAS, warn_edge=False)
    scores: list[Any] = []
    refit = bench.once(lambda: scores.append(cross_validate(encoder, X, Y, split)))

    def permuted(count: int) -> float:
        return bench.once(
            lambda: permuted_scores(X, Y, split, scores[0], block=10, n_permutations=count)
        )

    permuted(2)
    few, many = permuted(2), permuted(bench.pick(52, 5))
    each = (many - few) / (bench.pick(52, 5) - 2)
    part = bench.pick(1000, 200)
    Xh, Yh = X.cpu().numpy(), Y[:, :part].cpu().numpy()
    own = cross_validate(encoder, Xh, Yh, split)
    slow = [
        bench.once(lambda c=c: permuted_scores(Xh, Yh, split, own, block=10, n_permutations=c))
        for c in (1, 3)
    ]
    bench.add(
        "null, one permutation",
        brainlm_s=each,
        processor_s=(slow[1] - slow[0]) / 2 * v / part,
        **{"refit / permutation": refit / each, "refit, s": refit},
    )


def banded(bench: Bench) -> None:
    """Three feature spaces, ten draws of their shares."""
    n, p, v = bench.pick(3000, 300), bench.pick(3072, 300), bench.pick(20_000, 300)
    X, Y, folds = data(bench, n, p, v)
    X, Y = X - X.mean(dim=0), Y - Y.mean(dim=0)  # himalaya centres nothing here
    bands = [p // 3, p // 3, p - 2 * (p // 3)]
    ours = BandedRidgeEncoder(bands, n_draws=10, alphas=ALPHAS, cv=folds, warn_edge=False)
    taken = min(bench.once(lambda: ours.fit(X, Y)) for _ in range(2))
    extra: dict[str, Any] = {"our mean CV R2": float(ours.cv_r2_.mean())}
    if bench.himalaya:
        from himalaya.kernel_ridge import MultipleKernelRidgeCV

        kernels = torch.stack([part @ part.T for part in X.split(bands, dim=1)])

        def fit(targets: int | None, alphas: int | None) -> Any:
            params = {"n_iter": 10, "alphas": ALPHAS, "progress_bar": False}
            params |= {"n_targets_batch": targets, "n_alphas_batch": alphas}
            return MultipleKernelRidgeCV(
                kernels="precomputed",
                solver="random_search",
                cv=folds,
                solver_params=params,
                random_state=0,
            ).fit(kernels, Y)

        times = {b: bench.once(lambda b=b: fit(*b)) for b in ((None, 5), (v // 4, None))}
        extra["himalaya_s"] = min(times.values())
        extra["batches"] = str(min(times, key=times.__getitem__))
    bench.add("banded, 3 bands, 10 draws", brainlm_s=taken, **extra)


def similarity(bench: Bench) -> None:
    """Leave-one-out similarity encoding, RDMs and their permutations."""
    n, p, v = bench.pick(40_000, 1000), 300, bench.pick(10_000, 200)
    X, Y = bench.tensor(n, p), bench.tensor(n, v, seed=1)
    encoder = SimilarityEncoder().fit(X, Y)
    taken = bench.seconds(encoder.score_leave_one_out, 2)
    part = bench.pick(300, 50)
    slow = SimilarityEncoder().fit(X.cpu().numpy(), Y[:, :part].cpu().numpy())
    slow_s = bench.once(slow.score_leave_one_out) * v / part
    bench.add("similarity, leave one out", brainlm_s=taken, processor_s=slow_s)
    new = X[: n // 4]
    taken = bench.seconds(lambda: encoder.predict(new), 2)
    bench.add("similarity, predict a quarter", brainlm_s=taken)
    del Y
    n = bench.pick(20_000, 500)
    items = bench.tensor(n, 768)
    on_host = items[: n // 8].cpu().numpy()
    for metric in ("correlation", "euclidean"):
        taken = bench.seconds(lambda m=metric: rdm(items, m), 2)
        slow_s = bench.once(lambda m=metric: rdm(on_host, m)) * 64
        bench.add(f"RDM, {metric}, float64", brainlm_s=taken, processor_s=slow_s)
    rdms = np.array([rdm(items[: n // 20, :k]).cpu().numpy() for k in (100, 200, 768)])
    count = bench.pick(1000, 20)
    fast, slow_s = (
        bench.once(lambda d=d, c=c: permuted_comparisons(rdms, rdms[0], n_permutations=c, device=d))
        for d, c in ((bench.device, count), (None, count // 10))
    )
    bench.add("RSA, permutations", brainlm_s=fast, processor_s=slow_s * 10)


def likelihood_model(n_features: int, n_targets: int) -> tuple[EncodingModel, np.ndarray]:
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape, dtype=np.float32)  # noqa: E731
    model = EncodingModel(
        draw(4 * n_features, n_targets),
        draw(n_targets),
        draw(1500, n_targets) / 40,
        2 / 3,
        (1, 2, 3, 4),
        np.zeros(n_targets),
    )
    return model, draw(300, n_targets)


def gain_of(
    model: EncodingModel, Y: np.ndarray, n_features: int, n_candidates: int
) -> Callable[[], np.ndarray]:
    """Return a call that gives the gains of candidates after sixty words."""
    scorer = EncodingLikelihood(model, Y, 4)
    middle = (np.arange(500) + 0.5) / 2.5
    ones = np.ones(n_features, dtype=np.float32)
    weights = word_weights(middle, row_times(2.0 * np.arange(108), 4))
    rows = RowWindow(StimulusModel(weights, RowScale(0 * ones, ones)), scorer.reach)
    rng = np.random.default_rng(1)
    for _ in range(60):
        rows.advance(np.zeros(1, int), rng.standard_normal((1, n_features), dtype=np.float32))
    steps = rng.standard_normal((n_candidates, n_features), dtype=np.float32)
    return lambda: scorer.gains(rows, np.zeros(n_candidates, int), steps)


def decode(bench: Bench) -> None:
    """The decoder's likelihood: made once, then per word of 2,000 candidates; and the mapper."""
    n_features, v = 128, bench.pick(10_000, 500)
    model, Y = likelihood_model(n_features, v)
    there = model.on(bench.device)
    for name, call in (("processor", model), ("device", there)):
        begun = time.perf_counter()
        call.products(Y)
        bench.sync()
        bench.facts[f"likelihood, once, {name}, s"] = time.perf_counter() - begun
    count = bench.pick(2000, 100)
    slow, fast = (bench.seconds(gain_of(m, Y, n_features, count), 5) for m in (model, there))
    bench.add(
        "likelihood, 2,000 candidates",
        brainlm_s=fast,
        processor_s=slow,
        **{k: v for k, v in bench.facts.items() if k.startswith("likelihood")},
    )
    X, Z = bench.tensor(bench.pick(3000, 200), v), bench.tensor(bench.pick(3000, 200), 768, seed=1)
    taken = bench.seconds(lambda: EmbeddingDecoder(alphas=ALPHAS).fit(X, Z), 2)
    Xh, Zh = X.cpu().numpy(), Z.cpu().numpy()
    slow = bench.once(lambda: EmbeddingDecoder(alphas=ALPHAS).fit(Xh, Zh))
    bench.add("EmbeddingDecoder, ridge", brainlm_s=taken, processor_s=slow)


def embed(bench: Bench) -> None:
    """A language model of the size of GPT-2, random weights, float32 and bfloat16."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    from brainlm.data.stimulus import Stimulus
    from brainlm.language_models import LanguageModel
    from brainlm.language_models.loading import quiet_transformers

    torch.manual_seed(0)
    words = [f"word{k}" for k in range(5000)]
    size = {"n_layer": 2, "n_embd": 64, "n_head": 2} if bench.quick else {}
    ends = {"bos_token_id": len(words), "eos_token_id": len(words)}
    config = GPT2Config(vocab_size=len(words) + 1, **ends, **size)
    tokenizer = Tokenizer(models.WordLevel({w: k for k, w in enumerate([*words, "<e>"])}, "<e>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    rng = np.random.default_rng(0)
    stimulus = Stimulus(rng.choice(words, bench.pick(20_000, 400)).tolist(), "en")
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        GPT2LMHeadModel(config).save_pretrained(folder)
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<e>").save_pretrained(folder)
        found, times = {}, {}
        for dtype in ("float32", "bfloat16"):
            model = LanguageModel(folder, device=bench.device, dtype=dtype)
            call = lambda m=model, d=dtype: found.update(  # noqa: E731
                {d: m.embed(stimulus, layers=[config.n_layer // 2], context=256)[0]}
            )
            times[dtype] = bench.seconds(call, 1)
        few = Stimulus(stimulus.words[: bench.pick(600, 200)].tolist(), "en")
        slow = LanguageModel(folder)
        slow_s = bench.seconds(lambda: slow.embed(few, layers=[6 % config.n_layer], context=256), 1)
    a, b = (np.asarray(found[d].values, dtype=float) for d in ("float32", "bfloat16"))
    r = [np.corrcoef(x, y)[0, 1] for x, y in zip(a[::50], b[::50], strict=True)]
    agree = {"smallest r of bfloat16 with float32": float(min(r))}
    for dtype, taken in times.items():
        bench.add(
            f"embed, {len(stimulus.words)} words, {dtype}",
            brainlm_s=taken,
            processor_s=slow_s * len(stimulus.words) / len(few.words),
            **{"words per second": len(stimulus.words) / taken},
            **agree,
        )


class Generated:
    """Targets larger than any memory: one block of columns, over and over."""

    def __init__(self, block: np.ndarray, n_targets: int) -> None:
        self.block, self.dtype = block, block.dtype
        self.shape = (len(block), n_targets)

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        start, stop, _ = key[1].indices(self.shape[1])
        width, pieces = self.block.shape[1], []
        while start < stop:
            first = start % width
            pieces.append(self.block[:, first : first + stop - start])
            start += pieces[-1].shape[1]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)


def larger(bench: Bench) -> None:
    """More targets than the card has memory; one outer fold, three passes over the targets."""
    from sklearn.model_selection import PredefinedSplit

    n, p = bench.pick(3000, 200), bench.pick(3072, 200)
    X, Y, _ = data(bench, n, p, bench.pick(65_536, 1024))
    X, block = X.cpu().numpy(), Y.cpu().numpy()
    del Y
    card = bench.facts.get("card_GiB", 0.001) * 2**30
    v = int(bench.pick(1, 0) * 1.05 * card / (4 * n)) or 3000
    fold = PredefinedSplit(np.where(np.arange(n) < n // 5, 0, -1))
    encoder = RidgeEncoder(ALPHAS, cv=FOLDS, warn_edge=False, device=bench.device)
    found: list[Any] = []
    taken = bench.once(lambda: found.append(cross_validate(encoder, X, Generated(block, v), fold)))
    width = min(block.shape[1], v)
    again = cross_validate(encoder, X, block[:, :width], fold)
    same = (found[0].alphas[:, :width] == again.alphas).all(axis=0)  # ties go either way
    off = np.abs(found[0].values[:, :width] - again.values)[:, same].max()
    bench.add(
        "larger than the card, cross_validate",
        brainlm_s=taken,
        targets=v,
        GiB=4.0 * n * v / 2**30,
        **{"GB/s": 4e-9 * n * v / taken},
        **{"same penalties as a fit of its first block": float(same.mean())},
        **{"largest difference of r there": float(off)},
    )


ROWS: dict[str, Callable[[Bench], None]] = {
    "gemm": gemm,
    "ridge": ridge,
    "host": host,
    "layers": layers,
    "null": null,
    "banded": banded,
    "similarity": similarity,
    "decode": decode,
    "embed": embed,
    "larger": larger,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="Sizes that test the harness only.")
    parser.add_argument("--repeats", type=int, default=3, help="Timed runs of the main row.")
    parser.add_argument("--rows", default=",".join(ROWS), help="Comma-separated.")
    parser.add_argument("--out", type=Path, help="JSON, written after each row.")
    parser.add_argument("--budget", type=float, default=460, help="Seconds to start rows in.")
    parser.add_argument("--no-check", action="store_true", help="Skip the comparison of devices.")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # noise goes to the edge of any grid
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.manual_seed(0)
    bench = Bench(given.device, given.quick, given.repeats, given.out)
    print(json.dumps(bench.facts), flush=True)
    if not given.no_check:
        correctness(bench)
        print(f"  correct, after {time.perf_counter() - bench.start:.0f} s", flush=True)
    print("| row | brainlm, s | himalaya, s | x | processor, s | x | goal | |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in given.rows.split(","):
        if time.perf_counter() - bench.start > given.budget:
            print(f"| {name} | no time left |", flush=True)
            continue
        try:
            ROWS[name](bench)
        except Exception as error:
            traceback.print_exc()
            bench.add(name, failed=f"{type(error).__name__}: {error}"[:200])
        if bench.device.startswith("cuda"):
            torch.cuda.empty_cache()
    print(json.dumps({**bench.facts, "rows": bench.rows}))


if __name__ == "__main__":
    main()
