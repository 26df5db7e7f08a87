"""The analysis of epochs: simulated EEG, and a MEG folder of one's own with a response in it."""

from dataclasses import replace

import mne
import numpy as np
import pytest
from miniatures.epochs import meg_folder, pair_folder
from support.pictures import check_pictures
from support.tiny_models import byte_level_bpe, tiny_llama

from brainlm.cli.analyses import load_analysis
from brainlm.datasets.folders import is_on_disk
from brainlm.encoding.word_epochs import encode_epochs
from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.plotting import draw
from brainlm.results.bundle import load_bundle
from brainlm.workflow import open_subjects

pytestmark = pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")


def run(card, root, **options):
    main = load_analysis("encode_epochs").main
    main(dataset=str(card), root=root, out=root / "out", model="none", **options)
    return load_bundle(root / "out")


@pytest.mark.long
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
    assert bundle.record["figures"] == ["time_course", "alphas", "topographies"]
    check_pictures(tmp_path / "out", bundle.record["figures"])
    assert any(key.endswith(", 01") for key in bundle.record["inputs"]["data"])


@pytest.mark.usefixtures("undrawn")
def test_a_channel_that_one_subject_lacks_is_left_out_and_told(tmp_path, capsys):
    card = meg_folder(tmp_path)
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
    card = meg_folder(tmp_path, epochs="", subjects=("01",))
    with pytest.raises(UnknownNameError, match=r"declare \[open.options.epochs\]"):
        run(card, tmp_path)


def test_too_few_words_are_told(tmp_path):
    card = meg_folder(tmp_path, n_words=199, subjects=("01",))
    with pytest.raises(CorruptDataError, match=r"subject 01 has 199 words .* need 200"):
        run(card, tmp_path, subjects="01")
    with pytest.raises(CorruptDataError, match="no subject passes the checks: excluded 01"):
        run(card, tmp_path)


def test_subjects_of_the_same_words_are_permuted_alike(tmp_path):
    analysis, card = load_analysis("encode_epochs"), meg_folder(tmp_path)
    opened = list(open_subjects(card, "all", tmp_path))
    first, again, other = (
        encode_epochs(
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
    bundle = run(meg_folder(tmp_path), tmp_path, debug=True)
    bundle.arrays["scores"] = bundle.arrays["scores"].drop_vars(["x", "y", "z"])
    with pytest.raises(ValueError, match="no positions"):
        draw(bundle, "topographies")


def test_simulated_epochs_are_found_where_they_were_planted(tmp_path, capsys):
    if not is_on_disk("littleprince-en-words"):
        pytest.skip("needs the data set littleprince-en-words")
    main = load_analysis("encode_epochs").main
    main(model="none", simulate=1.5, debug=True, permutations=19, out=tmp_path / "out")
    scores = load_bundle(tmp_path / "out").arrays["scores"].isel(analysis=0)
    planted = scores["planted"].values.astype(bool)
    assert planted.sum() == 12
    cause = scores.isel(space=0)
    assert (cause["p"].values[planted] <= 0.05).all()
    assert (cause["p"].values[~planted] <= 0.05).sum() <= 1
    assert "12 of 12 planted" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::brainlm.features.baselines.UnknownWordsWarning")
@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
def test_association_of_pairs_is_found_beyond_the_model(tmp_path, capsys):
    model = str(tiny_llama(tmp_path, byte_level_bpe()))
    main, card = load_analysis("encode_epochs").main, str(pair_folder(tmp_path))
    main(dataset=card, root=tmp_path, out=tmp_path / "out", model=model, permutations=19)
    bundle = load_bundle(tmp_path / "out")
    added = bundle.arrays["added"]
    assert added["space"].values.tolist() == [
        "association",
        "similarity",
        "surprisal",
        "association beyond similarity",
        "association beyond surprisal",
        "similarity beyond association",
        "surprisal beyond association",
    ]
    p = added["p"].sel(target="Pz@20ms")
    for name in ("association", "association beyond similarity", "association beyond surprisal"):
        assert float(p.sel(space=name)) == 0.05
    assert float(added["score"].mean("fold").sel(space="association", target="Pz@20ms")) > 0.6
    assert (added["p"].sel(space="similarity beyond association") > 0.05).all()
    assert "association beyond similarity" in capsys.readouterr().out
    assert "added_effects" in bundle.record["figures"]
    check_pictures(tmp_path / "out", bundle.record["figures"])
