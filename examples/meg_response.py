"""
MEG and EEG: a response function, and a curve over time
=======================================================

Simulated EEG at 100 Hz: one channel answers to each word after 200 ms, more strongly to surprising
words; another is noise.
"""

import matplotlib.pyplot as plt
import mne
import numpy as np
from sklearn.pipeline import make_pipeline

from brainlm import ContiguousBlocks, LeaveOneRunOut, RidgeEncoder, Stimulus, cross_validate
from brainlm.data.target_table import over_time
from brainlm.encoding.temporal_response import Delayer, lag_samples
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
# Temporal response functions: ridge on lagged features, one penalty per channel. The time column
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
# The same question epoch by epoch: when does surprisal predict the voltage?

raw = mne.io.RawArray(eeg.T, mne.create_info(["Cz", "Oz"], rate, "eeg"), verbose="error")
words = [f"w{i}" for i in range(n_words)]
stimulus = Stimulus(words, "en", onset, np.full(n_words, 0.2), item=words)
epochs = epoch_words(raw, stimulus, tmin=-0.1, tmax=0.5, baseline=None)
recording = from_epochs(epochs, stimulus, bin_width=0.05)
found = cross_validate(
    RidgeEncoder(warn_edge=False),
    surprisal[:, None],
    recording.data,
    ContiguousBlocks(5),
    targets=recording.targets,
)
channels, bins, curves = over_time(found.mean, found.targets)
fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(bins + 0.025, curves.T, label=channels)
ax.axhline(0, color="0.6", lw=0.8)
ax.set(xlabel="time after word onset, s", ylabel=f"held-out r ({n_words} words)")
ax.legend()
