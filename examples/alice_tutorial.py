"""
From a download to a figure at print size
=========================================

Does a language model predict the brain of people who listen to a story, beyond how fast the words
come? Six regions of six listeners to *Alice in Wonderland* (Brennan et al. 2016, CC BY), from the
files to a figure of one column. ``brainlm fetch alice-fmri smollm2`` gets both. Without the data
the same steps run on simulated listeners, and say so.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import ttest_1samp

from brainlm import (
    ContiguousBlocks,
    LanguageModel,
    Recording,
    Stimulus,
    concatenate,
    delays_between,
    encode,
    high_pass,
    list_subjects,
    load_bundle,
    open_dataset,
    with_baselines,
    word_length,
    word_position,
    word_rate,
    zipf_frequency,
)
from brainlm.data.recording import side_by_side
from brainlm.encoding.block_scaler import ridge_of_blocks
from brainlm.errors import DataMissingError
from brainlm.plotting import draw
from brainlm.stats.permutation import fdr

REGIONS = ["LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG"]


def simulated_listeners():
    """Words every .35 s; each region follows the word rate, and noise."""
    rng = np.random.default_rng(0)
    text = ["alice", "was", "tired", "of", "sitting", "by", "her", "sister", "on", "the", "bank"]
    onset = 20 + np.cumsum(rng.uniform(0.2, 0.5, 900))
    stimulus = Stimulus(rng.choice(text, 900).tolist(), "en", onset=onset, duration=[0.2] * 900)
    times = 20 + 2.0 * np.arange(160)
    rate = np.histogram(onset, bins=np.append(times, times[-1] + 2))[0]
    heard = np.convolve(rate, [0, 0.3, 0.5, 0.3, 0.1])[: len(times), None]
    listeners = [
        Recording(
            heard + rng.standard_normal((len(times), 6)).cumsum(axis=0) / 4,
            REGIONS,
            "fmri",
            "a.u.",
            times=times,
            subject=f"simulated {i}",
        )
        for i in range(6)
    ]
    return stimulus, listeners


# %%
# Open
# ----
# Opening checks every file against the facts on the card of the data set. A message of a few lines
# says where missing data come from and where they go.

try:
    names = [name for name in list_subjects("alice-fmri") if name != "s33"][:6]
    opened = [open_dataset("alice-fmri", subject=name) for name in names]
    stimulus, listeners = opened[0][0], [recording for _, recording in opened]
    print(f"{len(listeners)} listeners, {stimulus.n_words} words")
except DataMissingError:
    stimulus, listeners = simulated_listeners()
    print("alice-fmri is not on this machine: what follows is simulated")

# %%
# Look
# ----
# Scanners drift. A high-pass filter of 128 s removes it, as in most studies of fMRI.

first = listeners[0]
filtered = [high_pass(each, 128.0) for each in listeners]
fig, ax = plt.subplots(figsize=(7, 2.4), layout="constrained")
for recording, label in ((first, "as recorded"), (filtered[0], "high-pass 128 s")):
    series = recording.data[:, 0] - recording.data[:, 0].mean()
    ax.plot(recording.times, series / series.std(), lw=0.8, label=label)
ax.set(xlabel="time (s)", ylabel=f"{REGIONS[0]} (sd)")
ax.legend()

# %%
# Features
# --------
# Layers of a causal model read each word with the 16 words before it. Everything that is trivial
# becomes one space of controls: how many words there are, how long and frequent they are, where
# they stand.

layers = LanguageModel("smollm2").embed(stimulus, layers=[0, 10, 20], context=16)
controls = concatenate(
    [word_rate(stimulus), word_length(stimulus), zipf_frequency(stimulus), word_position(stimulus)],
    "controls",
)

# %%
# Score
# -----
# The response to a word comes 2 to 8 s later, so features are delayed by one to four volumes. Test
# blocks are continuous, with a gap of 16 s on either side: neighbouring volumes are alike, and
# without the gap the training data would hold the answer. ``with_baselines`` adds the controls to
# each layer and sets random vectors of the same geometry beside it.

everyone = side_by_side(
    [each.with_data(each.data / each.data.std(axis=0), "sd 1") for each in filtered]
)
split = ContiguousBlocks(5, gap=8)
result = encode(
    with_baselines(layers, added=[controls]),
    everyone,
    split,
    {"ridge": ridge_of_blocks},
    delays=delays_between(2.0),
    title="Listening to Alice",
).with_ceiling()
print(result.summary())

# %%
# Is it more than the controls?
# -----------------------------
# People are the units. The gain of each region is tested over people against 0, and the six p
# values together by the false discovery rate.

layer = result.best_layer().names[0]
score = result.scores["score"].sel(analysis="ridge")
gain = score.sel(space=f"{layer} + controls") - score.sel(space="controls")
gain = gain.transpose("subject", "target")
q = fdr(ttest_1samp(gain.values, 0).pvalue)
for region, mean, each in zip(gain["target"].values, gain.mean("subject").values, q, strict=True):
    print(f"{region:6s} gain over controls {mean:+.3f}  q {each:.3f}")

# %%
# Figure and report
# -----------------
# A saved result is a folder with arrays, settings and figures. Any figure is drawn from it again,
# at the size of a column; ``brainlm report FOLDER`` writes one page of HTML.

folder = Path(tempfile.mkdtemp()) / "alice"
result.save(folder, figures=["layer_curve", "target_bars"])
figure = draw(load_bundle(folder), "layer_curve", width=89)
figure.savefig(folder / "layer_curve_89mm.pdf")
print(f"{figure.get_figwidth() * 25.4:.0f} mm wide")
