import numpy as np
import pytest

from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.features.baselines import sentence_length, stroke_count
from brainlm.features.geometry import geometry


def test_geometry_by_hand():
    table = geometry([Features("x", np.array([[3.0, 0], [0, 4], [-5, 0], [0, -4]]))])
    row = table.loc["x"]
    assert row["norm"] == 4
    assert row["mean_similarity"] == pytest.approx(2 * (-1 - 1) / 12)
    X = np.array([[3.0, 0], [0, 4], [-5, 0], [0, -4]])
    values = np.linalg.eigvalsh(np.cov(X.T))
    assert row["effective_dimension"] == pytest.approx(values.sum() ** 2 / (values**2).sum())


@pytest.mark.parametrize("shape", [(50, 8), (8, 50)])
def test_mean_similarities_are_those_of_all_pairs(rng, shape):
    X = rng.standard_normal(shape) + 1
    row = geometry([Features("x", X)]).loc["x"]
    pairs = ~np.eye(len(X), dtype=bool)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    assert row["mean_similarity"] == pytest.approx((unit @ unit.T)[pairs].mean())
    assert row["mean_correlation"] == pytest.approx(np.corrcoef(X)[pairs].mean())
    values = np.linalg.eigvalsh(np.cov(X.T))
    assert row["effective_dimension"] == pytest.approx(values.sum() ** 2 / (values**2).sum())


def test_common_vector_makes_anisotropy_and_leaves_the_dimension(rng):
    X = rng.standard_normal((2000, 20))
    table = geometry([Features("isotropic", X), Features("shifted", X + 10)])
    assert abs(table.loc["isotropic", "mean_similarity"]) < 0.01
    assert table.loc["shifted", "mean_similarity"] > 0.95
    dimension = table["effective_dimension"].to_numpy()
    assert dimension[0] == pytest.approx(dimension[1])
    assert table.loc["isotropic", "effective_dimension"] > 19


def test_rows_without_direction_are_refused():
    with pytest.raises(ValueError, match="row 1 is zero or constant"):
        geometry([Features("x", np.array([[1.0, 2], [0, 0]]))])
    with pytest.raises(ValueError, match="row 1 is zero or constant"):
        geometry([Features("x", np.array([[1.0, 2], [3, 3]]))])
    with pytest.raises(ValueError, match="has one row"):
        geometry([Features("x", np.ones((1, 2)))])


def test_sentence_length_and_strokes_by_hand():
    stimulus = Stimulus(["今天", "好", "。", "去"], "zh", sentence=["a", "a", "a", "b"])
    assert sentence_length(stimulus).values.ravel().tolist() == [3, 3, 3, 1]
    strokes = {"今": 4, "天": 4, "好": 6, "去": 5}
    assert stroke_count(stimulus, strokes).values.ravel().tolist() == [8, 6, 0, 5]
    with pytest.raises(ValueError, match="strokes lacks 1 characters: 去"):
        stroke_count(stimulus, {"今": 4, "天": 4, "好": 6})
