"""Surprisal of grammars whose sentences can be counted by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from brainlm import Stimulus
from brainlm.errors import CorruptDataError
from brainlm.features.pcfg import (
    Grammar,
    induce_grammar,
    pcfg_surprisal,
    prefix_bits,
    read_treebank,
)
from brainlm.features.syntax import parse_bracketed

DOGS = Grammar(
    {"S": {("NP", "VP"): 1.0}, "VP": {("V", "NP"): 0.4, ("I",): 0.6}},
    {"dogs": {"NP": 0.5}, "cats": {"NP": 0.5}, "chase": {"V": 1.0}, "run": {"I": 1.0}},
    {},
    "S",
)


def test_a_toy_grammar_by_hand():
    """dogs: 1/2; chase: 2/5; run: 3/5; cats: 1/2."""
    surprisal = np.diff(prefix_bits(DOGS, ["dogs", "chase", "cats"]), prepend=0)
    assert surprisal == pytest.approx([1, np.log2(5 / 2), 1])
    assert np.diff(prefix_bits(DOGS, ["cats", "run"])) == pytest.approx([np.log2(5 / 3)])


def test_left_recursion_is_summed_in_closed_form():
    """S -> S T | x: the prefix x has probability 1, each further y a half."""
    grammar = Grammar(
        {"S": {("S", "T"): 0.5, ("X",): 0.5}}, {"x": {"X": 1.0}, "y": {"T": 1.0}}, {}, "S"
    )
    assert prefix_bits(grammar, list("xyyy")) == pytest.approx([0, 1, 2, 3])


def test_right_recursion_and_chains_of_single_symbols():
    """NP -> N (1/2) | A NP (1/2), below two chains; half of all sentences begin with an A."""
    grammar = Grammar(
        {"ROOT": {("S",): 1.0}, "S": {("NP",): 1.0}, "NP": {("N",): 0.5, ("A", "NP"): 0.5}},
        {"old": {"A": 0.25}, "new": {"A": 0.75}, "men": {"N": 1.0}},
        {},
        "ROOT",
    )
    surprisal = np.diff(prefix_bits(grammar, ["old", "new", "men"]), prepend=0)
    assert surprisal == pytest.approx([3, np.log2(8 / 3), 1])


def test_an_ambiguous_word_and_two_parses():
    """'saw' is a noun or a verb: 'they saw' = 1/2 (verb) + 1/2 x 1/4 (noun in a compound)."""
    grammar = Grammar(
        {"S": {("P", "V"): 0.5, ("C", "V"): 0.5}, "C": {("P", "N"): 1.0}},
        {"they": {"P": 1.0}, "saw": {"V": 1.0, "N": 0.25}, "tool": {"N": 0.75}},
        {},
        "S",
    )
    assert 2 ** -prefix_bits(grammar, ["they", "saw"]) == pytest.approx([1, 0.5 + 0.125])
    assert 2 ** -prefix_bits(grammar, ["they", "tool"]) == pytest.approx([1, 0.375])


def sentences(grammar, symbol, depth):
    """Every sentence of a finite grammar with its probability."""
    for word, entry in grammar.lexicon.items():
        if symbol in entry:
            yield (word,), entry[symbol]
    if depth == 0:
        return
    for right, p in grammar.rules.get(symbol, {}).items():
        for parts in itertools.product(*(list(sentences(grammar, s, depth - 1)) for s in right)):
            yield sum((words for words, _ in parts), ()), p * np.prod([q for _, q in parts])


def test_prefixes_agree_with_an_enumeration(rng):
    """A random finite grammar: sums over all sentences that begin with a prefix."""
    share = rng.dirichlet(np.ones(3), 6)
    rules = {
        "S": {("A", "B"): share[0][0], ("B", "A"): share[0][1], ("A",): share[0][2]},
        "A": {("C", "D"): share[1][0], ("D", "C"): share[1][1], ("C",): share[1][2]},
        "B": {("D", "D"): share[2][0], ("C", "A"): share[2][1], ("D",): share[2][2]},
    }
    lexicon = {word: {"C": c, "D": d} for word, c, d in zip("uvw", share[3], share[4], strict=True)}
    grammar = Grammar(rules, lexicon, {}, "S")
    every = list(sentences(grammar, "S", 4))
    assert sum(p for _, p in every) == pytest.approx(1)
    for words in ("uvw", "wwu", "vuvu"):
        for k, bits in enumerate(prefix_bits(grammar, list(words)), start=1):
            begin = tuple(words[:k])
            expected = sum(p for sentence, p in every if sentence[:k] == begin)
            assert 2**-bits == pytest.approx(expected, rel=1e-9)


def test_the_probabilities_of_the_next_word_sum_to_what_goes_on(rng):
    """After 'dogs chase' a sentence always goes on; after 'dogs' it does, too."""
    for prefix in ([], ["dogs"], ["dogs", "chase"]):
        known = 2 ** -prefix_bits(DOGS, prefix)[-1] if prefix else 1.0
        total = 0.0
        for word in DOGS.lexicon:
            try:
                total += 2 ** -prefix_bits(DOGS, [*prefix, word])[-1]
            except ValueError:
                continue
        assert total == pytest.approx(known)


def test_long_sentences_stay_inside_the_range_of_numbers():
    rules = {"S": {("X", "S"): 1 - 1e-6, ("X",): 1e-6}}
    grammar = Grammar(rules, {"x": {"X": 1e-8}}, {"X": 1 - 1e-8}, "S")
    bits = prefix_bits(grammar, ["x"] * 60)
    assert bits[-1] == pytest.approx(60 * 8 * np.log2(10), rel=1e-4)


TREES = """
(ROOT (S (NP-SBJ (D the) (N dog)) (VP (V ran)) (. .)))
(S (NP (D the) (N dog)) (VP (V saw) (NP (D a)
   (N cat))))
(S (NP (PRP it)) (VP (V ran)))
( (S (NP (D the) (A old) (N dog)) (VP (V ran))) )
"""


def test_a_grammar_is_the_frequencies_of_its_trees(tmp_path):
    (tmp_path / "trees.txt").write_text(TREES, encoding="utf-8")
    trees = read_treebank(tmp_path / "trees.txt")
    grammar = induce_grammar(trees, rare=0, glue=0)
    assert grammar.rules["NP"] == {("D", "N"): 0.6, ("PRP",): 0.2, ("D", "NP|A"): 0.2}
    assert grammar.rules["NP|A"] == {("A", "N"): 1.0}
    assert grammar.rules["VP"] == {("V",): 0.75, ("V", "NP"): 0.25}
    assert grammar.lexicon["the"] == {"D": 0.75}
    # p(the) = p(NP begins with D) x p(the | D); dog: p(D N) / p(D ...) x 3/4
    surprisal = np.diff(prefix_bits(grammar, ["the", "dog"]), prepend=0)
    assert 2**-surprisal == pytest.approx([0.8 * 0.75, 0.75 * 0.75])


def test_rare_words_share_with_unknown_ones():
    """Half of the nouns are rare: cat, cow and two words that are unknown have an eighth each."""
    trees = [parse_bracketed(f"(S (N {noun}) (V runs))") for noun in ("dog", "dog", "cat", "cow")]
    grammar = induce_grammar(trees, glue=0.5)
    assert grammar.lexicon["dog"] == {"N": 0.5}
    assert grammar.lexicon["cat"] == {"N": 0.125}
    assert grammar.unknown == {"N": 0.125}
    assert not grammar.knows("zebra")
    assert prefix_bits(grammar, ["zebra"]) == pytest.approx(prefix_bits(grammar, ["cat"]))
    free = 2 ** -prefix_bits(grammar, ["runs"])[0]  # no sentence begins so, but for the glue
    assert free == pytest.approx(0.5 * 0.5)
    often = induce_grammar(trees[:2] * 2)  # nothing is rare: four of five
    assert often.lexicon == {"dog": {"N": pytest.approx(0.8)}, "runs": {"V": pytest.approx(0.8)}}
    assert often.unknown == {"N": pytest.approx(0.2), "V": pytest.approx(0.2)}
    with pytest.raises(ValueError, match="no sentence that begins with 'runs'"):
        prefix_bits(induce_grammar(trees, glue=0), ["runs"])
    with pytest.raises(ValueError, match="'zebra' is not in the lexicon"):
        prefix_bits(induce_grammar(trees, rare=0), ["zebra"])


def test_words_of_a_stimulus_are_cut_as_in_a_treebank():
    trees = [parse_bracketed("(S (N dogs) (VP (M do) (R n't) (V run)) (. .))")] * 2
    grammar = induce_grammar(trees, glue=0.1)
    words = Stimulus(["Dogs", "don't", "run.", "—", "Cats"], "en", sentence=list("aaaab"))
    found = pcfg_surprisal(words, induce_grammar([*trees, parse_bracketed("(S (N cows))")]))
    assert found.values[3] == 0
    assert (found.values[[0, 1, 4]] > 0).all()
    assert found.origin["unknown_words"] == 1
    assert found.origin["without_tokens"] == 1
    whole = prefix_bits(grammar, ["Dogs", "do", "n't", "run"])
    own = pcfg_surprisal(words.select([0, 1, 2]), grammar).values[:, 0]
    assert own == pytest.approx([whole[0], whole[2] - whole[0], whole[3] - whole[2]])


@pytest.mark.parametrize(
    ("rules", "lexicon", "message"),
    [
        ({"S": {("A", "B"): 1.0}}, {"a": {"A": 1.0}}, "'B' has neither rules nor words"),
        ({"S": {("A", "A"): 0.9}}, {"a": {"A": 1.0}}, "'S' sum to 0.9"),
    ],
)
def test_grammars_that_are_none_are_refused(rules, lexicon, message):
    with pytest.raises(ValueError, match=message):
        Grammar(rules, lexicon, {}, "S")


def test_broken_treebanks_are_named(tmp_path):
    path = tmp_path / "trees.txt"
    for text in ("(S (N a)", "(S (N a)))", "nothing", "(S (N a b))"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(CorruptDataError, match=r"trees\.txt: "):
            read_treebank(path)


def test_rules_may_go_in_a_circle_unless_it_keeps_everything():
    words = {"a": {"A": 1.0}}
    rules = {"S": {("T",): 0.5, ("A", "A"): 0.5}, "T": {("S",): 1.0}}
    assert 2 ** -prefix_bits(Grammar(rules, words, {}, "S"), ["a"])[0] == pytest.approx(1)
    rules = {"S": {("T",): 1.0}, "T": {("S",): 1.0}, "B": {("A", "A"): 1.0}}
    with pytest.raises(ValueError, match="go in a circle"):
        prefix_bits(Grammar(rules, words, {}, "S"), ["a"])
