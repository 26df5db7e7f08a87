"""Archives on the Hugging Face hub, without a hub: its client is replaced."""

from __future__ import annotations

import tarfile

import huggingface_hub
import pytest

from brainlm.datasets.fetch import fetch_dataset
from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.storage.hub import REVISION, fetch_hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIVEN = ("owner/bench", "main", "bench.tar.gz")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with one archive: train and dev below two folders that hold nothing else."""
    source = tmp_path / "source"
    for part in ("train", "dev"):
        (source / "data/bench" / part).mkdir(parents=True)
        (source / "data/bench" / part / "words.txt").write_text(part)
    path = tmp_path / f"cache/snapshots/{COMMIT}/bench.tar.gz"
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as archive:
        archive.add(source / "data", "data")
    asked = []

    def download(repository, file, *, repo_type, revision):
        asked.append((repository, file, repo_type, revision))
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return asked, path


def test_the_parts_are_at_the_top_and_the_commit_is_kept(hub, tmp_path):
    asked, _ = hub
    folder = fetch_hub(*GIVEN, tmp_path / "root/bench")
    assert (folder / "train/words.txt").read_text() == "train"
    assert (folder / REVISION).read_text() == f"owner/bench/bench.tar.gz@{COMMIT}\n"
    assert asked == [("owner/bench", "bench.tar.gz", "dataset", "main")]
    assert [path.name for path in folder.parent.iterdir()] == ["bench"]
    fetch_hub(*GIVEN, folder)
    assert len(asked) == 1  # what is here stays, with or without network
    with pytest.raises(CorruptDataError, match=f"holds owner/bench/bench.tar.gz@{COMMIT}"):
        fetch_hub("owner/bench", "f" * 40, "bench.tar.gz", folder)


def test_other_files_are_not_mixed_with_it(hub, tmp_path):
    folder = tmp_path / "root/bench"
    folder.mkdir(parents=True)
    fetch_hub(*GIVEN, folder)  # an empty folder is none
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine.txt").write_text("mine")
    with pytest.raises(CorruptDataError, match="files of another origin"):
        fetch_hub(*GIVEN, tmp_path / "other")
    assert (tmp_path / "other/mine.txt").read_text() == "mine"


def test_a_broken_or_hostile_archive_leaves_nothing_behind(hub, tmp_path):
    _, path = hub
    folder = tmp_path / "root/bench"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptDataError, match="broken archive"):
        fetch_hub(*GIVEN, folder)
    with tarfile.open(path, "w:gz") as archive:
        outside = tarfile.TarInfo("../outside.txt")
        archive.addfile(outside)
    with pytest.raises(CorruptDataError, match="broken archive"):
        fetch_hub(*GIVEN, folder)
    (tmp_path / "zeros").write_bytes(bytes(1 << 20))
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tmp_path / "zeros", "zeros")
    with pytest.raises(CorruptDataError, match="more than 200 times its size"):
        fetch_hub(*GIVEN, folder)
    assert not any(folder.parent.iterdir())
    assert not (tmp_path / "outside.txt").exists()


def test_without_network_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("We couldn't connect to 'https://huggingface.co'.\nCheck your connection.")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    message = r"couldn.t connect.*hf download --repo-type dataset"
    with pytest.raises(DataMissingError, match=message):
        fetch_dataset("cogbench-words", root=tmp_path)
    assert not any(tmp_path.iterdir())
