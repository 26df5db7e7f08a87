import gzip
import importlib.util
import struct
import sys

import numpy as np
import pytest

from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.language_models.vector_files import read_vectors

WORDS = ["the", "dog", "公园", "New York"]
VECTORS = np.array([[0.5, -1, 2], [3, 4, 5.25], [1e-3, 0, 7], [1, 1, 1]], dtype=np.float32)


def text(header, words=WORDS, vectors=VECTORS):
    lines = [f"{len(words)} {vectors.shape[1]}"] if header else []
    rows = zip(words, vectors.tolist(), strict=True)
    lines += [f"{word} {' '.join(map(str, row))}" for word, row in rows]
    return ("\n".join(lines) + "\n").encode()


def binary(newline=b"\n", declared=(4, 3)):
    body = b"".join(
        word.encode() + b" " + struct.pack("<3f", *row) + newline
        for word, row in zip(["the", "dog", "公园", "end"], VECTORS, strict=True)
    )
    return f"{declared[0]} {declared[1]}\n".encode() + body


@pytest.fixture
def write(tmp_path):
    def to_file(content, name="vectors.txt"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return to_file


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_text_is_read_with_and_without_header(write, header, pack):
    words, vectors = read_vectors(write(pack(text(header))))
    assert words == WORDS
    np.testing.assert_array_equal(vectors, VECTORS)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize("newline", [b"\n", b""])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_binary_is_read_with_and_without_newlines(write, newline, pack):
    words, vectors = read_vectors(write(pack(binary(newline)), "words.vector"))
    assert words == ["the", "dog", "公园", "end"]
    np.testing.assert_array_equal(vectors, VECTORS)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("content", [text(True), binary()])
def test_file_cut_short_is_refused(write, content, pack):
    for cut in (5, len(content) // 2, len(content) - 8):
        with pytest.raises(CorruptDataError):
            read_vectors(write(pack(content[:cut])))


def test_gzip_cut_short_is_refused(write):
    packed = gzip.compress(text(True))
    with pytest.raises(CorruptDataError, match="gzip stream is cut short"):
        read_vectors(write(packed[:-12]))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_declared_size_is_checked_before_anything_is_allocated(write, pack):
    with pytest.raises(CorruptDataError, match="declares 4000000000 words"):
        read_vectors(write(pack(binary(declared=(4_000_000_000, 300)))))
    with pytest.raises(CorruptDataError, match="declares"):
        read_vectors(write(pack(binary(declared=(4, 10**15)))))


def test_more_words_than_declared_are_refused(write):
    with pytest.raises(CorruptDataError, match="declares 3 words and has 4"):
        read_vectors(write(text(True).replace(b"4 3\n", b"3 3\n", 1)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html><body>404</body></html>", "HTML page"),
        (b"", "empty"),
        (b"the 1 2 3\ndog 1 x 3\n", "line 2 is not a word with numbers"),
        (b"the 1 2 3\ndog 1 2\n", "line 2"),
        (b"the 1 2 3\ndog 1 nan 3\n", "line 2 .'dog'. has no 3 finite numbers"),
        (b"prose without any number\n", "line 1"),
        (b"word\n", "line 1"),
        (b"\xff\xfe 1 2\n", "line 1"),
    ],
)
def test_other_content_is_refused(write, content, message):
    with pytest.raises(CorruptDataError, match=message):
        read_vectors(write(content))


def test_binary_with_nan_is_refused(write):
    content = b"1 3\nthe " + struct.pack("<3f", 1, np.nan, 1)
    with pytest.raises(CorruptDataError, match="NaN"):
        read_vectors(write(content))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataMissingError, match="no such file"):
        read_vectors(tmp_path / "glove.txt")


def fnv(ngram):
    """The hash of fastText: FNV-1a over bytes, these with their sign."""
    value = 2166136261
    for byte in ngram.encode():
        value = ((value ^ (byte | 0xFFFFFF00 if byte > 127 else byte)) * 16777619) % 2**32
    return value


def fasttext_file(path, words, vectors, ngrams, minn, maxn):
    """Write a .bin of fastText, version 12, without pruning and quantising."""
    dim, bucket = vectors.shape[1], len(ngrams)
    whole = np.vstack([vectors, ngrams]).astype("<f4")
    with open(path, "wb") as file:
        file.write(struct.pack("<2i", 793712314, 12))
        file.write(struct.pack("<12id", dim, 5, 5, 1, 5, 1, 2, 2, bucket, minn, maxn, 100, 1e-4))
        file.write(struct.pack("<3i2q", len(words), len(words), 0, 100, -1))
        for i, word in enumerate(words):
            file.write(word.encode() + b"\0" + struct.pack("<qb", 50 - i, 0))
        for matrix in (whole, vectors.astype("<f4")):
            file.write(struct.pack("<b2q", 0, *matrix.shape) + matrix.tobytes())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("minn", "maxn"), [(0, 0), (2, 3)])
def test_fasttext_binary_is_the_mean_of_word_and_ngrams(tmp_path, rng, minn, maxn):
    pytest.importorskip("gensim")
    words = ["the", "狗", "naïve"]
    vectors, ngrams = rng.standard_normal((3, 4)), rng.standard_normal((7, 4))
    fasttext_file(tmp_path / "x.bin", words, vectors, ngrams, minn, maxn)
    found_words, found = read_vectors(tmp_path / "x.bin")
    assert found_words == words
    for i, word in enumerate(words):
        marked = f"<{word}>"
        parts = [
            marked[a : a + n]
            for n in range(max(minn, 1), maxn + 1)
            for a in range(len(marked) - n + 1)
        ]
        rows = [vectors[i], *(ngrams[fnv(part) % 7] for part in parts)]
        np.testing.assert_allclose(found[i], np.mean(rows, axis=0), atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_broken_fasttext_binary_and_missing_gensim_are_named(tmp_path, monkeypatch):
    path = tmp_path / "x.bin"
    path.write_bytes(struct.pack("<2i", 793712314, 12) + b"short")
    if importlib.util.find_spec("gensim"):
        with pytest.raises(CorruptDataError, match=r"x\.bin: gensim cannot read it"):
            read_vectors(path)
    monkeypatch.setitem(sys.modules, "gensim.models.fasttext", None)
    with pytest.raises(ImportError, match=r"brainlm\[fasttext\].*take the \.vec file"):
        read_vectors(path)
