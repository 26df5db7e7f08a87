"""Tokens of a stimulus as a model reads them, with warnings about language and shared tokens."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from brainlm.data.segmentation import read_text
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError
from brainlm.language_models.languages import check_language
from brainlm.language_models.tokens import Tokens, tokenize
from brainlm.language_models.windows import Units, units

if TYPE_CHECKING:
    from brainlm.language_models.model import LanguageModel


def read_tokens(
    model: LanguageModel, stimulus: Stimulus, context: int | str, level: str
) -> tuple[Units, list[Tokens]]:
    """Return the texts that a model reads, and the tokens of each.

    Parameters
    ----------
    model : LanguageModel
    stimulus : Stimulus
    context, level
        As in `brainlm.LanguageModel.embed`.

    Warns
    -----
    UserWarning
        A token belongs to two words, so that a causal model sees the next word; or the model does
        not seem to have been trained on the language.
    """
    if not isinstance(stimulus, Stimulus):
        raise TypeError(
            f"stimulus must be a Stimulus, got {type(stimulus).__name__}: "
            "brainlm.read_text(text, language) makes one of a text"
        )
    read = units(stimulus, context, level)
    tokens = tokenize(model.tokenizer, read.texts, stimulus.language, read.isolated.tolist())
    check_language(
        model.name,
        model.source.languages,
        stimulus.language,
        read.texts,
        tokens,
        n_unknown(model, tokens),
        len(model.tokenizer),
    )
    _check_ids(model, tokens)
    shared = sum(text.n_shared for text in tokens)
    if shared and model.causal:
        warnings.warn(
            f"{shared} tokens of {model.name} belong to two words: the earlier word sees part "
            "of the later one. Use a model whose tokenizer splits at spaces",
            stacklevel=4,
        )
    return read, tokens


def _check_ids(model: LanguageModel, tokens: Sequence[Tokens]) -> None:
    """Raise where the tokenizer gives a token that the network has no embedding of."""
    used = [*model.frame.prefix, *model.frame.suffix]
    used += [int(text.ids.max()) for text in tokens if len(text.ids)]
    if used and max(used) >= model.config.vocab_size:
        raise CorruptDataError(
            f"{model.source.folder}: its tokenizer gives token {max(used)}, its network knows "
            f"{model.config.vocab_size} tokens: the files are of different models"
        )


def n_unknown(model: LanguageModel, tokens: Sequence[Tokens]) -> int:
    """Return the number of unknown tokens."""
    return int(sum((text.ids == model.tokenizer.unk_token_id).sum() for text in tokens))


def as_stimulus(
    given: Stimulus | str | Sequence[str], context: int | str | None, languages: Sequence[str]
) -> tuple[Stimulus, int | str]:
    """Return the words of a text or a list, and the context where none is given.

    Parameters
    ----------
    given : Stimulus, str or sequence of str
        A text is split into words; a list has isolated words.
    context : "none", "sentence", "document", int or None
        As in `brainlm.LanguageModel.embed`.
    languages : sequence of str
        Of the model; words of a text or a list are in the first, English where there is none.

    Raises
    ------
    ValueError
        A list of words with a context.
    """
    if isinstance(given, Stimulus):
        return given, "sentence" if context is None else context
    language = languages[0] if languages else "en"
    if isinstance(given, str):
        return read_text(given, language), "sentence" if context is None else context
    words = [str(word) for word in given]
    if context not in (None, "none"):
        raise ValueError(
            f"a list of words has no sentences: context={context!r} needs a Stimulus or a text; "
            "leave context out for isolated words"
        )
    return Stimulus(words, language, item=[str(k) for k in range(len(words))]), "none"
