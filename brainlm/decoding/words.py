"""Words of stories, spelled as in transcripts, and their hidden states in windows of context."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from brainlm._validation import check_finite
from brainlm.data.segmentation import segment
from brainlm.language_models import LanguageModel
from brainlm.language_models.hidden_states import BATCH_TOKENS
from brainlm.language_models.layer_stack import layer_stack, states_at
from brainlm.language_models.tokens import tokenize
from brainlm.language_models.windows import Windows, assemble, overlapping_spans
from brainlm.storage.store import cached_arrays, content_key

EDGES = re.compile(r"^[^\w]+|[^\w]+$")


def clean_words(
    words: Iterable[str], language: str, level: str = "word"
) -> tuple[list[str], np.ndarray]:
    """Return words in lower case without punctuation at their edges, as stories are transcribed.

    Parameters
    ----------
    words : iterable of str
    language : str
    level : {"word", "character"}
        "character" cuts Chinese words into characters.

    Returns
    -------
    words : list of str
    place : array of int
        Which of the given words each came from; pure punctuation gives none.
    """
    found, place = [], []
    for i, word in enumerate(words):
        bare = EDGES.sub("", str(word).replace("’", "'")).lower()
        if not bare:
            continue
        parts = segment(bare, language, level) if level == "character" else [bare]
        found += parts
        place += [i] * len(parts)
    return found, np.array(place, dtype=int)


def read_states(
    model: LanguageModel,
    words: Sequence[str],
    language: str,
    *,
    layer: int,
    context: int,
    lengths: Sequence[int] | None = None,
) -> np.ndarray:
    """Return the hidden state of each word of a text, as `BeamCache` gives it while decoding.

    Every word is spelled by itself (with the space before it), so that the tokens of a text do not
    depend on what follows; windows are those of ``embed(context=context)``.

    Parameters
    ----------
    model : LanguageModel
    words : sequence of str, shape (n_words,)
    language : str
    layer, context : int
    lengths : sequence of int, optional
        Words of each text, where there are several one after the other. Default: a single text.

    Returns
    -------
    array of shape (n_words, n_states)
        At the last token of each word.
    """
    lengths = [len(words)] if lengths is None else lengths
    texts = [
        part.tolist() for part in np.split(np.array(words, dtype=object), np.cumsum(lengths)[:-1])
    ]
    tokens = tokenize(model.tokenizer, texts, language, by_word=[True] * len(texts))
    spans = overlapping_spans(tokens, context, model.window - len(model.frame))
    return _run(model, assemble(tokens, spans, model.frame, "last"), layer)


def _run(model: LanguageModel, windows: Windows, layer: int) -> np.ndarray:
    """Run the network up to a layer over windows, one place per row; from the cache if there."""
    import torch

    stack = layer_stack(model)
    batches = list(windows.batches(BATCH_TOKENS, model.batch_size))

    def compute(step: int) -> tuple[np.ndarray, list[np.ndarray]]:
        batch = batches[step]
        ids, mask = (torch.from_numpy(a).to(model.device) for a in batch.padded(0))
        with torch.inference_mode():
            states = states_at(
                stack,
                layer,
                lambda: (
                    model.network(
                        input_ids=ids, attention_mask=mask.long(), use_cache=False
                    ).last_hidden_state
                ),
            )
            place = torch.from_numpy(batch.place[np.argsort(batch.unit)]).to(model.device)
            found = states.reshape(-1, states.shape[-1])[place].float().cpu().numpy()
        check_finite(found, f"layer {layer} of {model.name}")
        return batch.rows, [found]

    shape = (windows.n_rows, model.n_features)
    if model.cache is None:
        values = np.empty(shape, dtype=np.float32)
        for step in range(len(batches)):
            rows, (found,) = compute(step)
            values[rows] = found
        return values
    parts = {
        "revision": model.revision,
        "dtype": model.dtype,
        "layer": layer,
        "code": "decoding 1",
        "inputs": windows.inputs,
        "row": windows.row,
        "window": windows.window,
        "position": windows.position,
    }
    plan = f"{model.device}, batch_size {model.batch_size}, {BATCH_TOKENS} tokens"
    return cached_arrays(
        model.cache,
        content_key(parts),
        names=[f"layer {layer}"],
        shape=shape,
        n_steps=len(batches),
        compute=compute,
        plan=plan,
        record={"model": model.name},
    )[0]
