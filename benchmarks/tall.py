"""How fast problems of many samples and few targets are; one run, ratios, correctness first.

    python benchmarks/tall.py             # 31,453 x 384 x 7, nested 5 x 5, 19 alphas
    python benchmarks/tall.py --quick     # does the harness work?

Prints a table and JSON. Responses are simulated; features have the spectrum of a language model's.
Seconds are those of the wall, or with ``--processor`` those of the processor, where others use it.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from unittest.mock import patch

import numpy as np

from brainlm.encoding.banded import BandedRidgeEncoder
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.permuted_scores import permuted_scores
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks

GOALS = {
    "tall: nested / floor": "<= 1.5",
    "tall: largest difference of a score": "<= 1e-8",
    "reading: nested / floor": "<= 1.5",
    "reading: largest difference of a score": "<= 1e-8",
    "null: largest difference of a score": "<= 1e-6",
    "banded: largest difference of a score": "<= 1e-8",
    "leave one out: scikit-learn / brainlm, 2,000 x 300 x 5": "> 1",
    "leave one out: scikit-learn / brainlm, 1,000 x 2,000 x 5": "> 1",
}
SPLIT = ContiguousBlocks(5, 20)
FROM_SUMS = "brainlm.encoding.ridge.fit_from_sums"


class Clock:
    """Median seconds of a few calls."""

    def __init__(self, processor: bool, repeats: int) -> None:
        self.now = time.process_time if processor else time.perf_counter
        self.repeats = repeats

    def __call__(self, call: Callable[[], object], repeats: int | None = None) -> float:
        """Return the seconds of a call."""
        return statistics.median(self._once(call) for _ in range(repeats or self.repeats))

    def _once(self, call: Callable[[], object]) -> float:
        start = self.now()
        call()
        return self.now() - start


def simulate(n: int, p: int, v: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features whose eigenvalues fall like a power law, and responses; float64."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((p, p)))[0]
    X = (rng.standard_normal((n, p)) * np.arange(1, p + 1) ** -0.7) @ turn + 0.3
    return X, X @ rng.standard_normal((p, v)) / 5 + rng.standard_normal((n, v))


def floor(X: np.ndarray, clock: Clock) -> float:
    """Seconds of one pass for the Gram matrix and 30 eigendecompositions of different matrices."""
    parts = np.array_split(X - X.mean(axis=0), 30)
    grams = np.stack([part.T @ part for part in parts])
    grams = grams.sum(axis=0) - grams  # as of training sets
    return clock(lambda: X.T @ X) + clock(lambda: np.linalg.eigh(grams))


def nested(name: str, shape: tuple[int, int, int], clock: Clock) -> dict:
    """Nested cross-validation from sums over blocks, every fold by itself, and the floor."""
    X, Y = simulate(*shape)
    encoder, scores = RidgeEncoder(warn_edge=False), []
    ours = clock(lambda: scores.append(cross_validate(encoder, X, Y, SPLIT)))
    with patch(FROM_SUMS, lambda *_: False):
        direct = clock(lambda: scores.append(cross_validate(encoder, X, Y, SPLIT)), 1)
    least = floor(X, clock)
    return {
        f"{name}: nested, s": ours,
        f"{name}: nested / floor": ours / least,
        f"{name}: every fold / nested": direct / ours,
        f"{name}: largest difference of a score": _difference(scores[0].values, scores[-1].values),
    }


def null(shape: tuple[int, int, int], clock: Clock, n_permutations: int) -> dict:
    """A permutation of few targets from sums over blocks, and fold by fold; single precision."""
    X, Y = (each.astype(np.float32) for each in simulate(*shape))
    scores = cross_validate(RidgeEncoder(warn_edge=False), X, Y, SPLIT)

    def permuted(n: int) -> np.ndarray:
        return permuted_scores(X, Y, SPLIT, scores, block=20, n_permutations=n)

    ours = clock(lambda: permuted(n_permutations), 1) / n_permutations
    found = permuted(2)
    with patch("brainlm.encoding.permuted_scores.refitted_scores", lambda *_, **__: None):
        direct = clock(lambda: permuted(2), 1) / 2
        expected = permuted(2)
    return {
        "null: a permutation, s": ours,
        "null: fold by fold / sums": direct / ours,
        "null: largest difference of a score": _difference(found, expected),
    }


def banded(shape: tuple[int, int, int], clock: Clock) -> dict:
    """Two bands, 20 draws."""
    X, Y = simulate(*shape)
    encoder = BandedRidgeEncoder([shape[1] // 4, shape[1] - shape[1] // 4], n_draws=20)
    found = []
    ours = clock(lambda: found.append(encoder.fit(X, Y).cv_r2_), 1)
    with patch("brainlm.encoding.banded.side_sums", lambda *_: None):
        direct = clock(lambda: found.append(encoder.fit(X, Y).cv_r2_), 1)
    return {
        "banded: one pass for all draws, s": ours,
        "banded: a pass for each / one for all": direct / ours,
        "banded: largest difference of a score": _difference(*found),
    }


def leave_one_out(shape: tuple[int, int, int], clock: Clock) -> dict:
    """scikit-learn's RidgeCV at the same criterion; the penalties must be the same."""
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import LeaveOneOut
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, Y = simulate(*shape)
    alphas = np.logspace(-2, 7, 19)
    ours = RidgeEncoder(alphas, cv=LeaveOneOut(), warn_edge=False)
    theirs = make_pipeline(StandardScaler(), RidgeCV(alphas, alpha_per_target=True))
    ratio = clock(lambda: theirs.fit(X, Y)) / clock(lambda: ours.fit(X, Y))
    np.testing.assert_allclose(ours.alpha_, theirs[-1].alpha_)
    size = " x ".join(f"{each:,}" for each in shape)
    return {f"leave one out: scikit-learn / brainlm, {size}": ratio}


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="Sizes that test the harness only.")
    parser.add_argument("--processor", action="store_true", help="Processor time, not the wall's.")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # noise goes to the edge of any grid
    clock = Clock(given.processor, 1 if given.quick else given.repeats)
    quick = given.quick
    parts: list[Callable[[], dict]] = [
        lambda: nested("tall", (800, 20, 3) if quick else (31_453, 384, 7), clock),
        lambda: nested("reading", (800, 10, 1) if quick else (60_000, 200, 1), clock),
        lambda: null((800, 20, 3) if quick else (31_453, 384, 7), clock, 4 if quick else 200),
        lambda: banded((800, 20, 3) if quick else (10_000, 200, 5), clock),
        lambda: leave_one_out((200, 30, 5) if quick else (2_000, 300, 5), clock),
        lambda: leave_one_out((100, 200, 5) if quick else (1_000, 2_000, 5), clock),
    ]
    result: dict = {}
    for part in parts:
        found = part()
        result |= found
        for key, value in found.items():
            print(f"{key:58s} {value:12.4g}   {GOALS.get(key, '')}", flush=True)
    record = {**vars(given), "machine": platform.machine(), "results": result}
    print(json.dumps(record))


if __name__ == "__main__":
    main()
