"""
Chinese: words, characters, two scripts
=======================================

Chinese is written without spaces, so somebody has to say what a word is, and in which of two
scripts the tables of words are. Nothing here needs a model or a download; layers and surprisal of
a language model are in :doc:`features_and_surprisal`, with the same calls for both languages.
"""

import matplotlib.pyplot as plt
import numpy as np

from brainlm import Stimulus, word_length, zipf_frequency
from brainlm.data.segmentation import check_script, chinese_script, read_text, segment, simplify
from brainlm.language_models.ngrams import train_kneser_ney
from brainlm.plotting import plot_surprisal

text = "老师打开图书馆的门。学生没有来，他就自己看书。"
by_word = read_text(text, "zh")  # cut by jieba
by_character = read_text(text, "zh", level="character")
print(" ".join(by_word.words))
print(" ".join(by_character.words))

# %%
# Where a data set brings its own words, they stay as they are: the participants heard these, with
# these times, whatever jieba would say.

own = Stimulus(["图书", "馆", "的", "门"], "zh", onset=[0.0, 0.4, 0.6, 0.8], duration=[0.2] * 4)
print("the data set:", *own.words, "  jieba:", *segment("图书馆的门", "zh"))

# %%
# Length is in characters, frequency from wordfreq. A word that wordfreq does not have gets the
# frequency of its parts.

for word, length, zipf in zip(
    by_word.words,
    word_length(by_word).values[:, 0],
    zipf_frequency(by_word).values[:, 0],
    strict=True,
):
    print(f"{word:\u3000<4s} {length:.0f} characters, Zipf {zipf:.1f}")

# %%
# Two scripts
# -----------
#
# A table of simplified words knows few words of a traditional text, and a join would find just the
# words that both scripts write alike. So the script is checked, and converted only when asked to.

traditional = read_text("老師打開圖書館的門。學生沒有來。", "zh")
print(chinese_script(traditional.words), "and", chinese_script(by_word.words))
try:
    check_script(traditional, "simplified", "a table of ratings")
except ValueError as error:
    print("error:", error)
print(simplify("老師打開圖書館的門。"))

# %%
# Surprisal of words and of characters
# ------------------------------------
#
# A word is one step or as many as it has characters: by the chain rule its surprisal is the sum
# over its characters. Two n-gram models, one over words and one over characters, of the same
# 4,000 sentences of a small language agree.

rng = np.random.default_rng(0)
who, does = ["老师", "学生", "图书馆员", "我姐姐"], ["打开", "看见", "记得", "没有"]
what = ["图书馆", "图画", "电影", "电话", "书"]
parts = [(who, [0.4, 0.4, 0.15, 0.05]), (does, [0.4, 0.3, 0.2, 0.1])]
parts += [(what, [0.4, 0.3, 0.15, 0.1, 0.05])]
sentences = [[str(rng.choice(names, p=odds)) for names, odds in parts] for _ in range(4000)]
words = train_kneser_ney(sentences, order=3)
characters = train_kneser_ney([list("".join(each)) for each in sentences], order=5)

read = [word for each in sentences[:6] for word in each]
number = np.repeat([f"s{i}" for i in range(6)], 3)
bits = words.surprisal(Stimulus(read, "zh", sentence=number)).values[:, 0]
spelled = [character for word in read for character in word]
own = np.repeat(np.arange(len(read)), [len(word) for word in read])
each = characters.surprisal(Stimulus(spelled, "zh", sentence=number[own])).values[:, 0]
summed = np.bincount(own, weights=each)
print(f"r between both: {np.corrcoef(bits, summed)[0, 1]:.3f}")

fig, axes = plt.subplots(2, 1, figsize=(8, 4.6), layout="constrained")
for ax, values, name in zip(axes, (bits, summed), ("words", "characters, summed"), strict=True):
    plot_surprisal(values, read, ax)
    ax.set_title(name, loc="left")
