"""
Layer curves
============

Which layer of a model predicts best, and is it the layer, or would anything of its shape do? The
layers are simulated here, so that the answer is known: twelve layers carry a meaning more and
more faintly on either side of layer 7, and the first three carry nothing of it. With a model,
``layers = LanguageModel("smollm2").embed(stimulus)`` gives the same list.
"""

import matplotlib.pyplot as plt
import numpy as np

from brainlm import (
    ContiguousBlocks,
    Features,
    Recording,
    RidgeEncoder,
    Stimulus,
    encode,
    with_baselines,
)
from brainlm.data.recording import side_by_side
from brainlm.plotting import plot_layer_curve

rng = np.random.default_rng(0)
n_words, n_subjects, regions = 400, 6, ["LATL", "LPTL", "LIFG"]
words = [f"word {i}" for i in range(n_words)]
stimulus = Stimulus(words, "en", item=words)
meaning = rng.standard_normal((n_words, 10))
layers = []
for k in range(12):
    share = 0.0 if k < 3 else np.exp(-((k - 7) ** 2) / 12)
    blurred = share * meaning + (1 - share) * rng.standard_normal(meaning.shape)
    values = np.c_[blurred, rng.standard_normal((n_words, 20))]
    values = values @ rng.standard_normal((30, 30)) + 3  # mixed, and all words a little alike
    layers.append(Features(f"layer {k}", values, stimulus, origin={"layer": k}))

weights = rng.standard_normal((10, len(regions)))
shared = meaning @ weights / 3
recordings = [
    Recording(
        shared + 1.5 * rng.standard_normal(shared.shape),
        regions,
        "fmri",
        "a.u.",
        items=words,
        subject=f"s{i + 1}",
    )
    for i in range(n_subjects)
]

# %%
# Every layer is scored, and random embeddings with the geometry of that layer: their score owes
# nothing to meaning. All subjects are targets of one recording, so each layer is fitted once.

result = encode(
    with_baselines(layers),
    side_by_side(recordings),
    ContiguousBlocks(5),
    {"ridge encoding": RidgeEncoder(warn_edge=False)},
    title="Simulated layers",
).with_ceiling()
scores = result.scores
print(result.table().to_string())

# %%
# The band is the 95 % interval over folds: it holds for new stimuli and these subjects, who share
# the stimulus and are not independent samples of it. Layers 6 to 8 differ by less than that, so
# this curve shows a region and no single best layer. The dotted line is the noise ceiling, how well
# the mean of the other subjects predicts this one; five noisy subjects are a low ceiling, which a
# good layer can pass.

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
plot_layer_curve(scores, "ridge encoding", ax)
fig.legend(loc="outside lower center", ncols=3)

# %%
# The best layer of a curve was chosen on the curve, so its height is too good. Chosen on the other
# subjects, it is not.

curve = scores["score"].sel(analysis="ridge encoding")[:12].mean("target").values
print("best layer of the mean curve:", curve.mean(axis=1).argmax())
chosen = [np.delete(curve, i, axis=1).mean(axis=1).argmax() for i in range(n_subjects)]
held_out = [curve[k, i] for i, k in enumerate(chosen)]
print(f"chosen on the others: layers {sorted(set(map(int, chosen)))}, r = {np.mean(held_out):.3f}")
