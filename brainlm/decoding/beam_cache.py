"""Hypotheses of a beam in a causal language model, with one key-value cache for all of them.

A hypothesis is read once. The states of its possible next words are then computed in a
single pass over those words alone: side by side behind the cached prefix, each sees the prefix and
itself (a tree mask), and the pass ends at the layer that is asked for. The
cache is never copied per candidate.

Window: word i is read behind words s(i)..i - 1, with s(i) = 0 for i < 2c and
``(i // c - 1) * c`` from there on, c = ``context``: from c to 2c - 1 preceding words, the windows
of ``LanguageModel.embed(context=c)``. Features in decoding therefore are those of training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from brainlm.compute.memory import check_memory
from brainlm.decoding.vocabulary import Vocabulary
from brainlm.language_models import LanguageModel
from brainlm.language_models.heads import head_logits
from brainlm.language_models.layer_stack import layer_stack, states_at

ROWS = 64  # hypotheses per forward pass over candidates
Branch = Sequence[tuple[int, ...]]  # tokens of each candidate of one hypothesis


def window_start(word: int, context: int) -> int:
    """Return the first word of the window in which ``word`` is read."""
    return 0 if word < 2 * context else (word // context - 1) * context


class BeamCache:
    """Words, keys and values of all hypotheses of a beam, of equally many words each.

    Parameters
    ----------
    model : LanguageModel
        A causal one.
    vocabulary : Vocabulary
    context : int
        Words, see above.
    n : int
        Empty hypotheses to begin with: one for each text that is searched.

    Attributes
    ----------
    history : array of int, shape (n_hypotheses, n_words)
        Vocabulary indices of the words so far. It begins as ``n`` empty hypotheses.
    logits : tensor of shape (n_hypotheses, n_tokens)
        Of the next token.

    Raises
    ------
    ValueError
        The model is not causal, has no beginning-of-text token, or its window is too short.
    MemoryError
        See ``require_memory``.
    """

    def __init__(
        self, model: LanguageModel, vocabulary: Vocabulary, context: int, n: int = 1
    ) -> None:
        if not model.causal:
            raise ValueError(
                f"{model.name} is {model.kind} and predicts no next word: decoding needs a causal "
                "model, such as smollm2"
            )
        if not len(model.frame):
            raise ValueError(f"{model.name} has no beginning-of-text token to start a text from")
        longest = max(map(len, vocabulary.tokens))
        if context < 1 or 2 * context * longest + 1 > model.window:
            raise ValueError(
                f"context={context} words: give from 1 to {(model.window - 1) // (2 * longest)} "
                f"({model.name} takes {model.window} tokens)"
            )
        self.model, self.vocabulary, self.context = model, vocabulary, context
        self._stack = layer_stack(model)
        self.history = np.zeros((n, 0), dtype=np.int32)
        self._seen: Any = None
        self._length: Any = None
        self._restart()

    def __len__(self) -> int:
        return len(self.history)

    def require_memory(self, width: int) -> int:
        """Return the bytes that a beam of ``width`` takes; raise MemoryError if they are not free.

        Keys and values of a window for every hypothesis (three times over: kept, chosen, in use),
        the logits of the next token (three times, float32).
        """
        config = self.model.config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        per_token = 2 * config.num_hidden_layers * heads * size * _item_size(self.model.dtype)
        mean = float(np.mean([len(ids) for ids in self.vocabulary.tokens]))
        n_tokens = 1 + int(np.ceil(2 * self.context * mean))
        n_bytes = width * (3 * per_token * n_tokens + 3 * 4 * config.vocab_size)
        check_memory(
            n_bytes,
            f"a beam of {width} with {2 * self.context} words of context",
            "use a smaller beam or context, or dtype='bfloat16'",
        )
        return n_bytes

    def advance(self, parents: np.ndarray, words: np.ndarray) -> None:
        """Make the next beam: hypothesis ``parents[k]`` followed by word ``words[k]``.

        Parameters
        ----------
        parents, words : array of int, shape (n_new,)
        """
        self.history = np.column_stack([self.history[parents], words]).astype(np.int32)
        if window_start(self.history.shape[1], self.context) != self._start:
            self._restart()
            return
        chosen = _torch().from_numpy(np.asarray(parents)).to(self.model.device)
        self._cache.batch_select_indices(chosen)
        self._seen, self._length = self._seen[chosen], self._length[chosen]
        self._read([self.vocabulary.tokens[word] for word in words])

    def states(self, branches: Sequence[Branch], layer: int) -> np.ndarray:
        """Return the hidden state of each candidate word after its hypothesis.

        Parameters
        ----------
        branches : sequence, shape (n_hypotheses,)
            The candidates of each hypothesis, each a tuple of tokens.
        layer : int
            From 1 (the first layer) to ``model.n_layers``.

        Returns
        -------
        array of shape (n_candidates, n_features)
            At the last token of each candidate; hypothesis after hypothesis. float32.
        """
        if not 1 <= layer <= self.model.n_layers:
            raise ValueError(f"layer {layer}: {self.model.name} has layers 1-{self.model.n_layers}")
        width = self.model.n_features
        return self._over_branches(branches, layer, lambda rows: rows.float(), width)

    def log_p_after(self, branches: Sequence[Branch]) -> Any:
        """Return log probabilities of the token after each candidate, (n_candidates, n_tokens)."""
        return self._over_branches(
            branches, None, lambda rows: head_logits(self.model, rows).log_softmax(-1), None
        )

    def _restart(self) -> None:
        """Read the words of the window of the next word again."""
        self._start = window_start(self.history.shape[1], self.context)
        self._cache = _empty_cache()
        torch = _torch()
        device = self.model.device
        self._seen = torch.zeros((len(self), 0), dtype=torch.bool, device=device)
        self._length = torch.zeros(len(self), dtype=torch.long, device=device)
        tokens = self.vocabulary.tokens
        self._read(
            [
                (*self.model.frame.prefix, *(t for word in words for t in tokens[word]))
                for words in self.history[:, self._start :].tolist()
            ]
        )

    def _read(self, pieces: Sequence[tuple[int, ...]]) -> None:
        """Read one more piece of text per hypothesis; keep its keys and values."""
        torch = _torch()
        ids, valid = _padded(pieces, self.model.device)
        causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=ids.device).tril()
        new = causal[None] & valid[:, None, :]
        positions = self._length[:, None] + torch.arange(ids.shape[1], device=ids.device)
        with torch.inference_mode():
            states = self._forward(ids, positions, self._seen, new, self._cache)
            last = valid.sum(1) - 1
            rows = states[torch.arange(len(ids), device=ids.device), last]
            self.logits = head_logits(self.model, rows)
        self._seen = torch.cat([self._seen, valid], dim=1)
        self._length = self._length + valid.sum(1)

    def _over_branches(
        self, branches: Sequence[Branch], layer: int | None, read: Callable, width: int | None
    ) -> Any:
        """Run the candidates of all hypotheses, ``ROWS`` hypotheses at a time."""
        torch = _torch()
        if len(branches) != len(self):
            raise ValueError(f"{len(branches)} lists of candidates for {len(self)} hypotheses")
        counts = np.array([len(branch) for branch in branches])
        starts = np.cumsum([0, *counts])
        n_tokens = np.array([sum(map(len, branch)) for branch in branches])
        order = np.argsort(n_tokens, kind="stable")
        order = order[n_tokens[order] > 0]
        n_out = width or self.model.config.vocab_size
        out = torch.empty((int(starts[-1]), n_out), dtype=torch.float32)
        with torch.inference_mode():
            for rows in _chunks(order, ROWS):
                found = self._branch_rows([branches[row] for row in rows], rows, layer, read)
                place = np.concatenate([np.arange(starts[r], starts[r + 1]) for r in rows])
                out[torch.from_numpy(place)] = found.cpu()
        return out.numpy() if layer is not None else out

    def _branch_rows(
        self, branches: Sequence[Branch], rows: np.ndarray, layer: int | None, read: Callable
    ) -> Any:
        torch = _torch()
        device = self.model.device
        ids, valid = _padded([sum(branch, ()) for branch in branches], device)
        owner = np.full(ids.shape, -1)
        depth = np.zeros(ids.shape, dtype=int)
        last_row, last_place = [], []
        for k, branch in enumerate(branches):
            at = 0
            for number, word in enumerate(branch):
                owner[k, at : at + len(word)] = number
                depth[k, at : at + len(word)] = np.arange(len(word))
                at += len(word)
                last_row.append(k)
                last_place.append(at - 1)
        mine = torch.from_numpy(owner).to(device)
        causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=device).tril()
        tree = (mine[:, :, None] == mine[:, None, :]) & causal[None] & valid[:, None, :]
        chosen = torch.from_numpy(rows).to(device)
        n_layers = self.model.n_layers if layer is None else layer
        cache = _empty_cache()
        for number, kept in enumerate(self._cache.layers[:n_layers]):
            cache.update(kept.keys[chosen], kept.values[chosen], number)
        positions = self._length[chosen, None] + torch.from_numpy(depth).to(device)
        seen = self._seen[chosen]
        states = states_at(
            self._stack, layer, lambda: self._forward(ids, positions, seen, tree, cache)
        )
        return read(states[torch.tensor(last_row), torch.tensor(last_place)])

    def _forward(self, ids: Any, positions: Any, seen: Any, new: Any, cache: Any) -> Any:
        """Run the network behind a cache; ``new`` marks which new tokens see which."""
        torch = _torch()
        visible = torch.cat([seen[:, None, :].expand(-1, ids.shape[1], -1), new], dim=2)
        # A padded token sees itself: a row of the softmax needs something.
        own = torch.eye(ids.shape[1], dtype=torch.bool, device=ids.device)
        visible[:, :, seen.shape[1] :] |= own & ~visible.any(2, keepdim=True)
        dtype = getattr(torch, self.model.dtype)
        mask = torch.zeros(visible.shape, dtype=dtype, device=ids.device)
        mask.masked_fill_(~visible, torch.finfo(dtype).min)
        return self.model.network(
            input_ids=ids,
            attention_mask=mask[:, None],
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state


def _torch() -> Any:
    import torch

    return torch


def _empty_cache() -> Any:
    from transformers import DynamicCache

    return DynamicCache()


def _item_size(dtype: str) -> int:
    return 4 if dtype == "float32" else 2


def _padded(pieces: Sequence[tuple[int, ...]], device: str) -> tuple[Any, Any]:
    """Return token ids padded on the right, and which of them are real."""
    torch = _torch()
    lengths = np.array([len(piece) for piece in pieces])
    real = np.arange(lengths.max()) < lengths[:, None]
    ids = np.zeros(real.shape, dtype=np.int64)
    ids[real] = np.concatenate([np.asarray(piece, dtype=np.int64) for piece in pieces])
    return torch.from_numpy(ids).to(device), torch.from_numpy(real).to(device)


def _chunks(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (order[start : start + size] for start in range(0, len(order), size))
