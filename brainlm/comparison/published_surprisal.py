"""Surprisal that the authors of a data set published, in the place of a language model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.card import read_card
from brainlm.datasets.open import open_published_surprisal


@dataclass(frozen=True, eq=False)
class PublishedSurprisal:
    """Surprisal of the words of one data set, with the interface that reading times need.

    Attributes
    ----------
    name : str
        Of the model, as on the card of the data set.
    values : dict of str to float
        Item -> surprisal, in the authors' unit.
    causal : bool
        Whether the model saw the words before only.
    """

    name: str
    values: dict[str, float]
    causal: bool = True

    @property
    def identity(self) -> dict[str, Any]:
        """Return what a stored result depends on: the files of the data set hold the values."""
        return {"published": self.name}

    def surprisal(self, stimulus: Stimulus, context: Any = None) -> Features:
        """Return the surprisal of each word; the mean where none was published."""
        items = stimulus.item.astype(str)
        values = np.array([self.values.get(item, np.nan) for item in items])
        return Features(
            "surprisal", np.where(np.isnan(values), np.nanmean(values), values)[:, None], stimulus
        )

    def measured(self, trials: pd.DataFrame) -> tuple[pd.DataFrame, str]:
        """Return the trials of words that have a published surprisal, and a note."""
        known = trials["item"].isin(self.values)
        note = f"{self.name}: {int((~known).sum())} of {len(known)} trials have no surprisal"
        return trials[known].reset_index(drop=True), note


def published_models(name: str, root: Path | None = None) -> list[PublishedSurprisal]:
    """Open the surprisal that was published with a data set; empty where its card has none."""
    published = read_card(name).published_surprisal
    names = () if published is None else published.models
    return [PublishedSurprisal(each, open_published_surprisal(name, each, root)) for each in names]
