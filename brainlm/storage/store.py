"""Computed arrays on disk, under a key of everything that they depend on; never pickled.

`PartStore` keeps the finished parts of one long computation. `cached_arrays` is a cache of large
arrays that several analyses share. An entry of that cache is a folder named by its key::

    <key>/entry.json    what went in, the shape, and a checksum of the values
    <key>/values.npy    the arrays of all names, (n_names, n_rows, n_features), float32

It is built in ``<key>.partial``, step by step and straight to disk, so it may be larger than
memory; an interrupted build resumes after its last recorded step, with the same result.
The finished folder is renamed into place, so a reader sees a whole entry or none, and a lock lets
one process build while others wait for it. An entry that fails its checksums is built again.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm import __version__
from brainlm.storage.downloads import cache_folder
from brainlm.storage.whole_files import (
    check_writable,
    checksum,
    read_checked,
    sync_folder,
    write_checked,
)

if TYPE_CHECKING:
    import xarray

VALUES = "values.npy"
NO_CACHE = "set BRAINLM_CACHE to a folder of your own"
SECONDS_BETWEEN_RECORDS = 10.0

Step = Callable[[int], tuple[np.ndarray, Iterable[np.ndarray]]]


def resolve_cache(cache: bool | str | Path) -> Path | None:
    """Return the folder of a cache: None for False, the usual one for True."""
    if isinstance(cache, bool):
        return cache_folder() / "embeddings" if cache else None
    return Path(cache).expanduser()


def content_key(parts: Mapping[str, Any]) -> str:
    """Return the SHA-256 of named contents: JSON-able values, arrays, and lists of arrays.

    Two keys agree exactly if all names, values, dtypes and shapes do.
    """
    digest = hashlib.sha256()
    for name in sorted(parts):
        value = parts[name]
        digest.update(f"\n{name}=".encode())
        if isinstance(value, np.ndarray):
            _add_array(digest, value)
        elif isinstance(value, list) and value and isinstance(value[0], np.ndarray):
            _add_array(digest, np.array([len(each) for each in value]))
            _add_array(digest, np.concatenate(value))
        else:
            text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=_json_value)
            digest.update(text.encode())
    return digest.hexdigest()


def _json_value(value: Any) -> Any:
    """Return a number of numpy or a path as JSON takes it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be part of a content key")


def _add_array(digest: Any, array: np.ndarray) -> None:
    digest.update(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)


@dataclass(frozen=True)
class PartStore:
    """A folder with the finished parts of a long computation, so that it can be resumed.

    Attributes
    ----------
    folder : Path
        Made when the first part is saved.
    """

    folder: Path

    @classmethod
    def beside(cls, out: Path | str) -> PartStore:
        """Return the store of the bundle ``out``: the folder ``.NAME-parts`` beside it."""
        out = Path(out)
        return cls(out.parent / f".{out.name}-parts")

    def path(self, key: Mapping[str, Any]) -> Path:
        """Return the file of a part, named by `content_key` of all that it depends on."""
        return self.folder / f"{content_key({**key, 'brainlm': __version__})[:32]}.part"

    def load(self, key: Mapping[str, Any]) -> xarray.Dataset | None:
        """Return a finished part; None where there is none.

        Warns
        -----
        UserWarning
            The file is damaged and was removed: the part is computed again.
        """
        import xarray

        content = read_checked(self.path(key))
        return None if content is None else xarray.load_dataset(BytesIO(content), engine="h5netcdf")

    def save(self, key: Mapping[str, Any], part: xarray.Dataset) -> None:
        """Write a part, whole or not at all."""
        content = BytesIO()
        part.to_netcdf(content, engine="h5netcdf")
        write_checked(self.path(key), content.getvalue())

    def load_json(self, key: Mapping[str, Any]) -> Any:
        """Return what `save_json` wrote, or None."""
        part = self.load(key)
        return None if part is None else json.loads(str(part["json"].values))

    def save_json(self, key: Mapping[str, Any], value: Any) -> None:
        """Write a part that is text and numbers rather than arrays."""
        import xarray

        self.save(key, xarray.Dataset({"json": json.dumps(value, ensure_ascii=False)}))

    def clear(self) -> None:
        """Remove all parts, once the bundle is written."""
        shutil.rmtree(self.folder, ignore_errors=True)


def cached_arrays(
    folder: Path,
    key: str,
    *,
    names: Sequence[str],
    shape: tuple[int, int],
    n_steps: int,
    compute: Step,
    plan: str = "",
    record: Mapping[str, Any] | None = None,
) -> tuple[np.ndarray, ...]:
    """Return the arrays of an entry, computing those that are missing.

    Parameters
    ----------
    folder : Path
        The cache.
    key : str
        See `content_key`; it must hold everything that the values depend on.
    names : sequence of str
        What each array is.
    shape : (int, int)
        Rows and columns of each array.
    n_steps : int
        Steps of the computation.
    compute : callable
        ``compute(i)`` returns step i: the rows it fills, (n,), and their values, (n, n_columns) of
        each name. All steps together fill every row once.
    plan : str
        How the work is cut into steps. A build begun under another plan starts again, because only
        the same steps give the same bits.
    record : mapping, optional
        Facts in ``entry.json`` for people to read.

    Returns
    -------
    tuple of arrays
        One per name, float32, read-only, mapped from disk.

    Raises
    ------
    OSError
        The disk has no room for the entry; reported before any computation.

    Warns
    -----
    UserWarning
        An entry was corrupt and is built again.
    """
    from filelock import FileLock

    entry = folder / key
    found = _read(entry, len(names), shape)
    if found is not None:
        return found
    check_writable(folder, NO_CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{key}.lock"):
        found = _read(entry, len(names), shape)  # another process may have built it meanwhile
        if found is not None:
            return found
        if entry.exists():
            if not _is_old(entry):
                told = f"{entry}: corrupt cache entry, built again"
                warnings.warn(told, UserWarning, stacklevel=2)
            shutil.rmtree(entry)
        _build(entry, names, shape, n_steps, compute, plan, dict(record or {}))
    found = _read(entry, len(names), shape)
    if found is None:
        raise OSError(f"{entry}: what was written could not be read back; check the disk")
    return found


def _read(entry: Path, n_arrays: int, shape: tuple[int, int]) -> tuple[np.ndarray, ...] | None:
    """Return the arrays of an intact entry, None where there is none."""
    try:
        expected = json.loads((entry / "entry.json").read_text("utf-8"))["blake2"]
        if checksum(entry / VALUES) != expected:
            return None
        values = np.load(entry / VALUES, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    fits = values.shape == (n_arrays, *shape) and values.dtype == np.float32
    return tuple(values) if fits else None


def _is_old(entry: Path) -> bool:
    """Return whether an entry was written with the sums of bytes that came before BLAKE2."""
    try:
        record = json.loads((entry / "entry.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and "checksum" in record and "blake2" not in record


def _build(
    entry: Path,
    names: Sequence[str],
    shape: tuple[int, int],
    n_steps: int,
    compute: Step,
    plan: str,
    record: dict[str, Any],
) -> None:
    partial = entry.with_name(f"{entry.name}.partial")
    work = {"plan": plan, "n_steps": n_steps, "shape": list(shape), "names": list(names)}
    for left in partial.glob(".*.json.*"):
        left.unlink()  # of a process that was killed: the caller holds the lock
    done = _steps_done(partial, work)
    if done is None:
        done = 0
        shutil.rmtree(partial, ignore_errors=True)
        _allocate(partial, len(names), shape)
    with open(partial / VALUES, "r+b", buffering=0) as file:
        start = os.path.getsize(file.name) - 4 * len(names) * shape[0] * shape[1]
        recorded = time.monotonic()
        for step in range(done, n_steps):
            _write_rows(file, start, shape, *compute(step))
            if time.monotonic() - recorded > SECONDS_BETWEEN_RECORDS or step == n_steps - 1:
                os.fsync(file.fileno())
                _write_json(partial / "journal.json", {**work, "steps_done": step + 1})
                recorded = time.monotonic()
    content = {**record, "names": list(names), "shape": list(shape)}
    _write_json(partial / "entry.json", {**content, "blake2": checksum(partial / VALUES)})
    (partial / "journal.json").unlink()
    sync_folder(partial)
    os.replace(partial, entry)
    sync_folder(entry.parent)


def _steps_done(partial: Path, work: dict[str, Any]) -> int | None:
    """Return how many steps of the same work were finished before; None: none of it."""
    try:
        journal = json.loads((partial / "journal.json").read_text("utf-8"))
        done = int(journal.pop("steps_done"))
    except (OSError, ValueError, KeyError):
        return None
    return done if journal == work else None


def _allocate(partial: Path, n_arrays: int, shape: tuple[int, int]) -> None:
    partial.mkdir(parents=True)
    needed = 4 * n_arrays * shape[0] * shape[1]
    free = shutil.disk_usage(partial).free
    if needed > free:
        partial.rmdir()
        raise OSError(
            f"{partial.parent} has {free / 1e9:.1f} GB free, the embeddings need "
            f"{needed / 1e9:.1f} GB: choose fewer layers, or another folder for the cache"
        )
    with open(partial / VALUES, "wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (n_arrays, *shape)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + needed)


def unbroken(rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield where each run of successive row numbers begins and ends."""
    edges = np.flatnonzero(np.diff(rows) != 1) + 1
    yield from itertools.pairwise([0, *edges.tolist(), len(rows)])


def _write_rows(
    file: Any, start: int, shape: tuple[int, int], rows: np.ndarray, values: Iterable[np.ndarray]
) -> None:
    """Write values, (n, n_columns) of each array, to their rows, one write per unbroken run."""
    n_rows, n_columns = shape
    runs = list(unbroken(rows))
    for i, found in enumerate(values):
        array = found.astype("<f4", copy=False)
        for a, b in runs:
            file.seek(start + 4 * n_columns * (i * n_rows + int(rows[a])))
            data = np.ascontiguousarray(array[a:b]).data.cast("B")
            while data:
                data = data[file.write(data) :]


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with open(scratch, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(scratch, path)
