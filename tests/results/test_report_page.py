import io
import shutil
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pytest
from support.bundles_for_tests import make_bundle
from typer.testing import CliRunner

from brainlm.cli.app import app
from brainlm.results.report import bundle_tables, report_page, write_report

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


@pytest.mark.enable_socket
@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
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
