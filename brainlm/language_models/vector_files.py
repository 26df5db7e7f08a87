"""Read tables of word vectors: GloVe, word2vec and fastText, as text and in binary form."""

from __future__ import annotations

import gzip
import mmap
import re
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from brainlm.errors import CorruptDataError
from brainlm.storage.downloads import check_content

HEADER = re.compile(rb"(\d+) (\d+)\s*\n")
FASTTEXT = (793712314).to_bytes(4, "little")  # how its .bin files begin
LONGEST_WORD = 4096  # bytes; beyond that a file is not a table of word vectors


def read_vectors(path: Path | str) -> tuple[list[str], np.ndarray]:
    """Read a file of word vectors; its content, not its name, says which format it has.

    Parameters
    ----------
    path : Path or str
        GloVe text (``word v1 v2 ...`` per line), word2vec text and fastText's ``.vec`` (the same
        after a line ``n_words n_features``) or word2vec binary (that line, then word, space,
        little-endian float32); each may be gzipped. Or fastText's ``.bin``, through gensim: the
        mean of a word's own vector and those of its character n-grams, as fastText gives it.

    Returns
    -------
    list of str, array of float32 of shape (n_words, n_features)
        Words as written, in the order of the file, and their vectors.

    Raises
    ------
    DataMissingError
        There is no such file.
    CorruptDataError
        It is a web page or a pointer, is cut short, or holds something else.
    ImportError
        A ``.bin`` of fastText, and gensim is not installed.
    """
    path = check_content(path)
    with open(path, "rb") as start:
        magic = start.read(4)
    if magic == FASTTEXT:
        return _read_fasttext(path)
    zipped = magic[:2] == b"\x1f\x8b"
    with gzip.open(path, "rb") if zipped else open(path, "rb") as opened:
        file = cast(BinaryIO, opened)
        try:
            first = file.readline(LONGEST_WORD * 16)
            header = HEADER.fullmatch(first)
            file.seek(0)
            if header is None:
                return _read_text(path, file)
            n_words, n_features = (int(group) for group in header.groups())
            # A word of one byte, and per feature two bytes as text; checked before allocating.
            if not zipped and n_words * (2 * n_features + 2) > path.stat().st_size:
                raise CorruptDataError(
                    f"{path}: declares {n_words} words x {n_features}, more than its "
                    f"{path.stat().st_size} bytes can hold; the file is cut short or no table"
                )
            file.readline()
            if _is_text(file.readline(LONGEST_WORD + 64 * n_features), n_features):
                file.seek(len(first))
                return _read_text(path, file, n_words, n_features)
            file.seek(len(first))
            return _read_binary(path, file, n_words, n_features)
        except (EOFError, gzip.BadGzipFile) as error:
            raise CorruptDataError(f"{path}: the gzip stream is cut short or broken") from error


def _read_fasttext(path: Path) -> tuple[list[str], np.ndarray]:
    try:
        from gensim.models.fasttext import load_facebook_vectors
    except ImportError as error:
        raise ImportError(
            f"{path}: a .bin of fastText, which gensim reads: `pip install brainlm[fasttext]`, or "
            "take the .vec file of the same vectors"
        ) from error
    try:
        found = load_facebook_vectors(str(path))
    except Exception as error:  # gensim asserts, and names no file
        raise CorruptDataError(f"{path}: gensim cannot read it ({error!r})") from error
    return list(found.index_to_key), np.asarray(found.vectors, dtype=np.float32)


def _is_text(line: bytes, n_features: int) -> bool:
    try:
        return len([float(value) for value in line.split()[-n_features:]]) == n_features
    except ValueError:
        return False


def _read_text(
    path: Path, file: BinaryIO, n_words: int | None = None, n_features: int | None = None
) -> tuple[list[str], np.ndarray]:
    words, rows = [], []
    for number, line in enumerate(file, start=1 if n_words is None else 2):
        line = line.rstrip()
        n_features = n_features or line.count(b" ")
        parts = line.rsplit(b" ", n_features)  # from the right: GloVe 840B has words with spaces
        try:
            row = np.array(parts[1:], dtype=np.float32)
            words.append(parts[0].decode())
        except ValueError as error:
            raise CorruptDataError(f"{path}: line {number} is not a word with numbers") from error
        if len(row) != n_features or n_features == 0 or not np.isfinite(row).all():
            raise CorruptDataError(
                f"{path}: line {number} ({words[-1][:20]!r}) has no {n_features} finite numbers; "
                "the file is cut short or no table of word vectors"
            )
        rows.append(row)
    if n_words is not None and len(rows) != n_words:
        raise CorruptDataError(f"{path}: declares {n_words} words and has {len(rows)}: cut short")
    return words, np.array(rows)


def _read_binary(
    path: Path, file: BinaryIO, n_words: int, n_features: int
) -> tuple[list[str], np.ndarray]:
    size = 4 * n_features
    at = file.tell()
    if isinstance(file, gzip.GzipFile):
        data: bytes | mmap.mmap = file.read()
        at = 0
    else:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if n_words * (size + 2) > len(data) - at:
        raise CorruptDataError(
            f"{path}: declares {n_words} words x {n_features} float32, needs at least "
            f"{n_words * (size + 2)} bytes and has {len(data) - at}: cut short"
        )
    words: list[str] = []
    vectors = np.empty((n_words, n_features), dtype=np.float32)
    for i in range(n_words):
        space = data.find(b" ", at, at + LONGEST_WORD)
        if space < 0 or space + 1 + size > len(data):
            raise CorruptDataError(f"{path}: word {i} of {n_words} is not whole: cut short")
        # Bytes that are no UTF-8 (a word cut in two by the tool) stay distinct and match nothing.
        words.append(data[at:space].lstrip(b"\n").decode(errors="backslashreplace"))
        at = space + 1 + size
        vectors[i] = np.frombuffer(data[space + 1 : at], dtype="<f4")
    if not np.isfinite(vectors).all():
        raise CorruptDataError(f"{path}: has values that are NaN or infinite")
    return words, vectors
