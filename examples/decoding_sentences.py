"""
Which sentence was it? Decoding, chance, and a null
===================================================

A decoder maps brain patterns to sentence embeddings. 2v2 accuracy asks whether two decoded patterns
lie nearer to their own sentences than to each other's; chance is .5. A permutation null fits the
decoder again to sentences that are paired with the wrong patterns.
"""

import matplotlib.pyplot as plt
import numpy as np

from brainlm import ContiguousBlocks, RidgeEncoder, cross_validate
from brainlm.stats.identification import pairwise_accuracy, pattern_correlations, rank_accuracy
from brainlm.stats.permutation import permutation_p

rng = np.random.default_rng(0)
embeddings = rng.standard_normal((120, 50))
brain = embeddings @ rng.standard_normal((50, 300)) + 25 * rng.standard_normal((120, 300))
folds = ContiguousBlocks(6)


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
null = np.array([accuracy(rng.permutation(embeddings)) for _ in range(50)])
p = permutation_p(observed, null)
for name, value, chance, level in zip(["2v2", "rank"], observed, null.mean(axis=0), p, strict=True):
    print(f"{name} accuracy {value:.3f}, null {chance:.3f}, p = {level:.3f}")

fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.hist(null[:, 0], bins=12, color="0.7", label="50 permutations, refitted")
ax.axvline(observed[0], color="C1", label="observed")
ax.set(xlabel="2v2 accuracy (120 sentences, 6 folds)", ylabel="permutations")
ax.legend()
