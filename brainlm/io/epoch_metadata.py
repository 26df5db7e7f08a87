"""Metadata of epochs of mne: their words, items and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.errors import unknown_name

if TYPE_CHECKING:
    import mne

LABELS = ("word", "item", "sentence", "text", "run")  # columns of metadata with a meaning


def stimulus_of(epochs: mne.BaseEpochs, language: str) -> Stimulus:
    """Return the words in the metadata of epochs, one per epoch, for `from_epochs`.

    Epochs that were dropped have no metadata: their words are in no context of a language model.
    Where the whole text is at hand, make the stimulus of it and give it to `from_epochs`.

    Parameters
    ----------
    epochs : mne.Epochs
        With the columns ``word`` and, where there are any, ``item`` (default: the number of the
        epoch before rejection), ``sentence``, ``text`` and ``run`` in ``epochs.metadata``.
    language : str
        Language code.

    Raises
    ------
    ValueError
        There is no metadata, or no column ``word`` in it.

    Examples
    --------
    >>> import mne
    >>> words = pandas.DataFrame({"word": ["the", "old", "man"], "strength": [0.1, 0.5, 0.3]})
    >>> info = mne.create_info(["Cz", "Pz"], 100.0, "eeg")
    >>> epochs = mne.EpochsArray(np.zeros((3, 2, 100)), info, metadata=words, verbose="error")
    >>> stimulus = brainlm.stimulus_of(epochs, "en")
    >>> stimulus.words.tolist()
    ['the', 'old', 'man']
    """
    table = metadata_of(epochs, ("word",))
    columns = {
        name: table[name].to_numpy() for name in ("run", "text", "sentence") if name in table
    }
    return Stimulus(table["word"].to_numpy(), language, item=items_of(epochs, table), **columns)


def covariates_of(
    epochs: mne.BaseEpochs, stimulus: Stimulus, columns: Sequence[str] | None = None
) -> list[Features]:
    """Return numbers of the words in the metadata of epochs as features, such as controls.

    Parameters
    ----------
    epochs : mne.Epochs
        Whose metadata has an item of the stimulus in each row (`stimulus_of`). Epochs of the same
        item are averaged.
    stimulus : Stimulus
        A word without an epoch has 0: nothing responds to it.
    columns : sequence of str, optional
        Default: every column of numbers that differ between epochs.

    Returns
    -------
    list of Features, each of shape (n_words, 1)
        Named as the columns.

    Raises
    ------
    UnknownNameError
        There is no such column.
    ValueError
        A value is missing or no number, or there is no column of numbers.

    Examples
    --------
    >>> import mne
    >>> words = pandas.DataFrame({"word": ["the", "old", "man"], "strength": [0.1, 0.5, 0.3]})
    >>> info = mne.create_info(["Cz", "Pz"], 100.0, "eeg")
    >>> epochs = mne.EpochsArray(np.zeros((3, 2, 100)), info, metadata=words, verbose="error")
    >>> stimulus = brainlm.stimulus_of(epochs, "en")
    >>> (strength,) = brainlm.covariates_of(epochs, stimulus)
    >>> strength.name, strength.values.ravel().tolist()
    ('strength', [0.1, 0.5, 0.3])
    """
    table = metadata_of(epochs, ())
    numeric = [
        str(name)
        for name in table.columns
        if name not in LABELS and pd.api.types.is_numeric_dtype(table[name])
    ]
    chosen = (
        [name for name in numeric if table[name].nunique(dropna=False) > 1]
        if columns is None
        else columns
    )
    if not len(chosen):
        raise ValueError(f"epochs.metadata has no column of numbers; it has {list(table.columns)}")
    items = pd.Index(items_of(epochs, table).astype(str), name="item")
    found = []
    for name in chosen:
        if name not in numeric:
            raise unknown_name("column of numbers in epochs.metadata", name, numeric)
        values = table[name].to_numpy(float)
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise ValueError(
                f"epochs.metadata: {name!r} of epoch {epochs.selection[row]} is {values[row]}: "
                "fill it, drop the epoch, or leave the column out with columns="
            )
        mean = pd.Series(values, items).groupby(level=0).mean()
        of_words = mean.reindex(stimulus.item.astype(str), fill_value=0.0).to_numpy()
        found.append(Features(name, of_words[:, None], stimulus))
    return found


def check_words(epochs: mne.BaseEpochs, words: np.ndarray) -> None:
    """Raise where the metadata name another word than the stimulus, case and marks aside."""
    if epochs.metadata is None or "word" not in epochs.metadata:
        return
    named = epochs.metadata["word"].astype(str).tolist()
    other = [k for k, word in enumerate(words) if _plain(word) != _plain(named[k])]
    if other:
        k = other[0]
        raise ValueError(
            f"epochs: the metadata name other words than the stimulus in {len(other)} of "
            f"{len(named)} epochs (the first: {named[k]!r} in epoch {epochs.selection[k]}, "
            f"{words[k]!r} in the stimulus): give the stimulus in the order of the epochs"
        )


def _plain(word: str) -> str:
    """Return the letters and digits of a word in lower case."""
    return "".join(each for each in word.casefold() if each.isalnum())


def metadata_of(epochs: mne.BaseEpochs, needed: tuple[str, ...]) -> Any:
    """Return the metadata of epochs; raise where there are none, or a column is missing."""
    table = epochs.metadata
    if table is None:
        raise ValueError("epochs.metadata is empty: give a stimulus, or set it (a row per epoch)")
    lacking = [name for name in needed if name not in table]
    if lacking:
        raise ValueError(f"epochs.metadata lacks {lacking}; its columns are {list(table.columns)}")
    return table


def items_of(epochs: mne.BaseEpochs, table: Any) -> np.ndarray:
    """Return the item of each epoch: the column, or its number before rejection."""
    return table["item"].to_numpy() if "item" in table else epochs.selection.astype(str)
