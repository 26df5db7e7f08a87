"""
Similarity encoding and its trap
================================

Similarity encoding predicts the response to a word from the responses to similar words; nothing is
fitted. Upper layers of many language models are anisotropic: all words resemble each other. The
published form then scores far below zero whatever the embeddings know. Centring mends it, and
random embeddings of the same geometry show it.
"""

import matplotlib.pyplot as plt
import numpy as np

from brainlm.encoding.similarity import leave_one_out_scores

rng = np.random.default_rng(0)
meaning = rng.standard_normal((400, 60))
responses = meaning @ rng.standard_normal((60, 10)) + 4 * rng.standard_normal((400, 10))
random = rng.standard_normal((400, 60))
shift = rng.standard_normal(60)

# %%
# The same vector is added to every word, more and more of it. The mean similarity of two words
# rises to 1; what the embeddings know about the responses stays the same.

sizes = np.linspace(0, 4, 9)
curves = {
    (label, center): [
        leave_one_out_scores(X + size * shift, responses, center=center).mean() for size in sizes
    ]
    for label, X in {"informative": meaning, "random": random}.items()
    for center in (False, True)
}
similarity = [np.corrcoef(random + size * shift)[np.triu_indices(400, 1)].mean() for size in sizes]

fig, ax = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
for (label, center), curve in curves.items():
    form = "centred" if center else "published form"
    ax.plot(similarity, curve, marker="o", ls="-" if center else "--", label=f"{label}, {form}")
ax.axhline(0, color="0.6", lw=0.8)
ax.set(xlabel="mean similarity of two words", ylabel="leave-one-out r (10 targets)")
ax.legend(fontsize="small")
