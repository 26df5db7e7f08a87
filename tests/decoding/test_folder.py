"""A participant's own folder, from the command line to the page."""

import html
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest_words import WORDS
from miniatures.stories import story_folder
from support.pictures import check_pictures

import brainlm.storage.long_recordings
from brainlm import LanguageModel, Stimulus
from brainlm.cli.analyses import load_analysis
from brainlm.decoding import CAUTION
from brainlm.decoding.controls import cautions
from brainlm.decoding.simulated_subjects import generate_stories
from brainlm.errors import DataMissingError, UnknownNameError
from brainlm.results.bundle import load_bundle
from brainlm.storage.store import PartStore


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    return story_folder(tmp_path_factory.mktemp("own") / "study", tiny, 2, WORDS)


def _decode(folder, tiny_folder, out, **options):
    options = {"model": str(tiny_folder), "layer": 2, "debug": True, **options}
    load_analysis("decode_story_folder").main(folder=folder, out=out, **options)


@pytest.mark.long
def test_a_folder_is_decoded_scored_and_shown(folder, tiny_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    _decode(folder, tiny_folder, tmp_path / "out", story="d")
    bundle = load_bundle(tmp_path / "out")
    scores = bundle.arrays["scores"]
    assert {"Tang: brain", "MapGuide: permuted brain", "language model", "ceiling"} <= set(
        scores["condition"].values
    )
    assert np.isfinite(scores["gain"].sel(metric="bleu-1")).all()
    assert len(str(scores["text"].sel(condition="ceiling").values).split()) == scores.sizes["word"]
    *first, caution, wrong = (note["text"] for note in bundle.record["notes"])
    assert first == cautions(scores)
    assert (caution, wrong) == (CAUTION, "wrong story: c")
    page = (tmp_path / "out" / "mapguide.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "null" in page
    assert html.escape(CAUTION, quote=False) in page
    assert "bleu-1 of these 20 s" in capsys.readouterr().out
    check_pictures(tmp_path / "out", bundle.record["figures"])
    assert "Tang: noise input 2" in scores["condition"].values
    assert not (tmp_path / ".out-parts").exists()  # the bundle has all of them


@pytest.mark.long
def test_a_folder_is_decoded_with_a_soft_prompt(folder, tiny_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    _decode(folder, tiny_folder, tmp_path / "out", story="d", scorers="soft-prompt", draws=1)
    scores = load_bundle(tmp_path / "out").arrays["scores"]
    conditions = scores["condition"].values.tolist()
    assert {"BrainLLM: brain", "BrainLLM: permuted brain", "ceiling"} <= set(conditions)
    assert not any(name.startswith(("Tang", "MapGuide")) for name in conditions)
    assert np.isfinite(scores["gain"].sel(metric="bleu-1", condition="BrainLLM: brain"))
    loss, null, share = (float(scores[f"prompt_{name}"]) for name in ("loss", "null", "share"))
    assert 0 < loss < 20
    assert 0 < null < 20
    assert 0 <= share <= 1
    assert f"soft prompt: {loss:.3f} nats per token of the story" in capsys.readouterr().out
    with pytest.raises(UnknownNameError, match="unknown scorer 'mixture'"):
        _decode(folder, tiny_folder, tmp_path / "other", scorers="mixture")


def _texts(out):
    scores = load_bundle(out).arrays["scores"]
    return dict(zip(scores["condition"].values, scores["text"].values, strict=True))


@pytest.mark.long
def test_processes_disk_and_a_kill_change_nothing(folder, tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    options = {"story": "d", "draws": 1}
    _decode(folder, tiny_folder, tmp_path / "serial", **options)
    _decode(folder, tiny_folder, tmp_path / "parallel", jobs=2, **options)
    serial = _texts(tmp_path / "serial")
    assert _texts(tmp_path / "parallel") == serial
    with monkeypatch.context() as patch:
        patch.setattr(
            brainlm.storage.long_recordings, "LARGEST_IN_MEMORY", 0
        )  # the recordings stay on disk
        _decode(folder, tiny_folder, tmp_path / "disk", **options)
    assert list((tmp_path / "cache").rglob("*series*"))
    # Responses are summed in another order on disk. The map of this small noisy study follows such
    # rounding on some processors, so that only what does not rest on it can be compared.
    first = [_texts(tmp_path / name)["language model"].split()[:10] for name in ("disk", "serial")]
    assert first[0] == first[1]
    work = tmp_path / ".killed-parts"
    command = [
        sys.executable,
        "-m",
        "brainlm.cli.app",
        "decode",
        str(folder),
        "--story",
        "d",
        "--model",
        str(tiny_folder),
        "--layer",
        "2",
        "--debug",
        "--draws",
        "1",
        "--out",
        str(tmp_path / "killed"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        for _ in range(6000):  # it takes a minute where the machine is busy
            if list(work.glob("*.part")) or run.poll() is not None:
                break
            time.sleep(0.05)
        run.kill()
    assert not (tmp_path / "killed" / "bundle.json").exists()
    kept = len(list(work.glob("*.part")))
    assert kept >= 1
    saved = []
    load = PartStore.load_json
    with monkeypatch.context() as patch:
        patch.setattr(
            PartStore, "load_json", lambda *given: saved.append(load(*given)) or saved[-1]
        )
        _decode(folder, tiny_folder, tmp_path / "killed", **options)
    assert _texts(tmp_path / "killed") == serial
    assert sum(each is not None for each in saved) == kept
    assert not work.exists()


def test_what_is_not_there_is_named(folder, tiny_folder, tmp_path):
    with pytest.raises(DataMissingError, match="data_train: no such folder"):
        _decode(tmp_path, tiny_folder, tmp_path / "out")
    with pytest.raises(UnknownNameError, match="unknown test story 'e'"):
        _decode(folder, tiny_folder, tmp_path / "out", story="e")
    with pytest.raises(UnknownNameError, match="unknown mapper"):
        _decode(folder, tiny_folder, tmp_path / "out", mapper="lasso")
    with pytest.raises(ValueError, match="interval"):
        _decode(folder, tiny_folder, tmp_path / "out", interval=-1.0)


def test_invented_stories_are_fluent_in_time_and_repeat_exactly():
    from brainlm.language_models.sources import is_cached

    if not is_cached("smollm2"):
        pytest.skip("needs the model smollm2: brainlm fetch smollm2")
    model = LanguageModel("smollm2")
    first, second = (generate_stories(model, 2, 12, seed=3) for _ in range(2))
    assert first.words.tolist() == second.words.tolist()
    assert first.runs == ["story 1", "story 2"]
    assert first.n_words == 24
    bits = model.surprisal(first, context="document").values.mean()
    shuffled = Stimulus(np.random.default_rng(0).permutation(first.words), "en")
    assert bits < model.surprisal(shuffled, context="document").values.mean()
