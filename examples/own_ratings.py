"""
Your own ratings
================

From a table with a column of words to a figure of one column: which layers of a language model
predict the ratings, and beyond what? The table is a CSV file with the valence, arousal and
dominance of 400 English words (Warriner et al. 2013; ``brainlm fetch vad minilm``). Without both, a
table and the layers of a model are simulated. With a table of your own, begin at "Look".
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from wordfreq import top_n_list

from brainlm import (
    ContiguousBlocks,
    Features,
    LanguageModel,
    RidgeEncoder,
    encode,
    from_table,
    load_bundle,
    open_dataset,
    with_baselines,
    word_length,
    zipf_frequency,
)
from brainlm.errors import DataMissingError
from brainlm.language_models.sources import is_cached
from brainlm.plotting import draw

rng = np.random.default_rng(0)
folder = Path(tempfile.mkdtemp())
try:
    if not is_cached("minilm"):
        raise DataMissingError("minilm")
    words, ratings = open_dataset("vad")
    some = np.sort(rng.choice(words.n_words, 400, replace=False))
    table = pd.DataFrame(ratings.data[some], columns=ratings.target_names)
    table.insert(0, "word", words.words[some])
    simulated = False
except DataMissingError:
    words = [word for word in top_n_list("en", 600) if word.isalpha()][:400]
    table = pd.DataFrame(rng.normal(5, 1, (400, 2)), columns=["Valence", "Arousal"])
    table.insert(0, "word", words)
    simulated = True
    print("vad or minilm is not on this machine: what follows is simulated")
table.to_csv(folder / "ratings.csv", index=False)

# %%
# Look
# ----
# One column of words, columns of numbers, and any names. Cells without a number are left out and
# counted; a word that comes twice is an error that names the row.

print(pd.read_csv(folder / "ratings.csv", keep_default_na=False).head(4).to_string(index=False))

# %%
# Open
# ----
# Words are put in alphabetical order, so that "happy" and "happiness" are neighbours, which blocks
# of the alphabet keep together. A long table, with a row per word and rater, opens with
# ``subject="rater"``; a column of word families is held out whole with ``group="family"``.

stimulus, ratings = from_table(folder / "ratings.csv", language="en", unit="rating 1-9")
print(f"{stimulus.n_words} words, {ratings.n_targets} ratings: {', '.join(ratings.target_names)}")

# %%
# Embed
# -----
# Words of a list have no context: ``context="none"``. Three layers are enough to see the shape.

if simulated:  # every layer holds the ratings, the second one most clearly
    layers = [
        Features(
            f"layer {k}",
            share * (ratings.data - 5) + rng.standard_normal(ratings.data.shape),
            stimulus,
            origin={"layer": k},
        )
        for k, share in enumerate((0.2, 1.0, 0.4))
    ]
else:
    layers = LanguageModel("minilm").embed(stimulus, layers=[0, 3, 6], context="none")

# %%
# Score
# -----
# Each layer is scored beside random vectors of its geometry, and beside the length and frequency of
# the words, in five blocks of the alphabet with a gap. The last line is the one to report: the
# layer of each fold was chosen on the other folds.

result = encode(
    with_baselines(layers, references=[word_length(stimulus), zipf_frequency(stimulus)]),
    ratings,
    ContiguousBlocks(5, gap=10),
    {"ridge": RidgeEncoder(warn_edge=False)},
    title="My ratings",
)
print(result.summary())

# %%
# Which ratings are predicted? In the real table valence best, and arousal least.

layer = result.best_layer().names[0]
scores = result.scores["score"].sel(analysis="ridge", space=layer).mean("fold")
print(f"{layer}: " + ", ".join(f"{t} {r:.2f}" for t, r in scores.to_series().items()))

# %%
# Figure and report
# -----------------
# A saved result is a folder with arrays, settings and figures; ``brainlm report FOLDER`` writes one
# page of HTML. Any figure is drawn from it again, at the size of a column.

result.save(folder / "my-ratings", figures=["layer_curve"])
bundle = load_bundle(folder / "my-ratings")
draw(bundle, "layer_curve", width=89).savefig(folder / "layer_curve.pdf")
plt.show()

# %%
# All of this is one command, with every layer, untrained twins of the model, and a verdict::
#
#     brainlm run encode_table ratings.csv --model minilm
#
# Two tables, trials of many readers, and arrays: :doc:`/own-data`.
