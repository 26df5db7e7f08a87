"""Similarity ratings of word pairs in a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from brainlm.data.word_pairs import WordPairs
from brainlm.errors import CorruptDataError
from brainlm.io.files import Names, ReaderOptions, naming
from brainlm.io.sheets import read_sheet


class WordPairsOptions(ReaderOptions):
    """Options of `read_word_pairs`.

    Attributes
    ----------
    path : str
        A format of `brainlm.io.sheets.read_sheet`.
    first, second, similarity : str
        Columns.
    language, unit : str
        As in `WordPairs`.
    header : sequence of str
        Names of the columns of a text file without a header.
    delimiter : str, optional
        Between the cells of a text file, where it is not the usual one; ``" "`` is white space.
    required : sequence of str
        Rows in which one of these columns is empty are left out (noted).
    endings : sequence of str
        Marks that are removed from the ends of words, such as ``"-n"`` for nouns (noted).
    """

    path: str
    first: str = "word1"
    second: str = "word2"
    similarity: str = "similarity"
    language: str
    unit: str
    header: Names = ()
    delimiter: str | None = None
    required: Names = ()
    endings: Names = ()

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the table."""
        return (self.path,)


def read_word_pairs(folder: Path | str, subject: str | None = None, **options: Any) -> WordPairs:
    """Read pairs of words with their similarity.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str, optional
        Not used: ratings are means over people.
    **options
        See `WordPairsOptions`.

    Raises
    ------
    DataMissingError, CorruptDataError
        The file is missing or broken, a word is empty, a similarity is no number.
    """
    given = WordPairsOptions.of(options, strict=None)
    path = Path(folder) / given.path
    sheet = read_sheet(path, delimiter=given.delimiter, header=given.header)
    sheet, notes = sheet.filled(*given.required)
    first, second = sheet.texts(given.first), sheet.texts(given.second)
    if given.endings:
        first = [_without(word, given.endings, path) for word in first]
        second = [_without(word, given.endings, path) for word in second]
        notes = (
            *notes,
            f"{path.name}: endings removed from the words ({', '.join(given.endings)})",
        )
    with naming(path):
        similarity = sheet.numbers(given.similarity)
        return WordPairs(first, second, similarity, given.language, given.unit, notes)


def _without(word: str, endings: tuple[str, ...], path: Path) -> str:
    for ending in endings:
        if word.endswith(ending) and word != ending:
            return word.removesuffix(ending)
    raise CorruptDataError(f"{path}: {word!r} ends in none of {', '.join(endings)}")
