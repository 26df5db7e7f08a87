"""Decoding of held-out sentences under all conditions, over folds of topics, and their scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm._progress import bar
from brainlm.decoding.beam_search import Beam
from brainlm.decoding.conditions import numbered_draw
from brainlm.decoding.controls import compare_over_units, nan_fdr, unit_means
from brainlm.decoding.embedding import EmbeddingDecoder, score_mapping
from brainlm.decoding.null_scores import compare_to_null
from brainlm.decoding.scorers import EmbeddingSimilarity, LanguageModelOnly, RandomScorer
from brainlm.decoding.sentences import SentenceDecoder, fit_sentence_decoder
from brainlm.decoding.story_study import TOGETHER
from brainlm.decoding.text_scores import BertScore, sentence_similarity, text_scores
from brainlm.decoding.vocabulary import build_vocabulary
from brainlm.decoding.words import clean_words
from brainlm.encoding.splits import Groups
from brainlm.language_models import LanguageModel
from brainlm.stats.paired import paired_difference
from brainlm.storage.store import PartStore

if TYPE_CHECKING:
    import xarray

METRICS = ("bleu-1", "1-wer")
ALPHAS = np.logspace(1, 9, 9)  # principal components keep their scale
STATISTICS = ("score", "null", "null_half", "gain", "z", "p")


@dataclass(frozen=True)
class FoldTexts:
    """Reconstructions of a fold, and the accuracy of its mapping.

    Attributes
    ----------
    texts : dict of str to list of lists of str
        Words of the chosen sentences, by condition.
    mapping : list of float
        Mean r over dimensions, 2v2 accuracy between passages, and rank accuracy.
    """

    texts: dict[str, list[list[str]]]
    mapping: list[float]


@dataclass(frozen=True, eq=False)
class SentenceStudy:
    """Model, sentences, their patterns and the settings common to all folds.

    Attributes
    ----------
    model : LanguageModel
        Causal.
    sentences : list of lists of str, shape (n_sentences,)
    patterns : array of shape (n_sentences, n_targets)
    passages, topics : array of str, shape (n_sentences,)
    layer : int
        Layer whose hidden states embed the words.
    mapper : str
        Of `brainlm.decoding.names.MAPPERS`.
    beam, n_null, n_draws : int
        Hypotheses, random reconstructions, draws of noise and of permutation.
    store : PartStore, optional
        The texts of every finished fold are saved there and not decoded again.
    """

    model: LanguageModel
    sentences: list[list[str]]
    patterns: np.ndarray
    passages: np.ndarray
    topics: np.ndarray
    layer: int
    mapper: str
    beam: int
    n_null: int
    n_draws: int
    store: PartStore | None = None

    def decode_fold(
        self,
        number: int,
        train: np.ndarray,
        test: np.ndarray,
        chosen: np.ndarray,
        rng: np.random.Generator,
    ) -> FoldTexts:
        """Fit a decoder on ``train``, and decode the chosen sentences of ``test``.

        Parameters
        ----------
        number : int
            Of the fold, from 0: no two folds share their random reconstructions.
        train, test : array of int
            Rows.
        chosen : array of bool, shape (n_sentences,)
        rng : numpy.random.Generator
            Of permutations and noise.
        """
        decoder = self._fit(train)
        truth = decoder.true_rows([self.sentences[i] for i in test])
        decoded = decoder.decoded_rows(self.patterns[test])
        zero = np.zeros(truth.shape[1])
        quality = score_mapping(decoded, truth, zero, self.passages[test])
        rows = {"brain": decoded, "ceiling": truth}
        for k in range(self.n_draws):
            moved = permute_topics(self.topics[test], self.passages[test], rng)
            noise = noise_like(self.patterns[train], len(test), rng)
            rows[numbered_draw("permuted brain", k)] = decoded[moved]
            rows[numbered_draw("noise input", k)] = decoder.decoded_rows(noise)
        n_words = decoder.n_words(self.patterns[test])
        key = {
            "rows": list(rows.values()),
            "n_words": n_words,
            "null": self.n_null,
            "beam": self.beam,
            "chosen": chosen[test],
            "model": self.model.identity,
            "words": decoder.embedder.vocabulary.words,
        }
        texts = None if self.store is None else self.store.load_json(key)
        if texts is None:
            texts = self._decode(decoder, rows, n_words, np.flatnonzero(chosen[test]), number)
            if self.store is not None:
                self.store.save_json(key, texts)
        mapping = [float(quality.r.mean()), quality.pairwise, quality.rank]
        return FoldTexts(texts, mapping)

    def _fit(self, rows: np.ndarray) -> SentenceDecoder:
        import wordfreq

        sentences, topics = [self.sentences[i] for i in rows], self.topics[rows]
        frequent, _ = clean_words(wordfreq.top_n_list("en", 5000), "en")
        words = [*(word for sentence in sentences for word in sentence), *frequent]
        folds = list(Groups(topics, 5).split(self.patterns[rows]))
        return fit_sentence_decoder(
            self.model,
            build_vocabulary(self.model.tokenizer, words, "en", longest=1),
            sentences,
            self.patterns[rows],
            layer=self.layer,
            n_components=100,
            mapper=EmbeddingDecoder(self.mapper, alphas=ALPHAS, cv=folds, standardize=False),
            groups=np.array([f"topic {topic}" for topic in topics]),
        )

    def _decode(
        self,
        decoder: SentenceDecoder,
        rows: Mapping[str, np.ndarray],
        n_words: np.ndarray,
        chosen: np.ndarray,
        number: int,
    ) -> dict[str, list[list[str]]]:
        """Decode the chosen sentences under all conditions, those of equal length at once."""
        beam = Beam(self.beam)
        draws = range(self.n_null)
        blind: dict[str, tuple[Any, Beam]] = {
            "language model": (LanguageModelOnly, replace(beam, lm_weight=1.0)),
            **{f"null {k}": (partial(RandomScorer, 1000 * number + k), beam) for k in draws},
        }
        said: dict[tuple[str, int], list[str]] = {}
        for length in bar(
            np.unique(n_words[chosen]).tolist(), "decode", progress=True, unit="length"
        ):
            mine = [int(i) for i in chosen if n_words[i] == length]
            tasks = [((name, -1), make(), each) for name, (make, each) in blind.items()]
            tasks += [
                ((name, i), EmbeddingSimilarity(each[i][None]), beam)
                for name, each in rows.items()
                for i in mine
            ]
            said |= _decode_together(decoder, tasks, length)
            said |= {(name, i): said[name, -1] for name in blind for i in mine}
        return {name: [said[name, int(i)] for i in chosen] for name in (*rows, *blind)}


def _decode_together(decoder: SentenceDecoder, tasks: list[tuple], length: int) -> dict:
    """Decode tasks of key, scorer and beam, as many at once as the language model takes."""
    together = max(1, TOGETHER // tasks[0][2].width)
    said: dict[tuple[str, int], list[str]] = {}
    for start in range(0, len(tasks), together):
        keys, scorers, beams = zip(*tasks[start : start + together], strict=True)
        found = decoder.decode_all(scorers, length, beams)
        said |= {key: list(each.words) for key, each in zip(keys, found, strict=True)}
    return said


def permute_topics(
    topics: np.ndarray, passages: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return for each sentence one of another topic; whole topics change places.

    Among the topics with as many passages, which are those of the same experiment; a topic without
    such a partner takes any. Sentences keep their order, so those of a passage stay neighbours;
    where the other topic is shorter, its first sentences come a second time.
    """
    names = np.array(list(dict.fromkeys(topics)))
    if len(names) < 2:
        raise ValueError(
            f"all sentences belong to the topic {str(names[0])!r}: nothing can be permuted"
        )
    size = np.array([len(set(passages[topics == name])) for name in names])
    rows = np.empty(len(topics), dtype=int)
    for n_passages in np.unique(size):
        mine = rng.permutation(names[size == n_passages])
        # Each takes the next in a random circle: none keeps its own.
        others = np.roll(mine, 1) if len(mine) > 1 else rng.permutation(names[names != mine[0]])
        for own, other in zip(mine, others[: len(mine)], strict=True):
            place, source = np.flatnonzero(topics == own), np.flatnonzero(topics == other)
            rows[place] = source[np.arange(len(place)) % len(source)]
    return rows


def noise_like(patterns: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``n`` Gaussian patterns with mean and deviation of each component of the brain's."""
    noise = rng.standard_normal((n, patterns.shape[1]))
    return (patterns.mean(axis=0) + noise * patterns.std(axis=0)).astype(patterns.dtype)


def score_sentences(
    folds: Sequence[FoldTexts], study: SentenceStudy, order: np.ndarray, encoder: LanguageModel
) -> xarray.Dataset:
    """Score all conditions, sentence by sentence, and compare the brain with its controls.

    Parameters
    ----------
    folds : sequence of FoldTexts
    study : SentenceStudy
    order : array of int
        Rows of the decoded sentences, in the order of the folds.
    encoder : LanguageModel
        Of BERTScore and sentence similarity.
    """
    true = [study.sentences[i] for i in order]
    passages, topics, n_null = study.passages[order], study.topics[order], study.n_null
    said = {name: [text for f in folds for text in f.texts[name]] for name in folds[0].texts}
    values = np.array(_scores(said.values(), true, passages, encoder))
    names, metrics = list(said)[: len(said) - n_null], [*METRICS, "bertscore"]
    metrics += ["sentence similarity", "identification"]
    observed, null = values[: len(names)], values[len(names) :]
    dims = ("condition", "metric")
    found = compare_over_units(observed, names, metrics, topics, null).assign_coords(
        condition=names, measure=["r", "2v2", "rank"]
    )
    mapping = np.array([fold.mapping for fold in folds])
    r, pairwise, rank = mapping.mean(axis=0)
    half = np.apply_along_axis(_half_width, -1, unit_means(observed, topics))
    return found.assign(
        {
            **_statistics(observed, null),
            "half": (dims, half),  # sentences of a topic depend on each other
            "window_score": ((*dims, "window"), observed),
            "null_score": (("null", "metric", "window"), null),
            "text": (("condition", "window"), [[" ".join(t) for t in said[n]] for n in names]),
            "reference_text": ("window", [" ".join(text) for text in true]),
            "topic": ("window", topics.astype(str)),
            "mapping_r": r,
            "mapping_2v2": pairwise,
            "mapping_rank": rank,
            "fold_mapping": (("fold", "measure"), mapping),
        }
    )


def _scores(
    said: Iterable[list[list[str]]],
    true: list[list[str]],
    passages: np.ndarray,
    encoder: LanguageModel,
) -> list[list[np.ndarray]]:
    """Return all scores of every condition, (n_metrics, n_sentences) each."""
    bert, apart = BertScore(encoder), passages[:, None] != passages
    scores = []
    for texts in said:
        similarity = sentence_similarity(encoder, true, texts)
        own = np.diag(similarity)[:, None]
        below = (similarity < own) + 0.5 * (similarity == own)
        scores.append(
            [
                *text_scores(true, texts, METRICS).values(),
                bert.score(true, texts)["recall"],
                np.diag(similarity).copy(),
                (below * apart).sum(axis=1) / np.maximum(apart.sum(axis=1), 1),
            ]
        )
    return scores


def _statistics(observed: np.ndarray, null: np.ndarray) -> dict[str, tuple]:
    """Return all `STATISTICS` against the null reconstructions, over condition and metric."""
    rows = [
        [compare_to_null(each, null[:, m], block=1) for m, each in enumerate(scores)]
        for scores in observed
    ]
    dims = ("condition", "metric")
    table = {name: np.array([[cell[name] for cell in row] for row in rows]) for name in STATISTICS}
    table["null_mean"], table["q"] = table.pop("null"), nan_fdr(table["p"])
    return {name: (dims, values) for name, values in table.items()}


def _half_width(means: np.ndarray) -> float:
    """Return the half-width of the 95 % interval of a mean over units."""
    found = paired_difference(means, np.zeros(len(means)))
    return (found.high - found.low) / 2
