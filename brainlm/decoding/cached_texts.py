"""Texts in a causal language model that are read on piece by piece, with their keys and values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from brainlm.language_models import LanguageModel
from brainlm.language_models.grouped_attention import grouped_attention
from brainlm.language_models.heads import head_logits


class CachedTexts:
    """Keys and values of texts, one row each.

    Parameters
    ----------
    model : LanguageModel
        A causal one.
    n : int
        Empty texts to begin with.

    Attributes
    ----------
    layers : list
        Keys and values of each layer, (n, n_heads, n_tokens, n_dimensions).
    seen : tensor of bool, shape (n, n_tokens)
        Which of them are tokens of the text; the others are padding.
    length : tensor of int, shape (n,)
        Tokens read.
    logits : tensor of shape (n, n_vocabulary)
        Of the next token.
    """

    def __init__(self, model: LanguageModel, n: int = 1) -> None:
        torch = _torch()
        self.model, self._cache = model, empty_cache()
        self.seen = torch.zeros((n, 0), dtype=torch.bool, device=model.device)
        self.length = torch.zeros(n, dtype=torch.long, device=model.device)
        self.logits: Any = None

    def __len__(self) -> int:
        return len(self.length)

    @property
    def layers(self) -> list[Any]:
        """Keys and values of each layer, as ``keys`` and ``values``."""
        layers: list[Any] = self._cache.layers
        return layers

    def select(self, rows: np.ndarray) -> None:
        """Keep some texts, which may come several times."""
        chosen = _torch().from_numpy(rows).to(self.model.device)
        self._cache.batch_select_indices(chosen)
        self.seen, self.length = self.seen[chosen], self.length[chosen]
        self.logits = self.logits[chosen]

    def read(self, pieces: Sequence[tuple[int, ...]]) -> None:
        """Read one more piece of each text, of one token or more.

        What goes beyond the shortest piece is read by itself, so that one word of three tokens does
        not make every text wait for three.
        """
        lengths = np.array([len(piece) for piece in pieces])
        common = int(lengths.min())
        self._read_alike(np.array([piece[:common] for piece in pieces]))
        longer = np.flatnonzero(lengths > common)
        if len(longer):
            part = self._copy(longer)
            part.read([pieces[row][common:] for row in longer.tolist()])
            self._append(part, longer)

    def read_vectors(self, vectors: np.ndarray) -> None:
        """Read vectors in place of token embeddings, (n_vectors, width), the same in each text."""
        embedded = _torch().from_numpy(vectors).to(self.model.device)
        dtype = getattr(_torch(), self.model.dtype)
        self._read_inputs(embedded.to(dtype).expand(len(self), -1, -1))

    def forward(self, ids: Any, positions: Any, seen: Any, new: Any, cache: Any) -> Any:
        """Run the network behind a cache; ``new`` marks which new tokens see which.

        ``ids`` are tokens, (n, n_new), or vectors in place of embeddings, (n, n_new, width).
        """
        torch = _torch()
        visible = torch.cat([seen[:, None, :].expand(-1, ids.shape[1], -1), new], dim=2)
        # A padded token sees itself: a row of the softmax needs something.
        own = torch.eye(ids.shape[1], dtype=torch.bool, device=ids.device)
        visible[:, :, seen.shape[1] :] |= own & ~visible.any(2, keepdim=True)
        dtype = getattr(torch, self.model.dtype)
        mask = torch.zeros(visible.shape, dtype=dtype, device=ids.device)
        mask.masked_fill_(~visible, torch.finfo(dtype).min)
        with grouped_attention(self.model.network):
            return self.model.network(
                **{"inputs_embeds" if ids.is_floating_point() else "input_ids": ids},
                attention_mask=mask[:, None],
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
            ).last_hidden_state

    def _read_alike(self, pieces: np.ndarray) -> None:
        """Read equally many tokens of every text, (n, n_new)."""
        self._read_inputs(_torch().from_numpy(pieces.astype(np.int64)).to(self.model.device))

    def _read_inputs(self, ids: Any) -> None:
        torch = _torch()
        new = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=ids.device).tril()
        positions = self.length[:, None] + torch.arange(ids.shape[1], device=ids.device)
        with torch.inference_mode():
            states = self.forward(
                ids, positions, self.seen, new[None].expand(len(ids), -1, -1), self._cache
            )
            self.logits = head_logits(self.model, states[:, -1])
        read = torch.ones(ids.shape[:2], dtype=torch.bool, device=ids.device)
        self.seen = torch.cat([self.seen, read], dim=1)
        self.length = self.length + ids.shape[1]

    def _copy(self, rows: np.ndarray) -> CachedTexts:
        copied, chosen = CachedTexts(self.model), _torch().from_numpy(rows).to(self.model.device)
        for number, kept in enumerate(self.layers):
            copied._cache.update(kept.keys[chosen], kept.values[chosen], number)
        copied.seen, copied.length = self.seen[chosen], self.length[chosen]
        return copied

    def _append(self, part: CachedTexts, rows: np.ndarray) -> None:
        """Take what a copy of some texts has read since; it is padding in the others."""
        torch = _torch()
        chosen = torch.from_numpy(rows).to(self.model.device)
        before = self.seen.shape[1]
        with torch.inference_mode():
            for number, (kept, read) in enumerate(zip(self.layers, part.layers, strict=True)):
                new = []
                for whole, found in ((kept.keys, read.keys), (kept.values, read.values)):
                    added = found[:, :, before:]
                    padded = whole.new_zeros((len(whole), *added.shape[1:]))
                    padded[chosen] = added
                    new.append(padded)
                self._cache.update(*new, number)
            self.logits[chosen] = part.logits
        padded = torch.zeros((len(self), part.seen.shape[1] - before), dtype=torch.bool)
        padded = padded.to(self.model.device)
        padded[chosen] = part.seen[:, before:]
        self.seen = torch.cat([self.seen, padded], dim=1)
        self.length[chosen] = part.length


def read_tree(
    model: LanguageModel, words: np.ndarray, tokens: Sequence[Any], prompt: np.ndarray | None = None
) -> CachedTexts:
    """Read texts behind the model's prefix; what they begin with in common is read once.

    Parameters
    ----------
    model : LanguageModel
    words : array of int, shape (n_texts, n_words)
    tokens : sequence of tuple of int
        Of each word.
    prompt : array of shape (n_vectors, width), optional
        Vectors behind the prefix, in the space of the token embeddings; the same for all texts.

    Returns
    -------
    CachedTexts
        One row per text, equal texts included.
    """
    texts = CachedTexts(model)
    texts.read([tuple(model.frame.prefix)])
    if prompt is not None:
        texts.read_vectors(prompt)
    row = np.zeros(len(words), dtype=int)
    for stretch, first, rows in _stretches(words):
        texts.select(row[first])
        texts.read([tuple(t for w in piece for t in tokens[w]) for piece in words[first, stretch]])
        row = rows
    texts.select(row)
    return texts


def _stretches(words: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Cut texts where some of them part.

    Yields
    ------
    columns : slice
    first : array of int
        A text of each kind, where texts are of a kind that are equal up to here.
    rows : array of int, shape (n_texts,)
        The kind of each text.
    """
    kinds, found = np.zeros(len(words), dtype=int), []
    for column in words.T:
        _, first, inverse = np.unique(
            np.c_[kinds, column], axis=0, return_index=True, return_inverse=True
        )
        kinds = inverse.ravel()
        found.append((first, kinds))
    start = 0
    for stop, (first, rows) in enumerate(found, start=1):
        if stop == len(found) or len(found[stop][0]) > len(first):
            yield slice(start, stop), first, rows
            start = stop


def _torch() -> Any:
    import torch

    return torch


def empty_cache() -> Any:
    """Return a cache of transformers without any keys and values."""
    from transformers import DynamicCache

    return DynamicCache()
