"""The brain as a soft prompt of a language model: a third guide of decoding.

A small map turns responses into a few vectors that stand before the text, in the space of the token
embeddings; it is trained by the loss of the next words, and the language model stays as it is::

    h = (x - m) / s U,    prompt_j = e + d (b_j + h V_j),    j = 1 ... n_prompts
    loss = - mean log p(words of a sample | prompt(x after it), words before)

with e and d the mean and the deviation of token embeddings. U, of a low rank, is what ridge
regression predicts best of the mean token embedding of a sample's words. V and b are trained by the
loss, on predictions for samples that the regression has not seen. The idea is that of BrainLLM (Ye
et al. 2025, Commun Biol 8:346, arXiv 2311.09889), which also begins with token embeddings; the
regression, the rank and the training are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from brainlm._progress import bar
from brainlm.decoding.prompt_examples import PromptExamples
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.language_models import LanguageModel
from brainlm.language_models.heads import head_logits

FEWEST = 20  # examples
N_FOLDS, GAP = 5, 2  # of the regressions; the gap in examples
SEARCHED = 4  # times the rank: components of the token embeddings that are predicted


@dataclass(frozen=True)
class PromptTraining:
    """Settings of a soft prompt and of its training.

    Attributes
    ----------
    n_prompts : int
        Vectors before the text.
    rank : int
        Of the map from responses to all of them: directions of token embeddings that the responses
        predict.
    context : int
        Words before the predicted ones.
    epochs, patience : int
        Most epochs, and epochs without a lower held-out loss until it stops.
    batch : int
        Samples per step.
    most : int
        Samples per epoch, drawn at random: a pass through the language model and back each.
    rate, decay : float
        Learning rate and weight decay of AdamW.
    seed : int
    """

    n_prompts: int = 4
    rank: int = 16
    context: int = 8
    epochs: int = 4
    patience: int = 2
    batch: int = 32
    most: int = 500
    rate: float = 5e-3
    decay: float = 0.05
    seed: int = 0


@dataclass(frozen=True, eq=False)
class SoftPrompt:
    """A trained map from responses to prompt vectors.

    Attributes
    ----------
    mean, scale : array of shape (n_inputs,)
        Of the training responses.
    down : array of shape (n_inputs, rank)
    up : array of shape (rank, n_prompts, width)
    bias : array of shape (n_prompts, width)
    centre : array of shape (width,)
        Mean token embedding.
    spread : array of shape (1,)
        Standard deviation of token embeddings.
    context : array of int, shape (1,)
        Words before the predicted ones.
    """

    mean: np.ndarray
    scale: np.ndarray
    down: np.ndarray
    up: np.ndarray
    bias: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    context: np.ndarray

    def vectors(self, X: np.ndarray) -> np.ndarray:
        """Return the prompt of each sample, (n_samples, n_prompts, width), float32."""
        hidden = ((X - self.mean) / self.scale) @ self.down
        moved = np.einsum("nr,rkw->nkw", hidden, self.up) + self.bias
        return (self.centre + self.spread * moved).astype(np.float32)

    def save(self, path: Path | str) -> None:
        """Write the map as a safetensors file."""
        from safetensors.numpy import save_file

        arrays = {f.name: np.ascontiguousarray(getattr(self, f.name)) for f in fields(self)}
        save_file(arrays, path)


def load_soft_prompt(path: Path | str) -> SoftPrompt:
    """Read a `SoftPrompt` that its ``save`` has written."""
    from safetensors.numpy import load_file

    return SoftPrompt(**load_file(path))


def fit_soft_prompt(
    model: LanguageModel,
    train: PromptExamples,
    held_out: PromptExamples,
    settings: PromptTraining | None = None,
) -> SoftPrompt:
    """Train the map on examples of training stories; the language model is not changed.

    Parameters
    ----------
    model : LanguageModel
        Causal.
    train, held_out : PromptExamples
        Training stops when the loss of the held-out training story rises.
    settings : PromptTraining, optional

    Returns
    -------
    SoftPrompt
        Of the epoch with the lowest held-out loss.

    Raises
    ------
    ValueError
        The model is not causal, or there are too few examples.
    """
    given = PromptTraining() if settings is None else settings
    if not model.causal:
        raise ValueError(f"{model.name} is {model.kind}: a soft prompt needs a causal model")
    if len(train) < FEWEST or not len(held_out):
        raise ValueError(
            f"a soft prompt needs {FEWEST} examples to train on and a held-out story, got "
            f"{len(train)} and {len(held_out)}"
        )
    model.headed.requires_grad_(False)
    with _single_precision(model):
        return _train(model, train, held_out, given)


@contextmanager
def _single_precision(model: LanguageModel) -> Iterator[None]:
    """Hold the weights in float32: on processors the way back is four times as fast as in half."""
    weights = list(model.headed.parameters())
    before = [each.dtype for each in weights]
    for each in weights:
        each.data = each.data.float()
    try:
        yield
    finally:
        for each, dtype in zip(weights, before, strict=True):
            each.data = each.data.to(dtype)  # exact: they came from there


def _train(
    model: LanguageModel, train: PromptExamples, held_out: PromptExamples, given: PromptTraining
) -> SoftPrompt:
    """Return the map of the epoch with the lowest held-out loss."""
    import torch

    start, hidden = _start(model, train, given)
    names = ("up", "bias")
    rng = np.random.default_rng(given.seed)
    weights = {name: torch.tensor(getattr(start, name), requires_grad=True) for name in names}
    optimiser = torch.optim.AdamW(weights.values(), lr=given.rate, weight_decay=given.decay)
    best, lowest, waited = start, prompt_loss(model, start, held_out), 0
    for epoch in range(given.epochs):
        batches = _batches(rng.permutation(len(train))[: given.most], given.batch)
        for rows in bar(batches, f"soft prompt, epoch {epoch + 1}", inner=True):
            part = train.select(rows)
            optimiser.zero_grad()
            total, n_tokens = _summed_loss(model, _prompts(start, weights, hidden[rows]), part)
            (total / n_tokens).backward()
            optimiser.step()
        now = SoftPrompt(**{**vars(start), **{n: w.detach().numpy() for n, w in weights.items()}})
        loss, waited = prompt_loss(model, now, held_out), waited + 1
        if loss < lowest:
            copies = {name: getattr(now, name).copy() for name in names}
            best, lowest, waited = SoftPrompt(**{**vars(start), **copies}), loss, 0
        if waited >= given.patience:
            break
    return best


def prompt_loss(model: LanguageModel, prompt: SoftPrompt, examples: PromptExamples) -> float:
    """Return the mean loss of the next words, in nats per token.

    Parameters
    ----------
    model : LanguageModel
    prompt : SoftPrompt
    examples : PromptExamples
        Of a held-out story; with permuted responses (`PromptExamples.with_inputs`) the null. The
        loss of none is NaN.
    """
    import torch

    total, n_tokens = 0.0, 0
    with torch.inference_mode():
        for rows in _batches(np.arange(len(examples)), 64):
            part = examples.select(rows)
            vectors = torch.from_numpy(prompt.vectors(part.X))
            loss, n = _summed_loss(model, vectors, part)
            total, n_tokens = total + float(loss), n_tokens + n
    return total / n_tokens if n_tokens else float("nan")


def _start(
    model: LanguageModel, train: PromptExamples, given: PromptTraining
) -> tuple[SoftPrompt, np.ndarray]:
    """The map by ridge regression, and h of the training examples by other examples' regression."""
    rng = np.random.default_rng(given.seed)
    X = np.asarray(train.X, dtype=np.float32)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    scale[scale == 0] = 1
    embedded, centre, spread = _token_embeddings(model, train.target)
    _, size, axes = np.linalg.svd(embedded - embedded.mean(axis=0), full_matrices=False)
    axes = axes[: min(SEARCHED * given.rank, int((size > 1e-4 * size[0]).sum()))]
    parts = (embedded - embedded.mean(axis=0)) @ axes.T
    unseen = np.empty_like(parts)
    for fold, test in ContiguousBlocks(N_FOLDS, gap=GAP).split(X):
        unseen[test] = _ridge(X[fold], parts[fold]).predict(X[test])
    best = np.linalg.svd(unseen, full_matrices=False)[2][: given.rank].T
    hidden = unseen @ best
    deviation = np.maximum(hidden.std(axis=0), np.finfo(np.float32).tiny)
    # In units of the mean and scale, so that the weights are what each unit vector predicts.
    down = _ridge(X, parts).predict(mean + np.diag(scale)) @ best / deviation
    moved = (deviation[:, None] * (best.T @ axes) / spread)[:, None]
    shape = (given.n_prompts, embedded.shape[1])
    prompt = SoftPrompt(
        mean,
        scale,
        down.astype(np.float32),
        np.repeat(moved, given.n_prompts, axis=1).astype(np.float32),
        (0.1 * rng.standard_normal(shape)).astype(np.float32),
        centre,
        np.array([spread], dtype=np.float32),
        np.array([given.context]),
    )
    return prompt, (hidden / deviation).astype(np.float32)


def _ridge(X: np.ndarray, Y: np.ndarray) -> RidgeEncoder:
    return RidgeEncoder(cv=ContiguousBlocks(N_FOLDS, gap=GAP), warn_edge=False).fit(X, Y)


def _token_embeddings(
    model: LanguageModel, texts: Sequence[tuple[int, ...]]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean token embedding of each text; mean and deviation of the embeddings of their tokens."""
    import torch

    used, place = np.unique([token for words in texts for token in words], return_inverse=True)
    with torch.no_grad():
        ids = torch.from_numpy(used).to(model.device)
        known = model.headed.get_input_embeddings()(ids).float().cpu().numpy()
    starts = np.cumsum([0, *map(len, texts)])[:-1]
    sums = np.add.reduceat(known[place], starts, axis=0)
    means = sums / np.array([[len(words)] for words in texts])
    return means, known.mean(axis=0), float(known.std(axis=0).mean())


def _prompts(start: SoftPrompt, weights: dict[str, Any], hidden: np.ndarray) -> Any:
    """Prompt vectors of a batch, through which the gradient flows to the weights."""
    import torch

    moved = torch.einsum("nr,rkw->nkw", torch.from_numpy(hidden), weights["up"]) + weights["bias"]
    return torch.from_numpy(start.centre) + torch.from_numpy(start.spread) * moved


def _batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    return [order[start : start + size] for start in range(0, len(order), size)]


def _summed_loss(model: LanguageModel, vectors: Any, part: PromptExamples) -> tuple[Any, int]:
    """Sum of the losses of the target tokens of a batch, and their number."""
    import torch

    texts = [[*before, *target] for before, target in zip(part.before, part.target, strict=True)]
    states, first = prompted_states(model, vectors, texts)
    row, place, wanted = [], [], []
    for k, (before, target) in enumerate(zip(part.before, part.target, strict=True)):
        row += [k] * len(target)
        place += list(range(first + len(before) - 1, first + len(before) - 1 + len(target)))
        wanted += list(target)
    logits = head_logits(model, states[torch.tensor(row), torch.tensor(place)])
    targets = torch.tensor(wanted, device=logits.device)
    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum"), len(wanted)


def prompted_states(
    model: LanguageModel, vectors: Any, texts: Sequence[Sequence[int]]
) -> tuple[Any, int]:
    """Run texts behind their prompts; return hidden states and the place of the first text token.

    Parameters
    ----------
    model : LanguageModel
    vectors : tensor of shape (n_texts, n_prompts, width)
    texts : sequence of sequence of int
        Tokens of each text. The model's beginning of a text stands before the prompt.
    """
    import torch

    prefix = list(model.frame.prefix)
    longest = max(1, *map(len, texts))
    ids = torch.zeros((len(texts), len(prefix) + longest), dtype=torch.long)
    for k, text in enumerate(texts):
        ids[k, : len(prefix) + len(text)] = torch.tensor([*prefix, *text])
    embedded = model.headed.get_input_embeddings()(ids.to(model.device))
    vectors = vectors.to(embedded)
    whole = torch.cat([embedded[:, : len(prefix)], vectors, embedded[:, len(prefix) :]], dim=1)
    first = len(prefix) + vectors.shape[1]
    lengths = torch.tensor([first + len(text) for text in texts])
    mask = (torch.arange(whole.shape[1]) < lengths[:, None]).long().to(model.device)
    found = model.network(inputs_embeds=whole, attention_mask=mask, use_cache=False)
    return found.last_hidden_state, first
