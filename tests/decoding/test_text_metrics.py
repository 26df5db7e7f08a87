"""Scores against answers made by hand and against the libraries' own entry points."""

import numpy as np
import pytest
from scipy.stats import norm, t

from brainlm.decoding.null_scores import (
    Window,
    compare_to_null,
    cut_windows,
    identify_windows,
    null_z,
)
from brainlm.decoding.text_scores import (
    BertScore,
    inverse_document_frequency,
    list_metrics,
    sentence_similarity,
    text_scores,
)
from brainlm.errors import UnknownNameError

TRUE = ["the", "cat", "sat", "on", "my", "mat"]
SAID = ["the", "cats", "sat", "on", "a", "mat"]


def test_scores_by_hand():
    scores = text_scores([TRUE], [SAID])
    assert list(scores) == list_metrics()
    assert scores["1-wer"][0] == pytest.approx(1 - 2 / 6)
    assert scores["bleu-1"][0] == pytest.approx(4 / 6)
    assert scores["bleu-2"][0] == pytest.approx(np.sqrt(4 / 6 * 1 / 5))
    # exact: the, sat, on, mat; stem: cat; two chunks; precision = recall = 5/6
    name = next(name for name in scores if name.startswith("meteor"))
    assert scores[name][0] == pytest.approx(5 / 6 * (1 - 0.5 * (2 / 5) ** 3))


def test_brevity_is_punished():
    scores = text_scores([TRUE], [TRUE[:3]], ["bleu-1"])
    assert scores["bleu-1"][0] == pytest.approx(np.exp(1 - 6 / 3))


def test_the_same_text_scores_one_and_another_about_nothing():
    same = text_scores([TRUE * 3], [TRUE * 3])
    other = text_scores([TRUE * 3], [["red", "green", "blue"] * 6])
    for name in list_metrics():
        assert same[name][0] == pytest.approx(1, abs=0.01)
        assert other[name][0] < 0.1


def test_empty_texts():
    scores = text_scores([TRUE, []], [[], SAID], ["bleu-1"])
    np.testing.assert_array_equal(scores["bleu-1"], [0, np.nan])
    with pytest.raises(UnknownNameError, match="bleu-1, bleu-2"):
        text_scores([TRUE], [SAID], ["rouge"])


def test_chinese_by_characters_and_words():
    true, said = ["今天", "天气", "很", "好"], ["今天", "天", "很", "好"]
    words = text_scores([true], [said], ["bleu-1", "chrf"], "zh")
    characters = text_scores([list("".join(true))], [list("".join(said))], ["bleu-1"], "zh")
    assert words["bleu-1"][0] == pytest.approx(3 / 4)
    assert characters["bleu-1"][0] == pytest.approx(np.exp(1 - 6 / 5))
    import sacrebleu

    own = sacrebleu.sentence_chrf("今天天很好", ["今天天气很好"]).score / 100
    assert words["chrf"][0] == pytest.approx(own)


def test_bert_score_is_the_formula_and_one_for_the_same_text(tiny):
    idf = inverse_document_frequency([["the", "dog"], ["the", "cat"], ["the", "moon"]])
    assert idf["the"] == 0
    assert idf["dog"] == pytest.approx(np.log(2))
    score = BertScore(tiny, 2, idf)
    true, said = ["the", "dog", "runs"], ["the", "cat", "runs", "on"]
    found = score.score([true, true], [said, true])
    a, b = score.embed([true, said])
    weight = np.array([idf["the"], idf["dog"], max(idf.values())])
    recall = (weight * (a @ b.T).max(axis=1)).sum() / weight.sum()
    assert found["recall"][0] == pytest.approx(recall)
    for name in ("recall", "precision", "f1"):
        assert found[name][1] == pytest.approx(1, abs=1e-5)
    plain = BertScore(tiny, 2).score([true], [said])
    assert plain["recall"][0] == pytest.approx((a @ b.T).max(axis=1).mean())


def test_sentence_similarity_puts_the_same_text_first(tiny):
    texts = [["the", "dog", "runs"], ["moon", "and", "river"], ["a", "child", "was", "red"]]
    similarity = sentence_similarity(tiny, texts, texts)
    np.testing.assert_allclose(np.diag(similarity), 1, atol=1e-5)
    with pytest.raises(ValueError, match=r"hypothesis\[1\] is empty"):
        sentence_similarity(tiny, texts, [texts[0], [], texts[2]])


def test_windows_hold_the_words_of_their_time():
    starts = Window(20, 1).starts(0, 30)
    assert starts.tolist() == list(range(11))
    times = np.arange(0, 30, 5.0)
    windows = cut_windows(list("abcdef"), times, starts, 20)
    assert windows[0] == list("abcd")  # 20 s itself is the next one's
    assert windows[1] == list("bcde")
    with pytest.raises(ValueError, match=r"lasts 10.0 s, less than a window of 20 s"):
        Window().starts(0, 10)


def test_identification_leaves_overlapping_windows_out():
    starts = np.array([0.0, 10, 20, 30, 40])
    similarity = np.eye(5)
    similarity[0, 1] = 9  # overlaps the own one
    assert identify_windows(similarity, starts, 20).tolist() == [1] * 5
    rng = np.random.default_rng(0)
    noise = identify_windows(rng.standard_normal((300, 300)), np.arange(300.0), 20)
    assert noise.mean() == pytest.approx(0.5, abs=0.05)


def test_comparison_with_a_null_by_hand():
    null = np.array([[0.1, 0.2], [0.3, 0.4], [0.2, 0.3]])
    found = compare_to_null(np.array([0.8, 0.6]), null)
    assert found["gain"] == pytest.approx(0.7 - 0.25)
    deviate = 0.45 / (0.1 * np.sqrt(1 + 1 / 3))
    assert found["p"] == pytest.approx(t.sf(deviate, 2))
    assert norm.sf(found["z"]) == pytest.approx(found["p"])
    assert found["null_half"] == pytest.approx(t.ppf(0.975, 2) * 0.1 * np.sqrt(4 / 3))
    assert np.isnan(found["half"])  # too few windows for an interval
    blocks = np.repeat([0.5, 0.7, 0.9], 20)
    long = compare_to_null(blocks, np.random.default_rng(0).random((4, 60)))
    assert long["half"] == pytest.approx(4.3027 * 0.2 / np.sqrt(3), rel=1e-3)  # t, two degrees
    assert found["share"] == 0  # 6 and 3 standard deviations, of three nulls
    many = np.array([0.1, 0.3] * 50)[:, None] * [1, 1]
    assert compare_to_null(np.array([0.8, 0.4]), many)["share"] == 0.5
    same = compare_to_null(np.array([0.8, 0.6]), np.full((5, 2), 0.25))  # no spread: no test
    assert np.isnan([same["z"], same["p"], same["z_window"]]).all()
    assert same["share"] == 0
    with pytest.raises(ValueError, match="null must be"):
        compare_to_null(np.ones(3), null)


@pytest.mark.parametrize("n_null", [5, 6, 10])
def test_z_above_3_means_what_it_says(n_null):
    draws = np.random.default_rng(n_null).standard_normal((n_null + 1, 400_000))
    z, p = null_z(draws[0], draws[1:])
    wide = 4 * np.sqrt(0.00135 / z.size)  # four binomial standard errors
    assert np.mean(z > 3) == pytest.approx(0.00135, abs=wide)
    assert np.mean(z < -3) == pytest.approx(0.00135, abs=wide)
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.002)
    largest = z.reshape(8, -1).max(axis=0)  # of eight conditions, .27 by the standard deviation
    assert np.mean(largest > 3) == pytest.approx(1 - (1 - 0.00135) ** 8, abs=0.003)
    naive = (draws[0] - draws[1:].mean(0)) / draws[1:].std(0, ddof=1)
    assert np.mean(np.abs(naive) > 3) > 0.015  # what was printed before


def test_the_t_needs_two_nulls_of_the_same_shape():
    with pytest.raises(ValueError, match=r"null must have shape .* got \(1,\)"):
        null_z(np.array(0.5), np.array([0.1]))
    with pytest.raises(ValueError, match="decode more null reconstructions"):
        null_z(np.zeros(3), np.zeros((5, 2)))
