"""
Eye tracking and surprisal
==========================

Do readers look longer at words that are less expected, once length and frequency are accounted
for? First the reading times are simulated, so that the answer is known: on average 12 ms per bit
of surprisal, 8 ms per letter, and nothing for a second, invented predictor. The surprisal is that
of an n-gram model, which needs no download; ``LanguageModel("smollm2").surprisal(stimulus)`` gives
a language model's. Then real readers of five languages are tested (MECO; ``brainlm fetch
meco-means-en`` and the like).
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from brainlm import Stimulus, open_dataset, open_published_surprisal, word_length, zipf_frequency
from brainlm.errors import DataMissingError
from brainlm.language_models.ngrams import train_kneser_ney
from brainlm.mixed_models.gains import held_out_gain, likelihood_gain
from brainlm.mixed_models.regression import fit_mixed

rng = np.random.default_rng(0)
people = ["the baker", "the old teacher", "my sister", "a young doctor", "the captain", "nobody"]
deeds = ["found", "opened", "painted", "watched", "carried", "remembered"]
things = ["the bread", "a letter", "the small boat", "the garden", "an umbrella", "the telescope"]
places = ["in the kitchen", "near the river", "before breakfast", "at night", "without a word"]
odds = np.array([0.4, 0.3, 0.15, 0.08, 0.05, 0.02])  # some words are rarely said


def sentence():
    """One sentence of a small language."""
    parts = [people, deeds, things, places]
    chosen = [rng.choice(p, p=odds[: len(p)] / odds[: len(p)].sum()) for p in parts]
    return " ".join(chosen).split()


model = train_kneser_ney([sentence() for _ in range(3000)], order=3)
read = [sentence() for _ in range(60)]
words = [word for each in read for word in each]
number = np.repeat(np.arange(60), [len(each) for each in read])
stimulus = Stimulus(words, "en", sentence=[f"s{n:02d}" for n in number])
surprisal = model.surprisal(stimulus).values[:, 0]
print(*(f"{word} {bits:.1f}" for word, bits in zip(words[:9], surprisal, strict=False)), sep="   ")

# %%
# Single trials
# -------------
# A row per trial: every reader, every word. Readers and words differ among themselves, and so the
# model has an intercept for each. Readers also differ in how much surprisal slows them: without a
# slope by reader, the test would take a few sensitive readers for an effect of all. Only the tested
# predictor has slopes here; the others get no p value.

predictors = pd.DataFrame(
    {
        "item": [f"w{i:03d}" for i in range(len(words))],
        "sentence": stimulus.sentence,
        "surprisal": surprisal,
        "length": word_length(stimulus).values[:, 0],
        "frequency": zipf_frequency(stimulus).values[:, 0],
        "invented": rng.standard_normal(len(words)),
    }
)
difficulty = rng.normal(0, 15, len(words))
frames = []
for reader in range(8):
    ms = (
        rng.normal(230, 25)
        + rng.normal(12, 6) * surprisal
        + 8 * predictors["length"]
        + difficulty
        + rng.normal(0, 60, len(words))
    )
    frames.append(predictors.assign(reader=f"r{reader}", ms=ms))
trials = pd.concat(frames, ignore_index=True)

controls = ["length", "frequency"]
without, full = (
    fit_mixed(trials, "ms", fixed, subject="reader", item="item", slopes=["surprisal"])
    for fixed in (controls, [*controls, "surprisal"])
)
print(full.formula)
print(full.terms.round(3))
test = likelihood_gain(without, full)
print(f"surprisal: p = {test.p:.2g}, F({test.df}, {test.df_residual}) of the likelihood ratio")

# %%
# A fit always improves with one more predictor. So the gain is taken on sentences that were left
# out, where the invented predictor gains nothing.


def printed(label, gain):
    """Print a gain with its interval and return it."""
    print(f"{label:18s} gain {gain.mean:+.4f} nats, "
          f"95 % {gain.low:+.4f} to {gain.high:+.4f}, p = {gain.p:.2g}")  # fmt: skip
    return gain


for name in ("surprisal", "invented"):
    gain, _ = held_out_gain(trials, "ms", controls, [name], groups="sentence", subject="reader")
    printed(name, gain)

# %%
# Real readers
# ------------
# The same twelve texts in five languages of five branches. The gaze duration of a word is the mean
# over readers, the surprisal is that of mGPT as the authors published it (Siegelman et al. 2022;
# Wilcox et al. 2023). Whole texts are left out. (There are Greek and Turkish, too, but a tenth of
# their words is missing in the list of frequencies, which would make the control weak.)

LANGUAGES = ["en", "es", "ru", "fi", "he"]


def read_words(language):
    """A row per word of MECO: its mean gaze duration and its predictors."""
    stimulus, gaze = open_dataset(f"meco-means-{language}")
    columns = {
        "length": word_length(stimulus).values[:, 0],
        "frequency": zipf_frequency(stimulus).values[:, 0],
        "invented": rng.standard_normal(stimulus.n_words),
        "text": stimulus.text,
    }
    words = pd.DataFrame(columns, index=stimulus.item).loc[gaze.items]
    words["ms"] = gaze.data[:, list(gaze.target_names).index("GD")]
    words["surprisal"] = pd.Series(
        open_published_surprisal(f"meco-means-{language}", "mGPT (published)")
    )
    return words.dropna()


try:
    tables = {language: read_words(language) for language in LANGUAGES}
except DataMissingError:
    mean = trials.groupby("item").agg({"ms": "mean", "sentence": "first", "surprisal": "first",
        "length": "first", "frequency": "first", "invented": "first"})  # fmt: skip
    tables = {"simulated": mean.rename(columns={"sentence": "text"})}
    print("MECO is not on this machine: what follows is the simulated readers")

gains = {
    (language, name): printed(
        f"{language} {name}", held_out_gain(table, "ms", controls, [name], groups="text")[0]
    )
    for language, table in tables.items()
    for name in ("surprisal", "invented")
}

# %%
# The gain of surprisal is above 0 in every language, and that of the invented predictor is about 0.
# With twelve texts the intervals are wide: that of Finnish excludes 0 clearly, that of Spanish
# just, and those of English, Russian and Hebrew include it.

fig, ax = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
for name, colour, shift in (("surprisal", "#0072B2", 0.12), ("invented", "0.6", -0.12)):
    for place, language in enumerate(reversed(tables)):
        gain = gains[language, name]
        ax.plot([gain.low, gain.high], [place + shift] * 2, color=colour)
        ax.plot(gain.mean, place + shift, "o", color=colour, label=None if place else name)
ax.axvline(0, color="0.6", lw=0.8)
ax.set_yticks(range(len(tables)), list(reversed(tables)))
ax.set(xlabel="gain over length + frequency,\nnats per word, held out")
ax.legend(loc="lower right")
