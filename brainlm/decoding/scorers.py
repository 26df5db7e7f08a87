"""Scorers of candidate words by brain responses, behind one interface.

A scorer gives each candidate a gain: by how much the score of the whole text rises when the word is
added. Gains add up along a hypothesis, so hypotheses are compared by the score of all their words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from brainlm.compute.backend import at, cast, full, host, like, row_dots
from brainlm.decoding.encoding_model import EncodingModel
from brainlm.decoding.stimulus_model import RowWindow


class Scorer(Protocol):
    """Interface between the beam search and a scorer.

    Attributes
    ----------
    reach : int
        Rows beyond those that a word touches which the gain depends on.
    needs_states : bool
        Whether it looks at the embedding of a candidate at all.
    cumulative : bool
        Whether gains add up along a hypothesis.
    reads_words : bool, optional
        Whether the gain comes from ``word_gains``, which gets the words themselves
        (`brainlm.decoding.prompted.PromptedModel`).
    """

    reach: int
    needs_states: bool
    cumulative: bool

    def gains(self, rows: RowWindow, parents: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return the gain of each candidate.

        Parameters
        ----------
        rows : RowWindow
            The hypotheses so far.
        parents : array of int, shape (n_candidates,)
            Which hypothesis each candidate extends.
        steps : array of shape (n_candidates, n_features)
            Embedding of each candidate, over the scale of rows.
        """


class EncodingLikelihood:
    """Log likelihood of the responses under an encoding model (Tang et al. 2023).

    ::

        L = -1/2 sum_r (y_r - p_r)' S^-1 (y_r - p_r),    p_r = sum_d z_{r-d} W_d + b

    over the samples r, rows z and delays d. The published code sums the samples that a word can
    affect; those that it cannot cancel between candidates, so the gain is the same. Ours is how it
    is computed: with ``G = W S^-1 W'`` and ``c_k = sum_d W_d S^-1 (y_{k+d} - b)`` made once, a
    word that adds ``l_k g`` to rows k gains::

        g . sum_k l_k (c_k - sum_k' H_kk' z_k')  -  1/2 g' (sum_kk' l_k l_k' H_kk') g

    where ``H_kk'`` sums the blocks of G whose samples agree: n_features squared multiplications
    per candidate, whatever the number of targets.

    Parameters
    ----------
    model : EncodingModel
        Gains are computed where it is (`EncodingModel.on`), and returned as numpy arrays.
    responses : array of shape (n_samples, n_targets)
        Of the text to be decoded, in the units of the training responses.
    before : int
        Rows before the first sample: sample r is predicted from rows ``r + before - delay``.
    """

    needs_states = True
    cumulative = True

    def __init__(self, model: EncodingModel, responses: np.ndarray, before: int) -> None:
        self.delays = model.delays
        self.reach = max(self.delays) - min(self.delays)
        self.before, self.n_samples = before, len(responses)
        G, b = model.products(responses)
        n_delays = len(self.delays)
        self.n_features = len(G) // n_delays
        blocks = G.reshape(n_delays, self.n_features, n_delays, self.n_features)
        self._blocks = cast(blocks.swapaxes(1, 2), in_double=False)
        self._evidence = cast(b.reshape(len(b), n_delays, self.n_features), in_double=False)
        self._H: dict[tuple, Any] = {}

    def gains(self, rows: RowWindow, parents: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return the rise of the log likelihood, (n_candidates,); see `Scorer.gains`."""
        weights = rows.weights()
        touched = np.flatnonzero(weights)
        values, steps = like(rows.values, self._blocks), like(steps, self._blocks)
        pull = full((len(values), self.n_features), 0, self._blocks)
        curve = full((self.n_features, self.n_features), 0, self._blocks)
        sums: dict[tuple, list[tuple[int, float]]] = {}
        for k in touched:
            row = rows.first + int(k)
            seen = self._seen(row)
            for d in seen:
                pull += float(weights[k]) * self._evidence[row - self.before + self.delays[d], d]
            for shift in range(-self.reach, self.reach + 1):
                other = int(k) + shift
                if not 0 <= other < len(weights):
                    continue
                sums.setdefault((seen, shift), []).append((other, float(weights[k])))
                curve += float(weights[k] * weights[other]) * self._coupling(seen, shift)
        for (seen, shift), terms in sums.items():
            mixed: Any = sum(weight * values[:, other] for other, weight in terms)
            pull -= mixed @ self._coupling(seen, shift).T
        linear = row_dots(steps, pull[at(parents, pull)])
        return host(linear - 0.5 * row_dots(steps @ curve, steps))

    def _seen(self, row: int) -> tuple[int, ...]:
        """Return the delays (their places) at which a row reaches a recorded sample."""
        sample = [row - self.before + delay for delay in self.delays]
        return tuple(d for d, r in enumerate(sample) if 0 <= r < self.n_samples)

    def _coupling(self, seen: tuple[int, ...], shift: int) -> Any:
        """Return H between a row and the one ``shift`` rows later, over the delays ``seen``."""
        key = (seen, shift)
        if key not in self._H:
            total = full((self.n_features, self.n_features), 0, self._blocks)
            for d in seen:  # row + delay = row + shift + delay'
                other = self.delays[d] - shift
                if other in self.delays:
                    total += self._blocks[d, self.delays.index(other)]
            self._H[key] = total
        return self._H[key]


class EmbeddingSimilarity:
    """Similarity of the text's embedding with the one decoded from the brain (MapGuide; ours).

    ::

        1/m sum_k  z_k . e_k / sqrt(|z_k|^2 + r_k)

    over the rows k, with e the decoded rows, m their mean length, and ``r_k`` what the words to
    come will add to ``|z_k|^2`` on average (`StimulusModel.expected_power`). Of a finished row this
    is the cosine, weighted by the length of the decoded row: a mapper that is unsure shrinks its
    answer, so rows that the brain hardly determines count little. A row that has only begun counts
    by how much of it is there. Its plain cosine would be the full cosine of whichever word came
    first, or the opposite where that word has a negative weight. Rows that are no longer touched
    stay as they are, so the gain is the change over the rows that the word touches.

    Parameters
    ----------
    decoded : array of shape (n_rows, n_features)
        Decoded rows, z-scored like the rows of the text.
    known : array of bool, shape (n_rows,), optional
        Which rows were decoded. Default: all.
    """

    needs_states = True
    cumulative = True
    reach = 0

    def __init__(self, decoded: np.ndarray, known: np.ndarray | None = None) -> None:
        norm = np.linalg.norm(decoded, axis=1)
        self._known = norm > 0 if known is None else np.asarray(known) & (norm > 0)
        mean = norm[self._known].mean() if self._known.any() else 1.0
        self._decoded = (decoded / mean).astype(np.float32)

    def gains(self, rows: RowWindow, parents: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return the rise of the summed similarity, (n_candidates,); see `Scorer.gains`."""
        weights = rows.weights()
        touched = rows.first + np.flatnonzero(weights)
        before, after = (rows.stimulus_model.expected_power(rows.word + k, touched) for k in (0, 1))
        total = np.zeros(len(parents), dtype=np.float32)
        squared = np.einsum("cf,cf->c", steps, steps)
        for row, left, right in zip(touched, before, after, strict=True):
            if not 0 <= row < len(self._decoded) or not self._known[row]:
                continue
            k = row - rows.first
            z, e, w = rows.values[:, k], self._decoded[row], weights[k]
            size, along = np.einsum("hf,hf->h", z, z), z @ e
            cross = np.einsum("cf,cf->c", steps, z[parents])
            new = size[parents] + 2 * w * cross + w * w * squared
            total += (along[parents] + w * (steps @ e)) / _root(new + right)
            total -= (along / _root(size + left))[parents]
        return total


class Mixture:
    """A weighted sum of scorers: ``sum_i weight_i gain_i``.

    Parameters
    ----------
    scorers : sequence of Scorer
        Cumulative ones.
    weights : sequence of float
        Chosen on a training run, such as 1 over the ``spread`` of each scorer's gains.
    """

    cumulative = True

    def __init__(self, scorers: Sequence[Scorer], weights: Sequence[float]) -> None:
        if len(scorers) != len(weights) or not scorers:
            raise ValueError(f"{len(scorers)} scorers need as many weights, got {len(weights)}")
        if not all(scorer.cumulative for scorer in scorers):
            raise ValueError(
                "a mixture is made of scorers whose gains add up; RandomScorer's do not"
            )
        if any(getattr(scorer, "reads_words", False) for scorer in scorers):
            raise ValueError("a mixture is made of scorers of embeddings; a soft prompt is none")
        self.scorers, self.weights = tuple(scorers), tuple(float(w) for w in weights)
        self.reach = max(scorer.reach for scorer in scorers)
        self.needs_states = any(scorer.needs_states for scorer in scorers)

    def gains(self, rows: RowWindow, parents: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return the weighted sum; see `Scorer.gains`."""
        pairs = zip(self.scorers, self.weights, strict=True)
        return np.sum([weight * g.gains(rows, parents, steps) for g, weight in pairs], axis=0)


class LanguageModelOnly:
    """No brain: every gain is 0, and the language model alone decides."""

    needs_states = False
    cumulative = True
    reach = 0

    def gains(self, rows: RowWindow, parents: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return zeros; see `Scorer.gains`."""
        return np.zeros(len(parents), dtype=np.float32)


class RandomScorer:
    """Random gains, drawn at every word: the published null (Tang et al. 2023, code).

    Parameters
    ----------
    seed : int
    """

    needs_states = False
    cumulative = False
    reach = 0

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def gains(self, rows: RowWindow, parents: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return standard normal numbers; see `Scorer.gains`."""
        return self._rng.standard_normal(len(parents)).astype(np.float32)


def _root(squared: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(squared, 1e-12))
