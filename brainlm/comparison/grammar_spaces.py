"""Structural spaces of a text: surprisal of a grammar, and node counts where its parses exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.feature_spaces import FeatureSpace
from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.features.pcfg import induce_grammar, pcfg_surprisal, read_treebank, without_marks
from brainlm.features.syntax import Tree, syntactic_nodes
from brainlm.storage.downloads import sha256_of

TREEBANK = "treebank"  # kind of a file in --spaces
FEWEST = 20  # parses that a grammar is induced from


def grammar_spaces(
    assembly: Assembly, files: Mapping[tuple[str, str], Path]
) -> tuple[list[FeatureSpace], list[str]]:
    """Return the structural spaces of a text, and notes.

    Parameters
    ----------
    assembly : Assembly
        Sentences or a discourse.
    files : mapping of (kind, language) to path
        Of `brainlm.comparison.feature_families.parse_spaces`; a treebank of the language counts.

    Returns
    -------
    spaces : list of FeatureSpace
        "PCFG": surprisal under the grammar of all parses but those of sentences of this text
        (their letters are compared). "node counts": where every sentence of the text has a parse.
    notes : list of str
    """
    language = assembly.language.split("-")[0]
    path = files.get((TREEBANK, language))
    if path is None:
        missing = f"not tested, --spaces names no treebank of {language!r}: PCFG and node counts"
        return [], [f"{assembly.name}: {missing}"]
    trees = read_treebank(path)
    of_sentence = {_letters(tree.words()): tree for tree in trees}
    sentences = [assembly.stimulus.words[rows] for _, rows in assembly.stimulus.blocks("sentence")]
    keys = [_letters(words) for words in sentences]
    own = set(keys) & set(of_sentence)
    others = [tree for tree in trees if _letters(tree.words()) not in own]
    identity = {"treebank": sha256_of(path)}
    spaces, notes = [], [f"{assembly.name}: {len(own)} of {len(keys)} sentences are in {path.name}"]
    if len(own) == len(set(keys)):
        parses = [of_sentence[key] for key in keys]
        spaces.append(_node_space(parses, language, identity))
    if len(others) < FEWEST:
        notes.append(f"{assembly.name}: {len(others)} other parses are too few for a grammar")
        return spaces, notes
    grammar = induce_grammar(others)
    notes.append(f"{assembly.name}: grammar of {len(others)} parses of other sentences")
    known = {**identity, "left_out": len(trees) - len(others)}
    spaces.append(
        _space("PCFG", language, known, lambda stimulus: pcfg_surprisal(stimulus, grammar))
    )
    return spaces, notes


def _node_space(parses: Sequence[Tree], language: str, identity: Any) -> FeatureSpace:
    """Node counts of the letters of words: parse and text may differ in case and punctuation."""
    bare = [_plain(tree) for tree in map(without_marks, parses) if tree is not None]

    def count(stimulus: Stimulus) -> Features:
        letters = [_letters([word]) for word in stimulus.words]
        spoken = np.array([bool(each) for each in letters])
        words = [each for each in letters if each]
        plain = Stimulus(words, language, sentence=stimulus.sentence[spoken])
        found = syntactic_nodes(plain, bare)
        values = np.zeros((stimulus.n_words, found.n_features))
        values[spoken] = found.values
        return replace(found, values=values, stimulus=stimulus)

    return _space("node counts", language, identity, count)


def _plain(tree: Tree) -> Tree:
    if tree.word is not None:
        return Tree(tree.label, word=_letters([tree.word]))
    return Tree(tree.label, [_plain(child) for child in tree.children])


def _space(
    name: str, language: str, identity: Any, make: Callable[[Stimulus], Features]
) -> FeatureSpace:
    def embed(stimulus: Stimulus, words: np.ndarray, level: str) -> list[Features]:
        return [make(stimulus).renamed(name).select_words(words)]

    def covers(stimulus: Stimulus) -> np.ndarray:
        return np.ones(stimulus.n_words, dtype=bool)

    about = {"features": name, **identity}
    return FeatureSpace(name, "structural", (language,), covers, embed, 0, about)


def _letters(words: Sequence[str]) -> str:
    """Letters and digits of a sentence in lower case, the same for parse and stimulus."""
    return "".join(c for word in words for c in str(word).lower() if c.isalnum())
