"""
Chinese: words, characters, two scripts
=======================================

Chinese is written without spaces, so somebody has to say what a word is, and in which of two
scripts the tables of words are. The real data are gaze times in the Beijing Sentence Corpus (Pan et
al. 2022; ``brainlm fetch bsc-gaze``); without them, sentences and times of a small language are
simulated. Nothing here needs a model; layers and surprisal of a language model are in
:doc:`features_and_surprisal`, with the same calls for both languages.
"""

import matplotlib.pyplot as plt
import numpy as np

from brainlm import (
    ContiguousBlocks,
    Recording,
    RidgeEncoder,
    Stimulus,
    align,
    concatenate,
    cross_validate,
    open_dataset,
    word_length,
    zipf_frequency,
)
from brainlm.data.segmentation import check_script, chinese_script, read_text, segment, simplify
from brainlm.errors import DataMissingError
from brainlm.language_models.ngrams import train_kneser_ney
from brainlm.plotting import plot_surprisal

text = "老师打开图书馆的门。学生没有来，他就自己看书。"
by_word = read_text(text, "zh")  # cut by jieba
by_character = read_text(text, "zh", level="character")
print(" ".join(by_word.words))
print(" ".join(by_character.words))

# %%
# Words of a data set
# -------------------
#
# Where a data set brings its own words, they stay as they are: the participants read these, and the
# times belong to them, whatever jieba would say. How often do both agree?


def simulated():
    """Sentences of a small language, and times that grow with the length of the word."""
    rng = np.random.default_rng(1)
    parts = [["老师", "学生", "图书馆员"], ["打开", "看见", "没有"], ["图书馆的门", "电影", "书"]]
    words = [str(rng.choice(each)) for _ in range(150) for each in parts]
    items, number = [str(i) for i in range(450)], [f"s{i // 3}" for i in range(450)]
    stimulus = Stimulus(words, "zh", sentence=number, item=items)
    time = 10 + 2 * word_length(stimulus).values + 3 * rng.standard_normal((450, 1))
    return stimulus, Recording(time, ["TRTAvg"], "eye-tracking", "a.u.", items=items)


def boundaries(words):
    """After how many characters a word ends, the last word left out."""
    return set(np.cumsum([len(word) for word in words])[:-1].tolist())


try:
    read, gaze = open_dataset("bsc-gaze")
    print(f"{read.n_words} words of the Beijing Sentence Corpus")
except DataMissingError:
    read, gaze = simulated()
    print("bsc-gaze is not on this machine: what follows is simulated")

sentences = [read.words[rows] for _, rows in read.blocks("sentence")]
own = [boundaries(words) for words in sentences]
cut = [boundaries(segment("".join(words), "zh")) for words in sentences]
shared = sum(len(a & b) for a, b in zip(own, cut, strict=True))
found = sum(len(a | b) for a, b in zip(own, cut, strict=True))
alike = sum(a == b for a, b in zip(own, cut, strict=True))
print(f"{shared / found:.0%} of all boundaries are in both")
print(f"{alike} of {len(sentences)} sentences are cut alike")

# %%
# In the corpus nine boundaries of ten agree, and yet most of its sentences hold a word that jieba
# would cut otherwise.
#
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
# Do readers look longer at long and rare words, as in languages with an alphabet? Test blocks are
# neighbouring sentences, with a gap of 20 words.

total = gaze.select_targets(["TRTAvg"])
scores = {}
for space in (
    word_length(read),
    zipf_frequency(read),
    concatenate([word_length(read), zipf_frequency(read)], "both"),
):
    X, Y, _ = align(space, total)
    fitted = cross_validate(RidgeEncoder(warn_edge=False), X, Y, ContiguousBlocks(6, gap=20))
    scores[space.name] = float(fitted.mean[0])
    print(f"{space.name:15s} r = {scores[space.name]:.2f} with the total time of a word")

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

told = [word for each in sentences[:6] for word in each]
number = np.repeat([f"s{i}" for i in range(6)], 3)
bits = words.surprisal(Stimulus(told, "zh", sentence=number)).values[:, 0]
spelled = [character for word in told for character in word]
own = np.repeat(np.arange(len(told)), [len(word) for word in told])
each = characters.surprisal(Stimulus(spelled, "zh", sentence=number[own])).values[:, 0]
summed = np.bincount(own, weights=each)
print(f"r between both: {np.corrcoef(bits, summed)[0, 1]:.3f}")

fig, axes = plt.subplots(2, 1, figsize=(8, 4.6), layout="constrained")
for ax, values, name in zip(axes, (bits, summed), ("words", "characters, summed"), strict=True):
    plot_surprisal(values, told, ax)
    ax.set_title(name, loc="left")
