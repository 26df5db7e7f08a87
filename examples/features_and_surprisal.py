"""
From a text to layer features and surprisal
===========================================

Ten lines in English, and the same ten in Chinese. Needs the models of
``brainlm fetch smollm2 gemma3`` and no network.
"""

import matplotlib.pyplot as plt

from brainlm import LanguageModel
from brainlm.data.segmentation import read_text
from brainlm.features.geometry import geometry
from brainlm.plotting import plot_surprisal

stimulus = read_text("The old baker opened her shop. Nobody came, so she ate the bread.", "en")
model = LanguageModel("smollm2", dtype="auto")
layers = model.embed(stimulus, context=256)  # every layer, a row per word
surprisal = model.surprisal(stimulus, context=256)  # bits per word
for word, bits in zip(stimulus.words, surprisal.values[:, 0], strict=True):
    print(f"{word:8s} {bits:5.1f} bits")
print(f"{len(layers)} layers of {layers[15].n_features} features")

# %%
# Chinese, in the same ten lines
# ------------------------------
#
# ``read_text`` cuts Chinese with jieba. Where a data set brings its own words, use those:
# ``open_dataset`` does.

chinese = read_text("老面包师打开店门。没有客人，她就自己吃面包。", "zh")
gemma = LanguageModel("gemma3", dtype="auto")
chinese_layers = gemma.embed(chinese, context=256)
chinese_surprisal = gemma.surprisal(chinese, context=256)
for word, bits in zip(chinese.words, chinese_surprisal.values[:, 0], strict=True):
    print(f"{word:\u3000<4s} {bits:5.1f} bits")
print(f"{len(chinese_layers)} layers of {chinese_layers[9].n_features} features")

# %%
# How alike are all words in each layer?
# --------------------------------------
#
# The nearer the mean similarity comes to 1, the less a similarity analysis of that layer says.

print(geometry(layers[::10]).round(2).to_string())
print(geometry(chinese_layers[::6]).round(2).to_string())

# %%
# Surprisal as bars over the words; ``brainlm run describe_language_model --model gemma3 --language
# zh`` draws this and the geometry for any text.

fig, axes = plt.subplots(2, 1, figsize=(7, 4.8), layout="constrained")
for ax, text, bits in ((axes[0], stimulus, surprisal), (axes[1], chinese, chinese_surprisal)):
    plot_surprisal(bits.values[:, 0], text.words.tolist(), ax)
