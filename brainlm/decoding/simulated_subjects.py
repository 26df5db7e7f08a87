"""Simulated subjects: real words, planted weights, haemodynamics and autocorrelated noise.

`brainlm.decoding.story_folder` writes them as the public code of Tang et al. expects them, so that
what decodes a simulated subject decodes a laboratory's folder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainlm._progress import bar
from brainlm.data.stimulus import Stimulus
from brainlm.decoding.words import clean_words, read_states
from brainlm.encoding.align import resample
from brainlm.language_models import LanguageModel

LEAD = 10.0  # seconds between the start of the sound and the first saved sample


@dataclass(frozen=True)
class Simulation:
    """A simulated subject.

    Attributes
    ----------
    n_targets : int
        Voxels.
    snr : float
        Variance of the signal over that of the noise, in each responding voxel.
    responding : float
        Share of voxels with any signal.
    n_components : int
        Principal components of the hidden states that the weights are planted on; all of them
        where the model has fewer.
    layer, context : int
        Of the planted features, hidden states of the model that `simulate_stories` gets. Give it
        another model than the decoder's: decoding by the planted model is a closed circle.
    memory : float
        Autocorrelation of the noise from one sample to the next.
    common : float
        Share of the noise variance that neighbouring voxels have in common.
    step : float
        Sampling interval in seconds.
    seed : int
        Of weights and noise: another seed is another subject.
    """

    n_targets: int = 2000
    snr: float = 1.0
    responding: float = 0.5
    n_components: int = 64
    layer: int = 9
    context: int = 32
    memory: float = 0.4
    common: float = 0.3
    step: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.snr < 0:
            raise ValueError(f"snr must be 0 or more, got {self.snr}")
        for name in ("responding", "memory", "common"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")


def time_words(words: list[str], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return plausible onsets and durations of spoken words, in seconds.

    A word lasts 0.1 s and 0.05 s per letter, jittered by a tenth; after one word in twelve there
    is a pause of 0.2 to 0.8 s (ours).
    """
    length = np.array([len(word) for word in words])
    duration = (0.1 + 0.05 * length) * rng.uniform(0.9, 1.1, len(words))
    pause = np.where(rng.random(len(words)) < 1 / 12, rng.uniform(0.2, 0.8, len(words)), 0.0)
    end = np.cumsum(duration + pause)
    return end - pause - duration, duration


def simulate_stories(
    model: LanguageModel, stimulus: Stimulus, simulation: Simulation
) -> dict[str, np.ndarray]:
    """Return the responses to each run of a timed stimulus, float32 (n_samples, n_targets).

    ``model`` is the planted one: causal, and another than the decoder's (`Simulation.layer`). The
    hidden states of the words, z-scored and reduced to components over all runs, pass through
    the haemodynamic response (`brainlm.encoding.align.resample`, not the decoder's filter) and
    planted weights; signal and noise of each voxel have the ratio of variances ``snr``. Sample k
    begins ``LEAD + k * step`` seconds after the sound; five samples follow the last word.
    """
    rng = np.random.default_rng(simulation.seed)
    words = {
        run: clean_words(stimulus.words[stimulus.run == run], stimulus.language)
        for run in stimulus.runs
    }
    states = {
        run: read_states(
            model, found, stimulus.language, layer=simulation.layer, context=simulation.context
        )
        for run, (found, _) in words.items()
    }
    every = np.concatenate(list(states.values()))
    mean, scale = every.mean(axis=0), every.std(axis=0)
    _, vectors = np.linalg.eigh(np.cov(((every - mean) / scale).T))
    components = vectors[:, ::-1][:, : simulation.n_components]
    weights = rng.standard_normal((components.shape[1], simulation.n_targets))
    weights[:, rng.random(simulation.n_targets) >= simulation.responding] = 0
    signals = {}
    for run, (_, place) in words.items():
        onset = stimulus.onset[stimulus.run == run][place]
        duration = stimulus.duration[stimulus.run == run][place]
        n_samples = int((onset[-1] + duration[-1] - LEAD) // simulation.step) + 6
        times = LEAD + simulation.step * np.arange(n_samples)
        embedding = ((states[run] - mean) / scale) @ components
        # Voxels respond to the rate of words, too: a constant beside the embedding.
        embedding = np.hstack([embedding, np.full((len(embedding), 1), 3.0)])
        planted = resample(embedding, onset, duration, times, method="hrf")
        signals[run] = planted[:, :-1] @ weights
        signals[run] += planted[:, -1:] * np.abs(weights[:1])
    deviation = np.concatenate(list(signals.values())).std(axis=0)
    gain = np.sqrt(simulation.snr) / np.where(deviation > 0, deviation, np.inf)
    return {
        run: (signal * gain + _noise(signal.shape, simulation, rng)).astype(np.float32)
        for run, signal in signals.items()
    }


def _noise(shape: tuple[int, int], given: Simulation, rng: np.random.Generator) -> np.ndarray:
    """Return noise of unit variance, autocorrelated, shared among blocks of 20 voxels."""
    from scipy.signal import lfilter

    n_samples, n_targets = shape

    def series(n: int) -> np.ndarray:
        white = rng.standard_normal((n_samples + 50, n))
        smooth = lfilter([np.sqrt(1 - given.memory**2)], [1, -given.memory], white, axis=0)
        return np.asarray(smooth[50:])

    shared = np.repeat(series(-(-n_targets // 20)), 20, axis=1)[:, :n_targets]
    return np.sqrt(given.common) * shared + np.sqrt(1 - given.common) * series(n_targets)


def generate_stories(
    model: LanguageModel, n_stories: int, n_words: int, seed: int = 0, language: str = "en"
) -> Stimulus:
    """Generate stories with a language model, with plausible word times: text without copyright.

    Parameters
    ----------
    model : LanguageModel
        Causal.
    n_stories, n_words : int
    seed : int
        Of words and times.
    language : str

    Returns
    -------
    Stimulus
        A run and a text per story, ``"story 1"``, ...; words in lower case.
    """
    import wordfreq

    from brainlm.decoding.beam_cache import BeamCache
    from brainlm.decoding.proposals import Nucleus, propose
    from brainlm.decoding.vocabulary import build_vocabulary

    rng = np.random.default_rng(seed)
    frequent, _ = clean_words(wordfreq.top_n_list(language.split("-")[0], 3000), language)
    vocabulary = build_vocabulary(model.tokenizer, frequent, language, longest=1)
    cache = BeamCache(model, vocabulary, context=16)
    nucleus = Nucleus(mass=0.95, ratio=0.01)
    cache.advance(np.zeros(n_stories, int), rng.choice(len(vocabulary), n_stories))
    for _ in bar(range(n_words - 1), "write stories"):
        found = propose(cache, nucleus, least=3)
        chosen = []
        for story in range(n_stories):
            mine = found.parent == story
            if not mine.any():  # everything would repeat: any word
                chosen.append(int(rng.choice(len(vocabulary))))
                continue
            p = np.exp(found.log_p[mine])
            chosen.append(int(rng.choice(found.word[mine], p=p / p.sum())))
        cache.advance(np.arange(n_stories), np.array(chosen))
    stories = [[vocabulary.words[i] for i in row] for row in cache.history]
    times = [time_words(words, rng) for words in stories]
    runs = np.repeat([f"story {i + 1}" for i in range(n_stories)], n_words)
    return Stimulus(
        [word for words in stories for word in words],
        language,
        np.concatenate([onset for onset, _ in times]),
        np.concatenate([duration for _, duration in times]),
        run=runs,
    )
