"""Sphinx: the guide, the gallery of examples, a page per data set, the API reference."""

import os
import sys
import warnings
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from card_pages import card_page, catalogue
from sphinx.application import Sphinx

import brainlm
from brainlm.datasets.card import card_names
from brainlm.language_models.sources import is_cached

HERE = Path(__file__).parent
project, author = "brainlm", "The brainlm developers"
release = version = brainlm.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_design",
]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_title = "brainlm"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": [], "datasets": []},
}
html_show_sourcelink = False
html_sidebars = {"**": []}
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_css_files = ["site.css"]
html_js_files = ["catalogue.js"]
myst_enable_extensions = ["deflist"]
exclude_patterns = ["_build", "sg_execution_times.rst"]
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say types and shapes
autodoc_default_options = {  # scikit-learn's own, generated for every estimator
    "exclude-members": "set_fit_request, set_score_request, set_predict_request, "
    "set_transform_request"
}
numpydoc_show_class_members = False
myst_heading_anchors = 3
os.environ["OPENBLAS_NUM_THREADS"] = "1"
# The cluster example starts processes, which import the file under its own name.
NOT_RUN = ["cluster_study"]
NOT_RUN += [] if all(map(is_cached, ("smollm2", "gemma3"))) else ["features_and_surprisal"]
NOT_RUN += [] if is_cached("smollm2") else ["alice_tutorial", "decoding_story"]
sphinx_gallery_conf = {
    "examples_dirs": [str(HERE.parent / "examples")],
    "gallery_dirs": ["examples"],
    "filename_pattern": rf"/(?!{'|'.join(NOT_RUN)})",
    "abort_on_example_error": True,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
}
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")


def write_card_pages() -> None:
    """Write a page per data set from its card."""
    folder = HERE / "data"
    folder.mkdir(exist_ok=True)
    for name in card_names():
        (folder / f"{name}.md").write_text(card_page(name), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Give the table of data sets links to their pages."""

    def link_cards(app: Sphinx, page: str, text: list[str]) -> None:
        if page == "datasets":
            text[0] = catalogue(text[0], card_names())

    app.connect("source-read", link_cards)


write_card_pages()
