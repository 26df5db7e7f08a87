"""Stimulus model: the rows that a text fills while it is being decoded, word by word.

A row is the z-scored embedding of the text at one sample time (one TR; in sentence mode, of one
sentence)::

    z_k = (sum_w L_kw f_w - mean) / scale

with f_w the embedding of word w and L_kw its weight in row k (Lanczos at the word's middle; 1 over
the number of words in sentence mode). Word w adds ``L_kw f_w / scale`` to a few rows and leaves
the others as they are, so a hypothesis is a short window of rows and a new word an update of it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from brainlm._validation import same_length
from brainlm.encoding._ridge.solve import Standardizer
from brainlm.encoding.align import lanczos_weights


@dataclass(frozen=True, eq=False)
class TextSpace:
    """Map from hidden states (or static vectors) of words to the embedding that is decoded.

    ``f = ((state - mean) / scale) @ components``: z-scored over training words, then principal
    components (ours). Centred on training words, so a word not yet decoded counts as the mean one.
    """

    standardizer: Standardizer
    components: np.ndarray

    def project(self, states: np.ndarray) -> np.ndarray:
        """Return the embedding of words, (n_words, n_features), from (n_words, n_states)."""
        return self.standardizer.apply(states) @ self.components


@dataclass(frozen=True, eq=False)
class RowScale(Standardizer):
    """Mean and scale of the rows of the training stories.

    Attributes
    ----------
    mean, scale : array of shape (n_features,)
        Mean and standard deviation of rows.
    power : float
        Mean of ``|f / scale|^2`` over training words: by how much a word of weight 1 that is still
        to come will enlarge the squared length of its row, on average.
    """

    power: float = 0.0


def learn_space(states: np.ndarray, n_components: int | None = None) -> TextSpace:
    """Learn a `TextSpace` from training words.

    Parameters
    ----------
    states : array of shape (n_words, n_states)
    n_components : int, optional
        Principal components to keep. Default: no rotation, all z-scored states.
    """
    learned = Standardizer.learn(states, scale=True)
    Z = learned.apply(states)
    n_states = Z.shape[1]
    if n_components is None:
        return TextSpace(learned, np.eye(n_states, dtype=states.dtype))
    if not 1 <= n_components <= min(Z.shape):
        raise ValueError(f"n_components must be from 1 to {min(Z.shape)}, got {n_components}")
    _, vectors = np.linalg.eigh(Z.T @ Z)
    return TextSpace(learned, np.ascontiguousarray(vectors[:, ::-1][:, :n_components]))


def learn_row_scale(rows: np.ndarray, words: np.ndarray) -> RowScale:
    """Learn a `RowScale` from rows and words of the training stories, (n, n_features) each."""
    learned = Standardizer.learn(rows, scale=True)
    power = float(((words / learned.scale) ** 2).sum(axis=1).mean())
    return RowScale(learned.mean, learned.scale, power)


def row_times(sample_times: np.ndarray, before: int) -> np.ndarray:
    """Return the start times of rows: those of the samples, and of ``before`` samples earlier."""
    step = float(np.median(np.diff(sample_times)))
    return np.r_[sample_times[0] - step * np.arange(before, 0, -1), sample_times]


def word_weights(middle: np.ndarray, times: np.ndarray, n_lobes: int = 3) -> sparse.csc_array:
    """Return Lanczos weights of words in rows, (n_rows, n_words).

    Parameters
    ----------
    middle : array of shape (n_words,)
        Middle of each word in seconds, rising.
    times : array of shape (n_rows,)
        Start of each row (`row_times`).
    n_lobes : int
    """
    step = float(np.median(np.diff(times)))
    weights = lanczos_weights(middle, times + step / 2, cutoff=1 / step, n_lobes=n_lobes)
    return sparse.csc_array(weights)


def story_rows(embedding: np.ndarray, middle: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the rows of a whole story before scaling, (n_rows, n_features)."""
    same_length({"rows of embedding": len(embedding), "words": len(middle)})
    rows = word_weights(middle, times) @ embedding
    return np.asarray(rows, dtype=embedding.dtype)


class StimulusModel:
    """Rows that each word of a text touches, and the rows before any word.

    Parameters
    ----------
    weights : sparse array of shape (n_rows, n_words)
        Weight of each word in each row; the words' rows rise.
    scale : RowScale

    Attributes
    ----------
    first, last : array of int, shape (n_words,)
        First and last row that a word touches.
    """

    def __init__(self, weights: sparse.sparray, scale: RowScale) -> None:
        self._weights = sparse.csc_array(weights)
        self._weights.sort_indices()
        self.scale = scale
        pointers, rows = self._weights.indptr, self._weights.indices
        empty = np.flatnonzero(np.diff(pointers) == 0)
        if len(empty):
            raise ValueError(
                f"word {empty[0]} touches no row ({len(empty)} such words): word times and sample "
                "times are on different clocks"
            )
        self.first, self.last = rows[pointers[:-1]], rows[pointers[1:] - 1]
        if (np.diff(self.first) < 0).any():
            raise ValueError("the words' times must rise")

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self._weights.shape[0])

    @property
    def n_words(self) -> int:
        """Number of words."""
        return int(self._weights.shape[1])

    @property
    def n_features(self) -> int:
        """Width of a row."""
        return len(self.scale.mean)

    @property
    def blank(self) -> np.ndarray:
        """A row of mean words: ``-mean / scale``, (n_features,)."""
        return -self.scale.mean / self.scale.scale

    def expected_power(self, word: int, rows: np.ndarray) -> np.ndarray:
        """Return the expected increase of squared row lengths from the words after ``word``.

        ::

            scale.power * sum_{w >= word} L_kw^2

        Parameters
        ----------
        word : int
        rows : array of int, shape (n,)
        """
        stop = int(np.searchsorted(self.first, rows.max(), side="right"))
        left = self._weights[:, word : max(word, stop)][rows]
        return np.asarray(left.power(2).sum(axis=1)).ravel() * self.scale.power

    def rows_of(self, word: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that a word touches, and its weights in them."""
        part = slice(self._weights.indptr[word], self._weights.indptr[word + 1])
        return self._weights.indices[part], self._weights.data[part]


class RowWindow:
    """The window of rows of every hypothesis around the word that comes next.

    Parameters
    ----------
    stimulus_model : StimulusModel
    reach : int
        Rows on both sides of those that the word touches.
    n : int
        Empty hypotheses to begin with.

    Attributes
    ----------
    word : int
        Number of the next word.
    first : int
        Row number of ``values[:, 0]``; rows below 0 or beyond the end stay blank.
    values : array of shape (n_hypotheses, n_window, n_features)
    """

    def __init__(self, stimulus_model: StimulusModel, reach: int, n: int = 1) -> None:
        self.stimulus_model, self.reach, self.word = stimulus_model, reach, 0
        width = int((stimulus_model.last - stimulus_model.first).max()) + 1 + 2 * reach
        self.first = int(stimulus_model.first[0]) - reach
        self.values = np.tile(stimulus_model.blank.astype(np.float32), (n, width, 1))

    def of(self, hypotheses: slice) -> RowWindow:
        """Return the same window of some of the hypotheses, without a copy."""
        part = copy.copy(self)
        part.values = self.values[hypotheses]
        return part

    def weights(self) -> np.ndarray:
        """Return the weights of the next word in the rows of the window, (n_window,)."""
        rows, weights = self.stimulus_model.rows_of(self.word)
        full = np.zeros(self.values.shape[1], dtype=np.float32)
        full[rows - self.first] = weights
        return full

    def advance(self, parents: np.ndarray, steps: np.ndarray) -> None:
        """Add a word to hypotheses ``parents``; ``steps`` is f / scale, (n_new, n_features)."""
        values = self.values[parents]
        weights = self.weights()
        for k in np.flatnonzero(weights):
            values[:, k] += weights[k] * steps
        self.word += 1
        if self.word < self.stimulus_model.n_words:
            shift = int(self.stimulus_model.first[self.word]) - self.reach - self.first
            if shift:
                moved = np.empty_like(values)
                moved[:] = self.stimulus_model.blank
                moved[:, : max(0, values.shape[1] - shift)] = values[:, shift:]
                values, self.first = moved, self.first + shift
        self.values = values
