"""The examples in the docstrings run and print what they say."""

import doctest
import importlib
import pkgutil

import numpy as np
import pandas
import pytest

import brainlm
from brainlm.datasets.folders import list_subjects
from brainlm.errors import DataMissingError
from brainlm.language_models.sources import is_cached

NEEDED_MODELS = ("minilm",)
NEEDED_DATA = ("human-ratings",)


def modules():
    for found in pkgutil.walk_packages(brainlm.__path__, "brainlm."):
        if not found.name.startswith(("brainlm.analyses", "brainlm.cards")):
            yield found.name


def examples():
    finder, names = doctest.DocTestFinder(), {"np": np, "pandas": pandas, "brainlm": brainlm}
    for name in ("brainlm", *modules()):
        module = importlib.import_module(name)
        for test in finder.find(module, extraglobs=names):
            if test.examples:
                yield test


EXAMPLES = {test.name: test for test in examples()}


def have(name):
    try:
        return bool(list_subjects(name))
    except DataMissingError:
        return False


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_it_says(name):
    test = EXAMPLES[name]
    source = test.docstring
    for model in NEEDED_MODELS:
        if f'"{model}"' in source and not is_cached(model):
            pytest.skip(f"needs the model {model}")
    for data in NEEDED_DATA:
        if f'("{data}")' in source and not have(data):
            pytest.skip(f"needs the data: {data}")
    printed = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert runner.run(test, out=printed.append).failed == 0, "".join(printed)


def test_every_public_name_has_an_example():
    lacking = [
        name
        for name in brainlm.__all__
        if not hasattr(getattr(brainlm, name), "__path__")
        and name != "errors"
        and ">>>" not in (getattr(brainlm, name).__doc__ or "")
    ]
    assert lacking == []
