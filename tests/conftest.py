import re
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import matplotlib as mpl
import numpy as np
import pytest
import urllib3  # noqa: F401  its first import opens a socket, which tests block

mpl.use("Agg")


def pytest_addoption(parser):
    parser.addoption(
        "--long",
        default="none",
        metavar="PART",
        help="tests that are marked as long: none, all, or a part of them such as 2/6",
    )


def pytest_collection_modifyitems(config, items):
    """Leave out long tests that nobody asked for, be it by ``--long`` or by name."""
    part = config.getoption("--long")
    if part == "all" or any("::" in argument for argument in config.args):
        return
    found = re.fullmatch(r"(\d+)/(\d+)", part)
    if part != "none" and (not found or not 1 <= int(found[1]) <= int(found[2])):
        raise pytest.UsageError(f"--long {part}: give none, all, or a part such as 2/6")
    k, n = map(int, found.groups()) if found else (0, 1)  # the hash is the same in all processes
    left_out = [
        item
        for item in items
        if item.get_closest_marker("long") and crc32(item.nodeid.encode()) % n != k - 1
    ]
    if left_out:
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@dataclass(frozen=True)
class Miniature:
    """Where the miniature data sets, their cards and the tiny models are."""

    root: Path
    cards: Path
    cache: Path

    @property
    def models(self) -> Path:
        return self.cache / "language_models"


@pytest.fixture(scope="session")
def miniature_files(tmp_path_factory):
    """Every miniature data set and tiny model, written once per run."""
    from miniatures.datasets import write_datasets
    from miniatures.models import write_models

    base = tmp_path_factory.mktemp("miniature")
    found = Miniature(base / "data", base / "cards", write_models(base / "cache"))
    write_datasets(found.root, found.cards, found.models)
    return found


@pytest.fixture
def miniature(miniature_files, monkeypatch):
    """A machine on which data sets and models are the miniatures, under their usual names."""
    from miniatures.models import shipped_as_written

    from brainlm.datasets import card
    from brainlm.language_models import sources

    table = shipped_as_written(miniature_files.cache, sources._shipped())
    monkeypatch.setattr(card, "_cards_folder", lambda: miniature_files.cards)
    monkeypatch.setattr(sources, "_shipped", lambda: table)
    monkeypatch.setenv("BRAINLM_DATA", str(miniature_files.root))
    monkeypatch.setenv("BRAINLM_CACHE", str(miniature_files.cache))
    return miniature_files
