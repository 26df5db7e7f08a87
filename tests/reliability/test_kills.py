"""A short, fixed part of the kills of `long_run.py`."""

import pytest
from support.limits import linux_only
from support.resumable import WORKS, run_kills

QUICK = {"embed": 6, "long recordings": 4}  # work, and how often it is killed


@linux_only
@pytest.mark.parametrize(
    "work", [work for work in WORKS if work.name in QUICK], ids=lambda w: w.name
)
def test_killed_work_ends_with_the_same_bits(work, tmp_path):
    found = run_kills(work, tmp_path / "kills", QUICK[work.name])
    assert found.kills == QUICK[work.name]
    assert found.ends >= 1
    assert found.wrong == []
