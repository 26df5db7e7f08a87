import io
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas
import pytest
import xarray
from support.bundles_for_tests import make_bundle
from typer.testing import CliRunner

from brainlm.cli.app import app
from brainlm.plotting import FIGURES, draw
from brainlm.results.captions import CAPTIONS
from brainlm.results.report import (
    bundle_tables,
    csv_folder,
    report_page,
    report_tables,
    write_report,
)
from brainlm.results.report.texts import texts_of

# Software rendering: the brains need WebGL, and the machines of tests have no graphics card.
CHROMIUM = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]


class Links(HTMLParser):
    """Every address that a browser would fetch."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag in ("img", "script", "link", "iframe"):
            self.found += [v for k, v in given.items() if k in ("src", "href") and v]


def test_everything_is_inside_the_file(bundle):
    text = report_page([bundle], {"encode_alice_fmri": "What is asked?"})
    links = Links()
    links.feed(text)
    assert all(link.startswith("data:") for link in links.found)
    for expected in (
        "What is asked?",
        "@",
        "abc123",
        "delays",
        "lower edge of the grid",
        "leakage probe",
        "excluded s33",
        "random embeddings with the geometry",
        "Alice",
        "licence:",
        "folds: role (2 fold x 50 sample)",
    ):
        assert expected in text, expected


def test_the_first_screen_is_the_answer_then_each_figure_with_its_caption(bundle):
    text = report_page([bundle])
    answer = "layer 1 scores highest: r 0.2"
    caption = "A layer effect counts where it leaves the grey curve"
    places = [text.index(part) for part in ('class="answer"', answer, "<figure", caption)]
    assert places == sorted(places)
    assert "random vectors with the geometry of a layer reach 0." in text


def test_captions_are_those_of_the_page_on_figures():
    page = (Path(__file__).parents[2] / "figures" / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (.*?) \| .*?\|$", page, flags=re.MULTILINE)
    assert dict(rows) == CAPTIONS
    assert set(CAPTIONS) == set(FIGURES)


def test_tables_are_files_beside_the_page(bundle, tmp_path):
    path = tmp_path / "report.html"
    text = report_page([bundle], csv=csv_folder(path))
    tables = report_tables([bundle])
    write_report(path, text, tables=tables)
    for name, table in tables.items():
        assert f'href="report_tables/{name}.csv"' in text
        found = pandas.read_csv(tmp_path / "report_tables" / f"{name}.csv")
        assert len(found) == len(table) > 0
        assert list(found.columns) == list(table.columns)


def test_methods_and_citations_say_what_was_done(bundle):
    text = report_page([bundle])
    (methods,) = re.findall(r'class="methods"[^>]*>(.*?)</p>', text, flags=re.DOTALL)
    for part in ("Alice in Wonderland", "(Brennan et al., 2016)", "smollm2", "revision abc123"):
        assert part in methods
    for part in ("random vectors with the geometry", "brainlm 0.1.0", "Delays (samples): 1, 2"):
        assert part in methods
    for entry in ("@software{brainlm", "@article{brennan2016abstract", "@misc{smollm2"):
        assert entry in text


def test_notes_are_grey_and_warnings_amber(bundle):
    text = report_page([bundle])
    assert '<div class="warn">3 of 8 alphas' in text
    assert '<div class="soft">excluded s33' in text
    assert "Debug run" not in text


def test_a_debug_run_is_marked(tmp_path):
    bundle = make_bundle(tmp_path / "trial", config={"dataset": "alice-fmri", "debug": True})
    assert "Debug run:" in report_page([bundle])
    plain = draw(make_bundle(tmp_path / "whole"), "layer_curve")
    marked = draw(bundle, "layer_curve")
    assert marked.get_supxlabel().startswith("debug run")
    assert not plain.get_supxlabel()


def test_bundles_of_another_layout_are_named(bundle, tmp_path):
    other = make_bundle(tmp_path / "other", arrays={"tests": bundle.arrays["tests"]}, figures=[])
    third = make_bundle(tmp_path / "third", seed=2)
    text = report_page([bundle, other, third])
    assert "Not in this table" in text
    assert "other (encode_alice_fmri)" in text
    assert "No table side by side" not in text


def test_texts_of_a_bundle_cannot_become_code(bundle):
    text = report_page([bundle])
    assert "<script>alert(1)</script>" not in text
    assert "<b>controls</b>" not in text


def test_what_is_not_there_is_said(tmp_path):
    bare = make_bundle(
        tmp_path / "bare", dataset="my own", notes=[], inputs={}, figures=[], arrays={}
    )
    text = report_page([bare])
    assert "nothing noted in this bundle" in text
    assert "no data set of the library is named" in text
    assert "No table" in text
    with pytest.raises(ValueError, match="at least one"):
        report_page([])


def test_the_command_writes_one_file_and_not_over_another(bundle):
    folder = str(bundle.folder)
    done = CliRunner().invoke(app, ["report", folder], catch_exceptions=False)
    assert done.output.strip() == f"{folder}/report.html"
    page = (bundle.folder / "report.html").read_text("utf-8")
    assert page.count("<img") + page.count("<svg") >= len(bundle.record["figures"]) > 0
    with pytest.raises(FileExistsError, match="--overwrite"):
        CliRunner().invoke(app, ["report", folder], catch_exceptions=False)


@pytest.fixture
def decoded(tmp_path):
    """A bundle of two texts, where the reconstruction repeats every second word."""
    words = [
        "alice",
        "was",
        "beginning",
        "to",
        "get",
        "very",
        "tired",
        "of",
        "sitting",
        "by",
        "her",
        "sister",
        "on",
        "the",
        "bank",
    ]
    said = [w if k % 2 else "nothing" for k, w in enumerate(words)]
    at = 2.0 * np.arange(len(words))
    example = xarray.Dataset(
        {
            "score": (("condition", "metric"), [[0.4]]),
            "window_score": (("condition", "metric", "window"), np.full((1, 1, 3), 0.4)),
            "null_score": (("null", "metric", "window"), np.full((5, 1, 3), 0.1)),
            "text": ("condition", [" ".join(said)]),
            "middle": ("word", at),
            "reference_text": " ".join(words),
            "reference_middle": ("reference_word", at),
        },
        {"condition": ["MapGuide: brain"], "metric": ["bleu-1"], "window": [0.0, 10.0, 20.0]},
    )
    return make_bundle(tmp_path / "decoded", arrays={"example": example}, figures=[])


def test_both_texts_are_in_the_page_with_their_matches(decoded):
    (text,) = texts_of(decoded)
    first = text["passages"][0]
    assert first["reference"] == [
        ("alice", False),
        ("was", True),
        ("beginning", False),
        ("to", True),
        ("get", False),
    ]
    assert [word for word, _ in first["said"]] == ["nothing", "was", "nothing", "to", "nothing"]
    assert (first["score"], first["null"]) == (0.4, pytest.approx(0.1))
    page = report_page([decoded])
    assert page.count("<mark>was</mark>") == 2
    assert "bleu-1 of the 20 s that follow\n0.400, mean of the null 0.100" in page
    assert texts_of(make_bundle(Path(decoded.folder).parent / "other")) == []


@pytest.mark.enable_socket
@pytest.mark.parametrize("width", [1280, 390])
def test_a_slider_goes_through_the_text(browser, decoded, tmp_path, width):
    path = write_report(tmp_path / "report.html", report_page([decoded]))
    page = browser.new_page(viewport={"width": width, "height": 900})
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    shown = page.locator(".passage:visible")
    assert shown.count() == 1
    assert "alice" in shown.inner_text()
    page.locator("input[type=range]").fill("1")
    assert shown.count() == 1
    assert "very" in shown.inner_text()
    page.get_by_role("button", name="Show all").click()
    assert shown.count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []
    page.close()


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine: install one to test the report in a browser")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.mark.long
@pytest.mark.enable_socket
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (800, "dark"), (390, "dark")])
def test_a_browser_shows_sorts_filters_and_zooms_it(browser, bundle, tmp_path, width, scheme):
    other = make_bundle(tmp_path / "second", seed=1)
    path = write_report(tmp_path / "report.html", report_page([bundle, other]))
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    complaints, fetched = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("table.dataTable tbody tr")
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    table = page.locator("#bundle-1 ~ details").first
    rows = table.locator("table.dataTable tbody tr")
    assert rows.count() == 3
    header = table.locator("th", has_text="mean").first
    for name, order in (("asc", sorted), ("desc", lambda values: sorted(values, reverse=True))):
        header.click()
        table.locator(f"th.dt-ordering-{name}").first.wait_for()
        values = [float(v) for v in rows.locator("td:nth-child(5)").all_inner_texts() if v.strip()]
        assert values == order(values)
    table.locator("input[type=search]").fill("random")
    rows.nth(1).wait_for(state="detached")
    assert rows.count() == 1

    page.locator("figure button").first.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    small = dialog.locator("img").bounding_box()["width"]
    dialog.get_by_role("button", name="Zoom").click()
    assert dialog.locator("img").bounding_box()["width"] > 1.5 * small
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    page.get_by_role("button", name="Copy command").first.click()
    assert page.evaluate("getSelection().toString()").strip() == bundle.record["command"].strip()
    assert [url for url in fetched if not url.startswith(("file:", "data:", "blob:"))] == []
    assert complaints == []
    text, paper = page.evaluate(
        "[getComputedStyle(document.querySelector('td')).color,"
        " getComputedStyle(document.body).backgroundColor]"
    )
    assert abs(brightness(text) - brightness(paper)) > 120  # readable in light and in dark
    page.close()


def brightness(colour):
    numbers = [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3


@pytest.mark.long
def test_brains_of_a_bundle_share_their_meshes_and_have_a_table(tmp_path, brains):
    with_maps = make_bundle(tmp_path / "maps", arrays={"maps_S1": brains}, figures=[])
    text = report_page([with_maps])
    assert text.count('<details class="brain"') == 3  # the winner and two maps
    assert "S1: winner" in text
    assert "<i>2</i>" not in text
    alone = make_bundle(tmp_path / "none", arrays={}, figures=[])
    one = make_bundle(tmp_path / "one", arrays={"maps": brains.isel(map=[0])}, figures=[])
    sizes = [len(report_page([each])) for each in (alone, one, with_maps)]
    assert sizes[2] - sizes[1] < (sizes[1] - sizes[0]) / 2
    tables, left_out = bundle_tables(with_maps)
    assert tables["maps_S1: each map"]["largest"].tolist() == [90.0, 94.0]
    assert left_out == []


def test_the_log_of_the_run_is_in_the_page(bundle):
    (bundle.folder / "log.txt").write_text("started\n  0.1 s  <b>said</b>\n", encoding="utf-8")
    text = report_page([bundle])
    assert "Log of the run" in text
    assert "&lt;b&gt;said&lt;/b&gt;" in text


@pytest.mark.long
@pytest.mark.enable_socket
def test_a_browser_turns_a_brain_only_when_it_is_opened(browser, tmp_path, brains):
    with_maps = make_bundle(tmp_path / "maps", arrays={"maps_S1": brains}, figures=[])
    path = write_report(tmp_path / "report.html", report_page([with_maps]))
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    complaints, fetched = [], []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("table.dataTable tbody tr")
    brain = page.locator("details.brain").nth(1)
    assert page.evaluate("document.querySelectorAll('iframe[srcdoc]').length") == 0
    brain.locator("summary").click()
    frame = brain.frame_locator("iframe")
    frame.locator("#surface-plot canvas").first.wait_for(timeout=60_000)
    assert page.evaluate("document.querySelectorAll('iframe[srcdoc]').length") == 1
    # Blue and red: the left hemisphere has values, the right one none.
    picture = plt.imread(io.BytesIO(coloured(brain, page)))
    assert ((picture[..., 0] - picture[..., 2]) > 0.3).mean() > 0.02
    assert [
        url for url in fetched if not url.startswith(("file:", "data:", "blob:", "about:"))
    ] == []
    assert complaints == []
    page.close()


def coloured(brain, page):
    """A picture of the brain once it is drawn."""
    for _ in range(60):
        shot = brain.locator("iframe").screenshot()
        picture = plt.imread(io.BytesIO(shot))
        if np.ptp(picture[..., :3], axis=2).max() > 0.3:
            return shot
        page.wait_for_timeout(500)
    raise AssertionError("nothing with a colour was drawn within 30 s")
