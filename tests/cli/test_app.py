import errno
import inspect
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from support.bundles_for_tests import make_bundle
from support.studies import write_study
from typer.testing import CliRunner

import brainlm
from brainlm.batch.dask_tasks import compute_to
from brainlm.batch.study_reading import read_study
from brainlm.cli.analyses import command_of, list_analyses, load_analysis
from brainlm.cli.app import app, main
from brainlm.datasets.folders import list_datasets
from brainlm.errors import UnknownNameError
from brainlm.workflow.command import from_settings

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
    assert "torch 2" in text
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
    studies = (
        "context_and_size",
        "encode_languages",
        "mulcogbench",
        "navigating",
        "reading",
        "survey",
    )
    if name in studies:  # many models and data sets
        wanted |= {"--models", "--datasets", "--root"}
    elif name.startswith("decode_story"):  # a folder of one's own, or simulated
        wanted |= {"--model", "--mapper", "--beam", "--null"}
    elif name == "decode_new_person":  # simulated
        wanted |= {"--model", "--people", "--minutes"}
    elif name == "decode_ablations":
        wanted |= {"--model", "--factors", "--null"}
    elif "simulate" not in name:  # no model and no data set
        one = ("decode_alice_fmri", "decode_pereira2018_text")  # layer, chosen beforehand
        layers = (
            "--depth"
            if name in ("encode_bids", "encode_epochs", "encode_new_listener")
            else "--layer"
            if name in one
            else "--layers"
        )
        wanted |= {"--model", layers}
        own = ("describe_language_model", "similarity_binder", "encode_bids", "encode_table")
        if name not in own:  # no data set, or a group
            wanted |= {"--subjects", "--root"}
    assert wanted | {"--config", "--set"} <= set(re.findall(r"--[a-z-]+", text))


@pytest.mark.parametrize("name", list_analyses())
def test_the_command_of_an_analysis_has_its_options(name):
    outline, whole = command_of(name), load_analysis(name).main
    assert outline.__doc__ == whole.__doc__
    told = [
        [
            (key, each.default, [vars(m) for m in getattr(each.annotation, "__metadata__", ())])
            for key, each in inspect.signature(of).parameters.items()
        ]
        for of in (outline, whole)
    ]
    assert repr(told[0]) == repr(told[1])


HEAVY = ("mne", "nilearn", "scipy", "sklearn", "torch", "transformers", "xarray")
HELP = """
import sys
from typer.testing import CliRunner
from brainlm.cli.analyses import list_analyses
from brainlm.cli.app import app
for words in [[], ["datasets"], ["fetch"], ["plot"], ["report"], ["plan"], ["encode"], ["run"],
              ["decode"], *(["run", name] for name in list_analyses())]:
    done = CliRunner().invoke(app, [*words, "--help"])
    assert done.exit_code == 0 and "--help" in done.output, (words, done.output)
print(*(name for name in HEAVY if name in sys.modules))
"""


def test_help_imports_no_heavy_library():
    done = subprocess.run(
        [sys.executable, "-c", f"HEAVY = {HEAVY}\n{HELP}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["datasets", "alice"], "Did you mean 'alice-fmri'"),
        (["fetch", "minilmm"], "Did you mean 'minilm'"),
        (["run", "encode_alice"], "Did you mean 'encode_alice_fmri'"),
        (["plot", "nowhere"], "not a result bundle"),
        (["fetch", "pereira2018"], "--accept-licence"),
        (["dataset"], "Did you mean 'datasets'"),
        (["run", "survey", "--dataset", "en"], "--datasets"),
        (["run", "survey", "--datasets", "proovo"], "Did you mean 'provo'"),
        (["run", "describe_language_model", "--model", "smolm2"], "Did you mean 'smollm2'"),
    ],
)
def test_wrong_names_suggest_the_right_one(nothing_here, monkeypatch, capsys, arguments, message):
    code, said = _fail(monkeypatch, capsys, *arguments)
    assert code == 2
    assert message in said
    assert "Traceback" not in said


def test_wrong_bundles_and_figures_suggest_the_right_one(monkeypatch, capsys, tmp_path):
    make_bundle(tmp_path / "alice")
    code, said = _fail(monkeypatch, capsys, "plot", str(tmp_path / "alize"))
    assert code == 2
    assert f"Did you mean '{tmp_path / 'alice'}'" in said
    code, said = _fail(monkeypatch, capsys, "plot", str(tmp_path / "alice"), "--figure", "alfas")
    assert code == 2
    assert "Did you mean 'alphas'" in said


def test_a_full_disk_is_told_before_anything_is_computed(monkeypatch, capsys, tmp_path):
    path = write_study(tmp_path / "study")
    usage = shutil.disk_usage(tmp_path)._replace(free=3_000_000)
    monkeypatch.setattr("brainlm.results.output.shutil.disk_usage", lambda _: usage)
    monkeypatch.setattr("brainlm.batch.run.hash_inputs", None)  # is not reached
    code, said = _fail(monkeypatch, capsys, "encode", str(path), "--out", str(tmp_path / "out"))
    assert code == 2
    assert "3 MB are free" in said
    assert "make room there" in said


def test_a_disk_that_fills_later_leaves_the_finished_parts(monkeypatch, capsys, tmp_path):
    path = write_study(tmp_path / "study")

    def full(*arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

    monkeypatch.setattr("brainlm.batch.run.save_bundle", full)
    code, said = _fail(monkeypatch, capsys, "encode", str(path), "--out", str(tmp_path / "out"))
    assert code == 2
    assert "No space left on device" in said
    parts = list((tmp_path / "out.parts").glob("*.part"))
    assert len(parts) == len(read_study(path).tasks())
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to_is_told_first(monkeypatch, capsys, tmp_path):
    path = write_study(tmp_path / "study")
    closed = tmp_path / "closed"
    closed.mkdir()
    monkeypatch.setattr(
        "brainlm.storage.whole_files.os.access", lambda p, mode: p != closed
    )  # root may all
    code, said = _fail(monkeypatch, capsys, "encode", str(path), "--out", str(closed / "out"))
    assert code == 2
    assert "no permission to write there (or read-only); choose another --out" in said


@pytest.mark.long
def test_ctrl_c_leaves_a_study_that_goes_on(tmp_path):
    """A real interrupt of a real process: exit code, word, parts; the next run takes them over."""
    path = write_study(tmp_path / "study")
    command = [
        sys.executable,
        "-m",
        "brainlm.cli.app",
        "encode",
        str(path),
        "--out",
        str(tmp_path / "out"),
        "--set",
        "targets_per_task=1",
    ]
    parts = tmp_path / "out.parts"
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores the interrupt, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 120
        while len(list(parts.glob("*.part"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped: no bundle was written; the same command resumes" in said
    assert "KeyboardInterrupt" not in said  # no traceback of ours
    n_tasks = len(read_study(path, ["targets_per_task=1"]).tasks())
    kept = list(parts.glob("*.part"))
    assert 3 <= len(kept) < n_tasks
    assert not (tmp_path / "out").exists()
    computed = []

    def counted(study, task, path, *memory):
        computed.append(path)
        compute_to(study, task, path, *memory)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brainlm.batch.dask_tasks.compute_to", counted)
        patch.setattr("sys.argv", ["brainlm", *command[3:]])
        main_ok()
    assert len(computed) == n_tasks - len(kept)
    assert not set(computed) & set(kept)
    log = (tmp_path / "out" / "log.txt").read_text("utf-8")
    assert "bundle is written" in log


def main_ok():
    with pytest.raises(SystemExit) as status:
        main()
    assert status.value.code == 0


def test_an_error_that_nobody_foresaw_keeps_its_traceback():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import brainlm.cli.app as c; c.list_analyses = lambda: 1 / 0; c.main()",
            "run",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("brainlm dat", ["datasets"]),
        ("brainlm datasets ali", ["alice-fmri"]),
        ("brainlm run encode_a", ["encode_alice_fmri"]),
        ("brainlm fetch mini", ["minilm"]),
        ("brainlm plot x --figure win", ["winners", "winner_brain"]),
    ],
)
def test_the_shell_completes_commands_and_names(words, expected):
    environment = os.environ | {
        "_BRAINLM_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.argv = ['brainlm']; import brainlm.cli.app as c; c.main()",
        ],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.stdout.split() == expected


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


def test_the_version_is_printed():
    code, text = _say("--version")
    assert (code, text.strip()) == (0, f"brainlm {brainlm.__version__}")


def test_data_sets_are_filtered():
    code, text = _say("datasets", "--modality", "meg", "--language", "zh")
    names = [line.split()[0] for line in text.splitlines()[1:]]
    assert code == 0
    assert "smn4lang-meg" in names
    assert "alice-fmri" not in names
    with pytest.raises(UnknownNameError, match="Did you mean 'meg'"):
        _say("datasets", "--modality", "mgg")


def test_three_near_names_are_offered():
    with pytest.raises(UnknownNameError, match=r"Did you mean 'smn4lang-fmri' or .* in all"):
        _say("datasets", "smn4lang-fmr")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "encode_alice_fmri", "--layers", "abc"], "--layers 'abc': give whole numbers"),
        (["run", "encode_alice_fmri", "--sound", "/nope"], "--sound /nope: no such file"),
        (["run", "mulcogbench", "--models", "minilmm:en"], "Did you mean 'minilm'"),
        (["run", "encode_table", "/nope.csv"], "error: /nope.csv: no such file"),
        (["plot", "/nope"], "/nope: not a result bundle"),
        (["report", "/nope"], "/nope: not a result bundle"),
        (["datasets", "alice-fmri", "--markdown"], "leave 'alice-fmri' out"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_imported(
    nothing_here, monkeypatch, capsys, arguments, message
):
    monkeypatch.setattr("brainlm.cli.analyses.load_analysis", None)
    code, said = _fail(monkeypatch, capsys, *arguments)
    assert code == 2
    assert message in said
    assert len(said.strip().splitlines()) == 1


def test_doctor_fits_on_a_screen(nothing_here):
    _, text = _say("doctor")
    assert len(text.splitlines()) < 15
    assert "data sets are not here" in text


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_fetch_asks_before_whole_data_sets_of_imaging(nothing_here, monkeypatch, answer):
    monkeypatch.setattr("brainlm.datasets.fetch.fetch_dataset", lambda *_, **__: 1 / 0)
    asked = RUNNER.invoke(app, ["fetch", "lebel2023"], input=answer)
    assert asked.exit_code == 1
    assert "--subjects fetches some of them. Fetch all?" in asked.output
    for certain in (["--yes"], ["--subjects", "UTS03"]):
        with pytest.raises(ZeroDivisionError):
            _say("fetch", "lebel2023", *certain)


def test_sizes_of_downloads_are_told_and_asked_about(nothing_here, monkeypatch):
    monkeypatch.setattr("brainlm.language_models.fetch_model", lambda name: f"got {name}")
    told = _say("fetch", "minilm")[1]
    assert "Download: 84 MB" in told  # no question
    assert "got minilm" in told
    monkeypatch.setattr("brainlm.language_models.hub.hub_size", lambda name: 16_060_000_000)
    asked = RUNNER.invoke(app, ["fetch", "org/large"], input="n\n")
    assert asked.exit_code == 1
    assert "org/large: 16 GB. Fetch it?" in asked.output
    assert "got org/large" in _say("fetch", "org/large", "--yes")[1]
    table = _say("models")[1]
    assert "84 MB" in table
    page = _say("datasets", "lebel2023")[1]
    assert "download  unknown" in page
    assert "download  1.3 MB" in _say("datasets", "alice-fmri")[1]


def test_the_list_of_analyses_imports_none(monkeypatch):
    monkeypatch.setattr("brainlm.cli.analyses.load_analysis", None)
    code, text = _say("run")
    assert code == 0
    assert "Which layers of a language model encode human meaning ratings?" in text
