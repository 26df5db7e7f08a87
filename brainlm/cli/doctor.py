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
    for package in PACKAGES:
        try:
            yield Finding("ok", f"{package} {version(package)}")
        except PackageNotFoundError:
            yield Finding("!!", f"{package} is not installed", f"pip install {package}")


def _machine() -> Iterator[Finding]:
    cores = os.cpu_count() or 1
    yield Finding("ok", f"{cores} processor cores")
    import torch

    if torch.cuda.is_available():
        yield Finding("ok", f"GPU: {torch.cuda.get_device_name(0)} (device='cuda')")
    else:
        yield Finding("--", "no CUDA GPU", "language models run on the processor")


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

    for name in list_datasets():
        found = is_on_disk(name, root)
        advice = "" if found else f"brainlm datasets {name} (says where to get it)"
        yield Finding("ok" if found else "--", f"data set {name}", advice)


def _models() -> Iterator[Finding]:
    from brainlm.language_models.sources import is_cached, list_models

    for model in list_models():
        cached = is_cached(model.name)
        advice = "" if cached else f"brainlm fetch {model.name}"
        yield Finding("ok" if cached else "--", f"language model {model.name}", advice)
