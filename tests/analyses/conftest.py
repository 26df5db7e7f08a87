import pytest

from brainlm.plotting import save_figures
from brainlm.workflow import run


@pytest.fixture(autouse=True)
def pictures_without_pdf(monkeypatch):
    """Half of the drawing; the tests of plotting look at the PDF of every figure."""
    monkeypatch.setitem(save_figures.__kwdefaults__, "formats", ("png",))


@pytest.fixture
def undrawn(monkeypatch):
    """No figures, most of the time of a small analysis, where another test draws them."""
    monkeypatch.setattr(run, "save_figures", lambda bundle: [])
