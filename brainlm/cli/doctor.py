"""Check the installation: packages, folders, data and models, with advice."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from brainlm.storage.downloads import cache_folder

PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "nilearn",
    "nibabel",
    "mne",
    "torch",
    "transformers",
    "xarray",
    "matplotlib",
    "wordfreq",
    "jieba",
)
MOST_NAMED = 12  # data sets in a line
EXTRAS = {  # pip install 'brainlm[NAME]': a package of each
    "r": "pyreadr",
    "fasttext": "gensim",
    "kenlm": "kenlm",
    "wordnet": "nltk",
    "gradient": "himalaya",
    "sound": "soundfile",
    "openneuro": "openneuro-py",
    "cluster": "dask-jobqueue",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report: ``"ok"``, ``"--"`` (absent, optional) or ``"!!"`` (fix this)."""

    mark: str
    what: str
    advice: str = ""


def examine(root: Path | None = None) -> Iterator[Finding]:
    """Yield what was found, in the order: packages, machine, folders, data sets, models.

    Parameters
    ----------
    root : Path, optional
        Folder of the data sets, as in ``open_dataset``.
    """
    yield from _packages()
    yield from _machine()
    yield from _folders(root)
    yield from _data(root)
    yield from _models()


def _packages() -> Iterator[Finding]:
    found = {name: _version(name) for name in PACKAGES}
    there = [f"{name} {number}" for name, number in found.items() if number]
    yield Finding("ok", f"packages: {', '.join(there)}")
    for name in (name for name, number in found.items() if not number):
        yield Finding("!!", f"{name} is not installed", f"pip install {name}")
    lacking = [extra for extra, name in EXTRAS.items() if not _version(name)]
    if lacking:
        advice = f"pip install 'brainlm[{','.join(lacking)}]'"
        yield Finding("--", f"extras that are not installed: {', '.join(lacking)}", advice)


def _version(package: str) -> str:
    """Return the version of an installed package; empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _machine() -> Iterator[Finding]:
    cores = os.cpu_count() or 1
    import torch

    if torch.cuda.is_available():
        gpu = f"GPU: {torch.cuda.get_device_name(0)} (device='cuda')"
        yield Finding("ok", f"{cores} processor cores; {gpu}")
    else:
        advice = "language models run on the processor"
        yield Finding("ok", f"{cores} processor cores, no CUDA GPU", advice)


def _folders(root: Path | None) -> Iterator[Finding]:
    for name, folder in (("--root", root), ("BRAINLM_DATA", os.environ.get("BRAINLM_DATA"))):
        if folder is None:
            continue
        if Path(folder).is_dir():
            yield Finding("ok", f"{name}: {folder}")
        else:
            yield Finding("!!", f"{name}: {folder} is not a folder", "make it, or name another")
    cache = cache_folder()
    nearest = next(p for p in (cache, *cache.absolute().parents) if p.exists())
    free = shutil.disk_usage(nearest).free / 2**30
    writable = os.access(nearest, os.W_OK)
    advice = "" if writable else "set BRAINLM_CACHE to a folder that you may write to"
    mark = "ok" if writable else "!!"
    yield Finding(mark, f"cache: {cache} ({free:.0f} GiB free)", advice)


def _data(root: Path | None) -> Iterator[Finding]:
    from brainlm.datasets.folders import is_on_disk, list_datasets

    names = list_datasets()
    here = [name for name in names if is_on_disk(name, root)]
    missing = [name for name in names if name not in here]
    if here:
        yield Finding("ok", f"{len(here)} data sets are here: {_listed(here)}")
    if missing:
        advice = f"brainlm datasets {missing[0]} says where to get one"
        yield Finding("--", f"{len(missing)} data sets are not here: {_listed(missing)}", advice)


def _models() -> Iterator[Finding]:
    from brainlm.language_models.sources import is_cached, list_models

    names = [model.name for model in list_models()]
    here = [name for name in names if is_cached(name)]
    missing = [name for name in names if name not in here]
    if here:
        yield Finding("ok", f"language models in the cache: {', '.join(here)}")
    if missing:
        listed = ", ".join(missing)
        yield Finding("--", f"not in the cache: {listed}", f"brainlm fetch {missing[0]}")


def _listed(names: list[str]) -> str:
    """Return the first names, on a line or two."""
    shown = ", ".join(names[:MOST_NAMED])
    return shown + (", ..." if len(names) > MOST_NAMED else "")
