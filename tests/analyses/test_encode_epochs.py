"""The analysis of epochs: simulated EEG, and a MEG folder of one's own with a response in it."""

from functools import partial

import mne
import numpy as np
import pytest
from miniatures.epochs import meg_folder
from pictures import check_pictures

from brainlm.bundle import load_bundle
from brainlm.cli import load_analysis
from brainlm.datasets import is_on_disk
from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.language_models.sources import is_cached
from brainlm.plotting import draw

pytestmark = pytest.mark.filterwarnings("ignore::brainlm.encoders.AlphaEdgeWarning")


def run(card, root, **options):
    main = load_analysis("encode_epochs").main
    main(dataset=str(card), root=root, out=root / "out", controls_only=True, **options)
    return load_bundle(root / "out")


@pytest.mark.parametrize(("subjects", "unit"), [("all", "subject"), ("01", "fold")])
def test_a_response_in_a_folder_of_ones_own_is_found(tmp_path, capsys, subjects, unit):
    bundle = run(meg_folder(tmp_path), tmp_path, subjects=subjects, permutations=99)
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
    assert bundle.record["figures"] == ["time_course", "topographies", "alphas"]
    check_pictures(tmp_path / "out", bundle.record["figures"])
    assert len(bundle.record["inputs"]["data"]["01"]) >= 1


def test_a_channel_that_one_subject_lacks_is_left_out_and_told(tmp_path, capsys):
    card = meg_folder(tmp_path)
    path = tmp_path / "mine" / "sub-02" / "meg" / "sub-02_task-story_meg.fif"
    raw = mne.io.read_raw(path, preload=True, verbose="error").drop_channels("MEG 001")
    raw.save(path, overwrite=True, verbose="error")
    text = card.read_text().replace("n_targets = [6, 42]", "n_targets = [35, 42]")
    card.write_text(text)
    bundle = run(card, tmp_path, permutations=19)
    assert bundle.arrays["scores"].sizes["target"] == 35
    told = "left out 7 channel-times that not all subjects have"
    assert told in bundle.record["notes"]
    assert told in capsys.readouterr().out


def test_a_time_series_is_refused_with_the_way_out(tmp_path):
    card = meg_folder(tmp_path, epochs="", subjects=("01",))
    with pytest.raises(UnknownNameError, match=r"declare \[open.options.epochs\]"):
        run(card, tmp_path)


def test_too_few_words_are_told(tmp_path, monkeypatch):
    card = meg_folder(tmp_path, n_words=199, subjects=("01",))
    with pytest.raises(CorruptDataError, match=r"subject 01: 199 words .* 200 are needed"):
        run(card, tmp_path, subjects="01")
    with pytest.raises(CorruptDataError, match="no subject passes the checks: excluded 01"):
        run(card, tmp_path)
    analysis = load_analysis("encode_epochs")
    monkeypatch.setattr(analysis, "LEAST_WORDS", 500)
    monkeypatch.setattr(analysis, "LEAST_EPOCHS", 100)
    with pytest.raises(CorruptDataError, match="has 199 words with epochs; the null needs 500"):
        analysis.open_epochs(str(card), "01", tmp_path, None)


def test_subjects_of_the_same_words_are_permuted_alike(tmp_path):
    analysis, card = load_analysis("encode_epochs"), meg_folder(tmp_path)
    represent = partial(analysis.language_spaces, model="", depth=0.5)
    opened = [analysis.open_epochs(str(card), who, tmp_path, None) for who in ("01", "02")]
    first, again, other = (
        analysis.fit(who, opened[i][0], opened[k][1], represent, 5).null
        for who, i, k in (("x", 0, 0), ("y", 0, 0), ("z", 1, 0))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first[-1], other[-1])  # other words


def test_a_bundle_without_positions_says_so(tmp_path):
    bundle = run(meg_folder(tmp_path), tmp_path, debug=True)
    bundle.arrays["scores"] = bundle.arrays["scores"].drop_vars("position")
    with pytest.raises(ValueError, match="no positions"):
        draw(bundle, "topographies")


@pytest.mark.parametrize("model", [None, "smollm2"])
def test_simulated_epochs_are_found_where_they_were_planted(tmp_path, capsys, model):
    if not is_on_disk("littleprince-en-words"):
        pytest.skip("needs the data set littleprince-en-words")
    if model and not is_cached(model):
        pytest.skip(f"needs the model {model}: brainlm fetch {model}")
    options = {"controls_only": True} if model is None else {"model": model}
    main = load_analysis("encode_epochs").main
    main(simulate=True, debug=True, permutations=19, noise=1.5, out=tmp_path / "out", **options)
    scores = load_bundle(tmp_path / "out").arrays["scores"].isel(analysis=0)
    planted = scores["planted"].values.astype(bool)
    assert planted.sum() == 12
    cause = scores.isel(space=0)
    assert (cause["p"].values[planted] <= 0.05).all()
    assert (cause["p"].values[~planted] <= 0.05).sum() <= 1
    assert "12 of 12 planted" in capsys.readouterr().out
