"""
Inside a model
==============

Hidden states are what a block leaves behind. Inside it, attention and the feed-forward part each
add something to the residual, and among the units of all layers a few respond to language more than
the rest, as some voxels do. Here both are turned into feature spaces. The responses are simulated,
so that the right answer is known; the model is real (``brainlm fetch smollm2``).
"""

import matplotlib.pyplot as plt
import numpy as np

from brainlm import ContiguousBlocks, LanguageModel, Recording, RidgeEncoder, Stimulus, encode
from brainlm.features.language_units import language_units, random_units, scramble_letters

rng = np.random.default_rng(0)
model = LanguageModel("smollm2", dtype="auto")
NOUNS = "baker postman teacher doctor child farmer singer neighbour sailor painter"
THINGS = "letter song garden boat window story bread river lamp picture"
VERBS = "found painted remembered carried sold opened forgot described"
ENDS = ["before the rain began", "when nobody was looking", "because it was late", "in the morning"]


def sentence():
    """A sentence of words at random, such as 'The old baker sold the boat in the morning.'"""
    who, what, did = (str(rng.choice(words.split())) for words in (NOUNS, THINGS, VERBS))
    end = str(rng.choice(ENDS))
    return f"The {rng.choice(['old', 'young', 'tired'])} {who} {did} the {what} {end}."


def texts(sentences):
    """Every sentence is one text; every word is one item."""
    words = [word for each in sentences for word in each.split()]
    labels = [f"sentence {k}" for k, each in enumerate(sentences) for _ in each.split()]
    return Stimulus(words, "en", text=labels, item=[str(k) for k in range(len(words))])


sentences = [sentence() for _ in range(40)]
story = texts(sentences)

# %%
# Sites inside a block
# --------------------
# Three sites of the block that computes layer 12, and the layer itself. One region follows what
# attention adds, another what the feed-forward part adds.

sites = ["12.attn_out", "12.mlp_out", "12.resid_mid", 12]
found = model.embed(story, sites, context="sentence")
spaces = {str(site): each.values for site, each in zip(sites, found, strict=True)}


def follows(values):
    """Two voxels that mix forty components of a space alike, in noise half as strong."""
    z = (values - values.mean(axis=0)) / values.std(axis=0)
    left, _, _ = np.linalg.svd(z, full_matrices=False)
    signal = left[:, :40] @ rng.standard_normal((40, 2))
    return signal / signal.std(axis=0) + 0.5 * rng.standard_normal((len(z), 2))


regions = {"attention": spaces["12.attn_out"], "feed-forward": spaces["12.mlp_out"]}
data = np.hstack([follows(values) for values in regions.values()])
names = [f"{region} {k}" for region in regions for k in (1, 2)]
responses = Recording(data, names, "fmri", "z", items=story.item)
split, ridge = ContiguousBlocks(5, gap=5), {"ridge": RidgeEncoder(warn_edge=False)}
scores = encode(spaces, responses, split, ridge).scores["score"].isel(analysis=0).mean("fold")
table = scores.values.reshape(len(sites), 2, 2).mean(axis=2)
for site, row in zip(sites, table, strict=True):
    print(f"{site!s:12} attention region r = {row[0]:.2f}, feed-forward region r = {row[1]:.2f}")

# %%
# The region's own site predicts it best. The residual and the layer hold both, in other
# proportions, so a curve over layers alone would not tell the two regions apart.
#
# Language units
# --------------
# The localiser of language regions, for a model: units whose activation differs most between
# sentences and the same letters shuffled. Half of the sentences localise, the other half test.

LAYERS = list(range(2, model.n_layers + 1, 2))


def activations(stimulus):
    """One row per sentence, of every second layer."""
    return model.embed(stimulus, LAYERS, level="sentence")


first, second = texts(sentences[::2]), texts(sentences[1::2])
real, false = activations(first), activations(scramble_letters(first))
units = language_units(real, false, share=0.01)
drawn = random_units(real, share=0.01)
held_out = activations(second), activations(scramble_letters(second))


def preference(some):
    """Difference of magnitudes of held-out sentences and non-words, in standard deviations."""
    a, b = (np.abs(some.select(each).values) for each in held_out)
    return (a.mean(axis=0) - b.mean(axis=0)) / np.vstack([a, b]).std(axis=0)


for name, some in {"language units": units, "random units": drawn}.items():
    print(f"{name:15} prefer held-out sentences by {np.median(preference(some)):.2f} sd")

# %%
# Left, the score of each site in both regions; middle, where the language units of the model are;
# right, how much they and as many random units prefer sentences that the localiser has not seen.

fig, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
place = np.arange(len(sites))
for k, region in enumerate(regions):
    left.bar(place + 0.4 * k - 0.2, table[:, k], 0.4, label=f"{region} region")
left.set_xticks(place, [str(site) for site in sites], rotation=30)
left.set_ylabel("held-out r")
left.set_ylim(0, 1.25)
left.legend(fontsize=7)
middle.hist(np.array(LAYERS)[units.layer], bins=np.arange(1, model.n_layers + 2, 2), color="C0")
middle.set_xlabel("layer")
middle.set_ylabel("language units")
bins = np.linspace(-2, 2, 41)
for name, some, colour in (("language units", units, "C0"), ("random units", drawn, "0.6")):
    right.hist(preference(some), bins=bins, alpha=0.7, color=colour, label=name)
right.axvline(0, color="black", lw=0.5)
right.set_xlabel("preference for sentences (sd)")
right.legend(fontsize=7)
plt.show()
