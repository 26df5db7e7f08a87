"""Probabilities of a language-modelling head, computed in bounded memory.

The logits of all tokens of a text (n_tokens x vocabulary) never exist at once: hidden states are
caught where they enter the output embedding, only the rows that are asked for go on, a chunk of
rows at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm._progress import bar
from brainlm.language_models.hidden_states import BATCH_TOKENS
from brainlm.language_models.windows import Batch, Windows

if TYPE_CHECKING:
    from brainlm.language_models.model import LanguageModel

LOGIT_BYTES = 1 << 27  # of one float32 array of logits; three of them exist at a time
# How vocabularies write a space, tab or line feed at the start of a token.
SPACES = ("Ġ", "Ċ", "ĉ", "č", "▁", " ", "\n", "\t", "\r", "<0x20>", "<0x0A>", "<0x09>", "<0x0D>")


def begins_word(tokenizer: Any) -> np.ndarray:
    """Return which tokens begin with white space, or end the text: bool, (n_vocabulary,)."""
    vocabulary = tokenizer.get_vocab()
    begins = np.zeros(max(vocabulary.values()) + 1, dtype=bool)
    begins[[i for token, i in vocabulary.items() if token.startswith(SPACES)]] = True
    begins[tokenizer.all_special_ids] = True
    return begins


def predictions(
    model: LanguageModel, windows: Windows, target: np.ndarray, progress: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the log probabilities that the network predicts at positions of ``windows``, in nats.

    Parameters
    ----------
    model : LanguageModel
    windows : Windows
        Inputs, and one place per row.
    target : array of int, shape (n_rows,)
        Token whose probability is asked for; -1: none.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    log_p : array of shape (n_rows,)
        Log probability of each target; 0 where there is none.
    mass : array of shape (n_rows, 2)
        Log probability that the token begins with white space or ends the text, and that it does
        neither.
    entropy : array of shape (n_rows,)
        Entropy of the distribution over tokens.
    """
    log_p, entropy = np.empty(len(target)), np.empty(len(target))
    mass = np.empty((len(target), 2))
    batches = list(windows.batches(BATCH_TOKENS, model.batch_size))
    for batch in bar(batches, f"predict with {model.name}", progress=progress, inner=not progress):
        order = np.argsort(batch.unit)  # one place per row
        found = _predict(model, batch, batch.place[order], target[batch.rows])
        log_p[batch.rows], mass[batch.rows], entropy[batch.rows] = found
    if not (np.isfinite(log_p).all() and np.isfinite(entropy).all()):
        raise ValueError(
            f"log probabilities of {model.name} are not finite in {model.dtype}: use "
            "dtype='bfloat16' or 'float32'"
        )
    return log_p, mass, entropy


def _predict(
    model: LanguageModel, batch: Batch, place: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import torch

    ids, mask = (
        torch.from_numpy(a).to(model.device)
        for a in batch.padded(model.tokenizer.pad_token_id or 0)
    )
    with torch.inference_mode():
        rows = _rows_at_head(model, ids, mask.long(), torch.from_numpy(place).to(model.device))
        size = max(1, LOGIT_BYTES // (4 * model.config.vocab_size))
        pieces = [
            _read(model, rows[start : start + size], target[start : start + size])
            for start in range(0, len(rows), size)
        ]
    log_p, mass, entropy = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return log_p, mass, entropy


def _rows_at_head(model: LanguageModel, ids: Any, mask: Any, place: Any) -> Any:
    """Return the hidden states at ``place`` as they enter the output embedding, (n_rows, width).

    The model's own head still computes one row, and ours must agree with it: a model that does
    something unknown to its logits is refused.
    """
    import torch

    caught = {}

    def keep(_: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        states = arguments[0]
        caught["rows"] = states.reshape(-1, states.shape[-1])[place]
        return (caught["rows"][None, :1], *arguments[1:])

    hook = model.headed.get_output_embeddings().register_forward_pre_hook(keep)
    try:
        logits = model.headed(
            input_ids=ids, attention_mask=mask, **({"use_cache": False} if model.causal else {})
        ).logits
    finally:
        hook.remove()
    own = head_logits(model, caught["rows"][:1])
    scale = logits.abs().max().item()
    if not torch.allclose(own[0], logits[0, 0].float(), atol=0.02 * scale, rtol=0):
        raise ValueError(
            f"{model.name} changes its logits in a way that brainlm does not know, so no "
            "probability can be read: use another model"
        )
    return caught["rows"]


def head_logits(model: LanguageModel, rows: Any) -> Any:
    """Return the logits of hidden states, (n_rows, n_vocabulary), float32."""
    logits = model.headed.get_output_embeddings()(rows).float()
    config = model.config
    if getattr(config, "logits_scaling", None):  # Granite
        logits = logits / config.logits_scaling
    if getattr(config, "logit_scale", None):  # Cohere
        logits = logits * config.logit_scale
    cap = getattr(config, "final_logit_softcapping", None)  # Gemma
    return logits if not cap else (logits / cap).tanh() * cap


def _read(
    model: LanguageModel, rows: Any, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import torch

    log_p = head_logits(model, rows).log_softmax(dim=-1)  # (n_rows, n_vocabulary)
    wanted = torch.from_numpy(np.maximum(target, 0)).to(log_p.device)
    found = log_p.gather(1, wanted[:, None])[:, 0].double().cpu().numpy()
    begins = torch.zeros(log_p.shape[1], device=log_p.device)
    known = torch.from_numpy(model.begins_word.astype(np.float32))[: len(begins)]
    begins[: len(known)] = known.to(log_p.device)
    p = log_p.exp()
    mass = torch.stack([p @ begins, p @ (1 - begins)], dim=1).clamp_min(1e-30).log()
    entropy = -(p * log_p.clamp_min(-1e4)).sum(dim=1)
    return (
        np.where(target >= 0, found, 0.0),
        mass.double().cpu().numpy(),
        entropy.double().cpu().numpy(),
    )
