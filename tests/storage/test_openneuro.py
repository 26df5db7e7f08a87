"""Fetching from OpenNeuro: the real client against a server on the loopback address."""

import json
import os
import sys

import pytest
from support.server import serving
from support.tiny_data_set import CARD, SERIES, TEXTGRID

from brainlm.datasets.fetch import fetch_dataset
from brainlm.datasets.folders import list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.storage import openneuro as ours
from brainlm.storage.openneuro import UNFINISHED, matches

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    # What the client leaves open when it breaks off.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

FILES = {
    "dataset_description.json": json.dumps(
        {"Name": "tiny", "DatasetDOI": "doi:10.18112/openneuro.ds000001.v1.0.0"}
    ).encode(),
    "derivatives/sub-1/sub-1_bold.txt": SERIES.encode(),
    "derivatives/sub-2/sub-2_bold.txt": SERIES.encode(),
    "derivatives/sub-2/sub-2_other.txt": b"not needed",
    "stimuli/a story.TextGrid": TEXTGRID.encode(),
    "sub-1/func/sub-1_bold.nii.gz": b"raw data, not needed",
}
SOURCE = """how = "openneuro"
dataset = "ds000001"
files = ["derivatives/sub-{subject}/*_bold.txt", "stimuli/*"]
"""


@pytest.fixture
def server(monkeypatch):
    client = pytest.importorskip("openneuro._download", reason="openneuro-py is not installed")
    with serving(FILES) as running:
        running.snapshot = "ds000001:1.0.0"
        monkeypatch.setattr(client, "gql_url", running.url + "graphql")
        monkeypatch.setattr(ours, "RETRIES", 0)
        yield running


@pytest.fixture
def card(tmp_path, monkeypatch):
    monkeypatch.delenv("BRAINLM_DATA", raising=False)
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    text = CARD.replace('how = "manual"\n', SOURCE).replace('"tiny_alias"', '"ds000001"')
    text = text.replace('"{subject}.txt"', '"derivatives/sub-{subject}/sub-{subject}_bold.txt"')
    text = text.replace('"story.TextGrid"', '"stimuli/a story.TextGrid"')
    path = tmp_path / "tiny.toml"
    path.write_text(text)
    return path


def got(server):
    return [path for path, _ in server.requests]


def test_a_subject_is_fetched_and_opens(card, server, tmp_path):
    folder = fetch_dataset(card, subjects=["2"])
    assert folder == tmp_path / "cache" / "data" / "ds000001"
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == {
        "dataset_description.json",
        "derivatives/sub-2/sub-2_bold.txt",
        "stimuli/a story.TextGrid",
    }
    assert list_subjects(card) == ["2"]
    assert open_dataset(card, "2")[1].n_samples == 4
    n = len(server.requests)
    assert fetch_dataset(card) == folder  # the others come; what is here and right stays
    assert got(server)[n:] == ["/derivatives/sub-1/sub-1_bold.txt"]
    assert list_subjects(card) == ["1", "2"]


def test_a_changed_file_is_fetched_again(card, server):
    folder = fetch_dataset(card)
    path = folder / "derivatives/sub-1/sub-1_bold.txt"
    path.write_text(SERIES.replace("5", "6"))  # the same size
    fetch_dataset(card)
    assert path.read_text() == SERIES


@pytest.mark.parametrize("flaw", ["cut", "other", "html", "error"])
def test_an_unfinished_download_is_not_opened_and_goes_on(card, server, flaw):
    fetch_dataset(card, subjects=["1"])
    server.flaw = flaw
    with pytest.raises(DataMissingError, match=r"(?s)could not fetch ds000001.*is resumed"):
        fetch_dataset(card, subjects=["2"])
    (folder,) = card.parent.glob("cache/data/*")
    came = (folder / "derivatives/sub-2/sub-2_bold.txt").exists()
    assert came == (flaw != "error")
    assert (folder / UNFINISHED).exists() == came  # where nothing came, nothing is unfinished
    if came:
        with pytest.raises(CorruptDataError, match=r"sub-2_bold\.txt: its download did not finish"):
            open_dataset(card, "2")
    server.flaw = "none"
    fetch_dataset(card, subjects=["2"])
    assert not (folder / UNFINISHED).exists()
    assert open_dataset(card, "2")[1].n_samples == 4


def test_another_snapshot_is_not_mixed_in(card, server):
    fetch_dataset(card, subjects=["1"])
    server.snapshot = "ds000001:2.0.0"
    with pytest.raises(CorruptDataError, match=r"2\.0\.0, but revision 1\.0\.0 exists"):
        fetch_dataset(card)
    assert open_dataset(card, "1")[1].n_samples == 4


def test_what_is_complete_still_opens_after_a_fetch_that_brought_nothing(card, server):
    folder = fetch_dataset(card, subjects=["1"])
    with pytest.raises(DataMissingError, match="sub-9"):
        fetch_dataset(card, subjects=["9"])
    server.shutdown()
    server.server_close()
    with pytest.raises(DataMissingError, match="could not fetch"):
        fetch_dataset(card, subjects=["1"])
    assert not (folder / UNFINISHED).exists()
    assert open_dataset(card, "1")[1].n_samples == 4


def test_unknown_subjects_are_named(card, server):
    with pytest.raises(DataMissingError, match=r"derivatives/sub-9/\*_bold\.txt"):
        fetch_dataset(card, subjects=["9"])


def test_a_clone_is_not_written_into(card, server):
    folder = card.parent / "cache/data/ds000001"
    (folder / ".git").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"a clone of git or DataLad.*datalad get"):
        fetch_dataset(card)
    assert server.requests == []
    assert os.listdir(folder) == [".git"]


def test_a_server_that_is_gone_is_named(card, monkeypatch):
    client = pytest.importorskip("openneuro._download", reason="openneuro-py is not installed")
    with serving({}) as gone:
        monkeypatch.setattr(client, "gql_url", gone.url)
        monkeypatch.setattr(ours, "RETRIES", 0)
    with pytest.raises(DataMissingError, match="could not fetch ds000001 from OpenNeuro"):
        fetch_dataset(card)


def test_without_the_client_its_extra_is_named(card, monkeypatch):
    monkeypatch.setitem(sys.modules, "openneuro", None)
    with pytest.raises(DataMissingError, match=r"pip install 'brainlm\[openneuro\]'"):
        fetch_dataset(card)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"ds000001"]', '"ds000002"]', "folder must name ds000001"),
        ('dataset = "ds000001"\n', "", "'openneuro' needs dataset and files"),
        ('"ds000001"\n', '"../1"\n', "dataset"),
    ],
)
def test_cards_are_checked(card, old, new, message):
    text = card.read_text()
    assert old in text
    card.write_text(text.replace(old, new))
    with pytest.raises(CorruptDataError, match=message):
        fetch_dataset(card)


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a/b.txt", "a/*", True),
        ("a/b/c.txt", "a/*", False),
        ("a/b/c.txt", "a/**", True),
        ("a/b.txt", "a/b_txt", False),
        ("x/a/b.txt", "a/*", False),
        ("a/bxtxt", "a/b.txt", False),
    ],
)
def test_patterns(path, pattern, expected):
    assert matches(path, pattern) is expected
