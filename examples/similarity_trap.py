"""
Similarity encoding and its trap
================================

Similarity encoding predicts the response to a word from the responses to similar words; nothing is
fitted. Upper layers of many language models are anisotropic: all words resemble each other. The
published form of the method then scores low or far below zero, whatever the embeddings hold.
Centring the columns of the embeddings solves this.

The responses are ratings of 534 English words on experiential attributes (Binder et al. 2016), and
the embeddings are GloVe vectors. Without the data both are simulated.
"""

import matplotlib.pyplot as plt
import numpy as np

from brainlm import align, open_dataset
from brainlm.encoding.similarity import leave_one_out_scores
from brainlm.errors import DataMissingError
from brainlm.language_models.word_vectors import StaticVectors

rng = np.random.default_rng(0)
try:
    words, ratings = open_dataset("binder-en")
    (vectors,) = StaticVectors("glove-6b-50d", missing="drop").embed(words)
    embeddings, rated, _ = align(vectors, ratings)
    responses = rated[:, ~np.isnan(rated).any(axis=0)]
    print(f"{len(responses)} words, {responses.shape[1]} attributes without missing ratings")
except DataMissingError:
    embeddings = rng.standard_normal((400, 60))
    responses = embeddings @ rng.standard_normal((60, 10)) + 4 * rng.standard_normal((400, 10))
    print("binder-en or glove-6b-50d is not on this machine: what follows is simulated")
embeddings = embeddings / embeddings.std(axis=0).mean()
random = rng.standard_normal(embeddings.shape)
shift = rng.standard_normal(embeddings.shape[1])

# %%
# The same vector is added to every word, more and more of it. The mean similarity of two words
# rises towards 1. The differences between words do not change, and the embeddings hold as much
# about the responses as before.

sizes = np.linspace(0, 6, 9)
spaces = {"word embeddings": embeddings, "random vectors": random}
curves = {
    (name, center): [
        leave_one_out_scores(X + size * shift, responses, center=center).mean() for size in sizes
    ]
    for name, X in spaces.items()
    for center in (False, True)
}
pairs = np.triu_indices(len(random), 1)
similarity = {
    name: [np.corrcoef(X + size * shift)[pairs].mean() for size in sizes]
    for name, X in spaces.items()
}
for (name, center), curve in curves.items():
    form = "centred" if center else "published form"
    print(f"{name:16s} {form:15s} r = {curve[0]:+.2f} without the shift, {curve[-1]:+.2f} with it")

# %%
# Centred, both scores stay where they were: high for the embeddings, about 0 for random vectors. In
# the published form they fall, those of random vectors to nearly -1. When all words are alike, the
# prediction for a word is the mean of all other responses, which is low just where the word's own
# response is high.

fig, ax = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
for (name, center), curve in curves.items():
    ax.plot(
        similarity[name],
        curve,
        marker="o",
        color="C0" if name == "word embeddings" else "0.5",
        ls="-" if center else "--",
        label=f"{name}, {'centred' if center else 'published form'}",
    )
ax.axhline(0, color="0.6", lw=0.8)
ax.set(
    xlabel="mean similarity of two words",
    ylabel=f"leave-one-out r\n(mean of {responses.shape[1]} targets)",
)
ax.legend(fontsize="small")
