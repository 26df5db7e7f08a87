"""Groups of options: dataclasses in the signature, single options on the command line."""

import inspect
from dataclasses import dataclass
from pathlib import Path

import pytest

from brainlm.workflow import Run, analysis, option, run_command
from brainlm.workflow.option_groups import grouped


@dataclass(frozen=True)
class Search:
    beam: int = option(20, "Hypotheses that are kept.", min=1)
    exact: bool = option(False, "Search every word.")


SEARCH = Search(beam=5)
calls = []


@analysis
def main(run: Run, search: Search = SEARCH) -> None:
    """Search."""
    calls.append((search, run))


@pytest.fixture(autouse=True)
def _no_calls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls.clear()


def test_fields_are_options_with_the_defaults_of_their_group():
    main()
    main(exact=True)
    assert [search for search, _ in calls] == [Search(5), Search(5, True)]
    run = calls[1][1]
    assert run.settings == {"beam": 5, "exact": True, "debug": False}  # recorded one by one
    assert (run.analysis, run.out) == ("test_option_groups", Path("results/test_option_groups"))
    common = ["out", "root", "debug", "overwrite"]
    assert list(inspect.signature(main).parameters) == ["beam", "exact", *common]
    with pytest.raises(TypeError, match="test_option_groups has no option colour"):
        main(colour=1)


def test_an_output_folder_is_checked_before_anything_runs(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="out"):
        main(out=tmp_path / "out", overwrite=False)
    assert not calls
    main(out=str(tmp_path / "new"), root=str(tmp_path), debug=True)
    run = calls[0][1]
    assert (run.out, run.root, run.debug) == (tmp_path / "new", tmp_path, True)


def test_the_command_line_and_settings_take_every_field(capsys):
    with pytest.raises(SystemExit):
        run_command(main, ["--beam", "7", "--set", "exact=true"])
    assert calls[-1][0] == Search(7, True)
    with pytest.raises(SystemExit):
        run_command(main, ["--beam", "0"])
    assert "greater than or equal to 1" in capsys.readouterr().err
    assert len(calls) == 1


def test_two_groups_may_not_share_a_name():
    with pytest.raises(ValueError, match="two options are called beam, exact"):

        @grouped
        def main(search: Search = SEARCH, again: Search = SEARCH) -> None:
            """Never called."""
