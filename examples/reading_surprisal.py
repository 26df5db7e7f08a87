"""
Eye tracking and surprisal
==========================

Do readers look longer at words that are less expected, once length and frequency are accounted
for? The reading times are simulated, so that the answer is known: on average 12 ms per bit of
surprisal, 8 ms per letter, and nothing for a second, invented predictor. The surprisal is that of
an n-gram model, which needs no download; ``LanguageModel("smollm2").surprisal(stimulus)`` gives a
language model's.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from brainlm import Stimulus, word_length, zipf_frequency
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

gains = {
    name: held_out_gain(trials, "ms", controls, [name], groups="sentence", subject="reader")[0]
    for name in ("surprisal", "invented")
}
fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
mean = trials.groupby("item")["ms"].mean().to_numpy()
axes[0].scatter(surprisal, mean, s=8, color="#0072B2")
axes[0].set(xlabel="surprisal, bits", ylabel="reading time, ms\n(mean of 8 readers)")
for i, (name, gain) in enumerate(gains.items()):
    interval = f"95 % {gain.low:.4f} to {gain.high:.4f}"
    print(f"{name:10s} gain {gain.mean:.4f} nats per trial, {interval}, p = {gain.p:.3f}")
    axes[1].plot([gain.low, gain.high], [i, i], color="#0072B2")
    axes[1].plot(gain.mean, i, "o", color="#0072B2")
axes[1].axvline(0, color="0.6", lw=0.8)
axes[1].set_yticks(range(2), gains)
axes[1].set(xlabel="gain over length + frequency,\nnats per trial, held out", ylim=(-0.7, 1.7))
