from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from brainlm.cli import catalogue
from brainlm.cli.app import app
from brainlm.cli.catalogue import coverage_rows, datasets_markdown
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import is_on_disk, list_datasets
from brainlm.errors import CorruptDataError
from brainlm.features.norms import Norm

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"


def test_the_page_of_data_sets_is_that_of_the_cards():
    assert PAGE.read_text("utf-8") == datasets_markdown(), (
        "run `brainlm datasets --markdown > docs/datasets.md`"
    )


def test_the_page_has_a_row_per_card_and_says_which_were_checked():
    rows = [line.split(" | ") for line in datasets_markdown().splitlines() if line[:2] == "| "][2:]
    assert [row[0].removeprefix("| ") for row in rows] == list_datasets()
    assert {len(row) for row in rows} == {9}
    for name, row in zip(list_datasets(), rows, strict=True):
        assert row[-1] == ("no |" if read_card(name).unverified else "yes |")


def test_the_page_says_how_large_a_data_set_is():
    page = datasets_markdown()
    assert "| 362 x 6 | yes |" in page  # Alice: samples x targets
    assert page.count("| ? |") < len(list_datasets()) / 4


def test_the_page_does_not_depend_on_what_is_on_disk(monkeypatch, tmp_path):
    before = datasets_markdown()
    monkeypatch.setenv("BRAINLM_DATA", str(tmp_path))
    assert datasets_markdown() == before


def test_the_page_is_printed_whole_and_of_all_data_sets():
    result = CliRunner().invoke(app, ["datasets", "--markdown"])
    assert result.output == datasets_markdown()
    with pytest.raises(ValueError, match="leave 'geco' out"):
        CliRunner().invoke(app, ["datasets", "geco", "--markdown"], catch_exceptions=False)


@pytest.fixture
def small_norms(monkeypatch):
    """Every norm is on disk and has two Chinese words, but one of them is broken."""
    norm = Norm("senses", "zh", ["狗", "电脑"], np.eye(2))

    def open_norm(name, root):
        if name == "binder-zh":
            raise CorruptDataError("file.csv is cut off")
        return norm

    monkeypatch.setattr(catalogue, "is_on_disk", lambda name, root: True)
    monkeypatch.setattr(catalogue, "is_cached", lambda name: False)
    monkeypatch.setattr(catalogue, "open_norm", open_norm)


def test_coverage_counts_words_and_different_words(small_norms):
    rows = coverage_rows(Stimulus(["狗", "狗", "狗", "猫"], "zh"))
    by_name = {row["feature space"]: row for row in rows}
    assert {"binder-zh", "concepts-zh-attributes"} <= set(by_name)
    covered = by_name["concepts-zh-attributes"]
    assert (covered["words"], covered["different words"]) == ("75.0%", "50.0%")
    broken = by_name["binder-zh"]
    assert (broken["words"], broken["different words"]) == ("not usable", "file.csv is cut off")


def test_coverage_names_the_other_script_and_leaves_other_languages_out(small_norms):
    rows = coverage_rows(Stimulus(["電腦"], "zh"))
    assert any("in traditional characters" in row["different words"] for row in rows)
    assert coverage_rows(Stimulus(["chien"], "fr")) == []


def test_describe_ends_with_the_coverage_of_real_words():
    if not (is_on_disk("littleprince-zh-words") and is_on_disk("binder-zh")):
        pytest.skip("needs littleprince-zh-words and binder-zh under BRAINLM_DATA")
    result = CliRunner().invoke(app, ["describe", "littleprince-zh-words"])
    assert result.exit_code == 0, result.output
    (row,) = [line for line in result.output.splitlines() if line.startswith("binder-zh")]
    shares = [float(cell.rstrip("%")) for cell in row.split()[-2:]]
    assert all(0 < share < 60 for share in shares)


def test_describe_says_when_nothing_covers_the_words(monkeypatch):
    monkeypatch.setattr(catalogue, "coverage_rows", lambda *_: [])
    if not is_on_disk("littleprince-fr-words"):
        pytest.skip("needs littleprince-fr-words under BRAINLM_DATA")
    result = CliRunner().invoke(app, ["describe", "littleprince-fr-words"])
    assert "none for 'fr'" in result.output
