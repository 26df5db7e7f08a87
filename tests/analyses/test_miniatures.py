"""Every analysis from end to end on miniature data and tiny models: a machine with nothing on it.

The data hold a signal in one place and noise in another (see `miniatures.datasets`); an analysis
has to find the first and not the second.
"""

import shutil

import numpy as np
import pytest
from miniatures.datasets import LISTENERS, NOISE, SILENT
from miniatures.epochs import meg_folder
from miniatures.stories import story_folder
from miniatures.words import N_TOLD, english_words, say
from support.bids_folder import BEST, write_bids
from support.pictures import check_pictures
from typer.testing import CliRunner

from brainlm import LanguageModel
from brainlm.cli.analyses import list_analyses, load_analysis
from brainlm.cli.app import app
from brainlm.data.notes import kind_of
from brainlm.datasets.open import open_dataset
from brainlm.errors import CorruptDataError
from brainlm.results.bundle import load_bundle
from brainlm.workflow import open_group

pytestmark = pytest.mark.filterwarnings(
    "ignore::brainlm.encoding.ridge.AlphaEdgeWarning",
    "ignore::brainlm.encoding.align.AlignmentWarning",
)

# Options beside --debug. Without it, text is decoded from the miniature of The Little Prince.
SMALL_TEXT = {"debug": False, "voxels": 400, "seconds": 32.0, "beam": 1, "encoder": ""}
OPTIONS = {
    "cogbench": {"model": "gemma3", "draws": 1},
    "context_and_size": {
        "models": "smollm2:en,gemma3:en,minilm:en",
        "datasets": "provo,binder-en",
        "context": "1,8",
        "pooling": "mean,last",
    },
    "decode_ablations": {
        **SMALL_TEXT,
        "factors": "scorer",
        "snrs": "",
        "snr": 20.0,
        "null": 3,
        "planted": "smollm2",
        "same_model": True,
    },
    "decode_alice_fmri": {"subjects": ",".join(LISTENERS), "draws": 1},
    "decode_new_person": {
        "debug": False,
        "snrs": "20,0",
        "voxels": 60,
        "people": 3,
        "stories": 2,
        "minutes": "2,4",
    },
    "decode_pereira2018": {"layers": "-1", "model": "smollm2"},
    "decode_pereira2018_text": {},
    "decode_story_dataset": {"dataset": "smn4lang-fmri", "layer": 2, "draws": 1},
    "decode_story_folder": {"draws": 1},
    "decode_story_simulated": {
        **SMALL_TEXT,
        "snrs": "20",
        "null": 5,
        "draws": 1,
        "stories": 2,
        "subjects": 2,
    },
    "describe_language_model": {},
    "encode_alice_fmri": {},
    "encode_bids": {"model": "smollm2"},
    "encode_epochs": {"permutations": 19, "model": "gemma3"},
    "encode_human_ratings": {"layers": "-1"},
    "encode_table": {"layers": "-1", "vectors": "glove-6b-50d", "word": "Word"},
    "encode_new_listener": {"model": "none"},
    "encode_languages": {
        "models": "gemma3",
        "datasets": "evlab-alice-fr,evlab-alice-mr,evlab-passages-zh,evlab-passages-de",
    },
    "mulcogbench": {
        "datasets": "binder-en,binder-zh,provo",
        "permutations": 9,
        "layers": "0,1,2,-1",
    },
    "navigating": {"datasets": "provo,words-zh-gaze", "models": "gemma3"},
    "reading": {"datasets": "ucl-spr,geco"},
    "similarity_binder": {},
    "simulate_regions": {"noise": 0.5, "model": "gemma3"},
    "simulate_studies": {"model": "qwen0.5b", "words": 300, "permutations": 4},
    "survey": {
        "datasets": "provo,ucl-spr,binder-en,binder-zh",
        "models": "smollm2:en,gemma3:en+zh",
        "permutations": 3,
    },
}

# Variables of a bundle that are undefined for some rows, by analysis; all others are finite.
TEXT_TESTS = {
    "half",
    "null_half",
    "z",
    "z_window",  # where all nulls of every window score the same
    "p",
    "q",
    "control_sd",
    "draw_sd",
    "whole_z",
    "whole_p",
    "over_low",
    "over_high",
    "over_p",
    "over_q",
}
TABLE = {
    "ceiling",
    "normalised",
    "null_mean",
    "p",
    "q",
    "rank",
    "subject_low",
    "subject_high",
    "centred",
    "published",
    "alpha_low",
    "alpha_high",
    "beyond_controls",
}
UNDEFINED = {
    "cogbench": {"undipped"},
    "context_and_size": {*TABLE, "bits_per_byte", "p_random"},
    "encode_languages": {"ceiling", "subject_low", "subject_high"},
    "encode_human_ratings": {"score", "fold_score", "alpha", "prediction", "p_random"},
    "encode_table": {"score", "fold_score", "alpha", "prediction", "p_random"},
    "mulcogbench": {
        *TABLE,
        "p_random",
        "over_untrained_p_random",
        "score_p_random",
        "relative",
        "relative_error",
    },
    "navigating": {*TABLE, "p_random", "relative", "relative_error"},
    "survey": {*TABLE, "p_random"},
    "simulate_studies": {
        *TABLE,
        "planted_depth",
        "best_depth_centred",
        "duplicates",
        "fMRI minus MEG, relative slopes",
    },
    **{name: TEXT_TESTS for name in OPTIONS if name.startswith("decode_")},
    "decode_pereira2018": set(),
}


def table(bundle, name, **only):
    """Return a table of a bundle as a frame, some of its rows."""
    frame = bundle.arrays[name].to_dataframe()
    for column, value in only.items():
        frame = frame[frame[column] == value]
    return frame


def check_ablations(bundle, _):
    points = table(bundle, "table")
    assert set(points["value"]) == {"likelihood", "similarity", "mixture"}
    assert (points["mapping_r"] > 0.02).all()


def check_alice_decoding(bundle, _):
    scores = bundle.arrays["scores"].sel(mapper="ridge")
    assert float(scores["mapper_r"]) > float(scores["mapper_r_null"].max()) + 0.02


def check_alice_encoding(bundle, _):
    scores = bundle.arrays["scores"].isel(analysis=0)
    rate = scores["score"].sel(space="controls").mean("subject")
    assert float(rate.sel(target="LATL")) > float(rate.sel(target="LIFG")) + 0.2
    assert (scores["ceiling"].sel(target="LATL") > 0.5).all()
    assert (abs(scores["ceiling"].sel(target="LIFG")) < 0.4).all()


def check_pereira(bundle, _):
    glove = bundle.arrays["scores"].sel(space="GloVe")
    assert (glove["pairwise"] > 0.9).all()
    assert (abs(glove["pairwise_null"].mean("permutation") - 0.5) < 0.1).all()


def check_pereira_text(bundle, _):
    scores = bundle.arrays["scores"]
    assert float(scores["mapping_2v2"]) > 0.6
    gain = scores["gain"].sel(metric="bleu-1")
    assert float(gain.sel(condition="ceiling")) > 0.03


def check_stories(bundle, folder):
    scores = bundle.arrays["scores"]
    assert float(scores["mapping_r"]) > 0.3
    assert np.isfinite(scores["gain"].sel(metric="bleu-1")).all()
    assert (folder / "mapguide.html").read_text("utf-8").startswith("<!doctype html>")


def check_simulated_stories(bundle, _):
    cells = bundle.arrays["cells"]
    assert cells["gain"].sizes["story"] == cells["gain"].sizes["subject"] == 2
    assert float(cells["mapping_r"].mean()) > 0.03
    assert bundle.arrays["comparison"]["verdict"].item().startswith("undecided")


def check_new_person(bundle, _):
    scores = bundle.arrays["scores"]["accuracy"].sel(minutes=4)
    assert float(scores.sel(snr=20, decoder="own")) > 0.6  # words at random: little to share
    assert float(scores.sel(snr=20, decoder="ridge")) > 0.55
    assert abs(float(scores.sel(snr=20, decoder="others")) - 0.5) < 0.15
    assert (abs(scores.sel(snr=0) - 0.5) < 0.2).all()


def check_cogbench(bundle, _):
    whole = table(bundle, "table")
    last = whole[whole["layer"].isin([-1, 10])].set_index(["task", "kind"])

    def score(task, kind, column):
        return last.loc[[(task, kind)], column].item()

    for task in ("word_fmri", "fmri", "meg", "eye_tracking"):
        assert score(task, "layer", "r") > score(task, "random", "r") + 0.05
        assert score(task, "layer", "pairwise") > 0.9
        assert score(task, "layer", "beyond") > 0.05
        assert abs(score(task, "untrained", "r")) < 0.1
    # A score that knows no word, and what random vectors get where words come again.
    assert score("word_fmri", "null", "official") > 0.8
    assert score("word_fmri", "random", "official") > score("word_fmri", "layer", "official") - 0.1
    assert abs(score("word_fmri", "random", "pairwise") - 0.5) < 0.1
    assert score("eye_tracking", "random", "official") > 0.1
    assert abs(score("eye_tracking", "random", "r")) < 0.1
    assert score("meg", "layer", "official") > score("meg", "layer", "undipped") > 0.3
    assert any("word_fmri is .55 to .56 in 15 of 23" in note for note in bundle.notes)
    assert table(bundle, "published")["model"].nunique() == 23


def check_description(bundle, _):
    assert bundle.arrays["geometry"].sizes["layer"] == 11
    assert (bundle.arrays["surprisal"]["surprisal"] > 0).all()


def check_bids(bundle, _):
    scores = bundle.arrays["scores"]["score"].isel(analysis=0).mean("fold").sel(space="controls")
    assert scores["target"].values[scores.values.argmax()] == ",".join(map(str, BEST))
    assert float(scores.max()) > 0.7


def check_epochs(bundle, _):
    p = bundle.arrays["scores"].isel(analysis=0)["p"].sel(space="length + frequency")
    assert p["target"].values[p.values <= 0.05].tolist() == ["MEG 003@200ms"]
    judged = bundle.arrays["verdict"]
    assert judged["reference"].values.tolist() == [
        "pace + position",
        "length + frequency + spill-over",
        "its untrained twin",
        "random vectors with its geometry",
    ]
    surface = judged.isel(row=1)  # word length is all that these sensors answer
    assert float(surface["other"]) > 0.02
    assert "more" not in judged["verdict"].values[:2]


def check_human_ratings(bundle, _):
    score = bundle.arrays["scores"]["score"].mean(("target", "fold"))
    for analysis in ("ridge encoding", "similarity encoding"):
        own = score.sel(analysis=analysis)
        assert float(own.sel(space="GloVe")) > 0.6
        assert abs(float(own.sel(space="layer 6"))) < 0.2
    assert any("left out 1 of 301 words" in note for note in bundle.notes)


def check_table(bundle, _):
    scores = bundle.arrays["scores"]
    assert scores["target"].values.tolist()[:2] == ["Visual", "Auditory"]
    ridge = scores["score"].sel(analysis="ridge encoding").mean(("target", "fold"))
    assert float(ridge.sel(space="glove-6b-50d")) > 0.6
    assert abs(float(ridge.sel(space="layer 6"))) < 0.2
    assert any("left out 1 of 301 words" in note for note in bundle.notes)


def check_mulcogbench(bundle, _):
    scores = table(bundle, "table", dataset="binder-en")
    static = scores[scores["family"] == "static"]["score"].item()
    assert static > 0.5
    assert scores[scores["family"] == "random"]["score"].max() < 0.25
    gains = table(bundle, "gains", dataset="binder-en").set_index("model")["over_random_gain"]
    assert gains["smollm2"] > 0.2 > abs(gains["minilm"])
    assert {"binder-zh"} == set(table(bundle, "languages")["chinese"])
    judged = table(bundle, "verdict", dataset="binder-en").set_index(["source", "reference"])
    assert judged.loc[("gemma3", "random vectors with its geometry"), "verdict"] == "more"
    assert judged.loc[("minilm", "random vectors with its geometry"), "verdict"] != "more"
    assert "gemma3 predicts more than" in bundle.arrays["verdict"].attrs["sentence"]


def check_factors(bundle, _):
    scores = table(bundle, "table")
    assert len(scores) == 3 * (4 + 2)  # isolated words have no context
    assert scores.groupby("model")["parameters"].nunique().eq(1).all()
    causal = scores["model"] != "minilm"
    assert (scores.loc[causal, "bits_per_byte"] > 0).all()
    assert scores.loc[~causal, "bits_per_byte"].isna().all()
    trends = table(bundle, "trends")
    assert set(trends["factor"]) == {"context", "parameters"}  # two models have a perplexity
    assert set(trends.loc[trends["factor"] == "context", "n_levels"]) == {2}


def check_new_listener(bundle, _):
    scores = bundle.arrays["scores"]["score"].isel(analysis=0).mean("fold")
    assert scores.sizes["space"] == 5
    assert float(scores.sel(space="others, same regions", target="LATL")) > 0.2
    assert abs(float(scores.sel(space="others, same regions", target="LIFG"))) < 0.2


def check_encode_languages(bundle, _):
    scores = table(bundle, "table").set_index("language")
    assert scores.index.tolist() == ["fr", "zh", "de"]  # the model does not speak Marathi
    assert scores["n_subjects"].tolist() == [2, 3, 3]
    assert scores["n_items"].tolist() == [142, 426, 426]
    for language in ("fr", "de"):
        assert scores.loc[language, "beyond_low"] > 0.1
        assert scores.loc[language, "over_random_low"] > 0.1
        assert np.isnan(scores.loc[language, "ceiling"]) == (language == "fr")
    mean = table(bundle, "over_languages").set_index("measure")
    assert mean["n_languages"].tolist() == [3, 3]
    assert mean.loc["beyond", "gain"] == pytest.approx(scores["beyond"].mean())
    skipped = [note["text"] for note in bundle.record["notes"] if "skipped" in note["text"]]
    assert skipped == ["gemma3: skipped 1 of 4 languages that it does not speak: mr"]
    frequency = [note["text"] for note in bundle.record["notes"] if "frequencies" in note["text"]]
    assert frequency == [
        "evlab-alice-mr: no list of frequencies in 'mr': the controls are without frequency"
    ]


def check_navigating(bundle, _):
    for dataset in ("provo", "words-zh-gaze"):
        scores = table(bundle, "table", dataset=dataset).set_index("space")["score"]
        assert scores["embodied"] > 0.6
        assert scores.drop([s for s in scores.index if s.startswith("embodied")]).max() < 0.3
        won = table(bundle, "winners", dataset=dataset).set_index("space")["share"]
        assert won["embodied"] == 1
    layers = table(bundle, "layers")
    assert set(layers["dataset"]) == {"provo", "words-zh-gaze"}
    assert layers.groupby("dataset")["layer"].nunique().eq(6).all()
    (level,) = table(bundle, "levels").to_dict("records")
    assert (level["first"], level["second"]) == ("word", "discourse")
    assert level["n_first"] == level["n_second"] == 1
    assert np.isnan(level["p"])


def check_reading(bundle, _):
    gains = table(bundle, "gains").set_index(["measure", "model"])
    for measure in ("self_paced_reading_time", "TRT"):
        assert (gains.loc[(measure, "smollm2"), "gain"] > 0.3).all()
        assert (gains.loc[(measure, "smollm2"), "q"] < 0.01).all()
    assert (gains.loc[("relFix", "smollm2"), "gain"] < 0.05).all()
    effects = table(bundle, "mixed", model="smollm2").set_index("measure")["t"]
    assert effects["TRT"] > 5 > abs(effects["relFix"])
    one = table(bundle, "effects", model="smollm2", predictor="surprisal").set_index("measure")
    assert one.loc["TRT", "low"] > 0
    assert one.loc["TRT", "units"] == "subjects"
    assert one.loc["relFix", "low"] < 0 < one.loc["relFix", "high"]


def check_binder(bundle, _):
    english = bundle.arrays["english"].sel(analysis="similarity encoding")
    static = english["score"].sel(space="static vectors")
    assert float(static.drop_sel(attribute=NOISE).mean()) > 0.5
    assert abs(float(static.sel(attribute=NOISE))) < 0.3
    assert float(english["score"].sel(space="layer 6").mean()) < 0.2
    assert float(english["p"].sel(space="static vectors")) < 0.02
    assert float(bundle.arrays["rdms"]["rho"]) > 0.3
    agree = bundle.arrays["rdms"]["attribute_r"]
    assert float(agree.drop_sel(attribute=NOISE).min()) > 0.7 > abs(agree.sel(attribute=NOISE))


def check_regions(bundle, _):
    found = table(bundle, "table").set_index("region")
    assert (found["found"] > 0.7).all()
    assert (found["won_by_planted"] > 0.9).all()
    assert (found["found_outside"] <= 3).all()
    assert (abs(found["searchlight_away"] - 0.5) < 0.05).all()


def check_studies(bundle, _):
    best = table(bundle, "profiles").groupby("cause")["best_score"]
    assert best.min()["planted"] > best.max()["nothing"] + 0.03


def check_survey(bundle, _):
    scores = table(bundle, "table").set_index(["dataset", "space"])["score"]
    assert scores["provo", "embodied (embedding)"] > 0.6
    assert scores["binder-en", "glove-6b-50d (embedding)"] > 0.5
    assert scores["ucl-spr", "smollm2 (predictability)"] > 0.6
    assert scores["ucl-spr", "gemma3 (predictability)"] < 0.3
    assert {"3-gram", "PCFG"} <= set(table(bundle, "table")["model"])
    assert scores["ucl-spr", "PCFG (predictability)"] < 0.3
    assert len(table(bundle, "ranks"))


CHECKS = {
    "cogbench": check_cogbench,
    "context_and_size": check_factors,
    "decode_ablations": check_ablations,
    "decode_alice_fmri": check_alice_decoding,
    "decode_new_person": check_new_person,
    "decode_pereira2018": check_pereira,
    "decode_pereira2018_text": check_pereira_text,
    "decode_story_dataset": check_stories,
    "decode_story_folder": check_stories,
    "decode_story_simulated": check_simulated_stories,
    "describe_language_model": check_description,
    "encode_alice_fmri": check_alice_encoding,
    "encode_bids": check_bids,
    "encode_epochs": check_epochs,
    "encode_human_ratings": check_human_ratings,
    "encode_table": check_table,
    "encode_new_listener": check_new_listener,
    "encode_languages": check_encode_languages,
    "mulcogbench": check_mulcogbench,
    "navigating": check_navigating,
    "reading": check_reading,
    "similarity_binder": check_binder,
    "simulate_regions": check_regions,
    "simulate_studies": check_studies,
    "survey": check_survey,
}


@pytest.mark.parametrize("name", list_analyses())
def test_every_analysis_has_a_miniature(name):
    assert name in OPTIONS
    assert name in CHECKS


def own_data(name, miniature, folder):
    """Return the options of the analyses that take a folder or a card of one's own."""
    if name == "decode_story_folder":
        model = LanguageModel(miniature.models / "smollm2")
        return {"folder": story_folder(folder / "study", model, 9, english_words(N_TOLD), pace=1.0)}
    if name == "encode_bids":
        return {"folder": write_bids(folder / "study", np.random.default_rng(0))}
    if name == "encode_table":
        return {"table": miniature.root / "human-ratings" / "sensorimotor_norms.csv"}
    if name == "encode_epochs":
        return {"dataset": str(meg_folder(folder)), "root": folder}
    if name == "survey":
        words = say(english_words(N_TOLD), 300, 4)
        trees = [f"(S (N {a}) (VP (V {b}) (N {c})))" for a, b, c in np.reshape(words, (-1, 3))]
        (folder / "trees.txt").write_text("\n".join(trees), encoding="utf-8")
        return {"spaces": f"treebank:en={folder / 'trees.txt'}"}
    return {}


def check_numbers(bundle, undefined):
    """Assert that numbers are finite, except those that may be undefined."""
    for title, array in bundle.arrays.items():
        for variable, values in array.variables.items():
            if values.dtype.kind == "f" and variable not in undefined:
                assert np.isfinite(values.values).all(), (title, variable)


@pytest.mark.long
@pytest.mark.parametrize("name", OPTIONS)
def test_it_finds_what_was_planted(name, miniature, tmp_path):
    out = tmp_path / "out"
    options = {"debug": True, **OPTIONS[name], **own_data(name, miniature, tmp_path)}
    load_analysis(name).main(out=out, **options)
    bundle = load_bundle(out)
    assert bundle.record["analysis"] == name
    assert bundle.record["figures"]
    check_pictures(out, bundle.record["figures"])
    check_numbers(bundle, UNDEFINED.get(name, set()))
    CHECKS[name](bundle, out)


def test_the_cards_still_check_their_files(miniature, tmp_path):
    shutil.copytree(miniature.root / "provo", tmp_path / "provo")
    open_dataset("provo", root=tmp_path)
    (table_of_gaze,) = tmp_path.rglob("provo.csv")
    table_of_gaze.write_text(table_of_gaze.read_text("utf-8") + "99,0,more,1,1,1,1,1\n", "utf-8")
    with pytest.raises(CorruptDataError, match="SHA-256"):
        open_dataset("provo", root=tmp_path)


def test_a_listener_of_zeros_is_excluded(miniature):
    _, listeners = open_group("alice-fmri")
    assert listeners.targets["subject"].unique().tolist() == list(LISTENERS)
    (excluded,) = [note for note in listeners.notes if kind_of(note) == "excluded"]
    assert excluded.startswith(f"excluded {SILENT}: ")
    assert "constant" in excluded


def test_the_command_reads_a_card(miniature_files, tmp_path, monkeypatch):
    """Cards and a model by their paths: none has the name of one that brainlm knows."""
    monkeypatch.setenv("BRAINLM_DATA", str(miniature_files.root))
    out = tmp_path / "out"
    cards = [str(miniature_files.cards / f"{name}.toml") for name in ("ucl-spr", "geco")]
    model = f"{miniature_files.models / 'smollm2'}:en"
    command = ["run", "reading", "--datasets", ",".join(cards), "--models", model]
    done = CliRunner().invoke(app, [*command, "--debug", "--out", str(out)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    bundle = load_bundle(out)
    check_pictures(out, bundle.record["figures"])
    assert set(table(bundle, "gains")["dataset"]) == {"ucl-spr", "geco"}
