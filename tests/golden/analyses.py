"""Golden cases of the analyses: every array of a small bundle of each."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from golden.cases import Arrays, Case, MissingInputError, add_case, arrays
from golden.made import fluent, llama, scratch, speller
from golden.small_studies import told_as_data_set, told_as_folder

from brainlm.cli.analyses import load_analysis
from brainlm.datasets.folders import is_on_disk
from brainlm.language_models.sources import is_cached
from brainlm.results.bundle import load_bundle


@dataclass(frozen=True)
class Small:
    """The smallest call of an analysis, and what it needs.

    Attributes
    ----------
    options : dict
        Of its ``main``, beside ``out`` and ``debug``.
    datasets, models : tuple of str
        Names that must be on this machine.
    made : callable, optional
        Returns further options, of data that are written for the case.
    """

    options: dict[str, Any] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    made: Callable[[], dict[str, Any]] | None = None


def own_folder() -> dict[str, Any]:
    """Return options of a tiny model and of stories in the layout of a participant's folder."""
    return _tiny() | told_as_folder()


def own_data_set() -> dict[str, Any]:
    """Return options of a tiny model and of stories as a data set with a card."""
    return _tiny() | told_as_data_set()


def _tiny() -> dict[str, Any]:
    speller()
    return {"model": str(scratch() / "speller"), "layer": 2, "context": 4.0, "encoder": ""}


def made_model() -> dict[str, Any]:
    """Return the option of a tiny model that knows frequent words."""
    fluent()
    return {"model": str(scratch() / "fluent")}


def made_twice() -> dict[str, Any]:
    """Return the options of a tiny model that decodes and is planted."""
    return made_model() | {"planted": made_model()["model"], "same_model": True}


def made_chinese() -> dict[str, Any]:
    """Return the option of a tiny model that reads Chinese."""
    llama()
    return {"model_zh": str(scratch() / "llama")}


# Adapt the options here when a signature changes.
ANALYSES: dict[str, Small] = {
    "decode_ablations": Small({"factors": "scorer", "snrs": "", "encoder": ""}, made=made_twice),
    "decode_alice_fmri": Small(
        {"shifts": 4, "null": 5, "draws": 2, "beam": 2}, ("alice-fmri",), made=made_model
    ),
    "decode_pereira2018": Small(
        {"layers": "-1", "permutations": 4}, ("pereira2018",), ("minilm", "glove-6b-50d")
    ),
    "decode_pereira2018_text": Small(
        {"sentences": 8, "beam": 2, "null": 5, "draws": 2},
        ("pereira2018",),
        ("minilm",),
        made=made_model,
    ),
    "decode_story_dataset": Small(
        {"beam": 3, "null": 5, "draws": 1, "voxels": 40, "average": 1}, made=own_data_set
    ),
    "decode_story_folder": Small(
        {"beam": 3, "null": 5, "draws": 1, "story": "s3"}, made=own_folder
    ),
    "decode_story_simulated": Small({"snrs": "3", "draws": 1, "encoder": ""}, made=made_twice),
    "describe_language_model": Small({"layers": "0,15,-1"}, models=("smollm2",)),
    "encode_alice_fmri": Small({"layers": "0,15"}, ("alice-fmri",), ("smollm2",)),
    "encode_epochs": Small(
        {"simulate": 2.0, "model": "none", "permutations": 19}, ("littleprince-en-words",)
    ),
    "encode_human_ratings": Small(
        {"layers": "0,-1"}, ("human-ratings",), ("minilm", "glove-6b-50d")
    ),
    "mulcogbench": Small(
        {
            "models": "minilm:en",
            "datasets": "binder-en,binder-zh",
            "permutations": 9,
            "layers": "0,3,-1",
        },
        ("binder-en", "binder-zh"),
        ("minilm", "glove-6b-50d", "synonyms-zh"),
    ),
    "navigating": Small(
        {"models": "minilm:en", "datasets": "provo"},
        ("provo", "lancaster"),
        ("minilm", "glove-6b-50d"),
    ),
    "reading": Small(
        {"models": "smollm2:en", "datasets": "ucl-spr", "max_items": 400, "mixed_items": 200},
        ("ucl-spr",),
        ("smollm2",),
    ),
    "similarity_binder": Small(
        {"layers": "0,-1"},
        ("binder-en", "binder-zh"),
        ("minilm", "glove-6b-50d", "synonyms-zh"),
        made=made_chinese,
    ),
    "simulate_regions": Small(
        {"noise": 0.5, "words": 600, "permutations": 9},
        ("littleprince-en-words", "lancaster", "concreteness"),
        made=made_model,
    ),
    "simulate_studies": Small(
        {"words": 300, "permutations": 9},
        ("littleprince-en-words", "littleprince-zh-words"),
        made=made_model,
    ),
    "survey": Small(
        {"models": "minilm:en", "datasets": "provo", "permutations": 3},
        ("provo", "lancaster"),
        ("minilm", "glove-6b-50d"),
    ),
}


TIMED = ("time",)  # tables of how long the parts of a study took


def bundle_of(name: str) -> Arrays:
    """Run an analysis and return the arrays of its bundle."""
    small = ANALYSES[name]
    for dataset in small.datasets:
        if not is_on_disk(dataset):
            raise MissingInputError(f"the data set {dataset} is not there")
    for model in small.models:
        if not is_cached(model):
            raise MissingInputError(f"the model {model} is not there")
    with tempfile.TemporaryDirectory() as temporary:
        out, options = Path(temporary, "out"), dict(small.options)
        options |= small.made() if small.made else {}
        load_analysis(name).main(out=out, debug=True, **options)
        tables = load_bundle(out).arrays
        found = arrays(**{key: table for key, table in tables.items() if key not in TIMED})
        return {key: _uncopied(key, array) for key, array in found.items()}


def _uncopied(name: str, array: np.ndarray) -> np.ndarray:
    """Return texts and word times of data sets as digests and totals: they are not ours."""
    if name.endswith(".reference_middle"):
        return np.array([array.size, np.nansum(array), np.nansum(array**2)])
    if array.dtype.kind == "U" and array.size:  # a model in the scratch folder is named by its path
        array = np.char.replace(array, str(scratch()), "scratch")
    if array.dtype.kind != "U" or (array.size <= 64 and array.dtype.itemsize <= 4 * 60):
        return array
    text = "\0".join(array.ravel().tolist())
    return np.array([hashlib.sha256(text.encode()).hexdigest(), str(array.shape)])


# Embeddings or products in single precision: rounding follows the number of threads.
THREADS = ("decode_pereira2018", "decode_pereira2018_text", "reading")

for _name in ANALYSES:
    _tolerance = 1e-6 if _name in THREADS else 1e-10
    _run = functools.partial(bundle_of, _name)
    add_case(Case(f"analyses.{_name}", "analyses", _run, tolerance=_tolerance))
