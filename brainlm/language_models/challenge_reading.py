"""Words as the inference code of the Chinese BabyLM challenge reads them into a language model.

These rules differ from those of `brainlm.LanguageModel.embed`, which we advise: there every input
begins with the token that separated documents in training, and special tokens are never pooled.
Published: github SiyuanSong2004/evaluation-pipeline-2025, evaluation_pipeline/cogbench/inference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.errors import unknown_name
from brainlm.language_models.hidden_states import hidden_states
from brainlm.language_models.windows import Windows, choose_layers

if TYPE_CHECKING:
    from brainlm.language_models.model import LanguageModel

READINGS = ("alone", "lines", "sentences")
UNLIMITED, USUAL = 100_000, 512  # a longer limit of a tokenizer is none
Input = tuple[list[int], list[tuple[int, list[int]]]]  # token ids, and the places of each row


def embed_for_challenge(
    model: LanguageModel, stimulus: Stimulus, reading: str, layers: Any = "all"
) -> tuple[Features, ...]:
    """Return the hidden states of words as the challenge reads them, layer by layer.

    Parameters
    ----------
    model : LanguageModel
        Causal or masked. Of encoder-decoder models the challenge reads the decoder, brainlm the
        encoder, so that they are refused.
    stimulus : Stimulus
    reading : {"alone", "lines", "sentences"}
        "alone": each word by itself with the special tokens of the tokenizer; mean over all
        tokens, special ones included. "lines": each ``stimulus.sentence`` as a list of words, with
        special tokens, in stretches as long as the model takes (512 tokens where it has no limit);
        mean over the tokens of a word. "sentences": each ``stimulus.text`` as running text without
        special tokens, its words without spaces between them; mean over the tokens that overlap
        with a word.
    layers : "all", int or sequence of int
        As in `brainlm.LanguageModel.embed`; the challenge scores the last one.

    Returns
    -------
    tuple of Features
        A word without a token has zeros; ``origin["words_without_tokens"]`` counts them.

    Raises
    ------
    ValueError
        An encoder-decoder model, a text longer than the model takes, or no word with a token.
    """
    if reading not in READINGS:
        raise unknown_name("reading", reading, READINGS)
    if model.kind == "encoder":
        raise ValueError(
            f"{model.name} is an encoder-decoder: the challenge reads its decoder, brainlm its "
            "encoder; use a causal or masked model"
        )
    read = {"alone": _alone, "lines": _lines, "sentences": _sentences}[reading]
    rows, windows = _windows(read(model, stimulus))
    chosen = choose_layers(layers, model.n_layers)
    origin = {
        **model.origin([]),
        "reading": f"Chinese BabyLM challenge, {reading}",
        "words_without_tokens": stimulus.n_words - len(rows),
    }
    spaces = []
    for layer, found in zip(chosen, hidden_states(model, windows, chosen), strict=True):
        values = np.zeros((stimulus.n_words, model.n_features), dtype=np.float32)
        values[rows] = found
        here = {**origin, "layer": layer}
        spaces.append(Features(f"layer {layer}", values, stimulus, origin=here))
    return tuple(spaces)


def _windows(inputs: Iterator[Input]) -> tuple[np.ndarray, Windows]:
    """Return the rows that have tokens, and the windows; equal inputs are read once."""
    number: dict[bytes, int] = {}
    ids: list[np.ndarray] = []
    places: list[tuple[int, int, int]] = []  # row, window, position
    for tokens, words in inputs:
        if not tokens:
            continue
        array = np.array(tokens)
        window = number.setdefault(array.tobytes(), len(ids))
        if window == len(ids):
            ids.append(array)
        places += [(row, window, position) for row, own in words for position in own]
    if not places:
        raise ValueError("no word has a token: the tokenizer does not know this script")
    row, window_of, position = (np.array(column) for column in zip(*places, strict=True))
    rows, index = np.unique(row, return_inverse=True)
    return rows, Windows(ids, index, window_of, position, len(rows))


def _alone(model: LanguageModel, stimulus: Stimulus) -> Iterator[Input]:
    encoded = model.tokenizer([str(word) for word in stimulus.words], truncation=True)["input_ids"]
    for row, ids in enumerate(encoded):
        yield ids, [(row, list(range(len(ids))))]


def _lines(model: LanguageModel, stimulus: Stimulus) -> Iterator[Input]:
    longest = _longest(model)
    room = max(1, longest - model.tokenizer.num_special_tokens_to_add(pair=False))
    for _, block in stimulus.blocks("sentence"):
        words = [str(word) for word in stimulus.words[block]]
        first = block.start
        for stretch in _stretches(model.tokenizer, words, room):
            encoded = model.tokenizer(
                stretch, is_split_into_words=True, truncation=True, max_length=longest
            )
            owners = encoded.word_ids()
            own: dict[int, list[int]] = {}
            for position, word in enumerate(owners):
                if word is not None:
                    own.setdefault(word, []).append(position)
            yield encoded["input_ids"], [(first + word, place) for word, place in own.items()]
            first += len(stretch)


def _stretches(tokenizer: Any, words: list[str], room: int) -> Iterator[list[str]]:
    """Yield stretches of words of at most ``room`` tokens, each as long as possible."""
    whole = tokenizer(words, is_split_into_words=True, add_special_tokens=False)
    counts = np.bincount([w for w in whole.word_ids() if w is not None], minlength=len(words))
    begin, total = 0, 0
    for i, count in enumerate(counts):
        if total + count > room and i > begin:
            yield words[begin:i]
            begin, total = i, 0
        total += count
    yield words[begin:]


def _sentences(model: LanguageModel, stimulus: Stimulus) -> Iterator[Input]:
    for label, block in stimulus.blocks("text"):
        words = [str(word) for word in stimulus.words[block]]
        encoded = model.tokenizer(
            "".join(words), add_special_tokens=False, return_offsets_mapping=True
        )
        if len(encoded["input_ids"]) > model.window:
            raise ValueError(
                f"text {label!r} has {len(encoded['input_ids'])} tokens, {model.name} takes "
                f"{model.window}: cut the text into sentences"
            )
        edges = np.cumsum([0, *map(len, words)])
        start, stop = np.array(encoded["offset_mapping"]).reshape(-1, 2).T
        own = []
        for i in range(len(words)):
            hits = (start < edges[i + 1]) & (stop > edges[i]) & (stop > start)
            own.append((block.start + i, np.flatnonzero(hits).tolist()))
        yield encoded["input_ids"], own


def _longest(model: LanguageModel) -> int:
    """Tokens that the challenge puts into a model at a time."""
    of_tokenizer = int(model.tokenizer.model_max_length)
    limit = USUAL if of_tokenizer > UNLIMITED else of_tokenizer
    positions = getattr(model.config, "max_position_embeddings", None)
    return limit if positions is None else min(limit, int(positions))
