"""The notebooks of examples/ run as they are, without a network."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from brainlm.language_models.sources import is_cached

EXAMPLES = Path(__file__).parents[1] / "examples"


ALONE = {  # those that need no model, and what they must print
    "banded_ridge": r"planted: only syntax +\{'syntax': 0\.[1-9].*'meaning': -?0\.0",
    "decoding_sentences": r"2v2 accuracy 0\.9\d+, null 0\.5\d+, p = 0\.0",
    "first_encoding": r"'1 samples': 0\.03.*'2 samples': 0\.18.*'3 samples': 0\.03",
    "meg_response": r"'Cz': 0\.4\d+, 'Oz': -?0\.0",
    "similarity_trap": "",
}


def test_every_notebook_is_run_here():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {*ALONE, "features_and_surprisal", "cluster_study"}


@pytest.mark.parametrize("name", ALONE)
def test_an_example_runs_without_a_warning_and_finds_what_was_planted(name, capsys):
    found = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    assert re.search(ALONE[name], capsys.readouterr().out)
    plt.close("all")
    if name == "similarity_trap":
        curves = found["curves"]
        assert curves["informative", False][-1] < 0 < 0.5 < min(curves["informative", True])
        assert curves["random", False][-1] < -0.9
        assert max(map(abs, curves["random", True])) < 0.1


def test_the_cluster_example():
    done = subprocess.run(
        [sys.executable, EXAMPLES / "cluster_study.py"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"scores_S1 .*'layer 1': -?0\.0.*'layer 2': 0\.7", done.stdout)


def test_features_and_surprisal(capsys):
    for name in ("smollm2", "gemma3"):
        if not is_cached(name):
            pytest.skip(f"{name} is not in the cache: run `brainlm fetch {name}`")
    found = runpy.run_path(str(EXAMPLES / "features_and_surprisal.py"))
    assert len(found["layers"]) == 31
    assert len(found["chinese_layers"]) == 19
    for stimulus, layers, bits in (
        (found["stimulus"], found["layers"], found["surprisal"]),
        (found["chinese"], found["chinese_layers"], found["chinese_surprisal"]),
    ):
        assert all(len(layer.values) == stimulus.n_words for layer in layers)
        assert np.isfinite(bits.values).all()
        assert 2 < bits.values.mean() < 15
    printed = capsys.readouterr().out
    assert "bread." in printed
    assert "面包" in printed
    assert "mean_similarity" in printed
