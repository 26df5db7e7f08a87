"""
Banded ridge and what each feature space explains alone
=======================================================

Two feature spaces that share something, three kinds of responses. Banded ridge gives each space a
penalty of its own per target; split scores divide the joint R2 between the spaces; variance
partitioning tells what a space explains that the other cannot.
"""

import matplotlib.pyplot as plt
import numpy as np

from brainlm import BandedRidgeEncoder, ContiguousBlocks, partition_variance

rng = np.random.default_rng(0)
common = rng.standard_normal((800, 5))
syntax = np.c_[common, rng.standard_normal((800, 10))]
meaning = np.c_[common, rng.standard_normal((800, 60))]
weights = [rng.standard_normal((10, 20)) / 3, rng.standard_normal((60, 20)) / 8]
noise = rng.standard_normal((800, 60))
responses = (
    noise
    + np.hstack(
        [
            syntax[:, 5:] @ weights[0],  # targets 0-19: what only syntax has
            meaning[:, 5:] @ weights[1],  # targets 20-39: what only meaning has
            common @ rng.standard_normal((5, 20)) / 2,  # targets 40-59: what both have
        ]
    )
)

# %%
# The product measure adds up to the R2 of the joint prediction. What both spaces have, banded ridge
# may give to one of them alone (here the smaller one): a split is not yet a claim about uniqueness.

X = np.c_[syntax, meaning]
train, test = slice(0, 600), slice(620, 800)
encoder = BandedRidgeEncoder([15, 65], warn_edge=False).fit(X[train], responses[train])
split = encoder.split_scores(X[test], responses[test])
groups = {"only syntax": slice(0, 20), "only meaning": slice(20, 40), "both": slice(40, 60)}
fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for number, name in enumerate(["syntax", "meaning"]):
    means = [split[number, own].mean() for own in groups.values()]
    ax.bar(np.arange(3) + 0.35 * number, means, width=0.35, label=name)
ax.set_xticks(np.arange(3) + 0.175, groups)
ax.set(xlabel="what drives the targets", ylabel="share of held-out R2\n(20 targets each)")
ax.legend()

# %%
# Unique and shared variance tell them apart, with everything learned in training folds.

quiet = BandedRidgeEncoder(warn_edge=False)
partition = partition_variance(
    {"syntax": syntax, "meaning": meaning}, responses, ContiguousBlocks(4), encoder=quiet
)
for name, own in groups.items():
    r2 = {" & ".join(part): round(float(v[own].mean()), 3) for part, v in partition.parts.items()}
    print(f"planted: {name:13s}", r2)
