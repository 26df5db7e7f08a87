"""Features: one named feature space, a row per word (or per sample), and the control spaces."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from brainlm._checks import as_labels, check_finite, freeze, is_mapped, same_length
from brainlm._display import html_card
from brainlm.errors import unknown_name
from brainlm.recording import Recording
from brainlm.stimulus import Stimulus

__all__ = [
    "Features",
    "UnknownWordsWarning",
    "concatenate",
    "lag",
    "random_like",
    "random_walk",
    "sentence_length",
    "smooth_noise",
    "stroke_count",
    "word_length",
    "word_position",
    "word_rate",
    "zipf_frequency",
]

# Languages whose words wordfreq lists under another code.
SAME_LIST = {"no": "nb", "hr": "sh", "sr": "sh", "bs": "sh", "tl": "fil"}
MANY_UNKNOWN = 0.05


@dataclass(frozen=True, eq=False)
class Features:
    """One feature space.

    Parameters
    ----------
    name : str
        Name in tables and figures, such as ``"layer 3"`` or ``"word length"``.
    values : array of shape (n_words, n_features) or (n_samples, n_features)
        Finite numbers. Of values that are mapped from disk, some rows are looked at.
    stimulus : Stimulus, optional
        The words that the rows describe. Without it the rows are samples of a recording.
    columns : sequence of str, shape (n_features,), optional
        Names of single features where they mean something.
    origin : mapping
        How the values were got: model, revision, layer, context, pooling, dtype, seed ...
        JSON-able; it goes into every result.
    bands : mapping of str to int, optional
        Of a space that several were put into, side by side: name and number of columns of each, in
        order (see `concatenate`). A banded ridge gives each a penalty of its own.
    """

    name: str
    values: Any
    stimulus: Stimulus | None = None
    columns: Any = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    bands: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim != 2 or 0 in values.shape:
            raise ValueError(
                f"values of {self.name!r} must have shape (n_rows, n_features), neither zero, "
                f"got {values.shape}"
            )
        if not np.issubdtype(values.dtype, np.floating):
            values = values.astype(float)
        some = values[:: max(1, len(values) // 50)] if is_mapped(values) else values
        check_finite(some, f"values of {self.name!r}")
        if self.stimulus is not None:
            same_length({f"rows of {self.name!r}": len(values), "words": self.stimulus.n_words})
        if self.columns is not None:
            columns = as_labels(self.columns, "columns")
            same_length({f"columns of {self.name!r}": values.shape[1], "names": len(columns)})
            object.__setattr__(self, "columns", columns)
        if self.bands is not None:
            sizes = [int(size) for size in self.bands.values()]
            if min(sizes, default=0) < 1 or sum(sizes) != values.shape[1]:
                raise ValueError(
                    f"bands of {self.name!r} must have at least one column each and "
                    f"{values.shape[1]} together, got {dict(self.bands)}"
                )
            bands = MappingProxyType(dict(zip(self.bands, sizes, strict=True)))
            object.__setattr__(self, "bands", bands)
        object.__setattr__(self, "values", freeze(values))
        object.__setattr__(self, "origin", MappingProxyType(dict(self.origin)))

    def band_labels(self, n_delays: int = 1) -> np.ndarray:
        """Return the name of the band of every column, (n_delays * n_features,).

        Parameters
        ----------
        n_delays : int
            Delays that `align` made: it lays all columns out once per delay, one after the other.
        """
        bands = self.bands or {self.name: self.n_features}
        return np.tile(np.repeat(list(bands), list(bands.values())), n_delays)

    @property
    def n_features(self) -> int:
        """Number of features (columns)."""
        return self.values.shape[1]

    @property
    def level(self) -> str:
        """``"word"`` when the rows are words, ``"sample"`` when they are samples."""
        return "sample" if self.stimulus is None else "word"

    def renamed(self, name: str) -> Features:
        """Return the same space under another name."""
        return replace(self, name=name)

    def select_words(self, rows: Any) -> Features:
        """Return the space on some of its words (a boolean mask or rising indices)."""
        if self.stimulus is None:
            raise ValueError(f"{self.name!r} has no words to select: its rows are samples")
        return replace(self, values=self.values[rows], stimulus=self.stimulus.select(rows))

    def __repr__(self) -> str:
        return f"Features({self.name!r}, {len(self.values)} {self.level}s x {self.n_features})"

    def _repr_html_(self) -> str:
        facts = {
            "rows": f"{len(self.values)} ({self.level}s)",
            "features": self.n_features,
            "dtype": self.values.dtype,
            **{key: value for key, value in self.origin.items() if isinstance(value, str | int)},
        }
        names = [str(i) for i in range(self.n_features)] if self.columns is None else self.columns
        labels = self.stimulus.words[:5] if self.stimulus is not None else range(5)
        rows = [
            (label, *(float(value) for value in row[:6]))
            for label, row in zip(labels, self.values[:5], strict=False)
        ]
        return html_card(f"Features: {self.name}", facts, ["", *map(str, names[:6])], rows)


def concatenate(spaces: Sequence[Features], name: str) -> Features:
    """Return several spaces of the same words (or samples) side by side as one.

    Each becomes a band of its name (one that is put together already brings its own bands).

    Raises
    ------
    ValueError
        There are none, they describe different stimuli, or two bands have one name.
    """
    if not spaces:
        raise ValueError("spaces is empty: give at least one feature space")
    first = spaces[0]
    for space in spaces[1:]:
        if space.stimulus is not first.stimulus:
            raise ValueError(
                f"{space.name!r} and {first.name!r} describe different stimuli: "
                "embed both with the same Stimulus object"
            )
    same_length({space.name: len(space.values) for space in spaces})
    origin = {"concatenated": [{"name": space.name, **space.origin} for space in spaces]}
    bands: dict[str, int] = {}
    for space in spaces:
        for band, size in (space.bands or {space.name: space.n_features}).items():
            if band in bands:
                raise ValueError(f"two bands are called {band!r}: rename one, .renamed()")
            bands[band] = size
    values = np.hstack([space.values for space in spaces])
    return Features(name, values, first.stimulus, origin=origin, bands=bands)


def lag(features: Features, n: int = 1, *, level: str = "sentence") -> Features:
    """Return the features of the ``n``-th preceding word, for spill-over effects.

    Readers slow down on the words after a hard one, so models of reading times include the
    surprisal, length and frequency of the preceding words: ``concatenate([x, lag(x, 1)], "x")``.
    A word with fewer than ``n`` preceding words gets the mean over the others, which carries no
    information in a regression; ``origin["first_words"]`` counts these words.

    Parameters
    ----------
    features : Features
        A row per word.
    n : int
        Words back, at least 1.
    level : {"sentence", "text", "run"}
        The unit that a lag stays inside. Use "text" where sentences are read in passages, so that
        the end of one sentence spills over to the next.

    Returns
    -------
    Features, shape (n_words, n_features)
        ``origin["first_words"]`` counts the words without one ``n`` before.

    Raises
    ------
    ValueError
        Rows that are no words; ``n`` below 1; no word has ``n`` words before it.
    UnknownNameError
        Another level.

    Examples
    --------
    >>> words = Stimulus(["the", "old", "man"], "en")
    >>> lag(word_length(words)).values.ravel().tolist()
    [3.0, 3.0, 3.0]
    """
    if features.stimulus is None:
        raise ValueError(f"{features.name!r} has a row per sample: its words cannot be lagged")
    if n < 1:
        raise ValueError(f"n must be at least 1 word back, got {n}")
    if level not in ("sentence", "text", "run"):
        raise unknown_name("level", level, ("sentence", "text", "run"))
    source = np.full(len(features.values), -1)
    for _, rows in features.stimulus.blocks(level):
        source[rows.start + n : rows.stop] = np.arange(rows.start, max(rows.start, rows.stop - n))
    without = source < 0
    if without.all():
        raise ValueError(f"no word of {features.name!r} has {n} words before it in its {level}")
    values = features.values[source]
    values[without] = values[~without].mean(axis=0)
    origin = {
        **features.origin,
        "words_back": n,
        "within": level,
        "first_words": int(without.sum()),
    }
    return replace(features, name=f"{features.name}, {n} back", values=values, origin=origin)


def word_rate(stimulus: Stimulus) -> Features:
    """One per word: summed into samples it becomes the number of words per sample."""
    return Features("word rate", np.ones((stimulus.n_words, 1)), stimulus)


def word_length(stimulus: Stimulus) -> Features:
    """Number of letters or characters of each word; punctuation marks do not count."""
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


@cache
def _frequency_list(language: str) -> tuple[str, float]:
    """Return the code of wordfreq's list of a language, and the lowest Zipf frequency in it."""
    import wordfreq

    code = language.split("-")[0]
    code = SAME_LIST.get(code, code)
    # wordfreq itself takes the nearest language however far it is: English for Swahili.
    codes = sorted(wordfreq.available_languages())
    if code not in codes:
        raise ValueError(
            f"wordfreq has no list of frequencies in {language!r}; it has {', '.join(codes)}. "
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
    """Position of each word in its sentence, its text and its run, from 0 to 1."""
    levels = ("sentence", "text", "run")
    position = np.zeros((stimulus.n_words, len(levels)))
    for column, level in enumerate(levels):
        for _, rows in stimulus.blocks(level):
            position[rows, column] = np.linspace(0, 1, rows.stop - rows.start)
    return Features("position", position, stimulus, columns=[f"in {level}" for level in levels])


def sentence_length(stimulus: Stimulus) -> Features:
    """Number of words in the sentence of each word."""
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
    """White noise smoothed in time, inside each run: neighbouring samples have alike features.

    Enough of these columns tell which sample is a neighbour of which and nothing else, so they
    predict held-out samples exactly where training samples stand beside them.

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
