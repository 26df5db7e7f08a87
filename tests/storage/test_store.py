import json
import multiprocessing

import numpy as np
import pytest

from brainlm.storage import store as cache
from brainlm.storage.store import cached_arrays, content_key, resolve_cache

SHAPE = (10, 3)
VALUES = np.arange(60, dtype=np.float32).reshape(2, *SHAPE)
ROWS = [np.array([0, 1, 5]), np.array([2, 4, 3]), np.array([9, 8, 7, 6])]


def build(folder, *, stop_before=None, calls=None, plan="", key="k"):
    def compute(step):
        if step == stop_before:
            raise KeyboardInterrupt
        if calls is not None:
            calls.append(step)
        return ROWS[step], VALUES[:, ROWS[step]]

    return cached_arrays(
        folder, key, names=["a", "b"], shape=SHAPE, n_steps=3, compute=compute, plan=plan
    )


def test_built_arrays_are_the_computed_ones_and_read_only(tmp_path):
    arrays = build(tmp_path)
    np.testing.assert_array_equal(np.stack(arrays), VALUES)
    assert not arrays[0].flags.writeable
    assert sorted(path.name for path in (tmp_path / "k").iterdir()) == ["entry.json", "values.npy"]
    np.testing.assert_array_equal(np.load(tmp_path / "k" / "values.npy"), VALUES)


def test_second_call_computes_nothing(tmp_path):
    build(tmp_path)
    calls = []
    np.testing.assert_array_equal(np.stack(build(tmp_path, calls=calls)), VALUES)
    assert calls == []


def test_killed_build_goes_on_and_ends_with_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "SECONDS_BETWEEN_RECORDS", -1.0)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, stop_before=2)
    assert not (tmp_path / "k").exists()
    calls = []
    arrays = build(tmp_path, calls=calls)
    assert calls == [2]
    whole = build(tmp_path / "other")
    for resumed, fresh in zip(arrays, whole, strict=True):
        assert resumed.tobytes() == fresh.tobytes()


def test_build_begun_in_other_steps_starts_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "SECONDS_BETWEEN_RECORDS", -1.0)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, stop_before=2, plan="4 at a time")
    calls = []
    build(tmp_path, calls=calls, plan="8 at a time")
    assert calls == [0, 1, 2]


@pytest.mark.parametrize("damage", ["bit", "short", "gone", "json", "other"])
def test_corrupt_entry_is_found_and_built_again(tmp_path, damage):
    build(tmp_path)
    path, record = tmp_path / "k" / "values.npy", tmp_path / "k" / "entry.json"
    content = bytearray(path.read_bytes())
    if damage == "bit":
        content[-1] ^= 1
        path.write_bytes(content)
    elif damage == "short":
        path.write_bytes(content[:-4])
    elif damage == "gone":
        path.unlink()
    elif damage == "json":
        record.write_text(record.read_text()[:20])
    else:
        record.write_text(json.dumps({"blake2": ""}))
    with pytest.warns(UserWarning, match="corrupt cache entry, built again"):
        arrays = build(tmp_path)
    np.testing.assert_array_equal(np.stack(arrays), VALUES)


def test_an_entry_of_the_first_versions_is_built_again_without_alarm(tmp_path):
    build(tmp_path)
    record = tmp_path / "k" / "entry.json"
    content = json.loads(record.read_text())
    content["checksum"] = content.pop("blake2")
    record.write_text(json.dumps(content))
    calls = []
    np.testing.assert_array_equal(np.stack(build(tmp_path, calls=calls)), VALUES)
    assert calls == [0, 1, 2]


def _in_process(folder, queue):
    calls = []
    arrays = build(folder, calls=calls)
    queue.put((calls, np.stack(arrays).tobytes()))


def test_processes_share_an_entry_and_one_builds_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [context.Process(target=_in_process, args=(tmp_path, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sum(len(calls) for calls, _ in found) == 3
    assert {content for _, content in found} == {VALUES.tobytes()}


def test_disk_without_room_is_said_before_anything_is_computed(tmp_path, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", ["total", "used", "free"])
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: usage(1, 1, 10))
    calls = []
    with pytest.raises(OSError, match="choose fewer layers, or another folder"):
        build(tmp_path, calls=calls)
    assert calls == []


def test_key_follows_names_values_types_and_shapes():
    x = np.arange(4)
    keys = [
        content_key(parts)
        for parts in (
            {"x": x},
            {"y": x},
            {"x": x + 1},
            {"x": x.astype(np.int32)},
            {"x": x.reshape(2, 2)},
            {"x": [x[:1], x[1:]]},
            {"x": [x[:2], x[2:]]},
            {"x": "a"},
            {"x": ["a"]},
        )
    ]
    assert len(set(keys)) == len(keys)
    assert content_key({"a": 1, "b": x}) == content_key({"b": x.copy(), "a": 1})


def test_folder_of_a_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path))
    assert resolve_cache(False) is None
    assert resolve_cache(True) == tmp_path / "embeddings"
    assert resolve_cache("here").name == "here"
