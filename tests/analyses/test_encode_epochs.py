"""The analysis of epochs: simulated EEG, and a MEG folder of one's own with a response in it."""

from dataclasses import replace

import matplotlib.pyplot as plt
import mne
import numpy as np
import pytest
from readers.recordings import RATE, make_raw, save_events

from brainlm.cli.app import load_analysis
from brainlm.datasets.folders import is_on_disk
from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.language_models.sources import is_cached
from brainlm.plotting import draw
from brainlm.results.bundle import load_bundle
from brainlm.workflow import open_subjects

pytestmark = pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")

CARD = """
name = "mine"
title = "A folder of my own"
modality = "meg"
languages = ["en"]
level = "discourse"
licence = "none"
noncommercial = false
folder = ["mine"]

[[references]]
text = "Nobody (2020)."
bibtex = "@misc{{nobody}}"
url = "https://example.org"

[source]
how = "manual"
pages = ["https://example.org"]
instructions = "It is here."

[open]
reader = "meeg"

[open.options]
pattern = "sub-{{subject}}/meg/sub-{{subject}}_task-story_meg.fif"
sidecars = false
channels = "mag"
language = "en"
events = {{ word = "word" }}
{epochs}

[facts]
n_subjects = 2
n_samples = [1, 100000]
n_targets = [6, 42]
n_words = {n_words}
n_runs = 1
unit = "T"
"""
EPOCHS = "epochs = { tmin = -0.2, tmax = 0.49, bin_width = 0.1 }"
WORDS = ("a", "cat", "house", "elephants", "understandable")


def own_folder(root, n_words=200, epochs=EPOCHS, subjects=("01", "02")):
    """Write MEG whose third sensor answers the length of a word 200 ms after its onset."""
    onsets = 1 + 0.8 * np.arange(n_words)
    places = np.array([(0.05 * x, 0.05 * y, 0.1) for x in (-1, 0, 1) for y in (-1, 1)])
    for seed, subject in enumerate(subjects):
        rng = np.random.default_rng(seed)
        words = rng.choice(WORDS, n_words)
        raw = make_raw([], seconds=onsets[-1] + 2, n_channels=6)
        data = rng.normal(size=(7, raw.n_times)) * 1e-12
        for word, onset in zip(words, onsets, strict=True):
            first = round((onset + 0.2) * RATE)
            data[2, first : first + 10] += 1e-13 * len(word)
        data[-1] = 0
        raw = mne.io.RawArray(data, raw.info, verbose="error")
        for channel, place in zip(raw.info["chs"], places, strict=False):
            channel["loc"][:3] = place
        folder = root / "mine" / f"sub-{subject}" / "meg"
        folder.mkdir(parents=True)
        raw.save(folder / f"sub-{subject}_task-story_meg.fif", verbose="error")
        rows = [f"{onset:.1f}\t0.3\t{w}" for onset, w in zip(onsets, words, strict=True)]
        save_events(folder / f"sub-{subject}_task-story_events.tsv", rows, "onset\tduration\tword")
    card = root / "mine.toml"
    card.write_text(CARD.format(epochs=epochs, n_words=n_words), encoding="utf-8")
    return card


def run(card, root, **options):
    main = load_analysis("encode_epochs").main
    main(dataset=str(card), root=root, out=root / "out", model="none", **options)
    return load_bundle(root / "out")


@pytest.mark.parametrize(("subjects", "unit"), [("all", "subject"), ("01", "fold")])
def test_a_response_in_a_folder_of_ones_own_is_found(tmp_path, capsys, subjects, unit):
    bundle = run(own_folder(tmp_path), tmp_path, subjects=subjects, permutations=99)
    scores = bundle.arrays["scores"].isel(analysis=0)
    assert scores.sizes[unit] == (2 if unit == "subject" else 5)
    p = scores["p"].sel(space="length + frequency")
    assert p["target"].values[p.values <= 0.05].tolist() == ["MEG 003@200ms"]
    assert float(p.sel(target="MEG 003@200ms")) == pytest.approx(0.01)
    assert (scores["p"].sel(space="empty baseline") > 0.05).all()
    found = scores.sel(target="MEG 003@200ms")
    assert (str(found["channel"].values), float(found["time"])) == ("MEG 003", 0.2)
    assert scores.sizes["target"] == 6 * 7
    assert "peak  0." in capsys.readouterr().out
    assert bundle.record["figures"] == ["time_course", "alphas", "topographies"]
    for name in bundle.record["figures"]:
        assert np.ptp(plt.imread(tmp_path / "out" / f"{name}.png")) > 0.5
    assert any(key.endswith(", 01") for key in bundle.record["inputs"]["data"])


def test_a_channel_that_one_subject_lacks_is_left_out_and_told(tmp_path, capsys):
    card = own_folder(tmp_path)
    path = tmp_path / "mine" / "sub-02" / "meg" / "sub-02_task-story_meg.fif"
    raw = mne.io.read_raw(path, preload=True, verbose="error").drop_channels("MEG 001")
    raw.save(path, overwrite=True, verbose="error")
    text = card.read_text().replace("n_targets = [6, 42]", "n_targets = [35, 42]")
    card.write_text(text)
    bundle = run(card, tmp_path, permutations=19)
    assert bundle.arrays["scores"].sizes["target"] == 35
    told = "left out 7 channel-times that not all have"
    assert {"kind": "excluded", "text": told} in bundle.record["notes"]
    assert told in capsys.readouterr().out


def test_a_time_series_is_refused_with_the_way_out(tmp_path):
    card = own_folder(tmp_path, epochs="", subjects=("01",))
    with pytest.raises(UnknownNameError, match=r"declare \[open.options.epochs\]"):
        run(card, tmp_path)


def test_too_few_words_are_told(tmp_path):
    card = own_folder(tmp_path, n_words=199, subjects=("01",))
    with pytest.raises(CorruptDataError, match=r"subject 01 has 199 words .* need 200"):
        run(card, tmp_path, subjects="01")
    with pytest.raises(CorruptDataError, match="no subject passes the checks: excluded 01"):
        run(card, tmp_path)


def test_subjects_of_the_same_words_are_permuted_alike(tmp_path):
    analysis, card = load_analysis("encode_epochs"), own_folder(tmp_path)
    opened = list(open_subjects(card, "all", tmp_path))
    first, again, other = (
        analysis.fit(
            opened[i][0],
            replace(opened[k][1], subject=who),
            analysis.language_spaces(opened[i][0], model="none", depth=0.5),
            5,
        ).null["ridge encoding"]
        for who, i, k in (("x", 0, 0), ("y", 0, 0), ("z", 1, 0))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first[-1], other[-1])  # other words


def test_a_bundle_without_positions_says_so(tmp_path):
    bundle = run(own_folder(tmp_path), tmp_path, debug=True)
    bundle.arrays["scores"] = bundle.arrays["scores"].drop_vars(["x", "y", "z"])
    with pytest.raises(ValueError, match="no positions"):
        draw(bundle, "topographies")


@pytest.mark.parametrize("model", [None, "smollm2"])
def test_simulated_epochs_are_found_where_they_were_planted(tmp_path, capsys, model):
    if not is_on_disk("littleprince-en-words"):
        pytest.skip("needs the data set littleprince-en-words")
    if model and not is_cached(model):
        pytest.skip(f"needs the model {model}: brainlm fetch {model}")
    main = load_analysis("encode_epochs").main
    main(model=model or "none", simulate=1.5, debug=True, permutations=19, out=tmp_path / "out")
    scores = load_bundle(tmp_path / "out").arrays["scores"].isel(analysis=0)
    planted = scores["planted"].values.astype(bool)
    assert planted.sum() == 12
    cause = scores.isel(space=0)
    assert (cause["p"].values[planted] <= 0.05).all()
    assert (cause["p"].values[~planted] <= 0.05).sum() <= 1
    assert "12 of 12 planted" in capsys.readouterr().out
