"""What an EmbeddingDecoder decodes besides hidden states of words: real patterns, other targets."""

import numpy as np
import pytest

from brainlm import LanguageModel, align, open_dataset
from brainlm.datasets.folders import is_on_disk
from brainlm.decoding.embedding import EmbeddingDecoder, score_mapping
from brainlm.encoding.splits import Groups
from brainlm.language_models.sources import is_cached


@pytest.fixture(scope="module")
def patterns():
    if not is_on_disk("pereira2018"):
        pytest.skip("needs the data set pereira2018")
    stimulus, recording = open_dataset("pereira2018")
    topics = np.array([str(item).split("/")[0] for item in recording.items])
    return stimulus, recording, topics


def _need(model):
    if not is_cached(model):
        pytest.skip(f"needs the model {model}: brainlm fetch {model}")
    return LanguageModel(model)


def _sentence_embeddings(stimulus, recording):
    (layer,) = _need("minilm").embed(stimulus, -1, level="sentence")
    return layer.values


def _static_vectors(stimulus, recording):
    glove = _need("glove-6b-50d")
    words = glove.embed(stimulus.select(glove.covers(stimulus)))[0]
    return align(words, recording).X


@pytest.mark.parametrize("target", [_sentence_embeddings, _static_vectors])
def test_sentence_embeddings_and_static_vectors_are_decoded(patterns, target):
    stimulus, recording, topics = patterns
    Y = target(stimulus, recording)
    assert len(Y) == recording.n_samples
    train, test = next(iter(Groups(topics, 4).split(Y)))
    folds = list(Groups(topics[train], 4).split(Y[train]))
    decoder = EmbeddingDecoder(alphas=np.logspace(1, 9, 9), cv=folds, standardize=False)
    orders = {"true": train, "permuted": np.random.default_rng(0).permutation(train)}
    accuracy = {}
    for name, order in orders.items():
        decoder.fit(recording.data[train], Y[order])
        found = score_mapping(
            decoder.predict(recording.data[test]), Y[test], Y[train].mean(axis=0), topics[test]
        )
        accuracy[name] = found.pairwise
    assert accuracy["true"] > 0.75
    assert accuracy["true"] > accuracy["permuted"] + 0.15
