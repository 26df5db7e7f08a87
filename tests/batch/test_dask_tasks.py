import os
import shutil
import signal
import subprocess
import threading
import time
from io import BytesIO

import numpy as np
import pytest
from support.studies import write_study

from brainlm.batch.dask_tasks import collect, hash_inputs, leakage_notes, open_cluster, run_study
from brainlm.batch.run import encode_study
from brainlm.batch.study_file import EMPTY
from brainlm.batch.study_reading import read_study
from brainlm.compute.lazy_arrays import open_stored
from brainlm.encoding.leakage import LeakageWarning
from brainlm.errors import UnknownNameError
from brainlm.results.bundle import load_bundle
from brainlm.storage.whole_files import read_checked

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture
def study(tmp_path):
    return read_study(write_study(tmp_path), ["targets_per_task=4"])


@pytest.fixture(scope="module")
def client():
    with open_cluster("local:2") as client:
        yield client


def test_a_cluster_gives_the_serial_results(study, tmp_path, client):
    hashes = hash_inputs(study)
    serial, _ = collect(study, run_study(study, tmp_path / "serial", hashes))
    spread, _ = collect(study, run_study(study, tmp_path / "spread", hashes, client=client))
    assert set(serial) == {"scores_S1", "scores_S2"}
    for name, scores in serial.items():
        np.testing.assert_allclose(scores.score, spread[name].score, atol=1e-6)
        np.testing.assert_array_equal(scores.alpha, spread[name].alpha)


def slurm_is_up():
    """Whether a partition of SLURM answers on this machine."""
    if shutil.which("sinfo") is None:
        return False
    found = subprocess.run(["sinfo", "--noheader", "--format=%a"], capture_output=True, text=True)
    return found.returncode == 0 and "up" in found.stdout


@pytest.mark.skipif(not slurm_is_up(), reason="no SLURM on this machine (sinfo)")
def test_jobs_of_slurm_give_the_serial_results(study, tmp_path):
    import dask

    hashes = hash_inputs(study)
    serial, _ = collect(study, run_study(study, tmp_path / "serial", hashes))
    job = {"cores": 1, "memory": "2GB", "processes": 1, "walltime": "00:05:00"}
    job["log-directory"] = str(tmp_path)
    settings = dask.config.set({f"jobqueue.slurm.{k}": v for k, v in job.items()})
    with settings, open_cluster("slurm:2") as client:
        spread = run_study(study, tmp_path / "spread", hashes, client=client)
    for name, scores in collect(study, spread)[0].items():
        np.testing.assert_array_equal(scores.score, serial[name].score)


@pytest.mark.long
def test_a_killed_worker_loses_only_its_running_tasks(tmp_path, client):
    study = read_study(write_study(tmp_path), ["targets_per_task=1"])
    hashes = hash_inputs(study)
    folder = tmp_path / "parts"
    killed = []

    def kill_one():
        while len(list(folder.glob("*.part"))) < 5:
            time.sleep(0.01)
        killed.append(next(iter(client.run(os.getpid).values())))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    paths = run_study(study, folder, hashes, client=client)
    killer.join()
    assert killed
    assert all(path.is_file() for path in paths)
    assert not list(folder.glob(".*"))  # nothing half written is left under a name of its own
    serial = run_study(study, tmp_path / "serial", hashes)
    for mine, other in zip(paths, serial, strict=True):
        files = (BytesIO(read_checked(path)) for path in (mine, other))
        with np.load(next(files)) as a, np.load(next(files)) as b:
            np.testing.assert_allclose(a["values"], b["values"], atol=1e-6)


def test_the_targets_of_all_spaces_are_read_once(study, tmp_path, monkeypatch):
    read = []

    def opened(place):
        class Counted:
            shape, dtype = open_stored(place).shape, open_stored(place).dtype

            def __getitem__(self, key):
                read.append((place, str(key)))
                return open_stored(place)[key]

        return Counted()

    monkeypatch.setattr("brainlm.compute.lazy_arrays.open_stored", opened)
    run_study(study, tmp_path / "parts", hash_inputs(study))
    blocks = [key for key in read if key[0] in study.targets.values()]
    assert len(blocks) == len({(t.subject, t.start) for t in study.tasks()}) == len(set(blocks))


def test_a_rerun_computes_only_what_is_missing(study, tmp_path, monkeypatch):
    hashes = hash_inputs(study)
    paths = run_study(study, tmp_path / "parts", hashes)
    paths[3].unlink()
    paths[5].write_bytes(b"cut off")
    done = []
    compute = type(study).compute
    monkeypatch.setattr(
        type(study), "compute", lambda self, task, content: done.append(task) or compute(self, task)
    )
    with pytest.warns(UserWarning, match="damaged, computed again"):
        run_study(study, tmp_path / "parts", hashes)
    assert done == [study.tasks()[3], study.tasks()[5]]
    changed = read_study(tmp_path / "study.toml", ["targets_per_task=4", "delays=[1]"])
    done.clear()
    run_study(changed, tmp_path / "parts", hash_inputs(changed))
    assert len(done) == len(changed.tasks())  # other settings: nothing is taken over


def test_a_study_becomes_a_bundle_with_its_baseline(tmp_path):
    path = write_study(tmp_path)
    lines = list(encode_study(path, tmp_path / "out", settings=["delays=[0, 1]"]))
    bundle = load_bundle(tmp_path / "out")
    scores = bundle.arrays["scores_S2"].score
    assert scores.dims == ("space", "fold", "target")
    assert scores.shape == (3, 3, 9)
    assert float(scores.sel(space="A").mean()) > 0.8
    assert abs(float(scores.sel(space=EMPTY).mean())) < 0.2
    assert bundle.record["config"]["delays"] == [0, 1]
    assert len(bundle.record["inputs"]["data"]) == 6
    assert any("without any language" in note for note in bundle.notes)
    assert not (tmp_path / "out.parts").exists()
    assert sum("on average" in line for line in lines) == 6
    with pytest.raises(FileExistsError, match="--overwrite"):
        list(encode_study(path, tmp_path / "out"))


def test_an_empty_baseline_above_chance_is_a_warning(study, tmp_path):
    arrays, _ = collect(study, run_study(study, tmp_path / "parts", hash_inputs(study)))
    arrays["scores_S1"].score.loc[{"space": EMPTY}] = np.array([0.3, 0.31, 0.29])[:, None]
    with pytest.warns(LeakageWarning, match=r"S1: .* score 0.300 .* above chance"):
        leakage_notes(arrays)


@pytest.mark.long
@pytest.mark.parametrize("address", ["local:", "local:none", "slurm:0"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(UnknownNameError, match="with N workers"), open_cluster(address):
        pass
