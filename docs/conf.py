"""Sphinx: the guide, the gallery of examples, a page per data set, the API reference."""

import os
import sys
import warnings
from pathlib import Path

import brainlm
from brainlm.cli.catalogue import dataset_page
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
]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False}
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
sys.path.insert(0, str(HERE.parent))
# The cluster example starts processes, which import the file under its own name.
NOT_RUN = ["cluster_study"]
NOT_RUN += [] if all(map(is_cached, ("smollm2", "gemma3"))) else ["features_and_surprisal"]
NOT_RUN += [] if is_cached("smollm2") else ["decoding_story"]
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


def write_dataset_pages() -> None:
    """A page per data set from its card."""
    folder = HERE / "data"
    folder.mkdir(exist_ok=True)
    names = card_names()
    for name in names:
        text = dataset_page(name, HERE / "nowhere")
        (folder / f"{name}.rst").write_text(
            f"{name}\n{'=' * len(name)}\n\n.. code-block:: none\n\n"
            + "".join(f"   {line}\n" for line in text.splitlines()),
            encoding="utf-8",
        )
    listing = "\n".join(f"   data/{name}" for name in names)
    (HERE / "data-sets.rst").write_text(
        "Every data set\n==============\n\nWhat ``brainlm datasets NAME`` prints. The table of "
        "all: :doc:`datasets`.\n\n.. toctree::\n   :maxdepth: 1\n\n" + listing + "\n",
        encoding="utf-8",
    )


write_dataset_pages()
