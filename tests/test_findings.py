"""docs/findings.py says what stands in the bundles, and names those that are not there."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from brainlm.bundle import save_bundle
from brainlm.comparison.study import table_of

SCRIPT = Path(__file__).parent.parent / "docs" / "findings.py"


@pytest.fixture(scope="module")
def findings():
    spec = importlib.util.spec_from_file_location("findings", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_numbers_are_those_of_the_bundles(findings, tmp_path, capsys):
    gains = pd.DataFrame({
        "dataset": ["a", "a", "b"], "measure": ["FFD", "TRT", "N400"], "model": ["m"] * 3,
        "gain": [0.1234, 0.02, -0.01], "low": 0.0, "high": 0.2, "q": [0.01, 0.2, 0.01],
        "n_words": 100, "n_subjects": 12,
    })  # fmt: skip
    ranks = pd.DataFrame({
        "features": "embedding", "model": ["x", "y", "z"], "mean_rank": [1.25, 1.75, 3.0],
        "low": 1.0, "high": 3.0, "wins": [3, 1, 0], "n_datasets": 4, "p": 0.03,
        "critical_difference": 1.1,
    })  # fmt: skip
    none = pd.DataFrame({"dataset": [], "measure": []})
    notes = ["en: not tested, not on this machine: WordNet"]
    for name, arrays in (
        ("reading", {"gains": table_of(gains), "mixed": table_of(none)}),
        ("survey", {"ranks": table_of(ranks), "predictability": table_of(none)}),
    ):
        save_bundle(
            tmp_path / name, analysis=name, arrays=arrays, config={"debug": True}, inputs={},
            notes=notes,
        )  # fmt: skip
    findings.main(tmp_path)
    text = capsys.readouterr().out
    assert "adds log-likelihood in 1 of 3 measures" in text  # the third one is significantly worse
    assert "0.1234" in text
    assert "*no model wins everywhere* **holds here**; x has the best mean rank (1.25)" in text
    assert "1 others lie within the critical difference (1.10)" in text
    assert text.count("No bundle: this study was not run.") == 3
    assert text.count("A debug run") == 2
    assert text.count("WordNet") == 1
