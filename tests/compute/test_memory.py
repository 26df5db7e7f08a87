"""Free memory in control groups, of both versions."""

import pytest

from brainlm.compute.memory import _left_in_groups

OWN = "/slurm/job_7/step"
NAMES = {  # first line of /proc/self/cgroup, folder of the group, limit, use, cached files
    "version 2": (f"0::{OWN}", "", "memory.max", "memory.current", "inactive_file"),
    "version 1": (
        f"4:memory:{OWN}",
        "memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
}


def group(folder, names, limit, taken, cached):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[2]).write_text(f"{limit}\n")
    (folder / names[3]).write_text(f"{taken}\n")
    (folder / "memory.stat").write_text(f"cache {cached + 5}\n{names[4]} {cached}\n")


@pytest.mark.parametrize("version", NAMES)
def test_memory_of_a_job_is_its_limit_less_what_cannot_be_dropped(version, tmp_path):
    names = NAMES[version]
    listing = tmp_path / "cgroup"
    listing.write_text(f"{names[0]}\n1:cpu:/other\n")
    top = tmp_path / "fs"
    job = top / names[1] / "slurm/job_7"
    group(job, names, limit=1000, taken=700, cached=200)
    group(job / "step", names, limit="max", taken=700, cached=200)  # version 2 writes it so
    assert list(_left_in_groups(top, listing)) == [500]
    group(job / "step", names, limit=800, taken=700, cached=0)
    assert sorted(_left_in_groups(top, listing)) == [100, 500]


def test_a_machine_without_control_groups_has_no_limit(tmp_path):
    assert list(_left_in_groups(tmp_path, tmp_path / "cgroup")) == []
    (tmp_path / "cgroup").write_text("0::/\n")
    assert list(_left_in_groups(tmp_path, tmp_path / "cgroup")) == []
