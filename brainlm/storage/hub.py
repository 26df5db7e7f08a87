"""Archives of data sets on the Hugging Face hub: downloaded by its own client, and unpacked."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
from pathlib import Path

from brainlm.errors import CorruptDataError, DataMissingError

REVISION = ".brainlm-revision"
PACKED = 200  # bytes that a byte of an archive may become


def fetch_hub(repository: str, revision: str, archive: str, folder: Path) -> Path:
    """Download a tar archive of a data set on the hub and unpack it into ``folder``.

    The hub's client keeps the archive in its own cache, resumes an interrupted download and checks
    its checksum. The commit is written into the folder (``.brainlm-revision``); a folder that has
    one stays as it is, so that a branch which moves on changes no results. Folders at the top of
    the archive that hold nothing but one folder are left out.

    Parameters
    ----------
    repository : str
        Data set on the hub, "owner/name".
    revision : str
        Commit, tag or branch.
    archive : str
        Path of the archive in the repository.
    folder : Path

    Raises
    ------
    DataMissingError
        The hub cannot be reached, or has no such data set, revision or archive.
    CorruptDataError
        The folder holds another commit or files of another origin, or the archive is broken, would
        write outside of the folder, or unpacks to far more than data do.
    """
    stamp = folder / REVISION
    held = stamp.read_text("utf-8").strip() if stamp.is_file() else ""
    name, _, commit = held.partition("@")
    pinned = re.fullmatch(r"[0-9a-f]{40}", revision) is not None
    if name == f"{repository}/{archive}" and (commit == revision or not pinned):
        return folder
    if folder.is_dir() and any(folder.iterdir()):
        raise CorruptDataError(
            f"{folder}: holds {held or 'files of another origin'}, and {repository}/{archive}"
            f"@{revision} would be mixed into it: move the folder away first, or fetch into "
            "another one with root= (--root)"
        )
    commit, path = _download(repository, revision, archive)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as scratch:
        content = _unpack(path, Path(scratch) / "content")
        (content / REVISION).write_text(f"{repository}/{archive}@{commit}\n", "utf-8")
        if folder.is_dir():
            folder.rmdir()
        os.replace(content, folder)  # atomic: a reader sees the whole data set or none
    return folder


def _download(repository: str, revision: str, archive: str) -> tuple[str, Path]:
    """Return the commit and the downloaded archive."""
    from huggingface_hub import hf_hub_download

    try:
        path = hf_hub_download(repository, archive, repo_type="dataset", revision=revision)
    except (OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise DataMissingError(
            f"{archive} of the data set {repository!r} (revision {revision}) could not be "
            f"downloaded from the Hugging Face hub: {reason}. Check the network and fetch again: "
            f"the download is resumed. On a machine with network, `hf download --repo-type dataset "
            f"{repository} {archive}` fetches the archive by hand"
        ) from error
    # The cache of the client: .../snapshots/COMMIT/ARCHIVE
    parents = Path(path).parts
    commit = parents[parents.index("snapshots") + 1] if "snapshots" in parents else revision
    return commit, Path(path)


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive; return the first folder that holds more than one folder."""
    try:
        with tarfile.open(archive) as opened:
            members = opened.getmembers()
            size = sum(member.size for member in members)
            if size > PACKED * archive.stat().st_size:
                raise CorruptDataError(
                    f"{archive}: would unpack to {size} bytes, more than {PACKED} times its size: "
                    "not a data set"
                )
            free = shutil.disk_usage(folder.parent).free
            if size > free:
                raise CorruptDataError(
                    f"{archive}: unpacks to {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free in "
                    f"{folder.parent}: make room, or fetch into another folder with root= (--root)"
                )
            opened.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise CorruptDataError(f"{archive}: broken archive ({error}); fetch it again") from error
    while len(inside := [p for p in folder.iterdir() if not p.name.startswith("._")]) == 1:
        if not inside[0].is_dir():
            break
        folder = inside[0]
    return folder
