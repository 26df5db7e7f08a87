import pytest

from brainlm.plotting import brain, save_figures
from brainlm.workflow import run


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch):
    """A part of the drawing; the tests of plotting look at every figure in full, and at its PDF."""
    monkeypatch.setitem(save_figures.__kwdefaults__, "formats", ("png",))
    monkeypatch.setattr(brain, "PICTURE_DPI", 40)


@pytest.fixture
def undrawn(monkeypatch):
    """No figures, most of the time of a small analysis, where another test draws them."""
    monkeypatch.setattr(run, "save_figures", lambda bundle: [])
