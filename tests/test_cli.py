import pytest
from typer.testing import CliRunner

from brainlm.cli import app, list_analyses, main
from brainlm.datasets import list_datasets
from brainlm.options import from_settings

RUNNER = CliRunner()


@pytest.fixture
def nothing_here(tmp_path, monkeypatch):
    """A machine without data and models."""
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BRAINLM_DATA", raising=False)


def _say(*arguments):
    result = RUNNER.invoke(app, list(arguments), catch_exceptions=False)
    return result.exit_code, result.output


def _fail(monkeypatch, capsys, *arguments):
    """Run as a user does; return exit status and what is printed on standard error."""
    monkeypatch.setattr("sys.argv", ["brainlm", *arguments])
    with pytest.raises(SystemExit) as status:
        main()
    return status.value.code, capsys.readouterr().err


def test_help_is_a_table_of_contents():
    code, text = _say("--help")
    assert code == 0
    for command in ("datasets", "models", "fetch", "run", "plot", "doctor"):
        assert command in text


def test_data_sets_are_listed_and_described(nothing_here):
    code, text = _say("datasets")
    assert code == 0
    for name in list_datasets():
        assert name in text
        _, page = _say("datasets", name)
        assert "expected facts" in page
        assert "licence" in page
        assert "@" in page  # BibTeX
    assert "on disk" in text


def test_models_are_listed(nothing_here):
    code, text = _say("models")
    assert code == 0
    assert "minilm" in text
    assert "6 x 384" in text


def test_doctor_tells_what_is_missing_and_what_to_do(nothing_here, tmp_path):
    code, text = _say("doctor")
    assert code == 0
    assert "ok torch" in text
    assert "brainlm fetch minilm" in text
    code, text = _say("doctor", "--root", str(tmp_path / "nowhere"))
    assert code == 1
    assert "is not a folder" in text


def test_analyses_are_listed_with_their_question():
    code, text = _say("run")
    assert code == 0
    for name in list_analyses():
        assert name in text
    assert "encode_alice_fmri" in text


@pytest.mark.parametrize("name", list_analyses())
def test_every_analysis_takes_the_common_options(name):
    text = RUNNER.invoke(app, ["run", name, "--help"]).output
    wanted = {"--out", "--debug", "--overwrite"}
    if name in ("mulcogbench", "navigating", "reading", "survey"):  # many models and data sets
        wanted |= {"--models", "--datasets", "--languages", "--root"}
    elif name.startswith("decode_story"):  # a folder of one's own, or simulated
        wanted |= {"--model", "--mapper", "--beam", "--null"}
    elif "simulate" not in name:  # no model and no data set
        wanted |= {"--model", "--layers"}
        if name != "describe_language_model":  # it reads no data set
            wanted |= {"--subjects", "--root"}
    for option in wanted:
        assert option in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["datasets", "alice"], "Did you mean 'alice-fmri'"),
        (["fetch", "minilmm"], "Did you mean 'minilm'"),
        (["run", "encode_alice"], "Did you mean 'encode_alice_fmri'"),
        (["plot", "nowhere"], "not a result bundle"),
        (["fetch", "pereira2018"], "--accept-licence"),
    ],
)
def test_wrong_names_suggest_the_right_one(nothing_here, monkeypatch, capsys, arguments, message):
    code, said = _fail(monkeypatch, capsys, *arguments)
    assert code == 2
    assert message in said


@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("encode_alice_fmri", "alice-fmri"),
        ("decode_pereira2018", "pereira2018"),
        ("similarity_binder", "binder-en"),
        ("encode_human_ratings", "human-ratings"),
    ],
)
def test_missing_data_say_where_to_get_them(
    nothing_here, monkeypatch, capsys, tmp_path, name, dataset
):
    code, said = _fail(monkeypatch, capsys, "run", name, "--out", str(tmp_path / "out"))
    assert code == 2
    for part in (repr(dataset), "Looked in", f"brainlm fetch {dataset}", "Licence", "By hand"):
        assert part in said


def test_an_existing_output_folder_is_refused_first(nothing_here, monkeypatch, capsys, tmp_path):
    (tmp_path / "bundle.json").write_text("{}")
    code, said = _fail(monkeypatch, capsys, "run", "encode_alice_fmri", "--out", str(tmp_path))
    assert code == 2
    assert "--overwrite" in said


def test_everything_is_listed(nothing_here):
    _, shown = _say("list")
    for name in ("encode_alice_fmri", "smollm2", "pereira2018"):
        assert name in shown


def analysis(subjects: str = "all", layers: str = "all", debug: bool = False) -> None:
    """An analysis of nothing."""


def test_settings_of_a_file_become_options_and_yield_to_the_command_line(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('subjects = ["s1", "s2"]\nlayers = "3"\ndebug = true\n')
    found = from_settings(analysis, ["--config", str(path), "--set", "layers=4", "--layers", "5"])
    assert found == ["--subjects", "s1,s2", "--layers", "4", "--debug", "--layers", "5"]
    assert from_settings(analysis, ["--set", "debug=false"]) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "layer=3"], r"unknown setting 'layer'\. Did you mean 'layers'"),
        (["--set", "layers"], "write key=value"),
        (["--config", "none.toml"], "no such file"),
    ],
)
def test_wrong_settings_are_named(arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        from_settings(analysis, arguments)
