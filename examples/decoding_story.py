"""
What was the story? A simulated minute
======================================

A language model proposes words, a decoder keeps those whose embeddings resemble what it reads
from the brain. The participant is simulated: real words pass through planted weights, a
haemodynamic response and autocorrelated noise. So it is known that there is something to be
found, and still the text by itself proves nothing. A language model that hears no brain writes,
too, and shares its common words with every text; only the difference counts. Needs the model of
``brainlm fetch smollm2`` and no network.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

from brainlm import LanguageModel, Recording, Stimulus
from brainlm.decoding.beam_search import Beam
from brainlm.decoding.conditions import smooth_noise
from brainlm.decoding.decoder import Settings, fit_story_decoder
from brainlm.decoding.null_scores import Window, cut_windows
from brainlm.decoding.proposals import Nucleus
from brainlm.decoding.scorers import LanguageModelOnly
from brainlm.decoding.simulated_subjects import LEAD, Simulation, simulate_stories, time_words
from brainlm.decoding.stories import stories_of
from brainlm.decoding.story_scores import score_story_mapping
from brainlm.decoding.text_scores import text_scores

# %%
# Stories
# -------
#
# Forty stories of a small language, spoken at a plausible rate. The last one will be decoded; no
# step before that sees it.

rng = np.random.default_rng(0)
people = ["my sister", "the old baker", "a doctor", "the captain", "our teacher", "the soldier"]
deeds = ["opened", "painted", "carried", "found", "forgot", "wanted", "bought", "watched"]
things = ["the bread", "a letter", "the boat", "the garden", "an apple", "the piano", "a horse"]
places = ["in the kitchen", "near the sea", "before breakfast", "at school", "on the road"]


def sentence():
    """One sentence, as words."""
    return " ".join(str(rng.choice(part)) for part in (people, deeds, things, places)).split()


words, run, onset, duration = [], [], [], []
for number in range(40):
    story = [word for _ in range(22) for word in sentence()]
    start, length = time_words(story, rng)
    words += story
    run += [f"story {number + 1}"] * len(story)
    onset += list(start)
    duration += list(length)
stimulus = Stimulus(words, "en", onset, duration, run=run, text=run)

# %%
# A participant
# -------------
#
# The weights are planted on layer 9 of the model that decodes by layer 6: the easiest case, and
# partly a circle. ``brainlm run decode_story_simulated`` plants another model.

model = LanguageModel("smollm2", dtype="auto", cache=True)
simulation = Simulation(n_targets=300, snr=5.0)
responses = simulate_stories(model, stimulus, simulation)
times = np.concatenate([LEAD + simulation.step * np.arange(len(Y)) for Y in responses.values()])
recording = Recording(
    np.vstack(list(responses.values())),
    [f"voxel {i}" for i in range(300)],
    "fmri",
    "simulated",
    times=times,
    run=np.repeat(list(responses), [len(Y) for Y in responses.values()]),
)
stories = stories_of(stimulus, recording)

# %%
# Decode
# ------
#
# Everything is learned on 39 stories: the vocabulary, the map from brain to embeddings, the rate of
# words. How well the map does on the story that it has not seen is the first thing to know: the
# correlation over dimensions, and how often two decoded moments are told apart (chance .5).

settings = Settings(
    layer=6, n_components=40, n_targets=300, n_inputs=100, n_frequent=200, longest=1
)
decoder = fit_story_decoder(model, stories[:-1], settings)
test = stories[-1]
mapping = score_story_mapping(decoder, test)
print(f"mapping: r = {mapping.r.mean():.3f}, 2v2 = {mapping.pairwise:.3f}")

# %%
# Then the responses are read, and beside them smooth noise by the same decoder, and no brain at
# all.

noise = smooth_noise(test.responses.shape, rng)
scorers = {
    "brain": decoder.similarity(test.responses),
    "noise": decoder.similarity(noise),
    "no brain": LanguageModelOnly(),
}
middle = decoder.word_times(test.responses, test.times)  # when words are heard
# Of a small language that no text of the model is like, many words must be allowed at each step.
beam = Beam(4, nucleus=Nucleus(mass=0.99, ratio=0.001, most=40))
found = {
    label: decoder.decode(
        scorer, middle, test.times, replace(beam, lm_weight=1.0) if label == "no brain" else beam
    )
    for label, scorer in scorers.items()
}
print(f"{test.times[-1] - test.times[0]:.0f} s, {len(middle)} words heard, {len(test.words)} said")

# %%
# Reference and reconstruction, in windows of 20 seconds
# ------------------------------------------------------

starts = Window().starts(max(middle[0], test.middle[0]), min(middle[-1], test.middle[-1]))
true = cut_windows(test.words, test.middle, starts, Window().length)
print("said:    ", " ".join(true[0]))
scores = {}
for label, result in found.items():
    said = cut_windows(result.words, middle, starts, Window().length)
    print(f"{label:9s}:", " ".join(said[0]))
    scores[label] = text_scores(true, said, ["bleu-1"])["bleu-1"]

# %%
# BLEU-1 is the share of words that also occur in the window of the reference. The text shows much
# less than the map: only words that the language model proposes can be chosen, and this beam is
# narrow. Neighbouring windows overlap, so they are no independent witnesses; a study compares with
# many random reconstructions (:mod:`brainlm.decoding.story_scores`), with a permuted brain and with
# another story.

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for label, values in scores.items():
    print(f"{label:9s} BLEU-1 {np.nanmean(values):.3f}")
    ax.plot(starts + Window().length / 2, values, marker="o", ms=3, label=label)
ax.set(xlabel="middle of the window, s", ylabel="BLEU-1", ylim=(0, None))
ax.legend()
