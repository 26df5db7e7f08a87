"""No number of the core moved, within what other processors may round differently."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from golden import core, store
from golden.cases import CASES, MissingInputError

NUMBERS = Path(__file__).parent / "numbers"
CORE = [name for name, case in CASES.items() if case.part == "core"]


@pytest.mark.parametrize("name", CORE)
def test_numbers_are_those_that_were_recorded(name):
    case = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fresh = case.compute()
        except MissingInputError as error:
            pytest.skip(str(error))
    old = store.load(NUMBERS / f"{name}.npz")
    double, single = store.OTHER_MACHINE
    limits = (single if case.single else double, single)
    found = store.compare(old, fresh, limits, case.local)
    assert found.same, "\n".join([name, *store.lines_of(found, most=10)])


def test_every_area_of_the_core_has_cases():
    areas = {name.split(".")[0] for name in CORE}
    known = {"comparison", "decoding", "encoding", "features", "readers", "statistics"}
    assert areas == known | {"cogbench"}
    assert core.__doc__


@pytest.mark.parametrize("n", [7, 5000])
def test_a_moved_number_is_found_and_rounding_is_not(n):
    old = {"x": np.linspace(-3, 3, n), "i": np.arange(n), "t": np.array(["a", "b"])}
    stored = store.summarise(old)
    assert store.compare(stored, old).same
    rounded = old | {"x": old["x"] * (1 + 1e-13)}
    assert store.compare(stored, rounded).same
    place = np.arange(n) == 3
    for change in (
        {"x": old["x"] + 1e-5 * place},
        {"i": old["i"] + place},
        {"t": np.array(["a", "c"])},
        {"x": old["x"][1:]},
        {"x": np.where(place, np.nan, old["x"])},
        {"x": np.roll(old["x"], 1)},
    ):
        assert store.compare(stored, old | change).moved, change
    fewer = {name: values for name, values in old.items() if name != "i"}
    assert store.compare(stored, fewer).missing
    assert store.compare(store.summarise(fewer), old).new
