"""Synthetic stimuli, recordings and tiny language models with fixed seeds."""

from __future__ import annotations

import atexit
import functools
import tempfile
from pathlib import Path

import numpy as np

from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.language_models import LanguageModel

ENGLISH = [
    "The dog chased the cat up the tree, and then it went home to sleep.",
    "It's a warm day; the children don't want to go home. They're playing!",
    "Alice was beginning to get very tired of sitting by her sister on the bank.",
]
CHINESE = ["今天天气很好，我们一起去公园散步吧。", "孩子们在公园里玩，天气很好。"]
WORDS = [
    "the",
    "a",
    "dog",
    "cat",
    "tree",
    "house",
    "child",
    "river",
    "moon",
    "stone",
    "sleep",
    "run",
    "runs",
    "running",
    "walks",
    "talked",
    "old",
    "red",
    "and",
    "in",
    "on",
    "under",
    "of",
    "to",
    "it",
    "was",
    "very",
    "wonderful",
    "understanding",
    "somewhere",
    "some",
    "night",
    "nightfall",
]


def linear(n: int = 160, p: int = 30, v: int = 6, *, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return features, responses that follow them in part, and the runs of the samples."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * np.linspace(2, 0.2, p) + 1
    Y = X @ rng.standard_normal((p, v)) * np.linspace(0.1, 1, v) + 4 * rng.standard_normal((n, v))
    return X, Y, np.repeat(["one", "two", "three", "four"], n // 4)


def story(n_words: int = 400, *, seed: int = 0) -> Stimulus:
    """Return timed words of two runs, in sentences of eight."""
    rng = np.random.default_rng(seed)
    duration = rng.uniform(0.2, 0.5, n_words)
    onset = np.r_[0, np.cumsum(duration)[:-1]] + 0.3
    half = n_words // 2
    onset[half:] -= onset[half] - 0.5
    return Stimulus(
        rng.choice(WORDS, n_words).tolist(),
        "en",
        onset,
        duration,
        run=np.repeat(["a", "b"], [half, n_words - half]),
        sentence=[f"s{i // 8}" for i in range(n_words)],
        item=[f"i{i}" for i in range(n_words)],
    )


def plain_story(n_words: int = 400, *, seed: int = 0) -> Stimulus:
    """Return timed words of one run."""
    rng = np.random.default_rng(seed)
    duration = rng.uniform(0.2, 0.5, n_words)
    onset = np.r_[0, np.cumsum(duration)[:-1]]
    words = [f"w{i % 300}" for i in range(n_words)]
    return Stimulus(words, "en", onset, duration, item=[f"i{i}" for i in range(n_words)])


def vectors(stimulus: Stimulus, n_features: int = 8, *, seed: int = 1, name: str = "v") -> Features:
    """Return a random vector for each word."""
    values = np.random.default_rng(seed).standard_normal((stimulus.n_words, n_features))
    return Features(name, values, stimulus, columns=[f"c{i}" for i in range(n_features)])


def series(
    stimulus: Stimulus, n_targets: int = 5, *, step: float = 2.0, seed: int = 2
) -> Recording:
    """Return slow noise over the runs of a stimulus, a sample every ``step`` seconds."""
    rng = np.random.default_rng(seed)
    parts, times, runs = [], [], []
    labels = stimulus.run if stimulus.run is not None else np.repeat("1", stimulus.n_words)
    for run in dict.fromkeys(labels.tolist()):
        n = int(stimulus.onset[labels == run].max() / step) + 4
        parts.append(rng.standard_normal((n, n_targets)).cumsum(axis=0) / 3)
        times.append(step * np.arange(n))
        runs += [run] * n
    data = np.concatenate(parts) + rng.standard_normal((len(runs), n_targets))
    return Recording(
        data,
        [f"t{i}" for i in range(n_targets)],
        "fmri",
        "BOLD",
        times=np.concatenate(times),
        run=np.array(runs) if stimulus.run is not None else None,
    )


@functools.cache
def scratch() -> Path:
    """Return a folder that is removed when the program ends."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)


@functools.cache
def llama() -> LanguageModel:
    """Return a random causal model of three layers that reads English and Chinese."""
    return LanguageModel(_save_llama("llama", ENGLISH + CHINESE, 420, prefix_space=True))


@functools.cache
def speller() -> LanguageModel:
    """Return a random causal model that spells the short ones of `WORDS` in few tokens."""
    short = " " + " ".join(word for word in WORDS if len(word) < 8)
    return LanguageModel(_save_llama("speller", [short] * 3, 330, prefix_space=False))


@functools.cache
def fluent() -> LanguageModel:
    """Return a random causal model of ten layers with a token for each frequent English word."""
    import wordfreq

    words = [f" {word}" for word in wordfreq.top_n_list("en", 4000)]
    return LanguageModel(
        _save_llama("fluent", words, 9000, prefix_space=False, size=(10, 128, 4096))
    )


@functools.cache
def bert() -> LanguageModel:
    """Return a random bidirectional model of two layers."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*special, *_pieces()]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {f"{token[1:-1].lower()}_token": token for token in special}
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    tokens = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    return LanguageModel(_save("bert", config, tokens, "AutoModelForMaskedLM"))


def _pieces() -> list[str]:
    """Return characters and short words; a trained WordPiece is another one in every process."""
    text = "".join(ENGLISH + CHINESE).lower()
    characters = sorted(set(text) - {" "})
    words = sorted({word for word in text.split() if word.isalpha() and 1 < len(word) < 6})
    return [*characters, *(f"##{c}" for c in characters), *words]


def _save_llama(
    name: str,
    texts: list[str],
    vocabulary: int,
    *,
    prefix_space: bool,
    size: tuple[int, int, int] = (3, 32, 512),
) -> Path:
    """Save a Llama of so many layers, units and positions, and a tokenizer of the texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<s>", "<pad>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokens = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>")
    config = LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=size[1],
        intermediate_size=48,
        num_hidden_layers=size[0],
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=size[2],
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=0,
    )
    return _save(name, config, tokens, "AutoModelForCausalLM")


def _save(name: str, config: object, tokens: object, auto: str) -> Path:
    """Save a model with random weights; its tokenizer is trained on the spot."""
    import torch
    import transformers

    folder = scratch() / name
    transformers.utils.logging.disable_progress_bar()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        getattr(transformers, auto).from_config(config).save_pretrained(folder)
    tokens.save_pretrained(folder)  # type: ignore[attr-defined]
    return folder
