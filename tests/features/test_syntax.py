import numpy as np
import pytest

from brainlm.data.stimulus import Stimulus
from brainlm.errors import UnknownNameError
from brainlm.features.syntax import STRATEGIES, node_counts, parse_bracketed, syntactic_nodes

DOG = "(S (NP (D the) (N dog)) (VP (V chased) (NP (D a) (N cat))))"


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("bottom-up", [0, 1, 0, 0, 3]),  # NP | NP, VP, S
        ("top-down", [2, 0, 1, 1, 0]),  # S, NP | VP | NP
        ("left-corner", [1, 1, 1, 1, 0]),  # NP | S | VP | NP
    ],
)
def test_counts_by_hand(strategy, expected):
    assert node_counts(parse_bracketed(DOG), strategy) == expected


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("text", [DOG, "(S (NP (N x)) (VP (V y)))", "(NP (N x))"])
def test_every_phrase_is_counted_once(strategy, text):
    phrases = text.count("(") - len(parse_bracketed(text).words())
    assert sum(node_counts(parse_bracketed(text), strategy)) == phrases


def test_traces_and_outer_brackets_are_dropped():
    tree = parse_bracketed("( (S (NP (-NONE- *)) (VP (V go) (NP (-NONE- *T*-1)))))")
    assert (tree.label, tree.words()) == ("S", ["go"])
    assert node_counts(tree, "bottom-up") == [2]
    assert parse_bracketed("(ROOT (S (V go)))").label == "S"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(S (V go)", "1 brackets are not closed"),
        ("(S (V go)))", "text after the last bracket"),
        ("S", "outside of any bracket"),
        ("(S (V go) fast)", "needs a bracket of its own"),
        ("(S (NP (-NONE- *)))", "has no words"),
        ("", "not closed"),
    ],
)
def test_broken_brackets_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_bracketed(text)


def test_unknown_strategy_lists_the_choices():
    with pytest.raises(UnknownNameError, match="Choices: bottom-up, top-down, left-corner"):
        node_counts(parse_bracketed(DOG), "chart")


def test_words_of_several_leaves_get_their_sum():
    stimulus = Stimulus(["We", "don't", "go.", "Go!"], "en", sentence=list("aaab"))
    parses = [
        "(S (NP (PRP We)) (VP (VBP do) (RB n't) (VP (VB go))) (. .))",
        "(S (VP (VB Go)) (. !))",
    ]
    space = syntactic_nodes(stimulus, parses)
    assert space.columns.tolist() == list(STRATEGIES)
    np.testing.assert_array_equal(space.values[:, 0], [1, 0, 3, 2])
    np.testing.assert_array_equal(space.values[:, 1], [2, 1, 1, 2])
    assert (space.values.sum(axis=0) == 6).all()


def test_chinese_parses_work_alike():
    stimulus = Stimulus(["孩子", "去", "公园"], "zh")
    space = syntactic_nodes(stimulus, ["(IP (NP (NN 孩子)) (VP (VV 去) (NP (NN 公园))))"])
    np.testing.assert_array_equal(space.values[:, 0], [1, 0, 3])


def test_parses_of_other_words_are_refused():
    stimulus = Stimulus(["the", "dog"], "en")
    with pytest.raises(ValueError, match="give the parse of this sentence"):
        syntactic_nodes(stimulus, ["(NP (D a) (N dog))"])
    with pytest.raises(ValueError, match="2 parses for 1 sentences"):
        syntactic_nodes(stimulus, [DOG, DOG])
    with pytest.raises(ValueError, match="'the' has no leaf that ends in it"):
        syntactic_nodes(stimulus, ["(NP (N thedog))"])
