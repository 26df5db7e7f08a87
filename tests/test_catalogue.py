from pathlib import Path

import pytest
from typer.testing import CliRunner

from brainlm.catalogue import datasets_markdown
from brainlm.cli import app
from brainlm.datasets import list_datasets, read_card

PAGE = Path(__file__).parent.parent / "docs" / "datasets.md"


def test_the_page_of_data_sets_is_that_of_the_cards():
    assert PAGE.read_text("utf-8") == datasets_markdown(), (
        "run `brainlm datasets --markdown > docs/datasets.md`"
    )


def test_the_page_has_a_row_per_card_and_says_which_were_checked():
    rows = [line.split(" | ") for line in datasets_markdown().splitlines() if line[:2] == "| "][2:]
    assert [row[0].removeprefix("| ") for row in rows] == list_datasets()
    assert {len(row) for row in rows} == {7}
    for name, row in zip(list_datasets(), rows, strict=True):
        assert row[-1] == ("no |" if read_card(name).unverified else "yes |")


def test_the_page_does_not_depend_on_what_is_on_disk(monkeypatch, tmp_path):
    before = datasets_markdown()
    monkeypatch.setenv("BRAINLM_DATA", str(tmp_path))
    assert datasets_markdown() == before


def test_the_page_is_printed_whole_and_of_all_data_sets():
    result = CliRunner().invoke(app, ["datasets", "--markdown"])
    assert result.output == datasets_markdown()
    with pytest.raises(ValueError, match="leave 'geco' out"):
        CliRunner().invoke(app, ["datasets", "geco", "--markdown"], catch_exceptions=False)
