"""
MEG and EEG: a response function, and a curve over time
=======================================================

First simulated EEG at 100 Hz, so that the right answer is known: one channel answers to each word
after 200 ms, more strongly to surprising words; another is noise. Then real EEG around the second
word of 200 word pairs (van Vliet & Salmelin 2020; ``brainlm fetch n400-word-pairs``). Without it
the second part uses the simulated EEG, too.
"""

# sphinx_gallery_thumbnail_number = -1

import matplotlib.pyplot as plt
import mne
import numpy as np
from sklearn.pipeline import make_pipeline

from brainlm import (
    ContiguousBlocks,
    LeaveOneRunOut,
    RidgeEncoder,
    Stimulus,
    align,
    cross_validate,
    open_covariates,
    open_dataset,
)
from brainlm.data.target_table import over_time
from brainlm.encoding.temporal_response import Delayer, lag_samples
from brainlm.errors import DataMissingError
from brainlm.io.mne_objects import epoch_words, from_epochs

rng = np.random.default_rng(0)
rate, n_words = 100.0, 300
onset = np.cumsum(rng.uniform(0.3, 0.6, n_words))
surprisal = rng.gamma(2, 2, n_words)
time = np.arange(int((onset[-1] + 2) * rate)) / rate
impulses = np.zeros((len(time), 2))  # word onsets; word onsets times surprisal
impulses[np.round(onset * rate).astype(int)] = np.c_[np.ones(n_words), surprisal - surprisal.mean()]
response = np.exp(-0.5 * ((np.arange(60) / rate - 0.2) / 0.05) ** 2)
driven = np.convolve(impulses.sum(axis=1), response)[: len(time)]
eeg = np.c_[driven + 2 * rng.standard_normal(len(time)), 2 * rng.standard_normal(len(time))] * 1e-6

# %%
# Temporal response functions
# ---------------------------
# Ridge on lagged features, one penalty per channel. The time column
# tells the lags where time is broken, here at the edges of three runs.

third = len(time) // 3
runs = np.repeat(["1", "2", "3"], [third, third, len(time) - 2 * third])
lags = lag_samples(-0.1, 0.5, rate)
model = make_pipeline(Delayer(lags, time_column=0), RidgeEncoder(warn_edge=False))
X = np.c_[time, impulses]
scores = cross_validate(model, X, eeg, LeaveOneRunOut(runs), targets=["Cz", "Oz"])
print({name: round(float(r), 3) for name, r in zip(scores.target_names, scores.mean, strict=True)})

fitted = model.fit(X, eeg)[-1]
fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
weights = fitted.coef_per_delay(len(lags)) * 1e6  # (n_lags, n_channels, n_features)
ax.plot(np.array(lags) / rate, weights[:, 0], label=["word onset", "surprisal"])
ax.set(xlabel="lag, s", ylabel="response of Cz, µV per unit")
ax.legend()

# %%
# Epoch by epoch
# --------------
# When does a property of the word predict the voltage? In the real data it is the strength of the
# association of the second word with the first, which is large for "bread" after "butter" and 0
# for words that have nothing to do with each other. Each channel at each time is a target.

try:
    stimulus, recording = open_dataset("n400-word-pairs")
    predictor, *_ = open_covariates("n400-word-pairs", recording.subject, stimulus)
    X, Y, _ = align(predictor, recording)
    print(f"{len(Y)} word pairs, {predictor.name}: forward association strength")
except DataMissingError:
    words = [f"w{i}" for i in range(n_words)]
    stimulus = Stimulus(words, "en", onset, np.full(n_words, 0.2), item=words)
    raw = mne.io.RawArray(eeg.T, mne.create_info(["Cz", "Oz"], rate, "eeg"), verbose="error")
    epochs = epoch_words(raw, stimulus, tmin=-0.1, tmax=0.5, baseline=None)
    recording = from_epochs(epochs, stimulus, bin_width=0.05)
    X, Y = surprisal[:, None], recording.data
    print("n400-word-pairs is not on this machine: what follows is the simulated EEG")

found = cross_validate(
    RidgeEncoder(warn_edge=False), X, Y, ContiguousBlocks(5), targets=recording.targets
)
channels, times, curves = over_time(found.mean, found.targets)
best = np.unravel_index(curves.argmax(), curves.shape)
print(f"largest r: {curves.max():.2f}, {channels[best[0]]}, {1000 * times[best[1]]:.0f} ms")

# %%
# Associated words have a smaller N400, and the association predicts the voltage where and when the
# N400 is known to be: at central and parietal electrodes, about 400 ms after the word. The largest
# value of 1,920 is no test; ``brainlm.encoding.word_epochs.encode_epochs`` compares each with a
# null of all of them, as in :doc:`own_epochs`.

fig, ax = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
ax.plot(1000 * times, curves.T, color="0.8", lw=0.6)
for name in [name for name in ("Pz", "Cz", "Oz") if name in channels]:
    ax.plot(1000 * times, curves[channels.index(name)], label=name)
ax.axhline(0, color="0.6", lw=0.8)
ax.set(xlabel="time after word onset, ms", ylabel=f"held-out r ({len(Y)} words)")
ax.legend()
