import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainlm.data.segmentation import check_script, chinese_script, read_text, segment, simplify
from brainlm.data.stimulus import Stimulus
from brainlm.errors import UnknownNameError
from brainlm.language_models import LanguageModel
from brainlm.language_models.sources import is_cached
from brainlm.language_models.tokens import tokenize

TEXT = "小王子说：“请你给我画一只羊。”我画了GPT2号羊！他很高兴……"


@pytest.mark.parametrize("level", ["word", "character"])
def test_chinese_words_put_together_are_the_text(level):
    assert "".join(segment(TEXT, "zh", level)) == TEXT


def test_words_and_characters_by_hand():
    assert segment("我们去公园散步", "zh") == ["我们", "去", "公园", "散步"]
    assert segment("我 去GPT2。", "zh", "character") == ["我", "去", "GPT2", "。"]
    assert segment("It's a dog.", "en") == ["It's", "a", "dog."]


def test_sentences_end_after_their_closing_quotes():
    stimulus = read_text(TEXT, "zh")
    sentences = ["".join(stimulus.words[rows]) for _, rows in stimulus.blocks("sentence")]
    assert sentences == ["小王子说：“请你给我画一只羊。”", "我画了GPT2号羊！", "他很高兴……"]
    english = read_text('He ran. "Stop!" she said.\nNo', "en")
    assert list(dict.fromkeys(english.sentence)) == ["s1", "s2", "s3", "s4"]


def test_traditional_characters_are_simplified_one_by_one():
    assert simplify("漢語的電腦") == "汉语的电脑"
    assert segment(simplify("我們去公園散步"), "zh") == ["我们", "去", "公园", "散步"]


def test_phrases_are_simplified_as_phrases_and_simplified_text_stays():
    assert simplify("乾坤乾淨") == "乾坤干净"
    assert simplify(TEXT) == TEXT


@pytest.mark.parametrize(
    ("words", "script"),
    [
        (["我们", "去", "公园"], "simplified"),
        (["我們", "去", "公園"], "traditional"),
        (["我们", "公園"], "mixed"),
        (["皇后", "和", "乾坤", "台"], None),  # characters that both scripts have
        (["dog", "GPT2", "。"], None),
        ([], None),
    ],
)
def test_the_script_is_told_by_the_characters_that_only_one_has(words, script):
    assert chinese_script(words) == script


def test_only_two_different_scripts_are_refused():
    traditional = Stimulus(["漢語", "電腦"], "zh")
    for script in ("traditional", "mixed", None):
        check_script(traditional, script, "norm")
    check_script(Stimulus(["漢語"], "ja"), "simplified", "norm")
    with pytest.raises(ValueError, match=r"traditional characters, norm in .* convert the stim"):
        check_script(traditional, "simplified", "norm")
    with pytest.raises(ValueError, match="convert the words of norm with simplify"):
        check_script(Stimulus(["汉语"], "zh"), "traditional", "norm")


def test_wrong_requests_are_named():
    with pytest.raises(UnknownNameError, match="Choices: word, character"):
        segment("我", "zh", "token")
    with pytest.raises(ValueError, match="is for Chinese"):
        segment("dog", "en", "character")


def little_prince(language):
    folder = Path(os.environ.get("BRAINLM_DATA", "nowhere"), "lpp_cn_en_fr_words", "story_data")
    code = {"zh": "cn", "en": "en"}[language]
    files = sorted((folder / f"lpp_{code}_audio").glob("*.csv"))
    if not files:
        pytest.skip("needs lpp_cn_en_fr_words under BRAINLM_DATA")
    sections = [pd.read_csv(path, na_filter=False)["text"].astype(str) for path in files]
    words = [[w for w in section if w.strip() and w not in ("sil", "#")] for section in sections]
    labels = [str(i + 1) for i, section in enumerate(words) for _ in section]
    return Stimulus([word for section in words for word in section], language, text=labels)


@pytest.mark.long
@pytest.mark.parametrize("name", ["smollm2", "gemma3", "minilm", "mpnet", "qwen0.5b"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_token_of_the_little_prince_has_its_word(name, language):
    stimulus = little_prince(language)
    if not is_cached(name):
        pytest.skip(f"{name} is not in the cache: run `brainlm fetch {name}`")
    model = LanguageModel(name)
    texts = [stimulus.words[rows].tolist() for _, rows in stimulus.blocks("text")]
    assert len(texts) == 9
    assert stimulus.n_words > 15_000
    for words, tokens in zip(texts, tokenize(model.tokenizer, texts, language), strict=True):
        assert tokens.n_words == len(words)
        assert tokens.start[0] == 0
        assert tokens.stop[-1] == len(tokens.ids)
        gaps = tokens.start[1:] - tokens.stop[:-1]
        assert gaps.max() <= 0  # no token without a word
        if language == "en":
            assert gaps.min() == 0  # and none with two
        owners = np.zeros(len(tokens.ids) + 1, dtype=int)
        np.add.at(owners, tokens.start, 1)
        np.add.at(owners, tokens.stop, -1)
        assert (np.cumsum(owners)[:-1] > 1).sum() == tokens.n_shared


@pytest.mark.parametrize(
    ("language", "text"), [("ja", "犬が好きです。"), ("th", "ฉันชอบสุนัข"), ("yue", "我鍾意狗")]
)
def test_other_languages_without_spaces_are_refused(language, text):
    with pytest.raises(ValueError, match=f"{language!r} is written without spaces.*segment"):
        read_text(text, language)
