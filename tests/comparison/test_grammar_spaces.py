from __future__ import annotations

import numpy as np
import pytest

from brainlm import Recording, Stimulus
from brainlm.comparison.assembly import Assembly
from brainlm.comparison.feature_families import parse_treebanks
from brainlm.comparison.grammar_spaces import grammar_spaces
from brainlm.errors import UnknownNameError

OWN = ["(S (N dogs) (V run) (. .))", "(S (N cats) (VP (V chase) (N dogs)))"]
OTHERS = ["(S (N birds) (V sing))", "(S (N dogs) (VP (V see) (N cats)))"] * 10


@pytest.fixture
def text(rng):
    """An assembly of two sentences."""
    words = ["Dogs", "run.", "Cats", "chase", "dogs"]
    items = [f"w{i}" for i in range(5)]
    stimulus = Stimulus(words, "en", sentence=list("aabbb"), item=items)
    recording = Recording(rng.random((5, 2)), ["x", "y"], "eye-tracking", "ms", items=items)
    return Assembly("mine", "eye-tracking", "en", "sentence", stimulus, recording)


def test_sentences_of_the_text_train_no_grammar_and_have_node_counts(text, tmp_path):
    path = tmp_path / "trees.txt"
    path.write_text("\n".join([*OWN, *OTHERS]), encoding="utf-8")
    files = parse_treebanks(f"treebank:en={path}")
    (nodes, grammar), notes = grammar_spaces(text, files)
    every = np.ones(5, dtype=bool)
    (counts,) = nodes.embed(text.stimulus, every, "sentence")
    assert counts.values[:, 0].tolist() == [0, 1, 0, 0, 2]  # bottom-up: phrases that end here
    (bits,) = grammar.embed(text.stimulus, every, "sentence")
    # 'run' and 'chase' are in no other parse.
    assert bits.origin["unknown_words"] == 2
    assert "2 of 2 sentences are in trees.txt" in notes[0]
    assert "grammar of 20 parses of other sentences" in notes[1]
    (some,) = grammar.embed(text.stimulus, ~every | (np.arange(5) < 2), "sentence")
    np.testing.assert_array_equal(some.values, bits.values[:2])


def test_without_parses_of_the_text_there_are_no_node_counts(text, tmp_path):
    path = tmp_path / "trees.txt"
    path.write_text("\n".join([OWN[0], *OTHERS]), encoding="utf-8")
    (grammar,), notes = grammar_spaces(text, {("treebank", "en"): path})
    assert grammar.name == "PCFG"
    assert "1 of 2 sentences" in notes[0]
    path.write_text("\n".join(OWN), encoding="utf-8")
    (nodes,), notes = grammar_spaces(text, {("treebank", "en"): path})
    assert nodes.name == "node counts"
    assert "0 other parses are too few" in notes[1]
    assert grammar_spaces(text, {})[0] == []
    assert "names no treebank of 'en'" in grammar_spaces(text, {})[1][0]


def test_a_treebank_needs_a_language_and_a_file(tmp_path):
    with pytest.raises(UnknownNameError, match="treebank:LANGUAGE=FILE with a language of en, zh"):
        parse_treebanks(f"treebank={tmp_path}")
