"""Syntactic node counts per word, from constituency parses in bracket notation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus

STRATEGIES = ("bottom-up", "top-down", "left-corner")
TRACE = "-NONE-"


@dataclass
class Tree:
    """A constituent: its label, and its children or, above a word, the word."""

    label: str
    children: list[Tree] = field(default_factory=list)
    word: str | None = None

    def words(self) -> list[str]:
        """Return the words, from left to right."""
        if self.word is not None:
            return [self.word]
        return [word for child in self.children for word in child.words()]


def parse_bracketed(text: str) -> Tree:
    """Return the tree of one bracketed parse, such as ``(S (NP (D the) (N dog)) (VP (V ran)))``.

    Traces (``-NONE-``) and the constituents that hold nothing else are dropped, as is an outer
    bracket without a label or with the label ROOT or TOP over a single constituent.

    Raises
    ------
    ValueError
        Brackets do not match, a constituent is empty, or nothing is left.
    """
    tokens = re.findall(r"[()]|[^()\s]+", text)
    stack: list[Tree] = []
    root: Tree | None = None
    for i, token in enumerate(tokens):
        if root is not None:
            raise ValueError(f"{text[:60]!r}: text after the last bracket ({token!r})")
        if token == "(":
            stack.append(Tree(""))
        elif not stack:
            raise ValueError(f"{text[:60]!r}: {token!r} outside of any bracket")
        elif token == ")":
            done = stack.pop()
            if stack:
                stack[-1].children.append(done)
            else:
                root = done
        elif tokens[i - 1] == "(":
            stack[-1].label = token
        elif stack[-1].word is None and not stack[-1].children:
            stack[-1].word = token
        else:
            raise ValueError(f"{text[:60]!r}: the word {token!r} needs a bracket of its own")
    if root is None:
        raise ValueError(f"{text[:60]!r}: {len(stack)} brackets are not closed")
    kept = _without_traces(root)
    if kept is None:
        raise ValueError(f"{text[:60]!r}: has no words")
    while kept.label in ("", "ROOT", "TOP") and len(kept.children) == 1:
        kept = kept.children[0]
    return kept


def _without_traces(tree: Tree) -> Tree | None:
    if tree.word is not None:
        return None if tree.label == TRACE else tree
    children = [kept for child in tree.children if (kept := _without_traces(child)) is not None]
    return Tree(tree.label, children) if children else None


def node_counts(tree: Tree, strategy: str) -> list[int]:
    """Return how many phrases a parser builds at each word.

    Parameters
    ----------
    tree : Tree
        Nodes directly above a word (parts of speech) are not counted.
    strategy : {"bottom-up", "top-down", "left-corner"}
        A phrase is counted at its last word ("bottom-up": built when all of it was heard), at its
        first word ("top-down": predicted before), or at the last word of its first child
        ("left-corner").

    References
    ----------
    Nelson et al. 2017, doi 10.1073/pnas.1701590114; Brennan et al. 2016,
    doi 10.1016/j.bandl.2016.04.008.
    """
    from brainlm.errors import unknown_name

    if strategy not in STRATEGIES:
        raise unknown_name("strategy", strategy, STRATEGIES)
    counts = [0] * len(tree.words())
    todo = [(tree, 0)]
    while todo:
        node, start = todo.pop()
        if node.word is not None:
            continue
        lengths = [len(child.words()) for child in node.children]
        at = {"bottom-up": sum(lengths) - 1, "top-down": 0, "left-corner": lengths[0] - 1}
        counts[start + at[strategy]] += 1
        for child, length in zip(node.children, lengths, strict=True):
            todo.append((child, start))
            start += length
    return counts


def syntactic_nodes(stimulus: Stimulus, parses: Sequence[str | Tree]) -> Features:
    """Return node counts of every word under the three strategies, (n_words, 3).

    Parameters
    ----------
    stimulus : Stimulus
        Words with sentences.
    parses : sequence of str or Tree
        One bracketed parse per ``stimulus.sentence``, in order. Its leaves, put together, must be
        the characters of the sentence; a word of several leaves (``do`` + ``n't``, ``dog`` + ``,``)
        has their sum.

    Raises
    ------
    ValueError
        Another number of parses than sentences, or leaves that are not the sentence's words.
    """
    sentences = list(stimulus.blocks("sentence"))
    if len(sentences) != len(parses):
        raise ValueError(f"{len(parses)} parses for {len(sentences)} sentences: give one for each")
    counts = np.zeros((stimulus.n_words, len(STRATEGIES)))
    for (label, rows), text in zip(sentences, parses, strict=True):
        tree = text if isinstance(text, Tree) else parse_bracketed(text)
        owner = rows.start + _owners(stimulus.words[rows].tolist(), tree.words(), label)
        for column, strategy in enumerate(STRATEGIES):
            np.add.at(counts[:, column], owner, node_counts(tree, strategy))
    return Features("syntactic nodes", counts, stimulus, columns=list(STRATEGIES))


def _owners(words: Sequence[str], leaves: Sequence[str], label: str) -> np.ndarray:
    """Return which word each leaf belongs to; leaves must end where words end."""
    names = {"-LRB-": "(", "-RRB-": ")", "``": '"', "''": '"'}
    plain = [names.get(leaf, leaf) for leaf in leaves]
    written = ["".join(names.get(word, word).split()) for word in words]
    if "".join(plain) != "".join(written):
        raise ValueError(
            f"the parse of sentence {label!r} has the leaves {' '.join(leaves)[:80]!r}, the "
            f"stimulus the words {' '.join(words)[:80]!r}: give the parse of this sentence"
        )
    ends = np.cumsum([len(word) for word in written])
    last = np.cumsum([len(leaf) for leaf in plain]) - 1
    owner = np.searchsorted(ends, last, side="right")
    without = sorted(set(range(len(words))) - set(owner.tolist()))
    if without:
        raise ValueError(
            f"sentence {label!r}: the word {words[without[0]]!r} has no leaf that ends in it; "
            "split the leaf where the words are split"
        )
    return owner
