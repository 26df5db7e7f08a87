"""Whether a model knows the language: as declared, or by how it cuts the text."""

import warnings

import numpy as np
import pytest

from brainlm.data.stimulus import Stimulus
from brainlm.language_models import LanguageModel
from brainlm.language_models.languages import UnknownLanguageWarning, check_language
from brainlm.language_models.sources import find_source, is_cached
from brainlm.language_models.tokens import Tokens

ENGLISH = ("the children were watching the old man who walked along the river " * 12).split()
CHINESE = list("孩子们从窗户里看着这一切觉得非常有趣" * 12)


def check(n_tokens, words, *, known=(), language="xx", n_unknown=0, n_vocabulary=30_000):
    tokens = Tokens(np.zeros(n_tokens, dtype=int), np.array([0]), np.array([1]))
    check_language("model", known, language, [words], [tokens], n_unknown, n_vocabulary)


def test_a_language_that_is_not_declared_is_refused():
    check(1, ["a"], known=("en", "zh"), language="zh-TW")
    with pytest.raises(ValueError, match=r"model was trained on en, zh, the stimulus is in 'da'"):
        check(1, ["a"], known=("en", "zh"), language="da")


def test_many_or_unknown_tokens_are_a_warning():
    words = ["x" * 100] * 10  # 1,000 bytes
    check(370, words)
    check(900, words, n_vocabulary=256)  # letters
    check(900, ["x" * 400])  # too little text
    with pytest.warns(UnknownLanguageWarning, match=r"0\.39 tokens per byte"):
        check(390, words)
    with pytest.warns(UnknownLanguageWarning, match="30 of 200 of them unknown"):
        check(200, words, n_unknown=30)


@pytest.mark.skipif(not is_cached("smollm2"), reason="smollm2 is not cached")
def test_an_english_model_is_not_asked_for_the_surprisal_of_chinese():
    chinese, english = Stimulus(CHINESE, "zh"), Stimulus(ENGLISH, "en")
    with pytest.raises(ValueError, match="smollm2 was trained on en"):
        LanguageModel("smollm2").surprisal(chinese)
    nothing_declared = LanguageModel(find_source("smollm2").folder)
    with pytest.warns(UnknownLanguageWarning, match="probably not trained on this language"):
        nothing_declared.tokens_of(chinese, "sentence")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nothing_declared.tokens_of(english, "sentence")
