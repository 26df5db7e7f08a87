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
from brainlm.decoding.cached_texts import empty_cache, read_tree
from brainlm.decoding.vocabulary import Vocabulary
from brainlm.language_models import LanguageModel
from brainlm.language_models.heads import head_logits
from brainlm.language_models.layer_stack import layer_stack, states_at

ROWS = 64  # rows per forward pass over candidates
FEWEST = 16  # rows that are worth a pass of their own
TOKENS = 8  # of candidates side by side in a row: more would pad the rows of others
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
        self._restart()

    def __len__(self) -> int:
        return len(self.history)

    @property
    def logits(self) -> Any:
        """Of the next token, (n_hypotheses, n_tokens)."""
        return self._texts.logits

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
        self._texts.select(np.asarray(parents))
        self._texts.read([self.vocabulary.tokens[word] for word in words])

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
        window = self.history[:, self._start :]
        self._texts = read_tree(self.model, window, self.vocabulary.tokens)

    def _over_branches(
        self, branches: Sequence[Branch], layer: int | None, read: Callable, width: int | None
    ) -> Any:
        """Run the candidates of all hypotheses, rows of about equal length at a time."""
        torch = _torch()
        if len(branches) != len(self):
            raise ValueError(f"{len(branches)} lists of candidates for {len(self)} hypotheses")
        pieces = list(_pieces(branches))
        n_tokens = np.array([sum(map(len, words)) for _, _, words in pieces])
        order = np.argsort(n_tokens, kind="stable")
        n_out = width or self.model.config.vocab_size
        out = torch.empty((sum(map(len, branches)), n_out), dtype=torch.float32)
        with torch.inference_mode():
            for rows in _chunks(order, n_tokens[order]):
                owners, starts, words = zip(*(pieces[row] for row in rows), strict=True)
                found = self._branch_rows(words, np.array(owners), layer, read)
                place = [np.arange(a, a + len(w)) for a, w in zip(starts, words, strict=True)]
                out[torch.from_numpy(np.concatenate(place))] = found.cpu()
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
        texts, cache = self._texts, empty_cache()
        for number, kept in enumerate(texts.layers[:n_layers]):
            cache.update(kept.keys[chosen], kept.values[chosen], number)
        positions = texts.length[chosen, None] + torch.from_numpy(depth).to(device)
        seen = texts.seen[chosen]
        states = states_at(
            self._stack, layer, lambda: texts.forward(ids, positions, seen, tree, cache)
        )
        return read(states[torch.tensor(last_row), torch.tensor(last_place)])


def _torch() -> Any:
    import torch

    return torch


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


def _chunks(order: np.ndarray, n_tokens: np.ndarray) -> Iterator[np.ndarray]:
    """Cut rows, shortest first, where longer ones would pad many shorter ones."""
    start = 0
    for stop in range(1, len(order) + 1):
        n_rows = stop - start
        last = stop == len(order) or n_rows == ROWS
        if last or (n_rows >= FEWEST and n_tokens[stop] > 1.25 * n_tokens[start]):
            yield order[start:stop]
            start = stop


def _pieces(branches: Sequence[Branch]) -> Iterator[tuple[int, int, list[tuple[int, ...]]]]:
    """Cut the candidates of each hypothesis into rows of ``TOKENS`` tokens or few more.

    Yields
    ------
    hypothesis, first : int
        Of the candidates, the number of the first.
    words : list of tuple of int
    """
    first = 0
    for number, branch in enumerate(branches):
        words: list[tuple[int, ...]] = []
        for word in branch:
            words.append(word)
            if sum(map(len, words)) >= TOKENS:
                yield number, first, words
                first, words = first + len(words), []
        if words:
            yield number, first, words
            first += len(words)
