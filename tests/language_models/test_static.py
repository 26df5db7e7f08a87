import json

import numpy as np
import pytest

from brainlm.comparison.feature_spaces import model_space
from brainlm.comparison.layer_scores import static_of
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.language_models import LanguageModel
from brainlm.language_models.sources import is_cached
from brainlm.language_models.word_vectors import StaticVectors, is_static

TABLE = """the 1 0
dog 2 0
The 3 0
dog 9 9
, 4 0
it's 5 0
u.s. 6 0
paris 7 0
"""


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "tiny.txt"
    path.write_text(TABLE)
    return LanguageModel(path)


def values(vectors, words):
    (space,) = vectors.embed(Stimulus(words, "en"))
    return space.values[:, 0].tolist(), space


def test_look_up_goes_from_exact_to_bare(vectors):
    found, space = values(vectors, ["The", "the", "Dog", "dog,", ",", "“Paris!”", "It's", "U.S."])
    assert found == [3, 1, 2, 2, 4, 7, 5, 6]
    assert space.origin["look_up"] == {
        "exact": 3,
        "lower case": 3,
        "punctuation stripped": 1,
        "both": 1,
    }


def test_the_full_stop_of_a_sentence_is_not_looked_up_with_its_last_word(tmp_path):
    path = tmp_path / "stops.txt"
    path.write_text("me. 1 0\nme 2 0\nmr. 3 0\n. 4 0\n")
    found, _ = values(LanguageModel(path), ["me.", "mr.", "me."])
    assert found == [1, 3, 2]  # only the last one ends the sentence
    assert values(LanguageModel(path), ["me", "."])[0] == [2, 4]
    assert values(LanguageModel(path), ["me."])[0] == [1]  # isolated, as it is written


def test_first_of_equal_words_counts(vectors):
    assert values(vectors, ["dog"])[0] == [2]


def test_language_model_of_a_file_is_static_vectors(vectors, tmp_path):
    assert isinstance(vectors, StaticVectors)
    assert is_static(tmp_path / "tiny.txt")
    assert is_static("glove-6b-50d")
    assert not is_static("minilm")
    assert (vectors.kind, vectors.n_layers, vectors.n_features) == ("static", 0, 2)
    assert vectors.n_words == 7
    assert repr(vectors).startswith("StaticVectors('tiny.txt', static, 0 layers x 2")


def test_vectors_in_the_other_chinese_script_are_refused(tmp_path):
    path = tmp_path / "zh.txt"
    path.write_text("汉语 1 0\n电脑 2 0\n羊 3 0\n", encoding="utf-8")
    vectors = LanguageModel(path)
    with pytest.raises(ValueError, match=r"in traditional characters, zh\.txt in simplified"):
        vectors.embed(Stimulus(["電腦"], "zh"))
    assert vectors.covers(Stimulus(["电脑", "狗"], "zh")).tolist() == [True, False]


def test_options_of_language_models_are_taken(tmp_path, vectors):
    assert LanguageModel(tmp_path / "tiny.txt", device="cpu", dtype="bfloat16").dtype == "float32"
    with pytest.raises(TypeError, match="dvice"):
        LanguageModel(tmp_path / "tiny.txt", dvice="cpu")


def test_vectors_survive_pickling(vectors):
    import pickle

    assert values(pickle.loads(pickle.dumps(vectors)), ["dog"])[0] == [2]


def test_origin_says_what_was_looked_up_where(vectors):
    _, space = values(vectors, ["the", "dog"])
    origin = json.loads(json.dumps(dict(space.origin)))
    assert origin["model"] == "tiny.txt"
    assert len(origin["revision"]) == 64
    assert (origin["context"], origin["layer"]) == ("none", 0)
    assert space.name == "layer 0"


def test_word_without_vector_is_an_error_that_names_it(vectors):
    stimulus = Stimulus(["the", "zebra", "dog", "quagga", "zebra"], "en")
    with pytest.raises(
        ValueError, match=r"3 of 5 words have no vector .*'zebra', 'quagga'.*missing='drop'"
    ):
        vectors.embed(stimulus)
    assert vectors.covers(stimulus).tolist() == [True, False, True, False, False]
    kept = stimulus.select(vectors.covers(stimulus))
    assert vectors.embed(kept)[0].values[:, 0].tolist() == [1, 2]


def test_sentences_are_means_of_words(vectors):
    stimulus = Stimulus(["the", "dog", "paris"], "en", sentence=["a", "a", "b"])
    (space,) = vectors.embed(stimulus, level="sentence")
    assert space.stimulus is None
    assert space.values[:, 0].tolist() == [1.5, 7]
    texts = Stimulus(stimulus.words, "en", text=["x", "y", "y"])
    (space,) = vectors.embed(texts, level="text", context="document")
    assert space.values[:, 0].tolist() == [1, 4.5]


def test_interface_is_that_of_a_language_model(vectors):
    stimulus = Stimulus(["the", "dog"], "en")
    for layers in ("all", 0, -1, [0]):
        for context in ("none", "sentence", 256):
            assert len(vectors.embed(stimulus, layers, context=context, pooling="mean")) == 1
    with pytest.raises(UnknownNameError, match="unknown layer 1"):
        vectors.embed(stimulus, 1)
    with pytest.raises(UnknownNameError, match="unknown context"):
        vectors.embed(stimulus, context="page")


def test_table_whose_words_and_rows_differ_is_refused(tmp_path):
    import pyarrow
    import pyarrow.parquet

    from brainlm.language_models.word_vectors import _read_shipped

    np.save(tmp_path / "vectors.npy", np.zeros((3, 2), dtype=np.float32))
    pyarrow.parquet.write_table(pyarrow.table({"index": ["a", "b"]}), tmp_path / "words.parquet")
    with pytest.raises(CorruptDataError, match=r"has 2 words, vectors\.npy the shape \(3, 2\)"):
        _read_shipped(tmp_path)


def test_pickled_array_is_refused(tmp_path):
    from brainlm.language_models.word_vectors import _read_shipped

    np.save(tmp_path / "vectors.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "words.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="allow_pickle"):
        _read_shipped(tmp_path)


def test_glove_knows_its_neighbours():
    if not is_cached("glove-6b-50d"):
        pytest.skip("GloVe is not in the cache: run fetch_model('glove-6b-50d')")
    vectors = LanguageModel("glove-6b-50d")
    assert (vectors.n_words, vectors.n_features) == (400_000, 50)
    assert values(vectors, ["the"])[1].values[0, 0] == pytest.approx(0.418)
    (space,) = vectors.embed(Stimulus(["king", "queen", "cabbage"], "en"))
    similarity = np.corrcoef(space.values)
    assert similarity[0, 1] > similarity[0, 2] + 0.3


PARTS = "do 1 0\nn't 3 0\ncan 5 0\nlong 2 0\nterm 4 0\n's 8 0\nit 6 0\nit's 9 9\n"


def test_words_without_a_vector_by_their_parts_or_left_out(tmp_path):
    path = tmp_path / "parts.txt"
    path.write_text(PARTS)
    words = ["Don’t", "can't", "long-term", "it's"]
    by_parts = LanguageModel(path, missing="parts")
    found, space = values(by_parts, words)
    assert found == [2, 4, 3, 9]
    assert space.origin["look_up"]["parts"] == 3
    assert space.origin["coverage"] == 1
    mixed = Stimulus(["do", "qzx", "don't"], "en")
    with pytest.raises(ValueError, match=r"1 of 3 words have no vector.*missing='drop'"):
        by_parts.embed(mixed)
    assert by_parts.covers(mixed).tolist() == [True, False, True]
    (left,) = LanguageModel(path, missing="drop").embed(mixed)
    assert left.stimulus.words.tolist() == ["do"]
    assert left.origin["coverage"] == pytest.approx(1 / 3)
    assert LanguageModel(path).identity != by_parts.identity
    with pytest.raises(UnknownNameError, match="zeros"):
        LanguageModel(path, missing="zeros")


def test_input_embeddings_stand_for_vectors_that_a_language_does_not_have(llama_folder):
    source = model_space(str(llama_folder), ("da",))
    static = static_of("da", [source])
    assert (static.family, static.n_layers) == ("static", 0)
    words = Stimulus(["the", "dog", "the", "dog"], "da", sentence=["a", "a", "a", "a"])
    (found,) = static.embed(words, np.ones(4, dtype=bool), "sentence")
    np.testing.assert_allclose(found.values[1], found.values[3], rtol=1e-5)  # knows no context
    with pytest.raises(UnknownNameError, match=r"no static vectors for language 'da'.*--models"):
        static_of("da")
