"""How fast ridge encoding is beside himalaya and scikit-learn; one run, the same work, ratios.

    python benchmarks/ridge.py            # T 3000, p 3072, V 20,000, 20 alphas, 5 folds
    python benchmarks/ridge.py --samples 1000 --targets 3000 --repeats 1

Simulated responses with the spectrum of language-model features: smooth in time, delayed by one to
four samples, eigenvalues that fall like a power law. Prints a table and JSON. All in float32.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter1d

from brainlm.encoders import RidgeEncoder
from brainlm.ridge_cv import solve_ridge_cv
from brainlm.splits import ContiguousBlocks

ALPHAS = np.logspace(-1, 7, 20)
TARGETS = {
    "himalaya / fast": ">= 6",
    "himalaya / exact": ">= 2",
    "exact / products": "<= 1.25",
    "share within 0.001 of the best": ">= 0.999",
    "few targets, himalaya / fast": ">= 6",
    "few targets, scikit-learn / fast": ">= 4",
}


def simulate(n_samples: int, n_features: int, n_targets: int) -> tuple[np.ndarray, np.ndarray]:
    """Return delayed features (4 delays) and responses; a third of the targets are noise."""
    rng = np.random.default_rng(0)
    width = n_features // 4
    X = rng.standard_normal((n_samples, width)) * np.arange(1, width + 1) ** -0.7
    X = X @ np.linalg.qr(rng.standard_normal((width, width)))[0]
    X = gaussian_filter1d(X, 0.7, axis=0)
    X = np.hstack([np.r_[np.zeros((k, width)), X[:-k]] for k in (1, 2, 3, 4)]).astype(np.float32)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
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
    folds = list(ContiguousBlocks(5).split(X))
    batches = best_batches(X, Y, folds)
    times: dict[str, list[float]] = {"himalaya": [], "fast": [], "exact": [], "products": []}
    for _ in range(repeats):  # paired: what slows the machine slows all of them
        times["fast"].append(seconds(lambda: RidgeEncoder(ALPHAS, cv=folds).fit(X, Y)))
        times["himalaya"].append(seconds(lambda: himalaya(X, Y, folds, batches)))
        times["exact"].append(
            seconds(lambda: RidgeEncoder(ALPHAS, cv=folds, search="exact").fit(X, Y))
        )
        times["products"].append(products(X, Y.shape[1], folds))
    exact = solve_ridge_cv(X, Y, folds, ALPHAS, search="exact")
    chosen = solve_ridge_cv(X, Y, folds, ALPHAS).argmax(axis=0)
    loss = exact.max(axis=0) - exact[chosen, np.arange(Y.shape[1])]
    return {
        "himalaya's batches (targets, alphas)": batches,
        **{f"{name}, s": statistics.median(found) for name, found in times.items()},
        "himalaya / fast": _ratio(times, "himalaya", "fast"),
        "himalaya / exact": _ratio(times, "himalaya", "exact"),
        "exact / products": _ratio(times, "exact", "products"),
        "share within 0.001 of the best": float((loss < 1e-3).mean()),
        "largest loss of cross-validated R2": float(loss.max()),
    }


def few(X: np.ndarray, Y: np.ndarray, repeats: int) -> dict:
    """Nested 5 x 5 folds for as many targets as a parcellation has."""
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

    times: dict[str, list[float]] = {"himalaya": [], "scikit-learn": [], "fast": []}
    for _ in range(repeats):
        times["fast"].append(nested(lambda x, y, f: RidgeEncoder(ALPHAS, cv=f).fit(x, y)))
        times["himalaya"].append(nested(lambda x, y, f: himalaya(x, y, f, (None, None))))
        times["scikit-learn"].append(
            nested(lambda x, y, f: RidgeCV(ALPHAS, alpha_per_target=True).fit(x, y))
        )
    return {
        **{f"few targets, {name}, s": statistics.median(t) for name, t in times.items()},
        "few targets, himalaya / fast": _ratio(times, "himalaya", "fast"),
        "few targets, scikit-learn / fast": _ratio(times, "scikit-learn", "fast"),
    }


def _ratio(times: dict[str, list[float]], above: str, below: str) -> float:
    return statistics.median(a / b for a, b in zip(times[above], times[below], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=3000)
    parser.add_argument("--features", type=int, default=3072)
    parser.add_argument("--targets", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # noise goes to the edge of any grid
    X, Y = simulate(given.samples, given.features, given.targets)
    for search in ("fast", "exact"):  # imports and threads start before the clock does
        himalaya(X[:500], Y[:500, :9], list(ContiguousBlocks(3).split(X[:500])), (None, None))
        RidgeEncoder(ALPHAS, search=search).fit(X[:1000], Y[:1000])
    result = few(X, Y, given.repeats) | many(X, Y, given.repeats)
    for key, value in result.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        print(f"{key:40s} {shown!s:>12s}   {TARGETS.get(key, '')}")
    machine = {"machine": platform.machine(), "system": platform.system()}
    print(json.dumps({**vars(given), **machine, "results": result}))


if __name__ == "__main__":
    main()
