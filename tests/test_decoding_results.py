"""docs/decoding_results.py says what stands in the bundles, and names those that are not there."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import xarray

from brainlm.bundle import save_bundle

SCRIPT = Path(__file__).parent.parent / "docs" / "decoding_results.py"
CONDITIONS = ["Tang: brain", "Tang: noise input", "MapGuide: brain", "MapGuide: noise input"]


@pytest.fixture(scope="module")
def results():
    spec = importlib.util.spec_from_file_location("decoding_results", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_numbers_are_those_of_the_bundles(results, tmp_path, capsys):
    dims = ("snr", "condition", "metric")
    gain = np.array([[[0.1], [0.02], [0.15], [0.04]], [[0.01], [0.0], [-0.01], [0.02]]])
    scores = xarray.Dataset(
        {
            "score": (dims, gain + 0.2), "gain": (dims, gain), "z": (dims, 50 * gain),
            "share": (dims, gain * 0 + 0.25), "null_mean": (dims, gain * 0 + 0.2),
            "mapping_r": ("snr", [0.5, 0.0]),
        },
        coords={"snr": [2.0, 0.0], "condition": CONDITIONS, "metric": ["bleu-1"]},
    )  # fmt: skip
    table = xarray.Dataset(
        {
            "factor": ("row", ["width", "grid", "grid"]), "value": ("row", ["8", "", ""]),
            "snr": ("row", [1.0, 0.0, 2.0]), "minutes": ("row", [0.0] * 3),
            "mapper": ("row", ["ridge"] * 3), "mapping_r": ("row", [0.3, 0.1, 0.4]),
            "metric": ("row", ["bleu-1"] * 3), "gain": ("row", [0.0625, 0.01, 0.08]),
        }
    )  # fmt: skip
    for name, arrays in (
        ("decode_story_simulated", {"scores": scores}), ("decode_ablations", {"table": table}),
    ):  # fmt: skip
        save_bundle(
            tmp_path / name, analysis=name, arrays=arrays, config={"beam": 8, "debug": True},
            inputs={}, figures=[],
        )  # fmt: skip
    results.main(tmp_path)
    text = capsys.readouterr().out
    assert "| MapGuide: brain | 0.150 (25 %) |" in text
    assert "| mean of the random null (score) | 0.200 |" in text
    assert "SNR 2: MapGuide gains more than Tang in 1 of 1 scores (mean difference +0.050)" in text
    assert "SNR 0: MapGuide gains more than Tang in 0 of 1 scores" in text
    assert "MapGuide +0.110, Tang +0.080 on average" in text
    assert "random null 2.0" in text
    assert "0.062" in text or "0.063" in text
    assert "correlate with r = 1.00" in text
    assert text.count("A debug run") == 2
    assert text.count("No bundle: this analysis was not run") == 2
