"""How fast ridge encoding is beside himalaya and scikit-learn; one run, the same work, ratios.

    python benchmarks/ridge.py            # T 3000, p 3072, V 20,000, 20 alphas, 5 folds
    python benchmarks/ridge.py --samples 1000 --targets 3000 --repeats 1
    python benchmarks/ridge.py --rows memory,null
    python benchmarks/ridge.py --quick          # does the harness work?

Simulated responses with the spectrum of language-model features: smooth in time, delayed by one to
four samples, eigenvalues that fall like a power law. Prints a table and JSON. All in float32.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
from himalaya.backend import set_backend
from scipy.ndimage import gaussian_filter1d

from brainlm.data.scores import pearson
from brainlm.encoding.banded import BandedRidgeEncoder
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.permuted_scores import permuted_scores
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks

ALPHAS = np.logspace(-1, 7, 20)
TARGETS = {
    "himalaya / fast": ">= 6",
    "himalaya / exact": ">= 2",
    "exact / products": "<= 1.25",
    "share within 0.001 of the best": ">= 0.999",
    "few targets, himalaya / fast": ">= 6",
    "few targets, scikit-learn / fast": ">= 4",
    "layers: 13 layers / one": "< 13",
    "layers: 13 x himalaya / 13 layers": ">= 7",
    "memory: peak above the data, GiB": "<= 1.5",
    "null: refit / permutation": ">= 20",
    "banded: himalaya / brainlm": ">= 1",
}


def features(n_samples: int, n_features: int, rng: np.random.Generator) -> np.ndarray:
    """Return features with the spectrum of a language model's, smooth and with four delays."""
    width = n_features // 4
    X = rng.standard_normal((n_samples, width)) * np.arange(1, width + 1) ** -0.7
    X = X @ np.linalg.qr(rng.standard_normal((width, width)))[0]
    X = gaussian_filter1d(X, 0.7, axis=0)
    X = np.hstack([np.r_[np.zeros((k, width)), X[:-k]] for k in (1, 2, 3, 4)]).astype(np.float32)
    return (X - X.mean(axis=0)) / X.std(axis=0)


def simulate(n_samples: int, n_features: int, n_targets: int) -> tuple[np.ndarray, np.ndarray]:
    """Return delayed features (4 delays) and responses; a third of the targets are noise."""
    rng = np.random.default_rng(0)
    X = features(n_samples, n_features, rng)
    signal = X @ rng.standard_normal((n_features, n_targets), dtype=np.float32)
    strength = rng.uniform(0, 0.8, n_targets) * (rng.random(n_targets) > 1 / 3)
    signal *= (strength / signal.std(axis=0)).astype(np.float32)
    return X, signal + rng.standard_normal(signal.shape, dtype=np.float32)


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def himalaya(X: np.ndarray, Y: np.ndarray, folds: list, batches: tuple[int | None, int | None]):
    from himalaya.kernel_ridge import KernelRidgeCV

    targets, alphas = batches
    model = KernelRidgeCV(
        alphas=ALPHAS,
        fit_intercept=True,
        cv=folds,
        solver_params={"n_targets_batch": targets, "n_alphas_batch": alphas},
    )
    return model.fit(X, Y)


def best_batches(X: np.ndarray, Y: np.ndarray, folds: list) -> tuple[int | None, int | None]:
    """Search himalaya's batch sizes on a part of the targets, and keep the fastest."""
    part = Y[:, : min(Y.shape[1], 2000)]
    choices = [(t, a) for t in (500, 1000, 2000) for a in (1, 5, 20)]
    return min(choices, key=lambda c: seconds(lambda: himalaya(X, part, folds, c)))


def products(X: np.ndarray, n_targets: int, folds: list) -> float:
    """Seconds of the multiply-adds of the obvious algorithm: projections and all predictions."""
    rng = np.random.default_rng(0)
    step, spent = 2048, 0.0
    for rows, columns, times in [
        *((len(test), len(train), len(ALPHAS)) for train, test in folds),
        *((len(train), len(train), 1) for train, _ in folds),
        (len(X), len(X), 1),
    ]:
        A = rng.standard_normal((rows, columns), dtype=np.float32)
        B = rng.standard_normal((columns, step), dtype=np.float32)
        one = min(seconds(lambda A=A, B=B: A @ B) for _ in range(3))
        spent += one * times * n_targets / step
    return spent


def many(X: np.ndarray, Y: np.ndarray, repeats: int) -> dict:
    """Many targets; the last sixth of the samples is left for test scores."""
    (X, unseen), (Y, truth) = (np.split(A, [len(A) * 5 // 6]) for A in (X, Y))
    folds = list(ContiguousBlocks(5).split(X))
    batches = best_batches(X, Y, folds)
    names = ("himalaya", "fast", "exact", "products")
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):  # paired: what slows the machine slows all of them
        times["fast"].append(seconds(lambda: RidgeEncoder(ALPHAS, cv=folds).fit(X, Y)))
        times["himalaya"].append(seconds(lambda: himalaya(X, Y, folds, batches)))
        times["exact"].append(
            seconds(lambda: RidgeEncoder(ALPHAS, cv=folds, search="exact").fit(X, Y))
        )
        times["products"].append(products(X, Y.shape[1], folds))
    fits = [RidgeEncoder(ALPHAS, cv=folds, search=how).fit(X, Y) for how in ("exact", "fast")]
    exact, chosen = fits[0].cv_curve_, np.searchsorted(ALPHAS, fits[1].alpha_)
    loss = exact.max(axis=0) - exact[chosen, np.arange(Y.shape[1])]
    r = [pearson(fit.predict(unseen), truth) for fit in fits]
    return {
        "himalaya's batches (targets, alphas)": batches,
        **{f"{name}, s": statistics.median(found) for name, found in times.items()},
        "himalaya / fast": _ratio(times, "himalaya", "fast"),
        "himalaya / exact": _ratio(times, "himalaya", "exact"),
        "exact / products": _ratio(times, "exact", "products"),
        "share within 0.001 of the best": float((loss < 1e-3).mean()),
        "largest loss of cross-validated R2": float(loss.max()),
        "mean test r, exact": float(r[0].mean()),
        "mean test r, fast": float(r[1].mean()),
        "share of test r within 0.001": float((np.abs(r[0] - r[1]) < 1e-3).mean()),
    }


def few(X: np.ndarray, Y: np.ndarray, repeats: int) -> dict:
    """Nested 5 x 5 folds for as many targets as a parcellation has.

    scikit-learn's RidgeCV with the same inner folds (one alpha for all targets: with folds it has
    no other), and its leave-one-out shortcut: less work, and no substitute on slow data.
    """
    from sklearn.linear_model import RidgeCV

    outer = list(ContiguousBlocks(5).split(X))
    inner = [list(ContiguousBlocks(5).split(train)) for train, _ in outer]
    Y = Y[:, :400]

    def nested(fit: Callable) -> float:
        return seconds(
            lambda: [
                fit(X[train], Y[train], own).predict(X[test])
                for (train, test), own in zip(outer, inner, strict=True)
            ]
        )

    names = ("himalaya", "scikit-learn", "scikit-learn, leave one out", "fast")
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        times["fast"].append(nested(lambda x, y, f: RidgeEncoder(ALPHAS, cv=f).fit(x, y)))
        times["himalaya"].append(nested(lambda x, y, f: himalaya(x, y, f, (None, None))))
        times["scikit-learn, leave one out"].append(
            nested(lambda x, y, f: RidgeCV(ALPHAS, alpha_per_target=True).fit(x, y))
        )
    # Minutes: once, and one outer fold of five.
    train, own = outer[0][0], inner[0]
    once = seconds(lambda: RidgeCV(ALPHAS, cv=own).fit(X[train], Y[train]))
    times["scikit-learn"] = [len(outer) * once] * repeats
    return {
        **{f"few targets, {name}, s": statistics.median(t) for name, t in times.items()},
        "few targets, himalaya / fast": _ratio(times, "himalaya", "fast"),
        "few targets, scikit-learn / fast": _ratio(times, "scikit-learn", "fast"),
        "few targets, leave one out / fast": _ratio(times, "scikit-learn, leave one out", "fast"),
    }


def layers(X: np.ndarray, Y: np.ndarray) -> dict:
    """Thirteen layers against the same targets; himalaya's loop from one of its turns.

    Before it and after it one layer is fitted alone; the ratio is to their mean.
    """
    folds = list(ContiguousBlocks(5).split(X))
    batches = best_batches(X, Y, folds)
    rng = np.random.default_rng(1)

    def layer(number: int) -> np.ndarray:  # the same spectrum turned another way
        turned = X @ np.linalg.qr(rng.standard_normal((X.shape[1],) * 2, dtype=np.float32))[0]
        return turned * (1 + number * rng.random(X.shape[1], dtype=np.float32))

    spaces = [layer(number) for number in range(13)]
    encoder = RidgeEncoder(ALPHAS, cv=folds)
    before = seconds(lambda: encoder.fit(X, Y))
    turn = seconds(lambda: himalaya(X, Y, folds, batches))
    all_of_them = seconds(lambda: RidgeEncoder(ALPHAS, cv=folds).fit_layers(spaces, Y))
    one = (before + seconds(lambda: encoder.fit(X, Y))) / 2
    return {
        "layers: one, s": one,
        "layers: 13, s": all_of_them,
        "layers: 13 layers / one": all_of_them / one,
        "layers: 13 x himalaya / 13 layers": 13 * turn / all_of_them,
    }


MEMORY = """
import resource, sys, tempfile, numpy as np
from sklearn.model_selection import PredefinedSplit
from brainlm import RidgeEncoder, cross_validate
n, p, v = map(int, sys.argv[1:])
rng = np.random.default_rng(0)
X = rng.standard_normal((n, p), dtype=np.float32)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "y.npy"
    Y = np.lib.format.open_memmap(path, "w+", np.float32, (n, v))
    for start in range(0, v, 5000):
        Y[:, start : start + 5000] = rng.standard_normal((n, min(5000, v - start)))
    Y.flush()
    del Y
    data = X.nbytes + n * v * 4
    Y = np.load(path)
    fold = PredefinedSplit(np.where(np.arange(n) < n // 5, 0, -1))
    encoder = RidgeEncoder(np.logspace(-1, 7, 20), cv=5, warn_edge=False)
    cross_validate(encoder, X, Y, fold)
peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(data / 2**30, (peak - data) / 2**30)
"""


def memory(n_samples: int, n_features: int, n_targets: int = 100_000) -> dict:
    """Peak of a process that holds the data of 100,000 targets and scores one outer fold."""
    numbers = [str(n) for n in (n_samples, n_features, n_targets)]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *numbers], capture_output=True, text=True, check=True
    )
    data, above = map(float, done.stdout.split())
    return {"memory: data, GiB": data, "memory: peak above the data, GiB": above}


def null(X: np.ndarray, Y: np.ndarray) -> dict:
    """A permutation by fixed operators against the same regression fitted again."""
    folds = ContiguousBlocks(5, gap=4)
    encoder = RidgeEncoder(ALPHAS, warn_edge=False)
    scores: list = []
    refit = seconds(lambda: scores.append(cross_validate(encoder, X, Y, folds)))

    def permuted(n: int) -> float:
        return seconds(lambda: permuted_scores(X, Y, folds, scores[0], block=10, n_permutations=n))

    setup, more = permuted(1), permuted(6)
    return {
        "null: refit, s": refit,
        "null: permutation, s": (more - setup) / 5,
        "null: refit / permutation": refit / ((more - setup) / 5),
    }


def banded(X: np.ndarray, Y: np.ndarray) -> dict:
    """Three feature spaces, 10 random draws of their shares, in both."""
    from himalaya.kernel_ridge import ColumnKernelizer, Kernelizer, MultipleKernelRidgeCV
    from sklearn.metrics import r2_score
    from sklearn.pipeline import make_pipeline

    Y, width = Y[:, :2000], X.shape[1] // 3
    bands = [width, width, X.shape[1] - 2 * width]
    test = slice(int(0.8 * len(X)), None)
    train = slice(0, int(0.8 * len(X)) - 5)
    folds = list(ContiguousBlocks(5).split(X[train]))
    edges = np.r_[0, np.cumsum(bands)]
    kernels = ColumnKernelizer(
        [(str(a), Kernelizer("linear"), slice(a, b)) for a, b in itertools.pairwise(edges)]
    )
    params = {
        "n_iter": 10,
        "alphas": ALPHAS,
        "progress_bar": False,
        "n_targets_batch": 500,
        "n_alphas_batch": 5,
    }
    theirs = make_pipeline(
        kernels,
        MultipleKernelRidgeCV(
            kernels="precomputed", solver="random_search", cv=folds, solver_params=params
        ),
    )
    ours = BandedRidgeEncoder(bands, n_draws=10, alphas=ALPHAS, cv=folds, warn_edge=False)
    # himalaya centres nothing: give it centred data
    mean, means = X[train].mean(axis=0), Y[train].mean(axis=0)
    slow = seconds(lambda: theirs.fit(X[train] - mean, Y[train] - means))
    fast = seconds(lambda: ours.fit(X[train], Y[train]))
    r2 = [
        float(r2_score(Y[test], predicted))
        for predicted in (theirs.predict(X[test] - mean) + means, ours.predict(X[test]))
    ]
    return {
        "banded: himalaya, s": slow,
        "banded: brainlm, s": fast,
        "banded: himalaya / brainlm": slow / fast,
        "banded: test R2 of himalaya": r2[0],
        "banded: test R2 of brainlm": r2[1],
    }


def curves(X: np.ndarray, Y: np.ndarray) -> dict:
    """Seconds as each size grows, and the exponent fitted to them; 8,000 targets or fewer."""
    n, p, v = len(X), X.shape[1], min(Y.shape[1], 8000)
    sizes = {
        "targets": [(n, p, k, 20) for k in (v // 8, v // 4, v // 2, v)],
        "samples": [(k, p, v, 20) for k in (n // 4, n // 2, n)],
        "features": [(n, k, v, 20) for k in (p // 8, p // 4, p // 2, p)],
        "alphas": [(n, p, v, k) for k in (5, 10, 20, 40)],
    }
    spaces = [X] * 4
    times = [
        seconds(
            lambda k=k: RidgeEncoder(ALPHAS, cv=5, warn_edge=False).fit_layers(spaces[:k], Y[:, :v])
        )
        for k in (1, 2, 4)
    ]
    found: dict = {
        "curve: layers": [(k, round(t, 2)) for k, t in zip((1, 2, 4), times, strict=True)],
        "curve: exponent of layers": float(np.polyfit(np.log((1, 2, 4)), np.log(times), 1)[0]),
    }
    place = {"samples": 0, "features": 1, "targets": 2, "alphas": 3}
    for name, rows in sizes.items():
        times = []
        for rows_n, rows_p, rows_v, n_alphas in rows:
            alphas = np.logspace(-1, 7, n_alphas)
            times.append(
                seconds(
                    lambda a=alphas, i=rows_n, j=rows_p, k=rows_v: RidgeEncoder(
                        a, cv=5, warn_edge=False
                    ).fit(X[:i, :j], Y[:i, :k])
                )
            )
        grown = [row[place[name]] for row in rows]
        found[f"curve: {name}"] = [(g, round(t, 2)) for g, t in zip(grown, times, strict=True)]
        found[f"curve: exponent of {name}"] = float(np.polyfit(np.log(grown), np.log(times), 1)[0])
    return found


def _ratio(times: dict[str, list[float]], above: str, below: str) -> float:
    return statistics.median(a / b for a, b in zip(times[above], times[below], strict=True))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=3000)
    parser.add_argument("--features", type=int, default=3072)
    parser.add_argument("--targets", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", default="few,many,layers,memory,null,banded,curves")
    parser.add_argument("--backend", default="numpy", choices=["numpy", "torch"])
    parser.add_argument("--quick", action="store_true", help="Sizes that test the harness only.")
    given = parser.parse_args(arguments)
    if given.quick:
        given.samples, given.features, given.targets, given.repeats = 160, 40, 24, 1
    set_backend(given.backend, on_error="raise")
    warnings.simplefilter("ignore")  # noise goes to the edge of any grid
    larger = simulate(given.samples * 6 // 5, given.features, given.targets)
    X, Y = (A[: given.samples] for A in larger)
    for search in ("fast", "exact"):  # imports and threads start before the clock does
        himalaya(X[:500], Y[:500, :9], list(ContiguousBlocks(3).split(X[:500])), (None, None))
        RidgeEncoder(ALPHAS, search=search).fit(X[:1000], Y[:1000])
    measure: dict[str, Callable[[], dict]] = {
        "few": lambda: few(X, Y, given.repeats),
        "many": lambda: many(*larger, given.repeats),
        "layers": lambda: layers(X, Y),
        "memory": lambda: memory(given.samples, given.features),
        "null": lambda: null(X, Y),
        "banded": lambda: banded(X, Y),
        "curves": lambda: curves(X, Y),
    }
    result: dict = {}
    for row in given.rows.split(","):
        found = measure[row]()
        result |= found
        for key, value in found.items():
            shown = f"{value:.4g}" if isinstance(value, float) else value
            print(f"{key:40s} {shown!s:>12s}   {TARGETS.get(key, '')}", flush=True)
    machine = {"machine": platform.machine(), "system": platform.system()}
    print(json.dumps({**vars(given), **machine, "results": result}))


if __name__ == "__main__":
    main()
