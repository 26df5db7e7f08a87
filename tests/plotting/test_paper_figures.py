"""Every script of figures/ draws its bundle at the width that is asked for."""

import importlib.util
import re
import string
import zlib
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from figure_bundles import PAPER
from matplotlib.text import Text
from PIL import Image

from brainlm.plotting import Panel, draw_paper_figure, on_axes, paper
from brainlm.plotting.paper import paper_figure, paper_style
from brainlm.results.bundle import load_bundle, save_bundle
from brainlm.workflow import run_command

SCRIPTS = Path(__file__).parents[2] / "figures"
PAGE = 247  # mm, the height of most journals

pytestmark = pytest.mark.filterwarnings("ignore")  # nilearn's, about its own arguments


def script(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made(case, folder):
    arrays = PAPER[case][1](np.random.default_rng(0))
    return save_bundle(folder, analysis="test", arrays=arrays, config={}, inputs={})


def pdf_width(path):
    box = re.search(rb"/MediaBox \[ *([\d. ]+)\]", path.read_bytes()).group(1)
    return float(box.split()[2]) / 72 * 25.4


def pdf_operators(path):
    """The streams of a PDF, decompressed."""
    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", path.read_bytes(), re.DOTALL):
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return b"".join(found)


def shown(figure):
    """Texts that are drawn, with their places in pixels: no ticks of hidden axes or out of view."""
    absent = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis, *([ax.zaxis] if ax.name == "3d" else [])):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not ax.axison or not low <= tick.get_loc() <= high:
                    absent |= {id(tick.label1), id(tick.label2)}
            if not ax.axison:
                absent.add(id(axis.label))
    texts = [text for text in figure.findobj(Text) if id(text) not in absent]
    written = [text for text in texts if text.get_visible() and text.get_text().strip()]
    return [(text, text.get_window_extent()) for text in written]


def boxes_overlap(a, b):
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return width > 2 and height > 4  # pixels at 300 dpi; descenders may touch


def test_every_script_has_a_bundle():
    assert sorted({name for name, _ in PAPER.values()}) == sorted(
        path.stem for path in SCRIPTS.glob("*.py")
    )


@pytest.mark.long
@pytest.mark.parametrize("case", PAPER)
def test_a_script_writes_both_files_in_one_column(case, tmp_path, monkeypatch):
    width, figures = 89, []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paper, "draw_paper_figure", kept(paper.draw_paper_figure, figures))
    folder = made(case, tmp_path / "bundle")
    with pytest.raises(SystemExit) as end:
        run_command(
            script(PAPER[case][0]).main,
            [str(folder), "--out", "fresh/folder/figure.pdf", "--width", str(width)],
        )
    assert end.value.code == 0
    pdf = tmp_path / "fresh/folder/figure.pdf"
    picture = Image.open(pdf.with_suffix(".png"))
    assert picture.info["dpi"][0] == pytest.approx(300, abs=1)
    assert picture.width / 300 * 25.4 == pytest.approx(width, abs=0.5)
    assert picture.height / 300 * 25.4 < PAGE
    pixels = np.asarray(picture.convert("L"), dtype=float)
    assert 0.005 < np.mean(pixels < 200) < 0.6
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert edge.min() > 250  # nothing is cut off
    assert pdf_width(pdf) == pytest.approx(width, abs=0.5)
    assert b"/FontFile2" in pdf.read_bytes()
    assert b"/Type3" not in pdf.read_bytes()  # journals refuse them
    assert b"[ (\x00a) ] TJ" in pdf_operators(pdf)
    (figure,) = figures
    check_letters_and_texts(figure)


@pytest.mark.long
@pytest.mark.parametrize("case", PAPER)
def test_two_columns_are_lettered_and_readable(case, tmp_path):
    bundle = load_bundle(made(case, tmp_path / "bundle"))
    figure = draw_paper_figure(script(PAPER[case][0]).panels, bundle, 183)
    figure.draw_without_rendering()  # gives all texts their places
    check_letters_and_texts(figure)
    plt.close(figure)


def kept(draw, figures):
    """The function, which also keeps the figures that it draws."""

    def drawn(*arguments):
        figures.append(draw(*arguments))
        return figures[-1]

    return drawn


def check_letters_and_texts(figure):
    texts = shown(figure)
    letters = [t.get_text() for t, _ in texts if t.get_weight() == "bold"]
    assert sorted(letters) == list(string.ascii_lowercase[: len(letters)])
    assert len(letters) >= 2
    page = figure.bbox
    for text, box in texts:
        assert 7 <= text.get_fontsize() <= 8, text
        assert box.x0 > -1, text
        assert box.x1 < page.x1 + 1, text
        assert box.y0 > -1, text
        assert box.y1 < page.y1 + 1, text
    straight = [(t, box) for t, box in texts if t.get_rotation() in (0, 90)]
    for (a, first), (b, second) in combinations(straight, 2):
        assert not boxes_overlap(first, second), (a, b)


def test_a_wide_figure_has_panels_beside_each_other():
    panels = [
        Panel(str(k), on_axes(lambda ax: ax.plot([0, 1])), height, share)
        for k, (height, share) in enumerate([(40, 0.5), (30, 0.5), (20, 1)])
    ]
    with paper_style():
        wide, narrow = paper_figure(panels, 183), paper_figure(panels, 89)
    heights = [figure.get_figheight() * 25.4 for figure in (wide, narrow)]
    assert heights == pytest.approx([60, 90])
    plt.close("all")


def test_a_bundle_without_the_arrays_says_who_saves_them(tmp_path, capsys):
    folder = made("epochs", tmp_path / "bundle")
    with pytest.raises(SystemExit) as end:
        run_command(script("reading_and_n400").main, [str(folder)])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert "it has no 'gains'" in error
    assert "figures/README.md" in error
