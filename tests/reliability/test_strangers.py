"""Cards and data of strangers reach nothing outside of their folder."""

import base64
import os
import struct
import warnings
import zlib

import h5py
import numpy as np
import pytest
from openpyxl import Workbook
from scipy import sparse
from scipy.io import savemat
from support.limits import bounded
from support.studies import write_study

from brainlm import from_surfaces
from brainlm.batch.study_reading import read_study
from brainlm.compute.lazy_arrays import open_stored, read_stored
from brainlm.datasets.card import read_card
from brainlm.datasets.fetch import fetch_dataset
from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.io.matlab import read_mat
from brainlm.io.sheets import read_sheet
from brainlm.storage.whole_files import inside

CARD = """
name = "strange"
title = "A stranger's"
modality = "ratings"
languages = ["en"]
level = "word"
licence = "CC0-1.0"
noncommercial = false
folder = [{folder}]
subjects = ["group"]
{checksums}
[source]
how = "url"
pages = ["https://example.org"]
base_url = "http://127.0.0.1:9/"
{source}
[open]
reader = "tables"
[open.options]
language = "en"
unit = "rating 0-6"
[[open.options.tables]]
path = {path}
word = "Word"
columns = ["x"]
"""
GOOD = {
    "folder": '"strange"',
    "checksums": '[checksums]\n"norms.csv" = "' + "0" * 64 + '"\n',
    "source": "",
    "path": '"norms.csv"',
}
OUTSIDE = ["../../../victim.sh", "/etc/victim", "a/../../victim", "..\\\\victim", "C:\\\\victim"]


def card(tmp_path, **changes):
    path = tmp_path / "strange.toml"
    path.write_text(CARD.format(**{**GOOD, **changes}))
    return path


@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize("place", ["checksums", "folder", "path", "urls"])
def test_no_path_of_a_card_leaves_its_folder(tmp_path, place, outside):
    changes = {
        "checksums": {"checksums": f'[checksums]\n"{outside}" = "{"0" * 64}"\n'},
        "folder": {"folder": f'"{outside}"'},
        "path": {"path": f'"{outside}"'},
        "urls": {"source": f'urls = {{ "{outside}" = "http://127.0.0.1:9/x" }}'},
    }[place]
    with pytest.raises(CorruptDataError, match="leaves the folder of the data"):
        read_card(card(tmp_path, **changes))


def test_a_file_is_not_fetched_through_a_link_that_leads_out(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "norms.csv").write_text("mine")
    folder = tmp_path / "root" / "strange"
    folder.parent.mkdir()
    folder.mkdir()
    (folder / "deep").symlink_to(elsewhere)
    deep = GOOD["checksums"].replace("norms.csv", "deep/norms.csv")
    with pytest.raises(CorruptDataError, match="leads out of"):
        fetch_dataset(card(tmp_path, checksums=deep), folder.parent)
    assert (elsewhere / "norms.csv").read_text() == "mine"


def test_paths_inside_are_as_before(tmp_path):
    assert inside(tmp_path, "a/b..c/x.csv") == tmp_path / "a" / "b..c" / "x.csv"
    assert read_card(card(tmp_path)).folder == ("strange",)


def mat_of_version_5(path):
    """Write a file with every class of matrix."""
    inner = np.array([1, "two", np.ones(3)], dtype=object)
    nested = {"x": 1, "y": np.array([{"z": 2}, {"z": 3}], dtype=object)}
    content = {"a": np.eye(3), "s": "hello", "c": inner, "st": nested, "z": 1 + 2j}
    content |= {"sp": sparse.csc_matrix(np.eye(4)), "l": np.array([True, False])}
    savemat(path, content)
    return path.read_bytes()


def exit_code_of(function, *given):
    """Call a function in a child; return 0 for a clear error or none, -SIGNAL where it crashed."""
    child = os.fork()
    if child == 0:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 2)
        try:
            function(*given)
        except (CorruptDataError, MemoryError):
            os._exit(0)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_changed_word_of_a_mat_file_kills_nothing(tmp_path, rng):
    """Of 500 such changes scipy alone crashes on 3."""
    path = tmp_path / "x.mat"
    whole = mat_of_version_5(path)
    assert read_mat(path)["s"] == "hello"
    values = [0, 1, 4, 14, 15, 255, 65535, 0x40001, 0x7FFFFFFF, 0xFFFFFFFF]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(60):
            content, place = bytearray(whole), 4 * int(rng.integers(32, len(whole) // 4))
            struct.pack_into("<I", content, place, int(rng.choice(values)))
            path.write_bytes(content)
            assert exit_code_of(read_mat, path) == 0, place


GIFTI = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE GIFTI SYSTEM "http://www.nitrc.org/frs/download.php/1594/gifti.dtd">
<GIFTI Version="1.0" NumberOfDataArrays="1">
<DataArray Intent="NIFTI_INTENT_NONE" DataType="NIFTI_TYPE_UINT8"
 ArrayIndexingOrder="RowMajorOrder" Dimensionality="{dimensionality}" Dim0="{n}"
 Encoding="{encoding}" Endian="LittleEndian" ExternalFileName="{file}" ExternalFileOffset="0">
<Data>{data}</Data></DataArray></GIFTI>
"""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoding": "ExternalFileBinary", "file": "/etc/passwd"}, "in another file"),
        ({"dimensionality": "9999999999999"}, "dimensions"),
        ({"dimensionality": "-1"}, "dimensions"),
        ({"n": 10**12}, "cannot hold"),
        (
            {"data": base64.b64encode(zlib.compress(bytes(1 << 28))).decode()},
            "unpacks to more than its 4 bytes",
        ),
    ],
)
def test_hostile_gifti_is_refused_before_it_is_held(tmp_path, changes, message):
    good = {"dimensionality": "1", "n": 4, "encoding": "GZipBase64Binary", "file": ""}
    good["data"] = base64.b64encode(zlib.compress(bytes(4))).decode()
    paths = [tmp_path / f"{side}.func.gii" for side in "LR"]
    for path in paths:
        path.write_text(GIFTI.format(**{**good, **changes}))
    with pytest.raises((CorruptDataError, MemoryError, ValueError), match=message):
        from_surfaces(*paths, sampling_interval=2.0)


def test_a_cell_far_away_is_no_sheet_of_billions(tmp_path):
    book = Workbook()
    book.active.append(["word", "x"])
    book.active.append(["dog", 1])
    book.save(tmp_path / "x.xlsx")
    assert read_sheet(tmp_path / "x.xlsx").numbers("x").tolist() == [1]
    book.active.cell(200_000, 16_000).value = 1
    book.save(tmp_path / "x.xlsx")
    with pytest.raises(CorruptDataError, match="delete the cells far outside"):
        read_sheet(tmp_path / "x.xlsx")


def test_a_place_of_a_study_is_text_and_no_program(tmp_path):
    path = write_study(tmp_path)
    text = path.read_text().replace("{subject}", "{subject:>3000000000}")
    path.write_text(text)
    with pytest.raises((CorruptDataError, DataMissingError)):
        read_study(path).tasks()


def test_a_text_that_is_longer_than_its_file_is_not_held(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=["once", "upon"], dtype=h5py.string_dtype())
        start = file["x"].id.get_offset()
    assert read_stored(f"{path}:x").tolist() == [b"once", b"upon"]
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, start, 0x70000000)  # the length of the first
    path.write_bytes(content)
    with bounded(), pytest.raises(CorruptDataError, match=r"x\.h5: /x declares texts longer"):
        read_stored(f"{path}:x")


def test_values_that_are_declared_and_not_stored_are_not_held(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (1 << 20, 1 << 20), dtype="f4", chunks=(9, 9))
    assert open_stored(f"{path}:x").shape == (1 << 20, 1 << 20)  # to plan a study by its sizes
    with bounded(), pytest.raises(CorruptDataError, match=r"x\.h5: its header declares"):
        read_stored(f"{path}:x")
