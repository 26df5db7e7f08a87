"""Open every page of the built site in Chromium at three widths, and list what is wrong.

::

    python docs/check_site.py [PAGE ...]

A page must not scroll sideways, no block of code and no table may be cut on a wide screen, the
console stays empty, and axe finds no violation, in light and in dark. Ends with an error otherwise.
"""

import shutil
import sys
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

SITE = Path(__file__).parent / "_build"
WIDTHS = (1280, 800, 390)
CUT = """[...document.querySelectorAll("article pre, article table")]
    .filter((block) => (block.closest("[class*=scroll]") || block).scrollWidth
                       > (block.closest("[class*=scroll]") || block).clientWidth + 1)
    .map((block) => block.textContent.trim().slice(0, 60))"""
SIDEWAYS = "document.documentElement.scrollWidth - window.innerWidth"
FEW_API_PAGES = ("brainlm.encode", "brainlm.RidgeEncoder", "brainlm.plotting.html")
FEW_CARDS = ("alice-fmri", "binder-zh", "armeni2022", "cogbench-meg", "wordsim-en-rg-65")


class Quiet(SimpleHTTPRequestHandler):
    """Serves files as any host would, without a line for each."""

    def log_message(self, *_):
        """Say nothing."""

    def copyfile(self, *files):
        """Send a file, unless the browser has left the page before it came."""
        with suppress(BrokenPipeError, ConnectionResetError):
            super().copyfile(*files)


def pages():
    """Return the pages to look at: all of the guide, and some of the many that a template makes."""
    found = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
    some = (*(f"api/{name}" for name in FEW_API_PAGES), *(f"data/{name}." for name in FEW_CARDS))
    made = (
        "api/",
        "data/",
        "_",
        "genindex",
        "py-modindex",
        "search",
        "sg_execution",
        "examples/sg_",
    )
    return [name for name in found if not name.startswith(made) or name.startswith(some)]


def problems(page, address, name, axe):
    """Return a line for each thing that is wrong with a page, at every width and in both themes."""
    said = []
    page.on("console", lambda message: said.append(message) if message.type == "error" else None)
    page.on("response", lambda answer: said.append(answer.url) if answer.status >= 400 else None)
    page.on("pageerror", lambda error: said.append(error))
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(address + name, wait_until="load")
        if (by := page.evaluate(SIDEWAYS)) > 0:
            found.append(f"{name} at {width}: scrolls sideways by {by} pixels")
        if width == max(WIDTHS):
            found += [f"{name} at {width}: cut: {text!r}" for text in page.evaluate(CUT)]
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.reload(wait_until="load")
        for each in axe.run(page, options={"preload": False}).response["violations"]:
            where = each["nodes"][0]["target"]
            found.append(f"{name}, {theme}: {each['id']} ({each['impact']}) at {where}")
    return found + [f"{name}: console: {getattr(each, 'text', each)}" for each in said]


def main():
    """Print the problems of the pages that are named, or of all."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        sys.exit("no Chromium on this machine: install it, and run this again")
    names, found = sys.argv[1:] or pages(), []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE))
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    with sync_playwright() as run:
        chromium = run.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for name in names:
            page = chromium.new_page()
            found += problems(page, address, name, Axe())
            page.close()
        chromium.close()
    sys.stdout.write("\n".join([*found, f"{len(names)} pages, {len(found)} problems"]) + "\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
