"""LanguageModel: hidden states of any transformers model, one row per word of a stimulus."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from brainlm._progress import step
from brainlm.compute.backend import check_device
from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.language_models import loading
from brainlm.language_models.heads import begins_word
from brainlm.language_models.hidden_states import hidden_states
from brainlm.language_models.predictability import word_predictability
from brainlm.language_models.read_tokens import as_stimulus, n_unknown, read_tokens
from brainlm.language_models.sites import Site
from brainlm.language_models.sources import find_source
from brainlm.language_models.tokens import Frame, Tokens, frame_of
from brainlm.language_models.windows import (
    Span,
    Units,
    assemble,
    check_choices,
    choose_sites,
    choose_spans,
    whole_spans,
)
from brainlm.storage.store import resolve_cache
from brainlm.storage.whole_files import release_pages

READING = 2  # raise it when the same words would go into a model as other tokens


class LanguageModel:
    """A pretrained language model that turns the words of a stimulus into features.

    Parameters
    ----------
    name : str or Path
        A pip-shipped name (see ``list_models``), a folder that ``save_pretrained`` wrote, a
        ``.gguf`` file, or a Hugging Face id, ``"org/model"`` or ``"org/model@revision"``. Static
        vectors (``"glove-6b-50d"``) give a ``StaticVectors``, which is used in the same way.
    device : str
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``. One that is not there is an error.
    dtype : {"float32", "bfloat16", "float16", "auto"}
        Precision of the network; features always come as float32. bfloat16 halves the time on
        processors that have it, takes longer on others, and changes hidden states by about 1 %;
        "auto" is bfloat16 on the former and float32 on the latter. float16 may overflow.
    batch_size : int, optional
        Inputs per forward pass. Default: as many as fit 4096 tokens.
    cache : bool or path
        Folder in which hidden states are kept, or True for the usual one. ``embed`` then streams
        to disk, whatever the size, resumes after an interruption, and a second call with the
        same inputs is a read.
    allow_pickles : bool
        Whether a model without safetensors may be read from ``pytorch_model*.bin``: tensors only
        (``weights_only=True``), nothing that could run.
    separator : str, optional
        Of a causal model: the token that stood between documents in pre-training; every input
        begins with it. Default: the entry of a pip-shipped model, else ``"<|endoftext|>"`` where
        the vocabulary has it, else the beginning- or end-of-text token, with a warning where that
        belongs to the chat format (``<|im_start|>``).
    untrained : int, optional
        Seed: an untrained twin, the same architecture and tokenizer with the random weights from
        which training begins. A baseline: what it predicts, training has not brought.

    Raises
    ------
    UnknownNameError, DataMissingError, CorruptDataError
        See ``fetch_model``.
    ValueError
        The device is not there, the tokenizer has no character offsets, the separator is not in
        its vocabulary, or the model is neither causal nor masked nor an encoder-decoder (of which
        the encoder is read).

    Notes
    -----
    The network is loaded at the first ``embed``. Weights come from safetensors unless pickles are
    allowed, and no code of a model repository is run.

    Examples
    --------
    >>> model = brainlm.LanguageModel("minilm")
    >>> stimulus = brainlm.read_text("The dog sleeps.", "en")
    >>> [layer.values.shape for layer in model.embed(stimulus, layers=[0, 6])]
    [(3, 384), (3, 384)]
    """

    def __new__(cls, name: str | Path = "", **options: Any) -> LanguageModel:
        """Return a ``StaticVectors`` for the name of static vectors (unpickling gives no name)."""
        from brainlm.language_models.word_vectors import StaticVectors, is_static

        return object.__new__(StaticVectors if is_static(name) else cls)

    def __init__(
        self,
        name: str | Path,
        *,
        device: str = "cpu",
        dtype: str = "float32",
        batch_size: int | None = None,
        cache: bool | str | Path = False,
        allow_pickles: bool = False,
        separator: str | None = None,
        untrained: int | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.device = check_device(device)
        self.dtype = loading.dtype_on(self.device, dtype)
        self.batch_size = batch_size
        self.cache = resolve_cache(cache)
        self.source = find_source(name, allow_pickles).twin(untrained)
        with step(f"open {self.name}"):
            self.config = loading.load_config(self.source.folder)
            self.kind = loading.kind_of(self.config)
            self.tokenizer = loading.load_tokenizer(self.source.folder)
        given = self.source.separator if separator is None else separator
        self.frame: Frame = frame_of(self.tokenizer, self.kind, given)

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.source.name

    @property
    def revision(self) -> str:
        """The exact weights: their SHA-256, or the commit of a model from the hub."""
        return self.source.revision

    @property
    def identity(self) -> str:
        """Weights, separator and rules of reading: a stored result depends on them."""
        return f"{self.revision}, {self.separator}, reading {READING}"

    @property
    def n_layers(self) -> int:
        """Number of layers; hidden states go from layer 0, the embeddings, to ``n_layers``."""
        return int(self.config.num_hidden_layers)

    @property
    def n_features(self) -> int:
        """Width of a hidden state."""
        return int(self.config.hidden_size)

    @property
    def window(self) -> int:
        """Longest input in tokens, special ones included."""
        positions = getattr(self.config, "max_position_embeddings", None) or np.inf
        return int(min(positions, self.tokenizer.model_max_length, 10**9))

    @property
    def separator(self) -> str | None:
        """Of a causal model, the token between documents, with which every input begins."""
        if not self.causal or not self.frame.prefix:
            return None
        return str(self.tokenizer.convert_ids_to_tokens(self.frame.prefix[0]))

    @property
    def causal(self) -> bool:
        """Whether a token sees only those before it."""
        return self.kind == "causal"

    @cached_property
    def network(self) -> Any:
        """The torch module, without a language-modelling head."""
        with step(f"load {self.name}"):
            return loading.load_network(self.source, device=self.device, dtype=self.dtype)

    @cached_property
    def headed(self) -> Any:
        """The torch module with its language-modelling head; ``network`` becomes a part of it."""
        head = "AutoModelForCausalLM" if self.causal else "AutoModelForMaskedLM"
        where = {"device": self.device, "dtype": self.dtype}
        with step(f"load {self.name}"):
            headed = loading.load_network(self.source, **where, head=head)
        self.network = headed.base_model
        return headed

    @cached_property
    def begins_word(self) -> np.ndarray:
        """Which tokens begin with white space or end the text, bool, (n_vocabulary,)."""
        begins = begins_word(self.tokenizer)
        begins[list(self.frame.prefix)] = True
        return begins

    def embed(
        self,
        stimulus: Stimulus | str | Sequence[str],
        layers: Any = "all",
        *,
        context: int | str | None = None,
        pooling: str | None = None,
        level: str = "word",
        exact: bool = False,
        progress: bool = False,
    ) -> tuple[Features, ...]:
        """Return the hidden states of the words (sentences, texts) of a stimulus, layer by layer.

        Parameters
        ----------
        stimulus : Stimulus, str or sequence of str
            The words. No context ever crosses the edge of a ``stimulus.text``. A text is split into
            words (`brainlm.read_text`), a list has isolated words; both in the first language
            of the model, English where that is unknown. For others make a Stimulus.
        layers : "all", int, str or sequence of int and str
            0 is the embedding layer, ``n_layers`` (or -1) the last one; in models with a final
            normalisation the last one comes after it, as in transformers. Sites inside a block by
            name (`brainlm.language_models.sites`): ``"4.attn_out"`` and ``"4.mlp_out"``, which the
            block that computes layer 4 adds to the residual; ``"4.resid_pre"``,
            ``"4.resid_mid"``, ``"4.resid_post"`` (without a final normalisation); ``"4.head.3"``,
            one attention head. Without a number: that site of every layer.
        context : "none", "sentence", "document" or int
            What the model reads with a word. Default: "sentence", and "none" for a list of words.
            "none": the word by itself, as a separate text.
            "sentence" and "document": the whole sentence or text in one input (a masked model
            sees the words after, too). An int: that many preceding words, or all there are.
            A causal model gets them in one pass over overlapping windows, in which a word has
            from ``context`` to ``2 * context - 1`` words before it, never one after it. A masked
            model gets one window per word, with exactly ``context`` words before it and none
            after: slower. ``origin["longest_context"]`` says how many there were at most.
        pooling : {"last", "mean", "first"}, optional
            Which token of a word stands for it, or their mean. Default: "last" for words, "mean"
            for sentences and texts (special tokens left out).
        level : {"word", "sentence", "text"}
            One row per ``stimulus.sentence`` (with context "sentence") or per ``stimulus.text``, a
            whole discourse (with "document"), in order, each embedded by itself; the features then
            carry no stimulus.
        exact : bool
            For an int as context: one input per word, with exactly ``context`` words before it.
            Slow; for comparison with the overlapping windows of a causal model.
        progress : bool
            Whether to show a progress bar.

        Returns
        -------
        tuple of Features
            One per layer, (n_words, n_features) or a row per sentence or text, float32.

        Raises
        ------
        UnknownNameError
            A layer, context, pooling or level that does not exist.
        ValueError
            A context that does not fit into the model, a word without a token, hidden states
            that are not finite, or a language that a pip-shipped model was not trained on.
        MemoryError
            The result does not fit into memory, and the model has no cache.

        Notes
        -----
        Special tokens stand around every input (a causal model's is ``separator``), also around a
        word alone: a single token that attends only to itself says nothing. An isolated word
        (context "none", or a text of one word) of a language with spaces is read with a space
        before it, as inside running text (``origin["leading_space"]``); tokenizers such as
        WordPiece drop it. The first word of a longer text is not.
        """
        stimulus, context = as_stimulus(stimulus, context, self.source.languages)
        chosen = choose_sites(layers, self.n_layers, int(self.config.num_attention_heads))
        check_choices(context, pooling, level)
        pooling = pooling or ("last" if level == "word" else "mean")
        if context == "none" and not len(self.frame):
            raise ValueError(
                f"{self.name} has no beginning-of-text token: with context='none' a word would "
                "attend only to itself. Use a context, or another model"
            )
        read, tokens = self.tokens_of(stimulus, context, level)
        spans, longest = self.spans(tokens, read.labels, context, exact)
        if level != "word":
            tokens = [text.as_one() for text in tokens]
            spans = whole_spans(tokens, read.labels, self.window - len(self.frame))
        windows = assemble(tokens, spans, self.frame, pooling)
        values = hidden_states(self, windows, chosen, progress)
        origin = {
            **self.origin(tokens),
            "leading_space": read.leading_space,
            "context": context if isinstance(context, str) else int(context),
            "longest_context": longest,
            "pooling": pooling,
        }
        if level != "word":
            origin[f"{level}s"] = "in order of the stimulus"
        spaces = []
        for layer, rows in zip(chosen, values, strict=True):
            found = rows if read.copies is None else rows[read.copies]
            found.flags.writeable = False  # Features then takes it without a copy
            whose = stimulus if level == "word" else None
            here = {**origin, "layer": layer}
            if isinstance(layer, Site):
                here |= {"layer": layer.layer, "site": str(layer)}
            spaces.append(Features(f"layer {layer}", found, whose, origin=here))
            release_pages(rows)
        return tuple(spaces)

    def surprisal(
        self,
        stimulus: Stimulus,
        *,
        context: int | str = "sentence",
        boundary: str = "auto",
        progress: bool = False,
    ) -> Features:
        """Return how unpredictable each word is, in bits: ``-log2 p(word | context)``.

        Causal models: the sum over the word's tokens of ``-log2 p(token | what stands before)``,
        corrected for the space that a token carries in front of it. Such a token also says that
        the word before has ended, so that probability is moved to where it belongs::

            s(w) = -log2 p(tokens of w | c) + log2 P(space | c) - log2 P(space or end | c, w)

        which makes the probabilities of all possible next words sum to 1. (Of a word at the very
        start of a text, without a space, P(no space | c) is taken: ours.) Masked models: the
        pseudo-log-likelihood; each token is predicted with itself and the later tokens of its
        word masked, everything else of the input visible.

        Parameters
        ----------
        stimulus, context, progress
            As in ``embed``. With "none", what is predicted is a text's only word.
        boundary : {"auto", "corrected", "raw"}
            "auto" corrects wherever it applies: a causal model whose tokens carry the space before
            a word, a language with spaces. ``origin["word_boundary"]`` says which it was.

        Returns
        -------
        Features, shape (n_words, 1)
            A token across two words counts half for each (``origin["tokens_of_two_words"]``). In
            languages without spaces words are tokenised one by one, and the probability is that
            of this spelling: running text could spell the same characters otherwise.

        Raises
        ------
        UnknownNameError
            A context or boundary that does not exist.
        ValueError
            As in ``embed``; or the tokenizer has no mask token or no beginning-of-text token.
        CorruptDataError
            The model was published without a language-modelling head.

        References
        ----------
        Pimentel & Meister 2024, arXiv 2406.14561; Oh & Schuler 2024, arXiv 2406.10851;
        Kauf & Ivanova 2023, arXiv 2305.10588.
        """
        return word_predictability(
            self, stimulus, context=context, boundary=boundary, progress=progress
        )[0]

    def entropy(
        self, stimulus: Stimulus, *, context: int | str = "sentence", progress: bool = False
    ) -> Features:
        """Return how uncertain a causal model is before each word, in bits.

        The entropy of its distribution over the word's first token,
        ``-sum_t p(t | context) log2 p(t | context)``. Parameters and errors as in ``surprisal``;
        a masked model raises ValueError.
        """
        return self.surprisal_and_entropy(stimulus, context=context, progress=progress)[1]

    def surprisal_and_entropy(
        self,
        stimulus: Stimulus,
        *,
        context: int | str = "sentence",
        boundary: str = "auto",
        progress: bool = False,
    ) -> tuple[Features, Features]:
        """Return both in the time of one of them; see ``surprisal`` and ``entropy``."""
        if not self.causal:
            raise ValueError(
                f"{self.name} is masked and predicts no next word: entropy needs a causal model"
            )
        surprisal, entropy = word_predictability(
            self, stimulus, context=context, boundary=boundary, progress=progress
        )
        assert entropy is not None
        return surprisal, entropy

    def tokens_of(
        self, stimulus: Stimulus, context: int | str, level: str = "word"
    ) -> tuple[Units, list[Tokens]]:
        """Return the texts that the model reads and the tokens of each, see `read_tokens`."""
        return read_tokens(self, stimulus, context, level)

    def origin(self, tokens: list[Tokens]) -> dict[str, Any]:
        """Return the description of model and tokens that results keep."""
        return {
            "model": self.name,
            "revision": self.revision,
            "kind": self.kind,
            "dtype": self.dtype,
            "special_tokens": self.tokenizer.convert_ids_to_tokens(
                [*self.frame.prefix, *self.frame.suffix]
            ),
            "separator": self.separator,
            "unknown_tokens": n_unknown(self, tokens),
            "tokens_of_two_words": sum(text.n_shared for text in tokens),
        }

    def spans(
        self, tokens: list[Tokens], labels: list[str], context: int | str, exact: bool = False
    ) -> tuple[list[Span], int]:
        """Return the inputs and the largest number of words before any word in its input."""
        room, trailing = self.window - len(self.frame), exact or not self.causal
        spans = choose_spans(tokens, labels, context, room, trailing=trailing)
        return spans, max(span.stop - span.start - 1 for span in spans)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.name!r}, {self.kind}, {self.n_layers} layers x "
            f"{self.n_features}, revision {self.revision[:8]})"
        )
