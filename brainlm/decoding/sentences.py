"""Sentence mode: one brain pattern per sentence, as in Pereira et al. 2018.

The embedding of a sentence is the mean of its words'; a candidate changes the mean by its share,
so the machinery of stories applies with a single row per sentence. How many words a sentence has
is predicted from the pattern, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from brainlm.decoding.beam_search import Beam, CandidateEmbedder, Reconstruction, decode_texts
from brainlm.decoding.embedding import EmbeddingDecoder
from brainlm.decoding.scorers import EmbeddingSimilarity, Scorer
from brainlm.decoding.stimulus_model import RowScale, StimulusModel, learn_row_scale, learn_space
from brainlm.decoding.vocabulary import Vocabulary
from brainlm.decoding.words import read_states
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.language_models import LanguageModel


def sentence_rows(embedding: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the mean embedding of each sentence, (n_sentences, n_features)."""
    starts = np.r_[0, np.cumsum(lengths)[:-1]]
    return np.add.reduceat(embedding, starts, axis=0) / np.asarray(lengths)[:, None]


@dataclass(frozen=True, eq=False)
class SentenceDecoder:
    """Models learned on the training sentences; see `fit_sentence_decoder`."""

    embedder: CandidateEmbedder
    scale: RowScale
    mapper: EmbeddingDecoder
    length: RidgeEncoder
    longest: int

    def n_words(self, patterns: np.ndarray) -> np.ndarray:
        """Return the predicted number of words of each sentence, (n_sentences,)."""
        found = np.rint(np.exp(self.length.predict(patterns))).astype(int)
        return np.clip(found, 1, self.longest)

    def decoded_rows(self, patterns: np.ndarray) -> np.ndarray:
        """Return decoded sentence embeddings, z-scored, (n_sentences, n_features)."""
        return self.mapper.predict(patterns)

    def true_rows(self, sentences: list[list[str]]) -> np.ndarray:
        """Return the embeddings of known sentences, z-scored (for ceilings and scores only)."""
        rows = _rows(self.embedder, sentences)
        return self.scale.apply(rows)

    def decode(
        self, row: np.ndarray, n_words: int, scorer: Scorer | None = None, beam: Beam | None = None
    ) -> Reconstruction:
        """Decode one sentence from its decoded embedding ``row``, (n_features,).

        Parameters
        ----------
        row : array of shape (n_features,)
        n_words : int
            Predicted from the pattern.
        scorer : Scorer, optional
            Default: `EmbeddingSimilarity` with ``row``.
        beam : Beam, optional
        """
        scorer = EmbeddingSimilarity(row[None]) if scorer is None else scorer
        return self.decode_all([scorer], n_words, [beam or Beam()])[0]

    def decode_all(
        self, scorers: Sequence[Scorer], n_words: int, beams: Sequence[Beam]
    ) -> list[Reconstruction]:
        """Decode several sentences of equally many words; see `beam_search.decode_texts`."""
        weights = sparse.csc_array(np.full((1, n_words), 1 / n_words))
        return decode_texts(self.embedder, StimulusModel(weights, self.scale), scorers, beams)


def fit_sentence_decoder(
    model: LanguageModel,
    vocabulary: Vocabulary,
    sentences: list[list[str]],
    patterns: np.ndarray,
    *,
    layer: int,
    n_components: int,
    mapper: EmbeddingDecoder,
    groups: np.ndarray | None = None,
) -> SentenceDecoder:
    """Learn a decoder of sentences.

    Parameters
    ----------
    model : LanguageModel
        Causal.
    vocabulary : Vocabulary
        Of training sentences and frequent words.
    sentences : list of lists of str, shape (n_sentences,)
        Training sentences.
    patterns : array of shape (n_sentences, n_targets)
        The brain's responses to them.
    layer, n_components : int
        As in `brainlm.decoding.decoder.Settings`.
    mapper : EmbeddingDecoder
    groups : array of shape (n_sentences,), optional
        Group of each sentence, such as its topic: runs for the mappers that stop early.
    """
    from sklearn.base import clone

    longest = max(map(len, sentences))
    first = CandidateEmbedder(model, vocabulary, learn_space(np.eye(2)), longest, layer)
    states = _states(first, sentences)
    space = learn_space(states, n_components)
    lengths = np.array([len(sentence) for sentence in sentences])
    words = space.project(states)
    rows = sentence_rows(words, lengths)
    scale = learn_row_scale(rows, words)
    fitted = clone(mapper).fit(patterns, scale.apply(rows).astype(patterns.dtype), groups)
    length = RidgeEncoder(mapper.alphas, standardize=mapper.standardize, warn_edge=False).fit(
        patterns, np.log(lengths).astype(patterns.dtype)
    )
    embedder = CandidateEmbedder(model, vocabulary, space, longest, layer)
    return SentenceDecoder(embedder, scale, fitted, length, longest)


def _states(embedder: CandidateEmbedder, sentences: list[list[str]]) -> np.ndarray:
    words = [word for sentence in sentences for word in sentence]
    return read_states(
        embedder.model,
        words,
        embedder.vocabulary.language,
        layer=embedder.layer,
        context=embedder.context,
        lengths=[len(sentence) for sentence in sentences],
    )


def _rows(embedder: CandidateEmbedder, sentences: list[list[str]]) -> np.ndarray:
    lengths = np.array([len(sentence) for sentence in sentences])
    return sentence_rows(embedder.space.project(_states(embedder, sentences)), lengths)
