"""
Your own epochs of MEG or EEG
=============================

From epochs of mne, with the words in their metadata, to a score over time with a null, and a map
of the head. The epochs are EEG of one reader around the second word of 200 Flemish word pairs (van
Vliet & Salmelin 2020; ``brainlm fetch n400-word-pairs``). Without the file, epochs of six channels
are simulated. With epochs of your own, begin at "Look".
"""

import matplotlib.pyplot as plt
import mne
import numpy as np
import pandas as pd

from brainlm import covariates_of, from_epochs, stimulus_of, word_length
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import find_folder
from brainlm.encoding.encode import Space
from brainlm.encoding.subjects import peak_lines, stack_subjects
from brainlm.encoding.word_epochs import encode_epochs
from brainlm.errors import DataMissingError
from brainlm.plotting import draw_time_course, draw_topographies

rng = np.random.default_rng(0)


def simulated_epochs():
    """Pz follows the association strength from 300 to 500 ms, five channels are noise."""
    words = rng.choice(["brood", "boter", "huis", "ziekte", "deur", "koud"], 240)
    strength = rng.uniform(0, 0.4, 240)
    data = rng.standard_normal((240, 6, 60)) * 2e-6
    data[:, 0, 25:35] += 1e-5 * strength[:, None]
    info = mne.create_info(["Pz", "Fz", "Cz", "Oz", "T7", "T8"], 50.0, "eeg")
    table = pd.DataFrame({"association": words, "FAS": strength})
    epochs = mne.EpochsArray(data, info, tmin=-0.2, metadata=table, verbose="error")
    return epochs.set_montage("colin27_1020")


try:
    folder = find_folder(read_card("n400-word-pairs"), None)
    epochs = mne.read_epochs(folder / "examples" / "subject04-epo.fif", verbose="error")
except DataMissingError:
    epochs = simulated_epochs()
    print("n400-word-pairs is not on this machine: what follows is simulated")

# %%
# Look
# ----
# The metadata have a row per epoch. brainlm takes the columns ``word``, ``item``, ``sentence``,
# ``text`` and ``run`` where they exist, so a column with another name is renamed. Here FAS is the
# strength of the association of the word with the one before it.

table = epochs.metadata.rename(columns={"association": "word"})
with mne.use_log_level("error"):
    epochs.metadata = table
print(table[["word", "FAS"]].head(3).to_string(index=False))
print(f"{len(epochs)} epochs of {len(epochs.ch_names)} channels, from {epochs.tmin:.1f} s")

# %%
# Words and responses
# -------------------
# The words of the metadata become the stimulus, the epochs a recording whose targets are all
# channels at all times, here as means over bins of 100 ms. Rejected epochs are counted.

stimulus = stimulus_of(epochs, "nl")
recording = from_epochs(epochs, bin_width=0.1)
print(f"{recording.n_samples} x {recording.n_targets}, such as {recording.target_names[0]}")
print(*recording.notes, sep="\n")

# %%
# Features
# --------
# Numbers of the metadata are features, too. With a language model that knows the language they come
# from ``LanguageModel(name).embed(stimulus)``, for words in sentences with ``context="sentence"``.

(strength,) = covariates_of(epochs, stimulus, ["FAS"])
spaces = [Space(strength.renamed("association")), Space(word_length(stimulus))]

# %%
# Score, with a null
# ------------------
# ``encode_epochs`` scores each space in five folds of neighbouring epochs with a gap. For the null,
# blocks of 20 words of the responses change places and every fold is fitted again; each target is
# compared with the largest of all targets. A random walk shows what slow drifts alone would reach.

result = encode_epochs(stimulus, recording, spaces, n_permutations=99)
scores = stack_subjects([result]).assign_attrs(modality=recording.modality, title="Own epochs")
print(*peak_lines(scores), sep="\n")

# %%
# Figures
# -------
# The mean over channels, with squares where a channel is above chance, and the head. In the real
# data association predicts the voltage at the back of the head from 300 to 400 ms after the word,
# where the N400 is. The length of the word and the random walk (the empty baseline) predict
# nothing.

figure, ax = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
draw_time_course(scores.isel(analysis=0), ax)
figure.legend(loc="outside lower center", ncols=2, fontsize="small")

figure = plt.figure(figsize=(9, 4))
draw_topographies(scores.isel(analysis=0), figure)
plt.show()

# %%
# Recordings in a BIDS folder are opened by ``read_meeg``, and files of epochs by a card: see
# :doc:`/own-meeg`. With a card, ``brainlm run encode_epochs`` does all of this with a language
# model, saves the results, and adds a verdict on the model.
