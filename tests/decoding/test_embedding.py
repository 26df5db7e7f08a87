import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from brainlm import RidgeEncoder
from brainlm.decoding._contrastive import Batches, Training, info_nce, train_mapper
from brainlm.decoding.embedding import EmbeddingDecoder, responses_after, score_mapping
from brainlm.decoding.names import MAPPERS
from brainlm.errors import UnknownNameError
from brainlm.stats.identification import top_k_accuracy

FAST = Training(epochs=40, patience=10, batch=64, rate=3e-3, width=32, n_layers=1, masking=0.2)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((900, 6)).astype(np.float32)
    X = Y @ rng.standard_normal((6, 24)).astype(np.float32)
    X += 0.1 * rng.standard_normal(X.shape).astype(np.float32)
    return X, 3 * Y + 5, np.repeat(["a", "b", "c"], 300)


@parametrize_with_checks([EmbeddingDecoder()])
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("mapper", MAPPERS)
def test_planted_embeddings_are_decoded_and_noise_is_not(data, mapper):
    X, Y, runs = data
    fit, test = runs != "c", runs == "c"
    decoder = EmbeddingDecoder(mapper, n_lags=4, settings=FAST).fit(X[fit], Y[fit], runs[fit])
    scores = score_mapping(decoder.predict(X[test]), Y[test], Y[fit].mean(axis=0))
    assert scores.r.mean() > 0.9
    assert scores.cosine > 0.9
    assert scores.pairwise > 0.97
    assert scores.rank > 0.97
    assert scores.top_1 > (0.9 if mapper == "ridge" else 0.4)
    slope = np.polyfit(decoder.predict(X[test])[:, 0], Y[test][:, 0], 1)
    assert slope[0] == pytest.approx(1, abs=0.25)  # in the units of the targets
    noise = np.random.default_rng(1).standard_normal(X.shape).astype(np.float32)
    decoder = EmbeddingDecoder(mapper, n_lags=4, settings=FAST).fit(noise[fit], Y[fit], runs[fit])
    scores = score_mapping(decoder.predict(noise[test]), Y[test], Y[fit].mean(axis=0))
    assert abs(scores.r.mean()) < 0.1
    assert abs(scores.pairwise - 0.5) < 0.1


def test_ridge_mapper_is_the_ridge_encoder_turned_round(data):
    X, Y, runs = data
    own = EmbeddingDecoder(cv=4).fit(X, Y, runs).predict(X)
    np.testing.assert_allclose(own, RidgeEncoder(cv=4).fit(X, Y).predict(X))


@pytest.mark.long
def test_training_is_deterministic_and_resumes_exactly(data, tmp_path):
    X, Y, runs = data
    z = ((Y - Y.mean(0)) / Y.std(0)).astype(np.float32)
    parts = [
        Batches(X[rows], z[rows], runs[rows], np.flatnonzero(rows))
        for rows in (runs != "c", runs == "c")
    ]
    settings = Training(epochs=6, batch=64, width=16, n_layers=1, rate=1e-3)

    def weights(**options):
        network = train_mapper(
            "transformer", *parts, n_lags=2, settings=settings, seed=3, **options
        )
        return torch.cat([v.flatten() for v in network.state_dict().values()])

    whole = weights()
    torch.testing.assert_close(weights(), whole, rtol=0, atol=0)
    weights(checkpoint=tmp_path, stop_after=2)
    torch.testing.assert_close(weights(checkpoint=tmp_path), whole, rtol=0, atol=0)
    (saved,) = tmp_path.glob("*.part")
    other = train_mapper(
        "transformer", *parts, n_lags=2, settings=settings, seed=4, checkpoint=tmp_path
    )
    assert not torch.equal(torch.cat([v.flatten() for v in other.state_dict().values()]), whole)
    assert len(list(tmp_path.glob("*.part"))) == 2  # of other settings: a file of its own
    saved.write_bytes(b"broken")
    with pytest.warns(UserWarning, match="computed again"):
        torch.testing.assert_close(weights(checkpoint=tmp_path), whole, rtol=0, atol=0)


def test_info_nce_by_hand_leaves_neighbours_out():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 4, 3))
    near = np.zeros((4, 4), dtype=bool)
    near[0, 1] = near[1, 0] = True
    np.fill_diagonal(near, True)
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b)]
    s = np.exp(unit[0] @ unit[1].T / 0.2)
    s[0, 1] = s[1, 0] = 0
    expected = -0.5 * np.mean(np.log(np.diag(s) / s.sum(1)) + np.log(np.diag(s) / s.sum(0)))
    found = info_nce(*map(torch.from_numpy, (a, b, near)), torch.tensor(np.log(0.2)))
    assert float(found) == pytest.approx(expected)


def test_lags_look_ahead_inside_the_run():
    Y = np.arange(10.0)[:, None] * [1, 10]
    X, rows = responses_after(Y, (1, 2))
    assert rows.tolist() == list(range(-1, 8))
    np.testing.assert_array_equal(X[3], [3, 30, 4, 40])
    with pytest.raises(ValueError, match="too few for lags"):
        responses_after(Y[:3], (1, 2, 3, 4))


def test_top_k_by_hand():
    similarity = np.array([[0.9, 0.5, 0.1], [0.4, 0.3, 0.2], [0.8, 0.0, 0.7]])
    assert top_k_accuracy(similarity, 1) == pytest.approx(1 / 3)
    assert top_k_accuracy(similarity, 2) == 1
    with pytest.raises(ValueError, match="k must lie between 1 and 3"):
        top_k_accuracy(similarity, 4)


def test_bad_settings_are_refused(data):
    X, Y, runs = data
    with pytest.raises(UnknownNameError, match="ridge, linear-contrastive, transformer"):
        EmbeddingDecoder("lasso").fit(X, Y)
    with pytest.raises(ValueError, match="24 columns, which are not 5 equal lags"):
        EmbeddingDecoder(n_lags=5).fit(X, Y)
    with pytest.raises(UnknownNameError, match="held-out run 'd'"):
        EmbeddingDecoder("transformer", held_out="d").fit(X, Y, runs)
    with pytest.raises(ValueError, match="masking"):
        Training(masking=1)
