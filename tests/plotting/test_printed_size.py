"""Every figure at the width of one and of two columns of a page."""

import matplotlib.pyplot as plt
import pytest
from figure_bundles import MAKERS, bundle_for
from matplotlib.text import Text

from brainlm.errors import UnknownNameError
from brainlm.plotting import draw, save_figures
from brainlm.plotting.paper import paper_style

MM = 1 / 25.4
CLIPPED = 0.03  # inches


def drawn_texts(figure, monkeypatch):
    """Texts that are really drawn: axes also hold tick labels beyond their limits."""
    found, draw_text = [], Text.draw

    def spy(text, *arguments, **options):
        if text.get_visible() and text.get_text().strip():
            found.append(text)
        return draw_text(text, *arguments, **options)

    with monkeypatch.context() as patched, paper_style():
        patched.setattr(Text, "draw", spy)
        figure.canvas.draw()
    return found


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # nilearn's, about its own arguments
@pytest.mark.parametrize("width", [89])  # those of 183 mm are compared with pictures
@pytest.mark.parametrize("name", MAKERS)
def test_a_figure_fits_the_page_and_can_be_read(name, width, monkeypatch):
    figure = draw(bundle_for(name), name, width=width)
    texts = drawn_texts(figure, monkeypatch)
    assert figure.get_figwidth() <= width * MM + 1e-6
    page, slack = figure.bbox, CLIPPED * figure.dpi
    outside = [
        text.get_text()
        for text, box in ((each, each.get_window_extent()) for each in texts)
        if min(box.x0 - page.x0, page.x1 - box.x1, box.y0 - page.y0, page.y1 - box.y1) < -slack
    ]
    small = [text.get_text() for text in texts if text.get_fontsize() < 7]
    plt.close(figure)
    assert (outside, small) == ([], [])


def test_formats_width_and_style_are_taken(tmp_path):
    bundle = bundle_for("alphas")
    written = save_figures(
        bundle, tmp_path, ["alphas"], formats=["svg"], width=89, style={"axes.facecolor": "0.9"}
    )
    assert [path.name for path in written] == ["alphas.svg"]
    figure = draw(bundle, "alphas", style="ggplot")
    assert figure.axes[0].get_facecolor()[:3] == pytest.approx((0.898, 0.898, 0.898), abs=0.01)
    plt.close(figure)
    with pytest.raises(ValueError, match="between 60 and 400 mm"):
        draw(bundle, "alphas", width=20)
    for options in ({"formats": ["pgn"]}, {"style": "ggplott"}):
        with pytest.raises(UnknownNameError, match=r"Did you mean '(png|ggplot)'"):
            save_figures(bundle, tmp_path, ["alphas"], **options)
