"""docs/decoding_results.py says what stands in the bundles, and names those that are not there."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray

from brainlm.results.bundle import save_bundle

SCRIPT = Path(__file__).parent.parent / "docs" / "decoding_results.py"
CONDITIONS = [
    "Tang: brain",
    "Tang: noise input",
    "MapGuide: brain",
    "MapGuide: noise input",
    "ceiling",
]


@pytest.fixture(scope="module")
def results():
    spec = importlib.util.spec_from_file_location("decoding_results", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(SCRIPT.parent))  # as where it is run as a script
    spec.loader.exec_module(module)
    sys.path.remove(str(SCRIPT.parent))
    return module


def test_numbers_are_those_of_the_bundles(results, tmp_path, capsys):
    dims = ("snr", "condition", "metric")
    gain = np.array(
        [[[0.1], [0.02], [0.15], [0.04], [0.12]], [[0.01], [0.0], [-0.01], [0.02], [0.1]]]
    )
    scores = xarray.Dataset(
        {
            "score": (dims, gain + 0.2),
            "gain": (dims, gain),
            "gain_low": (dims, gain - 0.02),
            "gain_high": (dims, gain + 0.02),
            "null_mean": (dims, gain * 0 + 0.2),
            "n_draws": ("condition", [1, 3, 1, 3, 1]),
            "mapping_r": ("snr", [0.5, 0.0]),
            "mapping_2v2": ("snr", [1.0, 0.5]),
        },
        coords={"snr": [2.0, 0.0], "condition": CONDITIONS, "metric": ["bleu-1"]},
    )
    comparison = xarray.Dataset(
        {
            "difference": ("snr", [0.03, -0.02]),
            "low": ("snr", [0.01, -0.05]),
            "high": ("snr", [0.05, 0.01]),
            "difference_raw": ("snr", [0.05, 0.02]),
            "verdict": ("snr", ["MapGuide gains more", "undecided"]),
            "cell_difference": (("snr", "story", "subject"), np.zeros((2, 5, 3))),
        },
        coords={"snr": [2.0, 0.0]},
        attrs={"metric": "bleu-1", "first": "MapGuide", "second": "Tang"},
    )
    table = xarray.Dataset(
        {
            "factor": ("row", ["width", "grid", "grid"]),
            "value": ("row", ["8", "", ""]),
            "snr": ("row", [1.0, 0.0, 2.0]),
            "minutes": ("row", [0.0] * 3),
            "mapper": ("row", ["ridge"] * 3),
            "mapping_r": ("row", [0.3, 0.1, 0.4]),
            "metric": ("row", ["bleu-1"] * 3),
            "gain": ("row", [0.0625, 0.01, 0.08]),
        }
    )
    for name, arrays in (
        ("decode_story_simulated", {"scores": scores, "comparison": comparison}),
        ("decode_ablations", {"table": table}),
    ):
        save_bundle(
            tmp_path / name,
            analysis=name,
            arrays=arrays,
            config={"beam": 8, "debug": True},
            inputs={},
            figures=[],
        )
    results.main(tmp_path)
    text = capsys.readouterr().out
    summary = text.split("## How to read the numbers")[0]
    assert "Tang 0.100 [0.080, 0.120], MapGuide 0.150 [0.130, 0.170]" in summary
    assert "noise input: Tang 0.020 [0.000, 0.040]" in summary
    assert "SNR 2 +0.030 [0.010, 0.050], MapGuide gains more" in summary
    assert "ceiling 0.120" in summary
    assert "| MapGuide: brain | 0.150 [0.130, 0.170] |" in text
    assert "| MapGuide: noise input (3 draws) | 0.040 [0.020, 0.060] |" in text
    assert "| mean of the random null (score) | 0.200 |" in text
    assert "SNR 2: +0.030 [0.010, 0.050], **MapGuide gains more**" in text
    assert "SNR 0: -0.020 [-0.050, 0.010], **undecided**" in text
    assert "(5 stories x 3 subjects)" in text
    title = text.index("## Simulated subjects, from signal to none")
    caution = text.index("**Caution, SNR 2: MapGuide: brain")
    assert title < caution < text.index("Bundle `decode_story_simulated`")  # before all else
    assert "0.062" in text or "0.063" in text
    assert "r = 1.00" in text
    assert text.count("A debug run") == 2
    assert text.count("No bundle") == 1


def test_the_summary_of_the_page_is_that_of_its_tables(results, tmp_path):
    """Nothing in it was written by hand, and its figures are drawn."""
    page = SCRIPT.with_suffix(".md").read_text("utf-8")
    (tmp_path / "page.md").write_text(page, "utf-8")
    results.renew(tmp_path / "page.md", tmp_path / results.PICTURES.name)
    assert (tmp_path / "page.md").read_text("utf-8") == page
    drawn = {path.name for path in (tmp_path / results.PICTURES.name).iterdir()}
    assert drawn == {path.name for path in results.PICTURES.iterdir()}
    assert drawn == {name for name, _, _ in results.FIGURES}
