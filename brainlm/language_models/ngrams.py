"""n-gram baselines: surprisal from counted texts (Kneser-Ney), ARPA files and kenlm's binaries.

Training is ours: kenlm's Python package only asks trained models, and nltk's class gives words it
has not seen no probability, counts the padding before a sentence as words, and writes no file. The
tests compare with what kenlm's own training and nltk compute.
"""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from brainlm.data.features import Features
from brainlm.data.segmentation import check_script, chinese_script
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError
from brainlm.storage.downloads import check_content

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
KENLM = b"mmap lm http://kheafield.com/code"  # how its binary files begin
Gram = tuple[str, ...]


class NgramModel:
    """Common interface of n-gram models; made by `train_kneser_ney` or `read_ngrams`.

    Attributes
    ----------
    order : int
        Longest n-gram.
    name : str
        Where it comes from.
    """

    order: int
    name: str

    def knows(self, word: str) -> bool:
        """Return whether the model has the word."""
        raise NotImplementedError

    def log10(self, word: str, context: Sequence[str] = ()) -> float:
        """Return ``log10 p(word | context)``; both already known or ``<unk>``."""
        raise NotImplementedError

    def script(self) -> str | None:
        """Return which Chinese script its words are in; None where they cannot be listed."""
        return None

    def surprisal(self, stimulus: Stimulus) -> Features:
        """Return ``-log2 p(word | the words before it in its sentence)``, (n_words, 1), bits.

        A word that the model does not have, as written or in lower case, counts as ``<unk>``
        (``origin["unknown_words"]`` says how many); a model without it raises ValueError, and so
        does a Chinese one of the other script.
        """
        if stimulus.language.split("-")[0] == "zh":
            check_script(stimulus, self.script(), self.name)
        bits = np.empty(stimulus.n_words)
        unknown = 0
        for _, rows in stimulus.blocks("sentence"):
            history = [START]
            for i in range(rows.start, rows.stop):
                word = str(stimulus.words[i])
                forms = [form for form in (word, word.lower()) if self.knows(form)]
                if not forms and not self.knows(UNKNOWN):
                    raise ValueError(
                        f"{self.name} has no {word!r} and no {UNKNOWN}: select other words, or "
                        "train on a larger text"
                    )
                unknown += not forms
                known = forms[0] if forms else UNKNOWN
                bits[i] = -self.log10(known, history) / np.log10(2)
                history.append(known)
        origin: dict[str, Any] = {
            "model": self.name,
            "order": self.order,
            "unknown_words": int(unknown),
            "unit": "bits",
        }
        return Features(f"{self.order}-gram surprisal", bits[:, None], stimulus, origin=origin)


@dataclass(frozen=True, eq=False)
class BackoffModel(NgramModel):
    """Probabilities of n-grams, and weights for the shorter context.

    ``p(w | c) = probability[c + (w,)]`` if it is there, else ``backoff[c] p(w | c without its
    first word)``, a missing weight being 1.

    Parameters
    ----------
    order : int
        Longest n-gram.
    log_p, log_backoff : mapping of tuple of str to float
        log10, by n-gram.
    name : str
        Where it comes from.
    """

    order: int
    log_p: Mapping[Gram, float]
    log_backoff: Mapping[Gram, float]
    name: str = "n-gram"

    def knows(self, word: str) -> bool:
        """Return whether the model has the word."""
        return (word,) in self.log_p

    def script(self) -> str | None:
        """Return which Chinese script its words are in (`brainlm.data.segmentation`)."""
        special = (START, END, UNKNOWN)
        return chinese_script(g[0] for g in self.log_p if len(g) == 1 and g[0] not in special)

    def log10(self, word: str, context: Sequence[str] = ()) -> float:
        """Return ``log10 p(word | context)``; both already known or ``<unk>``."""
        history = tuple(context[max(0, len(context) - self.order + 1) :])
        total = 0.0
        while True:
            found = self.log_p.get((*history, word))
            if found is not None:
                return total + found
            if not history:
                raise ValueError(f"{self.name} has neither {word!r} nor {UNKNOWN}")
            total += self.log_backoff.get(history, 0.0)
            history = history[1:]

    def save_arpa(self, path: Path | str) -> None:
        """Write the model as an ARPA file, which `read_ngrams`, kenlm and SRILM read."""
        levels: list[list[Gram]] = [[] for _ in range(self.order)]
        for gram in {(START,): 0.0, **self.log_p}:  # <s> has a weight and no probability
            levels[len(gram) - 1].append(gram)
        with open(path, "w", encoding="utf-8") as file:
            file.write("\\data\\\n")
            file.writelines(f"ngram {n}={len(grams)}\n" for n, grams in enumerate(levels, 1))
            for n, grams in enumerate(levels, 1):
                file.write(f"\n\\{n}-grams:\n")
                for gram in grams:
                    p, weight = self.log_p.get(gram, -99.0), self.log_backoff.get(gram)
                    last = "" if weight is None else f"\t{weight!r}"
                    file.write(f"{p!r}\t{' '.join(gram)}{last}\n")
            file.write("\n\\end\\\n")


class KenlmModel(NgramModel):
    """A model queried through kenlm: a binary file of its ``build_binary``, or an ARPA file.

    Raises
    ------
    ImportError
        kenlm is not installed (it is compiled when pip installs it).
    CorruptDataError
        kenlm cannot read the file.
    """

    def __init__(self, path: Path | str) -> None:
        path = check_content(path)
        try:
            import kenlm
        except ImportError as error:
            raise ImportError(
                f"{path} is a binary file of kenlm, which is not installed: "
                "`pip install brainlm[kenlm]`"
            ) from error
        try:
            self._model = kenlm.Model(str(path))
        except OSError as error:
            raise CorruptDataError(f"{path}: kenlm cannot read it ({error})") from error
        self._state = kenlm.State
        self.order, self.name = int(self._model.order), path.name

    def knows(self, word: str) -> bool:
        """Return whether the model has the word; every model of kenlm has ``<unk>``."""
        return word == UNKNOWN or word in self._model

    def log10(self, word: str, context: Sequence[str] = ()) -> float:
        """Return ``log10 p(word | context)``."""
        before, after = self._state(), self._state()
        recent = list(context[-self.order :])
        if recent[:1] == [START]:
            self._model.BeginSentenceWrite(before)
        else:
            self._model.NullContextWrite(before)
        for each in recent[recent[:1] == [START] :]:
            self._model.BaseScore(before, each, after)
            before, after = after, before
        return float(self._model.BaseScore(before, word, after))


def train_kneser_ney(
    sentences: Iterable[Sequence[str]], order: int = 3, discount: float = 0.75
) -> BackoffModel:
    """Count n-grams and smooth them: interpolated Kneser-Ney with one absolute discount.

    ``p(w | c) = (max(n(c w) - D, 0) + D t(c) p(w | c')) / n(c)``, with t(c) the number of
    different words after c and c' the context without its first word. Below the highest order n
    counts in how many different contexts an n-gram occurs; contexts that begin a sentence keep
    their counts. The lowest level is uniform over the words, ``</s>`` and ``<unk>``.

    Parameters
    ----------
    sentences : iterable of sequences of str
        Words; the model sees nothing across the edge of a sentence.
    order : int
        Longest n-gram.
    discount : float
        D, between 0 and 1.

    References
    ----------
    Chen & Goodman 1999, doi 10.1006/csla.1999.0128.
    """
    if order < 1 or not 0 < discount < 1:
        raise ValueError(
            f"order must be at least 1 and discount between 0 and 1, got {order} and {discount}"
        )
    counts = _kneser_ney_counts(sentences, order)
    vocabulary = sorted({gram[0] for gram in counts[0]} | {UNKNOWN, END})
    p: dict[Gram, float] = {}
    weight: dict[Gram, float] = {}
    for n, level in enumerate(counts, start=1):
        total: dict[Gram, float] = defaultdict(float)
        types: Counter[Gram] = Counter()
        for gram, count in level.items():
            total[gram[:-1]] += count
            types[gram[:-1]] += 1
        weight |= {c: discount * types[c] / total[c] for c in total}
        grams = [(word,) for word in vocabulary] if n == 1 else list(level)
        for gram in grams:
            c = gram[:-1]
            lower = 1 / len(vocabulary) if n == 1 else p[gram[1:]]
            p[gram] = max(level.get(gram, 0) - discount, 0) / total[c] + weight[c] * lower
    weight.pop(())  # went into the unigrams
    return BackoffModel(
        order,
        {gram: float(np.log10(value)) for gram, value in p.items()},
        {context: float(np.log10(value)) for context, value in weight.items()},
        f"Kneser-Ney {order}-gram",
    )


def _kneser_ney_counts(sentences: Iterable[Sequence[str]], order: int) -> list[Counter[Gram]]:
    """Return counts by length: of occurrences at the top, of different contexts below."""
    seen: list[Counter[Gram]] = [Counter() for _ in range(order)]
    for sentence in sentences:
        words = [START, *sentence, END]
        for stop in range(2, len(words) + 1):
            for n in range(1, min(order, stop) + 1):
                seen[n - 1][tuple(words[stop - n : stop])] += 1
    if not seen[0]:
        raise ValueError("sentences is empty: give at least one sentence")
    counts = [Counter[Gram]() for _ in range(order)]
    counts[-1] = seen[-1]
    for n in range(order - 1):
        for gram in seen[n + 1]:
            counts[n][gram[1:]] += 1
        for gram, count in seen[n].items():
            if gram[0] == START:  # nothing stands before it
                counts[n][gram] = count
    return counts


def read_ngrams(path: Path | str) -> NgramModel:
    r"""Read an ARPA file (plain or gzipped) or a binary file of kenlm; the content says which.

    Raises
    ------
    DataMissingError
        There is no such file.
    CorruptDataError
        It has no ``\data\`` header, a line that is no n-gram, or fewer n-grams than it declares.
    """
    path = check_content(path)
    with open(path, "rb") as start:
        head = start.read(len(KENLM))
    if head == KENLM:
        return KenlmModel(path)
    zipped = head[:2] == b"\x1f\x8b"
    declared: dict[int, int] = {}
    log_p: dict[Gram, float] = {}
    backoff: dict[Gram, float] = {}
    found: Counter[int] = Counter()
    n = -1  # before the header
    with gzip.open(path, "rt", encoding="utf-8") if zipped else open(path, encoding="utf-8") as f:
        for number, raw in enumerate(cast(IO[str], f), start=1):
            line = raw.strip(" \r\n\t")
            if line == "\\data\\":
                n = 0
            elif n < 0 or not line:
                continue
            elif line.startswith("ngram ") and n == 0:
                length, count = line[6:].split("=")
                declared[int(length)] = int(count)
            elif line.startswith("\\") and line.endswith("-grams:"):
                n = int(line[1:-7])
            elif line == "\\end\\":
                break
            else:
                _add_line(path, number, line, n, log_p, backoff)
                found[n] += 1
    if not declared or any(found[length] != count for length, count in declared.items()):
        raise CorruptDataError(
            f"{path}: declares {declared} n-grams and has {dict(found)}: it is cut short, or no "
            "ARPA file"
        )
    return BackoffModel(max(declared), log_p, backoff, path.name)


def _add_line(
    path: Path, number: int, line: str, n: int, log_p: dict[Gram, float], backoff: dict[Gram, float]
) -> None:
    parts = line.split()
    try:
        if n < 1 or len(parts) not in (n + 1, n + 2):
            raise ValueError
        gram = tuple(parts[1 : n + 1])
        log_p[gram] = float(parts[0])
        if len(parts) == n + 2:
            backoff[gram] = float(parts[-1])
    except ValueError:
        raise CorruptDataError(f"{path}: line {number} is not a {n}-gram: {line[:60]!r}") from None
