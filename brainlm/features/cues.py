"""Similarity of a word and the words that were shown before it."""

from __future__ import annotations

import numpy as np

from brainlm.data.features import Features
from brainlm.data.scores import standardize_rows


def cue_similarity(features: Features) -> Features:
    """Correlation of the vector of each word with that of the words shown before it in its text.

    ::

        s_i = corr(x_i, mean of x_j over the words j of the same text that only were read)

    over the columns of the features, each with mean 0 and standard deviation 1 over all words: a
    few columns of large variance would make all words alike otherwise. Words that were read and not
    responded to (``stimulus.context_only``), such as the cue of a pair, have 0 and no sample.

    Parameters
    ----------
    features : Features, shape (n_words, n_features)
        Of a stimulus in which every text begins with such words.

    Returns
    -------
    Features, shape (n_words, 1)
        In [-1, 1].

    Raises
    ------
    ValueError
        No word was shown before, or a text has none.
    """
    stimulus = features.stimulus
    if stimulus is None or stimulus.context_only is None:
        raise ValueError(
            f"{features.name!r}: no word was shown before others (context_only): there is nothing "
            "that a word could be similar to"
        )
    values = np.asarray(features.values, dtype=float)
    spread = values.std(axis=0)
    Z = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)
    Z = standardize_rows(Z, features.name)
    found = np.zeros(stimulus.n_words)
    for label, rows in stimulus.blocks("text"):
        shown = stimulus.context_only[rows]
        if not shown.any():
            raise ValueError(f"text {label!r}: no word was shown before its words")
        cue = Z[rows][shown].mean(axis=0, keepdims=True)
        found[rows] = np.where(shown, 0.0, Z[rows] @ standardize_rows(cue)[0])
    origin = {"of": features.name, **features.origin}
    return Features("similarity", found[:, None], stimulus, origin=origin)
