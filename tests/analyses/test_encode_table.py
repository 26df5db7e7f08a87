"""A table of one's own, encoded by a tiny model."""

import numpy as np
import pandas as pd
import pytest
from miniatures.words import english_words
from typer.testing import CliRunner

from brainlm import Groups, LanguageModel, RidgeEncoder, encode, from_table, open_dataset
from brainlm.cli.analyses import load_analysis
from brainlm.cli.app import app
from brainlm.results.bundle import load_bundle

pytestmark = [
    pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning"),
    pytest.mark.usefixtures("undrawn"),
]


@pytest.fixture
def table(miniature, tmp_path, rng):
    """Words with one column that a layer drives, columns of noise, and a group of each word."""
    words = sorted(english_words(240))
    (layer,) = LanguageModel("minilm").embed(words, 6)
    values = np.asarray(layer)
    signal = (values - values.mean(axis=0)) @ rng.standard_normal(values.shape[1])
    frame = pd.DataFrame(
        {
            "word": words,
            "planted": signal / signal.std() + 0.3 * rng.standard_normal(240),
            "family": [word[0] for word in words],
            **{f"noise {k}": rng.standard_normal(240) for k in range(8)},
        }
    )
    path = tmp_path / "ratings.csv"
    frame.to_csv(path, index=False)
    return path


def run(table, out, *arguments):
    """Run the command; return its bundle and what it printed."""
    command = ["run", "encode_table", str(table), "--layers", "0,-1", "--twins", "0"]
    found = CliRunner().invoke(
        app, [*command, "--out", str(out), *arguments], catch_exceptions=False
    )
    assert found.exit_code == 0, found.output
    return load_bundle(out), found.output


@pytest.mark.long
def test_it_finds_what_was_planted_and_equals_encode(table, tmp_path):
    bundle, printed = run(table, tmp_path / "out", "--group", "family")
    ridge = bundle.arrays["scores"]["score"].sel(analysis="ridge encoding").mean("fold")
    assert float(ridge.sel(space="layer 6", target="planted")) > 0.7
    assert abs(ridge.drop_sel(target="planted").mean("target")).max() < 0.12
    assert bundle.arrays["verdict"].attrs["sentence"] in printed
    stimulus, recording = from_table(table, group="family")
    layers = LanguageModel("minilm").embed(stimulus, [0, 6], context="none")
    split = Groups(recording.run, 5)
    own = encode(layers, recording, split, {"ridge": RidgeEncoder()})
    for space in ("layer 0", "layer 6"):
        np.testing.assert_allclose(
            ridge.sel(space=space),
            own.scores["score"].sel(analysis="ridge", space=space).mean("fold"),
        )
    assert list(bundle.record["inputs"]["data"]["ratings.csv"]) == ["ratings.csv"]


def test_the_ratings_of_a_data_set_in_a_table_give_the_same_scores(miniature, tmp_path):
    stimulus, ratings = open_dataset("human-ratings")
    frame = pd.DataFrame(ratings.data, columns=list(ratings.target_names))
    frame.assign(word=stimulus.words).to_csv(tmp_path / "rated.csv", index=False)
    load_analysis("encode_human_ratings").main(out=tmp_path / "named", layers="0,-1", twins=0)
    own, _ = run(tmp_path / "rated.csv", tmp_path / "own", "--vectors", "glove-6b-50d")
    named = load_bundle(tmp_path / "named").arrays["scores"]["score"]
    found = own.arrays["scores"]["score"].sel(target=named["target"].values)
    np.testing.assert_allclose(found, named, atol=1e-6)


def test_raters_are_units(table, tmp_path, rng):
    frame = pd.read_csv(table)[["word", "planted"]]
    long = pd.concat([frame.assign(rater=who, noise=rng.standard_normal(240)) for who in "abc"])
    long.to_csv(tmp_path / "long.csv", index=False)
    bundle, _ = run(tmp_path / "long.csv", tmp_path / "out", "--subject", "rater")
    scores = bundle.arrays["scores"]
    assert scores["subject"].values.tolist() == ["a", "b", "c"]
    assert scores["target"].values.tolist() == ["planted", "noise"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--word", "Word"], "Did you mean 'word'"),
        (["--targets", "plantet"], "Did you mean 'planted'"),
        (["--missing", "fill"], "unknown value of missing 'fill'"),
    ],
)
def test_errors_are_one_line(table, tmp_path, arguments, said):
    command = ["run", "encode_table", str(table), "--out", str(tmp_path / "out"), *arguments]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 2
    assert said in found.output
    assert found.output.count("\n") == 1


def test_a_settings_file_names_the_table(table, tmp_path):
    settings = tmp_path / "run.toml"
    settings.write_text(f'table = "{table}"\nlayers = [-1]\ntwins = 0\n', encoding="utf-8")
    command = ["run", "encode_table", "--config", str(settings), "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(app, command, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    with pytest.raises(TypeError, match="encode_table needs table"):
        load_analysis("encode_table").main(out=tmp_path / "other")
