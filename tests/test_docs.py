"""Every code block of the README and of docs/ is run, here or in the test that is named.

A command that needs the network, a queue, or somebody's own recordings is skipped with that reason.
"""

import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
import typer
from support.bundles_for_tests import make_bundle
from support.studies import write_study
from typer.testing import CliRunner

import brainlm
from brainlm.cli.analyses import load_analysis
from brainlm.cli.app import app
from brainlm.datasets.folders import is_on_disk
from brainlm.language_models.sources import is_cached

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "figures/README.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)

# Page, language and number of the block -> the test that runs it.
CLUSTER = "batch/test_study_file.py: test_the_worked_example_of_the_documentation"
ELSEWHERE = {
    ("README.md", "python", 1): "test_readme.py: test_first_block_runs_as_pasted",
    ("README.md", "text", 1): "test_readme.py: test_first_block_runs_as_pasted",
    ("README.md", "python", 2): "test_readme.py: test_second_block_runs_with_its_data_and_model",
    ("cogbench.md", "python", 1): "io/test_fixed_parts.py: test_the_lines_of_the_documentation_run",
    ("cluster.md", "toml", 1): CLUSTER,
    ("cluster.md", "python", 1): CLUSTER,
    ("cluster.md", "", 2): CLUSTER,
    ("cluster.md", "", 3): CLUSTER,
    ("command-line.md", "toml", 1): "here: test_settings_of_the_page_are_taken",
    ("command-line.md", "", 2): "here: test_settings_of_the_page_are_taken",
    ("own-bids.md", "", 1): "test_own_bids.py: test_five_commands_lead_to_a_score",
    **{
        ("own-bids.md", "python", k): "test_own_bids.py: test_five_commands_lead_to_a_score"
        for k in range(1, 5)
    },
    ("own-meeg.md", "", 1): "test_own_meeg.py: test_five_commands_lead_to_a_curve_over_time",
    **{
        (
            "own-meeg.md",
            "python",
            k,
        ): "test_own_meeg.py: test_five_commands_lead_to_a_curve_over_time"
        for k in range(1, 5)
    },
    **{
        (
            "own-data.md",
            "python",
            k,
        ): "test_own_data.py: test_tables_and_arrays_become_stimuli_and_recordings"
        for k in range(1, 5)
    },
    ("own-data.md", "", 1): "analyses/test_encode_table.py: test_it_finds_what_was_planted",
    ("own-data.md", "toml", 1): "test_own_data.py: test_a_card_of_your_own_opens_and_is_described",
}
NEEDS = {
    "python -m pytest": "is these tests",  # beginning of a command -> why no test runs it
    "python tests/reliability/long_run.py": "takes half an hour",
    "git clone": "the network",
    "source ": "a shell",
    "make ": "installs a whole environment; .ci/run does it",
    "brainlm fetch": "downloads",
    "python figures/": "test_paper_figures.py runs every script",
    "brainlm run cogbench": "MulCogBench as released",
    "brainlm decode": "a participant's own recordings",
    "brainlm encode study.toml --out results/study --cluster tcp": "a Dask scheduler",
    "brainlm encode study.toml --out results/study --cluster slurm": "a SLURM queue",
    "brainlm encode study.toml --out results/study --cluster local": "as many cores",
}


def blocks(page):
    """Language, number among those of that language, and text of each block of a page."""
    counted = {}
    for language, text in BLOCK.findall(page.read_text("utf-8")):
        if language != "{toctree}":
            counted[language] = counted.get(language, 0) + 1
            yield language, counted[language], text


def commands():
    """The lines of blocks of commands that no other test runs."""
    for page in PAGES:
        for language, number, text in blocks(page):
            if (page.name, language, number) not in ELSEWHERE:
                assert language == "", f"{page.name}: no test runs its {language} block {number}"
                yield from ((page.name, line) for line in text.splitlines() if line.strip())


def test_no_block_is_forgotten():
    there = {(page.name, *block[:2]) for page in PAGES for block in blocks(page)}
    assert set(ELSEWHERE) <= there
    assert len(there) > 12
    for place in set(ELSEWHERE.values()):
        file, _, name = place.partition(": ")
        path = Path(__file__) if file == "here" else Path(__file__).parent / file
        assert f"def {name}" in path.read_text("utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the commands of the pages find: a study, a bundle, a BIDS folder."""
    path = write_study(tmp_path / "arrays")
    path.rename(tmp_path / "study.toml")
    for each in (tmp_path / "arrays").iterdir():
        each.rename(tmp_path / each.name)
    make_bundle(tmp_path / "results" / "demo")
    functional = tmp_path / "my-study" / "sub-01" / "func"
    functional.mkdir(parents=True)
    (functional / "sub-01_task-story_bold.nii.gz").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")
@pytest.mark.parametrize(("page", "line"), list(commands()))
def test_a_command_runs_as_it_stands(folder, page, line):
    for beginning, reason in NEEDS.items():
        if line.startswith(beginning):
            pytest.skip(f"{line.partition('#')[0].strip()}: needs {reason}")
    words = shlex.split(line, comments=True)
    assert words[0] == "brainlm"
    if words[1] == "run" and words[2:] and words[2].startswith("decode_"):
        # It takes minutes to hours: its options are read here, test_analyses.py runs it in debug.
        only = typer.Typer()
        only.command()(load_analysis(words[2]).main)
        context = typer.main.get_command(only).make_context(words[2], words[3:])
        assert context.params
        return
    if words[1] == "describe" and not is_on_disk(words[2]):
        pytest.skip(f"needs the data set {words[2]}: brainlm datasets {words[2]} says where it is")
    done = CliRunner().invoke(app, words[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.output.strip()


@pytest.mark.long
def test_settings_of_the_page_are_taken(folder):
    """On the words of the norms that the machine has; what the file says, ``--set`` changes."""
    if not is_cached("minilm") or not is_on_disk("human-ratings"):
        pytest.skip("needs `brainlm fetch minilm human-ratings`")
    _, (_, _, settings), (_, _, command) = blocks(ROOT / "docs" / "command-line.md")
    (folder / "run.toml").write_text(settings)
    done = CliRunner().invoke(app, shlex.split(command)[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "layer 6" in done.output
    assert "layer 0" not in done.output
    assert (folder / "results" / "try" / "log.txt").is_file()


def test_the_reference_lists_every_public_name():
    text = (ROOT / "docs/api.rst").read_text("utf-8")
    names = [name for name in dir(brainlm) if not isinstance(getattr(brainlm, name), ModuleType)]
    public = [name for name in names if not name.startswith("_")]
    listed = re.findall(r"^   (\w+)$", text, re.MULTILINE)
    assert sorted(listed) == sorted(public)
    assert len(set(listed)) == len(listed)
