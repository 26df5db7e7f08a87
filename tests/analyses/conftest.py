import pytest

from brainlm.plotting import save_figures


@pytest.fixture(autouse=True)
def pictures_without_pdf(monkeypatch):
    """Half of the drawing; the tests of plotting look at the PDF of every figure."""
    monkeypatch.setitem(save_figures.__kwdefaults__, "formats", ("png",))
