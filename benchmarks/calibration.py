"""Are the tests calibrated? Simulated studies of noise and of planted effects, and real data.

Each simulated study runs a test of ``brainlm`` from the data to the p value. Where nothing is true,
the share of p <= .05 must not lie above its binomial interval (a share below it is a test that is
careful, and is printed as such); with a planted effect power must grow. On real data (``--real``)
random embeddings, equal for equal words, take the place of models: none is better than another.

``python benchmarks/calibration.py --studies 1000`` takes about half an hour on one core.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from time import perf_counter

import numpy as np
import pandas as pd
from scipy.stats import binom

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.layer_scores import control_design
from brainlm.comparison.layer_statistics import (
    compare_folds,
    context_gain,
    depth_difference,
    layer_profile,
)
from brainlm.comparison.opening import open_assembly
from brainlm.comparison.scoring import score_similarity
from brainlm.comparison.simulated_assemblies import autoregressive
from brainlm.comparison.space_scores import SpaceScores, fit_controls
from brainlm.data.features import Features
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.permuted_scores import permuted_scores, shared_orders
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks, Groups
from brainlm.mixed_models.gains import likelihood_gain
from brainlm.mixed_models.regression import MixedModelWarning, fit_mixed
from brainlm.stats.paired import block_means, paired_difference
from brainlm.stats.permutation import circular_shift, max_statistic_p, permutation_p, permute_groups

N_SAMPLES, N_FEATURES, RHO = 240, 5, 0.7
N_NULL = 99
EFFECTS = (0.0, 0.1, 0.2, 0.4)
ALPHA = 0.05
Test = Callable[[np.random.Generator, float], float]


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


def listeners(n_subjects: int, shared: float, *, by_folds: bool = False) -> Test:
    """Two models of one story: subjects share ``shared`` of their variance, none of it explained.

    The null is one circular shift for all subjects; or folds are the units.
    """

    def test(rng: np.random.Generator, effect: float) -> float:
        A, B = (autoregressive(N_SAMPLES, 20, rng, rho=RHO) for _ in range(2))
        signal = A @ rng.standard_normal((20, 1)) / np.sqrt(20)
        noise = autoregressive(N_SAMPLES, 1, rng, rho=RHO)
        Y = np.sqrt(shared) * noise + 3 * effect * signal
        Y = Y + np.sqrt(1 - shared) * autoregressive(N_SAMPLES, n_subjects, rng, rho=RHO)
        n_null = 0 if by_folds else N_NULL
        orders = [circular_shift(N_SAMPLES, rng, least=24) for _ in range(n_null)]
        a, b = (
            score_similarity(X, Y, ContiguousBlocks(6, gap=8), orders=orders, published=False)
            for X in (A, B)
        )
        null = None if by_folds else (a.null, b.null)
        return compare_folds(a.by_fold, b.by_fold, a.test_ratio, null=null).p

    return test


def ten_folds(rng: np.random.Generator, effect: float) -> float:
    """Two models of items that resemble nothing: ten folds."""
    n, A, B = 300, *rng.standard_normal((2, 300, 20))
    Y = effect * A @ rng.standard_normal((20, 5)) / 2 + rng.standard_normal((n, 5))
    a, b = (score_similarity(X, Y, ContiguousBlocks(10), published=False) for X in (A, B))
    return compare_folds(a.by_fold, b.by_fold, a.test_ratio).p


def grouped_items(rng: np.random.Generator, effect: float) -> float:
    """One model of sentences whose passages explain .6 of the variance: passages permuted."""
    groups = np.repeat(np.arange(60), 4)

    def alike(n: int) -> np.ndarray:
        own = rng.standard_normal((len(groups), n))
        return np.sqrt(0.6) * rng.standard_normal((60, n))[groups] + np.sqrt(0.4) * own

    X = alike(20)
    Y = effect * X @ rng.standard_normal((20, 5)) / 4 + alike(5)
    orders = [permute_groups(groups, rng) for _ in range(N_NULL)]
    return score_similarity(X, Y, Groups(groups.astype(str), 6), orders=orders, published=False).p


def depth_contrast(rng: np.random.Generator, effect: float) -> float:
    """Depth of two data sets with r .5 and .1, other noise and one relative curve."""
    depths, found = np.linspace(0.1, 1, 10), []
    for level, noise, folds, tilt in ((0.5, 0.1, 10, 2 * effect), (0.1, 0.02, 6, 0.0)):
        curve = level * (1 + 0.2 * depths + tilt * (depths - 0.55))
        shared = noise * rng.standard_normal((folds, 1))  # layers of one network are alike
        slope = noise * rng.standard_normal((folds, 1)) * (depths - 0.55)
        rest = 0.3 * noise * rng.standard_normal((folds, 10))
        found.append(layer_profile(curve + shared + slope + rest, depths, 1e-9))
    return depth_difference(*found)[1]


def readers(rng: np.random.Generator, effect: float) -> float:
    """Surprisal in a mixed model of 12 readers and 20 words; readers differ in its effect."""
    subject, item = np.divmod(np.arange(12 * 20), 20)
    surprisal, difficulty = rng.standard_normal((2, 20))
    level, slope = rng.standard_normal((2, 12)) * [[0.5], [0.25]]
    y = level[subject] + (effect + slope[subject]) * surprisal[item] + 0.2 * difficulty[item]
    table = pd.DataFrame(
        {
            "y": y + rng.standard_normal(len(y)),
            "surprisal": surprisal[item],
            "subject": subject.astype(str),
            "item": item.astype(str),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixedModelWarning)  # a variance of zero is rightly found
        try:
            fits = [
                fit_mixed(table, "y", fixed, subject="subject", item="item", slopes=["surprisal"])
                for fixed in ([], ["surprisal"])
            ]
        except ValueError as error:
            if "no clear maximum" not in str(error):
                raise
            return np.nan  # a user would get the error: no study, and counted as such
    return likelihood_gain(*fits).p


def epochs(shared: float) -> Test:
    """Epochs of six subjects who heard the same words, two channels at two times; group p."""

    def test(rng: np.random.Generator, effect: float) -> float:
        words, split = np.arange(N_SAMPLES).astype(str), ContiguousBlocks(4, gap=8)
        X = autoregressive(N_SAMPLES, N_FEATURES, rng, rho=RHO)
        signal = effect * X @ rng.standard_normal((N_FEATURES, 4)) / np.sqrt(N_FEATURES)
        noise = np.sqrt(shared) * autoregressive(N_SAMPLES, 4, rng, rho=RHO)
        orders = shared_orders(
            words,
            np.zeros(N_SAMPLES),
            np.arange(N_SAMPLES),
            block=20,
            n_permutations=N_NULL,
            seed=int(rng.integers(2**31)),
        )
        own = [np.sqrt(1 - shared) * autoregressive(N_SAMPLES, 4, rng, rho=RHO) for _ in range(6)]
        Y = np.hstack(
            [signal + noise + each for each in own]
        )  # one penalty: targets do not interact
        scores = cross_validate(RidgeEncoder([100.0], warn_edge=False), X, Y, split)
        null = permuted_scores(X, Y, split, scores, orders=orders)
        mean = scores.mean.reshape(6, 4).mean(axis=0)
        return float(max_statistic_p(mean, null.reshape(N_NULL, 6, 4).mean(axis=1)).min())

    return test


TESTS: dict[str, Test] = {
    "similarity encoding, circular shift": similarity_shift,
    "ridge encoding, block permutation": ridge_blocks,
    "two models over subjects, sign flip": paired_subjects,
    "two models over blocks, sign flip": paired_blocks,
    "two models of items, ten folds": ten_folds,
    "passages of sentences, passages permuted": grouped_items,
    "depth of two data sets, relative curves": depth_contrast,
    "mixed model, 12 readers, slopes vary": readers,
    **{
        f"epochs of 6 subjects, ISC {shared}, all targets": epochs(shared)
        for shared in (0.0, 0.3, 0.5)
    },
    **{
        f"two models, {n} listeners, ISC {shared}{', folds' if by_folds else ''}": listeners(
            n, shared, by_folds=by_folds
        )
        for by_folds in (False, True)
        for n in (6, 12, 27)
        for shared in (0.0, 0.1, 0.3, 0.5)
    },
}

REAL = ("alice-fmri", "provo", "ucl-gaze", "geco", "zuco1-nr", "pereira2018")
N_POOL, N_LAYERS, N_DRAWS = 240, 8, 20


def random_embeddings(on: Assembly, first: int, n: int) -> list[SpaceScores]:
    """Scores of random vectors, one per word type, beside the controls of the data set."""
    types, index = np.unique(on.stimulus.words.astype(str), return_inverse=True)
    orders = on.shuffled(99) if on.timed else ()
    controls = fit_controls(control_design(on, on.stimulus), on.recording.data, on.split)
    found = []
    for seed in range(first, first + n):
        values = np.random.default_rng(seed).standard_normal((len(types), 64)).astype(np.float32)
        X = on.design(Features("random", values[index], on.stimulus))
        found.append(
            score_similarity(
                X, on.recording.data, on.split, orders=orders, controls=controls, published=False
            )
        )
    return found


def real_shares(name: str, studies: int, seed: int) -> tuple[dict[str, float], list]:
    """Share of significant claims about random embeddings, and depth profiles of some.

    Each study draws from a pool: a "model" of eight embeddings, another embedding, and 20
    further models and embeddings by which they are judged.
    """
    on = open_assembly(name, max_items=1500).scorable()
    pool = random_embeddings(on, 0, N_POOL)
    ratio, depths = pool[0].test_ratio, np.linspace(1 / N_LAYERS, 1, N_LAYERS)
    folds = np.array([s.by_fold for s in pool])
    null = np.array([s.null for s in pool]) if on.timed else None
    beyond = np.array([s.beyond.mean(axis=1) for s in pool])
    rng, hits, profiles = np.random.default_rng(seed), [], []
    for _ in range(studies):
        order = rng.permutation(N_POOL)
        layers, other, rest = order[:N_LAYERS], order[N_LAYERS], order[N_LAYERS + 1 :]
        models = rest[: N_DRAWS * N_LAYERS].reshape(N_DRAWS, N_LAYERS)
        singles = folds[rest[-N_DRAWS:]].mean(axis=1)
        first, shift = layers[0], [None, None]
        if null is not None:
            shift = [(null[layers].T, null[other]), (null[first], null[other])]
        random = folds[models].transpose(0, 2, 1)
        gain = context_gain(
            folds[layers].T, folds[other], ratio, null=shift[0], random=(random, singles)
        )
        pair = compare_folds(
            folds[first],
            folds[other],
            ratio,
            null=shift[1],
            random=(folds[models[:, 0]].mean(axis=1), singles),
        )
        profile = layer_profile(folds[layers].T, depths, ratio, random=folds[models].mean(axis=2))
        added = compare_folds(
            beyond[first],
            0 * beyond[first],
            ratio,
            random=(beyond[models[:, 0]].mean(axis=1), np.zeros(N_DRAWS)),
        )
        hits.append([pair.p, gain.p, profile.p, added.p])
        profiles.append(profile)
    names = ("pairs", "context gain", "depth slope", "beyond controls")
    shares = (np.array(hits) <= ALPHA).mean(axis=0)
    return dict(zip(names, map(float, shares), strict=True)), profiles


def real(studies: int, seed: int) -> None:
    """Print the shares on every data set that is on this machine, and of depth contrasts."""
    print(f"\nrandom embeddings on real data, {studies} draws of {N_LAYERS} layers: p <= .05")
    every = {}
    for name in REAL:
        shares, every[name] = real_shares(name, studies, seed)
        print(f"{name:14s}" + "".join(f"  {k} {v:.3f}" for k, v in shares.items()), flush=True)
    first, *others = every
    for other in others:
        p = [depth_difference(a, b)[1] for a, b in zip(every[first], every[other], strict=True)]
        known = np.isfinite(p)
        share = float(np.mean(np.array(p)[known] <= ALPHA)) if known.any() else np.nan
        print(f"depth, {first} against {other}: {share:.3f} of {known.sum()} with a clear score")


def rejection_rate(test: Test, effect: float, studies: int, seed: int) -> float:
    """Share of simulated studies with p <= .05, among those that have a p value."""
    rng = np.random.default_rng(seed)
    p = np.array([test(rng, effect) for _ in range(studies)])
    if np.isnan(p).any():
        print(f"  {np.isnan(p).sum()} of {studies} studies have no p value", flush=True)
    return float((p[~np.isnan(p)] <= ALPHA).mean())


def binomial_interval(studies: int) -> tuple[float, float]:
    """Where 99 % of the rejection rates of an exact test lie."""
    low, high = binom.interval(0.99, studies, ALPHA)
    return low / studies, high / studies


def main(arguments: list[str] | None = None) -> None:
    """Print the table of all tests and effects."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies per cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--noise-only", action="store_true", help="leave the power out")
    parser.add_argument("--only", default="", help="tests whose name holds this text")
    parser.add_argument("--real", action="store_true", help="random embeddings on real data")
    parser.add_argument("--quick", action="store_true", help="Sizes that test the harness only.")
    options = parser.parse_args(arguments)
    if options.quick:
        options.studies, options.noise_only = 1, True
    if options.real:
        return real(options.studies, options.seed)
    effects = EFFECTS[:1] if options.noise_only else EFFECTS
    low, high = binomial_interval(options.studies)
    print(f"{options.studies} studies per cell; on noise {low:.3f} to {high:.3f} is exact (99 %)")
    print(f"{'share of p <= .05 at effect':44s}" + "".join(f"{e:8.1f}" for e in effects))
    for name, test in TESTS.items():
        if options.only not in name:
            continue
        start = perf_counter()
        rates = [rejection_rate(test, e, options.studies, options.seed) for e in effects]
        fine = "careful" if rates[0] < low else "calibrated" if rates[0] <= high else "LIBERAL"
        cells = "".join(f"{rate:8.3f}" for rate in rates)
        print(f"{name:44s}{cells}  {fine}, {perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
