"""Damage of any file, with a fixed seed: bytes, texts, JSON, and the structure of HDF5."""

from __future__ import annotations

import json
import struct

import h5py
import numpy as np

WORDS = (0, 1, 4, 255, 65535, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ODD_TEXT = ("9" * 400, "-1", "1e999", "nan", "true", "", "\0", "1_0", "n/a", "[" * 9000, "\ud800")
ODD_VALUES = (None, True, 10**400, -1, 0, 1e308, 2.5, "", "\0", "odd\nline", [], {}, [[]], "\ud800")
TEXTS = (".csv", ".json", ".md", ".toml", ".tsv", ".txt", ".TextGrid", ".vhdr", ".vmrk")
HDF5 = (".h5", ".hf5", ".nc", ".mat")
DEEP = 20_000


def damaged(path, rng):
    """Damage a file in place; return the kind of the damage, or None where nothing changed."""
    before = path.read_bytes()
    kinds = [cut, bits, words, zeros, lost, doubled]
    if path.suffix in TEXTS:
        kinds += [odd_cell, odd_line] * 3
    if path.suffix == ".json":
        kinds += [odd_json] * 6
    if path.suffix in HDF5 and h5py.is_hdf5(path):
        kinds += [odd_hdf5] * 8
    if path.suffix == ".safetensors":
        kinds += [odd_tensors] * 6
    kind = kinds[rng.integers(len(kinds))]
    if kind is odd_hdf5:
        name = odd_hdf5(path, rng)
        return None if path.read_bytes() == before else name
    content = kind(before, rng)
    path.write_bytes(content)
    return None if content == before else kind.__name__


def _place(content, rng):
    return int(rng.integers(max(1, len(content))))


def cut(content, rng):
    return content[: _place(content, rng)]


def bits(content, rng):
    changed = bytearray(content)
    for _ in range(rng.integers(1, 4) if changed else 0):
        changed[_place(changed, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def words(content, rng):
    changed = bytearray(content)
    place = _place(changed, rng) // 4 * 4
    order = "<>"[rng.integers(2)]
    changed[place : place + 4] = struct.pack(f"{order}I", WORDS[rng.integers(len(WORDS))])
    return bytes(changed)


def zeros(content, rng):
    place, size = _place(content, rng), int(rng.integers(1, 600))
    part = content[place : place + size]
    return content[:place] + bytes(len(part)) + content[place + size :]


def lost(content, rng):
    place, size = _place(content, rng), int(rng.integers(1, 200))
    return content[:place] + content[place + size :]


def doubled(content, rng):
    place, size = _place(content, rng), int(rng.integers(1, 200))
    return content[: place + size] + content[place:]


def odd_cell(content, rng):
    """Replace one word or number of a text."""
    text = content.decode("utf-8", "surrogateescape")
    starts = [i for i in range(len(text)) if text[i].isalnum() and not text[i - 1 : i].isalnum()]
    if not starts:
        return content
    start = end = starts[rng.integers(len(starts))]
    while end < len(text) and (text[end].isalnum() or text[end] in ".-_"):
        end += 1
    odd = ODD_TEXT[rng.integers(len(ODD_TEXT))]
    return (text[:start] + odd + text[end:]).encode("utf-8", "surrogatepass" if odd else "replace")


def odd_line(content, rng):
    """Lose, double or swap a line of a text."""
    lines = content.splitlines(keepends=True)
    i, j = (int(n) for n in rng.integers(max(1, len(lines)), size=2))
    kind = rng.integers(3)
    if not lines:
        return content
    if kind == 0:
        del lines[i]
    elif kind == 1:
        lines.insert(i, lines[j])
    else:
        lines[i], lines[j] = lines[j], lines[i]
    return b"".join(lines)


def odd_json(content, rng):
    """Replace, remove or nest one value of a JSON document."""
    try:
        document = json.loads(content)
    except ValueError:
        return content
    value = ODD_VALUES[rng.integers(len(ODD_VALUES))]
    if rng.random() < 0.1:
        mark = "deep" * 4
        text = json.dumps(_replaced(document, mark, rng))
        return text.replace(f'"{mark}"', "[" * DEEP + "]" * DEEP).encode()
    return json.dumps(_replaced(document, value, rng, remove=rng.random() < 0.2)).encode()


def _replaced(document, value, rng, remove=False):
    """Return a document in which one value, at any depth, is another one."""
    places = []

    def collect(node, depth=0):
        keys = node if isinstance(node, dict) else range(len(node))
        for key in list(keys)[:200]:
            places.append((node, key))
            if isinstance(node[key], dict | list):
                collect(node[key], depth + 1)

    if not isinstance(document, dict | list) or not document:
        return value
    collect(document)
    node, key = places[rng.integers(len(places))]
    if remove:
        del node[key]
    else:
        node[key] = value
    return document


def odd_tensors(content, rng):
    """Change the JSON header of a safetensors file and keep its length right."""
    (size,) = struct.unpack_from("<Q", content)
    header = odd_json(content[8 : 8 + size], rng)
    return struct.pack("<Q", len(header)) + header + content[8 + size :]


def odd_hdf5(path, rng):
    """Change one object of an HDF5 file in a way that the format allows."""
    try:
        with h5py.File(path, "r+") as file:
            names = []
            file.visit(names.append)
            if not names:
                return None
            name = names[rng.integers(len(names))]
            change = CHANGES[rng.integers(len(CHANGES))]
            change(file, name, rng)
            return f"hdf5 {change.__name__}"
    except Exception:  # h5py refuses some changes of some objects
        return None


def _swap(file, name, make):
    attributes = dict(file[name].attrs)
    del file[name]
    made = make()
    for key, value in attributes.items():
        if not key.isupper():  # those of dimension scales are references
            made.attrs[key] = value


def group_for_dataset(file, name, rng):
    _swap(file, name, lambda: file.create_group(name))


def gone(file, name, rng):
    del file[name]


def other_type(file, name, rng):
    kinds = ("S3", "i1", "u8", "f2", "c16", "?", "V7", [("a", "f8"), ("b", "i4")])
    shape = getattr(file[name], "shape", (2,))
    kind = np.dtype(kinds[rng.integers(len(kinds))])
    _swap(file, name, lambda: file.create_dataset(name, data=np.zeros(shape, kind)))


def texts(file, name, rng):
    shape = getattr(file[name], "shape", (2,))
    values = np.full(shape, "odd", dtype=object)
    _swap(file, name, lambda: file.create_dataset(name, data=values, dtype=h5py.string_dtype()))


def broken_text(file, name, rng):
    shape = getattr(file[name], "shape", (2,))
    values = np.full(shape, b"\xff\xfe\x00", dtype="S3")
    _swap(file, name, lambda: file.create_dataset(name, data=values))


def references(file, name, rng):
    shape = getattr(file[name], "shape", (2,))
    _swap(file, name, lambda: file.create_dataset(name, shape, h5py.ref_dtype))


def ragged(file, name, rng):
    kind = h5py.vlen_dtype(np.dtype("f8"))
    shape = getattr(file[name], "shape", (2,))
    _swap(file, name, lambda: file.create_dataset(name, shape, kind))


def empty(file, name, rng):
    _swap(file, name, lambda: file.create_dataset(name, data=h5py.Empty("f8")))


def scalar(file, name, rng):
    _swap(file, name, lambda: file.create_dataset(name, data=1.0))


def no_rows(file, name, rng):
    shape = getattr(file[name], "shape", (2,))
    _swap(file, name, lambda: file.create_dataset(name, data=np.zeros((0, *shape[1:]))))


def more_dimensions(file, name, rng):
    values = file[name][()] if isinstance(file[name], h5py.Dataset) else np.zeros(2)
    _swap(file, name, lambda: file.create_dataset(name, data=np.asarray(values)[None, None]))


def other_shape(file, name, rng):
    shape = tuple(n + 1 for n in getattr(file[name], "shape", (2,)))
    _swap(file, name, lambda: file.create_dataset(name, data=np.zeros(shape)))


def declared_only(file, name, rng):
    rank = max(1, len(getattr(file[name], "shape", (2,))))
    _swap(
        file, name, lambda: file.create_dataset(name, (1 << 40 // rank,) * rank, chunks=(9,) * rank)
    )


def not_finite(file, name, rng):
    values = np.asarray(file[name][()], dtype=float)
    values.flat[0] = (np.nan, np.inf)[rng.integers(2)]
    _swap(file, name, lambda: file.create_dataset(name, data=values))


def to_nowhere(file, name, rng):
    del file[name]
    file[name] = h5py.SoftLink("/no/where")


def to_itself(file, name, rng):
    del file[name]
    file[name] = h5py.SoftLink(f"/{name}")


def to_another_file(file, name, rng):
    del file[name]
    file[name] = h5py.ExternalLink("elsewhere.h5", "/x")


def to_above(file, name, rng):
    del file[name]
    file[name] = file["/"]  # a hard link: a loop


def odd_attribute(file, name, rng):
    target = file if rng.random() < 0.3 else file[name]
    names = [*target.attrs] or ["odd"]
    values = (b"\xff", 10**18, np.zeros(0), h5py.Empty("f8"), "text", np.ones((2, 2)), np.nan)
    key = names[rng.integers(len(names))]
    del_first = key in target.attrs
    if del_first:
        del target.attrs[key]
    if not del_first or rng.random() < 0.8:
        target.attrs[key] = values[rng.integers(len(values))]


CHANGES = (
    group_for_dataset,
    gone,
    other_type,
    other_type,
    texts,
    broken_text,
    references,
    ragged,
    empty,
    scalar,
    no_rows,
    more_dimensions,
    other_shape,
    declared_only,
    not_finite,
    to_nowhere,
    to_itself,
    to_another_file,
    to_above,
    odd_attribute,
    odd_attribute,
)
