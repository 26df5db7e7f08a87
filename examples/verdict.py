"""
What does the model explain beyond what is trivial?
===================================================

Brains follow the length of words, how often they occur, and how many of them there are, and so does
every model that reads words. Here a story is made whose responses follow the word length and,
in some regions, one layer of a model. The verdict compares the model with controls it was added to,
with an untrained twin of itself, and with random vectors of its geometry.

With a language model the layers are ``LanguageModel("smollm2").embed(stimulus)`` and the twin is
``LanguageModel("smollm2", untrained=0)``: the same architecture and tokenizer without training.
"""

import matplotlib.pyplot as plt
import numpy as np

from brainlm import (
    ContiguousBlocks,
    Features,
    Recording,
    StackedEncoder,
    Stimulus,
    cross_validate,
    encode,
    with_baselines,
    word_length,
)
from brainlm.comparison.verdict import verdict, verdict_sentence
from brainlm.encoding.block_scaler import ridge_of_blocks
from brainlm.plotting import plot_verdict

rng = np.random.default_rng(0)
alphabet = list("abcdefghijklmno")
types = ["".join(rng.choice(alphabet, rng.integers(2, 10))) for _ in range(200)]
words = [types[i] for i in rng.integers(0, 200, 800)]
items = [str(i) for i in range(len(words))]
stimulus = Stimulus(words, "en", item=items)
_, number = np.unique(words, return_inverse=True)


def vectors(name, layer, model):
    """A vector for each kind of word, as of an embedding."""
    values = rng.standard_normal((number.max() + 1, 20))[number]
    return Features(name, values, stimulus, origin={"layer": layer, "model": model})


layers = [vectors(f"layer {k}", k, "model") for k in range(3)]
twin = [vectors(f"untrained layer {k}", k, "model (untrained 0)") for k in range(3)]
length = word_length(stimulus)

noise = 2 * rng.standard_normal((len(words), 4))
follows_meaning = np.zeros((len(words), 4))
follows_meaning[:, :2] = layers[1].values[:, :2]
follows_meaning[:, 1] += layers[2].values[:, 1]  # the second region follows two layers
responses = 0.5 * length.values + 2.5 * follows_meaning + noise
regions = ["IFG", "STG", "visual", "motor"]
recording = Recording(responses, regions, "fmri", "a.u.", items=items)

# %%
# Everything is scored on the same folds: each layer alone, with the controls added, its untrained
# twin, random vectors, and the controls alone.

spaces = with_baselines(layers, untrained=twin, added=[length])
split = ContiguousBlocks(6)
result = encode(spaces, recording, split, {"ridge": ridge_of_blocks})
table = verdict(result)
columns = ["reference", "comparison", "gain", "low", "high", "q", "verdict"]
print(table[columns].round(3).to_string(index=False))
print(verdict_sentence(table, "the model"))

# %%
# Each gain has two p values, and the larger one counts. Over folds, it holds for new words; against
# the model with its vectors shuffled between kinds of words, it is more than the accident by which
# frequent words lie close together or far apart.

fig, ax = plt.subplots(figsize=(5.5, 2.4), layout="constrained")
plot_verdict(table, ax)
plt.show()

# %%
# A model that knows nothing
# --------------------------
# The same responses, and a model whose layers have nothing to do with them.

nothing = [vectors(f"layer {k}", k, "nothing") for k in range(3)]
empty = with_baselines(nothing, untrained=twin, added=[length])
found = verdict(encode(empty, recording, split, {"ridge": ridge_of_blocks}))
print("empty model:", found["verdict"].tolist())

# %%
# Several layers together
# -----------------------
# Stacking gives each region its own mixture of layers, learned inside the training folds. What it
# gains over the best single layer is again a held-out score.

X = np.hstack([layer.values for layer in layers])
sizes = [layer.n_features for layer in layers]
for weights in ("stacked", "best"):
    encoder = StackedEncoder(sizes, weights=weights)
    scores = cross_validate(encoder, X, responses, split, targets=regions)
    print(f"{weights:8s}", dict(zip(regions, scores.mean.round(2).tolist(), strict=True)))
