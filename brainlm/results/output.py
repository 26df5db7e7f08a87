"""Output folders: checked and locked before any computation, and replaced without loss."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from brainlm.storage.store import PartStore
from brainlm.storage.whole_files import check_writable, sync_folder

ROOM = 20_000_000  # bytes


def check_output(folder: Path | str, *, overwrite: bool = False, needed: int = ROOM) -> Path:
    """Raise when results cannot be written to ``folder``; called before any computation.

    Parameters
    ----------
    folder : path
    overwrite : bool
    needed : int
        Bytes that must be free. Default: what a bundle with a few figures takes.

    Raises
    ------
    FileExistsError
        The folder has content and ``overwrite`` is False, or the content is not a bundle (which is
        never removed).
    PermissionError
        The nearest existing parent cannot be written to.
    OSError
        Its disk has less room than ``needed`` (errno ENOSPC).
    """
    folder = Path(folder)
    parent = check_writable(folder.absolute().parent, "choose another --out")
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise OSError(
            errno.ENOSPC,
            f"{free / 1e6:.0f} MB are free, about {needed / 1e6:.0f} MB are needed",
            str(parent),
        )
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return folder
    if not (folder / "bundle.json").is_file():
        raise FileExistsError(f"{folder}: exists and is not a result bundle; choose another --out")
    if not overwrite:
        raise FileExistsError(
            f"{folder}: holds a result bundle already; choose another --out or pass --overwrite"
        )
    return folder


@contextmanager
def hold_output(
    folder: Path | str, *, overwrite: bool = False, needed: int = ROOM
) -> Iterator[Path]:
    """Check an output folder, and lock it against other processes until the end.

    Files that a killed run left beside it are removed, and a bundle that it had moved aside is
    restored.

    Parameters and errors as in `check_output`; and

    Raises
    ------
    FileExistsError
        Another process writes there; the message names it.
    """
    folder = Path(folder)
    check_output(folder, overwrite=True, needed=needed)
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    holder = _beside(folder, "holder")
    lock = FileLock(_beside(folder, "lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise FileExistsError(
            f"{folder}: {_named(holder)} is writing there; wait for it, or choose another --out"
        ) from None
    try:
        recover(folder)
        check_output(folder, overwrite=overwrite, needed=needed)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        about = {"process": os.getpid(), "host": socket.gethostname(), "since": now}
        holder.write_text(json.dumps(about), encoding="utf-8")
        yield folder
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def replace_folder(new: Path, folder: Path) -> None:
    """Move a finished folder to its place without losing the old one.

    The old one is moved aside, the new one moved in, and then the old one removed. If the process
    is killed in between, `recover` restores the old one.
    """
    aside = _beside(folder, "replaced")
    if folder.exists():
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(folder, aside)
    os.replace(new, folder)
    sync_folder(folder.absolute().parent)
    shutil.rmtree(aside, ignore_errors=True)


def recover(folder: Path) -> None:
    """Restore a bundle that a killed process had moved aside, and remove its unfinished files.

    Finished parts that are older than the bundle were put into it: they are removed, too.
    """
    aside = _beside(folder, "replaced")
    if aside.exists() and not folder.exists():
        os.replace(aside, folder)
    for left in [aside, *folder.absolute().parent.glob(f".{folder.name}-new-*")]:
        shutil.rmtree(left, ignore_errors=True)
    record = folder / "bundle.json"
    if record.is_file():
        for parts in (folder.with_name(f"{folder.name}.parts"), PartStore.beside(folder).folder):
            _remove_older(parts, record.stat().st_mtime_ns)


def _remove_older(parts: Path, date: int) -> None:
    """Remove files up to a date, and the folder once it is empty."""
    for path in parts.glob("**/*"):
        if path.is_file() and path.stat().st_mtime_ns <= date:
            path.unlink(missing_ok=True)
    if parts.is_dir() and not any(path.is_file() for path in parts.glob("**/*")):
        shutil.rmtree(parts, ignore_errors=True)


def _beside(folder: Path, what: str) -> Path:
    folder = folder.absolute()
    return folder.parent / f".{folder.name}.{what}"


def _named(holder: Path) -> str:
    try:
        about = json.loads(holder.read_text("utf-8"))
        return f"process {about['process']} on {about['host']} (since {about['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
