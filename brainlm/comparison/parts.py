"""Parts of a study: each is saved when it is finished, so an interrupted run resumes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from brainlm import __version__

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class PartStore:
    """A folder with the finished parts of a study, beside its bundle.

    Attributes
    ----------
    folder : Path
        ``.NAME-parts`` beside the bundle NAME.
    """

    folder: Path

    @classmethod
    def beside(cls, out: Path | str) -> PartStore:
        """Return the store of the bundle ``out``."""
        out = Path(out)
        return cls(out.parent / f".{out.name}-parts")

    def path(self, key: Mapping[str, Any]) -> Path:
        """File of a part: named by the SHA-256 of everything that it depends on."""
        text = json.dumps({**key, "brainlm": __version__}, sort_keys=True, default=str)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.nc"

    def load(self, key: Mapping[str, Any]) -> xarray.Dataset | None:
        """Return a finished part; None where there is none, or its file is broken."""
        import xarray

        path = self.path(key)
        if not path.is_file():
            return None
        try:
            return xarray.load_dataset(path, engine="h5netcdf")
        except (OSError, ValueError):
            path.unlink()  # not written by save, which is whole or not at all
            return None

    def save(self, key: Mapping[str, Any], part: xarray.Dataset) -> None:
        """Write a part, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".tmp")
        os.close(handle)
        part.to_netcdf(name, engine="h5netcdf")
        os.replace(name, self.path(key))

    def clear(self) -> None:
        """Remove all parts, once the bundle is written."""
        shutil.rmtree(self.folder, ignore_errors=True)


def run_parts(
    jobs: Sequence[tuple[str, Mapping[str, Any], Callable[[], xarray.Dataset]]],
    store: PartStore,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[dict[str, xarray.Dataset], dict[str, float]]:
    """Compute the parts of a study that are not kept yet.

    Parameters
    ----------
    jobs : sequence of (name, key, compute)
        ``key`` holds everything that the part depends on: hashes of the data, revision of the
        model, settings.
    store : PartStore
    say : callable
        Told one line per part.

    Returns
    -------
    parts : dict of str to xarray.Dataset
        By name, in the order of the jobs.
    seconds : dict of str to float
        Of each part; 0 where it was kept.
    """
    parts, seconds = {}, {}
    for number, (name, key, compute) in enumerate(jobs, 1):
        if name in parts:
            raise ValueError(f"two jobs are called {name!r}")
        start = perf_counter()
        key = {**key, "part": name}  # two data sets may be columns of one file
        part = store.load(key)
        if part is not None:
            parts[name], seconds[name] = part, 0.0
            say(f"[{number}/{len(jobs)}] {name}: kept from an earlier run")
            continue
        parts[name] = compute()
        store.save(key, parts[name])
        seconds[name] = perf_counter() - start
        say(f"[{number}/{len(jobs)}] {name}: {seconds[name]:.0f} s")
    return parts, seconds
