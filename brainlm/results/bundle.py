"""Result bundles: folders with the arrays, settings, inputs and notes of an analysis.

- ``bundle.json``: what was asked, of which data and models, with which settings, what was noted;
- ``scores.nc``: scores with labelled dimensions, and the other arrays of the analysis, one file
  each (predictions, folds ...);
- ``log.txt``: what the run said and warned of, with times, when it was started as a command;
- ``*.png``, ``*.pdf``: figures, each of which ``brainlm plot`` draws again from the files above.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from brainlm._log import log_lines
from brainlm.compute.lazy_arrays import check_hdf5
from brainlm.data.notes import Note, kind_of
from brainlm.errors import CorruptDataError, DataMissingError, complaints, reading
from brainlm.results.output import check_output, replace_folder
from brainlm.results.places import bundle_file
from brainlm.storage.whole_files import checksum, inside, sync_file, sync_folder

if TYPE_CHECKING:
    import xarray

SCHEMA = 1
MOST_SECONDS = 5  # of processor time, in which a file can be opened
PACKAGES = (
    "brainlm",
    "numpy",
    "scipy",
    "scikit-learn",
    "xarray",
    "nilearn",
    "torch",
    "transformers",
)


class _Note(BaseModel):
    kind: str
    text: str


class _Record(BaseModel):
    """What a record must hold; whatever else it holds is kept."""

    model_config = ConfigDict(strict=True)

    analysis: str
    arrays: list[str]
    config: dict[str, Any]
    inputs: dict[str, Any]
    notes: list[_Note] = []
    figures: list[str] = []
    checksums: dict[str, str] = {}  # of its files; older bundles have none


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle.

    Attributes
    ----------
    folder : Path
    record : dict
        Content of ``bundle.json``.
    arrays : dict of str to xarray.Dataset
        Content of the ``.nc`` files, by name.
    """

    folder: Path
    record: dict[str, Any]
    arrays: dict[str, xarray.Dataset]

    @property
    def notes(self) -> list[Note]:
        """Notes with their kind."""
        return [Note(note["text"], note["kind"]) for note in self.record.get("notes", [])]


def save_bundle(
    folder: Path | str,
    *,
    analysis: str,
    arrays: Mapping[str, xarray.Dataset],
    config: Mapping[str, Any],
    inputs: Mapping[str, Any],
    notes: Sequence[str] = (),
    figures: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Write a bundle atomically; an old one is removed after the new one is in place.

    Its figures are drawn by `brainlm.plotting.save_figures` or ``brainlm plot``.

    Parameters
    ----------
    folder : path
        Made with its parents. An existing bundle is replaced only with ``overwrite``.
    analysis : str
        Name of the analysis.
    arrays : mapping of str to xarray.Dataset
        ``"scores"`` and whatever else the analysis keeps; one NetCDF file each.
    config : mapping
        Settings as they were given, JSON-able.
    inputs : mapping
        What went in: data files with their SHA-256, models with their revision.
    notes : sequence of str
        Warnings, exclusions and repairs; `brainlm.data.notes.Note` gives them a kind.
    figures : sequence of str
        Figures that belong to it, names from ``brainlm.plotting.FIGURES``.
    overwrite : bool
        Replace an existing bundle.

    Returns
    -------
    Path
        ``folder``.

    Examples
    --------
    >>> import tempfile, xarray
    >>> arrays = {"scores": xarray.Dataset({"score": ("target", [0.1, 0.2])})}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = brainlm.save_bundle(
    ...         f"{folder}/mine", analysis="mine", arrays=arrays, config={"alpha": 1.0}, inputs={}
    ...     )
    ...     brainlm.load_bundle(path).record["analysis"]
    'mine'
    """
    folder = check_output(folder, overwrite=overwrite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "schema": SCHEMA,
        "analysis": analysis,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": _command(),
        "config": dict(config),
        "inputs": dict(inputs),
        "notes": [{"kind": kind_of(note), "text": str(note)} for note in dict.fromkeys(notes)],
        "figures": list(figures),
        "arrays": sorted(arrays),
        "environment": _environment(),
    }
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-new-"))
    try:
        for name, dataset in arrays.items():
            dataset.to_netcdf(scratch / f"{name}.nc", engine="h5netcdf")
        record["checksums"] = {path.name: checksum(path) for path in sorted(scratch.iterdir())}
        text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
        (scratch / "bundle.json").write_text(text + "\n", encoding="utf-8")
        scratch.chmod(0o755)
        for path in scratch.iterdir():
            sync_file(path)
        sync_folder(scratch)
        replace_folder(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if lines := log_lines():
        (folder / "log.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def load_bundle(folder: Path | str) -> Bundle:
    """Load a bundle into memory.

    Raises
    ------
    DataMissingError
        ``folder`` is not a bundle, or one of its files is missing.
    CorruptDataError
        A file cannot be read.

    Examples
    --------
    >>> bundle = brainlm.load_bundle("results/demo")  # doctest: +SKIP
    >>> bundle["scores"]["score"].dims  # doctest: +SKIP
    ('analysis', 'space', 'fold', 'target')
    """
    import h5py
    import xarray

    folder = Path(folder)
    path = bundle_file(folder)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        checked = _Record.model_validate(record)
    except ValidationError as error:
        problems = complaints(error, _Record.model_fields, "entry")
        raise CorruptDataError(f"{path}: not a bundle record: {problems}") from error
    except (ValueError, RecursionError) as error:
        raise CorruptDataError(f"{path}: not a readable bundle record ({error})") from error
    names, sums = checked.arrays, checked.checksums
    files = [inside(folder, f"{name}.nc") for name in names]
    arrays = {}
    for name, file in zip(names, files, strict=True):
        if not file.is_file():
            raise DataMissingError(f"{file}: missing from the bundle; run the analysis again")
        if file.name not in sums:
            _check_opens(file)
        elif checksum(file) != sums[file.name]:
            raise CorruptDataError(
                f"{file}: was changed since it was saved; run the analysis again"
            )
        with reading(file, "NetCDF file", "run the analysis again"):
            with h5py.File(file, "r") as opened:
                for each in opened.values():
                    check_hdf5(file, each)
            arrays[name] = xarray.load_dataset(file, engine="h5netcdf")
    return Bundle(folder, record, arrays)


def _check_opens(path: Path) -> None:
    """Raise where HDF5 crashes or never ends on a file: a child process opens it first."""
    if not hasattr(os, "fork"):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns where there are threads
        child = os.fork()
    if child == 0:
        try:
            import resource

            import xarray

            resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
            xarray.open_dataset(path, engine="h5netcdf")
        finally:
            os._exit(0)  # an error is raised again where it can be caught
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) < 0:
        raise CorruptDataError(f"{path}: HDF5 cannot open it; run the analysis again")


def _command() -> str:
    program = Path(sys.argv[0])
    name = program.stem if program.suffix == ".py" else program.name
    return " ".join([name, *sys.argv[1:]])


def _environment() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
