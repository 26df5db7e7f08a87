"""
Which sentence was it? Decoding, chance, and a null
===================================================

A decoder maps brain patterns to sentence embeddings. 2v2 accuracy asks whether two decoded patterns
lie nearer to their own sentences than to each other's; chance is .5. The null fits the decoder
again to sentences that are paired with the wrong patterns.

The patterns are those that the sentences of Pereira et al. (2018) evoked in one reader, the
embeddings mean vectors of their words. Without the data the patterns are simulated.
"""

import matplotlib.pyplot as plt
import numpy as np

from brainlm import ContiguousBlocks, RidgeEncoder, align, cross_validate, open_dataset
from brainlm.errors import DataMissingError
from brainlm.language_models.word_vectors import StaticVectors
from brainlm.stats.identification import pairwise_accuracy, pattern_correlations, rank_accuracy
from brainlm.stats.permutation import permutation_p

rng = np.random.default_rng(0)
try:
    stimulus, recording = open_dataset("pereira2018")
    (vectors,) = StaticVectors("glove-6b-50d", missing="drop").embed(stimulus)
    embeddings = align(vectors, recording).X  # the mean over the words of a sentence
    brain = recording.data
    print(f"{len(brain)} sentences of Pereira et al. 2018")
except DataMissingError:
    embeddings = rng.standard_normal((200, 50))
    brain = embeddings @ rng.standard_normal((50, 200)) + 25 * rng.standard_normal((200, 200))
    print("pereira2018 or glove-6b-50d is not on this machine: what follows is simulated")

# %%
# Neighbouring sentences are about one topic and alike. So test blocks are contiguous with a gap of
# 8 sentences, and the null shifts the sentences against the patterns: neighbours stay neighbours.

folds = ContiguousBlocks(6, gap=8)


def accuracy(targets):
    """2v2 and rank accuracy, each inside its test fold, averaged over folds."""
    decoded = cross_validate(
        RidgeEncoder(alpha_per="all", warn_edge=False), brain, targets, folds, keep_predictions=True
    ).predictions
    found = []
    for train, test in folds.split(brain):
        mean = targets[train].mean(axis=0)
        similarity = pattern_correlations(decoded[test] - mean, targets[test] - mean)
        found.append((pairwise_accuracy(similarity), rank_accuracy(similarity).mean()))
    return np.mean(found, axis=0)


observed = accuracy(embeddings)
shifts = rng.integers(20, len(brain) - 20, 20)
null = np.array([accuracy(np.roll(embeddings, shift, axis=0)) for shift in shifts])
p = permutation_p(observed, null)
for name, value, chance, level in zip(["2v2", "rank"], observed, null.mean(axis=0), p, strict=True):
    print(f"{name} accuracy {value:.3f}, null {chance:.3f}, p = {level:.3f}")

fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.hist(null[:, 0], bins=12, color="0.7", label="20 shifts, refitted")
ax.axvline(observed[0], color="C1", label="observed")
ax.set(xlabel=f"2v2 accuracy ({len(brain)} sentences, 6 folds)", ylabel="shifts")
ax.legend()
