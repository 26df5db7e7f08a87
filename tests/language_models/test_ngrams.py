import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError
from brainlm.language_models.ngrams import (
    END,
    START,
    UNKNOWN,
    BackoffModel,
    KenlmModel,
    read_ngrams,
    train_kneser_ney,
)

TEXT = [s.split() for s in ["the dog ran", "the cat ran", "the dog sat", "a dog ran home"]]

ARPA = """made by hand
\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.5
-0.5\tthe\t-0.25
-0.7\tdog

\\2-grams:
-0.1\t<s> the
-0.2\tthe dog

\\end\\
"""


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_after_any_context_sum_to_one(order):
    model = train_kneser_ney(TEXT, order)
    words = [gram[0] for gram in model.log_p if len(gram) == 1]
    assert START not in words
    assert {END, UNKNOWN} <= set(words)
    for context in ([START], [START, "the"], ["the", "dog"], ["home"], [UNKNOWN], ["ran", "cat"]):
        total = sum(10 ** model.log10(word, context) for word in words)
        assert total == pytest.approx(1)


def test_kneser_ney_bigram_by_hand():
    model = train_kneser_ney([["a", "b"], ["a", "c"]], order=2, discount=0.5)
    # Contexts: a after 1 (<s>), b 1, c 1, </s> 2; 5 pairs, 4 types, 5 words with <unk>.
    p_b = 0.5 / 5 + 0.5 * 4 / 5 / 5
    assert 10 ** model.log10("b") == pytest.approx(p_b)
    # After "a": b and c once each.
    assert 10 ** model.log10("b", ["a"]) == pytest.approx(0.5 / 2 + 0.5 * 2 / 2 * p_b)
    # "a" never follows "a": only the lower order.
    p_a = p_b
    assert 10 ** model.log10("a", ["a"]) == pytest.approx(0.5 * p_a)


def test_word_of_many_contexts_is_likelier_than_its_frequency_says():
    """The reason for Kneser-Ney: "Francisco" is frequent, but follows "San" only."""
    sentences = [["San", "Francisco"]] * 10 + [[f"w{i}", "dog"] for i in range(5)]
    model = train_kneser_ney(sentences, 2)
    assert model.log10("dog", [UNKNOWN]) > model.log10("Francisco", [UNKNOWN])
    assert model.log10("Francisco", ["San"]) > model.log10("dog", ["San"])


def test_surprisal_of_words_starts_anew_with_each_sentence():
    model = train_kneser_ney(TEXT, 3)
    stimulus = Stimulus(["The", "dog", "ran", "the", "zebra"], "en", sentence=list("aaabb"))
    found = model.surprisal(stimulus)
    expected = [
        model.log10("the", [START]),
        model.log10("dog", [START, "the"]),
        model.log10("ran", ["the", "dog"]),
        model.log10("the", [START]),
        model.log10(UNKNOWN, [START, "the"]),
    ]
    np.testing.assert_allclose(found.values[:, 0], -np.array(expected) / math.log10(2))
    assert found.origin["unknown_words"] == 1
    assert found.name == "3-gram surprisal"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_arpa_file_backs_off(tmp_path, pack):
    (tmp_path / "m.arpa").write_bytes(pack(ARPA.encode()))
    model = read_ngrams(tmp_path / "m.arpa")
    assert model.order == 2
    assert model.log10("the", [START]) == -0.1
    assert model.log10("dog", [START]) == pytest.approx(-0.5 - 0.7)
    assert model.log10("the", ["the"]) == pytest.approx(-0.25 - 0.5)
    assert model.log10("the", ["dog"]) == -0.5  # no weight: 1
    assert model.log10("dog", [START, "a", "the"]) == -0.2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ARPA.replace("ngram 2=2", "ngram 2=3"), "cut short"),
        (ARPA.replace("-0.2\tthe dog", "-0.2\tthe"), "line 14 is not a 2-gram"),
        ("just text\n", "no ARPA file"),
    ],
)
def test_broken_arpa_files_are_refused(tmp_path, content, message):
    (tmp_path / "m.arpa").write_text(content)
    with pytest.raises(CorruptDataError, match=message):
        read_ngrams(tmp_path / "m.arpa")


def test_bad_requests_are_named():
    with pytest.raises(ValueError, match="at least one sentence"):
        train_kneser_ney([])
    with pytest.raises(ValueError, match="got 0 and"):
        train_kneser_ney(TEXT, 0)
    with pytest.raises(ValueError, match="no 'dog' and no <unk>"):
        BackoffModel(1, {("a",): -1.0}, {}).surprisal(Stimulus(["dog"], "en"))


@pytest.mark.parametrize("order", [2, 3])
def test_levels_above_the_unigrams_are_those_of_nltk(order):
    """Only the lowest level is ours: it leaves something for words that were not seen."""
    lm = pytest.importorskip("nltk.lm")
    from nltk.lm.preprocessing import padded_everygram_pipeline

    discount = 0.4
    ours = train_kneser_ney(TEXT, order, discount)

    class LowestOfOurs(lm.KneserNeyInterpolated):
        def __init__(self, order, discount):
            super().__init__(order, discount)
            self.estimator.unigram_score = lambda word: 10 ** ours.log10(word)

    theirs = LowestOfOurs(order, discount)
    grams, words = padded_everygram_pipeline(order, TEXT)
    theirs.fit(grams, words)
    seen = {word for sentence in TEXT for word in sentence}
    # nltk pads a sentence with order - 1 <s>; contexts without one are the same in both.
    contexts = [("the",), ("dog",), ("a",), ("ran",)]
    if order == 3:
        contexts += [("the", "dog"), ("dog", "ran"), ("the", "cat")]
    for context in contexts:
        for word in sorted(seen | {END}):
            assert 10 ** ours.log10(word, context) == pytest.approx(theirs.score(word, context))


# What kenlm's lmplz -o 3 --discount_fallback 0.75 0.75 0.75 writes for SMALL, where no n-gram has
# the counts from which it would estimate other discounts: log10 p, log10 back-off weight.
SMALL = ["the dog ran", "the cat ran", "a dog sat", "a cat sat", "home", "well", "well"]
LMPLZ = {
    "<unk>": (-1.3748162, 0),
    "</s>": (-0.61028033, 0),
    "the": (-1.2379782, -0.12493875),
    "dog": (-0.91968924, -0.12493875),
    "ran": (-0.91968924, -0.42596874),
    "home": (-1.2379782, -0.12493875),
    "ran </s>": (-0.14448558, 0),
    "home </s>": (-0.3625259, 0),
    "<s> the": (-0.69175965, -0.12493875),
    "the dog": (-0.6670884, -0.12493875),
    "dog ran": (-0.6670884, -0.12493875),
    "<s> home": (-1.2183087, -0.12493875),
    "<s> well": (-0.69175965, -0.42596874),
    "dog ran </s>": (-0.10361481, 0),
    "<s> home </s>": (-0.23996353, 0),
    "<s> well </s>": (-0.10361481, 0),
    "<s> the dog": (-0.54298794, 0),
    "the dog ran": (-0.3857085, 0),
}


def test_model_is_that_of_kenlms_own_training():
    model = train_kneser_ney([sentence.split() for sentence in SMALL], 3)
    assert [sum(len(gram) == n for gram in model.log_p) for n in (1, 2, 3)] == [10, 16, 14]
    for words, (log_p, weight) in LMPLZ.items():
        gram = tuple(words.split())
        assert model.log_p[gram] == pytest.approx(log_p, abs=1e-6)
        assert model.log_backoff.get(gram, 0) == pytest.approx(weight, abs=1e-6)
    assert model.log_backoff[(START,)] == pytest.approx(-0.36797678, abs=1e-6)


def test_what_is_saved_is_read_again_alike(tmp_path):
    model = train_kneser_ney(TEXT, 3)
    model.save_arpa(tmp_path / "m.arpa")
    again = read_ngrams(tmp_path / "m.arpa")
    assert {k: v for k, v in again.log_p.items() if k != (START,)} == model.log_p
    assert again.log_backoff == model.log_backoff
    assert again.order == 3


def test_kenlm_gives_the_probabilities_that_we_read(tmp_path):
    pytest.importorskip("kenlm")
    model = train_kneser_ney(TEXT, 3)
    model.save_arpa(tmp_path / "m.arpa")
    theirs, ours = KenlmModel(tmp_path / "m.arpa"), read_ngrams(tmp_path / "m.arpa")
    words = ["the", "dog", "ran", "home", "zebra", "the", "cat", "sat"]
    stimulus = Stimulus(words, "en", sentence=list("aaaaabbb"))
    found, expected = theirs.surprisal(stimulus), ours.surprisal(stimulus)
    np.testing.assert_allclose(found.values, expected.values, atol=1e-4)
    assert found.origin == expected.origin


def test_binary_file_of_kenlm_is_read_or_its_package_is_named(tmp_path, monkeypatch):
    import sys

    path = tmp_path / "m.lm"
    path.write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0 and no more")
    monkeypatch.setitem(sys.modules, "kenlm", None)
    with pytest.raises(ImportError, match=r"m\.lm is a binary file of kenlm.*brainlm\[kenlm\]"):
        read_ngrams(path)
    monkeypatch.undo()
    pytest.importorskip("kenlm")
    with pytest.raises(CorruptDataError, match=r"m\.lm: kenlm cannot read it"):
        read_ngrams(path)


def test_real_chinese_model_of_kenlm_knows_what_follows():
    pytest.importorskip("kenlm")
    files = list(Path("/usr/lib").glob("*/libime/zh_CN.lm"))
    if not files:
        pytest.skip("needs Debian's libime-data-language-model")
    model = read_ngrams(files[0])
    assert model.order == 3
    plain = Stimulus(["今天", "天气", "很", "好"], "zh")
    odd = Stimulus(["好", "很", "天气", "今天"], "zh")
    assert model.surprisal(plain).values.sum() < model.surprisal(odd).values.sum() - 10
    assert model.surprisal(plain).origin["unknown_words"] == 0


def test_a_model_of_the_other_chinese_script_is_refused():
    model = train_kneser_ney([["国", "语", "门"], ["门", "国", "车"]], 2)
    assert model.script() == "simplified"
    same = Stimulus(["国", "门"], "zh", sentence=["a", "a"])
    assert model.surprisal(same).origin["unknown_words"] == 0
    other = Stimulus(["國", "門"], "zh", sentence=["a", "a"])
    with pytest.raises(ValueError, match="traditional characters, Kneser-Ney 2-gram in simplified"):
        model.surprisal(other)


@pytest.mark.parametrize("order", [2, 3, 4, 5, 6])
def test_a_context_shorter_than_the_order_is_used_whole(order):
    """At the beginning of a sentence a high order knows as much as a low one."""
    model = train_kneser_ney([["a", "b", "c"]] * 300 + [["d", "b", "e"]] * 300, order=order)
    bits = model.surprisal(Stimulus(["a", "b", "c"], "en")).values[:, 0]
    expected = [1.0, 0.0, 1.0 if order == 2 else 0.0]  # two sentences begin; b alone tells nothing
    np.testing.assert_allclose(bits, expected, atol=0.02)
