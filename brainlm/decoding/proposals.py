"""Next words of hypotheses: a nucleus of the vocabulary, without those that would repeat.

Published rule (Tang et al. 2023, code): keep the words with p >= 0.1 of the largest, then the
smallest set with mass 0.9; of these drop a word whose bigram with the last word, or (content
words) whose stem, already is in the context. Ours: words of several tokens, by a tree of tokens
that is followed wherever longer words are common enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlm.decoding.beam_cache import BeamCache
from brainlm.decoding.vocabulary import Node, Vocabulary


@dataclass(frozen=True)
class Nucleus:
    """Which next words are considered.

    Attributes
    ----------
    mass : float
        The smallest set of words with this probability.
    ratio : float
        Only words with at least this share of the largest probability.
    most : int
        At most so many per hypothesis (ours; bounds the cost).
    beyond : float
        A beginning of words is looked beyond where longer words make up at least this share of
        what begins so (by frequency); 0 is exact and slow (ours).
    no_repeats : bool
        Apply the rules against repetition.
    """

    mass: float = 0.9
    ratio: float = 0.1
    most: int = 30
    beyond: float = 0.1
    no_repeats: bool = True

    def __post_init__(self) -> None:
        for name, low in (("mass", 0.0), ("ratio", 0.0), ("beyond", -1e-9)):
            if not low < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        if self.most < 1:
            raise ValueError(f"most must be at least 1, got {self.most}")


@dataclass(frozen=True, eq=False)
class Proposals:
    """Next words of all hypotheses, hypothesis after hypothesis.

    Attributes
    ----------
    parent, word : array of int, shape (n_candidates,)
    log_p : array of shape (n_candidates,)
        Log probability of the word given the hypothesis, within the vocabulary.
    """

    parent: np.ndarray
    word: np.ndarray
    log_p: np.ndarray

    def __len__(self) -> int:
        return len(self.word)

    def select(self, kept: np.ndarray) -> Proposals:
        """Return some of the candidates."""
        return Proposals(self.parent[kept], self.word[kept], self.log_p[kept])

    def merge(self, other: Proposals) -> Proposals:
        """Return the candidates of both, hypothesis after hypothesis."""
        order = np.argsort(np.concatenate([self.parent, other.parent]), kind="stable")
        return Proposals(
            *(
                np.concatenate(pair)[order]
                for pair in (
                    (self.parent, other.parent),
                    (self.word, other.word),
                    (self.log_p, other.log_p),
                )
            )
        )


def propose(cache: BeamCache, nucleus: Nucleus, least: int = 0) -> Proposals:
    """Return the next words of every hypothesis.

    The probability of a word within the vocabulary is the product over its tokens of
    ``p(token | tokens before) / p(any token that continues a word of the vocabulary)``;
    a word that longer ones begin with ends with the probability of not going on.

    Parameters
    ----------
    cache : BeamCache
    nucleus : Nucleus
    least : int
        Take at least so many words per hypothesis, whatever their probability (the first word
        of a text, which nothing constrains).
    """
    vocabulary = cache.vocabulary
    rows: list[tuple[np.ndarray, np.ndarray]] = []
    found = _first_tokens(cache, max(nucleus.most, least))
    words = _whole_words(cache, found, nucleus)
    for parent, (word, log_p) in enumerate(words):
        kept = _nucleus(log_p, nucleus, least)
        if nucleus.no_repeats and cache.history.shape[1]:
            start = max(0, cache.history.shape[1] - 2 * cache.context)
            context = cache.history[parent, start:]
            kept = kept[~repeats(word[kept], context, vocabulary)]
        rows.append((word[kept], log_p[kept]))
    counts = [len(word) for word, _ in rows]
    return Proposals(
        np.repeat(np.arange(len(rows)), counts),
        np.concatenate([word for word, _ in rows]).astype(int),
        np.concatenate([log_p for _, log_p in rows]),
    )


def repeats(words: np.ndarray, context: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """Return which words would repeat a bigram or the stem of a content word of the context.

    Parameters
    ----------
    words, context : array of int
        Vocabulary indices.
    vocabulary : Vocabulary
    """
    last = context[-1]
    after_last = set(context[1:][context[:-1] == last].tolist())
    stems = {stem for stem in vocabulary.stems[context] if stem}
    return np.array(
        [int(w) in after_last or bool(vocabulary.stems[w] in stems) for w in words], dtype=bool
    )


def _first_tokens(cache: BeamCache, most: int) -> list[list[tuple[Node, int, float]]]:
    """Return the likeliest first tokens of words: node, token and log probability, per row."""
    import torch

    root = cache.vocabulary.root
    tokens = torch.tensor(sorted(root.children), device=cache.logits.device)
    with torch.inference_mode():
        log_p = cache.logits[:, tokens].log_softmax(-1)
        top = log_p.topk(min(most, len(tokens)), dim=-1)
        values, ids = top.values.cpu().numpy(), tokens[top.indices].cpu().numpy()
    return [
        [(root.children[int(t)], int(t), float(v)) for t, v in zip(row, value, strict=True)]
        for row, value in zip(ids, values, strict=True)
    ]


def _whole_words(
    cache: BeamCache, found: list[list[tuple[Node, int, float]]], nucleus: Nucleus
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Follow beginnings of words to their ends."""
    words: list[list[int]] = [[] for _ in found]
    log_ps: list[list[float]] = [[] for _ in found]
    floor = [row[0][2] + np.log(nucleus.ratio) for row in found]
    frontier: list[tuple[int, Node, tuple[int, ...], float]] = [
        (k, node, (token,), log_p) for k, row in enumerate(found) for node, token, log_p in row
    ]
    while frontier:
        unfinished = []
        for k, node, path, log_p in frontier:
            longer = node.below / (node.below + node.own)
            if node.word >= 0 and (longer < nucleus.beyond or not node.children):
                words[k].append(node.word)
                log_ps[k].append(log_p)
            elif log_p >= floor[k]:
                unfinished.append((k, node, path, log_p))
        frontier = []
        if unfinished:
            after = _after(cache, unfinished)
            for (k, node, path, log_p), (ends, goes) in zip(unfinished, after, strict=True):
                if node.word >= 0:
                    words[k].append(node.word)
                    log_ps[k].append(log_p + ends)
                for (token, child), step in zip(node.children.items(), goes, strict=True):
                    if log_p + step >= floor[k]:
                        frontier.append((k, child, (*path, token), log_p + float(step)))
    return [_sorted(word, log_p) for word, log_p in zip(words, log_ps, strict=True)]


def _after(cache: BeamCache, unfinished: list[tuple]) -> list[tuple[float, np.ndarray]]:
    """Return log probabilities that a word ends, and that each child continues it."""
    branches: list[list[tuple[int, ...]]] = [[] for _ in range(len(cache))]
    for k, _, path, _ in unfinished:  # in order of k, as the frontier was made
        branches[k].append(path)
    order = sorted(range(len(unfinished)), key=lambda i: unfinished[i][0])
    p_after: Any = cache.log_p_after(branches).exp_()
    begins = np.zeros(p_after.shape[1], dtype=np.float32)
    begins[: len(cache.model.begins_word)] = cache.model.begins_word[: len(begins)]
    p_after = p_after.numpy()
    ended = p_after @ begins
    answer: list[tuple[float, np.ndarray]] = [(0.0, np.empty(0))] * len(unfinished)
    for row, i in enumerate(order):
        node = unfinished[i][1]
        goes = np.maximum(p_after[row, list(node.children)], 1e-12)
        ends = ended[row] if cache.vocabulary.spaced else 1 - goes.sum()
        ends = max(float(ends), 1e-12) if node.word >= 0 else 0.0
        total = goes.sum() + ends
        answer[i] = (float(np.log(ends / total)) if ends else -np.inf, np.log(goes / total))
    return answer


def _sorted(words: list[int], log_p: list[float]) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-np.array(log_p), kind="stable")
    return np.array(words, dtype=int)[order], np.array(log_p)[order]


def _nucleus(log_p: np.ndarray, nucleus: Nucleus, least: int) -> np.ndarray:
    """Return the places of the nucleus in log probabilities that fall."""
    p = np.exp(log_p)
    before = np.cumsum(p) - p
    chosen = (p >= nucleus.ratio * p[:1]) & (before < nucleus.mass)
    n_kept = min(int(chosen.sum()), nucleus.most) if len(p) else 0
    return np.arange(min(len(p), max(n_kept, least)))
