"""Language units of a model: those that respond more to sentences than to strings of non-words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import ttest_ind

from brainlm._validation import same_length
from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus


@dataclass(frozen=True, eq=False)
class LanguageUnits:
    """Units of a model, by layer, in the order of their contrast.

    Attributes
    ----------
    layer : array of int, shape (n_units,)
        Place of the layer in the layers that were localised.
    unit : array of int, shape (n_units,)
        Feature of that layer.
    t : array of shape (n_units,)
        Welch's t of sentences against non-words; NaN for random units.
    """

    layer: np.ndarray
    unit: np.ndarray
    t: np.ndarray

    def select(self, layers: Sequence[Features], name: str = "language units") -> Features:
        """Return these units of a stimulus as one feature space, (n_rows, n_units).

        Parameters
        ----------
        layers : sequence of Features
            The same layers of the same model.
        name : str
        """
        last = int(self.layer.max())
        if len(layers) <= last:
            raise ValueError(
                f"the units are of layers up to number {last} of the list, layers has "
                f"{len(layers)}: embed the same layers as for the localiser"
            )
        columns = [layers[k].values[:, u] for k, u in zip(self.layer, self.unit, strict=True)]
        origin = {**layers[0].origin, "units": len(self.layer), "layers": len(layers)}
        origin.pop("layer", None)
        return Features(name, np.stack(columns, axis=1), layers[0].stimulus, origin=origin)


def language_units(
    sentences: Sequence[Features], nonwords: Sequence[Features], share: float = 0.01
) -> LanguageUnits:
    """Localise the units that respond more to sentences than to non-words.

    The rule of functional localisers in people, for a model: over all layers together, the units
    with the largest Welch's t between the magnitudes of their activations,

    ::

        t_u = (mean |a_u(sentences)| - mean |a_u(non-words)|) / standard error

    Parameters
    ----------
    sentences, nonwords : sequence of Features
        One per layer, a row per item: ``model.embed(stimulus, level="sentence")``. As many rows in
        each layer, at least two of each kind.
    share : float
        Of the units of all layers: .01 in the publication.

    Returns
    -------
    LanguageUnits
        The largest t first.

    Raises
    ------
    ValueError
        Other layers on both sides, fewer than two items, or a share that leaves no unit.

    References
    ----------
    AlKhamissi, Tuckute, Bosselut & Schrimpf 2025, NAACL, arXiv 2411.02280.
    """
    same_length({"layers of sentences": len(sentences), "layers of nonwords": len(nonwords)})
    scores, layer, unit = [], [], []
    for number, (real, false) in enumerate(zip(sentences, nonwords, strict=True)):
        a, b = np.abs(real.values), np.abs(false.values)
        if a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
            raise ValueError(
                f"{real.name!r} has {a.shape[0]} sentences x {a.shape[1]} units and "
                f"{b.shape[0]} non-words x {b.shape[1]}: give two or more of each, of one layer"
            )
        with np.errstate(invalid="ignore", divide="ignore"):  # a constant unit has no t
            t = ttest_ind(a, b, axis=0, equal_var=False).statistic
        scores.append(np.nan_to_num(t, nan=-np.inf, posinf=-np.inf))
        layer.append(np.full(a.shape[1], number))
        unit.append(np.arange(a.shape[1]))
    every, of_layer, of_unit = map(np.concatenate, (scores, layer, unit))
    n = _count(len(every), share)
    best = np.argsort(-every, kind="stable")[:n]
    return LanguageUnits(of_layer[best], of_unit[best], every[best])


def random_units(layers: Sequence[Features], share: float = 0.01, seed: int = 0) -> LanguageUnits:
    """Draw as many units of all layers at random, the baseline of `language_units`.

    Parameters
    ----------
    layers : sequence of Features
    share : float
    seed : int
    """
    layer = np.concatenate([np.full(f.n_features, k) for k, f in enumerate(layers)])
    unit = np.concatenate([np.arange(f.n_features) for f in layers])
    n = _count(len(layer), share)
    drawn = np.random.default_rng(seed).choice(len(layer), n, replace=False)
    return LanguageUnits(layer[drawn], unit[drawn], np.full(n, np.nan))


def scramble_letters(stimulus: Stimulus, seed: int = 0) -> Stimulus:
    """Shuffle the letters of all words, which makes strings of non-words.

    Length and letters of the whole stay, words and grammar go; what is no letter keeps its place.
    A stand-in for non-words that people have rated as pronounceable.

    Parameters
    ----------
    stimulus : Stimulus
    seed : int
    """
    words = [str(word) for word in stimulus.words]
    letters = [c for word in words for c in word if c.isalpha()]
    np.random.default_rng(seed).shuffle(letters)
    pool = iter(letters)
    dealt = ["".join(next(pool) if c.isalpha() else c for c in word) for word in words]
    return replace(stimulus, words=dealt)


def _count(n_units: int, share: float) -> int:
    n = round(share * n_units)
    if not 0 < share <= 1 or n < 1:
        raise ValueError(f"share = {share} of {n_units} units leaves {n}: give more, at most 1")
    return n
