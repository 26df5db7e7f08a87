"""The harness of the benchmarks works and its correctness checks hold; no times.

`.ci/run` runs those that start processes of their own, test_devices.py that of the cards.
"""

import importlib.util
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def _module(name):
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run(name, *arguments, capsys):
    _module(name).main(["--quick", *arguments])
    return json.loads(capsys.readouterr().out.splitlines()[-1])["results"]


def test_tall_problems_are_solved_alike_in_both_ways(capsys):
    found = _run("tall", capsys=capsys)
    differences = {key: value for key, value in found.items() if "difference" in key}
    assert len(differences) == 4
    assert max(differences.values()) < 1e-6


def test_ridge_rows_are_measured(capsys):
    pytest.importorskip("himalaya")
    found = _run("ridge", "--rows", "many,few,layers,null,banded,curves", capsys=capsys)
    assert found["share within 0.001 of the best"] == 1
    assert found["banded: test R2 of brainlm"] == pytest.approx(
        found["banded: test R2 of himalaya"], abs=0.1
    )


def test_mixed_models_are_those_of_statsmodels(capsys):
    pytest.importorskip("statsmodels")
    _module("mixed_models").main(["--quick"])
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    (both,) = (row for row in rows if row["model"].startswith("statsmodels"))
    assert both["log_likelihood"] == pytest.approx(both["theirs"], abs=1e-2)


@pytest.mark.parametrize("name", ["similarity", "open", "calibration"])
@pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")
def test_a_harness_runs(capsys, name):
    _module(name).main(["--quick"])
    assert capsys.readouterr().out.strip()
