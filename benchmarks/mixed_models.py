"""How fast mixed models are fitted, beside lme4 and statsmodels; one run, the same data.

    python benchmarks/mixed_models.py                  # 200,000 trials x 180 readers x 2,000 words
    python benchmarks/mixed_models.py --lme4 3         # lme4 on the slowest model, too (minutes)
    python benchmarks/mixed_models.py --trials 20000 --words 500

Simulated readers and words with correlated slopes. lme4 runs where ``Rscript`` finds it,
statsmodels on a part that it can fit. Prints a table and JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.mixed_models.formula import fit_formula
from brainlm.mixed_models.gains import held_out_gain

FORMULAS = (
    "y ~ x + w + (1 | reader) + (1 | word)",
    "y ~ x + w + (1 + x | reader) + (1 | word)",
    "y ~ x + w + (1 + x + w | reader) + (1 + w | word)",
)
LME4 = """
suppressMessages(library(lme4))
data <- read.csv("{path}")
start <- proc.time()[[3]]
model <- suppressWarnings(lmer({formula}, data))
cat(proc.time()[[3]] - start, format(as.numeric(logLik(model)), digits = 12))
"""


def simulate(n_trials: int, n_readers: int, n_words: int) -> pd.DataFrame:
    """Trials of words that every reader reads in part; x is the word's, w the trial's."""
    rng = np.random.default_rng(0)
    pair = rng.permutation(n_readers * n_words)[:n_trials]
    reader, word = np.divmod(pair, n_words)
    x, w = rng.standard_normal(n_words)[word], rng.standard_normal(n_trials)
    of_reader = rng.multivariate_normal([0, 0, 0], np.diag([0.3, 0.02, 0.01]) + 0.005, n_readers)
    of_word = rng.multivariate_normal([0, 0], [[0.1, 0.02], [0.02, 0.02]], n_words)
    y = 6 + 0.05 * x + rng.standard_normal(n_trials)
    y += (of_reader[reader] * np.stack([np.ones(n_trials), x, w], axis=1)).sum(axis=1)
    y += (of_word[word] * np.stack([np.ones(n_trials), w], axis=1)).sum(axis=1)
    return pd.DataFrame({"y": y, "x": x, "w": w, "reader": reader, "word": word})


def timed(run: Callable) -> tuple[float, object]:
    start = time.perf_counter()
    found = run()
    return time.perf_counter() - start, found


def by_lme4(formula: str, table: pd.DataFrame) -> tuple[float, float]:
    """Seconds of lmer alone, without reading the table, and its restricted log-likelihood."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trials.csv"
        table.to_csv(path, index=False)
        script = LME4.format(path=path, formula=formula)
        found = subprocess.run(
            ["Rscript", "-e", script], check=True, capture_output=True, text=True
        ).stdout
    seconds, likelihood = map(float, found.split())
    return seconds, likelihood


def by_statsmodels(table: pd.DataFrame) -> tuple[float, float]:
    """Crossed intercepts as variance components of one group."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    model = MixedLM.from_formula(
        "y ~ x + w",
        table.assign(one=1),
        groups="one",
        vc_formula={"reader": "0 + C(reader)", "word": "0 + C(word)"},
    )
    seconds, found = timed(model.fit)
    return seconds, float(found.llf)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=200_000)
    parser.add_argument("--readers", type=int, default=180)
    parser.add_argument("--words", type=int, default=2000)
    parser.add_argument(
        "--lme4", type=int, default=2, help="How many of the models lme4 fits, too."
    )
    parser.add_argument("--small-words", type=int, default=150, help="Words for statsmodels.")
    parser.add_argument("--quick", action="store_true", help="Sizes that test the harness only.")
    options = parser.parse_args(arguments)
    if options.quick:
        options.trials, options.readers, options.words = 1200, 20, 60
        options.lme4, options.small_words = 0, 15
    table = simulate(options.trials, options.readers, options.words)
    with_r = (
        shutil.which("Rscript")
        and not subprocess.run(["Rscript", "-e", "library(lme4)"], capture_output=True).returncode
    )
    rows = []
    for i, formula in enumerate(FORMULAS):
        seconds, fit = timed(lambda formula=formula: fit_formula(formula, table))
        rows.append({"model": formula, "brainlm": seconds, "log_likelihood": fit.log_likelihood})
        if with_r and i < options.lme4:
            theirs, likelihood = by_lme4(formula, table)
            rows[-1] |= {"other": theirs, "ratio": theirs / seconds, "theirs": likelihood}
        print(rows[-1], flush=True)
    small = simulate(20 * options.small_words, 20, options.small_words)
    seconds, fit = timed(lambda: fit_formula(FORMULAS[0], small))
    theirs, likelihood = by_statsmodels(small)
    rows.append(
        {
            "model": f"statsmodels, 20 readers x {options.small_words} words",
            "brainlm": seconds,
            "log_likelihood": fit.log_likelihood,
            "other": theirs,
            "ratio": theirs / seconds,
            "theirs": likelihood,
        }
    )
    seconds, _ = timed(
        lambda: held_out_gain(table, "y", ["w"], ["x"], groups="word", subject="reader")
    )
    rows.append({"model": "held_out_gain, 10 folds", "brainlm": seconds})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(pd.DataFrame(rows).round(3).to_string(index=False))
    print(json.dumps({"rows": rows, "peak_gib": peak, "trials": options.trials}))


if __name__ == "__main__":
    main()
