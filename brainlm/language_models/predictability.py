"""Predictability of words: surprisal, entropy and pseudo-log-likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.errors import unknown_name
from brainlm.language_models.heads import predictions
from brainlm.language_models.tokens import Frame, Tokens, writes_spaces
from brainlm.language_models.windows import Span, Windows, check_choices

if TYPE_CHECKING:
    from brainlm.language_models.model import LanguageModel

BOUNDARIES = ("auto", "corrected", "raw")


@dataclass(frozen=True, eq=False)
class Questions:
    """Predictions to read from the network, one per row.

    Row k is read at one place of one input (``windows``) and asks for the probability of
    ``target[k]`` (-1: only for that of a word boundary). It counts ``share[k]`` towards the word
    ``word[k]``; ``first`` and ``after`` are, word by word, the rows that stand before its first
    token and behind its last one.
    """

    windows: Windows
    target: np.ndarray
    word: np.ndarray
    share: np.ndarray
    first: np.ndarray
    after: np.ndarray
    n_words: int


def word_predictability(
    model: LanguageModel,
    stimulus: Stimulus,
    *,
    context: int | str,
    boundary: str = "auto",
    progress: bool = False,
) -> tuple[Features, Features | None]:
    """Return surprisal and (causal models) entropy of every word; see ``LanguageModel.surprisal``.

    Returns
    -------
    surprisal, entropy : Features of shape (n_words, 1), bits
        The second is None for a masked model, which has no distribution of the next word.
    """
    check_choices(context, None, "word")
    if boundary not in BOUNDARIES:
        raise unknown_name("boundary", boundary, BOUNDARIES)
    if model.kind == "encoder":
        raise ValueError(
            f"{model.name} is an encoder-decoder model, of which the encoder is read; it predicts "
            "no words: use a causal or a masked model"
        )
    if model.kind == "causal" and not model.frame.prefix:
        raise ValueError(
            f"{model.name} has no beginning-of-text token, so nothing predicts the first word of "
            "a text: use another model"
        )
    read, tokens = model.tokens_of(stimulus, context)
    spans, longest = model.spans(tokens, read.labels, context)
    if model.kind == "causal":
        asked = _next_tokens(tokens, spans, model.frame)
        rule = _boundary_rule(model, stimulus, tokens, boundary)
    else:
        if boundary == "corrected":
            raise ValueError(
                f"boundary='corrected' is about what a causal model predicts next; {model.name} is "
                "masked: leave boundary at 'auto'"
            )
        asked = _masked_tokens(tokens, spans, model.frame, _mask_of(model))
        rule = "none: tokens are filled in where they stand"
    log_p, mass, entropy = predictions(model, asked.windows, asked.target, progress)
    bits = _per_word(asked, log_p)
    if rule.startswith("corrected"):
        bits += _moved_boundary(asked, mass, model.begins_word)
    bits, entropy = bits / np.log(2), entropy[asked.first] / np.log(2)
    if read.copies is not None:
        bits, entropy = bits[read.copies], entropy[read.copies]
    origin = {
        **model.origin(tokens),
        "leading_space": read.leading_space,
        "context": context if isinstance(context, str) else int(context),
        "longest_context": longest,
        "unit": "bits",
        "word_boundary": rule,
    }
    if model.kind == "masked":
        origin["method"] = "pseudo-log-likelihood, word-l2r (Kauf & Ivanova 2023)"
        return Features("surprisal", bits[:, None], stimulus, origin=origin), None
    return (
        Features("surprisal", bits[:, None], stimulus, origin=origin),
        Features("entropy", entropy[:, None], stimulus, origin=origin),
    )


def _per_word(asked: Questions, log_p: np.ndarray) -> np.ndarray:
    """Return -log p of each word's tokens, in nats."""
    token = asked.target >= 0
    weights = asked.share[token] * log_p[token]
    return -np.bincount(asked.word[token], weights, minlength=asked.n_words)


def _moved_boundary(asked: Questions, mass: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Return what moving the space to the word before it adds to each word, in nats.

    ``log P(begins like this word | before) - log P(white space or end | after)``
    """
    with_space = begins[asked.target[asked.first]]
    before = np.where(with_space, mass[asked.first, 0], mass[asked.first, 1])
    return before - mass[asked.after, 0]


def _boundary_rule(
    model: LanguageModel, stimulus: Stimulus, tokens: list[Tokens], boundary: str
) -> str:
    """Return how the space between words is counted, in words."""
    if not writes_spaces(stimulus.language):
        rule = "raw: the language writes no spaces"
    else:
        later = np.concatenate([text.ids[text.start[1:]] for text in tokens])
        if model.begins_word[later].all():
            return "raw: as asked" if boundary == "raw" else "corrected: Pimentel & Meister 2024"
        rule = "raw: tokens do not carry the space before a word"
    if boundary == "corrected":
        raise ValueError(
            f"boundary='corrected' does not apply to {model.name} and language "
            f"{stimulus.language!r} ({rule}): leave boundary at 'auto'"
        )
    return rule


def _mask_of(model: LanguageModel) -> int:
    mask = model.tokenizer.mask_token_id
    if mask is None:
        raise ValueError(
            f"the tokenizer of {model.name} has no mask token, so no pseudo-log-likelihood "
            "exists: use a causal model for surprisal"
        )
    return int(mask)


def _occurrences(text: Tokens, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return word and token of every token of the given words."""
    count = text.stop[words] - text.start[words]
    first = np.repeat(text.start[words] - np.cumsum(count) + count, count)
    return np.repeat(words, count), first + np.arange(count.sum())


def _shares(text: Tokens) -> np.ndarray:
    """Return the share of each token that one of its words gets: equal parts."""
    edges = np.zeros(len(text.ids) + 1, dtype=int)
    np.add.at(edges, text.start, 1)
    np.add.at(edges, text.stop, -1)
    return 1.0 / np.maximum(np.cumsum(edges)[:-1], 1)


def _next_tokens(texts: list[Tokens], spans: list[Span], frame: Frame) -> Questions:
    """Ask a causal model for each token, one place before it, and for the end of each word."""
    base = np.cumsum([0, *(text.n_words for text in texts)])
    inputs, columns = [], []
    for number, span in enumerate(spans):
        text = texts[span.text]
        begin = text.start[span.start]
        body = text.ids[begin : text.stop[span.stop - 1]]
        inputs.append(np.concatenate([frame.prefix, body]).astype(int))
        words = np.arange(span.keep, span.stop)
        word, token = _occurrences(text, words)
        shift = len(frame.prefix) - begin
        target = np.r_[text.ids[token], np.full(len(words), -1)]
        columns.append(
            (
                np.full(len(target), number),
                np.r_[token - 1, text.stop[words] - 1] + shift,
                target,
                base[span.text] + np.r_[word, words],
                np.r_[_shares(text)[token], np.ones(len(words))],
                np.r_[token == text.start[word], np.zeros(len(words), dtype=bool)],
            )
        )
    window, position, target, word, share, first = map(np.concatenate, zip(*columns, strict=True))
    return _questions(inputs, window, position, target, word, share, first, int(base[-1]))


def _masked_tokens(texts: list[Tokens], spans: list[Span], frame: Frame, mask: int) -> Questions:
    """Ask a masked model for each token, it and the later tokens of its word masked."""
    base = np.cumsum([0, *(text.n_words for text in texts)])
    inputs: list[np.ndarray] = []
    rows = []
    for span in spans:
        text = texts[span.text]
        begin = text.start[span.start]
        body = text.ids[begin : text.stop[span.stop - 1]]
        whole = np.concatenate([frame.prefix, body, frame.suffix]).astype(int)
        shift = len(frame.prefix) - begin
        word, token = _occurrences(text, np.arange(span.keep, span.stop))
        for w, t, share in zip(word, token, _shares(text)[token], strict=True):
            hidden = whole.copy()
            hidden[t + shift : text.stop[w] + shift] = mask
            first = t == text.start[w]
            rows.append((len(inputs), t + shift, text.ids[t], base[span.text] + w, share, first))
            inputs.append(hidden)
    window, position, target, word, share, first = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    return _questions(inputs, window, position, target, word, share, first, int(base[-1]))


def _questions(
    inputs: list[np.ndarray],
    window: np.ndarray,
    position: np.ndarray,
    target: np.ndarray,
    word: np.ndarray,
    share: np.ndarray,
    first: np.ndarray,
    n_words: int,
) -> Questions:
    rows = np.arange(len(target))
    windows = Windows(inputs, rows, window, position, len(rows))
    # Words are read out in order, so these indices rise with the word.
    before, after = np.flatnonzero(first), np.flatnonzero(target < 0)
    return Questions(windows, target, word, share, before, after, n_words)
