"""Tasks that run out of memory: tried once more in smaller blocks, then a clear error."""

import os
import resource
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest
from support.limits import linux_only
from support.studies import write_study

from brainlm.batch.dask_tasks import collect, hash_inputs, open_cluster, run_study
from brainlm.batch.study_file import StudyFile
from brainlm.batch.study_reading import read_study
from brainlm.compute.memory import available_memory

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
AGAIN = r"S1 / A / targets 0:12: .*; tried once more, alone, in blocks of targets"
TWICE = (
    r"S1 / A / targets 0:12: .*in smaller blocks as well; by estimate the task needs 0\.0\d GB.*"
    r"targets_per_task lower \(it is 20000\); finished tasks are kept, the same command resumes"
)


@pytest.fixture
def study(tmp_path):
    return read_study(write_study(tmp_path))


def test_a_task_without_memory_is_tried_again_in_smaller_blocks(study, tmp_path, monkeypatch):
    hashes, asked = hash_inputs(study), []
    whole, _ = collect(study, run_study(study, tmp_path / "whole", hashes))

    first, compute = study.tasks()[0], StudyFile.compute
    monkeypatch.setattr("brainlm.batch.smaller_blocks._memory", lambda *given: 100 * given[2])

    def failing(self, task, content=None):
        asked.append(task)
        if task == first:
            raise MemoryError("Unable to allocate 1 TiB")
        return compute(self, task, content)

    monkeypatch.setattr(StudyFile, "compute", failing)
    with pytest.warns(UserWarning, match=AGAIN):
        paths = run_study(study, tmp_path / "parts", hashes)
    assert asked[:6] == study.tasks()
    assert [(task.start, task.stop) for task in asked[6:]] == [(0, 6), (6, 12)]  # at the end
    for name, scores in collect(study, paths)[0].items():
        np.testing.assert_allclose(scores.score, whole[name].score, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*tried once more")
def test_a_second_failure_is_an_error_with_the_estimate(study, tmp_path, monkeypatch):
    def failing(*_):
        raise MemoryError

    monkeypatch.setattr(StudyFile, "compute", failing)
    with pytest.raises(MemoryError, match=TWICE):
        run_study(study, tmp_path / "parts", hash_inputs(study))


def kill_workers(client, always):
    """Let every worker kill itself at task S1/A, or only where it has all the memory."""
    from dask.distributed import WorkerPlugin

    class Kill(WorkerPlugin):
        name = "kill"

        def setup(self, worker):
            from brainlm.batch.study_file import StudyFile

            compute = getattr(StudyFile, "whole", StudyFile.compute)
            StudyFile.whole = compute

            def replaced(self, task, content=None):
                first_try = content is not None
                if (task.subject, task.space) == ("S1", "A") and (always or first_try):
                    os.kill(os.getpid(), signal.SIGKILL)  # as the system does
                return compute(self, task, content)

            StudyFile.compute = replaced

    client.register_plugin(Kill())


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.*tried once more")  # tasks that waited for the same worker
@pytest.mark.parametrize("always", [False, True])
def test_a_worker_that_the_system_kills(study, tmp_path, monkeypatch, always):
    monkeypatch.setattr("brainlm.batch.dask_tasks.TRIES", 0)  # Dask would try it three times more
    hashes = hash_inputs(study)
    whole, _ = collect(study, run_study(study, tmp_path / "whole", hashes))
    with open_cluster("local:1") as client:
        kill_workers(client, always)
        if always:
            refused = pytest.raises(MemoryError, match=TWICE)
            with pytest.warns(UserWarning, match=AGAIN), refused as told:
                run_study(study, tmp_path / "parts", hashes, client=client)
            assert "its worker was killed, most often by the system" in str(told.value)
            return
        with pytest.warns(UserWarning, match=AGAIN):
            paths = run_study(study, tmp_path / "parts", hashes, client=client)
    for name, scores in collect(study, paths)[0].items():
        np.testing.assert_allclose(scores.score, whole[name].score, atol=1e-6)


@linux_only
def test_free_memory_is_what_the_limit_of_the_process_leaves():
    code = (
        "import resource; from brainlm.compute.memory import available_memory as free; "
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, -1)); print(free())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 1 << 30
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
    assert available_memory() > 1 << 27


LIMITED = """
import resource, sys, warnings
import numpy as np
from brainlm.batch.dask_tasks import hash_inputs, run_study
from brainlm.batch.study_reading import read_study
study = read_study(sys.argv[1])
hashes = hash_inputs(study)
study.compute(study.tasks()[0].__class__("S", "A", 0, 50))  # libraries take their memory
with open("/proc/self/statm") as file:
    taken = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + int(sys.argv[3]), -1))
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    run_study(study, sys.argv[2], hashes)
print(sum("tried once more" in str(each.message) for each in told))
"""


@pytest.mark.long
@linux_only
def test_a_study_under_a_limit_of_memory_ends_in_smaller_blocks(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", rng.standard_normal((400, 4), dtype=np.float32))
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["y"] = rng.standard_normal((400, 60_000), dtype=np.float32)
    (tmp_path / "study.toml").write_text(
        "empty_baseline = false\ntargets_per_task = 60000\nfolds = 2\n"
        '[features]\nA = "a.npy"\n[targets]\nS = "y.h5:y"\n'
    )
    need = read_study(tmp_path / "study.toml").total_need().memory_bytes
    command = [sys.executable, "-c", LIMITED, tmp_path / "study.toml", tmp_path / "parts"]
    command.append(str(int(need * 0.7)))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "1", done.stderr[-2000:]
