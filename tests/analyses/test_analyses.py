"""Every analysis from end to end in --debug, on the real data where this machine has them."""

import itertools

import numpy as np
import pytest
from support.pictures import check_pictures

from brainlm.cli.analyses import load_analysis
from brainlm.comparison.concepts import compare_languages
from brainlm.data.notes import kind_of
from brainlm.data.preprocessing import high_pass
from brainlm.datasets.folders import is_on_disk
from brainlm.decoding.stories import cut_blocks
from brainlm.encoding.encode import KINDS
from brainlm.errors import DataMissingError, UnknownNameError
from brainlm.language_models.sources import is_cached
from brainlm.results.bundle import load_bundle
from brainlm.workflow import open_group

pytestmark = pytest.mark.filterwarnings(
    "ignore::brainlm.encoding.ridge.AlphaEdgeWarning",
    "ignore::brainlm.encoding.align.AlignmentWarning",
)


def _need(datasets, models):
    for name in datasets:
        if not is_on_disk(name):
            pytest.skip(f"needs the data set {name}: brainlm datasets {name} says where it is")
    for name in models:
        if not is_cached(name):
            pytest.skip(f"needs the model {name}: brainlm fetch {name}")


def _run(name, folder, *, drawn=False, **options):
    load_analysis(name).main(out=folder, debug=True, **options)
    bundle = load_bundle(folder)
    if drawn:
        check_pictures(folder, bundle.record["figures"])
    assert bundle.record["config"]["debug"] is True
    return bundle


@pytest.mark.long
@pytest.mark.usefixtures("undrawn")
def test_encode_human_ratings(tmp_path, capsys):
    _need(["human-ratings"], ["minilm", "glove-6b-50d"])
    bundle = _run("encode_human_ratings", tmp_path / "out", layers="0,-1")
    score = bundle.arrays["scores"]["score"].mean(("target", "fold"))
    ridge = score.sel(analysis="ridge encoding")
    assert float(ridge.sel(space="GloVe")) > 0.3
    assert float(ridge.sel(space="layer 6")) > float(ridge.sel(space="random (layer 6)")) + 0.1
    assert abs(float(score.sel(analysis="similarity encoding", space="random (layer 6)"))) < 0.15
    printed = capsys.readouterr().out
    assert "layer 6" in printed
    assert "left out" in printed
    revision = bundle.record["inputs"]["features"]["layer 6"]["revision"]
    assert len(revision) == 64
    (files,) = bundle.record["inputs"]["data"].values()
    assert all(len(sha) == 64 for sha in files.values())


@pytest.mark.long
def test_encode_alice_fmri(tmp_path, capsys):
    _need(["alice-fmri"], ["smollm2"])
    bundle = _run("encode_alice_fmri", tmp_path / "out", drawn=True)
    scores = bundle.arrays["scores"]
    assert scores.sizes["subject"] == 2
    assert set(scores["kind"].values) == set(KINDS)
    verdict = bundle.arrays["verdict"]
    assert verdict["reference"].values.tolist() == [
        "controls",
        "word rate + position",
        "its untrained twin",
        "random vectors with its geometry",
    ]
    assert verdict.attrs["sentence"] in capsys.readouterr().out
    assert "empty baseline" in scores["space"].values
    assert np.isfinite(scores["score"]).all()
    assert scores["ceiling"].shape == (2, 6)
    roles = bundle.arrays["folds"]["role"].values
    assert ((roles == 2).sum(axis=0) == 1).all()
    assert (roles == 0).sum() >= 8 * 2  # the gaps


def test_the_corrupt_listener_is_left_out_and_told():
    _need(["alice-fmri"], [])
    _, listeners = open_group("alice-fmri")
    assert listeners.targets["subject"].nunique() == 27
    (excluded,) = [note for note in listeners.notes if kind_of(note) == "excluded"]
    assert "s33" in excluded
    assert "constant" in excluded


@pytest.mark.usefixtures("undrawn")
def test_decode_pereira2018(tmp_path, capsys):
    _need(["pereira2018"], ["minilm", "glove-6b-50d"])
    bundle = _run("decode_pereira2018", tmp_path / "out", layers="-1", permutations=9)
    scores = bundle.arrays["scores"]
    assert (scores["pairwise"] > 0.55).all()
    assert abs(float(scores["pairwise_null"].mean()) - 0.5) < 0.05
    assert abs(float(scores["rank_null"].mean()) - 0.5) < 0.05
    assert (scores["pairwise_p"] >= 1 / 10).all()
    predicted = bundle.arrays["predictions"]["prediction, leave topics out, layer 6"]
    assert predicted.dims == ("sample", "feature_384")
    assert np.isfinite(predicted).all()


@pytest.mark.long
@pytest.mark.usefixtures("undrawn")
def test_similarity_binder(tmp_path, capsys):
    _need(["binder-en", "binder-zh"], ["minilm", "gemma3", "glove-6b-50d", "synonyms-zh"])
    bundle = _run("similarity_binder", tmp_path / "out")
    for language in ("english", "chinese"):
        static = bundle.arrays[language].sel(space="static vectors")
        assert float(static["score"].sel(analysis="similarity encoding").mean("attribute")) > 0.3
        assert float(static["rho"]) > 0.15
    assert float(bundle.arrays["rdms"]["rho"]) > 0.6


def test_english_and_chinese_ratings_agree_as_published():
    _need(["binder-en", "binder-zh"], [])
    analysis = load_analysis("similarity_binder")
    both = [
        analysis.complete_attributes(open_group(name)[1]) for name in ("binder-en", "binder-zh")
    ]
    languages = compare_languages(both, 20)
    assert float(languages["rho"]) == pytest.approx(0.74, abs=0.01)
    assert float(languages["p"]) == pytest.approx(1 / 21)


@pytest.mark.parametrize(
    ("name", "dataset", "options", "message"),
    [
        ("encode_alice_fmri", "alice-fmri", {"subjects": "s99"}, "unknown subject 's99'.* s18"),
        ("decode_pereira2018", "pereira2018", {"subjects": "P01"}, "unknown subject 'P01'"),
        ("encode_human_ratings", "human-ratings", {"subjects": "me"}, "unknown subject"),
    ],
)
def test_unknown_subjects_list_the_choices(tmp_path, name, dataset, options, message):
    _need([dataset], [])
    with pytest.raises(UnknownNameError, match=message):
        _run(name, tmp_path / "out", **options)


@pytest.mark.long
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "minilmm"}, "Did you mean 'minilm'"),
        ({"layers": "99"}, "unknown layer 99.* 0, 1, 2, 3, 4, 5, 6"),
        ({"layers": "last"}, "whole numbers"),
    ],
)
def test_unknown_models_and_layers_list_the_choices(tmp_path, options, message):
    _need(["human-ratings"], ["minilm", "glove-6b-50d"])
    with pytest.raises(UnknownNameError, match=message):
        _run("encode_human_ratings", tmp_path / "out", **options)


@pytest.mark.long
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("model", "language"), [("smollm2", "en"), ("gemma3", "zh")])
def test_describe_language_model(tmp_path, capsys, model, language):
    _need([], [model])
    bundle = _run("describe_language_model", tmp_path / "out", model=model, language=language)
    table, bits = bundle.arrays["geometry"], bundle.arrays["surprisal"]
    assert table.sizes["layer"] == bundle.arrays["geometry"]["layer"].values[-1] + 1
    assert float(table["mean_similarity"].max()) < 1
    assert bits.sizes["word"] == 40
    assert float(bits["surprisal"].mean()) < 12
    assert "surprisal: mean" in capsys.readouterr().out


@pytest.mark.usefixtures("undrawn")
def test_describe_language_model_says_what_a_model_cannot_do(tmp_path, capsys):
    _need([], ["minilm"])
    bundle = _run("describe_language_model", tmp_path / "out", model="minilm", context=3)
    assert list(bundle.arrays) == ["geometry"]
    assert "without a language-modelling head" in capsys.readouterr().out
    main = load_analysis("describe_language_model").main
    with pytest.raises(DataMissingError, match="--language fr: the short story is in en, zh"):
        main(out=tmp_path / "fr", language="fr")
    with pytest.raises(DataMissingError, match=r"none.txt: no such file"):
        main(out=tmp_path / "no", text=tmp_path / "none.txt")


def test_unknown_factors_list_the_choices(tmp_path):
    with pytest.raises(UnknownNameError, match="unknown factor 'colour'"):
        load_analysis("decode_ablations").main(out=tmp_path / "no", factors="colour")


def test_alice_is_cut_into_blocks_that_do_not_touch():
    _need(["alice-fmri"], [])
    analysis = load_analysis("decode_alice_fmri")
    stimulus, listeners = open_group("alice-fmri", "s18,s22")
    stories = cut_blocks(stimulus, high_pass(listeners, 128.0), 4, analysis.GAP)
    assert [story.responses.shape[1] for story in stories] == [12] * 4
    for before, after in itertools.pairwise(stories):
        assert after.times[0] - before.times[-1] == pytest.approx(2 * (analysis.GAP + 1))
        assert before.middle[-1] < after.middle[0] + 1e-9  # no word in two blocks
    for story in stories:
        np.testing.assert_allclose(story.responses.std(axis=0), 1, rtol=1e-4)


@pytest.mark.long
def test_mulcogbench_compares_on_shared_words_and_resumes(tmp_path, capsys):
    _need(["binder-en", "binder-zh"], ["minilm", "glove-6b-50d", "synonyms-zh"])
    options = {"models": "minilm:en", "datasets": "binder-en,binder-zh", "permutations": 19}
    bundle = _run("mulcogbench", tmp_path / "out", drawn=True, **options)
    table = bundle.arrays["table"].to_dataframe()
    static = table[table["family"] == "static"]
    assert (static["score"] > 0.3).all()
    assert static["p"].eq(1 / 20).all()
    english = table[table["dataset"] == "binder-en"]
    assert english["n_items"].nunique() == 1
    assert english.loc[english["family"] == "random", "score"].max() < 0.2
    assert set(table["rank"].dropna()) >= {1.0, 2.0}
    assert not list(tmp_path.glob(".out-parts"))
    gains = bundle.arrays["gains"].to_dataframe()
    assert gains["p"].tolist() == gains["p_stimuli"].tolist()  # isolated words: folds tell all
    assert (gains["over_random_gain"] > 0.2).all()
    assert (gains["beyond_q"] <= 0.05).all()


@pytest.mark.usefixtures("undrawn")
def test_reading_finds_the_gain_of_surprisal(tmp_path, capsys):
    _need(["ucl-spr", "nieuwland2018"], ["smollm2"])
    bundle = _run("reading", tmp_path / "out", models="smollm2:en", datasets="ucl-spr")
    gains = bundle.arrays["gains"].to_dataframe()
    assert gains["n_words"].eq(gains["n_trials"]).all()
    assert abs(gains["gain"].iloc[0]) < 0.2
    assert bundle.record["config"]["controls"][0] == "length"


@pytest.mark.long
def test_navigating_and_survey_race_on_the_same_words(tmp_path, capsys):
    _need(["provo", "lancaster"], ["minilm", "glove-6b-50d"])
    options = {"models": "minilm:en", "datasets": "provo", "max_items": 300, "twins": 0}
    bundle = _run("navigating", tmp_path / "nav", drawn=True, **options)
    table = bundle.arrays["table"].to_dataframe()
    provo = table[table["dataset"] == "provo"]
    assert {"minilm", "glove-6b-50d", "embodied", "permuted embodied", "controls"} <= set(
        provo["space"]
    )
    assert provo["n_items"].nunique() == 1
    assert provo.set_index("space").loc["embodied (PCA-10)", "n_features"] == 10
    parts = bundle.arrays["partition"].to_dataframe()
    assert (parts["unique"] <= parts["joint"] + 1).all()
    assert parts["space"].iloc[0] == "minilm"  # a language model is always among them
    assert "embodied" in set(parts["space"])
    bundle = _run("survey", tmp_path / "survey", drawn=True, **options, permutations=3)
    table = bundle.arrays["table"].to_dataframe()
    assert set(table["features"]) == {"embedding"}  # minilm predicts no words
    assert (table["p"] >= 1 / 4).all()
    pairs = bundle.arrays["pairs"].to_dataframe()
    assert set(pairs["first"]) | set(pairs["second"]) >= {"minilm", "glove-6b-50d", "controls"}
    assert (pairs["p"] >= pairs["p_stimuli"]).all()
    assert "PCFG and node counts" in " ".join(bundle.notes)


def test_studies_refuse_what_they_do_not_know(tmp_path):
    _need(["provo"], [])
    for name in ("mulcogbench", "navigating", "survey", "reading"):
        main = load_analysis(name).main
        with pytest.raises(UnknownNameError, match="Did you mean 'provo'"):
            main(out=tmp_path / name, datasets="prvo", debug=True)
        with pytest.raises(DataMissingError, match="brainlm datasets moth"):
            main(out=tmp_path / name, datasets="moth", debug=True)
