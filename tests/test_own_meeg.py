"""What docs/own-meeg.md says is run, on a folder of MEG in BIDS."""

import re
from pathlib import Path

import mne
import mne_bids
import numpy as np
import pytest
from typer.testing import CliRunner

from brainlm.cli.app import app
from brainlm.data.stimulus import Stimulus
from brainlm.features.baselines import word_length
from brainlm.results.bundle import load_bundle

PAGE = (Path(__file__).parent.parent / "docs" / "own-meeg.md").read_text("utf-8")
RATE, WORDS = 100.0, ("a", "house", "remarkable", "dog", "walked")


@pytest.fixture
def study(tmp_path, rng, monkeypatch):
    """Two runs; 400 ms after a word, one channel follows its length, the other nothing."""
    for run in ("1", "2"):
        words = rng.choice(WORDS, 150)
        onsets = 1 + 0.6 * np.arange(len(words))
        data = rng.normal(size=(2, round(95 * RATE))) * 2e-13
        lengths = word_length(Stimulus(words, "en")).values[:, 0]
        for onset, length in zip(onsets, lengths, strict=True):
            at = round((onset + 0.4) * RATE)
            data[1, at : at + 10] += 1e-13 * length
        info = mne.create_info(["MEG1", "MEG2"], RATE, "mag")
        info["line_freq"] = 50
        raw = mne.io.RawArray(data, info, verbose="error")
        path = mne_bids.BIDSPath(
            subject="01", task="story", run=run, datatype="meg", root=tmp_path / "my-study"
        )
        mne_bids.write_raw_bids(
            raw, path, format="FIF", allow_preload=True, overwrite=True, verbose="error"
        )
        rows = [f"{t:.2f}\t0.3\t{w}" for t, w in zip(onsets, words, strict=True)]
        path.copy().update(suffix="events", extension=".tsv").fpath.write_text(
            "\n".join(["onset\tduration\tword", *rows]) + "\n"
        )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "my-study"


@pytest.mark.filterwarnings("ignore")  # of mne-bids, about what the small folder lacks
def test_five_commands_lead_to_a_curve_over_time(study, capsys):
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert [language for language, _ in blocks] == ["", *["python"] * 4]
    looked = CliRunner().invoke(app, blocks[0][1].split()[1:], catch_exceptions=False).output
    assert re.search(r'pattern="(\S+)"', blocks[1][1])[1] in looked
    assert "onset, duration, word" in looked
    names = {}
    exec(compile("".join(code for _, code in blocks[1:]), "own-meeg.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "0 of 300 epochs rejected" in printed
    channels, times, curves = names["channels"], names["times"], names["curves"]
    at = curves[channels.index("MEG2")]
    assert times[at.argmax()] == pytest.approx(0.4)
    assert at.max() > 0.5
    assert np.abs(curves[channels.index("MEG1")]).max() < 0.3


ECOG = """
name = "my-ecog"
modality = "ieeg"
languages = ["en"]

[open]
reader = "meeg"

[open.options]
pattern = "sub-{subject}/ieeg/sub-{subject}_task-story_run-{run}_ieeg.fif"
sidecars = false
channels = "ecog"
language = "en"
power = [70, 120]

[open.options.events]
word = "word"

[open.options.epochs]
tmin = -0.2
tmax = 0.8
bin_width = 0.1
"""


@pytest.mark.filterwarnings("ignore")
def test_electrocorticography_is_found_and_scored_by_a_card(tmp_path, rng):
    """High gamma of one electrode follows the length of the word 300 ms later."""
    root, rate = tmp_path / "my-ecog", 250.0
    for run in ("1", "2"):
        words = rng.choice(WORDS, 160)
        onsets = 1 + 0.5 * np.arange(len(words))
        times = np.arange(round(83 * rate)) / rate
        amplitude = np.zeros_like(times)
        for onset, word in zip(onsets, words, strict=True):
            amplitude += len(word) * np.exp(-(((times - onset - 0.35) / 0.05) ** 2))
        data = rng.normal(size=(2, len(times))) * 1e-6
        data[1] += 1e-6 * amplitude * np.sin(2 * np.pi * 95 * times)
        info = mne.create_info(["G1", "G2"], rate, "ecog")
        base = root / "sub-01" / "ieeg" / f"sub-01_task-story_run-{run}"
        base.parent.mkdir(parents=True, exist_ok=True)
        mne.io.RawArray(data, info, verbose="error").save(f"{base}_ieeg.fif", verbose="error")
        rows = [f"{t:.2f}\t0.3\t{w}" for t, w in zip(onsets, words, strict=True)]
        Path(f"{base}_events.tsv").write_text("\n".join(["onset\tduration\tword", *rows]) + "\n")
    (root / "my-ecog.toml").write_text(ECOG)
    (root / "sub-01/ieeg/sub-01_task-story_run-1_ieeg.vhdr").touch()  # what BIDS has in its place
    looked = CliRunner().invoke(app, ["bids", str(root)], catch_exceptions=False).output
    assert "sub-{subject}/ieeg/sub-{subject}_task-story_run-{run}_ieeg.vhdr" in looked
    arguments = [
        "run",
        "encode_epochs",
        "--dataset",
        str(root / "my-ecog.toml"),
        "--model",
        "none",
        "--permutations",
        "19",
        "--out",
        str(tmp_path / "out"),
    ]
    found = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    scores = load_bundle(tmp_path / "out").arrays["scores"]
    mean = scores["score"].isel(analysis=0, space=0).mean("fold")
    assert str(scores["target"].values[int(mean.argmax())]) in ("G2@300ms", "G2@400ms")
    assert float(mean.max()) > 0.5
    assert (tmp_path / "out" / "time_course.png").is_file()
