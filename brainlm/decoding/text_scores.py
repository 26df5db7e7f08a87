"""Scores of a reconstructed text against its reference, both as lists of words (or characters).

As published in their libraries: WER (jiwer), BLEU-1 to 4 (exponential smoothing) and
chrF (sacrebleu), METEOR (nltk). METEOR needs the files of WordNet; without them exact and stem
matches remain, and the score is called ``meteor-reduced``. BERTScore is computed over words, each
the mean of its tokens (ours; the published one is over tokens).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from brainlm.data.stimulus import Stimulus
from brainlm.errors import unknown_name
from brainlm.language_models import LanguageModel
from brainlm.language_models.tokens import writes_spaces

Texts = Sequence[Sequence[str]]
BY_CHARACTER = ("1-wer", "bleu-1", "bleu-2")


def list_metrics() -> list[str]:
    """Return the names of the metrics of `text_scores`; METEOR is named by what it contains."""
    return ["1-wer", "bleu-1", "bleu-2", "bleu-3", "bleu-4", _meteor_name(), "chrf"]


def text_scores(
    reference: Texts, hypothesis: Texts, metrics: Iterable[str] | None = None, language: str = "en"
) -> dict[str, np.ndarray]:
    """Score each hypothesis against its reference.

    Parameters
    ----------
    reference, hypothesis : sequence of sequences of str, shape (n_texts,)
        Words (or characters) of each text. An empty hypothesis scores 0; an empty reference has no
        score and gives NaN.
    metrics : iterable of str, optional
        Of `list_metrics`; default all. ``"1-wer"`` falls below 0 where more is inserted than
        there is.
    language : str
        chrF joins words by spaces, except in languages without.

    Returns
    -------
    dict of str to array of shape (n_texts,)
        All between 0 and 1, except 1-wer.
    """
    if len(reference) != len(hypothesis):
        raise ValueError(f"{len(reference)} references for {len(hypothesis)} hypotheses")
    known = _metrics(language)
    chosen = list_metrics() if metrics is None else list(metrics)
    for name in chosen:
        if name not in known:
            raise unknown_name("metric", name, list_metrics())
    scores = {name: np.full(len(reference), np.nan) for name in chosen}
    for i, (true, said) in enumerate(zip(reference, hypothesis, strict=True)):
        for name in chosen if len(true) else ():
            scores[name][i] = known[name](list(true), list(said)) if len(said) else 0.0
    return scores


def inverse_document_frequency(texts: Texts) -> dict[str, float]:
    """Return ``log((n + 1) / (df + 1))`` of each word over training texts; see `BertScore`."""
    counts = Counter(word for text in texts for word in set(text))
    return {word: float(np.log((len(texts) + 1) / (n + 1))) for word, n in counts.items()}


class BertScore:
    """Greedy matching of contextual embeddings (Zhang et al. 2020), over words.

    ::

        recall = sum_i idf(x_i) max_j cos(x_i, y_j) / sum_i idf(x_i)

    over reference words x_i and hypothesis words y_j; precision the other way round, F1 their
    harmonic mean. The reconstruction literature reports recall.

    Parameters
    ----------
    model : LanguageModel
        Any encoder or causal model.
    layer : int
    idf : dict of str to float, optional
        From training texts (`inverse_document_frequency`); a new word gets the largest value.
        Default: all words count the same.
    language : str
    """

    def __init__(
        self,
        model: LanguageModel,
        layer: int = -1,
        idf: dict[str, float] | None = None,
        language: str = "en",
    ) -> None:
        self.model, self.layer, self.language, self._idf = model, layer, language, idf
        self._new = max(idf.values(), default=1.0) if idf else 1.0
        self._last: tuple[Texts, list[np.ndarray]] = ([], [])  # one reference, many hypotheses

    def score(self, reference: Texts, hypothesis: Texts) -> dict[str, np.ndarray]:
        """Return ``recall``, ``precision`` and ``f1``, (n_texts,) each; NaN for empty references.

        An empty hypothesis scores 0.
        """
        if list(map(tuple, reference)) != list(map(tuple, self._last[0])):
            self._last = ([tuple(text) for text in reference], self.embed(reference))
        true, said = self._last[1], self.embed(hypothesis)
        names = ("recall", "precision", "f1")
        out = {name: np.full(len(reference), np.nan) for name in names}
        for i, (a, b) in enumerate(zip(true, said, strict=True)):
            if len(a):
                values = self._match(a, b, reference[i], hypothesis[i]) if len(b) else (0, 0, 0)
                for name, value in zip(names, values, strict=True):
                    out[name][i] = value
        return out

    def embed(self, texts: Texts) -> list[np.ndarray]:
        """Return unit vectors of the words of each text, (n_words, n_features)."""
        filled = [i for i, text in enumerate(texts) if len(text)]
        words = [word for i in filled for word in texts[i]]
        labels = [str(i) for i in filled for _ in texts[i]]
        vectors: list[np.ndarray] = [np.empty((0, self.model.n_features))] * len(texts)
        if not words:
            return vectors
        stimulus = Stimulus(words, self.language, text=labels, run=labels)
        (layer,) = self.model.embed(stimulus, self.layer, context="document", pooling="mean")
        values = layer.values / np.linalg.norm(layer.values, axis=1, keepdims=True)
        edges = np.cumsum([len(texts[i]) for i in filled])[:-1]
        for i, rows in zip(filled, np.split(values, edges), strict=True):
            vectors[i] = rows
        return vectors

    def _match(
        self, a: np.ndarray, b: np.ndarray, true: Sequence[str], said: Sequence[str]
    ) -> tuple[float, float, float]:
        similarity = a @ b.T
        recall = float(np.average(similarity.max(axis=1), weights=self._weights(true)))
        precision = float(np.average(similarity.max(axis=0), weights=self._weights(said)))
        total = recall + precision
        return recall, precision, 2 * recall * precision / total if total else 0.0

    def _weights(self, words: Sequence[str]) -> np.ndarray:
        if self._idf is None:
            return np.ones(len(words))
        weights = np.array([self._idf.get(word, self._new) for word in words])
        return weights if weights.sum() > 0 else np.ones(len(words))


def sentence_similarity(
    model: LanguageModel, reference: Texts, hypothesis: Texts, language: str = "en"
) -> np.ndarray:
    """Return cosines of the embeddings of whole texts, every hypothesis with every reference.

    Parameters
    ----------
    model : LanguageModel
        A sentence encoder, such as ``minilm``: the mean of its last layer.
    reference, hypothesis : sequences of sequences of str, shape (n_texts,)
        None of them empty.
    language : str

    Returns
    -------
    array of shape (n_texts, n_texts)
        ``[i, j]``: hypothesis i with reference j.
    """

    def embed(texts: Texts, name: str) -> np.ndarray:
        empty = [i for i, text in enumerate(texts) if not len(text)]
        if empty:
            raise ValueError(f"{name}[{empty[0]}] is empty ({len(empty)} in all): leave it out")
        labels = [str(i) for i, text in enumerate(texts) for _ in text]
        words = [word for text in texts for word in text]
        stimulus = Stimulus(words, language, text=labels, run=labels)
        (layer,) = model.embed(stimulus, -1, context="document", level="text")
        return layer.values / np.linalg.norm(layer.values, axis=1, keepdims=True)

    return embed(hypothesis, "hypothesis") @ embed(reference, "reference").T


@dataclass(frozen=True, eq=False)
class TextMetrics:
    """Metrics by which a reconstruction is scored.

    Attributes
    ----------
    by_word : sequence of str
        Of `list_metrics`.
    by_character : sequence of str
        Metrics that are reported over characters, too, such as ``"bleu-1, characters"``: for
        languages without spaces, whose words depend on who segmented them.
    bert : BertScore, optional
        Its recall is reported as ``bertscore``.
    sentences : LanguageModel, optional
        Sentence encoder: ``sentence similarity``, and ``identification`` of a window's own
        reference among those that do not overlap it.
    """

    by_word: Sequence[str]
    by_character: Sequence[str] = ()
    bert: BertScore | None = None
    sentences: LanguageModel | None = None

    @property
    def names(self) -> list[str]:
        """Names of all scores, in order."""
        extra = ["bertscore"] * (self.bert is not None)
        if self.sentences is not None:
            extra += ["sentence similarity", "identification"]
        return [*self.by_word, *(f"{name}, characters" for name in self.by_character), *extra]

    @classmethod
    def default(
        cls,
        encoder: LanguageModel | None = None,
        idf: dict[str, float] | None = None,
        language: str = "en",
        level: str = "word",
    ) -> TextMetrics:
        """Return all metrics; those of an encoder where one is given, of characters in Chinese."""
        bert = None if encoder is None else BertScore(encoder, idf=idf, language=language)
        characters = not writes_spaces(language) and level == "word"
        return cls(list_metrics(), BY_CHARACTER if characters else (), bert, encoder)

    def score_words(self, true: Texts, said: Texts, language: str) -> list[np.ndarray]:
        """Return the scores that need no encoder, in order, (n_texts,) each."""
        rows = list(text_scores(true, said, self.by_word, language).values())
        if self.by_character:
            cut = [[list("".join(words)) for words in texts] for texts in (true, said)]
            rows += text_scores(cut[0], cut[1], self.by_character, language).values()
        return rows


def _metrics(language: str) -> dict[str, Callable[[list[str], list[str]], float]]:
    import jiwer
    from sacrebleu import BLEU, CHRF

    spaced = language.split("-")[0] not in ("zh", "ja", "th")
    chrf = CHRF()
    table: dict[str, Callable[[list[str], list[str]], float]] = {
        "1-wer": lambda true, said: 1 - jiwer.wer(" ".join(true), " ".join(said)),
        _meteor_name(): _meteor,
        "chrf": lambda true, said: (
            chrf.sentence_score(
                (" " if spaced else "").join(said), [(" " if spaced else "").join(true)]
            ).score
            / 100
        ),
    }
    for order in (1, 2, 3, 4):
        table[f"bleu-{order}"] = partial(
            _bleu, BLEU(tokenize="none", max_ngram_order=order, effective_order=True)
        )
    return table


def _bleu(bleu: Any, true: list[str], said: list[str]) -> float:
    return float(bleu.sentence_score(" ".join(said), [" ".join(true)]).score) / 100


class _Stemmer:
    """Porter's stemmer, each word once."""

    def __init__(self) -> None:
        from nltk.stem.porter import PorterStemmer

        self.stem = lru_cache(maxsize=100_000)(PorterStemmer().stem)


class _NoWordNet:
    """Stand-in where the files of WordNet are missing: no word has synonyms."""

    def synsets(self, word: str) -> list[Any]:
        return []


@lru_cache(maxsize=1)
def _wordnet() -> Any:
    """Return nltk's WordNet, or None where its files are missing."""
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
    except LookupError:
        return None
    return wordnet


@lru_cache(maxsize=1)
def _stemmer() -> _Stemmer:
    return _Stemmer()


def _meteor_name() -> str:
    return "meteor-reduced" if _wordnet() is None else "meteor"


def _meteor(true: list[str], said: list[str]) -> float:
    from nltk.translate.meteor_score import single_meteor_score

    wordnet = _wordnet() or _NoWordNet()
    return float(single_meteor_score(true, said, stemmer=_stemmer(), wordnet=wordnet))
