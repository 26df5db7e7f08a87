"""Groups of options: dataclasses in the signature, single options on the command line."""

import inspect
from dataclasses import dataclass
from pathlib import Path

import pytest

from brainlm.workflow import Run, grouped, option, options, run_command


@dataclass(frozen=True)
class Search:
    beam: int = option(20, "Hypotheses that are kept.", min=1)
    exact: bool = option(False, "Search every word.")


SEARCH = Search(beam=5)
calls = []


@grouped
def main(search: Search = SEARCH, out: options.Out = Path("results/x")) -> None:
    """Search."""
    calls.append((search, Run(locals()).settings))


@pytest.fixture(autouse=True)
def _no_calls():
    calls.clear()


def test_fields_are_options_with_the_defaults_of_their_group():
    main()
    main(exact=True)
    assert [search for search, _ in calls] == [Search(5), Search(5, True)]
    assert calls[1][1] == {"beam": 5, "exact": True}  # recorded one by one
    assert list(inspect.signature(main).parameters) == ["beam", "exact", "out"]
    with pytest.raises(TypeError, match="colour"):
        main(colour=1)


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
