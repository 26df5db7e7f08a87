"""Beam search for the text behind brain responses.

The search sees responses (through a scorer), word times predicted from them, a language model and
its vocabulary. It is autoregressive: no word of a reference, nor its length, nor its times can
reach it, since no argument carries them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from scipy.stats import rankdata

from brainlm.decoding.beam_cache import BeamCache
from brainlm.decoding.proposals import Nucleus, Proposals, propose
from brainlm.decoding.scorers import Scorer
from brainlm.decoding.stimulus_model import RowWindow, StimulusModel, TextSpace
from brainlm.decoding.vocabulary import Vocabulary
from brainlm.language_models import LanguageModel

WIDE = 1e-9  # share of the largest probability, where the nucleus holds repetitions alone


@dataclass(frozen=True)
class Beam:
    """Settings of the search.

    Attributes
    ----------
    width : int
        Hypotheses that are kept; published: 200.
    extensions : int
        Hypothesis of rank r (by summed log probability, the likeliest has rank ``width``) may give
        ``ceil(extensions * r / width)`` of its candidates; published: 5.
    lm_weight : float
        Weight beta of the summed log probability of the words in the score; published: 0. Choose
        it on a training run.
    nucleus : Nucleus
    """

    width: int = 200
    extensions: int = 5
    lm_weight: float = 0.0
    nucleus: Nucleus = field(default_factory=Nucleus)

    def __post_init__(self) -> None:
        for name in ("width", "extensions"):
            if int(getattr(self, name)) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.lm_weight < 0:
            raise ValueError(f"lm_weight must be 0 or more, got {self.lm_weight}")


@dataclass(frozen=True, eq=False)
class CandidateEmbedder:
    """Embedding of candidate words: a language model, its vocabulary, and the space of words.

    Attributes
    ----------
    model : LanguageModel
    vocabulary : Vocabulary
    space : TextSpace
        Learned on training words.
    context : int
        Words, see `brainlm.decoding.beam_cache`.
    layer : int
        Layer whose hidden states are the embedding.
    vectors : array of shape (n_vocabulary, n_states), optional
        Static vectors of the vocabulary, in place of hidden states.
    """

    model: LanguageModel
    vocabulary: Vocabulary
    space: TextSpace
    context: int
    layer: int = 1
    vectors: np.ndarray | None = None

    def embed(self, cache: BeamCache, proposals: Proposals) -> np.ndarray:
        """Return the embedding of every candidate, (n_candidates, n_features)."""
        if self.vectors is not None:
            return self.space.project(self.vectors[proposals.word])
        tokens = self.vocabulary.tokens
        edges = np.searchsorted(proposals.parent, np.arange(len(cache) + 1))
        branches = [
            [tokens[word] for word in proposals.word[start:stop]] for start, stop in pairwise(edges)
        ]
        return self.space.project(cache.states(branches, self.layer))


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A decoded text.

    Attributes
    ----------
    words : tuple of str, shape (n_words,)
    score : float
        Sum of the gains of the scorer.
    log_p : float
        Log probability of the words under the language model.
    gain_sd : float
        Mean standard deviation of the gains of candidates of one hypothesis.
    n_candidates : int
        Candidates that were scored in all.
    """

    words: tuple[str, ...]
    score: float
    log_p: float
    gain_sd: float
    n_candidates: int


class BeamState:
    """Hypotheses of all searches: their words in the language model and their stimulus rows.

    Parameters
    ----------
    embedder : CandidateEmbedder
    stimulus_model : StimulusModel
    reach : int
        The largest of the scorers.
    n : int
        Texts that are searched; each begins as one empty hypothesis.

    Attributes
    ----------
    cache : BeamCache
    rows : RowWindow
    search : array of int, shape (n_hypotheses,)
        The search that each hypothesis belongs to; hypotheses of a search are neighbours.
    """

    def __init__(
        self, embedder: CandidateEmbedder, stimulus_model: StimulusModel, reach: int, n: int = 1
    ) -> None:
        self.embedder = embedder
        self.cache = BeamCache(embedder.model, embedder.vocabulary, embedder.context, n)
        self.rows = RowWindow(stimulus_model, reach, n)
        self.search = np.arange(n)

    def hypotheses(self, search: int) -> slice:
        """Return the places of the hypotheses of a search, best first."""
        return slice(*np.searchsorted(self.search, [search, search + 1]).tolist())

    def steps(self, proposals: Proposals, seen: np.ndarray) -> np.ndarray:
        """Return embeddings over the scale of rows, 0 for candidates that are not ``seen``."""
        model = self.rows.stimulus_model
        steps = np.zeros((len(proposals), model.n_features), dtype=np.float32)
        if seen.any():
            states = self.embedder.embed(self.cache, proposals.select(seen))
            steps[seen] = (states / model.scale.scale).astype(np.float32)
        return steps

    def advance(self, parents: np.ndarray, words: np.ndarray, steps: np.ndarray) -> None:
        """Make the next beam: hypothesis ``parents[k]`` followed by word ``words[k]``."""
        self.cache.advance(parents, words)
        self.rows.advance(parents, steps)
        self.search = self.search[parents]


def decode_text(
    embedder: CandidateEmbedder,
    stimulus_model: StimulusModel,
    scorer: Scorer,
    beam: Beam | None = None,
) -> Reconstruction:
    """Search for the text that the scorer and the language model agree on.

    Parameters
    ----------
    embedder : CandidateEmbedder
    stimulus_model : StimulusModel
        Rows that each word touches; from word times that were predicted from the responses.
    scorer : Scorer
    beam : Beam, optional

    Returns
    -------
    Reconstruction
        The best of the beam; as many words as the stimulus model has.

    Notes
    -----
    Where the rules against repetition leave no hypothesis a candidate of its nucleus, likely words
    outside it are taken that do not repeat; only where there are none either are the rules lifted
    for that word. (Without the first step a model that is sure of its repetition repeats it for
    ever.)
    """
    return decode_texts(embedder, stimulus_model, [scorer], [beam or Beam()])[0]


def decode_texts(
    embedder: CandidateEmbedder,
    stimulus_model: StimulusModel,
    scorers: Sequence[Scorer],
    beams: Sequence[Beam],
) -> list[Reconstruction]:
    """Search for several texts with the same word times at once, each with its own scorer.

    The searches do not see each other; they only share the passes through the language model, which
    cost little more for many hypotheses than for few. Rounding differs with the number of texts, so
    candidates that nearly tie may change places.

    Parameters
    ----------
    embedder : CandidateEmbedder
    stimulus_model : StimulusModel
    scorers : sequence of Scorer, shape (n_texts,)
    beams : sequence of Beam, shape (n_texts,)
        All of the same width and nucleus.

    Returns
    -------
    list of Reconstruction, shape (n_texts,)
        See `decode_text`.
    """
    if len({(beam.width, beam.nucleus) for beam in beams}) != 1 or len(scorers) != len(beams):
        raise ValueError(
            f"{len(scorers)} scorers need as many beams of the same width and nucleus, got "
            f"{[(beam.width, beam.nucleus) for beam in beams]}"
        )
    reach = max(scorer.reach for scorer in scorers)
    state = BeamState(embedder, stimulus_model, reach, len(scorers))
    state.cache.require_memory(sum(beam.width for beam in beams))
    searches = [_Search(scorer, beam) for scorer, beam in zip(scorers, beams, strict=True)]
    embedding = [k for k, scorer in enumerate(scorers) if scorer.needs_states]
    for word in range(stimulus_model.n_words):
        proposals = _proposals(state, beams[0], first=word == 0)
        search = state.search[proposals.parent]
        steps = state.steps(proposals, np.isin(search, embedding))
        kept = [each.extend(state, k, proposals, steps) for k, each in enumerate(searches)]
        chosen = np.concatenate(kept)
        state.advance(proposals.parent[chosen], proposals.word[chosen], steps[chosen])
    words = [state.cache.history[state.hypotheses(k).start] for k in range(len(searches))]
    spoken = [tuple(embedder.vocabulary.words[i] for i in best) for best in words]
    return [each.result(said) for each, said in zip(searches, spoken, strict=True)]


class _Search:
    """Scores of the hypotheses of one text, and the cost of its search."""

    def __init__(self, scorer: Scorer, beam: Beam) -> None:
        self.scorer, self.beam = scorer, beam
        self.score, self.log_p = np.zeros(1), np.zeros(1)
        self.deviations: list[float] = []
        self.n_candidates = 0

    def extend(
        self, state: BeamState, number: int, proposals: Proposals, steps: np.ndarray
    ) -> np.ndarray:
        """Add a word to the hypotheses of this search.

        Returns
        -------
        array of int
            Places in ``proposals`` of the candidates that make its next beam, best first.
        """
        own = state.hypotheses(number)
        mine = np.flatnonzero(state.search[proposals.parent] == number)
        parent = proposals.parent[mine] - own.start
        rows = state.rows.of(own)
        if getattr(self.scorer, "reads_words", False):
            history, words = state.cache.history[own], proposals.word[mine]
            gains = self.scorer.word_gains(rows, parent, history, words)  # type: ignore[attr-defined]
        else:
            gains = self.scorer.gains(rows, parent, steps[mine])
        if not np.isfinite(gains).all():
            raise ValueError(f"word {rows.word}: the scorer gave gains that are not finite")
        self.deviations.append(_deviation(gains, parent))
        self.n_candidates += len(parent)
        score = gains + (self.score[parent] if self.scorer.cumulative else 0)
        total = proposals.log_p[mine] + self.log_p[parent]
        kept = _select(parent, score + self.beam.lm_weight * total, self.log_p, self.beam)
        self.score, self.log_p = score[kept], total[kept]
        return mine[kept]

    def result(self, words: tuple[str, ...]) -> Reconstruction:
        """Return the best hypothesis, given its words."""
        gain_sd = float(np.mean(self.deviations))
        return Reconstruction(
            words, float(self.score[0]), float(self.log_p[0]), gain_sd, self.n_candidates
        )


def _proposals(state: BeamState, beam: Beam, *, first: bool) -> Proposals:
    """Return candidates, some of them for every search."""
    least = min(beam.width, len(state.cache.vocabulary)) if first else 0
    proposals = propose(state.cache, beam.nucleus, least)
    for looser in (
        replace(beam.nucleus, mass=1.0, ratio=WIDE),
        replace(beam.nucleus, no_repeats=False),
    ):
        lacking = np.setdiff1d(state.search, state.search[proposals.parent])
        if not len(lacking):
            break
        more = propose(state.cache, looser)
        wanted = np.isin(state.search[more.parent], lacking)
        proposals = proposals.merge(more.select(wanted))
    return proposals


def _select(parent: np.ndarray, total: np.ndarray, log_p: np.ndarray, beam: Beam) -> np.ndarray:
    """Return the candidates of the next beam, best first, within each hypothesis' quota."""
    quota = np.ceil(beam.extensions * rankdata(log_p) / len(log_p))
    if len(log_p) == 1:
        quota[:] = beam.width
    order = np.lexsort((-total, parent))
    starts = np.searchsorted(parent[order], np.arange(len(log_p)))
    place = np.arange(len(order)) - starts[parent[order]]
    allowed = order[place < quota[parent[order]]]
    return allowed[np.argsort(-total[allowed], kind="stable")[: beam.width]]


def _deviation(gains: np.ndarray, parent: np.ndarray) -> float:
    """Return the standard deviation of gains inside hypotheses, over all of them."""
    counts = np.bincount(parent)
    mean = np.bincount(parent, gains) / np.maximum(counts, 1)
    return float(np.sqrt(np.mean((gains - mean[parent]) ** 2)))
