"""Check that a language model was trained on the language of a stimulus."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from brainlm.language_models.tokens import Tokens

# Tokens per byte of text: .15 to .36 in languages that were much of the training text (English in
# any model .19), .39 to .69 in those that were not. Measured on SmolLM2, Gemma 3, Qwen 2.5, MiniLM.
MANY = 0.38
UNKNOWN = 0.1  # share of tokens that are the one for what the vocabulary lacks
ENOUGH = 500  # bytes of text; a few rare words say nothing
LETTERS = 1000  # tokens; a smaller vocabulary is one of letters or bytes


class UnknownLanguageWarning(UserWarning):
    """A model was probably not trained on the language of the stimulus."""


def check_language(
    name: str,
    known: Sequence[str],
    language: str,
    texts: Sequence[Sequence[str]],
    tokens: Sequence[Tokens],
    n_unknown: int,
    n_vocabulary: int,
) -> None:
    """Raise for a language that is not declared for a model; warn if its tokens suggest so.

    Parameters
    ----------
    name : str
        Of the model.
    known : sequence of str
        Languages that are declared for it; none: nothing is declared, and its tokens are counted.
    language : str
        Of the words.
    texts : sequence of sequence of str
        The words of each text.
    tokens : sequence of Tokens
        Their tokens.
    n_unknown : int
        How many of these stand for what the vocabulary lacks.
    n_vocabulary : int

    Raises
    ------
    ValueError
        The language is not among the declared ones.

    Warns
    -----
    UnknownLanguageWarning
        More than .38 tokens per byte of text, or a tenth of them unknown.
    """
    if known:
        if language.split("-")[0] not in known:
            raise ValueError(
                f"{name} was trained on {', '.join(known)}, the stimulus is in {language!r}: its "
                "states and surprisal would mean nothing. Use a model of that language "
                "(list_models, or any id of the hub)"
            )
        return
    n_tokens = sum(len(text.ids) for text in tokens)
    n_bytes = sum(len(word.encode()) for text in texts for word in text)
    if n_bytes < ENOUGH or n_vocabulary < LETTERS:
        return
    if n_tokens > MANY * n_bytes or n_unknown > UNKNOWN * n_tokens:
        warnings.warn(
            f"{name} tokenizes this text ({language!r}) into {n_tokens / n_bytes:.2f} tokens per "
            f"byte (English: about 0.2), {n_unknown} of {n_tokens} of them unknown. It was "
            "probably not trained on this language; use a model that was",
            UnknownLanguageWarning,
            stacklevel=4,
        )
