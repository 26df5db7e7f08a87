"""Windows: the stretches of text that a model reads, and the positions of words in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from brainlm.data.stimulus import Stimulus
from brainlm.errors import unknown_name
from brainlm.language_models.sites import parse_sites
from brainlm.language_models.tokens import Frame, Tokens, writes_spaces

POOLINGS = ("last", "mean", "first")


@dataclass(frozen=True)
class Span:
    """One input: words ``start:stop`` of a text go in, words ``keep:stop`` are read out."""

    text: int
    start: int
    keep: int
    stop: int


@dataclass(frozen=True, eq=False)
class Windows:
    """Inputs and the places to pool in them.

    Parameters
    ----------
    inputs : list of int arrays
        Token ids of each input, special tokens included.
    row, window, position : arrays of int, shape (n_places,)
        Row ``row`` of the output is the mean of the hidden states at all of its places
        (``position`` in input ``window``); one place for the poolings "first" and "last".
    n_rows : int
        Rows of the output. All places of a row lie in one input.
    """

    inputs: list[np.ndarray]
    row: np.ndarray
    window: np.ndarray
    position: np.ndarray
    n_rows: int

    def batches(self, n_tokens: int, n_inputs: int | None = None) -> Iterator[Batch]:
        """Yield the windows, long ones first, in padded batches.

        A batch holds ``n_inputs`` inputs or, by default, as many as fit ``n_tokens`` tokens.
        """
        lengths = np.array([len(ids) for ids in self.inputs])
        order = np.argsort(-lengths, kind="stable")
        edges = [0]
        while edges[-1] < len(order):
            longest = lengths[order[edges[-1]]]
            edges.append(edges[-1] + (n_inputs or max(1, n_tokens // longest)))
        rank = np.empty(len(order), dtype=int)
        rank[order] = np.arange(len(order))
        places = np.argsort(rank[self.window], kind="stable")
        bounds = np.searchsorted(rank[self.window][places], edges)
        for i, (begin, end) in enumerate(pairwise(edges)):
            width = int(lengths[order[begin]])
            mine = places[bounds[i] : bounds[i + 1]]
            rows, unit = np.unique(self.row[mine], return_inverse=True)
            place = (rank[self.window[mine]] - begin) * width + self.position[mine]
            yield Batch([self.inputs[k] for k in order[begin:end]], rows, unit, place)


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs that pass through the network together.

    ``place`` counts through the padded batch, input after input; ``unit[k]`` says to which of
    ``rows`` (rows of the output) place k belongs.
    """

    inputs: list[np.ndarray]
    rows: np.ndarray
    unit: np.ndarray
    place: np.ndarray

    def padded(self, pad: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ids and mask, (n_inputs, width), padded on the right."""
        lengths = np.array([len(ids) for ids in self.inputs])
        mask = np.arange(lengths.max()) < lengths[:, None]
        ids = np.full(mask.shape, pad)
        ids[mask] = np.concatenate(self.inputs)
        return ids, mask


def whole_spans(texts: Sequence[Tokens], labels: Sequence[str], room: int) -> list[Span]:
    """Return one span per text; raise when a text does not fit into ``room`` tokens."""
    for tokens, label in zip(texts, labels, strict=True):
        if len(tokens.ids) > room:
            raise ValueError(
                f"{label} has {len(tokens.ids)} tokens, the model takes {room} at a time besides "
                "its special tokens: use a shorter unit, or an int as context (preceding words)"
            )
    return [Span(i, 0, 0, tokens.n_words) for i, tokens in enumerate(texts)]


def overlapping_spans(texts: Sequence[Tokens], context: int, room: int) -> list[Span]:
    """Return spans in which every word has ``context`` preceding words, or all there are.

    A span is ``2 * context`` words long (less where those do not fit into ``room``), and its later
    half is read out: one pass over the text, no word with more than ``2 * context - 1`` words
    before it. Where a span ends depends on no later word, so what a word sees does not either.
    """
    longest = context + max(context, 1)
    spans = []
    for i, tokens in enumerate(texts):
        _check_stretches(tokens, context, room)
        keep = 0
        while keep < tokens.n_words:
            start = max(0, keep - context)
            fits = np.searchsorted(tokens.stop, tokens.start[start] + room, side="right")
            stop = min(start + longest, int(fits))
            spans.append(Span(i, start, keep, stop))
            keep = stop
    return spans


def trailing_spans(texts: Sequence[Tokens], context: int, room: int) -> list[Span]:
    """Return a span per word, which ends with it and holds ``context`` words before it."""
    spans = []
    for i, tokens in enumerate(texts):
        _check_stretches(tokens, context, room)
        spans += [Span(i, max(0, k - context), k, k + 1) for k in range(tokens.n_words)]
    return spans


def choose_spans(
    texts: Sequence[Tokens], labels: Sequence[str], context: int | str, room: int, *, trailing: bool
) -> list[Span]:
    """Return the inputs: whole texts, or words with a number of words of context.

    Parameters
    ----------
    texts : sequence of Tokens
    labels : sequence of str
        Names of the texts, for errors.
    context : int or str
        Words of context; a str stands for whole texts.
    room : int
        Tokens of an input.
    trailing : bool
        Exactly ``context`` words before each word, in place of overlapping windows.
    """
    if isinstance(context, str):
        return whole_spans(texts, labels, room)
    return (trailing_spans if trailing else overlapping_spans)(texts, context, room)


def _check_stretches(tokens: Tokens, context: int, room: int) -> None:
    """Raise when a word and the ``context`` words before it do not fit into ``room`` tokens."""
    first = np.maximum(np.arange(tokens.n_words) - context, 0)
    stretch = tokens.stop - tokens.start[first]
    if stretch.max() > room:
        i = int(stretch.argmax())
        raise ValueError(
            f"context={context} words needs {stretch[i]} tokens at word {i} of its text, the model "
            f"takes {room} at a time besides its special tokens: use a smaller context"
        )


def assemble(texts: Sequence[Tokens], spans: Sequence[Span], frame: Frame, pooling: str) -> Windows:
    """Return the inputs of ``spans``, framed by special tokens, and the places to pool."""
    offset = np.cumsum([0, *(tokens.n_words for tokens in texts)])
    inputs, rows, windows, positions = [], [], [], []
    for window, span in enumerate(spans):
        tokens = texts[span.text]
        begin = tokens.start[span.start]
        inputs.append(
            np.concatenate(
                [frame.prefix, tokens.ids[begin : tokens.stop[span.stop - 1]], frame.suffix]
            )
        )
        word, place = _places(tokens, np.arange(span.keep, span.stop), pooling)
        rows.append(offset[span.text] + word)
        windows.append(np.full(len(word), window))
        positions.append(place - begin + len(frame.prefix))
    return Windows(
        [ids.astype(int) for ids in inputs],
        np.concatenate(rows),
        np.concatenate(windows),
        np.concatenate(positions),
        int(offset[-1]),
    )


def _places(tokens: Tokens, words: np.ndarray, pooling: str) -> tuple[np.ndarray, np.ndarray]:
    """Return word and token of every token to pool."""
    start, stop = tokens.start[words], tokens.stop[words]
    if pooling == "last":
        return words, stop - 1
    if pooling == "first":
        return words, start
    count = stop - start
    first = np.repeat(start - np.cumsum(count) + count, count)
    return np.repeat(words, count), first + np.arange(count.sum())


# What a row can stand for, and the only context that it takes (None: any).
LEVELS: dict[str, str | None] = {"word": None, "sentence": "sentence", "text": "document"}


@dataclass(frozen=True, eq=False)
class Units:
    """The texts that a model reads, one after the other.

    Parameters
    ----------
    texts : list of lists of str, shape (n_units,)
        The words of each.
    labels : list of str, shape (n_units,)
        A name for each, for messages.
    isolated : array of bool, shape (n_units,)
        Which are isolated words: all with context "none", else texts of a single word.
    language : str
        Language code.
    copies : array of int, shape (n_words,), optional
        With context "none", the unit of each word of the stimulus: equal words are read once.
    """

    texts: list[list[str]]
    labels: list[str]
    isolated: np.ndarray
    language: str
    copies: np.ndarray | None = None

    @property
    def leading_space(self) -> bool:
        """Whether isolated words are read with the space that running text has before them."""
        return bool(self.isolated.any()) and writes_spaces(self.language)


def choose_sites(layers: Any, n_layers: int, n_heads: int) -> list[Any]:
    """Return the chosen layers as numbers, and sites inside of blocks as `Site`, in order."""
    wanted = [layers] if isinstance(layers, str) else layers
    if layers == "all" or isinstance(wanted, int | np.integer):
        return choose_layers(layers, n_layers)
    chosen: list[Any] = []
    for each in wanted:
        if isinstance(each, str):
            chosen += parse_sites(each, n_layers, n_heads)
        else:
            chosen += choose_layers(each, n_layers)
    if len(set(chosen)) < len(chosen) or not chosen:
        raise ValueError(f"layers must name at least one layer and each once, got {layers!r}")
    return chosen


def choose_layers(layers: Any, n_layers: int) -> list[int]:
    """Return the chosen layers as numbers from 0 to ``n_layers``; negative ones count back."""
    wanted = range(n_layers + 1) if isinstance(layers, str) and layers == "all" else layers
    wanted = [wanted] if isinstance(wanted, int | np.integer | str) else list(wanted)
    chosen = []
    for layer in wanted:
        known = isinstance(layer, int | np.integer) and not isinstance(layer, bool)
        if not known or not -n_layers - 1 <= layer <= n_layers:
            raise unknown_name("layer", layer, ["all", *range(n_layers + 1)])
        chosen.append(int(layer) % (n_layers + 1))
    if len(set(chosen)) < len(chosen) or not chosen:
        raise ValueError(f"layers must name at least one layer and each once, got {layers!r}")
    return chosen


def check_choices(context: int | str, pooling: str | None, level: str) -> None:
    """Raise for a context, pooling or level that does not exist."""
    if level not in LEVELS:
        raise unknown_name("level", level, LEVELS)
    if pooling is not None and pooling not in POOLINGS:
        raise unknown_name("pooling", pooling, POOLINGS)
    if isinstance(context, str):
        if context not in ("none", "sentence", "document"):
            raise unknown_name("context", context, ("none", "sentence", "document", "an int"))
    elif isinstance(context, bool) or not isinstance(context, int | np.integer) or context < 0:
        raise ValueError(f"context must be a number of preceding words, 0 or more, got {context!r}")
    if LEVELS[level] not in (None, context):
        raise ValueError(
            f"level={level!r} embeds each {level} by itself: context={context!r} does not apply; "
            f"give context={LEVELS[level]!r}"
        )


def units(stimulus: Stimulus, context: int | str, level: str) -> Units:
    """Return the texts to tokenise."""
    if context == "none":
        words, copies = np.unique(stimulus.words.astype(str), return_inverse=True)
        return Units(
            [[str(word)] for word in words],
            [f"word {word!r}" for word in words],
            np.ones(len(words), dtype=bool),
            stimulus.language,
            copies,
        )
    names = stimulus.sentence if context == "sentence" else stimulus.text
    new_text = np.r_[True, stimulus.text[1:] != stimulus.text[:-1], True]
    edges = np.flatnonzero(new_text | np.r_[True, names[1:] != names[:-1], True])
    kind = "sentence" if context == "sentence" else "text"
    pairs = list(pairwise(edges))
    if level == "sentence" and len(pairs) > len(set(names)):
        raise ValueError(
            "a sentence of the stimulus is in two texts, and no context crosses the edge of a "
            "text: give each part a sentence label of its own"
        )
    return Units(
        [stimulus.words[start:stop].tolist() for start, stop in pairs],
        [f"{kind} {names[start]!r}" for start, _ in pairs],
        new_text[edges[:-1]] & new_text[edges[:-1] + 1],
        stimulus.language,
    )
