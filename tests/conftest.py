from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import urllib3  # noqa: F401  its first import opens a socket, which tests block

mpl.use("Agg")


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
