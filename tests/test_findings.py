"""docs/findings.py says what stands in the bundles, and names those that are not there."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray

from brainlm.comparison.layer_scores import table_of
from brainlm.results.bundle import load_bundle, save_bundle

SCRIPT = Path(__file__).parent.parent / "docs" / "findings.py"


@pytest.fixture(scope="module")
def findings():
    spec = importlib.util.spec_from_file_location("findings", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(SCRIPT.parent))  # as where it is run as a script
    spec.loader.exec_module(module)
    sys.path.remove(str(SCRIPT.parent))
    return module


def test_numbers_are_those_of_the_bundles(findings, tmp_path, capsys):
    gains = pd.DataFrame(
        {
            "dataset": ["a", "a", "b"],
            "measure": ["FFD", "TRT", "N400"],
            "model": ["m"] * 3,
            "effect": "surprisal",
            "gain": [0.1234, 0.02, -0.01],
            "low": 0.0,
            "high": 0.2,
            "q": [0.01, 0.2, 0.01],
            "n_words": 100,
            "n_subjects": 12,
        }
    )
    ranks = pd.DataFrame(
        {
            "features": "embedding",
            "model": ["x", "y", "z"],
            "mean_rank": [1.25, 1.75, 3.0],
            "low": 1.0,
            "high": 3.0,
            "wins": [3, 1, 0],
            "n_datasets": 4,
            "n_materials": 3,
            "p": 0.03,
            "critical_difference": 1.1,
            "lost": [1, 2, 3],
            "won": 0,
            "tested": 1,
        }
    )
    none = pd.DataFrame({"dataset": [], "measure": []})
    notes = ["en: not tested, not on this machine: WordNet"]
    for name, arrays in (
        ("reading", {"gains": table_of(gains), "mixed": table_of(none)}),
        ("survey", {"ranks": table_of(ranks), "predictability": table_of(none)}),
    ):
        save_bundle(
            tmp_path / name,
            analysis=name,
            arrays=arrays,
            config={"debug": True},
            inputs={},
            notes=notes,
        )
    findings.main(tmp_path)
    text = capsys.readouterr().out
    summary, tables = text.split("## How to read the numbers")
    assert "held-out sentences in 1 of 3 pairs of measure and model (most: 0.1234 [" in summary
    assert "x has the best mean rank (1.25 [1.00, 3.00])" in summary
    assert "in 1 of 3 measures" in tables  # the third one is significantly worse
    assert "0.1234" in text
    assert re.search(r"\*\*holds here\*\*.* x .*\(1\.25\).* on 1 of 4 data sets", text)
    assert text.count("No bundle") == 8
    assert text.count("A debug run") == 2
    assert text.count("WordNet") == 1


@pytest.mark.parametrize(
    ("lost", "won", "tested", "expected"),
    [
        (0, 2, 1, "undecided"),
        (0, 4, 1, "does not hold"),
        (1, 3, 1, "holds"),
        (1, 0, 0, "undecided"),
    ],
)
def test_the_verdict_on_one_model_everywhere_needs_a_significant_loss(
    findings, tmp_path, lost, won, tested, expected
):
    ranks = pd.DataFrame(
        {
            "features": "embedding, en",
            "model": ["x", "y", "z"],
            "mean_rank": [1.2, 2.0, 2.8],
            "low": 1.0,
            "high": 3.0,
            "wins": [3, 1, 0],
            "n_datasets": 4,
            "n_materials": 4,
            "p": 0.5,
            "critical_difference": 1.1,
            "lost": lost,
            "won": won,
            "tested": tested,
        }
    )
    none = pd.DataFrame({"dataset": []})
    save_bundle(
        tmp_path / "b",
        analysis="survey",
        config={"debug": False},
        inputs={},
        arrays={"ranks": table_of(ranks), "predictability": table_of(none)},
    )
    assert f"**{expected} here**" in findings.survey(load_bundle(tmp_path / "b"))


def test_each_plausible_space_is_judged_by_corrected_tests(findings, tmp_path):
    spaces = ["lm", "static", "embodied", "wordnet"]
    table = pd.DataFrame(
        {
            "dataset": "a",
            "space": [*spaces, "permuted embodied", "permuted wordnet"],
            "family": ["causal", "static", "embodied", "taxonomic", "random", "random"],
            "score": [0.5, 0.4, 0.3, 0.2, 0.1, 0.25],
            "beyond_controls": 0.015,
        }
    )
    shares = pd.DataFrame({"dataset": "a", "space": spaces, "share": [0.5, 0.2, 0.2, 0.1]})
    pairs = pd.DataFrame(
        [
            ("full", "lm", "embodied", 0.2, 0.01),
            ("full", "static", "embodied", 0.1, 0.2),
            ("full", "lm", "wordnet", 0.3, 0.01),
            ("full", "embodied", "wordnet", -0.1, 0.01),
            ("PCA-matched", "lm", "embodied", -0.1, 0.01),
        ],
        columns=["version", "first", "second", "difference", "q"],
    )
    partition = pd.DataFrame(
        {
            "dataset": ["a"],
            "space": ["lm"],
            "alone": 0.2,
            "unique": 0.1,
            "joint": 0.3,
            "n_targets": 5,
            "note": "",
        }
    )
    tables = {"table": table, "winners": shares, "pairs": pairs, "partition": partition}
    save_bundle(
        tmp_path / "b",
        analysis="navigating",
        config={"debug": False},
        inputs={},
        arrays={name: table_of(each) for name, each in tables.items()},
    )
    text = findings.navigating(load_bundle(tmp_path / "b"))
    assert "embodied space is best*, full dimensions: **does not hold here**. Of 2 compar" in text
    assert "0 favour it and 1 the other" in text
    assert "embodied space is best*, PCA-matched dimensions: **holds here**. Of 1 comp" in text
    assert "wordnet space is best*, full dimensions: **does not hold here**. Of 1 comp" in text
    assert "0.015" in text


def test_regions_count_what_was_found_elsewhere(findings, tmp_path):
    table = pd.DataFrame(
        {
            "region": ["temporal", "motor"],
            "planted": ["lm", "embodied"],
            "n_voxels": 10,
            "r": 0.2,
            "found": 0.5,
            "won_by_planted": 1.0,
            "searchlight": 0.8,
            "n_outside": 100,
            "found_outside": [1, 2],
            "searchlight_away": 0.5,
        }
    )
    save_bundle(
        tmp_path / "b",
        analysis="simulate_regions",
        config={"debug": False},
        inputs={},
        arrays={"table": table_of(table)},
    )
    assert "3 of 200 voxels" in findings.regions(load_bundle(tmp_path / "b"))


def test_text_from_people_is_judged_beside_what_had_no_brain(findings, tmp_path):
    gain = np.array([[0.1, 0.2], [0.05, 0.3], [0.0, 0.1], [0.02, 0.1], [0.4, 0.15]])
    dims, controlled = ("condition", "metric"), ("brain", "control", "metric")
    over = np.array([[[0.05, -0.1], [0.09, 0.1]]])
    scores = xarray.Dataset(
        {
            "gain": (dims, gain),
            "score": (dims, gain + 0.1),
            "mapping_r": 0.125,
            "mapping_2v2": 0.75,
            "over": (controlled, over),
            "over_low": (controlled, over - 0.02),
            "over_high": (controlled, over + 0.02),
            "over_p": (controlled, 0 * over + 0.004),
        },
        coords={
            "condition": ["brain", "permuted brain", "noise input", "noise input 2", "ceiling"],
            "metric": ["bleu-1", "bertscore"],
            "brain": ["brain"],
            "control": ["permuted brain", "noise input"],
        },
        attrs={"units": "48 topics"},
    )
    save_bundle(
        tmp_path / "x",
        analysis="decode_pereira2018_text",
        arrays={"scores": scores},
        config={"debug": False},
        inputs={},
    )
    text = findings.decoded(load_bundle(tmp_path / "x"), "Sentences")
    assert "r 0.125, 2v2 0.750" in text
    assert "| noise input (mean of 2 draws) | 0.010 | 0.100 |" in text
    assert (
        "| brain - noise input | 0.090 [0.070, 0.110] (0.004) | 0.100 [0.080, 0.120] (0.004)"
        in text
    )
    assert "over 48 topics" in text
    first = [line for line in text.split("\n") if line][1:3]  # before anything else is said
    assert first[0].startswith(
        "**Caution: brain scores above the ceiling, no upper bound, in bertsc"
    )
    assert first[1].startswith("**Caution: brain scores below its own permuted responses in bertsc")


def test_languages_and_word_pairs_have_their_numbers(findings, tmp_path, capsys):
    row = {
        "dataset": "evlab-passages-zh",
        "language": "zh",
        "model": "m",
        "score": 0.2,
        "controls": 0.1,
        "random": 0.05,
        "ceiling": 0.4,
        "beyond": 0.123,
        "beyond_low": 0.1,
        "beyond_high": 0.15,
        "beyond_q": 0.01,
        "n_subjects": 3,
    }
    means = {"model": "m", "what": "beyond", "gain": 0.1, "low": 0.05, "high": 0.15, "p": 0.03}
    means = [{**means, "n_languages": n, "n_positive": n} for n in (6, 2)]
    arrays = {
        "table": table_of(pd.DataFrame([row])),
        "over_languages": table_of(pd.DataFrame(means)),
    }
    given = {"config": {"debug": False}, "inputs": {}}
    save_bundle(tmp_path / "encode_languages", analysis="encode_languages", arrays=arrays, **given)
    added = xarray.Dataset(
        {
            "score": (("space", "fold", "target"), np.full((1, 5, 2), 0.25)),
            "p": (("space", "target"), [[0.01, 0.5]]),
        },
        coords={"space": ["FAS"], "target": ["Pz@380ms", "Fz@20ms"]},
        attrs={"n_permutations": 99},
    )
    save_bundle(
        tmp_path / "encode_epochs", analysis="encode_epochs", arrays={"added": added}, **given
    )
    findings.main(tmp_path)
    page = capsys.readouterr().out
    assert "m, beyond: 0.100 [0.050, 0.150] over 6 languages (sign flips p 0.030)" in page
    assert "m, beyond: 0.100; too few languages for an interval (2)." in page
    assert "| zh | evlab-passages-zh | m | 0.200 | 0.100 | 0.050 | 0.400 | 0.123 [" in page
    assert "0.250 at Pz@380ms (p = 0.010); above chance: 1 targets" in page


def test_the_summary_of_the_page_is_that_of_its_tables(findings, tmp_path):
    """Nothing in it was written by hand, and its figures are drawn."""
    page = SCRIPT.with_suffix(".md").read_text("utf-8")
    (tmp_path / "findings.md").write_text(page, "utf-8")
    findings.renew(tmp_path / "findings.md", tmp_path / findings.PICTURES.name)
    assert (tmp_path / "findings.md").read_text("utf-8") == page
    drawn = {path.name for path in (tmp_path / findings.PICTURES.name).iterdir()}
    assert drawn == {path.name for path in findings.PICTURES.iterdir()}
    assert drawn == {name for name, _, _ in findings.FIGURES}


def test_cells_with_intervals_are_read_and_others_are_not(findings):
    from page_summary import measured, said, tables_of

    text = "| a | b |\n|---|---|\n| x | -0.10 [-0.200, 0.050] |\n| y | - |\n\n| c |\n|---|\n| 1 |\n"
    first, second = tables_of(text)
    assert second["c"].tolist() == ["1"]
    found = measured(first, "b")
    assert said(found.iloc[0]) == "-0.100 [-0.200, 0.050]"
    assert found["gain"].isna().tolist() == [False, True]
