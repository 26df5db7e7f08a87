"""Are the tests calibrated? Simulated studies of autocorrelated noise, and of planted effects.

Each simulated study runs a test of ``brainlm`` from the data to the p value. On noise the share of
p <= .05 must lie in its binomial interval; with a planted effect power must grow. Run it as
``python benchmarks/calibration.py``; ``--studies 1000`` takes some minutes on one core.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from time import perf_counter

import numpy as np
from scipy.stats import binom

from brainlm.comparison.methods import score_similarity
from brainlm.comparison.simulation import autoregressive
from brainlm.cross_validation import cross_validate
from brainlm.encoders import AlphaEdgeWarning, RidgeEncoder
from brainlm.nulls import permuted_scores
from brainlm.paired import block_means, paired_difference
from brainlm.splits import ContiguousBlocks
from brainlm.statistics import circular_shift, permutation_p

N_SAMPLES, N_FEATURES, RHO = 240, 5, 0.7
N_NULL = 99
EFFECTS = (0.0, 0.1, 0.2, 0.4)
ALPHA = 0.05


def responses(rng: np.random.Generator, effect: float) -> tuple[np.ndarray, np.ndarray]:
    """Autocorrelated features, and an autocorrelated response with a planted share of them."""
    X = autoregressive(N_SAMPLES, N_FEATURES, rng, rho=RHO)
    signal = X @ rng.standard_normal((N_FEATURES, 1)) / np.sqrt(N_FEATURES)
    return X, effect * signal + autoregressive(N_SAMPLES, 1, rng, rho=RHO)


def similarity_shift(rng: np.random.Generator, effect: float) -> float:
    """Similarity encoding in blocks with a gap; null: responses shifted in a circle."""
    X, Y = responses(rng, effect)
    orders = [circular_shift(N_SAMPLES, rng, least=20) for _ in range(N_NULL)]
    split = ContiguousBlocks(4, gap=8)
    return score_similarity(X, Y, split, orders=orders, published=False).p


def ridge_blocks(rng: np.random.Generator, effect: float) -> float:
    """Ridge encoding in blocks with a gap; null: blocks of responses permuted, fitted anew."""
    X, Y = responses(rng, effect)
    split = ContiguousBlocks(4, gap=8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)  # noise wants the largest penalty
        scores = cross_validate(RidgeEncoder(np.logspace(0, 4, 5)), X, Y, split)
    null = permuted_scores(
        X, Y, split, scores, block=20, n_permutations=N_NULL, seed=int(rng.integers(2**31))
    )
    return float(permutation_p(scores.mean, null)[0])


def paired_subjects(rng: np.random.Generator, effect: float) -> float:
    """Two models over twelve subjects: sign flip, exact."""
    shared = rng.standard_normal(12)
    a, b = shared + rng.standard_normal((2, 12))
    return paired_difference(a + 5 * effect, b).p


def paired_blocks(rng: np.random.Generator, effect: float) -> float:
    """Two models over blocks of an autocorrelated series: sign flip over blocks."""
    loss = autoregressive(N_SAMPLES * 2, 2, rng, rho=RHO)
    blocks = block_means(loss, 40)
    return paired_difference(blocks[:, 0] + 3 * effect, blocks[:, 1]).p


TESTS: dict[str, Callable[[np.random.Generator, float], float]] = {
    "similarity encoding, circular shift": similarity_shift,
    "ridge encoding, block permutation": ridge_blocks,
    "two models over subjects, sign flip": paired_subjects,
    "two models over blocks, sign flip": paired_blocks,
}


def rejection_rate(
    test: Callable[[np.random.Generator, float], float], effect: float, studies: int, seed: int
) -> float:
    """Share of simulated studies with p <= .05."""
    rng = np.random.default_rng(seed)
    return float(np.mean([test(rng, effect) <= ALPHA for _ in range(studies)]))


def binomial_interval(studies: int) -> tuple[float, float]:
    """Where 99 % of the rejection rates of an exact test lie."""
    low, high = binom.interval(0.99, studies, ALPHA)
    return low / studies, high / studies


def main() -> None:
    """Print the table of all tests and effects."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies per cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--noise-only", action="store_true", help="leave the power out")
    options = parser.parse_args()
    effects = EFFECTS[:1] if options.noise_only else EFFECTS
    low, high = binomial_interval(options.studies)
    print(f"{options.studies} studies per cell; on noise {low:.3f} to {high:.3f} is exact (99 %)")
    print(f"{'share of p <= .05 at effect':38s}" + "".join(f"{e:8.1f}" for e in effects))
    for name, test in TESTS.items():
        start = perf_counter()
        rates = [rejection_rate(test, e, options.studies, options.seed) for e in effects]
        fine = "calibrated" if low <= rates[0] <= high else "NOT calibrated"
        cells = "".join(f"{rate:8.3f}" for rate in rates)
        print(f"{name:38s}{cells}  {fine}, {perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
