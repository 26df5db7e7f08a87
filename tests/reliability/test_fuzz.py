"""A short, fixed part of the fuzz of `long_run.py`: every family of files, damaged a few times."""

import pytest
from support.families import FAMILIES
from support.limits import linux_only
from support.trials import run_family

from brainlm.errors import CorruptDataError, DataMissingError, reading

N_INPUTS = 8  # of each family


@linux_only
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_damage_is_read_right_or_refused_in_one_line(family, tmp_path, monkeypatch):
    monkeypatch.setattr("brainlm.compute.memory.available_memory", lambda: 1 << 29)
    count = run_family(family, tmp_path / "fuzz", N_INPUTS)
    assert sum(count.outcomes.values()) == N_INPUTS
    assert count.bad == []


def test_an_error_about_a_file_is_one_line_that_names_it(tmp_path):
    path = tmp_path / "x.bin"
    for raised in (RuntimeError("a\n  b\x1b[31m\0"), RecursionError("x" * 5000), KeyError("k")):
        found = pytest.raises(CorruptDataError, match=r"x\.bin: not a readable thing")
        with found as told, reading(path, "thing"):
            raise raised
        assert str(told.value).isprintable()
        assert len(str(told.value)) <= 1000
        assert told.value.__cause__ is raised
    with pytest.raises(MemoryError, match=r"x\.bin: full"), reading(path):
        raise MemoryError("full")
    for passed in (DataMissingError("gone"), ImportError("no module")):
        with pytest.raises(type(passed), match=str(passed)), reading(path):
            raise passed
