"""Taxonomies as feature spaces: WordNet for English, HIT Cilin and HowNet for Chinese.

None of them ships with brainlm: WordNet is read through nltk's data, Cilin and HowNet from the file
that the user has. A taxonomy says how alike two words are; its features are the top eigenvectors of
that (`brainlm.features.norms.similarity_features`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from brainlm.compute.memory import check_memory
from brainlm.errors import CorruptDataError, DataMissingError, unknown_name
from brainlm.features.norms import Norm, similarity_features
from brainlm.storage.downloads import check_content

MEASURES = ("wu-palmer", "path")
CILIN = re.compile(r"([A-Z])([a-z])(\d\d)([A-Z])(\d\d)([=#@])\s+(.+)")
SEMEME = re.compile(r"[A-Za-z][\w .-]*\|[^\s{}\[\]:,;=~$#%&@*+?!^<>\"'()|]+")


def taxonomic_similarity(
    ancestors: Sequence[Mapping[Hashable, int]],
    depth: Mapping[Hashable, int],
    measure: str = "wu-palmer",
) -> np.ndarray:
    """Return the similarity of all pairs of words in a taxonomy, (n_words, n_words).

    With ``d`` the steps from a word up to a common ancestor c, the best over all c and all senses::

        wu-palmer   2 depth(c) / (d(a, c) + d(b, c) + 2 depth(c))
        path        1 / (1 + d(a, c) + d(b, c))

    Words without a common ancestor have 0.

    Parameters
    ----------
    ancestors : sequence of mappings
        For each word the nodes above it, its own included, and the fewest steps up to each from any
        of its senses. (The best over senses is the best over fewest steps: both measures fall with
        every step.)
    depth : mapping
        Nodes from the top down to each node, the top having 1.
    measure : {"wu-palmer", "path"}

    References
    ----------
    Wu & Palmer 1994, doi 10.3115/981732.981751; Rada et al. 1989, doi 10.1109/21.24528.
    """
    if measure not in MEASURES:
        raise unknown_name("measure", measure, MEASURES)
    below: dict[Hashable, list[tuple[int, int]]] = defaultdict(list)
    for word, nodes in enumerate(ancestors):
        for node, steps in nodes.items():
            below[node].append((word, steps))
    similarity = np.zeros((len(ancestors), len(ancestors)))
    for node, members in below.items():
        words, steps = np.array(members).T
        way = steps[:, None] + steps[None]
        twice = 2 * depth[node]
        found = 1 / (1 + way) if measure == "path" else twice / (way + twice)
        block = np.ix_(words, words)
        similarity[block] = np.maximum(similarity[block], found)
    return similarity


def wordnet_norm(words: Iterable[str], n_features: int, measure: str = "wu-palmer") -> Norm:
    """Return features of English nouns from WordNet.

    Parameters
    ----------
    words : iterable of str
        Words that are wanted; those without a noun sense in WordNet are not in the norm, so that
        `Norm.covers` tells them. Inflected forms are looked up by their lemma.
    n_features : int
        Number of eigenvectors.
    measure : {"wu-palmer", "path"}
        See `taxonomic_similarity`.

    Raises
    ------
    DataMissingError
        nltk or its WordNet is not on this machine.

    References
    ----------
    Fellbaum 1998, WordNet: An Electronic Lexical Database.
    """
    kept, similarity = _wordnet_similarity(words, measure)
    return similarity_features(
        kept, similarity, n_features, name=f"WordNet {measure}", language="en"
    )


def _wordnet_similarity(words: Iterable[str], measure: str) -> tuple[list[str], np.ndarray]:
    wordnet = _wordnet()
    kept, ancestors = [], []
    depth: dict[Hashable, int] = {}
    for word in dict.fromkeys(words):
        nodes: dict[Hashable, int] = {}
        for sense in wordnet.synsets(word, "n"):
            for node, steps in sense.hypernym_distances():
                nodes[node] = min(steps, nodes.get(node, steps))
                if node not in depth:
                    depth[node] = node.max_depth() + 1
        if nodes:
            kept.append(word)
            ancestors.append(nodes)
    if not kept:
        raise ValueError("WordNet has none of the words as a noun: give English words")
    return kept, taxonomic_similarity(ancestors, depth, measure)


def _wordnet():
    how = (
        "`pip install brainlm[wordnet]`, then `python -m nltk.downloader wordnet` (or put the "
        "files of WordNet into the folder corpora/wordnet of a folder that NLTK_DATA names)"
    )
    try:
        from nltk.corpus import wordnet
    except ImportError as error:
        raise DataMissingError(f"nltk, which reads WordNet, is not installed: {how}") from error
    try:
        wordnet.ensure_loaded()
    except LookupError as error:
        raise DataMissingError(f"nltk has no WordNet on this machine: {how}") from error
    except OSError as error:
        raise CorruptDataError(f"nltk's WordNet is not complete ({error}): {how}") from error
    return wordnet


def read_cilin(path: Path | str) -> dict[str, list[tuple[str, ...]]]:
    """Read the extended Tongyici Cilin (HIT): the path to each word, once per sense.

    Lines hold a code of five levels, a sign and words: ``Aa01A01= 人 士 人物``. "=" are synonyms,
    and share one place; "#" are words of one kind, each of which gets a place of its own below;
    "@" stands alone.

    Parameters
    ----------
    path : path
        The text file, in UTF-8 or GB18030.

    Returns
    -------
    dict of str to list of tuple of str
        Codes from the top level down.

    Raises
    ------
    DataMissingError
        There is no such file.
    CorruptDataError
        A line is not of this layout.

    References
    ----------
    Mei et al. 1983; extended by the Harbin Institute of Technology (HIT-CIR Tongyici Cilin).
    """
    path = check_content(path)
    places: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for number, line in enumerate(_decoded(path).splitlines(), start=1):
        if not line.strip():
            continue
        found = CILIN.fullmatch(line.strip())
        if found is None:
            raise CorruptDataError(
                f"{path}: line {number} is not a code with words, such as 'Aa01A01= 人 士': "
                f"{line[:40]!r}"
            )
        *levels, sign, words = found.groups()
        place = tuple("".join(levels[: i + 1]) for i in range(len(levels)))
        for word in words.split():
            places[word].append((*place, f"{place[-1]}#{word}") if sign == "#" else place)
    if not places:
        raise CorruptDataError(f"{path}: has no words")
    return dict(places)


def cilin_norm(
    path: Path | str,
    words: Iterable[str] | None = None,
    n_features: int = 100,
    measure: str = "wu-palmer",
) -> Norm:
    """Return features of Chinese words from Cilin: see `read_cilin`, `taxonomic_similarity`.

    Parameters
    ----------
    path : path
        The file.
    words : iterable of str, optional
        Words that are wanted; those that Cilin does not have are not in the norm. Default: all
        (77,000 words in pairs need 140 GB of memory).
    n_features : int
        Number of eigenvectors.
    measure : {"wu-palmer", "path"}
        Words of different top classes have similarity 0. (Wu-Palmer on Cilin is ours; published
        formulas weigh its levels by hand.)
    """
    places = read_cilin(path)
    kept = _kept(words, places, "Cilin")
    ancestors: list[dict[Hashable, int]] = []
    depth: dict[Hashable, int] = {}
    for word in kept:
        nodes: dict[Hashable, int] = {}
        for place in places[word]:
            for level, node in enumerate(place, start=1):
                depth[node] = level
                nodes[node] = min(len(place) - level, nodes.get(node, len(place)))
        ancestors.append(nodes)
    similarity = taxonomic_similarity(ancestors, depth, measure)
    return similarity_features(kept, similarity, n_features, name=f"Cilin {measure}", language="zh")


def read_hownet(path: Path | str) -> dict[str, set[str]]:
    """Read the sememes of Chinese words from a HowNet dictionary.

    Parameters
    ----------
    path : path
        The text file (UTF-8 or GB18030) with a record per sense: lines ``W_C=`` (the word) and
        ``DEF=`` (its definition, in which sememes stand as ``human|人``).

    Returns
    -------
    dict of str to set of str
        All sememes of all senses of each word.

    Raises
    ------
    DataMissingError
        There is no such file.
    CorruptDataError
        It has no such records.

    References
    ----------
    Dong & Dong 2006, doi 10.1142/5935; Qi et al. 2019, arXiv 1901.09957.
    """
    path = check_content(path)
    sememes: dict[str, set[str]] = defaultdict(set)
    word = ""
    for line in _decoded(path).splitlines():
        name, _, value = line.strip().partition("=")
        if name.startswith("NO."):
            word = ""
        elif name == "W_C":
            word = value.strip()
        elif name == "DEF" and word:
            sememes[word] |= set(SEMEME.findall(value))
    found = {word: parts for word, parts in sememes.items() if parts}
    if not found:
        raise CorruptDataError(
            f"{path}: has no records with W_C= and DEF=: it is not a HowNet file"
        )
    return found


def hownet_norm(
    path: Path | str, words: Iterable[str] | None = None, n_features: int = 100
) -> Norm:
    """Return features of Chinese words from the sememes that HowNet defines them by.

    Similarity of two words: the cosine of their sets of sememes, ``|A & B| / sqrt(|A| |B|)``, all
    senses put together (ours).

    Parameters
    ----------
    path, words, n_features
        As in `cilin_norm`; see `read_hownet`.
    """
    sememes = read_hownet(path)
    kept = _kept(words, sememes, "HowNet")
    column = {name: i for i, name in enumerate(sorted(set().union(*(sememes[w] for w in kept))))}
    has = np.zeros((len(kept), len(column)))
    for row, word in enumerate(kept):
        has[row, [column[name] for name in sememes[word]]] = 1
    has /= np.linalg.norm(has, axis=1, keepdims=True)
    return similarity_features(kept, has @ has.T, n_features, name="HowNet", language="zh")


def _kept(words: Iterable[str] | None, known: Mapping[str, object], name: str) -> list[str]:
    kept = list(known) if words is None else [w for w in dict.fromkeys(words) if w in known]
    if not kept:
        raise ValueError(f"{name} has none of the words: give Chinese words, as it writes them")
    check_memory(24 * len(kept) ** 2, f"{len(kept)} words in pairs", "name fewer words with words=")
    return kept


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise CorruptDataError(f"{path}: is neither UTF-8 nor GB18030")
