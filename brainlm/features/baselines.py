"""Baseline feature spaces: word rate, length, frequency and position, and random controls."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus

# Languages whose words wordfreq lists under another code.
SAME_LIST = {"no": "nb", "hr": "sh", "sr": "sh", "bs": "sh", "tl": "fil"}


MANY_UNKNOWN = 0.05


def word_rate(stimulus: Stimulus) -> Features:
    """One per word: summed into samples it becomes the number of words per sample.

    Examples
    --------
    >>> brainlm.word_rate(brainlm.Stimulus(["the", "dog"], "en")).values.ravel().tolist()
    [1.0, 1.0]
    """
    return Features("word rate", np.ones((stimulus.n_words, 1)), stimulus)


def word_length(stimulus: Stimulus) -> Features:
    """Number of letters or characters of each word; punctuation marks do not count.

    Examples
    --------
    >>> brainlm.word_length(brainlm.Stimulus(["the", "old,"], "en")).values.ravel().tolist()
    [3.0, 3.0]
    """
    lengths = [sum(character.isalnum() for character in word) for word in stimulus.words]
    return Features("word length", np.array(lengths, dtype=float)[:, None], stimulus)


class UnknownWordsWarning(UserWarning):
    """Many words are not in a list of frequencies."""


def zipf_frequency(stimulus: Stimulus) -> Features:
    """Zipf frequency of each word: log10 of its occurrences per billion words (wordfreq).

    A word that is not in wordfreq's list of the language gets the lowest frequency in it, which is
    1 in languages with much text (English, Chinese, German ...) and 3 in others (Danish, Hindi
    ...). In Chinese wordfreq infers the frequency of an unseen word from its parts.

    Returns
    -------
    Features, shape (n_words, 1)
        ``origin`` says which list it was (``"wordfreq"``), where it ends (``"floor"``), and how
        many words with a letter or digit it lacks (``"unknown_words"``).

    Raises
    ------
    ValueError
        wordfreq has no list of the language, or lacks the tokenizer that it needs for it.

    Warns
    -----
    UnknownWordsWarning
        More than 5 % of the words are not in the list.

    References
    ----------
    Speer, wordfreq (doi 10.5281/zenodo.7199437); scale of van Heuven et al. 2014.

    Examples
    --------
    >>> stimulus = brainlm.Stimulus(["the", "heron"], "en")
    >>> brainlm.zipf_frequency(stimulus).values.ravel().round(1).tolist()
    [7.7, 3.1]
    """
    import wordfreq

    code, floor = _frequency_list(stimulus.language)
    values = np.array([wordfreq.zipf_frequency(word, code) for word in stimulus.words])
    lacking = values == 0
    values[lacking] = floor
    unknown = [word for word in stimulus.words[lacking] if any(map(str.isalnum, word))]
    if len(unknown) > MANY_UNKNOWN * stimulus.n_words:
        warnings.warn(
            f"{len(unknown)} of {stimulus.n_words} words are not in wordfreq's list {code!r} (such "
            f"as {', '.join(map(repr, dict.fromkeys(unknown[:3])))}); they get its lowest Zipf "
            f"frequency, {floor:g}",
            UnknownWordsWarning,
            stacklevel=2,
        )
    origin = {"wordfreq": f"{code}, best list", "floor": floor, "unknown_words": len(unknown)}
    return Features("Zipf frequency", values[:, None], stimulus, origin=origin)


def has_frequencies(language: str) -> bool:
    """Whether `zipf_frequency` has a list of a language."""
    import wordfreq

    code = language.split("-")[0]
    return SAME_LIST.get(code, code) in wordfreq.available_languages()


@cache
def _frequency_list(language: str) -> tuple[str, float]:
    """Return the code of wordfreq's list of a language, and the lowest Zipf frequency in it."""
    import wordfreq

    code = language.split("-")[0]
    code = SAME_LIST.get(code, code)
    # wordfreq itself takes the nearest language however far it is: English for Swahili.
    if not has_frequencies(language):
        codes = ", ".join(sorted(wordfreq.available_languages()))
        raise ValueError(
            f"wordfreq has no list of frequencies in {language!r}; it has {codes}. "
            "Leave Zipf frequency out, or make Features of a list of your own"
        )
    try:
        wordfreq.zipf_frequency("1", code)
    except ImportError as error:
        raise ValueError(
            f"the frequencies of {language!r} need a tokenizer that is not installed ({error}): "
            "pip install 'wordfreq[cjk]'"
        ) from error
    lowest = min(wordfreq.get_frequency_dict(code).values())
    return code, round(math.log10(lowest) + 9, 2)


def word_position(stimulus: Stimulus) -> Features:
    """Position of each word in its sentence, its text and its run, from 0 to 1.

    Examples
    --------
    >>> words = ["Dogs", "bark.", "Cats", "sleep."]
    >>> stimulus = brainlm.Stimulus(words, "en", sentence=list("aabb"))
    >>> position = brainlm.word_position(stimulus)
    >>> position.columns.tolist()
    ['in sentence', 'in text', 'in run']
    >>> position.values[:, 0].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    levels = ("sentence", "text", "run")
    position = np.zeros((stimulus.n_words, len(levels)))
    for column, level in enumerate(levels):
        for _, rows in stimulus.blocks(level):
            position[rows, column] = np.linspace(0, 1, rows.stop - rows.start)
    return Features("position", position, stimulus, columns=[f"in {level}" for level in levels])


def word_interval(stimulus: Stimulus, most: float = 2.0) -> Features:
    """Seconds from the preceding word's onset to each word's, and on to that of the next one.

    Responses to neighbouring words overlap, the more so the closer the words are.

    Parameters
    ----------
    stimulus : Stimulus
        With onsets.
    most : float
        Longer intervals, and those at the edge of a run, count as this many seconds.

    Raises
    ------
    ValueError
        The words have no onsets.
    """
    if not stimulus.timed:
        raise ValueError("word_interval needs a stimulus with onsets; these words have no times")
    intervals = np.full((stimulus.n_words, 2), float(most))
    for _, rows in stimulus.blocks("run"):
        steps = np.diff(stimulus.onset[rows]).clip(max=most)
        intervals[rows.start + 1 : rows.stop, 0] = steps
        intervals[rows.start : rows.stop - 1, 1] = steps
    return Features("interval", intervals, stimulus, columns=["before", "after"])


def sentence_length(stimulus: Stimulus) -> Features:
    """Number of words in the sentence of each word.

    Examples
    --------
    >>> words = ["Dogs", "bark.", "Cats", "do", "not."]
    >>> stimulus = brainlm.Stimulus(words, "en", sentence=list("aabbb"))
    >>> brainlm.sentence_length(stimulus).values.ravel().tolist()
    [2.0, 2.0, 3.0, 3.0, 3.0]
    """
    length = np.empty((stimulus.n_words, 1))
    for _, rows in stimulus.blocks("sentence"):
        length[rows] = rows.stop - rows.start
    return Features("sentence length", length, stimulus)


def stroke_count(stimulus: Stimulus, strokes: Mapping[str, int]) -> Features:
    """Number of strokes of each Chinese word, summed over its characters.

    Parameters
    ----------
    stimulus : Stimulus
        The words; what is no letter or digit counts nothing.
    strokes : mapping of str to int
        Strokes of each character, from a table that the user has.

    Raises
    ------
    ValueError
        A character is not in the table.
    """
    written = [[c for c in word if c.isalnum()] for word in stimulus.words]
    lacking = sorted({c for word in written for c in word if c not in strokes})
    if lacking:
        raise ValueError(
            f"strokes lacks {len(lacking)} characters: {''.join(lacking[:40])}; complete the "
            "table, or select other words"
        )
    counts = [[float(sum(strokes[c] for c in word))] for word in written]
    return Features("stroke count", np.array(counts), stimulus)


def random_like(features: Features, seed: int = 0) -> Features:
    """Random embeddings with the shape and the geometry of ``features``, and no meaning.

    Row i is ``m + s * g_i``: ``m`` the mean row of ``features``, ``g_i`` standard normal and ``s``
    such that the total variance agrees. Shape, mean norm and mean pairwise similarity
    (anisotropy) are those of ``features``, so a score that these reach is a geometry effect.
    Equal words get equal rows.

    Parameters
    ----------
    features : Features
        A space with words.
    seed : int
        Seed of the generator.

    Examples
    --------
    >>> stimulus = brainlm.Stimulus(["the", "old", "man", "sleeps"], "en")
    >>> values = np.random.default_rng(0).standard_normal((4, 6))
    >>> twin = brainlm.random_like(brainlm.Features("layer 3", values, stimulus))
    >>> twin.values.shape
    (4, 6)
    """
    if features.stimulus is None:
        raise ValueError("random_like needs a feature space with words, this one has samples")
    values = np.asarray(features.values, dtype=float)
    mean = values.mean(axis=0)
    scale = np.sqrt(values.var(axis=0).mean())
    types, index = np.unique(features.stimulus.words.astype(str), return_inverse=True)
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((len(types), features.n_features))
    drawn = (mean + scale * noise[index]).astype(features.values.dtype)
    origin = {"random_like": features.name, "seed": seed}
    return Features(f"random ({features.name})", drawn, features.stimulus, origin=origin)


def random_walk(recording: Recording, n_features: int = 10, seed: int = 0) -> Features:
    """A smooth random walk per run: autocorrelated features without any linguistic content.

    Each column is a cumulative sum of normal steps, smoothed with a Gaussian of two samples and
    standardised inside its run. What these predict is leakage between neighbouring samples; a
    language model has to beat them.

    Parameters
    ----------
    recording : Recording
        A time series; one row is drawn per sample.
    n_features : int
        Number of independent walks.
    seed : int
        Seed of the generator.

    References
    ----------
    The idea of an autocorrelated empty baseline: Feghhi et al. 2024, arXiv 2406.01538.

    Examples
    --------
    >>> recording = brainlm.Recording(
    ...     np.arange(20.0)[:, None] ** 2, ["IFG"], "fmri", "BOLD (a.u.)", times=2.0 * np.arange(20)
    ... )
    >>> brainlm.random_walk(recording, n_features=3).values.shape
    (20, 3)
    """
    from scipy.ndimage import gaussian_filter1d

    values = _per_run(
        recording,
        n_features,
        seed,
        lambda noise: gaussian_filter1d(noise.cumsum(axis=0), sigma=2.0, axis=0),
    )
    return Features("empty baseline", values, origin={"random_walk": n_features, "seed": seed})


def smooth_noise(
    recording: Recording, n_features: int = 100, *, width: float = 2.0, seed: int = 0
) -> Features:
    """White noise smoothed in time, inside each run: neighbouring samples have similar features.

    Enough of these columns tell which sample is a neighbour of which and nothing else, so they
    predict held-out samples only where training samples are next to them.

    Parameters
    ----------
    recording : Recording
        A time series; one row is drawn per sample.
    n_features : int
        Number of independent columns, each standardised inside its run.
    width : float
        Standard deviation of the Gaussian, in samples.
    seed : int
        Seed of the generator.

    References
    ----------
    Feghhi et al. 2024, arXiv 2406.01538, use a blurred identity matrix; this is its random form.
    """
    from scipy.ndimage import gaussian_filter1d

    values = _per_run(
        recording, n_features, seed, lambda noise: gaussian_filter1d(noise, sigma=width, axis=0)
    )
    return Features("smooth noise", values, origin={"smooth_noise": n_features, "seed": seed})


def _per_run(
    recording: Recording, n_features: int, seed: int, smooth: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Smoothed standard normal numbers, standardised inside each run."""
    if recording.times is None:
        raise ValueError("needs a time series; this recording has items and no times")
    rng = np.random.default_rng(seed)
    values = np.empty((recording.n_samples, n_features))
    for run in recording.runs:
        rows = recording.run == run
        drawn = smooth(rng.standard_normal((int(rows.sum()), n_features)))
        values[rows] = (drawn - drawn.mean(axis=0)) / drawn.std(axis=0)
    return values
