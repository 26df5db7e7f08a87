"""Files written atomically and verified by a checksum when they are read.

A checked file begins with one line, ``brainlm`` and the BLAKE2 hash of the rest. It gets its name
only after it has been written to the disk.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PureWindowsPath

import numpy as np

from brainlm.errors import CorruptDataError

HEAD = b"brainlm "
N_HEX = 64  # of a hash of 32 bytes
BLOCK = 1 << 23  # bytes that a thread hashes at a time


def write_checked(path: Path, content: bytes) -> None:
    """Write a file with the hash of its content, atomically.

    A power cut after it returns does not lose the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(HEAD + _hash(content).encode() + b"\n")
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
        sync_folder(path.parent)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def read_checked(path: Path) -> bytes | None:
    """Return the content of a file from `write_checked`; None where there is none.

    Warns
    -----
    UserWarning
        The file is damaged and was removed; None is returned.
    """
    try:
        whole = path.read_bytes()
    except FileNotFoundError:
        return None
    start = len(HEAD) + N_HEX + 1
    content = whole[start:]
    if whole[:start] == HEAD + _hash(content).encode() + b"\n":
        return content
    warnings.warn(f"{path}: damaged, computed again", UserWarning, stacklevel=3)
    path.unlink(missing_ok=True)
    return None


def check_writable(folder: Path, fix: str) -> Path:
    """Return the nearest existing folder; raise where it cannot be written to.

    Parameters
    ----------
    folder : Path
        May not exist yet.
    fix : str
        What the user can do.

    Raises
    ------
    PermissionError
        No permission, or the file system is read-only.
    """
    folder = folder.absolute()
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(nearest, os.W_OK):
        raise PermissionError(f"{nearest}: no permission to write there (or read-only); {fix}")
    return nearest


def leaves_folder(path: str | Path) -> bool:
    """Return whether a relative path of a stranger's file is absolute or climbs out."""
    parts = PureWindowsPath(path).parts  # knows both kinds of slashes, and drives
    return PureWindowsPath(path).anchor != "" or ".." in parts


def inside(folder: Path, path: str | Path) -> Path:
    """Return ``folder / path``; raise where it lies outside of the folder, links followed.

    Raises
    ------
    CorruptDataError
        The path is absolute, climbs out with ``..``, passes a link that leads out, or is no name.
    """
    found = folder / path
    if not str(path).isprintable():  # NUL or half a character: the system takes no such name
        raise CorruptDataError(f"{folder}: {str(path)!r} is no name of a file")
    if leaves_folder(path) or not found.resolve().is_relative_to(folder.resolve()):
        raise CorruptDataError(f"{path}: leads out of {folder}, which is not allowed")
    return found


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to the disk, where the system supports it."""
    with suppress(OSError, AttributeError):  # Windows opens no folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_file(path: Path) -> None:
    """Flush a file to the disk."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def checksum(path: Path) -> str:
    """Return a hash of a large file: BLAKE2 of the size and of the BLAKE2 of each 8 MiB.

    The blocks are hashed in parallel, and none stays in memory.
    """
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=32)
    if size == 0:
        return digest.hexdigest()
    content = np.memmap(path, dtype=np.uint8, mode="r")

    def hash_of(start: int) -> bytes:
        found = hashlib.blake2b(content[start : start + BLOCK].data, digest_size=32).digest()
        release_pages(content, start, min(BLOCK, size - start))  # or they would fill memory
        return found

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for found in pool.map(hash_of, range(0, size, BLOCK)):
            digest.update(found)
    return digest.hexdigest()


def release_pages(array: np.ndarray, start: int = 0, size: int | None = None) -> None:
    """Release the pages of a mapped file that were read, so that they do not fill memory.

    All of them, or ``size`` bytes from ``start``, which begins a page.
    """
    mapped = getattr(array, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED, start, len(mapped) if size is None else size)


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=32).hexdigest()
