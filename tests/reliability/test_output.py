"""The folder of a result: no kill loses it, no two processes share it, nothing stays beside it."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray

from brainlm.errors import CorruptDataError
from brainlm.results.bundle import load_bundle, save_bundle
from brainlm.results.output import hold_output
from brainlm.storage import whole_files
from brainlm.storage.store import cached_arrays


def save(folder, value, **options):
    arrays = {"scores": xarray.Dataset({"x": float(value)})}
    save_bundle(folder, analysis="test", arrays=arrays, config={}, inputs={}, **options)


def killed_at(point, folder):
    """Save over a bundle in a child that dies at the given step; return whether it died."""
    child = os.fork()
    if child == 0:
        left = [point]

        def dying(function):
            def wrapped(*given, **options):
                if left[0] == 0:
                    os._exit(9)
                left[0] -= 1
                return function(*given, **options)

            return wrapped

        for module, name in (
            (os, "replace"),
            (os, "fsync"),
            (os, "rmdir"),
            (os, "unlink"),
            (shutil, "rmtree"),
        ):
            setattr(module, name, dying(getattr(module, name)))
        save(folder, 2, overwrite=True)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_kill_while_a_bundle_is_replaced_loses_neither(tmp_path):
    folder, found = tmp_path / "out", []
    for point in range(100):
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        save(folder, 1)
        died = killed_at(point, folder)
        with hold_output(folder, overwrite=True):
            pass  # as the next run begins
        found.append(float(load_bundle(folder).arrays["scores"]["x"]))
        left = {path.name for path in tmp_path.iterdir()}
        assert left == {"out", ".out.lock"}, point
        if not died:
            break
    assert point > 6
    assert found == sorted(found)  # the old one up to some step, the new one from there
    assert set(found) == {1.0, 2.0}


HOLD = """
import sys, time
from brainlm.results.output import hold_output
with hold_output(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_told_at_once_who_writes_there(tmp_path):
    folder = tmp_path / "out"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        told = rf"process {other.pid} on .* is writing there"
        with pytest.raises(FileExistsError, match=told), hold_output(folder):
            pass
        other.kill()
    with hold_output(folder):  # a dead process holds nothing
        save(folder, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"out", ".out.lock"}


def test_read_only_folders_are_told_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_files.os, "access", lambda *_: False)
    told = r"read-only.*choose another --out"
    with pytest.raises(PermissionError, match=told), hold_output(tmp_path / "new" / "out"):
        pass
    computed = []
    with pytest.raises(PermissionError, match="set BRAINLM_CACHE to a folder of your own"):
        cached_arrays(
            tmp_path / "cache", "k", names=["a"], shape=(2, 2), n_steps=1, compute=computed.append
        )
    assert not computed


@pytest.mark.parametrize("name", ["out.parts", ".out-parts"])
def test_parts_of_a_finished_bundle_are_removed_by_the_next_run(tmp_path, name):
    parts = tmp_path / name
    parts.mkdir()
    (parts / "old.part").write_bytes(b"x")
    save(tmp_path / "out", 1)  # killed before it removed its parts
    with pytest.raises(FileExistsError, match="--overwrite"), hold_output(tmp_path / "out"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"out", ".out.lock"}
    parts.mkdir()
    (parts / "new.part").write_bytes(b"x")
    later = (tmp_path / "out" / "bundle.json").stat().st_mtime_ns + 10**9
    os.utime(parts / "new.part", ns=(later, later))  # of a run that was to replace the bundle
    with hold_output(tmp_path / "out", overwrite=True):
        assert (parts / "new.part").exists()


@pytest.mark.parametrize("value", [7, None, [7], float("nan"), 10**400])
@pytest.mark.parametrize("entry", ["analysis", "arrays", "config", "inputs", "notes", "figures"])
def test_an_odd_record_is_one_clear_line(tmp_path, entry, value):
    save(tmp_path / "out", 1)
    path = tmp_path / "out" / "bundle.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, entry: value}))
    with pytest.raises(
        CorruptDataError, match=rf"bundle\.json: not a bundle record: {entry}"
    ) as said:
        load_bundle(tmp_path / "out")
    assert "\n" not in str(said.value)
    path.write_text("[" * 100_000)
    with pytest.raises(CorruptDataError, match=r"bundle\.json: not a readable bundle record"):
        load_bundle(tmp_path / "out")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..\\secret", "C:\\x", "link/x"])
def test_names_in_a_record_stay_in_its_folder(tmp_path, name):
    folder = tmp_path / "out"
    save(folder, 1)
    shutil.copy(folder / "scores.nc", tmp_path / "secret.nc")
    (folder / "link").symlink_to(tmp_path)
    shutil.copy(folder / "scores.nc", tmp_path / "x.nc")
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "arrays": [name]}))
    with pytest.raises(CorruptDataError, match="leads out of"):
        load_bundle(folder)


def test_numbers_survive_a_bundle(tmp_path):
    values = np.array([np.nan, -0.0, 1e-320, np.inf, 2.0**-1074])
    save_bundle(
        tmp_path / "out",
        analysis="t",
        arrays={"scores": xarray.Dataset({"x": ("y", values)})},
        config={},
        inputs={},
    )
    np.testing.assert_array_equal(load_bundle(tmp_path / "out").arrays["scores"]["x"], values)
