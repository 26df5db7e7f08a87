import shutil
from html.parser import HTMLParser

import pytest
from bundles_for_tests import make_bundle
from typer.testing import CliRunner

from brainlm.cli import app
from brainlm.report import report_page, write_report


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
        "What is asked?", "@", "abc123", "delays", "lower edge of the grid", "leakage probe",
        "excluded s33", "random embeddings with the geometry", "Alice", "licence:",
        "folds: role (2 fold x 50 sample)",
    ):  # fmt: skip
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
    assert (bundle.folder / "report.html").stat().st_size > 100_000
    with pytest.raises(FileExistsError, match="--overwrite"):
        CliRunner().invoke(app, ["report", folder], catch_exceptions=False)


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine: install one to test the report in a browser")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
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
