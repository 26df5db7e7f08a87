"""StaticVectors: one vector per word type (GloVe, word2vec), and the rule of look-up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.data.features import Features
from brainlm.data.segmentation import check_script, chinese_script
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.language_models.model import LanguageModel
from brainlm.language_models.read_tokens import as_stimulus
from brainlm.language_models.sources import ModelFiles, find_source, list_models
from brainlm.language_models.vector_files import read_vectors
from brainlm.language_models.windows import LEVELS, check_choices, choose_layers
from brainlm.storage.downloads import check_content, sha256_of

LOOK_UP = "exact, lower case, punctuation stripped, both"
POLICIES = ("refuse", "parts", "drop")
CONTRACTION = re.compile(r"(n't|'(?:s|re|ve|ll|d|m))$", re.IGNORECASE)
WHOLE = {"ca": "can", "wo": "will", "sha": "shall"}  # what stands before n't
JOINTS = re.compile(r"[-'/\u2010-\u2015]")
OUTER_PUNCTUATION = re.compile(r"^[\W_]+|[\W_]+$")


def is_static(name: str | Path) -> bool:
    """Return whether a name means static vectors: a pip-shipped table, or a file."""
    shipped = {model.name for model in list_models() if model.form == "vectors"}
    return name in shipped or (Path(name).is_file() and Path(name).suffix != ".gguf")


class StaticVectors(LanguageModel):
    """Context-free word vectors.

    A word is looked up as it is, then in lower case, then without the punctuation around it, then
    without it in lower case. At the end of a sentence of several words the last two come first:
    the full stop is that of the sentence, and "me." is "me" rather than an abbreviation. A word
    found by none of these is an error, never a row of zeros, unless ``missing`` says otherwise.

    Parameters
    ----------
    name : str or Path
        ``"glove-6b-50d"``, or a file: see ``vector_files.read_vectors``.
    missing : {"refuse", "parts", "drop"}
        What becomes of a word without a vector. "parts": the mean of the vectors of its parts, if
        all have one: of a contraction ("don't": "do" and "n't"), and of what hyphens, apostrophes
        and slashes join. "drop": it is left out, and the features describe the other words. What
        "parts" does not find is refused.
    device, dtype, batch_size, cache, allow_pickles
        Those of ``LanguageModel``, so that a comparison can give the same to all models; a look-up
        needs none of them.
    untrained : None
        Static vectors have no untrained twin.
    """

    kind = "static"
    n_layers = 0
    dtype = "float32"

    def __init__(
        self,
        name: str | Path,
        *,
        device: str = "cpu",
        dtype: str = "float32",
        batch_size: int | None = None,
        cache: bool | str | Path = False,
        allow_pickles: bool = False,
        missing: str = "refuse",
        untrained: int | None = None,
    ) -> None:
        if untrained is not None:
            raise ValueError(
                f"{name}: static vectors have no network that could be untrained: use "
                "brainlm.random_like for random vectors"
            )
        if missing not in POLICIES:
            raise unknown_name("missing", missing, POLICIES)
        self.missing = missing
        if Path(name).is_file() and name not in {model.name for model in list_models()}:
            path = check_content(name)
            self.source = ModelFiles(path.name, path.parent, sha256_of(path))
            words, self.vectors = read_vectors(path)
        else:
            self.source = find_source(name)
            words, self.vectors = _read_shipped(self.source.folder)
        # The first of equal words counts, as in gensim.
        self._row = {word: len(words) - 1 - i for i, word in enumerate(reversed(words))}

    @property
    def identity(self) -> str:
        """Vectors and the rule for words without one: a stored result depends on them."""
        return f"{self.revision}, missing {self.missing}"

    @property
    def n_features(self) -> int:
        """Width of a vector."""
        return self.vectors.shape[1]

    @cached_property
    def n_words(self) -> int:
        """Number of different words."""
        return len(self._row)

    @cached_property
    def _script(self) -> str | None:
        return chinese_script(self._row)

    def covers(self, stimulus: Stimulus) -> np.ndarray:
        """Return whether each word has a vector, bool, (n_words,); see ``Stimulus.select``."""
        rows, _ = self._find(stimulus)
        return np.array([len(own) > 0 for own in rows])

    def embed(
        self,
        stimulus: Stimulus | str | Sequence[str],
        layers: Any = "all",
        *,
        context: int | str | None = "none",
        pooling: str | None = None,
        level: str = "word",
        exact: bool = False,
        progress: bool = False,
    ) -> tuple[Features, ...]:
        """Return the vectors of the words (or the mean of each sentence or text) as a tuple of one.

        Parameters
        ----------
        stimulus, layers, level
            As in ``LanguageModel.embed``; there is one layer, 0.
        context, pooling, exact, progress
            Checked as there, without effect: ``origin["context"]`` always is "none".

        Raises
        ------
        ValueError
            Words without a vector, or Chinese in the other script; ``covers`` says which.
        """
        choose_layers(layers, 0)
        stimulus, context = as_stimulus(stimulus, context, self.source.languages)
        check_choices(LEVELS.get(level) or context, pooling, level)
        rows, rule = self._find(stimulus)
        covered = np.array([len(own) > 0 for own in rows])
        lost = np.flatnonzero(~covered)
        if len(lost) == stimulus.n_words or (len(lost) and self.missing != "drop"):
            first = ", ".join(repr(word) for word in dict.fromkeys(stimulus.words[lost[:50]]))
            raise ValueError(
                f"{len(lost)} of {stimulus.n_words} words have no vector in {self.name}: "
                f"{first[:200]}. Keep the others (missing='drop'), or take contractions and "
                "compounds as the mean of their parts (missing='parts')"
            )
        if len(lost):
            stimulus = stimulus.select(covered)
            rows, rule = [rows[i] for i in np.flatnonzero(covered)], rule[covered]
        values = np.stack([self.vectors[list(own)].mean(axis=0) for own in rows])
        names = [*LOOK_UP.split(", "), *(["parts"] if self.missing == "parts" else [])]
        counts = np.bincount(rule, minlength=len(names)).tolist()
        found = dict(zip(names, counts, strict=True))
        origin = {
            "model": self.name,
            "revision": self.revision,
            "kind": self.kind,
            "dtype": self.dtype,
            "context": "none",
            "layer": 0,
            "look_up": found,
            "missing": self.missing,
            "coverage": float(covered.mean()),
        }
        if level != "word":
            blocks = [block for _, block in stimulus.blocks(level)]
            values = np.array([values[block].mean(axis=0) for block in blocks])
            origin |= {f"{level}s": "in order of the stimulus", "pooling": "mean of words"}
        return (Features("layer 0", values, stimulus if level == "word" else None, origin=origin),)

    def surprisal(self, *_: Any, **__: Any) -> Features:
        """Raise: static vectors predict nothing."""
        raise ValueError(f"{self.name}: static vectors predict no words; use a language model")

    entropy = surprisal

    def _find(self, stimulus: Stimulus) -> tuple[list[tuple[int, ...]], np.ndarray]:
        """Return the rows whose mean is each word (none: not found) and the number of the rule."""
        if stimulus.language.split("-")[0] == "zh":
            check_script(stimulus, self._script, self.name)
        edge = stimulus.sentence[1:] != stimulus.sentence[:-1]
        ends = np.r_[edge, True] & ~np.r_[True, edge]
        asked = list(zip(stimulus.words.tolist(), ends.tolist(), strict=True))
        found = {each: self._look_up(*each) for each in set(asked)}
        rows, rule = zip(*(found[each] for each in asked), strict=True)
        return list(rows), np.array(rule)

    def _look_up(self, word: str, ends_sentence: bool) -> tuple[tuple[int, ...], int]:
        bare = OUTER_PUNCTUATION.sub("", word)
        forms = (word, word.lower(), bare, bare.lower())
        for rule in (2, 3, 0, 1) if ends_sentence and bare != word else range(4):
            if forms[rule] in self._row:
                return (self._row[forms[rule]],), rule
        if self.missing == "parts":
            rows = tuple(self._row.get(part, -1) for part in parts_of(bare.lower()))
            if len(rows) > 1 and -1 not in rows:
                return rows, 4
        return (), 0


def parts_of(word: str) -> list[str]:
    """Return the parts of a contraction or compound, spelled as in the Penn Treebank."""
    word = word.replace("\u2019", "'")
    ending = CONTRACTION.search(word)
    tail = [ending[1]] if ending and ending.start() > 0 else []
    stem = word[: ending.start()] if ending and tail else word
    if tail == ["n't"]:
        stem = WHOLE.get(stem, stem)
    return [part for part in JOINTS.split(stem) if part] + tail


def _read_shipped(folder: Path) -> tuple[list[str], np.ndarray]:
    """Read the only vector file of a folder, or an .npy array and the parquet list of its words."""
    files = [path for path in folder.iterdir() if path.is_file()]
    if len(files) == 1:
        return read_vectors(files[0])
    import pyarrow.parquet

    (array,), (index,) = folder.glob("*.npy"), folder.glob("*.parquet")
    try:
        vectors = np.load(check_content(array), allow_pickle=False)
        words = pyarrow.parquet.read_table(check_content(index)).column(0).to_pylist()
    except CorruptDataError:
        raise
    except Exception as error:  # broken files can raise nearly anything
        raise CorruptDataError(
            f"{array}, {index.name}: not readable vectors and words ({error}); fetch them again"
        ) from error
    if vectors.ndim != 2 or len(words) != len(vectors):
        raise CorruptDataError(
            f"{index} has {len(words)} words, {array.name} the shape {vectors.shape}"
        )
    return words, vectors
