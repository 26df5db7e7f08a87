"""Cards and data of strangers reach nothing outside of their folder."""

import pytest

from brainlm.datasets.card import read_card
from brainlm.datasets.fetch import fetch_dataset
from brainlm.errors import CorruptDataError
from brainlm.storage.whole_files import inside

CARD = """
name = "strange"
title = "A stranger's"
modality = "ratings"
languages = ["en"]
level = "word"
licence = "CC0-1.0"
noncommercial = false
folder = [{folder}]
subjects = ["group"]
{checksums}
[source]
how = "url"
pages = ["https://example.org"]
base_url = "http://127.0.0.1:9/"
{source}
[open]
reader = "tables"
[open.options]
language = "en"
unit = "rating 0-6"
[[open.options.tables]]
path = {path}
word = "Word"
columns = ["x"]
"""
GOOD = {
    "folder": '"strange"',
    "checksums": '[checksums]\n"norms.csv" = "' + "0" * 64 + '"\n',
    "source": "",
    "path": '"norms.csv"',
}
OUTSIDE = ["../../../victim.sh", "/etc/victim", "a/../../victim", "..\\\\victim", "C:\\\\victim"]


def card(tmp_path, **changes):
    path = tmp_path / "strange.toml"
    path.write_text(CARD.format(**{**GOOD, **changes}))
    return path


@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize("place", ["checksums", "folder", "path", "urls"])
def test_no_path_of_a_card_leaves_its_folder(tmp_path, place, outside):
    changes = {
        "checksums": {"checksums": f'[checksums]\n"{outside}" = "{"0" * 64}"\n'},
        "folder": {"folder": f'"{outside}"'},
        "path": {"path": f'"{outside}"'},
        "urls": {"source": f'urls = {{ "{outside}" = "http://127.0.0.1:9/x" }}'},
    }[place]
    with pytest.raises(CorruptDataError, match="leaves the folder of the data"):
        read_card(card(tmp_path, **changes))


def test_a_file_is_not_fetched_through_a_link_that_leads_out(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "norms.csv").write_text("mine")
    folder = tmp_path / "root" / "strange"
    folder.parent.mkdir()
    folder.mkdir()
    (folder / "deep").symlink_to(elsewhere)
    deep = GOOD["checksums"].replace("norms.csv", "deep/norms.csv")
    with pytest.raises(CorruptDataError, match="leads out of"):
        fetch_dataset(card(tmp_path, checksums=deep), folder.parent)
    assert (elsewhere / "norms.csv").read_text() == "mine"


def test_paths_inside_are_as_before(tmp_path):
    assert inside(tmp_path, "a/b..c/x.csv") == tmp_path / "a" / "b..c" / "x.csv"
    assert read_card(card(tmp_path)).folder == ("strange",)
