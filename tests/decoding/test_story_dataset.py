"""A public data set of fMRI stories, decoded: SMN4Lang in its own layout, simulated responses."""

import numpy as np
import pytest
from miniatures.cards import copy_card
from miniatures.stories import smn4lang_fmri

import brainlm.storage.long_recordings
from brainlm import Recording, Stimulus
from brainlm.cli.analyses import load_analysis
from brainlm.decoding.stories import Story
from brainlm.errors import DataMissingError, UnknownNameError
from brainlm.results.bundle import load_bundle
from brainlm.workflow import decoding_steps
from brainlm.workflow.decoding_steps import reference_story


@pytest.fixture(scope="module")
def smn4lang(tiny, tmp_path_factory):
    """Six stories of two and a half minutes; responses follow the words as the clock says."""
    root = tmp_path_factory.mktemp("root")
    facts, options = smn4lang_fmri(root / "smn4lang-fmri", tiny, layer=2)
    return copy_card(
        "smn4lang-fmri", root / "smn4lang-fmri.toml", facts=facts, options=options
    ), root


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))


def decode(smn4lang, tiny_folder, out, **options):
    card, root = smn4lang
    options = {
        "model": str(tiny_folder),
        "layer": 2,
        "context": 2.0,
        "draws": 1,
        "debug": True,
        **options,
    }
    load_analysis("decode_story_dataset").main(dataset=str(card), root=root, out=out, **options)
    return load_bundle(out)


@pytest.mark.long
def test_a_chinese_data_set_is_decoded_beside_its_nulls(smn4lang, tiny_folder, tmp_path, capsys):
    bundle = decode(smn4lang, tiny_folder, tmp_path / "out")
    scores = bundle.arrays["scores"]
    assert {"Tang: brain", "MapGuide: permuted brain", "language model", "ceiling"} <= set(
        scores["condition"].values
    )
    assert {"bleu-1", "bleu-1, characters"} <= set(scores["metric"].values)
    assert np.isfinite(scores["gain"].sel(metric="bleu-1")).all()
    assert bundle.record["config"]["average"] == 3
    assert bundle.record["config"]["test"] == "6"
    assert bundle.record["config"]["train"] == ["2", "3", "4", "5"]
    notes = [note["text"] for note in bundle.record["notes"]]
    assert "wrong story: 1" in notes
    assert any("means of 3 volumes" in note for note in notes)
    # Words and volumes lie on one clock: a shift of one sample would halve the mapping.
    assert float(scores["mapping_r"]) > 0.3
    assert "bleu-1 of these 20 s" in capsys.readouterr().out
    assert (tmp_path / "out" / "mapguide.html").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.long
def test_recordings_larger_than_memory_give_the_same(smn4lang, tiny_folder, tmp_path, monkeypatch):
    options = {"voxels": 30}
    first = decode(smn4lang, tiny_folder, tmp_path / "memory", **options).arrays["scores"]
    monkeypatch.setattr(brainlm.storage.long_recordings, "LARGEST_IN_MEMORY", 0)
    second = decode(smn4lang, tiny_folder, tmp_path / "disk", **options).arrays["scores"]
    assert list((tmp_path / "cache").rglob("*series*"))
    assert float(second["mapping_r"]) == pytest.approx(float(first["mapping_r"]), abs=1e-4)
    assert second["text"].values.tolist() == first["text"].values.tolist()


def test_what_cannot_be_decoded_is_named(smn4lang, tiny_folder, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UnknownNameError, match="unknown run '7'"):
        decode(smn4lang, tiny_folder, out, test="7")
    with pytest.raises(UnknownNameError, match="unknown subject '02'"):
        decode(smn4lang, tiny_folder, out, subject="02")
    with pytest.raises(UnknownNameError, match="--model: none is the default for 'fr'"):
        load_analysis("decode_story_dataset").default_model("fr")
    few = [Story((), np.ones(0), np.ones(0), None, np.ones(3), str(k)) for k in range(3)]
    with pytest.raises(DataMissingError, match=r"'small' has too few runs \(3\): two are held out"):
        reference_story(few, "", "small", 0)


def test_what_is_not_fmri_of_stories_is_named(tmp_path, monkeypatch):
    analysis = load_analysis("decode_story_dataset")
    with pytest.raises(UnknownNameError, match="unknown data set 'smn4lang-fmrj'"):
        analysis.main(dataset="smn4lang-fmrj", out=tmp_path / "out")
    for name in ("binder-en", "evlab-parcels", "wordsim-zh-240"):  # before any file is looked for
        with pytest.raises(UnknownNameError, match=f"{name!r}: is not a time series of fMRI"):
            analysis.main(dataset=name, root=tmp_path, out=tmp_path / "out")
    words = Stimulus(["a", "b"], "en")
    items = Recording(np.ones((2, 1)), ["v"], "fmri", "a.u.", items=["a", "b"])
    monkeypatch.setattr(decoding_steps, "list_subjects", lambda *_: ["1"])
    monkeypatch.setattr(decoding_steps, "open_dataset", lambda *_: (words, items))
    with pytest.raises(UnknownNameError, match="'pereira2018': is not a time series of fMRI"):
        analysis.main(dataset="pereira2018", out=tmp_path / "out")
