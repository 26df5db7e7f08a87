"""Surprisal under a probabilistic context-free grammar, word by word.

A grammar is induced from bracketed parses (a treebank): relative frequencies of rules, binarised
from the right, with a horizontal memory of one sister. The probability of all sentences that begin
with a prefix is exact: left corners are summed over in closed form, so that left recursion needs no
limit.

References
----------
Jelinek & Lafferty 1991, Computational Linguistics 17:315 (prefix probabilities); Stolcke 1995,
Computational Linguistics 21:165 (closure over left corners); Hale 2001, doi
10.3115/1073336.1073357 (surprisal of a parser).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy import sparse

from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError
from brainlm.features.syntax import Tree, parse_bracketed

GLUE, SENTENCE = "<glue>", "<sentence>"
Rules = Mapping[str, Mapping[tuple[str, ...], float]]
Lexicon = Mapping[str, Mapping[str, float]]
Entry = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Grammar:
    """A context-free grammar with probabilities; rules have one or two symbols on the right.

    Attributes
    ----------
    rules : mapping of str to mapping of tuple of str to float
        Symbol -> what it becomes -> probability.
    lexicon : mapping of str to mapping of str to float
        Word -> part of speech -> probability of the word given the part of speech.
    unknown : mapping of str to float
        The same for a word that is not in the lexicon; empty: such a word is an error.
    start : str
    n_unknown : mapping of str to int
        Part of speech -> different words that ``unknown`` stands for. Default: one.

    Raises
    ------
    ValueError
        Probabilities of a symbol do not sum to 1, a symbol has neither rules nor words, or rules of
        one symbol go in a circle that keeps all the probability.
    """

    rules: Rules
    lexicon: Lexicon
    unknown: Mapping[str, float]
    start: str = SENTENCE
    n_unknown: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        total: dict[str, float] = defaultdict(float)
        for symbol, of_symbol in self.rules.items():
            total[symbol] += sum(of_symbol.values())
        for entry in self.lexicon.values():
            for symbol, p in entry.items():
                total[symbol] += p
        for symbol, p in self.unknown.items():
            total[symbol] += p * self.n_unknown.get(symbol, 1)
        named = {s for each in self.rules.values() for right in each for s in right}
        lacking = sorted((named | {self.start}) - total.keys())
        if lacking:
            raise ValueError(f"the symbol {lacking[0]!r} has neither rules nor words")
        wrong = [symbol for symbol, p in total.items() if abs(p - 1) > 1e-6]
        if wrong:
            raise ValueError(
                f"probabilities of {wrong[0]!r} sum to {total[wrong[0]]:g}, expected 1"
            )

    @cached_property
    def symbols(self) -> dict[str, int]:
        """Number of each symbol."""
        names = set(self.rules) | {s for each in self.rules.values() for r in each for s in r}
        names |= {s for entry in (*self.lexicon.values(), self.unknown) for s in entry}
        return {name: i for i, name in enumerate(sorted(names | {self.start}))}

    @cached_property
    def binary(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Parent, left and right child, and probability of each binary rule."""
        number = self.symbols
        found = [
            (number[symbol], number[right[0]], number[right[1]], p)
            for symbol, of_symbol in self.rules.items()
            for right, p in of_symbol.items()
            if len(right) == 2
        ]
        table = np.array(found, dtype=float).reshape(-1, 4)
        parent, left, right = table[:, :3].T.astype(int)
        return parent, left, right, table[:, 3]

    @cached_property
    def closures(self) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Sums over chains: of rules with one symbol, and of left corners.

        ``U = (I - P_unary)^-1`` and ``R = (I - P_left)^-1``, with the probability that a symbol
        becomes another one, alone or as its first child.
        """
        n, number = len(self.symbols), self.symbols
        unary = np.zeros((n, n))
        for symbol, of_symbol in self.rules.items():
            for right, p in of_symbol.items():
                if len(right) == 1:
                    unary[number[symbol], number[right[0]]] += p
        corner = unary.copy()
        parent, left, _, share = self.binary
        np.add.at(corner, (parent, left), share)
        try:
            found = [np.linalg.inv(np.eye(n) - step) for step in (unary, corner)]
        except np.linalg.LinAlgError as error:
            raise ValueError("rules go in a circle that keeps all the probability") from error
        if min(each.min() for each in found) < -1e-9:
            raise ValueError("rules go in a circle that keeps all the probability")
        unary, corner = (np.where(each < 1e-14, 0, each) for each in found)
        return sparse.csr_array(unary), sparse.csr_array(corner)

    def knows(self, word: str) -> bool:
        """Whether the lexicon has a word, as it is or in lower case."""
        return word in self.lexicon or word.lower() in self.lexicon

    def entry(self, word: str) -> Entry:
        """Return the numbers of the parts of speech of a word, and its probabilities."""
        known = self.lexicon.get(word) or self.lexicon.get(word.lower()) or self.unknown
        if not known:
            raise ValueError(f"the word {word!r} is not in the lexicon, and no words are unknown")
        return np.array([self.symbols[s] for s in known]), np.array(list(known.values()))


def prefix_bits(grammar: Grammar, words: Sequence[str]) -> np.ndarray:
    """Return the information of each prefix of a sentence, -log2 P(w_1 ... w_k ...), (n_words,).

    With the probability I(A, i, j) that A becomes exactly the words i to j, and F(A, i, k) that it
    becomes something that begins with the words i to k::

        F(A, k, k) = sum_B R[A, B] p(B -> w_k)
        F(A, i, k) = sum_B R[A, B] sum_{B -> C D} p(B -> C D) sum_j I(C, i, j) F(D, j + 1, k)

    Parameters
    ----------
    grammar : Grammar
    words : sequence of str
        The words of one sentence.

    Raises
    ------
    ValueError
        The grammar gives a prefix no probability.
    """
    parent, left, right, p = grammar.binary
    unary, corner = grammar.closures
    n_symbols, n = len(grammar.symbols), len(words)
    start = grammar.symbols[grammar.start]
    inside = np.zeros((n, n, n_symbols))  # first word, last word
    prefix = np.zeros((n, n_symbols))  # first word, of the prefix that ends with the present word
    bits, scale = np.empty(n), 0.0
    for k, word in enumerate(words):
        tags, given = grammar.entry(word)
        scale += np.log2(given.max())  # keeps long sentences inside the range of numbers
        spoken = np.zeros(n_symbols)
        spoken[tags] = given / given.max()
        inside[k, k], prefix[k] = unary @ spoken, corner @ spoken
        for i in range(k - 1, -1, -1):
            first = inside[i, i:k][:, left]  # a row per last word j of the left child
            for rest, closure, out in (
                (inside[i + 1 : k + 1, k], unary, inside[i, k]),
                (prefix[i + 1 : k + 1], corner, prefix[i]),
            ):
                weight = np.einsum("jr,jr->r", first, rest[:, right]) * p
                out[:] = closure @ np.bincount(parent, weight, n_symbols)
        if not prefix[0, start] > 0:
            raise ValueError(
                f"the grammar has no sentence that begins with {' '.join(words[: k + 1])!r}"
            )
        bits[k] = -np.log2(prefix[0, start]) - scale
    return bits


def read_treebank(path: Path | str) -> list[Tree]:
    """Read the parses of a file, one after the other, in brackets over any number of lines.

    Raises
    ------
    CorruptDataError
        Brackets do not match, or there is no parse.
    """
    text = Path(path).read_text(encoding="utf-8")
    trees, depth, begin = [], 0, 0
    for match in re.finditer(r"[()]", text):
        begin = match.start() if depth == 0 and match[0] == "(" else begin
        depth += 1 if match[0] == "(" else -1
        if depth < 0:
            raise CorruptDataError(f"{path}: a bracket closes that was not opened")
        if depth == 0:
            trees.append(_parsed(path, text[begin : match.end()]))
    if depth or not trees:
        raise CorruptDataError(
            f"{path}: {depth} brackets are not closed, {len(trees)} parses were found"
        )
    return trees


def _parsed(path: Path | str, text: str) -> Tree:
    try:
        return parse_bracketed(text)
    except ValueError as error:
        raise CorruptDataError(f"{path}: {error}") from error


def without_marks(tree: Tree) -> Tree | None:
    """Return the tree without punctuation marks and without the functions of its labels.

    None where nothing is left.
    """
    if tree.word is not None:
        marks = not any(map(str.isalnum, tree.label)) or not any(map(str.isalnum, tree.word))
        return None if marks else Tree(_label(tree.label), word=tree.word)
    children = [bare for child in tree.children if (bare := without_marks(child)) is not None]
    return Tree(_label(tree.label), children) if children else None


def induce_grammar(trees: Sequence[Tree], *, rare: int = 1, glue: float = 1e-4) -> Grammar:
    """Return the grammar of relative frequencies in parses.

    Functions after a hyphen are cut off (NP-SBJ is NP), and punctuation marks are left out. Ours:
    the probability of the words that come ``rare`` times or less is shared, within a part of
    speech, by these words and as many that are not in the parses; where no word is rare, each part
    of speech has one unknown word more. With the probability ``glue`` a sentence is any sequence
    of parts of speech, so that no sentence is impossible.

    Parameters
    ----------
    trees : sequence of Tree
        From `read_treebank` or `brainlm.features.syntax.parse_bracketed`.
    rare : int
    glue : float
        Between 0 and 1; 0: none.

    Returns
    -------
    Grammar
    """
    counts: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    spoken: Counter[tuple[str, str]] = Counter()
    kept = [bare for tree in trees if (bare := without_marks(tree)) is not None]
    if not kept:
        raise ValueError("trees is empty, or holds nothing but punctuation")
    frequency = Counter(word.lower() for tree in kept for word in tree.words())
    for tree in kept:
        counts[SENTENCE][tree.label,] += 1
        _count(tree, counts, spoken)
    by_tag, none_rare = _by_tag(spoken), 0 < rare < min(frequency.values())
    tags = Counter({tag: sum(own.values()) for tag, own in by_tag.items()})
    lexicon: dict[str, dict[str, float]] = defaultdict(dict)
    unknown, n_unknown = {}, {}
    for tag, own in by_tag.items():
        total = tags[tag] + sum(counts[tag].values()) if tag in counts else tags[tag]
        few = {word for word in own if frequency[word] <= rare}
        shared = sum(own[word] for word in few) / total
        if none_rare:  # as if one word more of each part of speech had been unknown
            shared = tags[tag] / total / (tags[tag] + 1)
        often = sum(n for word, n in own.items() if word not in few)
        each = (tags[tag] / total - shared) / max(1, often)
        share = shared / max(1, 2 * len(few))
        for word, n in own.items():
            lexicon[word][tag] = share if word in few else each * n
        if shared:
            unknown[tag], n_unknown[tag] = share, max(1, len(few))
    rules: dict[str, dict[tuple[str, ...], float]] = {
        symbol: {right: n / (sum(own.values()) + tags.get(symbol, 0)) for right, n in own.items()}
        for symbol, own in counts.items()
    }
    if glue:
        rules = _with_glue(rules, tags, glue)
    return Grammar(rules, dict(lexicon), unknown, n_unknown=n_unknown)


def _by_tag(spoken: Counter) -> dict[str, Counter]:
    found: dict[str, Counter] = defaultdict(Counter)
    for (tag, word), n in spoken.items():
        found[tag][word] += n
    return found


def _with_glue(rules: dict, tags: Counter, glue: float) -> dict:
    """Let a sentence also be any sequence of parts of speech."""
    share = {tag: n / sum(tags.values()) for tag, n in tags.items()}
    whole = {right: (1 - glue) * p for right, p in rules[SENTENCE].items()}
    free: dict[tuple[str, ...], float] = {(tag, GLUE): 0.9 * p for tag, p in share.items()}
    free |= {(tag,): 0.1 * p for tag, p in share.items()}
    return {**rules, SENTENCE: {**whole, (GLUE,): glue}, GLUE: free}


def _label(label: str) -> str:
    return re.split(r"[-=|]", label)[0] or label


def _count(tree: Tree, counts: dict[str, Counter], spoken: Counter) -> None:
    """Count the rules of a tree, binarised from the right, and its words."""
    if tree.word is not None:
        spoken[tree.label, tree.word.lower()] += 1
        return
    symbol, children = tree.label, tree.children
    while len(children) > 2:
        rest = f"{tree.label}|{children[1].label}"  # what is left, and its first sister
        counts[symbol][children[0].label, rest] += 1
        _count(children[0], counts, spoken)
        symbol, children = rest, children[1:]
    counts[symbol][tuple(child.label for child in children)] += 1
    for child in children:
        _count(child, counts, spoken)


def pcfg_surprisal(stimulus: Stimulus, grammar: Grammar) -> Features:
    """Return the surprisal of each word under a grammar, in bits: -log2 p(word | words before).

    Each sentence is a sentence of the grammar. A word is cut into the tokens of a treebank
    ("don't": "do" and "n't"), whose surprisals are summed; punctuation marks are left out, and a
    word that is nothing else has 0.

    Parameters
    ----------
    stimulus : Stimulus
        Words with sentences.
    grammar : Grammar
        Induced from other texts than the stimulus, or the surprisal is that of known sentences.

    Returns
    -------
    Features, shape (n_words, 1)
        ``origin`` counts words that the lexicon lacks (``"unknown_words"``) and words without a
        token (``"without_tokens"``).
    """
    from nltk.tokenize import NLTKWordTokenizer

    cut = NLTKWordTokenizer().tokenize
    bits = np.zeros((stimulus.n_words, 1))
    unknown = silent = 0
    for _, rows in stimulus.blocks("sentence"):
        tokens, owner = [], []
        for i in range(rows.start, rows.stop):
            own = [t for t in cut(str(stimulus.words[i])) if any(map(str.isalnum, t))]
            silent += not own
            unknown += not all(grammar.knows(token) for token in own)
            tokens += own
            owner += [i] * len(own)
        if tokens:
            np.add.at(bits[:, 0], owner, np.diff(prefix_bits(grammar, tokens), prepend=0.0))
    origin = {
        "symbols": len(grammar.symbols),
        "rules": sum(map(len, grammar.rules.values())),
        "unknown_words": unknown,
        "without_tokens": silent,
    }
    return Features("PCFG surprisal", bits, stimulus, origin=origin)
