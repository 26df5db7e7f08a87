"""Files that declare, or swell to, far more than they hold: refused in seconds and megabytes."""

from __future__ import annotations

import base64
import gzip
import io
import re
import struct
import zipfile
import zlib

import h5py
import nibabel as nib
import numpy as np
import pytest
from support.damages import (
    cifti,
    gifti,
    mat_new,
    mat_plain,
    open_cifti,
    open_gifti,
    open_mat_new,
    open_mat_plain,
)
from support.limits import bounded, linux_only

from brainlm.errors import CorruptDataError
from brainlm.io import read_maps
from brainlm.io.sheets import read_sheet
from brainlm.language_models.word_vectors import _read_shipped

HUGE = 30_000
ROOM = 1 << 28  # bytes that opening may take: a quarter of the usual room, to pack less
SWOLLEN = 3 * ROOM // 2  # bytes that less than a megabyte unpacks to


def nifti_header(shape):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.float32)
    header.set_data_shape((1, 1, 1))
    raw = bytearray(header.binaryblock)
    raw[40:56] = struct.pack("<8h", len(shape), *shape, *[1] * (7 - len(shape)))
    return bytes(raw) + bytes(4)


def volume(folder):
    (folder / "a.nii").write_bytes(nifti_header((HUGE, HUGE, HUGE)) + bytes(100))


def packed_volume(folder):
    with gzip.open(folder / "a.nii.gz", "wb") as file:
        file.write(nifti_header((HUGE, HUGE, HUGE)) + bytes(100))


def open_volume(folder):
    (path,) = folder.glob("a.nii*")
    read_maps(folder, files=[path.name], shape=[HUGE, HUGE, HUGE], unit="z")


def surface(folder):
    gifti(folder)
    for path in folder.glob("*.gii"):
        text = path.read_text()
        changed = re.sub(r'Dim0="\d+"', f'Dim0="{HUGE**2}"', text)
        assert changed != text
        path.write_text(changed)


def swollen_surface(folder):
    gifti(folder)
    for path in folder.glob("*.gii"):
        text = path.read_text()
        start = text.index("<Data>") + 6
        packer = zlib.compressobj(1)
        packed = [packer.compress(bytes(1 << 20)) for _ in range(SWOLLEN >> 20)]
        bomb = base64.b64encode(b"".join([*packed, packer.flush()])).decode()
        text = text[:start] + bomb + text[text.index("</Data>") :]
        path.write_text(text)


def dense_series(folder):
    cifti(folder)
    path = folder / "sub-1_bold.dtseries.nii"
    raw = bytearray(path.read_bytes())
    raw[16:80] = struct.pack("<8q", 6, 1, 1, 1, 1, HUGE**2, HUGE**2, 1)  # NIfTI-2: dim
    path.write_bytes(bytes(raw))


def old_matrix(folder):
    mat_plain(folder)
    path = folder / "1.mat"
    raw = bytearray(path.read_bytes())
    place = raw.index(struct.pack("<iiii", 5, 8, 3, 4))  # the dimensions of x
    raw[place + 8 : place + 16] = struct.pack("<ii", HUGE, HUGE)
    path.write_bytes(bytes(raw))


def swollen_matrix(folder):
    """A valid old file of some megabytes that unpacks to `SWOLLEN`."""
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    packer, packed = zlib.compressobj(9), io.BytesIO()
    n = SWOLLEN
    inner = struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<IIii", 5, 8, n // 8, 1)
    inner += struct.pack("<II", 1, 1) + b"x".ljust(8, b"\0") + struct.pack("<II", 9, n)
    packed.write(packer.compress(struct.pack("<II", 14, len(inner) + n) + inner))
    zeros = bytes(1 << 24)
    for _ in range(n >> 24):
        packed.write(packer.compress(zeros))
    packed.write(packer.flush())
    body = packed.getvalue()
    (folder / "1.mat").write_bytes(head + struct.pack("<II", 15, len(body)) + body)


def new_matrix(folder):
    mat_new(folder)
    with h5py.File(folder / "times.mat", "r+") as file:
        del file["onset"]
        file.create_dataset("onset", shape=(HUGE, HUGE), dtype="f8", chunks=(100, 100))
        file["onset"].attrs["MATLAB_class"] = np.bytes_("double")


def declared_array(folder):
    """Arrays whose headers promise 7 TB."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": (HUGE**2, 1000)}
    )
    with zipfile.ZipFile(folder / "a.npz", "w") as archive:
        archive.writestr("matrix.npy", buffer.getvalue() + bytes(800))
        for name, values in (("rows", ["a"]), ("columns", ["x"])):
            inner = io.BytesIO()
            np.save(inner, np.array(values))
            archive.writestr(f"{name}.npy", inner.getvalue())
    (folder / "v.npy").write_bytes(buffer.getvalue() + bytes(800))


def swollen_array(folder):
    with zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f8", "fortran_order": False, "shape": (SWOLLEN >> 20, 1 << 17)}
        )
        with archive.open("matrix.npy", "w", force_zip64=True) as file:
            file.write(header.getvalue())
            for _ in range(SWOLLEN >> 20):
                file.write(bytes(1 << 20))
        for name, n in (("rows", SWOLLEN >> 20), ("columns", 1 << 17)):
            inner = io.BytesIO()
            np.save(inner, np.array([f"{name}{i}" for i in range(n)]))
            archive.writestr(f"{name}.npy", inner.getvalue())


def swollen_workbook(folder):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["word", "value"])
    for i in range(3):
        book.active.append([f"w{i}", i])
    book.save(folder / "small.xlsx")
    with (
        zipfile.ZipFile(folder / "small.xlsx") as small,
        zipfile.ZipFile(folder / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as large,
    ):
        for name in small.namelist():
            content = small.read(name)
            if name.startswith("xl/worksheets"):
                with large.open(name, "w", force_zip64=True) as file:
                    at = content.index(b"</sheetData>")
                    file.write(content[:at])
                    for _ in range(SWOLLEN >> 20):
                        file.write(b"<row><c><v>" + b"1" * (1 << 20) + b"</v></c></row>")
                    file.write(content[at:])
            else:
                large.writestr(name, content)


def open_sheet(folder):
    (path,) = folder.glob("a.*")
    read_sheet(path)


def open_vectors(folder):
    _read_shipped(folder)


def declared_vectors(folder):
    import pyarrow
    import pyarrow.parquet

    declared_array(folder)
    words = pyarrow.table({"word": ["a", "b"]})
    pyarrow.parquet.write_table(words, folder / "w.parquet")


def swollen_r_data(folder):
    with gzip.open(folder / "a.rda", "wb") as file:
        file.write(b"RDX3\nX\n" + struct.pack(">iii", 3, 0x40000, 0x30500))
        file.write(struct.pack(">i", 5) + b"UTF-8")
        file.write(struct.pack(">ii", 0x402, 1) + struct.pack(">ii", 0x40009, 1) + b"x")
        file.write(struct.pack(">ii", 14, (1 << 31) - 1))
        for _ in range(SWOLLEN >> 20):
            file.write(bytes(1 << 20))


HOSTILE = {
    "NIfTI": (volume, open_volume),
    "packed NIfTI": (packed_volume, open_volume),
    "GIFTI": (surface, open_gifti),
    "swollen GIFTI": (swollen_surface, open_gifti),
    "CIFTI": (dense_series, open_cifti),
    "old .mat": (old_matrix, open_mat_plain),
    "swollen old .mat": (swollen_matrix, open_mat_plain),
    "new .mat": (new_matrix, open_mat_new),
    "NPZ": (declared_array, open_sheet),
    "swollen NPZ": (swollen_array, open_sheet),
    "NPY": (declared_vectors, open_vectors),
    "swollen XLSX": (swollen_workbook, open_sheet),
    "swollen .rda": (swollen_r_data, open_sheet),
}


@linux_only
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_size_is_refused_in_bounded_memory(kind, tmp_path, monkeypatch):
    monkeypatch.setattr("brainlm.compute.memory.available_memory", lambda: ROOM // 2)
    write, read = HOSTILE[kind]
    write(tmp_path)
    with bounded(room=ROOM), pytest.raises((CorruptDataError, MemoryError)) as refused:
        read(tmp_path)
    assert str(tmp_path) in str(refused.value)
