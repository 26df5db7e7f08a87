"""
A first encoding score
======================

Ten lines on arrays: which responses do these features predict? The responses are simulated, so the
answer is known: half of them follow the features with a delay of two samples, half are noise.
"""

import matplotlib.pyplot as plt
import numpy as np

from brainlm import ContiguousBlocks, RidgeEncoder, cross_validate, delay

rng = np.random.default_rng(0)
features = rng.standard_normal((600, 20))
responses = rng.standard_normal((600, 50))
responses[2:, :25] += features[:-2] @ rng.standard_normal((20, 25)) / 4

# %%
# Delayed copies of the features side by side, contiguous folds with a gap of the longest delay, one
# penalty per target chosen in inner folds.

X = delay(features, delays=[1, 2, 3])
scores = cross_validate(RidgeEncoder(warn_edge=False), X, responses, ContiguousBlocks(5, gap=3))
print(f"held-out r {scores.mean.mean():.2f} on average, {scores.mean.max():.2f} at best")

# %%
# Which delay carries the weight?

encoder = RidgeEncoder(warn_edge=False).fit(X, responses[:, :25])
size = np.abs(encoder.coef_per_delay(3)).mean(axis=(1, 2))
print({f"{k} samples": round(float(w), 3) for k, w in zip([1, 2, 3], size, strict=True)})

# %%
# The score is a correlation on samples that were never trained on. Noise scores 0, not less.

fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.hist(scores.mean[:25], bins=15, label="follow the features")
ax.hist(scores.mean[25:], bins=15, label="noise")
ax.set(xlabel="held-out r (mean of 5 folds)", ylabel="targets (of 25 each)")
ax.legend()
