import hashlib
import os

import pytest
from support.server import serving
from support.tiny_data_set import CARD, SERIES, TEXTGRID

from brainlm.datasets.fetch import fetch_dataset
from brainlm.datasets.open import open_dataset
from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.storage.downloads import fetch_url

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
FILES = {
    "a b.bin": CONTENT,
    "story.TextGrid": TEXTGRID.encode(),
    "s1.txt": SERIES.encode(),
    "s2.txt": SERIES.encode(),
}


@pytest.fixture
def server():
    with serving(FILES) as running:
        yield running


@pytest.fixture
def card(tmp_path, server, monkeypatch):
    monkeypatch.delenv("BRAINLM_DATA", raising=False)
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    names = ("story.TextGrid", "s1.txt", "s2.txt")
    sums = "".join(f'"{n}" = "{hashlib.sha256(FILES[n]).hexdigest()}"\n' for n in names)
    text = CARD.replace('how = "manual"', f'how = "url"\nbase_url = "{server.url}"')
    path = tmp_path / "tiny.toml"
    path.write_text(f"{text}\n[checksums]\n{sums}")
    return path


def test_a_file_arrives_whole_and_stays(server, tmp_path):
    path = tmp_path / "new" / "a.bin"
    assert fetch_url(server.url + "a%20b.bin", DIGEST, path).read_bytes() == CONTENT
    fetch_url(server.url + "a%20b.bin", DIGEST, path)
    assert len(server.requests) == 1
    assert os.listdir(path.parent) == ["a.bin"]


@pytest.mark.parametrize("then", ["none", "no-range"])
def test_a_transfer_that_broke_off_goes_on_or_begins_again(server, tmp_path, then):
    server.flaw = "cut"
    with pytest.raises(DataMissingError, match=r"262144 bytes are kept.*resumes there"):
        fetch_url(server.url + "a%20b.bin", DIGEST, tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()
    server.flaw = then
    fetch_url(server.url + "a%20b.bin", DIGEST, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.requests[-1][1] == "bytes=262144-"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_part_of_something_else_is_not_gone_on_with(server, tmp_path):
    (tmp_path / f".a.bin.{DIGEST[:12]}.part").write_bytes(b"something else")
    fetch_url(server.url + "a%20b.bin", DIGEST, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [start for _, start in server.requests] == ["bytes=14-", None]


def test_a_finished_part_needs_nothing_more(server, tmp_path):
    (tmp_path / f".a.bin.{DIGEST[:12]}.part").write_bytes(CONTENT)
    fetch_url(server.url + "a%20b.bin", DIGEST, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("flaw", "error", "message"),
    [
        ("html", CorruptDataError, "an HTML page, not data"),
        ("other", CorruptDataError, f"expected {DIGEST}"),
        ("empty", CorruptDataError, "sent an empty file"),
        ("error", DataMissingError, "could not download .*404"),
    ],
)
def test_what_is_not_the_file_is_named_and_not_kept(server, tmp_path, flaw, error, message):
    server.flaw = flaw
    with pytest.raises(error, match=message) as raised:
        fetch_url(server.url + "a%20b.bin", DIGEST, tmp_path / "a.bin")
    assert server.url in str(raised.value)
    assert os.listdir(tmp_path) == []


def test_a_server_that_is_gone_is_named(tmp_path):
    with serving({}) as server:
        url = server.url
    with pytest.raises(DataMissingError, match=f"could not download {url}x"):
        fetch_url(url + "x", DIGEST, tmp_path / "x")


def test_a_data_set_is_fetched_and_its_broken_file_again(card, server, tmp_path):
    folder = fetch_dataset(card, root=tmp_path / "mine")
    assert sorted(os.listdir(folder)) == ["s1.txt", "s2.txt", "story.TextGrid"]
    (folder / "s1.txt").write_text("broken")
    fetch_dataset(card, root=tmp_path / "mine")
    assert [path for path, _ in server.requests].count("/s1.txt") == 2
    assert open_dataset(card, "s1", root=tmp_path / "mine")[1].n_samples == 4


def test_only_the_wanted_subjects_are_fetched(card, server):
    folder = fetch_dataset(card, subjects=["s2"])
    assert sorted(os.listdir(folder)) == ["s2.txt", "story.TextGrid"]
    with pytest.raises(UnknownNameError, match=r"subject 's9' \(s9\.txt is not on the card\)"):
        fetch_dataset(card, subjects=["s9"])


def test_a_licence_against_commercial_use_is_accepted_first(card, server):
    text = (
        card.read_text()
        .replace("CC0-1.0", "CC-BY-NC-4.0")
        .replace("noncommercial = false", "noncommercial = true")
    )
    card.write_text(text)
    with pytest.raises(ValueError, match=r"CC-BY-NC-4\.0; not for commercial use.*accept_licence"):
        fetch_dataset(card)
    assert server.requests == []
    fetch_dataset(card, accept_licence=True)
