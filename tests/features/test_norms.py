from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brainlm.data.features import Features
from brainlm.data.segmentation import simplify
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.features.associations import (
    association_norm,
    ppmi,
    random_walk_similarity,
    read_associations,
)
from brainlm.features.norms import Norm, open_norm, similarity_features


@pytest.fixture
def norm():
    return Norm(
        "senses", "en", ["dog", "cat", "The"], np.array([[1.0, 2], [3, 4], [5, 6]]), ["a", "b"]
    )


def test_words_get_their_own_values_and_coverage(norm):
    stimulus = Stimulus(["Dog", "“cat,”", "The", "dog"], "en")
    space = norm.embed(stimulus)
    assert space.values.tolist() == [[1, 2], [3, 4], [5, 6], [1, 2]]
    assert space.columns.tolist() == ["a", "b"]
    assert space.origin["coverage"] == 1
    assert "imputed_words" not in space.origin


def test_uncovered_words_are_an_error_never_zeros(norm):
    stimulus = Stimulus(["dog", "zebra"], "en")
    assert norm.covers(stimulus).tolist() == [True, False]
    with pytest.raises(ValueError, match=r"not cover 1 of 2 words: 'zebra'.*vectors="):
        norm.embed(stimulus)


def test_language_that_a_norm_does_not_cover_is_refused(norm):
    with pytest.raises(ValueError, match="has words in 'en', the stimulus is in 'zh'"):
        norm.embed(Stimulus(["狗"], "zh"))


def linear_norm(rng, noise):
    words = [f"w{i}" for i in range(200)]
    vectors = rng.standard_normal((200, 5))
    values = vectors @ rng.standard_normal((5, 3)) + noise * rng.standard_normal((200, 3))
    stimulus = Stimulus(words, "en")
    known = Norm("linear", "en", words[:150], values[:150])
    return known, stimulus, Features("vectors", vectors, stimulus), values


def test_imputation_recovers_a_linear_norm_and_reports_its_accuracy(rng):
    norm, stimulus, vectors, values = linear_norm(rng, noise=0)
    space = norm.embed(stimulus, vectors)
    np.testing.assert_allclose(space.values, values, atol=0.01)
    np.testing.assert_array_equal(space.values[:150], values[:150])
    assert space.origin["coverage"] == 0.75
    assert space.origin["imputed_words"] == 50
    assert min(space.origin["imputation_accuracy"].values()) > 0.999


def test_imputation_from_noise_reports_that_it_knows_nothing(rng):
    norm, stimulus, vectors, _ = linear_norm(rng, noise=0)
    noise = Features("noise", rng.standard_normal(vectors.values.shape), stimulus)
    accuracy = norm.embed(stimulus, noise).origin["imputation_accuracy"]
    assert max(accuracy.values()) < 0.25


def test_imputation_needs_words_to_learn_from(norm):
    stimulus = Stimulus(["dog", "zebra"], "en")
    with pytest.raises(ValueError, match="covers 1 different words of the stimulus, too few"):
        norm.embed(stimulus, Features("vectors", np.ones((2, 1)), stimulus))
    with pytest.raises(ValueError, match="describe another stimulus"):
        norm.embed(stimulus, Features("vectors", np.ones((2, 1)), Stimulus(["a", "b"], "en")))


@pytest.mark.parametrize(
    ("words", "values", "message"),
    [
        (["a", "a"], [[1], [2]], "not unique"),
        (["a"], [[np.nan]], "not all finite"),
        (["a", "b"], [[1]], "a row for each of 2 words"),
    ],
)
def test_broken_norms_are_refused(words, values, message):
    with pytest.raises(ValueError, match=message):
        Norm("x", "en", words, np.array(values, dtype=float))


def test_a_norm_in_the_other_chinese_script_is_refused():
    norm = Norm("senses", "zh", ["电脑", "汉语", "羊"], np.eye(3))
    traditional = Stimulus(["漢語", "電腦", "羊"], "zh")
    for ask in (norm.covers, norm.embed):
        with pytest.raises(ValueError, match="in traditional characters, senses in simplified"):
            ask(traditional)
    mended = replace(traditional, words=[simplify(word) for word in traditional.words])
    np.testing.assert_array_equal(norm.embed(mended).values, np.eye(3)[[1, 0, 2]])


def test_ratings_that_are_no_ratings_are_refused():
    with pytest.raises(ValueError, match="is fmri, not ratings"):
        open_norm("alice-fmri")


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "language", "words", "n_features"),
    [
        ("binder-en", "en", ["dog", "bicycle"], 62),
        ("binder-zh", "zh", ["动物园"], 68),
        ("human-ratings", "en", ["dog", "justice"], 7),
        ("lancaster", "en", ["dog", "justice"], 11),
        ("concreteness", "en", ["dog", "justice"], 1),
        ("vad", "en", ["love", "war"], 3),
    ],
)
def test_real_ratings_become_features(name, language, words, n_features):
    try:
        norm = open_norm(name)
    except DataMissingError as error:
        pytest.skip(f"needs the data: {error}")
    space = norm.embed(Stimulus(words, language))
    assert space.values.shape == (len(words), n_features)
    if name == "human-ratings":
        concreteness = space.values[:, list(space.columns).index("Concreteness")]
        assert concreteness[0] > concreteness[1] + 2
    if name == "vad":
        valence = space.values[:, list(space.columns).index("Valence")]
        assert valence[0] > valence[1] + 3


def test_real_ratings_are_imputed_from_word_vectors():
    from brainlm.language_models import LanguageModel
    from brainlm.language_models.sources import is_cached

    if not is_cached("glove-6b-50d"):
        pytest.skip("glove-6b-50d is not in the cache: run `brainlm fetch glove-6b-50d`")
    try:
        norm = open_norm("human-ratings")
    except DataMissingError as error:
        pytest.skip(f"needs the data: {error}")
    glove = LanguageModel("glove-6b-50d")
    some = Stimulus([*list(norm.words)[::25], "obama", "microsoft", "iraqi"], "en")
    some = some.select(glove.covers(some))
    space = norm.embed(some, glove.embed(some)[0])
    assert 0 < space.origin["imputed_words"] < 10
    assert space.origin["imputation_accuracy"]["Concreteness"] > 0.5


SSDD = ["Vision", "Motor", "Socialness", "Emotion", "Time", "Space"]


@pytest.mark.parametrize(
    ("name", "path", "word", "attributes", "n_words"),
    [
        ("ssdd", "ssdd/ratings.csv", "Word", SSDD, 17_940),
        (
            "concepts-zh-attributes",
            "ds004301/derivatives/annotations/semantic feature/feature.csv",
            "word",
            [f"attribute {i}" for i in range(54)],
            672,
        ),
    ],
)
def test_chinese_ratings_in_their_layout_become_features(
    tmp_path, rng, name, path, word, attributes, n_words
):
    """Written here in the layout that the card describes: no file of theirs is on this machine."""
    words = [chr(0x4E00 + i) for i in range(n_words)]
    values = rng.random((n_words, len(attributes))).round(3)
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    table = pd.DataFrame(values, columns=attributes)
    table.insert(0, word, words)
    table.to_csv(file, index=False)
    norm = open_norm(name, tmp_path)
    assert norm.language == "zh"
    space = norm.embed(Stimulus([words[7], words[0], words[7]], "zh"))
    assert list(space.columns) == attributes
    np.testing.assert_array_equal(space.values, values[[7, 0, 7]])
    assert space.origin["coverage"] == 1
    with pytest.raises(ValueError, match="has words in 'zh', the stimulus is in 'en'"):
        norm.embed(Stimulus(["dog"], "en"))


def test_eigenvectors_give_the_similarity_back():
    position = {"a": 0.0, "b": 1.0, "c": 3.0}
    norm = similarity_features(
        list(position),
        lambda a, b: float(np.exp(-abs(position[a] - position[b]))),
        3,
        name="line",
        language="en",
    )
    expected = np.exp(-np.abs(np.subtract.outer([0, 1, 3], [0, 1, 3])))
    np.testing.assert_allclose(norm.values @ norm.values.T, expected, atol=1e-12)
    assert norm.origin["share_of_similarity"] == pytest.approx(1)
    with pytest.raises(ValueError, match="same both ways"):
        similarity_features("ab", lambda a, b: float(a < b), 1, name="x", language="en")
    with pytest.raises(ValueError, match="has 1 positive eigenvalues"):
        similarity_features("ab", lambda a, b: 1.0, 2, name="x", language="en")


SWOW = """participantID,cue,R1,R2,R3
1,dog,cat,bone,No more responses
2,dog,cat,null,NA
3,cat,dog,Unknown word,
4,bone,dog,cat,dog
"""


def test_responses_are_counted_and_null_is_a_word(tmp_path):
    (tmp_path / "swow.csv").write_text(SWOW)
    pairs = read_associations(tmp_path / "swow.csv")
    counts = {(c, r): n for c, r, n in pairs.itertuples(index=False)}
    assert counts == {
        ("dog", "cat"): 2,
        ("dog", "bone"): 1,
        ("dog", "null"): 1,
        ("cat", "dog"): 1,
        ("bone", "dog"): 2,
        ("bone", "cat"): 1,
    }


def test_strength_files_are_read(tmp_path):
    (tmp_path / "s.csv").write_text("cue\tresponse\tR1\tN\tR1.Strength\n狗\t猫\t20\t100\t0.2\n")
    assert read_associations(tmp_path / "s.csv").to_numpy().tolist() == [["狗", "猫", 20.0]]
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorruptDataError, match="has no column 'cue'"):
        read_associations(tmp_path / "x.csv")


def test_ppmi_by_hand():
    from scipy import sparse

    found = ppmi(sparse.csr_array(np.array([[3.0, 1], [0, 4]]))).toarray()
    # p(1,1) = 3/8, p(cue 1) = 1/2, p(response 1) = 3/8
    np.testing.assert_allclose(found, [[1, 0], [0, np.log2(8 / 5)]])


def test_random_walk_on_a_ring_by_hand():
    """From a word of a ring of three, the next ones are reached with 1, 0.9, 0.81 (/ 0.271)."""
    from scipy import sparse

    ring = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    row = np.array([1, 0.9, 0.81]) / (1 - 0.9**3)
    G = np.array([row, np.roll(row, 1), np.roll(row, 2)])
    expected = np.maximum(np.log2(G / row.sum() * 3), 0)
    np.testing.assert_allclose(random_walk_similarity(2 * ring, 0.9), expected, atol=1e-12)
    assert (ppmi(sparse.csr_array(G)).toarray() >= 0).all()
    with pytest.raises(ValueError, match="have no responses"):
        random_walk_similarity(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="between 0 and 1"):
        random_walk_similarity(ring, 1.0)


@pytest.mark.parametrize("walk", [None, 0.75])
def test_associations_tell_two_clusters_apart(rng, walk):
    rows = []
    for cluster in ("a", "b"):
        members = [f"{cluster}{i}" for i in range(8)]
        rows += [(c, r, 5.0) for c in members for r in members if c != r]
    rows += [("a0", "b0", 1.0), ("b0", "a0", 1.0)]
    pairs = pd.DataFrame(rows, columns=["cue", "response", "count"])
    norm = association_norm(pairs, "en", 3, walk=walk)
    cosine = np.corrcoef(norm.values)
    same = np.equal.outer(*[[word[0] for word in norm.words]] * 2)
    assert cosine[same & ~np.eye(16, dtype=bool)].mean() > cosine[~same].mean() + 0.5
    with pytest.raises(ValueError, match="choose from 1 to 15"):
        association_norm(pairs, "en", 16, walk=walk)
