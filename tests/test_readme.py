"""What the README says is true: its code runs, its commands exist."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from brainlm.cli.analyses import list_analyses
from brainlm.cli.app import app
from brainlm.datasets.folders import is_on_disk
from brainlm.language_models.sources import is_cached

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text("utf-8")
PAGES = ("command-line.md", "analyses.md")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_first_block_runs_as_pasted(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS[0], "README.md", "exec"), {})
    plt.close("all")
    printed = re.search(r"```text\n(.*?)```", TEXT, flags=re.DOTALL)[1]
    assert capsys.readouterr().out == printed
    assert (tmp_path / "layer_curve.png").is_file()


def test_it_is_short():
    assert TEXT.count("\n") <= 120


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")
def test_second_block_runs_with_its_data_and_model(capsys):
    if not is_on_disk("alice-fmri"):
        pytest.skip("needs the data set alice-fmri: brainlm datasets alice-fmri says where it is")
    if not is_cached("smollm2"):
        pytest.skip("needs the model smollm2: brainlm fetch smollm2")
    exec(compile(BLOCKS[1], "README.md", "exec"), {})
    assert "best layer on the other folds" in capsys.readouterr().out


def test_commands_and_analyses_exist():
    pages = [(README.parent / "docs" / name).read_text("utf-8") for name in PAGES]
    fenced = "".join(re.findall(r"^```\w*\n(.*?)^```", pages[0], flags=re.DOTALL | re.MULTILINE))
    commands = set(re.findall(r"^brainlm ([a-z]+)", fenced, flags=re.MULTILINE))
    assert len(commands) > 4
    named = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert commands <= named
    table = set(re.findall(r"^\| `([a-z0-9_]+)` \|", pages[1], flags=re.MULTILINE))
    assert table == set(list_analyses())


def test_links_and_files_are_there():
    for path in re.findall(r"\]\(([^)h][^)]*)\)", TEXT) + re.findall(r"`(figures/[^`]+)`", TEXT):
        assert (README.parent / path.partition("#")[0]).is_file(), path
