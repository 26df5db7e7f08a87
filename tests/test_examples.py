"""The notebooks of examples/ run as they are, without a network."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from brainlm.language_models.sources import is_cached

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_every_notebook_is_run_here():
    assert [path.name for path in EXAMPLES.iterdir()] == ["features_and_surprisal.py"]


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
