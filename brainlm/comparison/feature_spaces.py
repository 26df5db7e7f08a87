"""Feature spaces of a comparison: their source, and the words that they cover.

A source says which words it covers and gives the features of a stimulus on a mask of words. Layers
of a language model read the whole text and give the rows of the mask, so that all representations
are compared on the same words, and none loses its context.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from brainlm.data.features import Features, concatenate
from brainlm.data.stimulus import Stimulus
from brainlm.features.baselines import (
    has_frequencies,
    word_length,
    word_position,
    word_rate,
    zipf_frequency,
)
from brainlm.features.norms import Norm
from brainlm.language_models import LanguageModel


@dataclass(frozen=True, eq=False)
class FeatureSpace:
    """Where the features of one representation come from.

    Attributes
    ----------
    name : str
        Such as "gemma3" or "embodied".
    family : str
        "causal", "masked", "static", "embodied", "network", "taxonomic", "n-gram", "controls".
    languages : tuple of str
        Language codes; empty: any.
    covers : callable
        ``covers(stimulus)``: bool mask, (n_words,).
    embed : callable
        ``embed(stimulus, words, level)``: a Features for each layer on the words of the mask.
    n_layers : int
        Number of the last layer; 0 without layers.
    identity : dict
        Revision and settings: what a kept part must agree on.
    model : LanguageModel, optional
        The opened model whose layers these are.
    """

    name: str
    family: str
    languages: tuple[str, ...]
    covers: Callable[[Stimulus], np.ndarray]
    embed: Callable[[Stimulus, np.ndarray, str], Sequence[Features]]
    n_layers: int = 0
    identity: Any = None
    model: LanguageModel | None = None

    def speaks(self, language: str) -> bool:
        """Whether the source has words of a language."""
        return not self.languages or language.split("-")[0] in self.languages


@dataclass(frozen=True)
class Reading:
    """How a language model reads running text.

    Attributes
    ----------
    context : int, optional
        Words before each word. Default: as many as are usual for the text.
    pooling : str
        How a word is made of its tokens, as in `brainlm.LanguageModel.embed`.
    """

    context: int | None = None
    pooling: str = "mean"


def model_space(
    name: str | LanguageModel,
    languages: tuple[str, ...] = (),
    *,
    layers: Any = "all",
    family: str | None = None,
    dtype: str = "float32",
    untrained: int | None = None,
    reading: Reading | None = None,
) -> FeatureSpace:
    """Return the layers of a language model, or of an untrained twin, as a source.

    The context is none for isolated words, the sentence for sentences (their own text where a text
    is one), and for a discourse 256 words before it. A masked model, which needs a pass per word of
    a discourse, has 32 words of a story and the sentence of a text that was read. A word is the
    mean of its tokens. ``reading`` sets context and pooling instead; isolated words never have any
    context. ``dtype`` and ``untrained`` are of the model, where it is named.
    """
    model = name
    if not isinstance(model, LanguageModel):
        model = LanguageModel(model, dtype=dtype, untrained=untrained)
    if model.kind == "static":
        return static_space(str(name), languages)
    contexts: dict[str, int | str] = {"word": "none", "sentence": "sentence", "discourse": 256}

    def embed(stimulus: Stimulus, words: np.ndarray, level: str) -> list[Features]:
        context: int | str = contexts[level]
        if level == "discourse" and not model.causal:
            context = 32 if stimulus.timed else "sentence"  # a pass per word is slow
        if reading is not None and reading.context is not None and level != "word":
            context = reading.context
        hidden = model.embed(stimulus, layers, context=context, pooling=pooling)
        return [layer.select_words(words) for layer in hidden]

    # With the last token alone, all words before a full stop are one in the input embeddings.
    pooling = "mean" if reading is None else reading.pooling
    identity: dict[str, Any] = {"model": model.identity, "dtype": dtype, "layers": str(layers)}
    identity["pooling"] = pooling
    if reading is not None and reading.context is not None:
        identity["context"] = reading.context
    family = family or ("causal" if model.causal else "masked")
    n_layers = model.n_layers
    return FeatureSpace(model.name, family, languages, _all_words, embed, n_layers, identity, model)


def static_space(
    name: str, languages: tuple[str, ...] = (), label: str | None = None
) -> FeatureSpace:
    """Return static word vectors as a source."""
    vectors: Any = LanguageModel(name)

    def embed(stimulus: Stimulus, words: np.ndarray, level: str) -> list[Features]:
        return [vectors.embed(stimulus.select(words))[0].renamed(label or name)]

    identity = {"revision": vectors.revision}
    return FeatureSpace(label or name, "static", languages, vectors.covers, embed, 0, identity)


def norm_space(norm: Norm, family: str, label: str | None = None) -> FeatureSpace:
    """Return a norm (ratings, associations, a taxonomy) as a source, on the words it covers."""
    language = norm.language.split("-")[0]

    def embed(stimulus: Stimulus, words: np.ndarray, level: str) -> list[Features]:
        return [norm.embed(stimulus.select(words)).renamed(label or norm.name)]

    identity = {"norm": norm.name, "n_words": len(norm.words), "sum": float(norm.values.sum())}
    return FeatureSpace(label or norm.name, family, (language,), norm.covers, embed, 0, identity)


def control_space(*, timed: bool) -> FeatureSpace:
    """Return word length, frequency and position, and the word rate of a time series.

    Controls are computed on all words, whichever the compared representations share: a word rate of
    the rated words only is no word rate. A language without a list of frequencies has none among
    the controls.

    Parameters
    ----------
    timed : bool
        Whether the responses are a time series.
    """
    functions = [word_length, zipf_frequency, word_position, *([word_rate] if timed else [])]

    def embed(stimulus: Stimulus, words: np.ndarray, level: str) -> list[Features]:
        known = has_frequencies(stimulus.language)
        used = [each for each in functions if known or each is not zipf_frequency]
        return [concatenate([function(stimulus) for function in used], "controls")]

    identity = {"controls": [function.__name__ for function in functions], "words": "all"}
    return FeatureSpace("controls", "controls", (), _all_words, embed, 0, identity)


def permute_types(features: Features, seed: int = 0) -> Features:
    """Permute the vectors of word types; a type has the vector of its first occurrence.

    The same seed moves all layers of a model alike, so that layers stay as similar to each other as
    they are.
    """
    assert features.stimulus is not None
    labels = features.stimulus.words.astype(str)
    _, first, index = np.unique(labels, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(first))
    values = features.values[first][order][index]
    return replace(features, name=f"permuted {features.name}", values=values)


def permuted_space(source: FeatureSpace, seed: int = 0) -> FeatureSpace:
    """Return a source with vectors permuted between word types: the same shape without meaning.

    Coverage, dimensions, and the distribution of every feature stay; a score that this reaches
    is no effect of what the features say about words.
    """

    def embed(stimulus: Stimulus, words: np.ndarray, level: str) -> list[Features]:
        return [permute_types(f, seed) for f in source.embed(stimulus, words, level)]

    name = f"permuted {source.name}"
    identity = {"permuted": source.identity, "seed": seed}
    return replace(source, name=name, embed=embed, identity=identity)


def shared_words(stimulus: Stimulus, sources: Sequence[FeatureSpace]) -> np.ndarray:
    """Return the words that every source covers, bool (n_words,).

    Raises
    ------
    ValueError
        No word is covered by all; the message gives the coverage of each source.
    """
    masks = {source.name: np.asarray(source.covers(stimulus), dtype=bool) for source in sources}
    shared = np.logical_and.reduce(list(masks.values()))
    if not shared.any():
        shares = ", ".join(f"{name} {mask.mean():.0%}" for name, mask in masks.items())
        raise ValueError(
            f"no word is covered by all representations ({shares}): leave out the one with the "
            "lowest coverage"
        )
    return shared


def _all_words(stimulus: Stimulus) -> np.ndarray:
    return np.ones(stimulus.n_words, dtype=bool)
