"""Run docs/own-data.md: tables, arrays, and your own card in the commands."""

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from brainlm.cli.app import app
from brainlm.datasets.folders import list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.language_models.sources import is_cached

PAGE = (Path(__file__).parent.parent / "docs" / "own-data.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
SENTENCES = ["The old dog ran into the small house", "A cat was watching it from the roof"]


def test_tables_and_arrays_become_stimuli_and_recordings():
    names = {}
    exec(
        compile("".join(c for kind, c in BLOCKS if kind == "python"), "own-data.md", "exec"), names
    )
    assert list(names["readers"]) == ["r1", "r2"]
    assert names["readers"]["r2"].items.tolist() == ["2", "3"]
    assert names["recording"].data.ravel().tolist() == names["gaze"]


@pytest.fixture
def card(tmp_path, rng):
    """Six readers whose gaze follows the length of the word."""
    (text,) = (code for kind, code in BLOCKS if kind == "toml")
    card = tmp_path / "study" / "my-reading.toml"
    card.parent.mkdir()
    card.write_text(text)
    # Seven sentences: fewer than the folds of `reading`.
    words = [(f"s{k // 3}", w) for k in range(20) for w in SENTENCES[k % 2].split()]
    rows = [f"{w},{s},{i}" for i, (s, w) in enumerate(words)]
    (card.parent / "words.csv").write_text("\n".join(["word,sentence,item", *rows]) + "\n")
    trials = [
        f"r{reader},{i},{150 + 20 * len(w) + 20 * rng.standard_normal():.1f}"
        for reader in range(6)
        for i, (_, w) in enumerate(words)
    ]
    (card.parent / "trials.csv").write_text("\n".join(["reader,item,gaze", *trials]) + "\n")
    return card


@pytest.mark.long
def test_a_card_of_your_own_opens_and_is_described(card):
    assert list_subjects(card) == [f"r{k}" for k in range(6)]
    stimulus, recording = open_dataset(card, "r3")
    assert recording.n_samples == stimulus.n_words == 160
    assert np.corrcoef(recording.data[:, 0], [len(w) for w in stimulus.words])[0, 1] > 0.8
    told = CliRunner().invoke(app, ["describe", str(card), "--subject", "r3"])
    assert told.exit_code == 0, told.output
    assert "160 words" in told.output


@pytest.mark.long
@pytest.mark.skipif(not is_cached("smollm2"), reason="smollm2 is not cached")
@pytest.mark.parametrize("extra", [[], ["--debug"]])
def test_reading_takes_a_card_of_your_own(card, tmp_path, extra):
    out = tmp_path / "out"
    arguments = [
        "run",
        "reading",
        "--datasets",
        str(card),
        "--models",
        "smollm2:en",
        "--out",
        str(out),
        *extra,
    ]
    found = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert "my-reading" in found.output
    assert (out / "reading_gains.png").is_file()
