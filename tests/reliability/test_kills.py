"""A short, fixed part of the kills of `long_run.py`."""

import pytest
from support.limits import linux_only
from support.resumable import WORKS, run_kills

from brainlm.storage import long_recordings, store

N_KILLS = 5
QUICK = [work for work in WORKS if work.name in ("embed", "long recordings")]


@pytest.mark.long
@linux_only
@pytest.mark.parametrize("work", QUICK, ids=lambda work: work.name)
def test_killed_work_ends_with_the_same_bits(work, tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path))  # which the work changes
    monkeypatch.setattr(store, "SECONDS_BETWEEN_RECORDS", 0)
    monkeypatch.setattr(long_recordings, "LARGEST_IN_MEMORY", 1 << 18)
    (tmp_path / "warm" / "out").mkdir(parents=True)
    work.prepare(tmp_path / "warm")
    work.run(tmp_path / "warm", tmp_path / "warm" / "out")  # children need not load libraries
    found = run_kills(work, tmp_path / "kills", N_KILLS)
    assert found.kills == N_KILLS
    assert found.ends >= 1
    assert found.wrong == []
