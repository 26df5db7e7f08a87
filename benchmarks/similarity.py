"""How much memory and time does leave-one-out similarity encoding take? No n x n matrix is made.

``python benchmarks/similarity.py --words 40000 --targets 10000`` prints seconds and the peak memory
of the process (VmHWM), the responses included.
"""

from __future__ import annotations

import argparse
import resource
from time import perf_counter

import numpy as np

from brainlm.encoding.similarity import leave_one_out_scores


def main(arguments: list[str] | None = None) -> None:
    """Measure one problem of random numbers, float32."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=40_000)
    parser.add_argument("--targets", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=300)
    parser.add_argument("--quick", action="store_true", help="Sizes that test the harness only.")
    options = parser.parse_args(arguments)
    if options.quick:
        options.words, options.targets, options.features = 200, 10, 20
    rng = np.random.default_rng(0)
    X = rng.standard_normal((options.words, options.features), dtype=np.float32)
    Y = rng.standard_normal((options.words, options.targets), dtype=np.float32)
    start = perf_counter()
    scores = leave_one_out_scores(X, Y)
    seconds = perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
    matrix = 4 * options.words**2 / 2**30
    print(f"{options.words} words x {options.targets} targets x {options.features} features")
    print(
        f"{seconds:.0f} s, peak {peak:.2f} GiB (Y alone {Y.nbytes / 2**30:.2f} GiB; the matrix of"
    )
    print(f"words x words that is not made: {matrix:.2f} GiB); mean r of noise {scores.mean():.4f}")


if __name__ == "__main__":
    main()
