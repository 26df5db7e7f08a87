from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.io import read_pickle


def write(path, value, protocol=4):
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="<f4").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">i8"),
        np.array(["a", "字"]),
        np.array([True, False]),
        np.zeros((0, 4)),
        np.array(2.5),
    ],
)
def test_arrays_come_back_as_they_were(tmp_path, array, protocol):
    content = {"a": [1, 2.5, "x", None, b"b", (True,)], 7: array}
    read = read_pickle(write(tmp_path / "p.pkl", content, protocol))
    assert read["a"] == content["a"]
    assert type(read[7]) is np.ndarray
    assert read[7].dtype == array.dtype
    np.testing.assert_array_equal(read[7], array)


class Hostile:
    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


def test_a_hostile_pickle_does_not_run(tmp_path):
    trace = tmp_path / "trace"
    path = write(tmp_path / "p.pkl", {"fmri": Hostile(os.system, f"touch {trace}")})
    with pytest.raises(CorruptDataError, match=r"names (posix|nt)\.system, which is not allowed"):
        read_pickle(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())  # the attack itself works
    assert trace.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Hostile(eval, "1"), r"builtins\.eval"),
        (Hostile(getattr, "", "upper"), r"builtins\.getattr"),
        (Hostile(np.dtype, "f4"), "bare _DType"),
        (Hostile(np.ndarray, (10**12,)), "_NDArray"),
        (np.array([{"a": 1}], dtype=object), "dtype 'O8' is not numeric"),
        (np.array(["2020"], dtype="M8[D]"), "is not numeric"),
        (np.float64(1), "scalar"),
        ({1, 2}, "opcode EMPTY_SET"),
        (Hostile, "test_pickles.Hostile"),
        (b"cnumpy\nndarray\n.", "bare|opcode|holds"),
        (b"\x80\x04P1\n.", "opcode PERSID"),
        (b"\x80\x04Nr\xff\xff\xff\x7f.", "memo index"),
        (b"\x80\x04]\x94h\x00a.", "recursion"),
        (b"not a pickle", "not a pickle of plain"),
    ],
)
def test_whatever_is_not_plain_is_refused_by_name(tmp_path, value, message):
    path = write(tmp_path / "p.pkl", value)
    with pytest.raises(CorruptDataError, match=message) as error:
        read_pickle(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"K\x02K\x03\x86", b"K\x02K\x04\x86"), (b"\x8c\x01<", b"\x8c\x01?"), (b"f4", b"O4")],
)
def test_an_array_that_does_not_fit_its_bytes_is_refused(tmp_path, old, new):
    content = pickle.dumps(np.zeros((2, 3), "<f4"), 4)
    assert old in content
    with pytest.raises(CorruptDataError):
        read_pickle(write(tmp_path / "p.pkl", content.replace(old, new)))


def test_a_missing_or_empty_pickle(tmp_path):
    with pytest.raises(DataMissingError):
        read_pickle(tmp_path / "p.pkl")
    with pytest.raises(CorruptDataError, match="empty"):
        read_pickle(write(tmp_path / "p.pkl", b""))
