"""What the README says is true: its code runs, its commands exist."""

import re
from pathlib import Path

import pytest

from brainlm.cli.app import app, list_analyses
from brainlm.datasets.folders import is_on_disk
from brainlm.language_models.sources import is_cached

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_first_block_runs_as_pasted(capsys):
    exec(compile(BLOCKS[0], "README.md", "exec"), {})
    assert "Scores(" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")
def test_second_block_runs_with_its_data_and_model(capsys):
    if not is_on_disk("alice-fmri"):
        pytest.skip("needs the data set alice-fmri: brainlm datasets alice-fmri says where it is")
    if not is_cached("smollm2"):
        pytest.skip("needs the model smollm2: brainlm fetch smollm2")
    exec(compile(BLOCKS[1], "README.md", "exec"), {})
    assert capsys.readouterr().out.count("Scores(") == 3


def test_commands_and_analyses_exist():
    fenced = "".join(re.findall(r"^```\w*\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE))
    commands = set(re.findall(r"^brainlm ([a-z]+)", fenced, flags=re.MULTILINE))
    assert len(commands) > 4
    named = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert commands <= named
    table = set(re.findall(r"^\| `([a-z0-9_]+)` \|", TEXT, flags=re.MULTILINE))
    assert table == set(list_analyses())


def test_links_and_files_are_there():
    for path in re.findall(r"\]\(([^)h][^)]*)\)", TEXT) + re.findall(r"`(figures/[^`]+)`", TEXT):
        assert (README.parent / path).is_file(), path
