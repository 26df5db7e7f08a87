"""Beam search for the text behind brain responses.

The search sees responses (through a guide), word times predicted from them, a language model and
its vocabulary. It is autoregressive: no word of a reference, nor its length, nor its times can
reach it, since no argument carries them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from scipy.stats import rankdata

from brainlm.decoding.beam_cache import Prefixes
from brainlm.decoding.proposals import Nucleus, Proposals, propose
from brainlm.decoding.scorers import Guide
from brainlm.decoding.stimulus_model import Rows, TextSpace, Timeline
from brainlm.decoding.vocabulary import Vocabulary
from brainlm.language_models import LanguageModel

__all__ = ["Beam", "Reader", "Reconstruction", "decode_text", "decode_texts"]

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
class Reader:
    """What reads candidates: a language model, its vocabulary, and the embedding of words.

    Attributes
    ----------
    model : LanguageModel
    vocabulary : Vocabulary
    space : TextSpace
        Learned on training words.
    context : int
        Words, see `brainlm.decoding.beam_cache`.
    layer : int
        Whose hidden states are the embedding.
    vectors : array of shape (n_vocabulary, n_states), optional
        Static vectors of the vocabulary, in place of hidden states.
    """

    model: LanguageModel
    vocabulary: Vocabulary
    space: TextSpace
    context: int
    layer: int = 1
    vectors: np.ndarray | None = None

    def embed(self, prefixes: Prefixes, proposals: Proposals) -> np.ndarray:
        """Return the embedding of every candidate, (n_candidates, n_features)."""
        if self.vectors is not None:
            return self.space.project(self.vectors[proposals.word])
        tokens = self.vocabulary.tokens
        edges = np.searchsorted(proposals.parent, np.arange(len(prefixes) + 1))
        branches = [
            [tokens[word] for word in proposals.word[start:stop]] for start, stop in pairwise(edges)
        ]
        return self.space.project(prefixes.states(branches, self.layer))


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A decoded text.

    Attributes
    ----------
    words : tuple of str, shape (n_words,)
    score : float
        Sum of the gains of the guide.
    log_p : float
        Log probability of the words under the language model.
    spread : float
        Mean standard deviation of the gains of candidates of one hypothesis: the guide's voice.
    n_candidates : int
        Candidates that were scored in all.
    """

    words: tuple[str, ...]
    score: float
    log_p: float
    spread: float
    n_candidates: int


def decode_text(
    reader: Reader, timeline: Timeline, guide: Guide, beam: Beam | None = None
) -> Reconstruction:
    """Search the text that the guide and the language model agree on.

    Parameters
    ----------
    reader : Reader
    timeline : Timeline
        Rows that each word touches; from word times that were predicted from the responses.
    guide : Guide
    beam : Beam, optional

    Returns
    -------
    Reconstruction
        The best of the beam; as many words as the timeline has.

    Notes
    -----
    Where the rules against repetition leave no hypothesis a candidate of its nucleus, likely words
    outside it are taken that do not repeat; only where there are none either are the rules lifted
    for that word. (Without the first step a model that is sure of its repetition says it for ever.)
    """
    return decode_texts(reader, timeline, [guide], [beam or Beam()])[0]


def decode_texts(
    reader: Reader, timeline: Timeline, guides: Sequence[Guide], beams: Sequence[Beam]
) -> list[Reconstruction]:
    """Search several texts with the same word times at once, each with its own guide.

    The searches do not see each other; they only share the passes through the language model, which
    cost little more for many hypotheses than for few. Rounding differs with the number of texts, so
    candidates that nearly tie may change places.

    Parameters
    ----------
    reader : Reader
    timeline : Timeline
    guides : sequence of Guide, shape (n_texts,)
    beams : sequence of Beam, shape (n_texts,)
        All of the same width and nucleus.

    Returns
    -------
    list of Reconstruction, shape (n_texts,)
        See `decode_text`.
    """
    if len({(beam.width, beam.nucleus) for beam in beams}) != 1 or len(guides) != len(beams):
        raise ValueError(
            f"{len(guides)} guides need as many beams of the same width and nucleus, got "
            f"{[(beam.width, beam.nucleus) for beam in beams]}"
        )
    prefixes = Prefixes(reader.model, reader.vocabulary, reader.context, len(guides))
    prefixes.check_room(sum(beam.width for beam in beams))
    searches = [
        _Search(guide, beam, Rows(timeline, guide.reach))
        for guide, beam in zip(guides, beams, strict=True)
    ]
    for word in range(timeline.n_words):
        owner = np.repeat(np.arange(len(searches)), [len(each.score) for each in searches])
        proposals = _proposals(prefixes, beams[0], owner, first=word == 0)
        whose = owner[proposals.parent]
        steps = np.zeros((len(proposals), timeline.n_features), dtype=np.float32)
        seen = np.isin(whose, [k for k, each in enumerate(searches) if each.guide.needs_states])
        if seen.any():
            states = reader.embed(prefixes, proposals.select(seen))
            steps[seen] = (states / timeline.scale.scale).astype(np.float32)
        parents, words = [], []
        for k, search in enumerate(searches):
            mine, first = whose == k, np.searchsorted(owner, k)
            found = proposals.select(mine)
            kept = search.extend(found.parent - first, found.log_p, steps[mine])
            parents.append(found.parent[kept])
            words.append(found.word[kept])
        prefixes.advance(np.concatenate(parents), np.concatenate(words))
    best = np.cumsum([0, *(len(each.score) for each in searches)])[:-1]
    spoken = [tuple(reader.vocabulary.words[i] for i in prefixes.history[row]) for row in best]
    return [each.result(said) for each, said in zip(searches, spoken, strict=True)]


class _Search:
    """The beam of one text: its hypotheses, their scores and what was spent on them."""

    def __init__(self, guide: Guide, beam: Beam, rows: Rows) -> None:
        self.guide, self.beam, self.rows = guide, beam, rows
        self.score, self.log_p = np.zeros(1), np.zeros(1)
        self.spreads: list[float] = []
        self.n_candidates = 0

    def extend(self, parent: np.ndarray, log_p: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Add a word to the hypotheses; return which candidates make the next beam, best first."""
        gains = self.guide.gains(self.rows, parent, steps)
        if not np.isfinite(gains).all():
            raise ValueError(f"word {self.rows.word}: the guide gave gains that are not finite")
        self.spreads.append(_spread(gains, parent))
        self.n_candidates += len(parent)
        score = gains + (self.score[parent] if self.guide.cumulative else 0)
        total = log_p + self.log_p[parent]
        kept = _select(parent, score + self.beam.lm_weight * total, self.log_p, self.beam)
        self.rows.advance(parent[kept], steps[kept])
        self.score, self.log_p = score[kept], total[kept]
        return kept

    def result(self, words: tuple[str, ...]) -> Reconstruction:
        """Return the best hypothesis, whose words are given."""
        spread = float(np.mean(self.spreads))
        return Reconstruction(
            words, float(self.score[0]), float(self.log_p[0]), spread, self.n_candidates
        )


def _proposals(prefixes: Prefixes, beam: Beam, owner: np.ndarray, *, first: bool) -> Proposals:
    """Return candidates, some for every search: ``owner`` says whose each hypothesis is."""
    least = min(beam.width, len(prefixes.vocabulary)) if first else 0
    proposals = propose(prefixes, beam.nucleus, least)
    for looser in (
        replace(beam.nucleus, mass=1.0, ratio=WIDE),
        replace(beam.nucleus, no_repeats=False),
    ):
        lacking = np.setdiff1d(owner, owner[proposals.parent])
        if not len(lacking):
            break
        more = propose(prefixes, looser)
        proposals = proposals.merge(more.select(np.isin(owner[more.parent], lacking)))
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


def _spread(gains: np.ndarray, parent: np.ndarray) -> float:
    """Return the standard deviation of gains inside hypotheses, over all of them."""
    counts = np.bincount(parent)
    mean = np.bincount(parent, gains) / np.maximum(counts, 1)
    return float(np.sqrt(np.mean((gains - mean[parent]) ** 2)))
